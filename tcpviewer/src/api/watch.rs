//! The stream of connections and their changes. In: a request and the published table. Out: messages, made as the
//! client takes them and no faster than it asked for, with a heartbeat between.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};
use tonic::Status;

use super::{
    convert,
    forms::{Forms, SharedForms},
    mask::Mask,
    selection,
    status::StatusReporter,
    streamed::{self, WatchConnectionsResponse},
    streams::{Source, Streams},
};
use crate::{
    model::{self, Identity, Listed},
    proto::{self, WatchConnectionsRequest},
    publish::{Board, Event, Reader, ResumePoint, Step},
};

/// Connections in one message of a stream: some 90 KiB, so that what waits for many clients at once stays small.
const BATCH: usize = 200;
/// Time between two messages with changes, unless one did not hold them all.
const GAP: Duration = Duration::from_millis(20);
/// Longer than this a stream is of no use.
const MAX_INTERVAL: Duration = Duration::from_secs(3_600);
/// Time between two heartbeats.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What all streams of connections share.
#[derive(Debug)]
pub(super) struct Watches {
    identity: Arc<Identity>,
    board: Arc<Board>,
    status: Arc<StatusReporter>,
    forms: SharedForms,
}

impl Watches {
    /// Streams of the connections on `board`.
    pub(super) fn new(identity: &Arc<Identity>, board: &Arc<Board>, status: &Arc<StatusReporter>) -> Self {
        Self {
            identity: Arc::clone(identity),
            board: Arc::clone(board),
            status: Arc::clone(status),
            forms: SharedForms::new(),
        }
    }

    /// `WatchConnections`.
    pub(super) fn watch(
        &self,
        streams: &Streams,
        request: &WatchConnectionsRequest,
    ) -> Result<BoxStream<'static, Result<WatchConnectionsResponse, Status>>, Status> {
        let resume = request.resume.map(|point| ResumePoint {
            instance: point.instance,
            revision: point.revision,
        });
        let selection = selection::selection(request)?;
        let mask = Mask::of(request.field_mask.as_ref())?;
        let floor = self.identity.update_interval;
        let interval = interval(request.interval, floor)?;
        let is_whole = selection.filter.is_none() && selection.top.is_none();
        let reader = Reader::new(&self.board, selection, resume).map_err(selection::refused)?;
        let source = Changes {
            board: Arc::clone(&self.board),
            forms: self.forms.of(mask),
            reader,
            interval,
            floor,
            not_before: Instant::now(),
            is_whole,
            is_complete: false,
            heartbeat: Heartbeat {
                status: Arc::clone(&self.status),
                due: Instant::now() + HEARTBEAT,
                asking: None,
            },
        };
        Ok(streams.open()?.run(source))
    }
}

/// The interval that a stream gets.
fn interval(asked: Option<prost_types::Duration>, floor: Duration) -> Result<Duration, Status> {
    let Some(asked) = asked else {
        return Ok(floor);
    };
    match Duration::try_from(asked) {
        Ok(interval) if !interval.is_zero() && interval <= MAX_INTERVAL => Ok(interval.max(floor)),
        Ok(_) | Err(_) => Err(Status::invalid_argument(format!(
            "interval {:.9} s is not above 0 s and up to {} s",
            asked.seconds as f64 + f64::from(asked.nanos) / 1e9,
            MAX_INTERVAL.as_secs()
        ))),
    }
}

/// The messages of one `WatchConnections`.
struct Changes {
    board: Arc<Board>,
    forms: Arc<Forms>,
    reader: Reader,
    interval: Duration,
    /// The daemon's own.
    floor: Duration,
    not_before: Instant,
    /// Whether all connections are wanted, so that the stream can be resumed.
    is_whole: bool,
    /// Whether the client has a whole table, so that there is a revision to tell in a heartbeat.
    is_complete: bool,
    heartbeat: Heartbeat,
}

impl Source for Changes {
    type Message = WatchConnectionsResponse;

    async fn next(&mut self) -> Option<WatchConnectionsResponse> {
        loop {
            // On a busy host there is always something to send: the heartbeat comes first.
            if self.is_complete
                && self.heartbeat.due <= Instant::now()
                && let Some(status) = self.heartbeat.next().now_or_never()
            {
                return Some(self.beat(status.as_deref()));
            }
            if self.not_before <= Instant::now() {
                match self.reader.next(BATCH, SystemTime::now()) {
                    Step::Event(event) => return Some(self.message(event)),
                    Step::Busy => {
                        yield_now().await;
                        continue;
                    }
                    Step::Done => {}
                }
            }
            tokio::select! {
                () = changed(&mut self.reader, self.not_before) => {}
                status = self.heartbeat.next(), if self.is_complete => return Some(self.beat(status.as_deref())),
            }
        }
    }
}

/// Waits until there may be something to send, and it may be sent.
async fn changed(reader: &mut Reader, not_before: Instant) {
    sleep_until(not_before).await;
    reader.changed().await;
}

impl Changes {
    /// Time between two messages with changes, unless one did not hold them all. The daemon publishes a connection no
    /// more often than its own interval says; while that is stretched, many at once are cheaper.
    fn gap(&self) -> Duration {
        let economy = self.heartbeat.status.economy();
        if economy.stretch > 1 {
            economy.interval(self.floor).max(self.interval)
        } else if self.interval > self.floor {
            self.interval
        } else {
            GAP
        }
    }

    fn message(&mut self, event: Event) -> WatchConnectionsResponse {
        self.is_complete = !matches!(event, Event::Snapshot { .. });
        let event = match event {
            Event::Snapshot {
                first,
                reason,
                connections,
            } => streamed::Event::Snapshot(streamed::Snapshot {
                first,
                reason: convert::snapshot_reason(reason).into(),
                connections: self.encoded(&connections),
            }),
            Event::SnapshotEnd {
                revision,
                connections,
                total,
            } => streamed::Event::SnapshotEnd(proto::SnapshotEnd {
                instance: self.board.instance(),
                revision,
                connections,
                interval: convert::duration(self.interval),
                total,
            }),
            Event::Changes {
                revision,
                connections,
                removed,
                total,
                order,
                more,
            } => {
                if !more {
                    self.not_before = Instant::now() + self.gap();
                }
                streamed::Event::Changes(streamed::Changes {
                    instance: self.board.instance(),
                    revision,
                    connections: self.encoded(&connections),
                    removed,
                    sent_at: Some(SystemTime::now().into()),
                    total,
                    order,
                })
            }
        };
        WatchConnectionsResponse { event: Some(event) }
    }

    fn encoded(&self, connections: &[Arc<dyn Listed>]) -> Vec<bytes::Bytes> {
        connections
            .iter()
            .map(|each| self.forms.encoded(&**each))
            .collect()
    }

    fn beat(&self, status: Option<&model::Status>) -> WatchConnectionsResponse {
        let beat = proto::Heartbeat {
            instance: self.board.instance(),
            revision: self.reader.revision(),
            sent_at: Some(SystemTime::now().into()),
            oldest_revision: self.is_whole.then(|| self.board.oldest_revision()),
            ledger: status.map(|status| convert::ledger(status.ledger)),
            degradations: status.map_or_else(Vec::new, |status| convert::degradations(&status.degradations)),
        };
        WatchConnectionsResponse {
            event: Some(streamed::Event::Heartbeat(beat)),
        }
    }
}

/// When to give a sign of life, and what to say in it.
struct Heartbeat {
    status: Arc<StatusReporter>,
    due: Instant,
    /// The status is on its way.
    asking: Option<BoxFuture<'static, Option<Arc<model::Status>>>>,
}

impl Heartbeat {
    /// Waits for the next one: the status, or `None` where the daemon does not tell it in time. What was begun goes on
    /// with the next call.
    async fn next(&mut self) -> Option<Arc<model::Status>> {
        sleep_until(self.due).await;
        let status = &self.status;
        let asking = self.asking.get_or_insert_with(|| {
            let status = Arc::clone(status);
            async move { status.recent().await }.boxed()
        });
        let told = asking.await;
        self.asking = None;
        self.due = Instant::now() + HEARTBEAT;
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_interval_is_the_floor_and_an_hour_the_ceiling() {
        let floor = Duration::from_millis(250);
        let given = |seconds, nanos| interval(Some(prost_types::Duration { seconds, nanos }), floor);
        assert_eq!(interval(None, floor).unwrap(), floor);
        assert_eq!(given(0, 1).unwrap(), floor);
        assert_eq!(given(2, 500_000_000).unwrap(), Duration::from_millis(2_500));
        assert_eq!(given(3_600, 0).unwrap(), MAX_INTERVAL);
        for (seconds, nanos, shown) in [
            (0, 0, "0.000000000"),
            (-1, 0, "-1.000000000"),
            (3_600, 1, "3600.000000001"),
        ] {
            let refused = given(seconds, nanos).unwrap_err();
            assert_eq!(
                refused.message(),
                format!("interval {shown} s is not above 0 s and up to 3600 s")
            );
        }
    }
}
