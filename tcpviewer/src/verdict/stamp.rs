//! A moment in half of the memory: nanoseconds since the Unix epoch, which is long ago, until the year 2554. Captures
//! can have other times; all those before that are one moment, and all those after.

use std::{
    num::NonZeroU64,
    time::{Duration, SystemTime},
};

use crate::model::small;

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stamp(NonZeroU64);

impl Stamp {
    pub(super) fn of(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX);
        Self(NonZeroU64::new(nanoseconds).unwrap_or(NonZeroU64::MIN))
    }

    /// In two words, the lower one first.
    pub(super) fn words(self) -> [u32; 2] {
        small::halves(self.0.get())
    }

    /// The opposite of [`words`](Self::words).
    pub(super) fn of_words(words: [u32; 2]) -> Self {
        Self(NonZeroU64::new(small::whole(words)).unwrap_or(NonZeroU64::MIN))
    }

    /// The time from here to a later moment; none where that is earlier.
    pub(super) fn until(self, later: Self) -> Duration {
        Duration::from_nanos(later.0.get().saturating_sub(self.0.get()))
    }

    /// Whether so much time has not passed since.
    pub(super) fn is_within(self, span: Duration, now: Self) -> bool {
        self.until(now) < span
    }
}
