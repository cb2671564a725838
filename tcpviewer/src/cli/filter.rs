//! `tcpviewer filter`: how a filter is read, and which fields there are. Asks no daemon.

use std::io::Write as _;

use clap::{Args, Subcommand, ValueEnum};

use super::{
    client::{ClientError, unless_output_is_closed},
    output::output,
    selection::with_pointer,
};
use crate::{
    filter,
    model::{Connection, Packet},
};

/// Options of `tcpviewer filter`.
#[derive(Args, Clone, Debug)]
pub struct FilterArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: FilterCommand,
}

/// What `tcpviewer filter` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum FilterCommand {
    /// Show how a filter is read and where it runs.
    Explain {
        /// The filter, such as `port == 443 and rtt > 50ms`.
        #[arg(value_name = "EXPR", value_parser = explained)]
        explanation: Explanation,
    },
    /// List the fields that a filter can name.
    Fields {
        /// Of what.
        #[arg(value_name = "OF", value_enum, default_value_t = FieldsOf::Connections)]
        of: FieldsOf,
    },
}

/// How a filter is read.
#[derive(Clone, Debug)]
pub struct Explanation(String);

/// What fields belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FieldsOf {
    /// Of connections.
    Connections,
    /// Of packets.
    Packets,
}

/// Runs `tcpviewer filter`.
pub fn filter(args: FilterArgs) -> Result<(), ClientError> {
    let text = match args.command {
        FilterCommand::Explain { explanation } => explanation.0,
        FilterCommand::Fields {
            of: FieldsOf::Connections,
        } => filter::fields_table::<Connection>(),
        FilterCommand::Fields {
            of: FieldsOf::Packets,
        } => filter::fields_table::<Packet>(),
    };
    unless_output_is_closed(write(&text))
}

fn write(text: &str) -> Result<(), ClientError> {
    let mut output = output();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

fn explained(text: &str) -> Result<Explanation, String> {
    let explanation = filter::explain(text).map_err(|error| with_pointer(&error, text))?;
    Ok(Explanation(explanation))
}
