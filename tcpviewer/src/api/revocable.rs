//! Answers that end when their reader loses his right to them: a stream may be open for months. In: an answer, and
//! what it was given for. Out: the same answer, ended with the refusal once the access file no longer covers it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::body::{Body, Bytes};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::watch;
use tonic::Status;

use super::access::{Access, Peer, Refusal};

/// What an answer was given for.
#[derive(Clone, Debug)]
pub(super) struct Grounds {
    /// Who asked.
    pub(super) peer: Peer,
    /// What was shown.
    pub(super) headers: HeaderMap,
    /// What was asked for.
    pub(super) path: String,
}

/// The body, for as long as the rules allow it.
pub(super) fn while_allowed(
    body: Body,
    grounds: Grounds,
    rules: watch::Receiver<Arc<Access>>,
    refused: fn(Refusal) -> Status,
) -> Body {
    let revoked = Box::pin(async move { refused(revoked(grounds, rules).await) });
    Body::new(Revocable {
        body,
        revoked: Some(revoked),
    })
}

async fn revoked(grounds: Grounds, mut rules: watch::Receiver<Arc<Access>>) -> Refusal {
    let Grounds { peer, headers, path } = &grounds;
    loop {
        let decided = rules.borrow_and_update().decide(peer, headers, path);
        if let Err(refusal) = decided {
            return refusal;
        }
        if rules.changed().await.is_err() {
            // The daemon stops: that ends the stream in its own way.
            return std::future::pending().await;
        }
    }
}

struct Revocable {
    body: Body,
    /// `None` once it was.
    revoked: Option<Pin<Box<dyn Future<Output = Status> + Send>>>,
}

impl HttpBody for Revocable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(revoked) = &mut self.revoked else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(status) = revoked.as_mut().poll(context) {
            self.revoked = None;
            self.body = Body::empty();
            let mut trailers = HeaderMap::new();
            return Poll::Ready(Some(match status.add_header(&mut trailers) {
                Ok(()) => Ok(Frame::trailers(trailers)),
                Err(status) => Err(axum::Error::new(status)),
            }));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.revoked.is_none() || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
