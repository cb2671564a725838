//! What all streams of the API share: they are counted, limited in number, made message by message as the
//! client takes them, and ended when the daemon stops. Those in a bundle are limited like others, and counted with it
//! as one.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use futures_util::stream::{BoxStream, StreamExt as _, unfold};
use tokio::sync::watch;
use tonic::Status;

/// Streams that may be open at a time.
const MAX_STREAMS: u32 = 1_024;

/// Makes the messages of a stream.
pub(super) trait Source: Send + 'static {
    /// What it makes.
    type Message: Send + 'static;

    /// Waits until there is something to say, and says it; `None` ends the stream.
    fn next(&mut self) -> impl Future<Output = Option<Self::Message>> + Send;
}

/// All open streams.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    open: Arc<AtomicU32>,
    /// Of those, how many are in bundles.
    bundled: Arc<AtomicU32>,
    /// Whether the streams to come are in a bundle.
    in_bundle: bool,
    stopped: watch::Receiver<bool>,
}

impl Streams {
    /// No streams; those to come end when `stopped` becomes true.
    pub(super) fn new(stopped: watch::Receiver<bool>) -> Self {
        Self {
            open: Arc::default(),
            bundled: Arc::default(),
            in_bundle: false,
            stopped,
        }
    }

    /// The same, for streams in a bundle.
    pub(super) fn in_bundle(&self) -> Self {
        Self {
            in_bundle: true,
            ..self.clone()
        }
    }

    /// How many are open towards clients; a bundle is one.
    pub(super) fn count(&self) -> u32 {
        let bundled = self.bundled.load(Ordering::Relaxed);
        self.open.load(Ordering::Relaxed).saturating_sub(bundled)
    }

    /// Counts one more stream, unless there are too many.
    pub(super) fn open(&self) -> Result<OpenStream, Status> {
        let more = |open| (open < MAX_STREAMS).then_some(open + 1);
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .map_err(|open| {
                Status::resource_exhausted(format!("{open} streams are open, no more are allowed"))
            })?;
        if self.in_bundle {
            self.bundled.fetch_add(1, Ordering::Relaxed);
        }
        Ok(OpenStream {
            open: Arc::clone(&self.open),
            bundled: self.in_bundle.then(|| Arc::clone(&self.bundled)),
            stopped: self.stopped.clone(),
        })
    }
}

/// A place among the open streams, freed when it is dropped.
#[derive(Debug)]
pub(super) struct OpenStream {
    open: Arc<AtomicU32>,
    /// Where it is in a bundle: how many are.
    bundled: Option<Arc<AtomicU32>>,
    stopped: watch::Receiver<bool>,
}

impl OpenStream {
    /// The stream of what `source` makes. A message is made when the transport asks for one, not before.
    pub(super) fn run<S: Source>(self, source: S) -> BoxStream<'static, Result<S::Message, Status>> {
        let step = |state: Option<(Self, S)>| async move {
            let (mut open, mut source) = state?;
            tokio::select! {
                biased;
                () = open.stopped() => Some((Err(Status::unavailable("the daemon stops")), None)),
                message = source.next() => Some((Ok(message?), Some((open, source)))),
            }
        };
        unfold(Some((self, source)), step).boxed()
    }

    async fn stopped(&mut self) {
        // A sender that is gone has stopped as well.
        self.stopped.wait_for(|stopped| *stopped).await.ok();
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        if let Some(bundled) = &self.bundled {
            bundled.fetch_sub(1, Ordering::Relaxed);
        }
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}
