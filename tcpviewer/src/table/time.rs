//! What time it is by the clock that samples go by: a moment that one of them named, and how long ago that was by the
//! clock of whoever ticks. So a capture that is played has its own time, and a live one that of the host.

use std::time::SystemTime;

use tokio::time::Instant;

/// The time of samples.
#[derive(Default)]
pub(super) struct TimeOfSamples {
    /// The last time it was asked.
    now: Option<Instant>,
    /// A moment by both clocks.
    known: Option<(Instant, SystemTime)>,
}

impl TimeOfSamples {
    /// Time passes until now.
    pub(super) fn passes(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// Learns that something happened at this moment, before now.
    pub(super) fn is_at_least(&mut self, moment: SystemTime) {
        if self.now().is_none_or(|now| now < moment) {
            self.known = self.now.map(|now| (now, moment));
        }
    }

    /// The last time that passed.
    pub(super) fn instant(&self) -> Option<Instant> {
        self.now
    }

    /// The time now; `None` until something happened.
    pub(super) fn now(&self) -> Option<SystemTime> {
        let (then, moment) = self.known?;
        Some(moment + self.now?.saturating_duration_since(then))
    }
}
