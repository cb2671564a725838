//! Comma-separated values (RFC 4180): a head and one line for each connection, packet or group, for spreadsheets and data
//! frames. The values are those of the JSON form; what was not measured is empty.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde_json::Value;

use super::output::{cause_word, kind_word};
use crate::proto;

/// Names of columns and their values, always the same names in the same order.
type Columns = Vec<(String, String)>;

/// What is a line.
pub(super) trait Record: Default {
    /// Its columns.
    fn columns(&self) -> Columns;
}

/// A group of `stats`, with what it belongs to.
#[derive(Default)]
pub(super) struct Grouped {
    /// When the sums were made.
    pub(super) at: Option<prost_types::Timestamp>,
    /// What the connections are grouped by.
    pub(super) by: proto::GroupBy,
    /// The group.
    pub(super) group: proto::Group,
}

/// Writes the head.
pub(super) fn write_head<R: Record>(output: &mut impl Write) -> io::Result<()> {
    let columns = R::default().columns();
    let names: Vec<_> = columns.iter().map(|(name, _value)| name.as_str()).collect();
    write_line(output, &names)
}

/// Writes a line.
pub(super) fn write_record(output: &mut impl Write, record: &impl Record) -> io::Result<()> {
    let columns = record.columns();
    let values: Vec<_> = columns.iter().map(|(_name, value)| value.as_str()).collect();
    write_line(output, &values)
}

impl Record for proto::Listener {
    fn columns(&self) -> Columns {
        let process = self.process.as_ref();
        let of = |value: fn(&proto::Process) -> Option<String>| text(process.and_then(value));
        named([
            ("address", address(self.address.as_ref())),
            ("port", port(self.address.as_ref())),
            ("dual_stack", text(self.dual_stack)),
            ("accept_queue", self.accept_queue.to_string()),
            ("accept_queue_limit", text(self.accept_queue_limit)),
            ("syn_queue", text(self.syn_queue)),
            ("drops", text(self.drops)),
            ("user_id", self.user_id.to_string()),
            ("socket_cookie", self.socket_cookie.to_string()),
            ("process", of(|process| Some(process.command.clone()))),
            ("pid", of(|process| Some(process.pid.to_string()))),
            ("command", of(|process| process.command_line.clone())),
            ("unit", of(|process| process.unit.clone())),
            ("container", of(|process| process.container.clone())),
        ])
    }
}

impl Record for proto::Connection {
    fn columns(&self) -> Columns {
        connection(self)
    }
}

impl Record for proto::Packet {
    fn columns(&self) -> Columns {
        let flags: Vec<_> = self
            .flags()
            .map(|flag| flag.as_str_name().trim_start_matches("TCP_FLAG_"))
            .collect();
        named([
            ("timestamp", text(self.timestamp)),
            ("connection_id", self.connection_id.to_string()),
            ("source_address", address(self.source.as_ref())),
            ("source_port", port(self.source.as_ref())),
            ("destination_address", address(self.destination.as_ref())),
            ("destination_port", port(self.destination.as_ref())),
            ("interface", self.interface.clone()),
            ("direction", self.direction().as_str_name().to_owned()),
            ("flags", flags.join(" ")),
            ("seq", self.seq.to_string()),
            ("ack", text(self.ack)),
            ("window", self.window.to_string()),
            ("payload_bytes", self.payload_bytes.to_string()),
            ("wire_packets", self.wire_packets.to_string()),
            ("retransmission", self.retransmission.to_string()),
        ])
    }
}

impl Record for proto::Point {
    fn columns(&self) -> Columns {
        named([("at", text(self.at))])
            .into_iter()
            .chain(point_columns("sent", self.sent.as_ref()))
            .chain(point_columns("received", self.received.as_ref()))
            .collect()
    }
}

/// The columns of one direction at a point; their names begin with its own.
fn point_columns(direction: &str, half: Option<&proto::HalfPoint>) -> [(String, String); 9] {
    let half = half.copied().unwrap_or_default();
    [
        (
            "payload_bytes_per_second",
            half.payload_bytes_per_second.to_string(),
        ),
        ("packets_per_second", half.packets_per_second.to_string()),
        ("srtt_us", text(half.srtt_us)),
        ("socket_srtt_us", text(half.socket_srtt_us)),
        ("congestion_window", text(half.congestion_window)),
        ("slow_start_threshold", text(half.slow_start_threshold)),
        (
            "delivery_rate_bytes_per_second",
            text(half.delivery_rate_bytes_per_second),
        ),
        ("in_flight_bytes", text(half.in_flight_bytes)),
        ("retransmissions", half.retransmissions.to_string()),
    ]
    .map(|(name, value)| (format!("{direction}_{name}"), value))
}

impl Record for Grouped {
    fn columns(&self) -> Columns {
        let group = &self.group;
        named([
            ("at", text(self.at)),
            ("by", self.by.as_str_name().to_owned()),
            ("name", group.name.clone()),
            ("connections", group.connections.to_string()),
            (
                "sent_payload_bytes_per_second",
                group.sent_payload_bytes_per_second.to_string(),
            ),
            (
                "received_payload_bytes_per_second",
                group.received_payload_bytes_per_second.to_string(),
            ),
            ("packets_per_second", group.packets_per_second.to_string()),
            ("payload_bytes", group.payload_bytes.to_string()),
            ("retransmissions", group.retransmissions.to_string()),
            ("rtt_us", text(group.rtt_us)),
        ])
    }
}

/// Names and values of whatever is one thing and not many, one to a line.
pub(super) fn write_fields(output: &mut impl Write, value: &Value) -> io::Result<()> {
    write_line(output, &["name", "value"])?;
    write_below(output, "", value)
}

fn write_below(output: &mut impl Write, path: &str, value: &Value) -> io::Result<()> {
    let below = |name: &str| {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(name, value)| write_below(output, &below(name), value)),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| write_below(output, &below(&index.to_string()), value)),
        Value::String(text) => write_line(output, &[path, text]),
        Value::Null | Value::Bool(_) | Value::Number(_) => write_line(output, &[path, &value.to_string()]),
    }
}

fn named<const N: usize>(columns: [(&str, String); N]) -> Columns {
    columns
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

/// The columns, with the values of a connection.
fn connection(connection: &proto::Connection) -> Columns {
    let handshake = connection.handshake.unwrap_or_default();
    let shared = [
        ("id", connection.id.to_string()),
        ("source_address", address(connection.source.as_ref())),
        ("source_port", port(connection.source.as_ref())),
        ("destination_address", address(connection.destination.as_ref())),
        ("destination_port", port(connection.destination.as_ref())),
        ("orientation", connection.orientation().as_str_name().to_owned()),
        ("state", connection.state().as_str_name().to_owned()),
        ("close_reason", connection.close_reason().as_str_name().to_owned()),
        ("interface", connection.interface.clone()),
        ("first_seen", text(connection.first_seen)),
        ("last_seen", text(connection.last_seen)),
        ("closed_at", text(connection.closed_at)),
        ("handshake_rtt_us", text(handshake.rtt_us)),
        ("rtt_us", text(connection.rtt.map(|rtt| rtt.srtt_us))),
    ];
    let verdict = connection.verdict.as_ref();
    let verdict = [
        ("verdict", text(verdict.map(kind_word))),
        ("verdict_cause", text(verdict.and_then(cause_word))),
        ("verdict_since", text(verdict.and_then(|verdict| verdict.since))),
        ("verdict_text", text(verdict.map(|verdict| verdict.text.clone()))),
    ];
    named(shared)
        .into_iter()
        .chain(process_columns("source", connection.source_process.as_ref()))
        .chain(process_columns(
            "destination",
            connection.destination_process.as_ref(),
        ))
        .chain(half_columns("sent", &connection.sent.clone().unwrap_or_default()))
        .chain(half_columns(
            "received",
            &connection.received.clone().unwrap_or_default(),
        ))
        .chain(named(verdict))
        .chain(named(failure(connection)))
        .collect()
}

/// The columns of why it failed.
fn failure(connection: &proto::Connection) -> [(&'static str, String); 4] {
    let error = |error: &Option<proto::SocketError>| {
        let word = |error: &proto::SocketError| match error.name.as_str() {
            "" => error.number.to_string(),
            name => name.to_owned(),
        };
        text(error.as_ref().map(word))
    };
    let reset = connection.reset.as_ref();
    [
        ("source_error", error(&connection.source_error)),
        ("destination_error", error(&connection.destination_error)),
        (
            "reset_sender",
            text(reset.map(|reset| reset.sender().as_str_name())),
        ),
        ("reset_reason", text(reset.map(|reset| reset.reason.clone()))),
    ]
}

/// The columns of the process at one end; their names begin with that end's.
fn process_columns(end: &str, process: Option<&proto::Process>) -> [(String, String); 9] {
    let of = |value: fn(&proto::Process) -> Option<String>| text(process.and_then(value));
    [
        ("process", of(|process| Some(process.command.clone()))),
        ("pid", of(|process| Some(process.pid.to_string()))),
        ("command", of(|process| process.command_line.clone())),
        ("user_id", of(|process| Some(process.user_id.to_string()))),
        ("user", of(|process| process.user.clone())),
        ("unit", of(|process| process.unit.clone())),
        ("container", of(|process| process.container.clone())),
        ("pod", of(|process| process.pod.clone())),
        (
            "process_source",
            of(|process| Some(process.source().as_str_name().to_owned())),
        ),
    ]
    .map(|(name, value)| (format!("{end}_{name}"), value))
}

/// The columns of one direction; their names begin with its own.
fn half_columns(direction: &str, half: &proto::Half) -> [(String, String); 24] {
    let response = half.response;
    [
        ("packets", half.packets.to_string()),
        ("wire_bytes", half.wire_bytes.to_string()),
        ("payload_bytes", half.payload_bytes.to_string()),
        ("retransmitted_bytes", half.retransmitted_bytes.to_string()),
        ("retransmissions", half.retransmissions.to_string()),
        ("fast_retransmissions", half.fast_retransmissions.to_string()),
        (
            "spurious_retransmissions",
            half.spurious_retransmissions.to_string(),
        ),
        ("syn_retransmissions", half.syn_retransmissions.to_string()),
        ("out_of_order", half.out_of_order.to_string()),
        ("duplicate_acks", half.duplicate_acks.to_string()),
        ("zero_windows", half.zero_windows.to_string()),
        ("window_full", half.window_full.to_string()),
        ("keep_alives", half.keep_alives.to_string()),
        ("lost_segments", half.lost_segments.to_string()),
        ("resets", half.resets.to_string()),
        ("ecn_marked", half.ecn_marked.to_string()),
        ("ecn_echoed", half.ecn_echoed.to_string()),
        ("rtt_us", text(half.rtt.map(|rtt| rtt.srtt_us))),
        ("rtt_min_us", text(half.rtt.map(|rtt| rtt.min_us))),
        ("rtt_max_us", text(half.rtt.and_then(|rtt| rtt.max_us))),
        ("responses", text(response.map(|response| response.count))),
        (
            "response_mean_us",
            text(response.map(|response| response.mean_us)),
        ),
        ("response_max_us", text(response.map(|response| response.max_us))),
        (
            "socket_srtt_us",
            text(half.socket.as_ref().and_then(|socket| socket.srtt_us)),
        ),
    ]
    .map(|(name, value)| (format!("{direction}_{name}"), value))
}

fn address(end: Option<&proto::Endpoint>) -> String {
    end.map(|end| end.address.clone()).unwrap_or_default()
}

fn port(end: Option<&proto::Endpoint>) -> String {
    text(end.map(|end| end.port))
}

/// The value; nothing where there is none.
fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn write_line(output: &mut impl Write, values: &[&str]) -> io::Result<()> {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            output.write_all(b",")?;
        }
        output.write_all(quoted(value).as_bytes())?;
    }
    output.write_all(b"\r\n")
}

/// The value in quotes where it needs them.
fn quoted(value: &str) -> Cow<'_, str> {
    if value.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\"")).into()
    } else {
        value.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_would_break_a_line_are_quoted() {
        for (value, expected) in [
            ("eth0", "eth0"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"lo\"", "\"say \"\"lo\"\"\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            assert_eq!(quoted(value), expected);
        }
    }

    #[test]
    fn a_line_has_a_value_for_each_name_of_the_head() {
        let connection = proto::Connection {
            id: 7,
            interface: "a,b".into(),
            handshake: Some(proto::Handshake {
                rtt_us: Some(0),
                ..Default::default()
            }),
            ..Default::default()
        };
        let mut written = Vec::new();

        write_head::<proto::Connection>(&mut written).unwrap();
        write_record(&mut written, &connection).unwrap();

        let written = String::from_utf8(written).unwrap();
        let (head, line) = written.trim_end().split_once("\r\n").unwrap();
        assert!(head.starts_with("id,source_address,source_port,"), "{head}");
        assert!(line.starts_with("7,,,,,ORIENTATION_UNSPECIFIED,"), "{line}");
        // The times, the RTTs, and two processes of which nothing is known.
        let absent = ",".repeat(18);
        assert!(line.contains(&format!(",\"a,b\",,,,0,,{absent}0,")), "{line}");
        assert_eq!(head.matches(',').count() + 1, line.matches(',').count());
    }
}
