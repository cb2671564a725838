//! The calls about connections: list, get, and the stream of the table and its changes. In: requests and the
//! published table. Out: messages, or the code that says what is wrong with a request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::stream::BoxStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::Status;

use super::{
    convert,
    streams::{Source, Streams},
};
use crate::{
    proto::{
        GetConnectionRequest, GetConnectionResponse, ListConnectionsRequest, ListConnectionsResponse,
        WatchConnectionsRequest, WatchConnectionsResponse,
    },
    publish::{Board, Cursor, Event, ResumePoint},
};

/// Connections of a page when the request does not say.
const DEFAULT_PAGE_SIZE: u32 = 1_000;
/// Connections of a page at most.
const MAX_PAGE_SIZE: u32 = 10_000;
/// Connections in one message of a stream: some 200 KiB.
const BATCH: usize = 500;
/// Time between two messages with changes, unless one did not hold them all.
const GAP: Duration = Duration::from_millis(20);
/// A quiet stream shows this often that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// `ListConnections`.
pub(super) fn list(
    board: &Board,
    request: &ListConnectionsRequest,
) -> Result<ListConnectionsResponse, Status> {
    let page_size = match request.page_size {
        0 => DEFAULT_PAGE_SIZE,
        size if size > MAX_PAGE_SIZE => {
            let problem = format!("page_size {size} is above the limit of {MAX_PAGE_SIZE}");
            return Err(Status::invalid_argument(problem));
        }
        size => size,
    };
    let after = after_page(board, &request.page_token)?;
    let (page, more) = board.page(after, page_size as usize);
    let next_page_token = match page.last() {
        Some(last) if more => page_token(board, last.id),
        Some(_) | None => String::new(),
    };
    let connections = page
        .iter()
        .map(|connection| convert::connection(connection))
        .collect();
    Ok(ListConnectionsResponse {
        connections,
        next_page_token,
    })
}

/// `GetConnection`.
pub(super) fn get(board: &Board, request: &GetConnectionRequest) -> Result<GetConnectionResponse, Status> {
    let connection = board.get(request.id).ok_or_else(|| not_listed(request.id))?;
    Ok(GetConnectionResponse {
        connection: Some(convert::connection(&connection)),
    })
}

/// The answer about a connection that is not listed.
pub(super) fn not_listed(id: u64) -> Status {
    Status::not_found(format!("connection {id} is not listed"))
}

/// `WatchConnections`.
pub(super) fn watch(
    board: &Arc<Board>,
    streams: &Streams,
    request: &WatchConnectionsRequest,
) -> Result<BoxStream<'static, Result<WatchConnectionsResponse, Status>>, Status> {
    let resume = request.resume.map(|point| ResumePoint {
        instance: point.instance,
        revision: point.revision,
    });
    let cursor = board
        .cursor(resume)
        .map_err(|ahead| Status::invalid_argument(format!("resume.revision: {ahead}")))?;
    let source = Changes {
        instance: board.instance(),
        cursor,
        not_before: Instant::now(),
    };
    Ok(streams.open()?.run(source))
}

/// A page token is the run and the last id of the page before, in hexadecimal.
fn page_token(board: &Board, last: u64) -> String {
    format!("{:x}-{last:x}", board.instance())
}

fn after_page(board: &Board, token: &str) -> Result<Option<u64>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    let parts = token
        .split_once('-')
        .and_then(|(instance, last)| number(instance).zip(number(last)));
    match parts {
        Some((instance, last)) if instance == board.instance() => Ok(Some(last)),
        Some(_) => Err(Status::invalid_argument(
            "page_token is of another run of the daemon",
        )),
        None => Err(Status::invalid_argument(format!(
            "page_token {token:?} did not come from this service"
        ))),
    }
}

/// The messages of one `WatchConnections`.
struct Changes {
    instance: u64,
    cursor: Cursor,
    not_before: Instant,
}

impl Source for Changes {
    type Message = WatchConnectionsResponse;

    async fn next(&mut self) -> WatchConnectionsResponse {
        let sign_of_life = Instant::now() + SIGN_OF_LIFE;
        sleep_until(self.not_before).await;
        loop {
            if let Some(event) = self.cursor.next(BATCH) {
                if matches!(event, Event::Changes { more: false, .. }) {
                    self.not_before = Instant::now() + GAP;
                }
                return convert::event(self.instance, event, SystemTime::now());
            }
            if timeout_at(sign_of_life, self.cursor.changed()).await.is_err() {
                let revision = self.cursor.revision();
                let nothing = Event::Changes {
                    revision,
                    connections: vec![],
                    removed: vec![],
                    more: false,
                };
                return convert::event(self.instance, nothing, SystemTime::now());
            }
        }
    }
}
