//! Connections as comma-separated values (RFC 4180): a head and one line each, for spreadsheets and data frames. The
//! values are those of the JSON form; what was not measured is empty.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use crate::proto::{self, CloseReason, Orientation, TcpState};

/// Writes the head.
pub(super) fn write_head(output: &mut impl Write) -> io::Result<()> {
    let names = columns(&proto::Connection::default()).map(|(name, _value)| name.to_owned());
    write_line(output, &names)
}

/// Writes a connection.
pub(super) fn write_record(output: &mut impl Write, connection: &proto::Connection) -> io::Result<()> {
    let values = columns(connection).map(|(_name, value)| value);
    write_line(output, &values)
}

/// The columns, with the values of a connection.
fn columns(connection: &proto::Connection) -> [(&'static str, String); 30] {
    let address = |end: &Option<proto::Endpoint>| end.as_ref().map(|end| end.address.clone());
    let port = |end: &Option<proto::Endpoint>| text(end.as_ref().map(|end| end.port));
    let (sent, received) = (
        connection.sent.unwrap_or_default(),
        connection.received.unwrap_or_default(),
    );
    let handshake = connection.handshake.unwrap_or_default();
    [
        ("id", connection.id.to_string()),
        ("source_address", address(&connection.source).unwrap_or_default()),
        ("source_port", port(&connection.source)),
        (
            "destination_address",
            address(&connection.destination).unwrap_or_default(),
        ),
        ("destination_port", port(&connection.destination)),
        (
            "orientation",
            Orientation::as_str_name(&connection.orientation()).to_owned(),
        ),
        ("state", TcpState::as_str_name(&connection.state()).to_owned()),
        (
            "close_reason",
            CloseReason::as_str_name(&connection.close_reason()).to_owned(),
        ),
        ("interface", connection.interface.clone()),
        ("first_seen", text(connection.first_seen)),
        ("last_seen", text(connection.last_seen)),
        ("closed_at", text(connection.closed_at)),
        ("handshake_rtt_us", text(handshake.rtt_us)),
        ("rtt_us", text(connection.rtt.map(|rtt| rtt.srtt_us))),
        ("sent_packets", sent.packets.to_string()),
        ("sent_wire_bytes", sent.wire_bytes.to_string()),
        ("sent_payload_bytes", sent.payload_bytes.to_string()),
        ("sent_retransmitted_bytes", sent.retransmitted_bytes.to_string()),
        ("sent_retransmissions", sent.retransmissions.to_string()),
        ("sent_rtt_us", text(sent.rtt.map(|rtt| rtt.srtt_us))),
        ("sent_rtt_min_us", text(sent.rtt.map(|rtt| rtt.min_us))),
        ("sent_rtt_max_us", text(sent.rtt.map(|rtt| rtt.max_us))),
        ("received_packets", received.packets.to_string()),
        ("received_wire_bytes", received.wire_bytes.to_string()),
        ("received_payload_bytes", received.payload_bytes.to_string()),
        (
            "received_retransmitted_bytes",
            received.retransmitted_bytes.to_string(),
        ),
        ("received_retransmissions", received.retransmissions.to_string()),
        ("received_rtt_us", text(received.rtt.map(|rtt| rtt.srtt_us))),
        ("received_rtt_min_us", text(received.rtt.map(|rtt| rtt.min_us))),
        ("received_rtt_max_us", text(received.rtt.map(|rtt| rtt.max_us))),
    ]
}

/// The value; nothing where there is none.
fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn write_line(output: &mut impl Write, values: &[String]) -> io::Result<()> {
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

        write_head(&mut written).unwrap();
        write_record(&mut written, &connection).unwrap();

        let written = String::from_utf8(written).unwrap();
        let (head, line) = written.trim_end().split_once("\r\n").unwrap();
        assert!(head.starts_with("id,source_address,source_port,"), "{head}");
        assert!(line.starts_with("7,,,,,ORIENTATION_UNSPECIFIED,"), "{line}");
        assert!(line.contains(",\"a,b\",,,,0,,0,"), "{line}");
        assert_eq!(head.matches(',').count() + 1, line.matches(',').count());
    }
}
