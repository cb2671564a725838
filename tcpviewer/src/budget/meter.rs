//! Measures what the process costs: its resident memory, and its CPU time as a mean over the last decisions.

use std::{collections::VecDeque, time::Duration};

use procfs::{ProcResult, process::Process};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use super::{SETTLE, Usage};

/// What the process used at the last decisions.
#[derive(Debug, Default)]
pub struct Meter {
    /// CPU time since the start, oldest first.
    used: VecDeque<(Instant, Duration)>,
}

impl Meter {
    /// What the process costs now, where its kernel maps take so many bytes.
    ///
    /// # Errors
    ///
    /// When procfs does not say.
    pub fn measure(&mut self, map_bytes: u64) -> ProcResult<Usage> {
        let resident_bytes = Process::myself()?.statm()?.resident * procfs::page_size();
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let used = Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
        Ok(Usage {
            memory_bytes: resident_bytes + map_bytes,
            cpu_percent: self.cpu_percent(Instant::now(), used),
        })
    }

    /// The mean since so many decisions ago, where `used` is the CPU time since the start.
    fn cpu_percent(&mut self, now: Instant, used: Duration) -> Option<f64> {
        self.used.push_back((now, used));
        if self.used.len() <= SETTLE as usize {
            return None;
        }
        let (then, used_then) = self.used.pop_front()?;
        let elapsed = now.duration_since(then).as_secs_f64();
        Some(100.0 * used.saturating_sub(used_then).as_secs_f64() / elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_a_mean_over_the_last_decisions() {
        let mut meter = Meter::default();
        let start = Instant::now();
        let mut at = |second: u32, used| {
            meter.cpu_percent(
                start + Duration::from_secs(second.into()),
                Duration::from_millis(used),
            )
        };
        for second in 0..SETTLE {
            assert_eq!(at(second, 0), None);
        }
        assert_eq!(at(SETTLE, 5_000), Some(50.0));
        assert_eq!(at(SETTLE + 1, 5_000), Some(50.0));
    }

    #[test]
    fn this_process_has_memory() {
        let usage = Meter::default().measure(1 << 40).unwrap();
        assert!(usage.memory_bytes > (1 << 40) + (1 << 20), "{usage:?}");
        assert_eq!(usage.cpu_percent, None);
    }
}
