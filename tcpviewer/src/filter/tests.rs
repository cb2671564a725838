//! The language as its users meet it. Here: what passes, and in which order.

mod reading;
mod wrong;
mod worst;
mod page;
mod pushdown;
mod properties;

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tcpviewer_common::state::TcpState;

use super::*;
use crate::model::{
    Cause, CloseReason, Closed, Connection, Direction, EvidenceList, Half, Handshake, LocalEnd, Packet, Rtt,
    RttSource, Verdict, VerdictKind, sample,
};

/// Some time after all that the tests make.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

/// From 10.0.0.1:40000 to 192.168.1.2:443, ten minutes old, idle for one, RTT 60 ms.
fn connection() -> Connection {
    let rtt = Rtt {
        source: RttSource::Wire,
        srtt_us: 60_000,
        rttvar_us: Some(5_000),
        min_us: 40_000,
        max_us: Some(90_000),
        last_us: Some(61_000),
        samples: Some(12),
    };
    Connection {
        id: 7,
        source: SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 40_000)),
        destination: SocketAddr::from((Ipv4Addr::new(192, 168, 1, 2), 443)),
        local_end: Some(LocalEnd::Source),
        source_state: TcpState::FinWait1,
        destination_state: TcpState::CloseWait,
        interface: "eth0".into(),
        sent: Half {
            packets: 90,
            payload_bytes: 9_000_000,
            retransmissions: 2,
            payload_bytes_per_second: 2_000_000,
            window_bytes: Some(65_536),
            rtt: Some(rtt),
            ..Half::default()
        },
        received: Half {
            packets: 10,
            payload_bytes: 1_000_000,
            ..Half::default()
        },
        handshake: Handshake {
            syn_to_syn_ack_us: Some(59_000),
            ..Handshake::default()
        },
        first_seen: now() - Duration::from_secs(600),
        last_seen: now() - Duration::from_secs(60),
        ..sample::connection()
    }
}

fn packet() -> Packet {
    Packet {
        timestamp: now(),
        connection_id: 7,
        source: SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 40_000)),
        destination: SocketAddr::from((Ipv4Addr::new(192, 168, 1, 2), 443)),
        interface: "eth0".into(),
        direction: Direction::Egress,
        flags: 0x12,
        seq: 17,
        ack: Some(18),
        window: 1_000,
        payload_bytes: 1_460,
        wire_packets: 3,
        retransmission: true,
        headers: None,
    }
}

/// What the text is read as, the whole form.
fn read<T: Subject>(text: &str) -> String {
    Filter::<T>::parse(text)
        .unwrap_or_else(|error| panic!("{error}\n{}", error.pointer(text)))
        .to_string()
}

fn passes(text: &str, connection: &Connection) -> bool {
    Filter::parse(text)
        .unwrap_or_else(|error| panic!("{error}\n{}", error.pointer(text)))
        .matches(connection, now())
}

#[test]
fn a_connection_passes_what_holds_for_it() {
    let connection = connection();
    for (text, expected) in [
        ("port == 443", true),
        ("port == 40000", true),
        ("source.port == 443", false),
        ("local.port == 40000 and remote.port == 443", true),
        ("host in 10.0.0.0/8", true),
        ("not host in 10.0.0.0/8", false),
        ("remote.host in {10.0.0.0/8, 192.168.1.2}", true),
        ("host in ::/0", false),
        // Neither end is it, rather than: one of them is not.
        ("port != 443", false),
        ("port != 80", true),
        ("port in {80, 400-500}", true),
        ("port > 40000", false),
        ("rtt > 50ms", true),
        ("rtt > 60ms", false),
        ("rtt >= 60ms", true),
        ("rtt.min < 50ms and rtt.samples == 12", true),
        ("received.rtt > 0ms", false),
        ("has sent.rtt and not has received.rtt", true),
        ("handshake.syn_to_syn_ack in {50ms-60ms}", true),
        ("bytes == 10MB and sent.bytes == 9MB", true),
        ("sent.window == 64KiB", true),
        ("retransmission_rate == 2%", true),
        ("sent.retransmission_rate > 2.3%", false),
        ("rate == 16Mbit/s", true),
        ("age == 10m and idle == 60s", true),
        ("idle > 1m", false),
        ("state == fin-wait-1 and destination.state == close-wait", true),
        ("interface contains th", true),
        ("interface ~ '^th'", false),
        ("interface ~ '^(eth|en)'", true),
        ("open and not closed and ip and tcp and not ip6", true),
        ("local_end == source and orientation == handshake", true),
        ("id == 7", true),
    ] {
        assert_eq!(passes(text, &connection), expected, "{text}");
    }
}

#[test]
fn what_was_not_measured_passes_no_comparison_and_so_passes_their_opposite() {
    let unmeasured = Connection {
        local_end: None,
        source_state: TcpState::Unknown,
        sent: Half::default(),
        received: Half::default(),
        ..connection()
    };
    for (text, expected) in [
        ("rtt > 0ms", false),
        ("rtt <= 5m", false),
        ("rtt == 1ms", false),
        ("rtt != 1ms", false),
        ("rtt in {0ms-10d}", false),
        ("not (rtt > 5ms)", true),
        ("has rtt", false),
        ("not has rtt", true),
        ("retransmission_rate < 100%", false),
        ("state == closed", false),
        ("state != closed", false),
        ("remote.host in 0.0.0.0/0", false),
        ("sent.window != 5B", false),
        ("close_reason != fin", false),
        // A counter that was not raised is 0, and measured.
        ("packets == 0", true),
    ] {
        assert_eq!(passes(text, &unmeasured), expected, "{text}");
    }
}

#[test]
fn an_ended_connection_has_the_age_of_its_end() {
    let ended = Connection {
        closed: Some(Closed {
            at: now() - Duration::from_secs(60),
            reason: CloseReason::Refused,
        }),
        ..connection()
    };

    assert!(passes(
        "age == 9m and closed and close_reason == refused and not open",
        &ended
    ));
}

#[test]
fn a_packet_passes_what_holds_for_it() {
    let packet = packet();
    for (text, expected) in [
        ("syn and ack and not fin", true),
        ("rst or psh or urg or ece or cwr", false),
        ("src port 40000 and dst net 192.168", true),
        ("direction == egress", true),
        ("ack_number == 18 and seq_number == 17", true),
        ("bytes > 1kB and wire_packets in {2-5} and window == 1000", true),
        ("connection == 7 and retransmission", true),
        ("interface != eth0", false),
    ] {
        let filter = Filter::<Packet>::parse(text).unwrap();
        assert_eq!(filter.matches(&packet, now()), expected, "{text}");
    }
    let without_ack = Packet { ack: None, ..packet };
    assert!(
        !Filter::parse("ack_number >= 0")
            .unwrap()
            .matches(&without_ack, now())
    );
}

#[test]
fn only_ages_and_idle_times_change_by_themselves() {
    for (text, expected) in [
        ("rtt > 5ms and port 443", false),
        ("closed or not (port 443 and idle > 5m)", true),
        ("age < 5s", true),
    ] {
        assert_eq!(
            Filter::<Connection>::parse(text).unwrap().depends_on_time(),
            expected
        );
    }
}

#[test]
fn the_gravest_verdict_comes_first_and_the_older_one_of_two() {
    let with_verdict = |(id, cause, seconds): (u64, Option<Cause>, u64)| {
        let verdict = Verdict {
            kind: cause.map_or(VerdictKind::Healthy, |_cause| VerdictKind::Network),
            cause,
            end: None,
            since: now() - Duration::from_secs(seconds),
            evidence: EvidenceList::default(),
        };
        Connection {
            id,
            verdict: Some(verdict),
            ..connection()
        }
    };
    let mut connections = [
        (1, None, 500),
        (2, Some(Cause::RoundTrip), 90),
        (3, Some(Cause::Loss), 5),
        (4, Some(Cause::NotReading), 6),
        (5, Some(Cause::Refused), 1),
        (6, Some(Cause::NotClosing), 400),
        (7, Some(Cause::NotSending), 30),
    ]
    .map(with_verdict)
    .to_vec();
    connections.push(Connection {
        id: 8,
        ..connection()
    });
    let check = |order: &str, expected: [u64; 8]| {
        let order = Order::<Connection>::parse(order).unwrap();
        let mut sorted = connections.clone();
        sorted.sort_by_key(|connection| order.key(connection, now()));
        let ids: Vec<_> = sorted.iter().map(|connection| connection.id).collect();
        assert_eq!(ids, expected);
        assert!(!order.depends_on_time());
    };

    check("verdict.severity desc", [5, 4, 3, 7, 2, 6, 1, 8]);
    check("verdict.severity", [1, 6, 2, 7, 3, 4, 5, 8]);
    let grave = |text: &str| connections.iter().filter(|each| passes(text, each)).count();
    assert_eq!(grave("verdict.severity >= 4"), 3);
    assert_eq!(grave("verdict.severity == 0"), 1);
    assert_eq!(grave("verdict.severity in 2-3"), 2);
}

#[test]
fn an_order_puts_what_was_not_measured_last() {
    let with_rtt = |srtt_us: Option<u32>| {
        let connection = connection();
        let rtt = connection.sent.rtt.zip(srtt_us);
        let rtt = rtt.map(|(rtt, srtt_us)| Rtt { srtt_us, ..rtt });
        let sent = Half {
            rtt,
            ..connection.sent
        };
        Connection { sent, ..connection }
    };
    let check = |order: &str, expected: [Option<u32>; 3]| {
        let order = Order::<Connection>::parse(order).unwrap();
        let mut connections = [Some(5), None, Some(7)].map(with_rtt);
        connections.sort_by_key(|connection| order.key(connection, now()));
        assert_eq!(
            connections.map(|connection| connection.rtt().map(|rtt| rtt.srtt_us)),
            expected
        );
    };

    check("rtt", [Some(5), Some(7), None]);
    check("rtt asc", [Some(5), Some(7), None]);
    check(" rtt  DESC ", [Some(7), Some(5), None]);
    for (text, problem) in [
        (
            "",
            "column 1: expected a field of connections, found an empty text",
        ),
        (
            "rtt down",
            "column 5: expected `asc`, `desc` or the end, found `down`; an order has one field",
        ),
        (
            "rtt desc, id",
            "column 5: expected `asc`, `desc` or the end, found `desc,`; an order has one field",
        ),
        (
            "rat desc",
            "column 1: expected a field of connections, found `rat`; did you mean `rate`?",
        ),
        (
            "port",
            "column 1: expected a field of one end, `source.port` or `destination.port`, found `port`",
        ),
    ] {
        let error = Order::<Connection>::parse(text).unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
}
