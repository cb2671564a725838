//! The daemon's status: asks the daemon for what its stages report, and measures what the process costs.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use procfs::{ProcResult, process::Process};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tonic::Status;
use tracing::warn;

use super::convert;
use crate::{
    model::{self, Command, Economies, Economy, HostCounter, Identity, Totals},
    proto::{GetStatusResponse, ListListenersResponse},
};

/// Time for the daemon to report.
const REPORT_TIMEOUT: Duration = Duration::from_secs(2);
/// Streams that ask within so long share an answer: it is asked for at most ten times per second, however many they are.
const SHARED: Duration = Duration::from_millis(100);
/// CPU use is measured over at least this long.
const CPU_INTERVAL: Duration = Duration::from_secs(1);

/// Answers `GetStatus`.
#[derive(Debug)]
pub(super) struct StatusReporter {
    identity: Arc<Identity>,
    commands: mpsc::Sender<Command>,
    economies: Economies,
    status: Recent<Arc<model::Status>>,
    host_counters: Recent<Vec<HostCounter>>,
    meter: Mutex<CpuMeter>,
}

impl StatusReporter {
    /// A reporter that asks through `commands`.
    pub(super) fn new(
        identity: Arc<Identity>,
        commands: mpsc::Sender<Command>,
        economies: Economies,
    ) -> Self {
        Self {
            identity,
            commands,
            economies,
            status: Recent::default(),
            host_counters: Recent::default(),
            meter: Mutex::default(),
        }
    }

    /// The status; the caller adds what the API itself knows.
    pub(super) async fn report(&self, totals: Totals, streams: u32) -> Result<GetStatusResponse, Status> {
        let status = self.in_time(Command::Status).await?;
        let cost = self
            .cost()
            .inspect_err(|error| warn!("measure the cost of the process: {error}"))
            .ok();
        Ok(convert::status(
            &self.identity,
            &status,
            totals,
            cost,
            streams,
            SystemTime::now(),
        ))
    }

    /// What is done less of at present.
    pub(super) fn economy(&self) -> Economy {
        self.economies.now()
    }

    /// What the stages report, a moment ago at most; `None` where the daemon does not report in time.
    pub(super) async fn recent(&self) -> Option<Arc<model::Status>> {
        if let Some(status) = self.status.get() {
            return Some(status);
        }
        let status = self.in_time(Command::Status).await.ok()?;
        Some(self.status.set(Arc::new(status)))
    }

    /// The counters of the host's TCP; none where they are not known or the daemon does not report in time.
    pub(super) async fn host_counters(&self) -> Vec<HostCounter> {
        if let Some(counters) = self.host_counters.get() {
            return counters;
        }
        let counters = self.in_time(Command::HostCounters).await;
        counters.map_or_else(|_late| Vec::new(), |counters| self.host_counters.set(counters))
    }

    /// The listening sockets.
    pub(super) async fn listeners(&self) -> Result<ListListenersResponse, Status> {
        let listeners = self
            .in_time(Command::Listeners)
            .await?
            .map_err(Status::failed_precondition)?;
        Ok(convert::listeners(listeners))
    }

    /// Asks the daemon. In a task of its own: a stream whose client does not read is left alone in the middle of this,
    /// and would keep the place in the queue that comes free for it from everybody else.
    async fn in_time<T: Send + 'static>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Status> {
        let (answer, answered) = oneshot::channel();
        let (commands, command) = (self.commands.clone(), command(answer));
        let asking = async move {
            commands.send(command).await.ok()?;
            answered.await.ok()
        };
        match tokio::spawn(timeout(REPORT_TIMEOUT, asking)).await {
            Ok(Ok(Some(report))) => Ok(report),
            Ok(Ok(None)) | Err(_) => Err(Status::unavailable("the daemon stops")),
            Ok(Err(_elapsed)) => {
                let problem = format!("the daemon did not report within {} s", REPORT_TIMEOUT.as_secs());
                Err(Status::unavailable(problem))
            }
        }
    }

    fn cost(&self) -> ProcResult<Cost> {
        let stat = Process::myself()?.stat()?;
        let ticks = Duration::from_secs(stat.utime + stat.stime);
        let cpu_time = ticks.div_f64(procfs::ticks_per_second() as f64);
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Cost {
            resident_bytes: stat.rss * procfs::page_size(),
            cpu_time,
            cpu_percent: meter.measure(Instant::now(), cpu_time),
        })
    }
}

/// The newest answer to a question that many ask.
#[derive(Debug)]
struct Recent<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Clone> Recent<T> {
    /// The answer, if it is new enough to be shared.
    fn get(&self) -> Option<T> {
        let newest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, answer) = newest.as_ref()?;
        (at.elapsed() < SHARED).then(|| answer.clone())
    }

    /// Keeps an answer that has just come.
    fn set(&self, answer: T) -> T {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), answer.clone()));
        answer
    }
}

/// What the process costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    /// Resident memory, bytes.
    pub(super) resident_bytes: u64,
    /// CPU time since the start.
    pub(super) cpu_time: Duration,
    /// CPU use, per cent of one core; `None` until it was measured twice.
    pub(super) cpu_percent: Option<f64>,
}

/// CPU use from one call to the next, over an interval long enough to mean something.
#[derive(Debug, Default)]
struct CpuMeter {
    since: Option<(Instant, Duration)>,
    percent: Option<f64>,
}

impl CpuMeter {
    fn measure(&mut self, now: Instant, cpu_time: Duration) -> Option<f64> {
        let Some((start, start_cpu_time)) = self.since else {
            self.since = Some((now, cpu_time));
            return None;
        };
        let elapsed = now.duration_since(start);
        if elapsed >= CPU_INTERVAL {
            let used = cpu_time.saturating_sub(start_cpu_time);
            self.percent = Some(100.0 * used.as_secs_f64() / elapsed.as_secs_f64());
            self.since = Some((now, cpu_time));
        }
        self.percent
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_is_left_alone_while_he_asks_keeps_no_place_in_the_queue() {
        let (commands, mut queue) = mpsc::channel(1);
        let reporter = reporter(commands.clone());
        let (first, _answered) = oneshot::channel();
        commands.send(Command::HostCounters(first)).await.unwrap();
        let mut left_alone = Box::pin(reporter.recent());
        assert!((&mut left_alone).now_or_never().is_none());
        tokio::task::yield_now().await;

        assert!(matches!(queue.recv().await, Some(Command::HostCounters(_))));

        let next = timeout(Duration::from_secs(1), queue.recv()).await;
        assert!(matches!(next, Ok(Some(Command::Status(_)))), "{next:?}");
    }

    #[tokio::test]
    async fn those_who_ask_within_a_moment_share_an_answer() {
        let (commands, mut queue) = mpsc::channel(1);
        let reporter = reporter(commands);
        let answer = async {
            let Some(Command::HostCounters(reply)) = queue.recv().await else {
                panic!("the counters are asked for")
            };
            let counter = HostCounter {
                name: "RetransSegs",
                meaning: "segments sent again",
                total: 7,
                per_second: None,
            };
            reply.send(vec![counter]).unwrap();
        };
        let (first, ()) = tokio::join!(reporter.host_counters(), answer);

        assert_eq!(first.len(), 1);
        assert_eq!(reporter.host_counters().await, first);
        assert!(queue.try_recv().is_err(), "asked again");
    }

    fn reporter(commands: mpsc::Sender<Command>) -> StatusReporter {
        let identity = Identity {
            instance: 1,
            host_name: String::new(),
            kernel_release: String::new(),
            capture_file: String::new(),
            started_at: SystemTime::UNIX_EPOCH,
            update_interval: Duration::from_millis(250),
            keep_closed: Duration::from_secs(60),
        };
        StatusReporter::new(Arc::new(identity), commands, Economies::none())
    }

    #[test]
    fn cpu_use_is_absent_at_first_and_measured_over_a_second_or_more() {
        let mut meter = CpuMeter::default();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let used = Duration::from_millis;

        assert_eq!(meter.measure(at(0), used(100)), None);
        assert_eq!(meter.measure(at(500), used(400)), None);
        assert_eq!(meter.measure(at(2_000), used(600)), Some(25.0));
        assert_eq!(meter.measure(at(2_500), used(1_100)), Some(25.0));
        assert_eq!(meter.measure(at(3_000), used(1_100)), Some(50.0));
    }
}
