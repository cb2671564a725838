//! Work by which it is measured how often it may be done again: the CPU time of its thread. On a busy host
//! much more time passes while the work waits for a CPU; that time is no reason to wait even longer.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Work that was begun; it is done on the same thread.
pub struct Work {
    before: Duration,
}

impl Work {
    /// Begins now.
    pub fn begun() -> Self {
        Self { before: cpu_time() }
    }

    /// What it took so far.
    pub fn done(&self) -> Duration {
        cpu_time().saturating_sub(self.before)
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // It counts up from 0.
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, thread::sleep, time::Instant};

    use super::*;

    #[test]
    fn waiting_is_no_work() {
        let work = Work::begun();
        sleep(Duration::from_millis(50));
        assert!(work.done() < Duration::from_millis(25), "{:?}", work.done());

        let before = work.done();
        let started = Instant::now();
        while work.done() == before {
            black_box(());
            assert!(started.elapsed() < Duration::from_secs(10));
        }
    }
}
