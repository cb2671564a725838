//! One subscriber: reads its stream as fast as it comes and notes how late each form was.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::uri::PathAndQuery;
use tcpviewer::proto::WatchConnectionsRequest;
use tokio::time::timeout;
use tonic::{Request, Streaming, client::Grpc, transport::Channel};

use crate::{
    Args,
    lateness::Lateness,
    message::{self, AsTheyCome, Form, News},
};

const METHOD: &str = "/tcpviewer.v1.TcpViewerService/WatchConnections";
/// A stream says something more often than this.
const SILENCE: Duration = Duration::from_secs(30);

/// What a reader saw.
pub(crate) struct Reader {
    pub(crate) request: WatchConnectionsRequest,
    /// Every connection changes once per this time.
    period: Duration,
    /// Whether there are rounds in which a connection does not change.
    rests: bool,
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
    pub(crate) fn new(request: WatchConnectionsRequest, args: &Args) -> Self {
        Self {
            request,
            period: args.period(),
            rests: args.changing() < args.connections,
            held: Forms::default(),
            lateness: Lateness::new(),
            messages: 0,
        }
    }

    /// Opens the stream.
    pub(crate) async fn open(&self, channel: Channel) -> Result<Streaming<Bytes>> {
        let mut client = Grpc::new(channel).max_decoding_message_size(64 << 20);
        client.ready().await.context("connect")?;
        let request = Request::new(self.request.clone());
        let answer = client
            .server_streaming(request, PathAndQuery::from_static(METHOD), AsTheyCome)
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
            let message = message.context("a stream ended")?;
            self.take(&message, recording.load(Ordering::Relaxed))?;
            self.messages += 1;
        }
        Ok(self)
    }

    fn take(&mut self, message: &[u8], recording: bool) -> Result<()> {
        let now = SystemTime::now();
        message::read(message, &mut |news| {
            match news {
                News::Begin => self.held.clear(),
                News::Form(form) => return self.hold(&form, now, recording),
                News::Removed(id) => _ = self.held.replace(id, None),
            }
            Ok(())
        })
    }

    fn hold(&mut self, form: &Form, now: SystemTime, recording: bool) -> Result<()> {
        let due = form.last_seen.context("a form without a time")?;
        let new = Held {
            revision: form.revision,
            due,
        };
        let before = self.held.replace(form.id, Some(new));
        if let Some(before) = before {
            ensure!(before.revision < new.revision, "an old form after a newer one");
        }
        if !recording {
            return Ok(());
        }
        // Of the rounds that this form makes up for, the first.
        let first_due = match before {
            Some(before) if before.due < due => before.due + self.period,
            Some(_) => return Ok(()),
            None if self.is_brought_in(form) => return Ok(()),
            None => due,
        };
        let late = now.duration_since(first_due.min(due)).unwrap_or_default();
        self.lateness.record(late.as_secs_f64() * 1_000.0);
        Ok(())
    }

    /// Whether a form that was not held may be of any age: time alone can bring it in, and what has closed, or does not
    /// change at the time, comes into the first of an order by the change of others.
    fn is_brought_in(&self, form: &Form) -> bool {
        let WatchConnectionsRequest { filter, limit, .. } = &self.request;
        filter.contains("age") || filter.contains("idle") || (*limit > 0 && (form.is_closed || self.rests))
    }
}
