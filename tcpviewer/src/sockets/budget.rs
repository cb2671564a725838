//! What a part of the work may take of one core: after each piece of it comes a rest, in proportion.

use std::time::Duration;

use tokio::time::Instant;

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

    /// Takes note of a piece of work that took so long and has just ended.
    pub(super) fn spent(&mut self, time: Duration, now: Instant) {
        self.free_at = Some(now + time.mul_f64(self.rest));
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
}
