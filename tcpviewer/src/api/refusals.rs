//! Refused calls: counted, and told in the log now and then, so that guessing shows and does not fill the disk.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tracing::warn;

use super::access::{Peer, Refusal};

/// At most one line in the log per this time.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

/// Counts refused calls.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    total: u64,
    /// Refused since the last line in the log.
    untold: u64,
    told: Option<Instant>,
}

impl Refusals {
    /// Counts one more, and tells the log if it is time.
    pub(super) fn count(&self, peer: &Peer, refusal: Refusal) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(untold) = state.count(Instant::now()) {
            let total = state.total;
            warn!("{untold} calls refused ({total} since the start), the last of {peer}: {refusal}");
        }
    }
}

impl State {
    /// How many there are to tell of, if it is time.
    fn count(&mut self, now: Instant) -> Option<u64> {
        self.total += 1;
        self.untold += 1;
        if self
            .told
            .is_some_and(|told| now.duration_since(told) < LOG_INTERVAL)
        {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_next_ones_together() {
        let mut state = State::default();
        let start = Instant::now();
        let mut count = |seconds| state.count(start + Duration::from_secs(seconds));

        assert_eq!(count(0), Some(1));
        assert_eq!((count(1), count(9)), (None, None));
        assert_eq!(count(10), Some(3));
        assert_eq!(count(11), None);
        assert_eq!(state.total, 5);
    }
}
