//! One subscriber: reads its stream as fast as it comes and notes how late each form was. Of a connection only the id,
//! the revision and the time of the newest packet are decoded, so that the reader costs little beside the daemon.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use http::uri::PathAndQuery;
use prost_types::Timestamp;
use tcpviewer::proto::WatchConnectionsRequest;
use tokio::time::timeout;
use tonic::{Request, Streaming, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

use crate::lateness::Lateness;

const METHOD: &str = "/tcpviewer.v1.TcpViewerService/WatchConnections";
/// A stream says something more often than this.
const SILENCE: Duration = Duration::from_secs(30);

/// What a reader saw.
pub(crate) struct Reader {
    pub(crate) request: WatchConnectionsRequest,
    /// Every connection changes once per this time.
    every: Duration,
    pub(crate) held: Forms,
    pub(crate) lateness: Lateness,
    pub(crate) messages: u64,
}

/// A form of a connection.
#[derive(Clone, Copy)]
struct Held {
    revision: u64,
    /// When the round was due in which it was made.
    due: SystemTime,
}

/// The newest form of each connection. Made-up connections are numbered in a row, so each number is a place.
#[derive(Default)]
pub(crate) struct Forms(Vec<Option<Held>>);

impl Forms {
    /// Every connection that is held, and its revision.
    pub(crate) fn revisions(&self) -> impl Iterator<Item = (u64, u64)> {
        let numbered = (0..).zip(&self.0);
        numbered.filter_map(|(id, held)| Some((id, (*held)?.revision)))
    }

    /// Puts a form, or none, in place of what was held.
    fn replace(&mut self, id: u64, form: Option<Held>) -> Option<Held> {
        let place = id as usize;
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        self.0
            .get_mut(place)
            .and_then(|held| std::mem::replace(held, form))
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}

impl Reader {
    /// A reader that has seen nothing yet.
    pub(crate) fn new(request: WatchConnectionsRequest, every: Duration) -> Self {
        Self {
            request,
            every,
            held: Forms::default(),
            lateness: Lateness::new(),
            messages: 0,
        }
    }

    /// Opens the stream.
    pub(crate) async fn open(&self, channel: Channel) -> Result<Streaming<Response>> {
        let mut client = Grpc::new(channel).max_decoding_message_size(64 << 20);
        client.ready().await.context("connect")?;
        let codec = ProstCodec::<WatchConnectionsRequest, Response>::default();
        let request = Request::new(self.request.clone());
        let answer = client
            .server_streaming(request, PathAndQuery::from_static(METHOD), codec)
            .await?;
        Ok(answer.into_inner())
    }

    /// Reads until `stop` and the next message after it, and records while `recording`.
    pub(crate) async fn read(
        mut self,
        channel: Channel,
        recording: Arc<AtomicBool>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self> {
        let mut stream = self.open(channel).await?;
        while !stop.load(Ordering::Relaxed) {
            let message = timeout(SILENCE, stream.message())
                .await
                .context("a stream is silent")??;
            self.take(
                message.context("a stream ended")?,
                recording.load(Ordering::Relaxed),
            )?;
            self.messages += 1;
        }
        Ok(self)
    }

    fn take(&mut self, message: Response, recording: bool) -> Result<()> {
        let now = SystemTime::now();
        let Some(event) = message.event else {
            return Ok(());
        };
        match event {
            Event::Snapshot(snapshot) => {
                if snapshot.first {
                    self.held.clear();
                }
                self.hold(snapshot.connections, now, false)?;
            }
            Event::Changes(changes) => {
                for id in changes.removed {
                    self.held.replace(id, None);
                }
                self.hold(changes.connections, now, recording)?;
            }
        }
        Ok(())
    }

    fn hold(&mut self, connections: Vec<Connection>, now: SystemTime, recording: bool) -> Result<()> {
        // What time alone brings in may be of any age.
        let by_time = self.request.filter.contains("age") || self.request.filter.contains("idle");
        for connection in connections {
            let due = SystemTime::try_from(connection.last_seen.context("a form without a time")?)?;
            let new = Held {
                revision: connection.revision,
                due,
            };
            let before = self.held.replace(connection.id, Some(new));
            if let Some(before) = before {
                ensure!(before.revision < new.revision, "an old form after a newer one");
            }
            if !recording {
                continue;
            }
            // Of the rounds that this form makes up for, the first.
            let first_due = match before {
                Some(before) if before.due < due => before.due + self.every,
                Some(_) => continue,
                None if by_time => continue,
                None => due,
            };
            let late = now.duration_since(first_due.min(due)).unwrap_or_default();
            self.lateness.record(late.as_secs_f64() * 1_000.0);
        }
        Ok(())
    }
}

/// The part of `tcpviewer.v1.WatchConnectionsResponse` that is looked at.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Response {
    #[prost(oneof = "Event", tags = "1, 3")]
    event: Option<Event>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Event {
    #[prost(message, tag = "1")]
    Snapshot(Snapshot),
    #[prost(message, tag = "3")]
    Changes(Changes),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Snapshot {
    #[prost(bool, tag = "1")]
    first: bool,
    #[prost(message, repeated, tag = "3")]
    connections: Vec<Connection>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Changes {
    #[prost(message, repeated, tag = "3")]
    connections: Vec<Connection>,
    #[prost(uint64, repeated, tag = "4")]
    removed: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Connection {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    revision: u64,
    #[prost(message, optional, tag = "16")]
    last_seen: Option<Timestamp>,
}
