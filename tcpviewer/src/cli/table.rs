//! Connections as a table for people: one row each, columns as wide as their content, addresses shortened where
//! a terminal is too narrow.

use std::{
    env,
    io::{self, IsTerminal as _, Write, stdout},
};

use tcpviewer_common::state::TcpState;
use terminal_size::{Width, terminal_size};

use super::output::{between, bytes, endpoint, microseconds, printable, processes, state, verdict};
use crate::proto;

/// Columns of the table; `true` where numbers stand to the right.
const COLUMNS: [(&str, bool); 11] = [
    ("STATE", false),
    ("SOURCE", false),
    ("DESTINATION", false),
    ("INTERFACE", false),
    ("PROCESS", false),
    ("RTT", true),
    ("SENT", true),
    ("RECEIVED", true),
    ("RETRANS", true),
    ("AGE", true),
    ("VERDICT", false),
];
/// The columns that give way in a narrow terminal.
const ADDRESSES: [usize; 2] = [1, 2];
/// Narrower than this an address says nothing.
const MIN_ADDRESS_WIDTH: usize = 15;
const SEPARATOR: &str = "  ";
const BRIGHT: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// A line of the table.
pub(super) type Row = [String; COLUMNS.len()];

/// The row of a connection; its age is that of `now`, or at its end.
pub(super) fn row(connection: &proto::Connection, now: prost_types::Timestamp) -> Row {
    let sent = connection.sent.clone().unwrap_or_default();
    let received = connection.received.clone().unwrap_or_default();
    [
        state(connection).to_owned(),
        printable(&endpoint(connection.source.as_ref())),
        printable(&endpoint(connection.destination.as_ref())),
        printable(&connection.interface),
        printable(&processes(connection)),
        connection
            .rtt
            .map_or("-".to_owned(), |rtt| microseconds(rtt.srtt_us.into())),
        bytes(sent.payload_bytes),
        bytes(received.payload_bytes),
        (sent.retransmissions + received.retransmissions).to_string(),
        between(connection.first_seen, connection.closed_at.or(Some(now))),
        verdict(connection),
    ]
}

/// Writes a table with its head; within `width` characters where there is one.
pub(super) fn write_table(output: &mut impl Write, rows: &[Row], width: Option<usize>) -> io::Result<()> {
    for line in lines(rows, width, colours()) {
        writeln!(output, "{line}")?;
    }
    Ok(())
}

/// How wide the terminal is that the output goes to, if it goes to one.
pub(super) fn terminal_width() -> Option<usize> {
    let (Width(width), _height) = terminal_size().filter(|_size| stdout().is_terminal())?;
    Some(width.into())
}

/// Whether the output is to be coloured: it goes to a terminal that can, and nobody objects (<https://no-color.org>).
pub(super) fn colours() -> bool {
    let variable = |name| env::var_os(name).unwrap_or_default();
    stdout().is_terminal() && variable("NO_COLOR").is_empty() && variable("TERM") != "dumb"
}

/// The lines of a table, its head first; in colours the head is bright and what has ended is dim.
pub(super) fn lines(rows: &[Row], width: Option<usize>, colours: bool) -> impl Iterator<Item = String> {
    let head = COLUMNS.map(|(name, _right)| name.to_owned());
    let mut widths = COLUMNS.map(|(name, _right)| name.len());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    if let Some(available) = width {
        narrow(&mut widths, available);
    }
    std::iter::once(head.clone())
        .chain(rows.iter().cloned())
        .map(move |row| {
            let line = line(&row, &widths, width);
            match row.first() {
                Some(name) if colours && *name == head[0] => format!("{BRIGHT}{line}{PLAIN}"),
                Some(state) if colours && state == TcpState::Closed.name() => format!("{DIM}{line}{PLAIN}"),
                Some(_) | None => line,
            }
        })
}

/// Takes what is missing from the wider one of the addresses, down to their least width.
fn narrow(widths: &mut [usize; COLUMNS.len()], available: usize) {
    let wanted = |widths: &[usize]| widths.iter().sum::<usize>() + SEPARATOR.len() * (widths.len() - 1);
    while wanted(widths) > available {
        let [source, destination] = ADDRESSES;
        let wider = if widths[source] >= widths[destination] {
            source
        } else {
            destination
        };
        if widths[wider] <= MIN_ADDRESS_WIDTH {
            return;
        }
        widths[wider] -= 1;
    }
}

fn line(row: &Row, widths: &[usize; COLUMNS.len()], width: Option<usize>) -> String {
    let mut line = String::new();
    for (index, ((cell, (_, right)), width)) in row.iter().zip(COLUMNS).zip(widths).enumerate() {
        if index > 0 {
            line.push_str(SEPARATOR);
        }
        let cell = shorten(cell, *width);
        let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
        if right {
            line.push_str(&padding);
            line.push_str(&cell);
        } else {
            line.push_str(&cell);
            line.push_str(&padding);
        }
    }
    match width {
        Some(width) => line.chars().take(width).collect(),
        None => line,
    }
}

/// Leaves out the middle: the ends of an address tell more.
fn shorten(cell: &str, width: usize) -> String {
    let count = cell.chars().count();
    if count <= width || width == 0 {
        return cell.to_owned();
    }
    let tail = width / 2;
    let head = width - tail - 1;
    cell.chars()
        .take(head)
        .chain(['…'])
        .chain(cell.chars().skip(count - tail))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(source: &str, destination: &str) -> Row {
        [
            "ESTABLISHED",
            source,
            destination,
            "eth0",
            "curl/7",
            "1.20 ms",
            "1.0 KiB",
            "0 B",
            "0",
            "3 s",
            "healthy",
        ]
        .map(str::to_owned)
    }

    #[test]
    fn columns_are_as_wide_as_their_content() {
        let rows = [
            cells("10.0.0.1:40000", "[2001:db8::1]:443"),
            cells("10.0.0.2:1", "10.0.0.1:2"),
        ];

        let lines: Vec<_> = lines(&rows, None, false).collect();

        assert_eq!(
            lines[0],
            "STATE        SOURCE          DESTINATION        INTERFACE  PROCESS      RTT     SENT  RECEIVED  RETRANS  AGE  VERDICT"
        );
        assert_eq!(
            lines[1],
            "ESTABLISHED  10.0.0.1:40000  [2001:db8::1]:443  eth0       curl/7   1.20 ms  1.0 KiB       0 B        0  3 s  healthy"
        );
        assert!(
            lines
                .iter()
                .all(|line| line.chars().count() == lines[0].chars().count())
        );
    }

    #[test]
    fn a_narrow_terminal_shortens_addresses_in_the_middle_and_no_line_is_longer() {
        let address = "[2001:db8:1111:2222:3333:4444:5555:6666]:50051";
        let rows = [cells(address, address)];

        for width in [0, 1, 40, 80, 120, 200] {
            let lines: Vec<_> = lines(&rows, Some(width), false).collect();
            assert!(
                lines.iter().all(|line| line.chars().count() <= width),
                "{width}: {lines:?}"
            );
        }
        assert!(lines(&rows, Some(120), false).nth(1).unwrap().contains("…"));
        assert!(lines(&rows, Some(200), false).nth(1).unwrap().contains(address));
    }
}
