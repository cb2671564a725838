//! How answers are written: JSON with the field names of the contract, and the words and numbers of the tables.
//! All output goes through a handle whose errors are returned; nothing is printed behind its back.

use std::{
    io::{BufWriter, Stdout, Write, stdout},
    sync::LazyLock,
    time::{Duration, SystemTime},
};

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use tcpviewer_common::state::TcpState;

use super::client::ClientError;
use crate::proto::{self, DESCRIPTORS};

static POOL: LazyLock<Result<DescriptorPool, String>> =
    LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).map_err(|error| error.to_string()));

const JSON: SerializeOptions = SerializeOptions::new()
    .use_proto_field_name(true)
    .stringify_64_bit_integers(false)
    .skip_default_fields(false);

/// The standard output, buffered.
pub(super) fn output() -> BufWriter<Stdout> {
    BufWriter::with_capacity(64 * 1024, stdout())
}

/// Writes a message of the contract (`name` without the package) as one line of JSON. Counters are there even
/// when they are 0; what was not measured is absent.
pub(super) fn write_json(
    output: &mut impl Write,
    name: &str,
    message: &impl Message,
) -> Result<(), ClientError> {
    let pool = POOL
        .as_ref()
        .map_err(|error| ClientError::Answer(error.clone()))?;
    let descriptor = pool
        .get_message_by_name(&format!("tcpviewer.v1.{name}"))
        .ok_or_else(|| ClientError::Answer(format!("no message {name} in the contract")))?;
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic
        .transcode_from(message)
        .map_err(|error| ClientError::Answer(error.to_string()))?;
    let mut serializer = serde_json::Serializer::new(&mut *output);
    dynamic
        .serialize_with_options(&mut serializer, &JSON)
        .map_err(|error| ClientError::Output(error.into()))?;
    output.write_all(b"\n")?;
    Ok(())
}

/// `address:port`, IPv6 in brackets.
pub(super) fn endpoint(endpoint: Option<&proto::Endpoint>) -> String {
    match endpoint {
        Some(endpoint) if endpoint.address.contains(':') => {
            format!("[{}]:{}", endpoint.address, endpoint.port)
        }
        Some(endpoint) => format!("{}:{}", endpoint.address, endpoint.port),
        None => "-".to_owned(),
    }
}

/// The processes at the ends that have one: `curl/71` opened it, `→ nginx/812` was connected to.
pub(super) fn processes(connection: &proto::Connection) -> String {
    let source = connection.source_process.as_ref().map(name);
    let destination = connection.destination_process.as_ref().map(name);
    match (source, destination) {
        (None, None) => "-".to_owned(),
        (Some(source), None) => source,
        (None, Some(destination)) => format!("→ {destination}"),
        (Some(source), Some(destination)) => format!("{source} → {destination}"),
    }
}

/// A process by its command and number.
pub(super) fn name(process: &proto::Process) -> String {
    format!("{}/{}", process.command, process.pid)
}

/// The name of a connection's state as RFC 9293 writes it; the numbers are the same on both sides.
pub(super) fn state(connection: &proto::Connection) -> &'static str {
    let state = TcpState::from_u8(connection.state.try_into().unwrap_or_default());
    if state == TcpState::Unknown {
        "-"
    } else {
        state.name()
    }
}

/// Where the cause lies of how a connection is, and what it is: `network: loss`, `healthy`.
pub(super) fn verdict(connection: &proto::Connection) -> String {
    let Some(verdict) = &connection.verdict else {
        return "-".to_owned();
    };
    match (kind_word(verdict), cause_word(verdict)) {
        (kind, None) => kind,
        (kind, Some(cause)) => format!("{kind}: {cause}"),
    }
}

/// The word of the filter language for where the cause lies.
pub(super) fn kind_word(verdict: &proto::Verdict) -> String {
    word(verdict.kind().as_str_name(), "VERDICT_KIND_")
}

/// The word of the filter language for the cause; `None` where nothing is wrong.
pub(super) fn cause_word(verdict: &proto::Verdict) -> Option<String> {
    (verdict.cause() != proto::VerdictCause::Unspecified)
        .then(|| word(verdict.cause().as_str_name(), "VERDICT_CAUSE_"))
}

/// The filter language writes the names of the contract so.
fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix)
        .to_ascii_lowercase()
        .replace('_', "-")
}

/// Microseconds, in the unit that suits them.
pub(super) fn microseconds(microseconds: u64) -> String {
    let value = microseconds as f64;
    match microseconds {
        0..1_000 => format!("{microseconds} µs"),
        1_000..10_000 => format!("{:.2} ms", value / 1e3),
        10_000..1_000_000 => format!("{:.1} ms", value / 1e3),
        _ => format!("{:.2} s", value / 1e6),
    }
}

/// Bytes, in the binary unit that suits them.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut unit = units.next();
    while value >= 1023.95
        && let Some(larger) = units.next()
    {
        value /= 1024.0;
        unit = Some(larger);
    }
    format!("{value:.1} {}", unit.copied().unwrap_or_default())
}

/// A time span in its two largest units.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min {} s", seconds % 60),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// The time from one moment to another; `-` where one is missing.
pub(super) fn between(start: Option<prost_types::Timestamp>, end: Option<prost_types::Timestamp>) -> String {
    let moment = |stamp: Option<prost_types::Timestamp>| SystemTime::try_from(stamp?).ok();
    match moment(start).zip(moment(end)) {
        Some((start, end)) => span(end.duration_since(start).unwrap_or_default()),
        None => "-".to_owned(),
    }
}

/// Text of the network or of the daemon, safe for a terminal: control characters are replaced.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_the_unit_that_suits_them() {
        for (value, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(value), expected);
        }
        for (value, expected) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_234, "1.23 ms"),
            (45_600, "45.6 ms"),
            (2_500_000, "2.50 s"),
        ] {
            assert_eq!(microseconds(value), expected);
        }
        for (value, expected) in [
            (0, "0 s"),
            (61, "1 min 1 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(span(Duration::from_secs(value)), expected);
        }
    }

    #[test]
    fn ipv6_is_written_in_brackets() {
        let check = |address: &str, expected: &str| {
            let end = proto::Endpoint {
                address: address.into(),
                port: 443,
            };
            assert_eq!(endpoint(Some(&end)), expected);
        };

        check("10.0.0.1", "10.0.0.1:443");
        check("2001:db8::1", "[2001:db8::1]:443");
    }

    #[test]
    fn json_has_counters_that_are_0_and_leaves_out_what_was_not_measured() {
        let half = proto::Half {
            payload_bytes: u64::MAX,
            last_seq: Some(0),
            ..Default::default()
        };
        let connection = proto::Connection {
            id: 17,
            sent: Some(half),
            ..Default::default()
        };
        let mut line = Vec::new();

        write_json(&mut line, "Connection", &connection).unwrap();

        let json: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert!(line.ends_with(b"}\n"));
        assert_eq!(json["id"], 17);
        assert_eq!(json["sent"]["payload_bytes"], u64::MAX);
        assert_eq!(json["sent"]["retransmissions"], 0);
        assert_eq!(json["sent"]["last_seq"], 0);
        assert_eq!(json["state"], "TCP_STATE_UNSPECIFIED");
        assert_eq!(json["sent"].get("last_ack"), None);
        assert_eq!(json["sent"].get("rtt"), None);
        assert_eq!(json.get("handshake"), None);
        assert_eq!(json.get("closed_at"), None);
    }
}
