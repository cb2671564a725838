//! The filter language: one text for the API, the command line and the dashboard that says which connections or
//! packets are wanted, and in which order. In: text. Out: a checked filter that is asked of one connection or
//! packet at a time, or where the text is wrong and what was expected. It knows the model and nothing else.

mod error;
mod syntax;
mod grammar;
mod short;
mod field;
mod connection;
mod packet;
mod value;
mod check;
mod eval;
mod print;
mod order;
mod pushdown;
mod explain;

use std::time::SystemTime;

pub use error::FilterError;
pub use explain::{explain, fields_table};
pub use field::{Field, Subject};
pub use order::{Order, OrderKey};
pub use pushdown::{InHeaders, intersection, of_connection, pushdown, union};

use check::Node;
use error::Wrong;

use crate::model::{Connection, Listed};

/// A filter text is at most this long, bytes.
pub const MAX_TEXT_BYTES: usize = 4096;

/// A filter of connections or packets: parsed, its fields known, its values of the right type.
#[derive(Debug)]
pub struct Filter<T: Subject> {
    root: Node<T>,
}

impl<T: Subject> Filter<T> {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > MAX_TEXT_BYTES {
            let (expected, found) = (
                format!("at most {MAX_TEXT_BYTES} bytes"),
                format!("{}", text.len()),
            );
            return Err(Wrong::at(MAX_TEXT_BYTES..MAX_TEXT_BYTES, expected, found).in_text(text));
        }
        grammar::parse(text)
            .and_then(check::check)
            .map(|root| Self { root })
            .map_err(|wrong| wrong.in_text(text))
    }

    /// Whether the filter lets it pass. `now` is what ages and idle times are measured to.
    pub fn matches(&self, subject: &T, now: SystemTime) -> bool {
        eval::holds(&self.root, subject, now)
    }

    /// Whether the answer may change by the passing of time alone.
    pub fn depends_on_time(&self) -> bool {
        self.root.depends_on_time()
    }
}

impl Filter<Connection> {
    /// Whether the filter lets this connection pass. One that rests has to be unpacked for that, so its number is looked at
    /// first.
    pub fn admits(&self, listed: &dyn Listed, now: SystemTime) -> bool {
        eval::may_hold(&self.root, listed.id()) && self.matches(&listed.connection(), now)
    }
}

#[cfg(test)]
mod tests;
