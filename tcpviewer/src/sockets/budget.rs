//! What a part of the work may take of one core: after each piece of it comes a rest, in proportion to its CPU time.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Economy;

/// A share of one core.
pub(super) struct Budget {
    /// How much longer the rest is than the work.
    rest: f64,
    free_at: Option<Instant>,
}

impl Budget {
    /// This share, between 0 and 1.
    pub(super) fn new(share: f64) -> Self {
        Self {
            rest: 1.0 / share - 1.0,
            free_at: None,
        }
    }

    /// When the next piece may begin.
    pub(super) fn free_at(&self) -> Instant {
        self.free_at.unwrap_or_else(Instant::now)
    }

    /// Takes note of a piece of work of so much CPU time that has just ended.
    pub(super) fn spent(&mut self, time: Duration, now: Instant) {
        self.free_at = Some(now + time.mul_f64(self.rest));
    }
}

/// Work that is done in parts, again and again, and not too often.
pub(super) struct Turns {
    budget: Budget,
    every: Duration,
    due: Instant,
    /// The work of the parts of this time so far.
    took: Duration,
}

impl Turns {
    /// Once in this time, or as often as that share of a core allows; for the first time at once.
    pub(super) fn new(every: Duration, share: f64) -> Self {
        Self {
            budget: Budget::new(share),
            every,
            due: Instant::now(),
            took: Duration::ZERO,
        }
    }

    /// When the next part may be done.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Takes note of a part that has just ended: when it began, its work, and whether it was the last one.
    pub(super) fn done(&mut self, started: Instant, work: Duration, is_last: bool, economy: Economy) {
        self.took += work;
        if is_last {
            self.budget.spent(self.took * economy.stretch, Instant::now());
            self.due = self.budget.free_at().max(started + economy.interval(self.every));
            self.took = Duration::ZERO;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_as_long_as_the_share_asks_for() {
        let mut budget = Budget::new(0.02);
        let start = Instant::now();
        assert!(budget.free_at() <= Instant::now(), "nothing was spent yet");
        budget.spent(Duration::from_millis(2), start);
        assert_eq!(budget.free_at(), start + Duration::from_millis(98));
    }

    #[test]
    fn work_in_parts_is_paused_after_the_last_one_for_as_long_as_it_took_in_all() {
        let every = Duration::from_millis(5);
        let mut turns = Turns::new(every, 0.5);
        let start = Instant::now();
        turns.done(start, Duration::ZERO, false, Economy::NONE);
        assert!(turns.due() <= start, "the next part is due at once");
        turns.done(start, Duration::ZERO, true, Economy::NONE);
        assert!(turns.due() >= start + every);

        turns.done(start, every * 10, false, Economy::NONE);
        turns.done(start, Duration::ZERO, true, Economy::NONE);
        assert!(turns.due() >= start + every * 10);
    }
}
