//! Several streams in one. In: a request with the streams to begin with, and changes to them by the name of the bundle.
//! Out: the messages of all of them, each with the number that the client gave its stream. What a stream says is the
//! matter of the file that makes it; how many there are, of `streams`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::ready,
    stream::{BoxStream, StreamExt as _, once},
};
use rustix::rand::{GetRandomFlags, getrandom};
use tokio::sync::mpsc;
use tokio_stream::StreamMap;
use tonic::Status;

use super::{
    detail, stats,
    status::StatusReporter,
    streamed::{Bundled, WatchBundleResponse},
    streams::{Source, Streams},
    watch::Watches,
};
use crate::{
    history::History,
    proto::{
        BundledEnd, BundledRequest, ChangeBundleRequest, ChangeBundleResponse, WatchBundleRequest,
        bundled_request::Request,
    },
    publish::Board,
};

/// Streams in one bundle.
const MAX_BUNDLED: usize = 64;
/// Changes that a bundle has not taken in yet: it does so before it says anything, so more are those of a client that
/// does not read.
const MAX_CHANGES: usize = 64;
/// Bytes of a name: nobody guesses it.
const NAME_BYTES: usize = 16;

/// All open bundles, and what their streams are made of.
#[derive(Debug)]
pub(super) struct Bundles {
    makers: Makers,
    streams: Streams,
    open: Arc<Mutex<HashMap<String, mpsc::Sender<ChangeBundleRequest>>>>,
}

/// What streams in a bundle are made of.
#[derive(Clone, Debug)]
struct Makers {
    watches: Arc<Watches>,
    board: Arc<Board>,
    history: Arc<History>,
    status: Arc<StatusReporter>,
    /// Those in bundles.
    streams: Streams,
}

impl Bundles {
    /// No bundles.
    pub(super) fn new(
        watches: &Arc<Watches>,
        board: &Arc<Board>,
        history: &Arc<History>,
        status: &Arc<StatusReporter>,
        streams: &Streams,
    ) -> Self {
        Self {
            makers: Makers {
                watches: Arc::clone(watches),
                board: Arc::clone(board),
                history: Arc::clone(history),
                status: Arc::clone(status),
                streams: streams.in_bundle(),
            },
            streams: streams.clone(),
            open: Arc::default(),
        }
    }

    /// `WatchBundle`.
    pub(super) fn watch(
        &self,
        request: WatchBundleRequest,
    ) -> Result<BoxStream<'static, Result<WatchBundleResponse, Status>>, Status> {
        let stream = self.streams.open()?;
        let name = name()?;
        let (sender, changes) = mpsc::channel(MAX_CHANGES);
        let mut bundle = Bundle {
            makers: self.makers.clone(),
            parts: StreamMap::new(),
            changes,
            is_opened: false,
            place: Place {
                open: Arc::clone(&self.open),
                name: name.clone(),
            },
        };
        for start in request.start {
            bundle.start(start);
        }
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, sender);
        Ok(stream.run(bundle))
    }

    /// `ChangeBundle`.
    pub(super) fn change(&self, request: ChangeBundleRequest) -> Result<ChangeBundleResponse, Status> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let bundle = open
            .get(&request.name)
            .ok_or_else(|| Status::not_found("a bundle of this name is not open"))?;
        bundle.try_send(request).map_err(|_full_or_gone| {
            Status::resource_exhausted(format!(
                "{MAX_CHANGES} changes wait for the bundle's reader, no more are taken"
            ))
        })?;
        Ok(ChangeBundleResponse {})
    }
}

fn name() -> Result<String, Status> {
    let mut bytes = [0; NAME_BYTES];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(NAME_BYTES) => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        Ok(_) | Err(_) => Err(Status::internal("the system has no random numbers for a name")),
    }
}

/// One bundle.
struct Bundle {
    makers: Makers,
    parts: StreamMap<u32, BoxStream<'static, Bundled>>,
    changes: mpsc::Receiver<ChangeBundleRequest>,
    /// Whether the client knows the name.
    is_opened: bool,
    place: Place,
}

impl Source for Bundle {
    type Message = WatchBundleResponse;

    async fn next(&mut self) -> Option<WatchBundleResponse> {
        if !std::mem::replace(&mut self.is_opened, true) {
            return Some(WatchBundleResponse {
                number: 0,
                message: Some(Bundled::Opened(self.place.name.clone())),
            });
        }
        loop {
            tokio::select! {
                biased;
                // It ends only when this bundle has left the open ones.
                change = self.changes.recv() => self.change(change?),
                Some((number, message)) = self.parts.next() => {
                    return Some(WatchBundleResponse { number, message: Some(message) });
                }
            }
        }
    }
}

impl Bundle {
    fn change(&mut self, change: ChangeBundleRequest) {
        for number in change.stop {
            // What has ended by itself is gone already.
            drop(self.parts.remove(&number));
        }
        for start in change.start {
            self.start(start);
        }
    }

    /// One more stream; of one that is refused, its end.
    fn start(&mut self, BundledRequest { number, request }: BundledRequest) {
        drop(self.parts.remove(&number));
        let part = if self.parts.len() < MAX_BUNDLED {
            self.makers.part(request)
        } else {
            Err(Status::resource_exhausted(format!(
                "{MAX_BUNDLED} streams are in the bundle, no more are allowed"
            )))
        };
        let part = part.unwrap_or_else(|refused| once(ready(end(&refused))).boxed());
        self.parts.insert(number, part);
    }
}

impl Makers {
    /// A stream as its own call would make it, and its end.
    fn part(&self, request: Option<Request>) -> Result<BoxStream<'static, Bundled>, Status> {
        let streams = &self.streams;
        match request {
            Some(Request::Connections(request)) => self
                .watches
                .watch(streams, &request)
                .map(|stream| bundled(stream, Bundled::Connections)),
            Some(Request::Connection(request)) => {
                detail::watch(&self.board, &self.history, streams, &request)
                    .map(|stream| bundled(stream, |said| Bundled::Connection(Box::new(said))))
            }
            Some(Request::Stats(request)) => stats::watch(&self.board, &self.status, streams, &request)
                .map(|stream| bundled(stream, Bundled::Stats)),
            None => Err(Status::invalid_argument("request: nothing is asked for")),
        }
    }
}

fn bundled<T: Send + 'static>(
    stream: BoxStream<'static, Result<T, Status>>,
    as_message: fn(T) -> Bundled,
) -> BoxStream<'static, Bundled> {
    stream
        .map(Some)
        .chain(ready(None).into_stream())
        .scan(false, move |has_failed, said| {
            let message = match said {
                _ if *has_failed => None,
                Some(Ok(message)) => Some(as_message(message)),
                Some(Err(status)) => {
                    *has_failed = true;
                    Some(end(&status))
                }
                None => Some(Bundled::End(BundledEnd::default())),
            };
            ready(message)
        })
        .boxed()
}

fn end(status: &Status) -> Bundled {
    Bundled::End(BundledEnd {
        code: status.code().into(),
        message: status.message().to_owned(),
    })
}

/// A place among the open bundles, freed when it is dropped.
struct Place {
    open: Arc<Mutex<HashMap<String, mpsc::Sender<ChangeBundleRequest>>>>,
    name: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.name);
    }
}
