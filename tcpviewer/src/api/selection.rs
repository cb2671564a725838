//! What a request asks for of the table or the packets: its filter, order and limit as checked values, or the
//! answer that says which of them is wrong, where, and what was expected.

use tonic::Status;

use crate::{
    filter::{Filter, FilterError, Order, Subject},
    model::Connection,
    proto::WatchConnectionsRequest,
    publish::{Selection, SelectionError, Top},
};

/// Connections that a stream keeps up to date in an order, at most.
const MAX_LIMIT: u32 = 10_000;

/// The part of the table that a stream wants.
pub(super) fn selection(request: &WatchConnectionsRequest) -> Result<Selection, Status> {
    let filter = filter(&request.filter)?;
    let WatchConnectionsRequest { limit, offset, .. } = *request;
    if limit == 0 && offset != 0 {
        return Err(Status::invalid_argument(
            "offset goes with limit, which says how many of those behind it are wanted",
        ));
    }
    let top = match (order(&request.order_by)?, limit) {
        (None, 0) => None,
        (Some(_order), 0) => {
            return Err(Status::invalid_argument(
                "order_by goes with limit: changes come in no order, the client sorts what it holds",
            ));
        }
        (None, _) => {
            return Err(Status::invalid_argument(
                "limit goes with order_by, such as `rate desc`, which says what comes first",
            ));
        }
        (Some(_order), limit) if limit > MAX_LIMIT => {
            let problem = format!("limit {limit} is above the limit of {MAX_LIMIT}");
            return Err(Status::invalid_argument(problem));
        }
        (Some(order), limit) => Some(Top {
            order,
            offset: offset as usize,
            limit: limit as usize,
        }),
    };
    Ok(Selection { filter, top })
}

/// The answer to a request for a part that cannot be read.
pub(super) fn refused(error: SelectionError) -> Status {
    match error {
        SelectionError::Ahead(ahead) => Status::invalid_argument(format!("resume.revision: {ahead}")),
        SelectionError::TooManyOrders => Status::resource_exhausted(error.to_string()),
    }
}

/// The filter, if there is one.
pub(super) fn filter<T: Subject>(text: &str) -> Result<Option<Filter<T>>, Status> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Filter::parse(text)
        .map(Some)
        .map_err(|error| wrong("filter", &error))
}

/// The order, if there is one.
pub(super) fn order(text: &str) -> Result<Option<Order<Connection>>, Status> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    Order::parse(text)
        .map(Some)
        .map_err(|error| wrong("order_by", &error))
}

fn wrong(field: &str, error: &FilterError) -> Status {
    Status::invalid_argument(format!("{field}: {error}"))
}
