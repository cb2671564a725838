//! The stream of sums. In: a request and the published table. Out: sums over the open connections, once per
//! interval.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::stream::BoxStream;
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};
use tonic::Status;

use super::{
    convert,
    selection::filter,
    status::StatusReporter,
    streams::{Source, Streams},
};
use crate::{
    filter::Filter,
    model::{Connection, Work},
    proto::{self, WatchStatsRequest, WatchStatsResponse},
    publish::{Board, Gathering, GroupBy, Stats},
};

/// Time between two messages when the request does not say.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);
/// Summing up a full table ten times per second is enough.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// Connections that are summed up in one go, before others get their turn.
const CHUNK: usize = 512;
/// After sums, the pause is this many times as long as their work at least.
const PAUSE_PER_WORK: u32 = 8;
/// Longer than this a stream looks dead.
const MAX_INTERVAL: Duration = Duration::from_secs(3_600);
/// Groups of a kind when the request does not say.
const DEFAULT_TOP: u32 = 10;
/// Groups of a kind at most.
const MAX_TOP: u32 = 1_000;

/// `WatchStats`.
pub(super) fn watch(
    board: &Arc<Board>,
    status: &Arc<StatusReporter>,
    streams: &Streams,
    request: &WatchStatsRequest,
) -> Result<BoxStream<'static, Result<WatchStatsResponse, Status>>, Status> {
    let interval = interval(request.interval)?;
    let top = match request.top {
        0 => DEFAULT_TOP,
        top if top > MAX_TOP => {
            let problem = format!("top {top} is above the limit of {MAX_TOP}");
            return Err(Status::invalid_argument(problem));
        }
        top => top,
    };
    let by = kinds(&request.group_by)?;
    let filter = filter(&request.filter)?;
    Ok(streams.open()?.run(Sums {
        board: Arc::clone(board),
        status: Arc::clone(status),
        filter,
        by,
        top: top as usize,
        interval,
        due: Instant::now(),
    }))
}

/// The kinds of groups asked for, each at most once.
fn kinds(asked: &[i32]) -> Result<Vec<GroupBy>, Status> {
    let mut kinds = Vec::new();
    for &number in asked {
        let kind = match proto::GroupBy::try_from(number) {
            Ok(proto::GroupBy::Peer) => GroupBy::Peer,
            Ok(proto::GroupBy::Port) => GroupBy::Port,
            Ok(proto::GroupBy::Interface) => GroupBy::Interface,
            Ok(proto::GroupBy::State) => GroupBy::State,
            Ok(proto::GroupBy::Process) => GroupBy::Process,
            Ok(proto::GroupBy::Container) => GroupBy::Container,
            Ok(proto::GroupBy::Unit) => GroupBy::Unit,
            Ok(proto::GroupBy::Unspecified) | Err(_) => {
                let problem = format!("group_by {number} is no kind of group");
                return Err(Status::invalid_argument(problem));
            }
        };
        if kinds.contains(&kind) {
            return Err(Status::invalid_argument(format!("group_by names {kind:?} twice")));
        }
        kinds.push(kind);
    }
    Ok(kinds)
}

fn interval(asked: Option<prost_types::Duration>) -> Result<Duration, Status> {
    let Some(asked) = asked else {
        return Ok(DEFAULT_INTERVAL);
    };
    match Duration::try_from(asked) {
        Ok(interval) if (MIN_INTERVAL..=MAX_INTERVAL).contains(&interval) => Ok(interval),
        Ok(_) | Err(_) => Err(Status::invalid_argument(format!(
            "interval {}.{:09} s is not from 0.1 s to 3600 s",
            asked.seconds,
            asked.nanos.abs()
        ))),
    }
}

/// The messages of one `WatchStats`.
struct Sums {
    board: Arc<Board>,
    status: Arc<StatusReporter>,
    filter: Option<Filter<Connection>>,
    by: Vec<GroupBy>,
    top: usize,
    interval: Duration,
    due: Instant,
}

impl Source for Sums {
    type Message = WatchStatsResponse;

    async fn next(&mut self) -> Option<WatchStatsResponse> {
        sleep_until(self.due).await;
        // A client that is late gets the newest sums, not those it missed.
        let interval = self.status.economy().interval(self.interval);
        self.due = (self.due + interval).max(Instant::now());
        let (stats, worked) = self.sums().await;
        self.due = self.due.max(Instant::now() + worked * PAUSE_PER_WORK);
        // Without a ledger for once: the daemon is busy or stops, and the sums hold all the same.
        let ledger = self.status.recent().await.map(|status| status.ledger);
        let counters = self.status.host_counters().await;
        Some(convert::stats(stats, ledger, counters, SystemTime::now()))
    }
}

impl Sums {
    /// The sums of now, and the work that they took. Others get their turn between.
    async fn sums(&self) -> (Stats, Duration) {
        let now = SystemTime::now();
        let (mut gathering, mut worked) = (Gathering::new(&self.by), Duration::ZERO);
        for chunk in self.board.all().chunks(CHUNK) {
            let work = Work::begun();
            for listed in chunk.iter().filter(|listed| !listed.has_ended()) {
                let connection = listed.connection();
                let filter = self.filter.as_ref();
                if filter.is_none_or(|filter| filter.matches(&connection, now)) {
                    gathering.add(&connection);
                }
            }
            worked += work.done();
            yield_now().await;
        }
        (gathering.stats(self.top), worked)
    }
}
