//! `tcpviewer replay`: the connections of a capture file, as the daemon would have listed them at its end. Reads the
//! file through the tracker of the kernel and the table of the daemon; the answer is written by the code of
//! `list`.

use std::{
    fs::File,
    io::{Read, Write, stderr, stdin},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::time::Instant;

use super::{
    client::{ClientError, io_reason, unless_output_is_closed},
    csv::{write_head, write_record},
    output::{output, write_json},
    table::{row, terminal_width, write_table},
};
use crate::{
    api,
    capture::replay::{self, BrokenOff, Replay, ReplayError},
    model::{Clock, Connection, Ledger},
    table::Table,
};

/// Rates are means over a connection's life, and over this time at least.
const RATE_INTERVAL: Duration = Duration::from_millis(250);

/// Options of `tcpviewer replay`.
#[derive(Args, Clone, Debug)]
pub struct ReplayArgs {
    /// The capture, pcap or pcapng; `-` reads the standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to write the connections.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = ReplayForm::Table)]
    pub output: ReplayForm,
}

/// How `tcpviewer replay` writes the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayForm {
    /// For people.
    Table,
    /// One JSON object per line, with the field names of the API.
    Json,
    /// A head and one line of comma-separated values for each connection (RFC 4180).
    Csv,
}

/// Runs `tcpviewer replay`.
pub fn replay(args: ReplayArgs) -> anyhow::Result<()> {
    let capture = read(&args.file).with_context(|| format!("replay {}", args.file.display()))?;
    let notes = notes(&args.file, &capture);
    let end = Clock::new(SystemTime::UNIX_EPOCH).at(capture.newest_ns);
    let connections = listed(capture);
    unless_output_is_closed(write_connections(args.output, &connections, end))?;
    for note in notes {
        // Whoever closed the standard error does not want to know.
        writeln!(stderr(), "tcpviewer: {note}").ok();
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Replay> {
    let reader: Box<dyn Read> = if file == Path::new("-") {
        Box::new(stdin().lock())
    } else {
        let opened = File::open(file);
        Box::new(opened.map_err(|error| anyhow::anyhow!("open: {}", io_reason(&error)))?)
    };
    replay::replay(reader).map_err(|error| match error {
        ReplayError::Read(error) => anyhow::anyhow!("read: {}", io_reason(&error)),
        other @ ReplayError::NotACapture(_) => other.into(),
    })
}

/// The connections as the table lists them, in order of their first packets.
fn listed(capture: Replay) -> Vec<Arc<Connection>> {
    let now = Instant::now();
    let mut table = Table::new(
        Clock::new(SystemTime::UNIX_EPOCH),
        RATE_INTERVAL,
        Duration::MAX,
        usize::MAX,
    );
    table.take(capture.samples, now);
    table.delta().unwrap_or_default().changed
}

fn write_connections(
    form: ReplayForm,
    connections: &[Arc<Connection>],
    end: SystemTime,
) -> Result<(), ClientError> {
    let mut output = output();
    let messages = connections.iter().map(|connection| api::connection(connection));
    match form {
        ReplayForm::Table => {
            let rows: Vec<_> = messages.map(|connection| row(&connection, end.into())).collect();
            write_table(&mut output, &rows, terminal_width())?;
        }
        ReplayForm::Json => {
            for connection in messages {
                write_json(&mut output, "Connection", &connection)?;
            }
        }
        ReplayForm::Csv => {
            write_head(&mut output)?;
            for connection in messages {
                write_record(&mut output, &connection)?;
            }
        }
    }
    Ok(output.flush()?)
}

/// What the connections do not tell: where the file broke off, and what was not counted.
fn notes(file: &Path, capture: &Replay) -> Vec<String> {
    let broken_off = capture.broken_off.as_ref();
    broken_off
        .map(|end| broken_off_note(file, end))
        .into_iter()
        .chain(uncounted_note(capture))
        .collect()
}

fn broken_off_note(file: &Path, end: &BrokenOff) -> String {
    let BrokenOff { byte, packets, .. } = end;
    let what = match &end.damage {
        None => "cut off".to_owned(),
        Some(damage) => format!("damaged ({damage})"),
    };
    format!(
        "{} is {what} in what begins at byte {byte}, after {packets} packets; those are counted",
        file.display()
    )
}

/// One line, if anything was not counted.
fn uncounted_note(capture: &Replay) -> Option<String> {
    let Ledger {
        packets_seen,
        packets_tracked,
        packets_not_ip,
        packets_not_tcp,
        packets_fragment,
        packets_truncated,
        packets_malformed,
        packets_seen_elsewhere,
        ..
    } = capture.ledger;
    let reasons = [
        (packets_not_ip, "not IP"),
        (packets_not_tcp, "not TCP"),
        (packets_fragment, "later fragments"),
        (packets_truncated, "cut within their headers"),
        (packets_malformed, "malformed"),
        (packets_seen_elsewhere, "counted on another interface"),
    ];
    let mut parts: Vec<_> = reasons
        .into_iter()
        .filter(|&(count, _reason)| count > 0)
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
    for (link_type, count) in &capture.unsupported {
        parts.push(format!(
            "{count} of link type {link_type}, which is not supported"
        ));
    }
    let packets = packets_seen + capture.unsupported.values().sum::<u64>();
    let uncounted = packets - packets_tracked;
    (uncounted > 0).then(|| {
        format!(
            "{uncounted} of {packets} packets not counted: {}",
            parts.join(", ")
        )
    })
}
