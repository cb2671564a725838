//! The stream of one connection in detail. In: a request, the published table and the history. Out: the connection with
//! its past, then what is new, and a last word when it leaves the list.

use std::{sync::Arc, time::Duration};

use futures_util::stream::BoxStream;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use tonic::Status;

use super::{
    connections::not_listed,
    convert,
    streams::{Source, Streams},
};
use crate::{
    history::{History, WatchError, Watcher},
    proto::{WatchConnectionRequest, WatchConnectionResponse},
    publish::Board,
};

/// Time between two messages.
const GAP: Duration = Duration::from_millis(20);
/// A quiet stream shows this often that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// `WatchConnection`.
pub(super) fn watch(
    board: &Arc<Board>,
    history: &Arc<History>,
    streams: &Streams,
    request: &WatchConnectionRequest,
) -> Result<BoxStream<'static, Result<WatchConnectionResponse, Status>>, Status> {
    let open = streams.open()?;
    let listed = board.get(request.id).ok_or_else(|| not_listed(request.id))?;
    let watcher = history.watch(&listed.connection()).map_err(|error| match error {
        WatchError::NotListed(_) => Status::not_found(error.to_string()),
        WatchError::TooMany => Status::resource_exhausted(error.to_string()),
    })?;
    Ok(open.run(Detail {
        board: Arc::clone(board),
        newest: board.subscribe(),
        watcher,
        id: request.id,
        stage: Stage::First,
        revision: 0,
        missed_packets: 0,
        not_before: Instant::now(),
    }))
}

/// The messages of one `WatchConnection`.
struct Detail {
    board: Arc<Board>,
    /// Wakes when the table has changed; the history knew before.
    newest: watch::Receiver<u64>,
    watcher: Watcher,
    id: u64,
    stage: Stage,
    /// Of the form that was sent last.
    revision: u64,
    missed_packets: u64,
    not_before: Instant,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    First,
    Following,
    Ended,
}

impl Source for Detail {
    type Message = WatchConnectionResponse;

    async fn next(&mut self) -> Option<WatchConnectionResponse> {
        let sign_of_life = Instant::now() + SIGN_OF_LIFE;
        sleep_until(self.not_before).await;
        self.not_before = Instant::now() + GAP;
        loop {
            if self.stage == Stage::Ended {
                return None;
            }
            // Before the look, so that no change falls between it and the wait.
            self.newest.borrow_and_update();
            match self.news() {
                None => {
                    self.stage = Stage::Ended;
                    return Some(WatchConnectionResponse {
                        missed_packets: self.missed_packets,
                        gone: true,
                        ..Default::default()
                    });
                }
                Some(news) if self.stage == Stage::First || is_news(&news) => {
                    self.stage = Stage::Following;
                    return Some(news);
                }
                Some(_nothing) => {}
            }
            match timeout_at(sign_of_life, self.newest.changed()).await {
                Ok(Ok(())) => {}
                // The board is gone, which this stream holds.
                Ok(Err(_gone)) => return None,
                Err(_quiet) => {
                    return Some(WatchConnectionResponse {
                        missed_packets: self.missed_packets,
                        ..Default::default()
                    });
                }
            }
        }
    }
}

fn is_news(message: &WatchConnectionResponse) -> bool {
    message.connection.is_some() || !message.points.is_empty() || !message.packets.is_empty()
}

impl Detail {
    /// What is new; `None` when the connection is no longer listed.
    fn news(&mut self) -> Option<WatchConnectionResponse> {
        let news = self.watcher.news()?;
        self.missed_packets = news.missed_packets;
        // It may have left the list before anything was known of its past.
        let listed = self.board.get(self.id)?;
        let listed = Some(listed).filter(|listed| listed.revision() > self.revision);
        if let Some(listed) = &listed {
            self.revision = listed.revision();
        }
        Some(WatchConnectionResponse {
            connection: listed.map(|listed| convert::connection(&listed.connection())),
            points: news.points.into_iter().map(convert::point).collect(),
            packets: news.packets.into_iter().map(convert::notable_packet).collect(),
            missed_packets: news.missed_packets,
            gone: false,
        })
    }
}
