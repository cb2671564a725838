//! How `watch` shows what is new: JSON lines or comma-separated values for scripts, text lines for files and pipes, and
//! for terminals a table that is painted in place.

use std::{
    collections::HashMap,
    io::{self, BufWriter, Stdout, Write, stderr},
    time::SystemTime,
};

use serde_json::json;
use terminal_size::{Height, Width, terminal_size};

use super::{
    client::ClientError,
    csv::{write_head, write_record},
    mirror::Update,
    output::{bytes, output, printable, write_json},
    table::{colours, lines, row},
};
use crate::proto::Connection;

/// Another screen without a cursor, so that the one before comes back in the end.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Shows what is new.
pub(super) trait View {
    /// Takes what a message has changed.
    fn update(&mut self, update: Update) -> Result<(), ClientError>;

    /// Shows what has come together; called a few times per second.
    fn paint(&mut self) -> Result<(), ClientError> {
        Ok(())
    }

    /// Tells the user about the stream itself.
    fn note(&mut self, note: &str) -> Result<(), ClientError> {
        // Whoever closed the standard error does not want to know.
        writeln!(stderr(), "tcpviewer: {}", printable(note)).ok();
        Ok(())
    }
}

/// One JSON object per line: connections, and `{"removed": id}`.
pub(super) struct JsonView {
    output: BufWriter<Stdout>,
}

impl JsonView {
    /// A view on the standard output.
    pub(super) fn new() -> Self {
        Self { output: output() }
    }
}

impl View for JsonView {
    fn update(&mut self, update: Update) -> Result<(), ClientError> {
        for id in update.removed {
            writeln!(self.output, "{}", json!({ "removed": id }))?;
        }
        for connection in &update.changed {
            write_json(&mut self.output, "Connection", connection)?;
        }
        Ok(self.output.flush()?)
    }
}

/// A head, and one line of comma-separated values per change; what is removed has none.
pub(super) struct CsvView {
    output: BufWriter<Stdout>,
}

impl CsvView {
    /// A view on the standard output.
    pub(super) fn new() -> io::Result<Self> {
        let mut output = output();
        write_head::<Connection>(&mut output)?;
        Ok(Self { output })
    }
}

impl View for CsvView {
    fn update(&mut self, update: Update) -> Result<(), ClientError> {
        for connection in &update.changed {
            write_record(&mut self.output, connection)?;
        }
        Ok(self.output.flush()?)
    }
}

/// One line of text per change.
pub(super) struct LineView {
    output: BufWriter<Stdout>,
}

impl LineView {
    /// A view on the standard output.
    pub(super) fn new() -> Self {
        Self { output: output() }
    }
}

impl View for LineView {
    fn update(&mut self, update: Update) -> Result<(), ClientError> {
        for id in update.removed {
            writeln!(self.output, "{id:>8}  removed")?;
        }
        let now = SystemTime::now().into();
        for connection in &update.changed {
            let [
                state,
                source,
                destination,
                interface,
                processes,
                rtt,
                sent,
                received,
                retransmissions,
                age,
                verdict,
            ] = row(connection, now);
            writeln!(
                self.output,
                "{:>8}  {state:<12} {source} -> {destination} {interface} {processes} rtt {rtt} sent {sent} received {received} \
                 retransmissions {retransmissions} age {age} verdict {verdict}",
                connection.id
            )?;
        }
        Ok(self.output.flush()?)
    }
}

/// The busiest connections, painted in place.
pub(super) struct ScreenView {
    output: BufWriter<Stdout>,
    connections: HashMap<u64, Connection>,
    note: String,
}

impl ScreenView {
    /// A view on the terminal, which is given back when the view is dropped.
    pub(super) fn new() -> io::Result<Self> {
        let mut output = output();
        output.write_all(ENTER.as_bytes())?;
        output.flush()?;
        Ok(Self {
            output,
            connections: HashMap::new(),
            note: String::new(),
        })
    }
}

impl View for ScreenView {
    fn update(&mut self, update: Update) -> Result<(), ClientError> {
        for id in update.removed {
            self.connections.remove(&id);
        }
        for connection in update.changed {
            self.connections.insert(connection.id, connection);
        }
        Ok(())
    }

    fn paint(&mut self) -> Result<(), ClientError> {
        let (Width(width), Height(height)) = terminal_size().unwrap_or((Width(80), Height(24)));
        let rows = usize::from(height.saturating_sub(2));
        let now = SystemTime::now().into();
        let rate = self.connections.values().map(rate).sum();
        let mut busiest: Vec<_> = self.connections.values().collect();
        if rows < busiest.len() {
            busiest.select_nth_unstable_by_key(rows, |connection| busiest_first(connection));
            busiest.truncate(rows);
        }
        busiest.sort_unstable_by_key(|connection| busiest_first(connection));
        let rows: Vec<_> = busiest
            .into_iter()
            .map(|connection| row(connection, now))
            .collect();
        let title = format!(
            "{} connections, {}/s; ctrl-c ends. {}",
            self.connections.len(),
            bytes(rate),
            printable(&self.note)
        );
        let title: String = title.chars().take(width.into()).collect();
        write!(self.output, "{HOME}{title}{CLEAR_LINE}")?;
        for line in lines(&rows, Some(width.into()), colours()) {
            write!(self.output, "\r\n{line}{CLEAR_LINE}")?;
        }
        write!(self.output, "{CLEAR_BELOW}")?;
        Ok(self.output.flush()?)
    }

    fn note(&mut self, note: &str) -> Result<(), ClientError> {
        note.clone_into(&mut self.note);
        self.paint()
    }
}

impl Drop for ScreenView {
    fn drop(&mut self) {
        // A terminal that is gone needs no repair.
        self.output
            .write_all(LEAVE.as_bytes())
            .and_then(|()| self.output.flush())
            .ok();
    }
}

/// Payload per second in both directions.
fn rate(connection: &Connection) -> u64 {
    let of =
        |half: &Option<crate::proto::Half>| half.as_ref().map_or(0, |half| half.payload_bytes_per_second);
    of(&connection.sent).saturating_add(of(&connection.received))
}

/// By falling rate; the newest first among equals.
fn busiest_first(connection: &Connection) -> (std::cmp::Reverse<u64>, std::cmp::Reverse<u64>) {
    (
        std::cmp::Reverse(rate(connection)),
        std::cmp::Reverse(connection.id),
    )
}
