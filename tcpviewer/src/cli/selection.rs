//! Options that say which connections are wanted, checked before the daemon is asked: what is wrong with them is
//! shown under the text.

use std::sync::Arc;

use clap::Args;

use crate::{
    filter::{Filter, FilterError, Order},
    model::{Connection, Packet},
};

/// Which connections are wanted, and in which order.
#[derive(Args, Clone, Debug, Default)]
pub struct SelectionArgs {
    /// Only connections for which this holds, such as `port == 443 and rtt > 50ms`; see `tcpviewer filter`.
    #[arg(long, value_name = "EXPR", value_parser = filter_text)]
    pub filter: Option<String>,
    /// A field, with ` desc` behind it where the largest comes first: which --limit keeps.
    #[arg(long, value_name = "FIELD", value_parser = order_text, requires = "limit")]
    pub order_by: Option<String>,
    /// Only so many, the first in the order.
    #[arg(long, value_name = "NUMBER", requires = "order_by", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: Option<u32>,
}

/// A filter of connections.
pub(super) fn connection_filter(text: &str) -> Result<Arc<Filter<Connection>>, String> {
    let filter = Filter::parse(text).map_err(|error| with_pointer(&error, text))?;
    Ok(Arc::new(filter))
}

/// A text that is a filter of connections.
pub(super) fn filter_text(text: &str) -> Result<String, String> {
    connection_filter(text).map(|_filter| text.to_owned())
}

/// A text that is a filter of packets.
pub(super) fn packet_filter(text: &str) -> Result<String, String> {
    Filter::<Packet>::parse(text)
        .map(|_filter| text.to_owned())
        .map_err(|error| with_pointer(&error, text))
}

/// A text that is an order of connections.
fn order_text(text: &str) -> Result<String, String> {
    let order = Order::<Connection>::parse(text);
    order
        .map(|_order| text.to_owned())
        .map_err(|error| with_pointer(&error, text))
}

/// What is wrong with a text, and where.
pub(super) fn with_pointer(error: &FilterError, text: &str) -> String {
    format!("{error}\n\n{}", error.pointer(text))
}
