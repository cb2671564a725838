//! How late things were: counts by the millisecond.

/// Latenesses of this many milliseconds or more are counted as this many.
const LONGEST_MS: usize = 20_000;

/// How often something was so late.
#[derive(Clone, Debug)]
pub(crate) struct Lateness {
    by_ms: Vec<u64>,
}

impl Lateness {
    /// Nothing was late yet.
    pub(crate) fn new() -> Self {
        Self {
            by_ms: vec![0; LONGEST_MS + 1],
        }
    }

    /// Counts one more.
    pub(crate) fn record(&mut self, milliseconds: f64) {
        let milliseconds = (milliseconds.max(0.0).ceil() as usize).min(LONGEST_MS);
        if let Some(count) = self.by_ms.get_mut(milliseconds) {
            *count += 1;
        }
    }

    /// Counts those of another.
    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.by_ms.iter_mut().zip(&other.by_ms) {
            *count += more;
        }
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.by_ms.iter().sum()
    }

    /// The milliseconds that this share of them did not exceed.
    pub(crate) fn at(&self, share: f64) -> u64 {
        let wanted = (self.count() as f64 * share).ceil() as u64;
        let mut reached = 0;
        let at = self.by_ms.iter().position(|count| {
            reached += count;
            reached >= wanted
        });
        at.unwrap_or(LONGEST_MS) as u64
    }
}
