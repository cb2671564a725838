//! A connection as it goes from the table to its readers: whichever way it is kept, it can be looked at as a whole.

use std::{borrow::Cow, fmt::Debug};

use super::Connection;

/// A form of a connection that was published. One that rests may be kept in less memory than a [`Connection`] takes, so
/// looking at it is some work: look once.
pub trait Listed: Debug + Send + Sync {
    /// [`Connection::id`].
    fn id(&self) -> u64;

    /// [`Connection::revision`].
    fn revision(&self) -> u64;

    /// Whether it has ended.
    fn has_ended(&self) -> bool;

    /// The connection.
    fn connection(&self) -> Cow<'_, Connection>;
}

impl Listed for Connection {
    fn id(&self) -> u64 {
        self.id
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn has_ended(&self) -> bool {
        self.closed.is_some()
    }

    fn connection(&self) -> Cow<'_, Connection> {
        Cow::Borrowed(self)
    }
}
