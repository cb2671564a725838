//! `tcpviewer replay`: the connections of a capture file, as the daemon would have listed them at its end. Reads the
//! file through the tracker of the kernel and the table of the daemon; the answer is written by the code of
//! `list`.

mod serve;

use std::{
    io::{Write, stderr},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, bail};
use clap::Args;
use tokio::{sync::oneshot, time::Instant};

use super::{
    client::{ClientError, OutputForm, io_reason, unless_output_is_closed},
    csv::{write_head, write_record},
    output::{output, write_json},
    selection::connection_filter,
    signals::Signals,
    stoppable::{self, Stoppable},
    table::{row, terminal_width, write_table},
};
use crate::{
    api,
    capture::replay::{self, BrokenOff, Fault, Replay, ReplayError},
    config,
    filter::Filter,
    model::{Clock, Connection, Ledger, Listed, Sample},
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
    #[arg(long, value_name = "FORM", value_enum, default_value_t = OutputForm::Table)]
    pub output: OutputForm,
    /// Only connections for which this holds at the end of the capture, such as `port == 443 and rtt > 50ms`.
    #[arg(long, value_name = "EXPR", value_parser = connection_filter)]
    pub filter: Option<Arc<Filter<Connection>>>,
    /// Connections held at most; packets of further ones are counted as not tracked [default: 262144]
    #[arg(long, value_name = "NUMBER")]
    pub max_connections: Option<u32>,
    /// Play the capture and serve it, as `run` serves this host, until Ctrl-C
    #[arg(long, conflicts_with = "output")]
    pub serve: bool,
    /// How the capture is served.
    #[command(flatten)]
    pub serving: serve::ServeArgs,
}

/// Runs `tcpviewer replay`. SIGINT or SIGTERM ends the reading, and what was read until then is listed.
///
/// # Errors
///
/// When the capture cannot be read, or the answer not be written.
pub async fn replay(args: ReplayArgs) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let max_connections = config::max_connections(args.max_connections)?;
    let serving = args
        .serve
        .then(|| args.serving.resolve(&args.file, max_connections))
        .transpose()?;
    let (input, stop) = stoppable::open(&args.file)
        .map_err(|error| anyhow::anyhow!("replay {}: open: {}", args.file.display(), io_reason(&error)))?;
    if let Some(serving) = serving {
        return serve::serve(serving, input, stop, signals).await;
    }
    let (done, mut answer) = oneshot::channel();
    // Reading waits for whoever writes into a pipe, so it has a thread of its own.
    thread::spawn(move || done.send(list(&args, input, max_connections)));
    tokio::select! {
        outcome = &mut answer => return outcome.context("the reading thread panicked")?,
        () = signals.next() => drop(stop),
    }
    tokio::select! {
        outcome = &mut answer => outcome.context("the reading thread panicked")?,
        () = signals.next() => bail!("stopped before the connections were written"),
    }
}

/// Reads the capture to its end and writes its connections, then what they do not tell.
fn list(args: &ReplayArgs, mut input: Stoppable, max_connections: u32) -> anyhow::Result<()> {
    let name = args.file.display();
    let mut capture = replay::replay(&mut input, max_connections).map_err(|error| {
        if input.was_stopped() {
            anyhow::anyhow!("replay {name}: stopped before it began")
        } else {
            refusal(&args.file, error)
        }
    })?;
    let broken_off = capture.broken_off.take();
    let mut notes = Vec::new();
    if input.was_stopped() {
        notes.push(format!(
            "stopped after {} packets of {name}; those are counted",
            capture.packets
        ));
    } else {
        notes.extend(
            broken_off
                .as_ref()
                .and_then(|end| broken_off_note(&args.file, capture.packets, end)),
        );
    }
    notes.extend(uncounted_note(&capture, max_connections));
    let packets = capture.packets;
    let end = Clock::new(SystemTime::UNIX_EPOCH).at(capture.newest_ns);
    let mut connections = listed(capture);
    if let Some(filter) = &args.filter {
        connections.retain(|connection| filter.matches(connection, end));
    }
    unless_output_is_closed(write_connections(args.output, &connections, end))?;
    for note in notes {
        // Whoever closed the standard error does not want to know.
        writeln!(stderr(), "tcpviewer: {note}").ok();
    }
    match broken_off {
        Some(BrokenOff {
            byte,
            fault: Fault::Read(error),
        }) => bail!(
            "replay {name}: read what begins at byte {byte}, after {packets} packets, which are counted: {}",
            io_reason(&error)
        ),
        Some(_) | None => Ok(()),
    }
}

/// Why a capture is not replayed at all.
fn refusal(file: &Path, error: ReplayError) -> anyhow::Error {
    let reason = match error {
        ReplayError::Read(error) => format!("read: {}", io_reason(&error)),
        other @ ReplayError::NotACapture(_) => other.to_string(),
    };
    anyhow::anyhow!("replay {}: {reason}", file.display())
}

/// The connections as the table lists them, in order of their first packets. They have no verdicts: those go by what
/// happened in the last seconds, and here no time passes.
fn listed(capture: Replay) -> Vec<Connection> {
    let now = Instant::now();
    let mut table = Table::new(
        Clock::new(SystemTime::UNIX_EPOCH),
        RATE_INTERVAL,
        Duration::MAX,
        usize::MAX,
    );
    table.take(capture.connections.into_iter().map(Sample::from).collect(), now);
    let listed = table.delta().unwrap_or_default().changed;
    let without_verdict = |listed: &Arc<dyn Listed>| Connection {
        verdict: None,
        ..listed.connection().into_owned()
    };
    listed.iter().map(without_verdict).collect()
}

fn write_connections(
    form: OutputForm,
    connections: &[Connection],
    end: SystemTime,
) -> Result<(), ClientError> {
    let mut output = output();
    let messages = connections.iter().map(api::connection);
    match form {
        OutputForm::Table => {
            let rows: Vec<_> = messages.map(|connection| row(&connection, end.into())).collect();
            write_table(&mut output, &rows, terminal_width())?;
        }
        OutputForm::Json => {
            for connection in messages {
                write_json(&mut output, "Connection", &connection)?;
            }
        }
        OutputForm::Csv => {
            write_head::<crate::proto::Connection>(&mut output)?;
            for connection in messages {
                write_record(&mut output, &connection)?;
            }
        }
    }
    Ok(output.flush()?)
}

/// Where the capture broke off, unless it is the reading that failed: that is an error.
fn broken_off_note(file: &Path, packets: u64, end: &BrokenOff) -> Option<String> {
    let what = match &end.fault {
        Fault::Cut => "cut off".to_owned(),
        Fault::Damaged(damage) => format!("damaged ({damage})"),
        Fault::Read(_) => return None,
    };
    Some(format!(
        "{} is {what} in what begins at byte {}, after {packets} packets; those are counted",
        file.display(),
        end.byte
    ))
}

/// One line, if anything was not counted.
fn uncounted_note(capture: &Replay, max_connections: u32) -> Option<String> {
    let Ledger {
        packets_seen,
        packets_tracked,
        packets_not_ip,
        packets_not_tcp,
        packets_fragment,
        packets_truncated,
        packets_malformed,
        packets_seen_elsewhere,
        packets_table_full,
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
    if packets_table_full > 0 {
        parts.push(format!(
            "{packets_table_full} of connections beyond the first {max_connections} (see --max-connections)"
        ));
    }
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
