//! `tcpviewer show ID`: all that is known of one connection, and with --follow its past and what becomes of it.

mod follow;

use std::{
    io::{self, Write},
    slice,
};

use clap::Args;
use serde_json::Value;

use super::{
    client::{ClientArgs, ClientError, OutputForm, connect, unless_output_is_closed},
    csv::{write_head, write_record},
    output::{output, printable, write_json},
};
use crate::proto::{Connection, GetConnectionRequest};

/// Options of `tcpviewer show`.
#[derive(Args, Clone, Debug)]
pub struct ShowArgs {
    /// The connection's id, as `list --output json` has it.
    #[arg(value_name = "ID")]
    pub id: u64,
    /// Goes on with its past, and with what is new until it leaves the list.
    #[arg(long)]
    pub follow: bool,
    /// Where to ask and how to answer.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// Runs `tcpviewer show`.
pub async fn show(args: ShowArgs) -> Result<(), ClientError> {
    unless_output_is_closed(if args.follow {
        follow::follow(&args).await
    } else {
        write_connection(&args).await
    })
}

async fn write_connection(args: &ShowArgs) -> Result<(), ClientError> {
    let mut client = connect(&args.client).await?;
    let answer = client.get_connection(GetConnectionRequest { id: args.id }).await;
    let connection = answer
        .map_err(|status| ClientError::call("show the connection", &status))?
        .into_inner()
        .connection
        .ok_or_else(|| ClientError::Answer("there is no connection in it".into()))?;
    let mut output = output();
    match args.client.output {
        OutputForm::Json => write_json(&mut output, "Connection", &connection)?,
        OutputForm::Csv => {
            write_head::<Connection>(&mut output)?;
            write_record(&mut output, &connection)?;
        }
        OutputForm::Table => write_text(&mut output, &connection)?,
    }
    Ok(output.flush()?)
}

/// The fields of the contract by their names, one line each; those of a part stand below its name.
fn write_text(output: &mut impl Write, connection: &Connection) -> Result<(), ClientError> {
    let mut json = Vec::new();
    write_json(&mut json, "Connection", connection)?;
    let value = serde_json::from_slice(&json).map_err(|error| ClientError::Answer(error.to_string()))?;
    write_fields(output, &value, 0)?;
    Ok(())
}

fn write_fields(output: &mut impl Write, value: &Value, depth: usize) -> io::Result<()> {
    let fields = value.as_object().into_iter().flatten();
    let (parts, plain): (Vec<_>, Vec<_>) = fields.partition(|(_name, value)| is_part(value));
    let indent = "  ".repeat(depth);
    let width = plain
        .iter()
        .map(|(name, _value)| name.len())
        .max()
        .unwrap_or_default();
    for (name, value) in plain {
        let text = value.as_str().map_or_else(|| value.to_string(), printable);
        writeln!(output, "{indent}{name:<width$}  {text}")?;
    }
    for (name, part) in parts {
        for part in part.as_array().map_or(slice::from_ref(part), Vec::as_slice) {
            writeln!(output, "{indent}{name}")?;
            write_fields(output, part, depth + 1)?;
        }
    }
    Ok(())
}

/// Whether it has fields of its own, or is a list of such.
fn is_part(value: &Value) -> bool {
    value.is_object()
        || value
            .as_array()
            .is_some_and(|all| all.iter().any(Value::is_object))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Endpoint, Rtt};

    #[test]
    fn parts_stand_below_their_names_and_what_was_not_measured_is_left_out() {
        let connection = Connection {
            id: 7,
            source: Some(Endpoint {
                address: "10.0.0.1".into(),
                port: 9,
            }),
            rtt: Some(Rtt {
                srtt_us: 5,
                ..Rtt::default()
            }),
            ..Connection::default()
        };
        let mut text = Vec::new();

        write_text(&mut text, &connection).unwrap();

        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("id                 7\n"), "{text}");
        assert!(
            text.contains("\nsource\n  address  10.0.0.1\n  port     9\n"),
            "{text}"
        );
        assert!(text.contains("  srtt_us  5\n"), "{text}");
        assert!(!text.contains("max_us") && !text.contains("handshake"), "{text}");
    }
}
