//! The calls about connections that are answered at once: list and get. In: requests and the published table. Out:
//! messages, or the code that says what is wrong with a request.

use std::{sync::Arc, time::SystemTime};

use tokio::task::yield_now;
use tonic::Status;

use super::{convert, selection};
use crate::{
    filter::Filter,
    model::{Connection, Listed},
    proto::{GetConnectionRequest, GetConnectionResponse, ListConnectionsRequest, ListConnectionsResponse},
    publish::{Board, Top, first_of},
};

/// Connections of a page when the request does not say.
const DEFAULT_PAGE_SIZE: u32 = 1_000;
/// Connections of a page at most.
const MAX_PAGE_SIZE: u32 = 10_000;
/// Connections that a list looks at in one go, before others get their turn.
const CHUNK: usize = 512;

/// `ListConnections`.
pub(super) async fn list(
    board: &Arc<Board>,
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
    let filter = selection::filter(&request.filter)?;
    let (page, next_page_token) = match selection::order(&request.order_by)? {
        Some(_order) if !request.page_token.is_empty() => {
            return Err(Status::invalid_argument(
                "page_token: with order_by there is one page only, of at most page_size connections",
            ));
        }
        Some(order) => {
            let limit = page_size as usize;
            let top = Top {
                order,
                offset: 0,
                limit,
            };
            let first = first_of(board, filter, &top, SystemTime::now()).await;
            (first.map_err(selection::refused)?, String::new())
        }
        None => {
            let after = after_page(board, &request.page_token)?;
            let (page, last) = page(board, after, page_size as usize, filter).await;
            (
                page,
                last.map_or_else(String::new, |last| page_token(board, last)),
            )
        }
    };
    let connections = page
        .iter()
        .map(|listed| convert::connection(&listed.connection()))
        .collect();
    Ok(ListConnectionsResponse {
        connections,
        next_page_token,
    })
}

/// A page by rising id, and the last id that it covers if there may be more.
async fn page(
    board: &Board,
    mut after: Option<u64>,
    page_size: usize,
    filter: Option<Filter<Connection>>,
) -> (Vec<Arc<dyn Listed>>, Option<u64>) {
    let now = SystemTime::now();
    let Some(filter) = filter else {
        let (page, more) = board.page(after, page_size);
        let last = page.last().map(|last| last.id()).filter(|_last| more);
        return (page, last);
    };
    let mut page = Vec::new();
    loop {
        let (chunk, more) = board.page(after, CHUNK);
        after = chunk.last().map(|last| last.id());
        for connection in chunk {
            if !filter.admits(&*connection, now) {
                continue;
            }
            let id = connection.id();
            page.push(connection);
            if page.len() == page_size {
                let last = (more || after != Some(id)).then_some(id);
                return (page, last);
            }
        }
        if !more {
            return (page, None);
        }
        yield_now().await;
    }
}

/// `GetConnection`.
pub(super) fn get(board: &Board, request: &GetConnectionRequest) -> Result<GetConnectionResponse, Status> {
    let listed = board.get(request.id).ok_or_else(|| not_listed(request.id))?;
    Ok(GetConnectionResponse {
        connection: Some(convert::connection(&listed.connection())),
    })
}

/// The answer about a connection that is not listed.
pub(super) fn not_listed(id: u64) -> Status {
    Status::not_found(format!("connection {id} is not listed"))
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
