//! Readers that want a part of the table: what passes a filter, the first of an order, or both. In: the table's
//! changes, and its orders. Out: the events of a cursor, in which a connection that no longer belongs to the part is
//! removed like one that is no longer listed.

mod matching;

mod first;

use std::{sync::Arc, time::SystemTime};

pub use self::first::first_of;
use self::{first::First, matching::Matching};
use super::{
    connections::{Board, Cursor, Event, ResumePoint, RevisionAhead},
    ranking::MAX_ORDERS,
};
use crate::{
    filter::{Filter, Order},
    model::Connection,
};

/// The part of the table that a reader wants.
#[derive(Debug, Default)]
pub struct Selection {
    /// What has to hold for a connection.
    pub filter: Option<Filter<Connection>>,
    /// Only the first of an order.
    pub top: Option<Top>,
}

/// The first of an order.
#[derive(Debug)]
pub struct Top {
    /// The order; among equals, the lower id comes first.
    pub order: Order<Connection>,
    /// How many are passed over.
    pub offset: usize,
    /// How many.
    pub limit: usize,
}

/// Why a part of the table cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// The reader cannot hold what he says that he holds.
    #[error(transparent)]
    Ahead(#[from] RevisionAhead),
    /// Too many other orders are wanted.
    #[error("{MAX_ORDERS} different orders are being read, no more are allowed")]
    TooManyOrders,
}

/// What a reader gets when it asks.
#[derive(Debug)]
pub enum Step {
    /// An event.
    Event(Event),
    /// Nothing yet: ask again, after others had their turn.
    Busy,
    /// The reader has everything.
    Done,
}

/// A reader of the table or of a part of it.
#[derive(Debug)]
pub struct Reader(Kind);

#[derive(Debug)]
enum Kind {
    All(Cursor),
    Matching(Matching),
    First(Box<First>),
}

impl Reader {
    /// A new reader: from `resume` if that place is still known and the reader wants all, else from a snapshot.
    pub fn new(
        board: &Arc<Board>,
        selection: Selection,
        resume: Option<ResumePoint>,
    ) -> Result<Self, SelectionError> {
        let Selection { filter, top } = selection;
        Ok(Self(match (filter, top) {
            (None, None) => Kind::All(board.cursor(resume)?),
            (Some(filter), None) => Kind::Matching(Matching::new(board, filter, resume)?),
            (filter, Some(top)) => {
                let reason = board.snapshot_reason(resume)?;
                Kind::First(Box::new(First::new(board, filter, &top, reason)?))
            }
        }))
    }

    /// The next event with at most `limit` connections (at least 1).
    pub fn next(&mut self, limit: usize, now: SystemTime) -> Step {
        let limit = limit.max(1);
        match &mut self.0 {
            Kind::All(cursor) => cursor.next(limit).map_or(Step::Done, Step::Event),
            Kind::Matching(matching) => matching.next(limit, now),
            Kind::First(first) => first.next(limit, now),
        }
    }

    /// Waits until there may be something for [`Reader::next`].
    pub async fn changed(&mut self) {
        match &mut self.0 {
            Kind::All(cursor) => cursor.changed().await,
            Kind::Matching(matching) => matching.changed().await,
            Kind::First(first) => first.changed().await,
        }
    }

    /// The revision that the reader holds, or will hold at the end of its snapshot.
    pub fn revision(&self) -> u64 {
        match &self.0 {
            Kind::All(cursor) => cursor.revision(),
            Kind::Matching(matching) => matching.revision(),
            Kind::First(first) => first.revision(),
        }
    }
}

#[cfg(test)]
mod tests;
