//! The language as its users meet it: how texts are read, what is said of wrong ones, and what passes.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use proptest::prelude::*;
use tcpviewer_common::state::TcpState;

use super::*;
use crate::model::{
    CloseReason, Closed, Connection, Direction, Half, Handshake, LocalEnd, Orientation, Packet, Rtt,
};

/// Some time after all that the tests make.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

/// From 10.0.0.1:40000 to 192.168.1.2:443, ten minutes old, idle for one, RTT 60 ms.
fn connection() -> Connection {
    let rtt = Rtt {
        srtt_us: 60_000,
        rttvar_us: 5_000,
        min_us: 40_000,
        max_us: 90_000,
        last_us: 61_000,
        samples: 12,
    };
    Connection {
        id: 7,
        revision: 1,
        source: SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 40_000)),
        destination: SocketAddr::from((Ipv4Addr::new(192, 168, 1, 2), 443)),
        orientation: Orientation::Handshake,
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
        closed: None,
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
fn a_filter_is_read_as_its_whole_form_says() {
    for (text, whole) in [
        ("port == 443", "port == 443"),
        ("port=443", "port == 443"),
        ("  port  ==  443  ", "port == 443"),
        ("rtt>50ms&&rate>=1.5MB/s", "rtt > 50ms and rate >= 1500kB/s"),
        ("rtt > 0.05s", "rtt > 50ms"),
        ("rtt > 50000µs", "rtt > 50ms"),
        ("age > 90m and idle < 1min", "age > 90m and idle < 1m"),
        ("bytes > 65536 or bytes == 0", "bytes > 64KiB or bytes == 0B"),
        ("rate > 80Mbit/s", "rate > 10MB/s"),
        ("packets > 10k", "packets > 10000"),
        ("retransmission_rate > 1%", "retransmission_rate > 0.01"),
        ("port in {80,443, 8000-8080}", "port in {80, 443, 8000-8080}"),
        ("rtt in {1ms-5ms}", "rtt in {1ms-5ms}"),
        ("host in 10.0.0.0/8", "host in {10.0.0.0/8}"),
        ("host in {::1, fe80::/10}", "host in {::1, fe80::/10}"),
        ("src == ::ffff:10.0.0.1", "source.host == 10.0.0.1"),
        ("dst.port != 22", "destination.port != 22"),
        ("interface == eth0", "interface == \"eth0\""),
        ("interface contains 'a\"b'", "interface contains \"a\\\"b\""),
        (r#"interface ~ "^eth\d""#, r#"interface matches "^eth\\d""#),
        ("state == TIME_WAIT", "state == time-wait"),
        (
            "STATE IN {Established, FIN-WAIT1}",
            "state in {established, fin-wait-1}",
        ),
        ("has rtt", "has rtt"),
        ("rtt exists", "has rtt"),
        ("not closed", "not closed"),
        ("!closed", "not closed"),
        ("not not closed", "closed"),
        ("not (not closed)", "closed"),
        ("not ((closed))", "not closed"),
        ("not rtt > 5ms", "not (rtt > 5ms)"),
        ("closed and (ip6 and open)", "closed and ip6 and open"),
        ("closed or ip6 and open", "closed or (ip6 and open)"),
        ("(closed or ip6) and open", "(closed or ip6) and open"),
    ] {
        assert_eq!(read::<Connection>(text), whole, "{text}");
    }
}

#[test]
fn short_forms_are_read_as_tcpdump_reads_them() {
    for (text, whole) in [
        ("port 443", "port == 443"),
        ("src host 10.0.0.1", "source.host == 10.0.0.1"),
        ("src 10.0.0.1", "source.host == 10.0.0.1"),
        ("src 10.0.0.0/8", "source.host in {10.0.0.0/8}"),
        ("net 10.0.0.0/8", "host in {10.0.0.0/8}"),
        ("dst net 192.168", "destination.host in {192.168.0.0/16}"),
        ("net 10", "host in {10.0.0.0/8}"),
        ("host fe80::1", "host == fe80::1"),
        ("10.0.0.1", "host == 10.0.0.1"),
        ("tcp", "tcp"),
        ("ip6", "ip6"),
        ("tcp port 80", "tcp and port == 80"),
        ("ip src host 10.0.0.1", "ip and source.host == 10.0.0.1"),
        ("portrange 8000-8080", "port in {8000-8080}"),
        ("src or dst port 80", "port == 80"),
        (
            "src and dst port 80",
            "source.port == 80 and destination.port == 80",
        ),
        (
            "dst port 80 or 8080",
            "destination.port == 80 or destination.port == 8080",
        ),
        (
            "dst port (80 or 8080)",
            "destination.port == 80 or destination.port == 8080",
        ),
        (
            "host 10.0.0.1 or 10.0.0.2",
            "host == 10.0.0.1 or host == 10.0.0.2",
        ),
        (
            "host 10.0.0.1 and 10.0.0.2",
            "host == 10.0.0.1 and host == 10.0.0.2",
        ),
        // The manual's own example: not "neither of the two".
        (
            "not host 10.0.0.1 and 10.0.0.2",
            "not (host == 10.0.0.1) and host == 10.0.0.2",
        ),
        ("not port 80 or 8080", "not (port == 80) or port == 8080"),
        (
            "port 80 or 8080 and host 10.0.0.1",
            "(port == 80 or port == 8080) and host == 10.0.0.1",
        ),
        (
            "port 80 and host 10.0.0.1 or port 81",
            "(port == 80 and host == 10.0.0.1) or port == 81",
        ),
        ("host 10.0.0.1 or port 80", "host == 10.0.0.1 or port == 80"),
        ("port 443 and rtt > 50ms", "port == 443 and rtt > 50ms"),
    ] {
        assert_eq!(read::<Connection>(text), whole, "{text}");
    }
}

#[test]
fn a_wrong_filter_is_refused_with_the_place_and_what_was_expected() {
    for (text, error) in [
        (
            "",
            "column 1: expected a condition, such as `rtt > 50ms` or `port 443`, the filter ends here",
        ),
        ("rtt >", "column 6: expected a value, the filter ends here"),
        ("rtt > and", "column 7: expected a value, found `and`"),
        (
            "port == 443 rtt",
            "column 13: expected `and`, `or` or the end of the filter, found `rtt`",
        ),
        (
            "(port == 443",
            "column 13: expected `and`, `or` or `)`, the filter ends here",
        ),
        (
            "port == 443)",
            "column 12: expected `and`, `or` or the end of the filter, found `)`",
        ),
        ("port in {80, }", "column 14: expected a value, found `}`"),
        ("port in {80 443}", "column 13: expected `,` or `}`, found `443`"),
        (
            "prot == 443",
            "column 1: connections have no field `prot`; did you mean `port`?",
        ),
        (
            "process == \"nginx\"",
            "column 1: connections have no field `process`",
        ),
        ("has tor", "column 5: connections have no field `tor`"),
        (
            "rtt > 50",
            "column 7: expected a time with its unit, such as `50ms` or `5m`, found `50`",
        ),
        (
            "ätt > 5",
            "column 1: connections have no field `ätt`; did you mean `rtt`?",
        ),
        (
            "rate > \"ä\" and rtt",
            "column 8: expected bytes per second, such as `10MB/s` or `80Mbit/s`, found `ä`",
        ),
        (
            "closed and port == 70000",
            "column 20: expected a port, 0 to 65535; names are not looked up, found `70000`",
        ),
        (
            "port https",
            "column 6: expected a port, as in `port 443` or `port in {80, 443}`, found `https`",
        ),
        (
            "port",
            "column 5: expected a port, as in `port 443` or `port in {80, 443}`, the filter ends here",
        ),
        (
            "host example.org",
            "column 6: expected an address, as in `host 10.0.0.1`; names are not looked up, found `example.org`",
        ),
        (
            "host == 10.0.0.0/8",
            "column 9: expected an address; for a network write `in`, as in `host in 10.0.0.0/8`, found `10.0.0.0/8`",
        ),
        (
            "net 10.0.0.1/8",
            "column 5: `10.0.0.1/8` has bits beyond its prefix; did you mean `10.0.0.0/8`?",
        ),
        (
            "net 300",
            "column 5: expected a network, as in `net 10.0.0.0/8`, found `300`",
        ),
        (
            "port in {80-70}",
            "column 10: the range `80-70` ends before it begins",
        ),
        (
            "443",
            "column 1: expected a field before a number, as in `port 443`, found `443`",
        ),
        (
            "port 80 or 10.0.0.1",
            "column 12: expected a port as before; for an address write `host` before it, found `10.0.0.1`",
        ),
        (
            "state == establishd",
            "column 10: `establishd` is not one of closed, listen, syn-sent, syn-received, established, fin-wait-1, fin-wait-2, close-wait, closing, last-ack, time-wait; did you mean `established`?",
        ),
        (
            "state > closed",
            "column 1: `state` is a word and has no order: use `==`, `!=` or `in`",
        ),
        (
            "rtt",
            "column 1: `rtt` needs a comparison, as in `rtt > 50ms`, or `has rtt`",
        ),
        (
            "closed == true",
            "column 1: `closed` is yes or no: write `closed` or `not closed`",
        ),
        (
            "rtt contains 5",
            "column 1: `contains` is for names, and `rtt` is a time",
        ),
        (
            "interface ~ \"(\"",
            "column 13: expected a regular expression: unclosed group",
        ),
        (
            "interface ~ \"\\w{1000}\"",
            "column 13: the regular expression needs more than 131072 bytes",
        ),
        ("interface == \"eth0", "column 14: the quote \" is not closed"),
        (
            "\"eth0\"",
            "column 1: expected a field: a text stands to the right of one, as in `interface == \"eth0\"`, found `\"`",
        ),
        (
            "port 80 or port 81 and host 10.0.0.1",
            "column 20: put parentheses: tcpdump would read `A or B and C` as `(A or B) and C`, other languages as `A or (B and C)`",
        ),
        (
            "rtt > 99999999999d",
            "column 7: expected a time with its unit, such as `50ms` or `5m`, found `99999999999d`",
        ),
        (
            "rtt > 0.1ns",
            "column 7: expected a time with its unit, such as `50ms` or `5m`, found `0.1ns`",
        ),
    ] {
        let refused = Filter::<Connection>::parse(text).expect_err(text);
        assert_eq!(refused.to_string(), error, "{text}");
    }
    let refused = Filter::<Packet>::parse("rtt > 5ms").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "column 1: packets have no field `rtt`; did you mean `rst`?"
    );
}

#[test]
fn the_pointer_stands_under_what_is_wrong() {
    let text = "\tport == 443 and prot == 80";

    let refused = Filter::<Connection>::parse(text).unwrap_err();

    assert_eq!(
        refused.pointer(text),
        "\u{fffd}port == 443 and prot == 80\n                 ^^^^"
    );
}

#[test]
fn a_filter_beyond_the_limits_is_refused_and_never_overflows_the_stack() {
    let check = |text: &str, problem: &str| {
        let error = Filter::<Connection>::parse(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    };

    check(
        &"(".repeat(4096),
        "column 33: more than 32 parentheses within each other",
    );
    check(
        &"(!".repeat(2048),
        "column 65: more than 32 parentheses within each other",
    );
    check(&"port ".repeat(819), "column 6: expected a port");
    check(
        &"ä".repeat(2049),
        "the filter has 4098 bytes, at most 4096 are allowed",
    );
    check(
        &["interface ~ x"; 9].join(" or "),
        "more than 8 regular expressions",
    );
    let long_name = "x".repeat(4096);
    let expected = format!("column 1: connections have no field `{}…`", &long_name[..48]);
    check(&long_name, &expected);
    let deep = format!("{}closed{}", "(".repeat(32), ")".repeat(32));
    assert_eq!(read::<Connection>(&deep), "closed");
    let nots = format!("{}closed", "!".repeat(4089));
    assert_eq!(read::<Connection>(&nots), "not closed");
    let long = ["closed"; 400].join(" or ");
    assert_eq!(read::<Connection>(&long), long);
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
        ("", "column 1: connections have no field ``"),
        (
            "rtt down",
            "column 5: expected `asc`, `desc` or the end, found `down`: an order has one field",
        ),
        (
            "rtt desc, id",
            "column 5: expected `asc`, `desc` or the end, found `desc,`: an order has one field",
        ),
        (
            "rat desc",
            "column 1: connections have no field `rat`; did you mean `rate`?",
        ),
        (
            "port",
            "column 1: `port` is of two ends: order by `source.port` or `destination.port`",
        ),
    ] {
        let error = Order::<Connection>::parse(text).unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
}

#[test]
fn names_of_fields_are_there_once_and_are_words_of_the_language() {
    fn check<T: Subject>() {
        let mut names: Vec<_> = Field::<T>::all().map(|field| field.name).collect();
        for name in &names {
            let written = [(*name).to_owned(), format!("has {name}")];
            let readable =
                written.map(|text| Filter::<T>::parse(&text).is_ok_and(|filter| filter.to_string() == text));
            assert!(readable.contains(&true), "{name}");
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    check::<Connection>();
    check::<Packet>();
}

#[test]
fn an_explanation_has_the_whole_form_and_says_where_it_runs() {
    let explained = explain("dst port 80 or 8080 and idle > 5m").unwrap();

    assert_eq!(
        explained,
        "connections: (destination.port == 80 or destination.port == 8080) and idle > 5m
  all of
    any of
      destination.port == 80    (port of the end that was connected to)
      destination.port == 8080    (port of the end that was connected to)
    idle > 5m    (time since the newest packet)

packets: cannot be asked, column 25: packets have no field `idle`

runs in the daemon, on every connection or packet that the kernel reports; nothing of it runs in the kernel
looks at all connections once per second: the passing of time changes the answer"
    );
    assert!(
        explain("syn")
            .unwrap()
            .starts_with("connections: cannot be asked")
    );
    assert_eq!(explain("rtt > 5").unwrap_err().column(), 7);
}

/// The page that documents the language.
const PAGE: &str = include_str!("../../docs/filter.md");

#[test]
fn the_page_lists_all_fields_as_they_are() {
    for (heading, table) in [
        ("## Fields of connections", fields_table::<Connection>()),
        ("## Fields of packets", fields_table::<Packet>()),
    ] {
        let (_before, section) = PAGE.split_once(heading).unwrap();
        let section = section.split("\n## ").next().unwrap();
        assert_eq!(section.trim(), table, "as `tcpviewer filter fields` has it");
    }
}

#[test]
fn every_example_of_the_page_is_a_filter() {
    let examples = |fence: &str| -> Vec<&str> {
        let (_before, block) = PAGE.split_once(&format!("```{fence}\n")).unwrap();
        block.split("```").next().unwrap().lines().collect()
    };

    for example in examples("filter") {
        read::<Connection>(example);
    }
    for example in examples("filter-packets") {
        read::<Packet>(example);
    }
    assert!(examples("filter").len() > 10 && examples("filter-packets").len() > 3);
}

/// A condition on a field that fits its type.
fn condition() -> impl Strategy<Value = String> {
    let fields: Vec<_> = Field::<Connection>::all().collect();
    let number = prop_oneof![any::<u64>(), 0..100_000_u64];
    (
        prop::sample::select(fields),
        0..6_usize,
        number,
        any::<IpAddr>(),
        ".{0,8}",
    )
        .prop_map(|(field, variant, number, address, text)| {
            let name = field.name;
            let sign = ["==", "!=", "<", "<=", ">", ">="][variant];
            let equality = ["==", "!=", "in"][variant % 3];
            let small = number % 100_000;
            match field.kind() {
                "yes or no" => name.to_owned(),
                "address" => format!("{name} {equality} {address}"),
                "port" => format!("{name} in {{{}, {}-65535}}", small % 65_536, number % 65_536),
                "number" => format!("{name} {sign} {number}"),
                "bytes" | "bytes per second" => {
                    format!(
                        "{name} {sign} {small}{}",
                        ["", "kB", "MiB", "GB", "B", "KiB"][variant]
                    ) + if field.kind() == "bytes" || variant == 0 {
                        ""
                    } else {
                        "/s"
                    }
                }
                "time" => format!("{name} in {{{small}us-{small}ms, {small}h}}"),
                "share" => format!("{name} {sign} {small}.{small}%"),
                "word" => format!("has {name}"),
                _ => {
                    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                    format!("{name} {} \"{text}\"", ["==", "!=", "contains"][variant % 3])
                }
            }
        })
}

fn filter() -> impl Strategy<Value = String> {
    condition().prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

/// Text made of the pieces of the language, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "(",
        ")",
        "{",
        "}",
        ",",
        "not",
        "!",
        "and",
        "or",
        "&&",
        "||",
        "in",
        "has",
        "==",
        "<",
        "~",
        "port",
        "host",
        "net",
        "src",
        "dst",
        "ip6",
        "80",
        "8000-8080",
        "10.0.0.1",
        "10.0.0.0/8",
        "rtt",
        "50ms",
        "\"",
        "'",
        "\\",
        "ä",
        "interface",
        "contains",
        "matches",
        "closed",
        "%",
        "state",
        "established",
    ]);
    prop::collection::vec((piece, prop_oneof![Just(" "), Just("")]), 0..24).prop_map(|pieces| {
        pieces
            .into_iter()
            .flat_map(|(piece, space)| [piece, space])
            .collect()
    })
}

proptest! {
    #[test]
    fn a_filter_that_is_written_out_is_read_as_the_same(text in filter()) {
        prop_assume!(text.len() <= MAX_TEXT_BYTES);
        let whole = read::<Connection>(&text);
        prop_assume!(whole.len() <= MAX_TEXT_BYTES);
        let connection = connection();

        prop_assert_eq!(&read::<Connection>(&whole), &whole, "{}", text);
        prop_assert_eq!(passes(&text, &connection), passes(&whole, &connection));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in prop_oneof![any::<String>(), pieces()]) {
        let connections = Filter::<Connection>::parse(&text);
        let packets = Filter::<Packet>::parse(&text);
        let order = Order::<Connection>::parse(&text);

        for error in [connections.as_ref().err(), packets.as_ref().err(), order.as_ref().err()].into_iter().flatten() {
            prop_assert!(error.column() <= text.chars().count() + 1);
            prop_assert!(error.pointer(&text).ends_with('^'));
        }
        if let Ok(filter) = connections {
            filter.matches(&connection(), now());
            let whole = filter.to_string();
            prop_assert_eq!(Filter::<Connection>::parse(&whole).unwrap().to_string(), whole);
        }
    }
}
