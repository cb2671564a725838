//! Answers that end when their reader loses his right to them: a stream may be open for months. In: an answer, and
//! what it was given for. Out: the same answer, ended with the refusal once the access file no longer covers it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};

use axum::body::{Body, Bytes};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{sync::watch, time::timeout};
use tonic::Status;

use super::access::{Access, Peer, Refusal};

/// The clock may be set while a stream is open.
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

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
        let now = SystemTime::now();
        let decided = rules.borrow_and_update().decide(peer, headers, path, now);
        let until = match decided {
            Ok(identity) => identity.until,
            Err(refusal) => return refusal,
        };
        let change = match until {
            // Looks again in any case.
            Some(until) => timeout(pause(now, until), rules.changed())
                .await
                .unwrap_or(Ok(())),
            None => rules.changed().await,
        };
        if change.is_err() {
            // The daemon stops: that ends the stream in its own way.
            return std::future::pending().await;
        }
    }
}

/// Time to the moment at which a right ends, or until the clock is to be looked at again.
fn pause(now: SystemTime, until: SystemTime) -> Duration {
    let left = until.duration_since(now).unwrap_or_default();
    left.min(CLOCK_INTERVAL)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_looked_at_when_a_right_ends_and_once_a_minute() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        for (left, expected) in [(0, 0), (5, 5), (60, 60), (61, 60), (1_000_000, 60)] {
            let until = now + Duration::from_secs(left);
            assert_eq!(pause(now, until), Duration::from_secs(expected), "{left}");
        }
        assert_eq!(pause(now, now - Duration::from_secs(5)), Duration::ZERO);
    }
}
