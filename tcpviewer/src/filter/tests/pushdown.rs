//! The kernel's part of a filter lets pass at least what the filter does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use proptest::prelude::*;
use tcpviewer_common::{
    packet_filter::PacketFilter,
    segment::{Address, Ecn, Flags, Segment, SynOptions},
};

use super::{super::*, connection, now, packet};
use crate::model::{Connection, Packet};

/// The packet as the kernel sees it.
fn segment(packet: &Packet) -> Segment {
    let address = |end: SocketAddr| -> Address {
        match end.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        }
    };
    Segment {
        source: address(packet.source),
        destination: address(packet.destination),
        source_port: packet.source.port().to_be_bytes(),
        destination_port: packet.destination.port().to_be_bytes(),
        seq: packet.seq,
        ack: packet.ack.unwrap_or_default(),
        payload_bytes: packet.payload_bytes,
        link_bytes: 14,
        header_bytes: 54,
        wire_bytes: 54 + packet.payload_bytes,
        wire_packets: packet.wire_packets,
        window: packet.window,
        flags: Flags(packet.flags),
        ecn: Ecn(0),
        options: SynOptions::default(),
    }
}

fn kernel_filter(text: &str) -> PacketFilter {
    pushdown(&Filter::<Packet>::parse(text).unwrap())
}

#[test]
fn what_the_headers_tell_is_checked_in_the_kernel() {
    // 10.0.0.1:40000 to 192.168.1.2:443 with SYN and ACK, of connection 7.
    for (text, expected) in [
        ("port 443", true),
        ("port 80", false),
        ("src port 443", false),
        ("dst port 443 and src net 10.0.0.0/8", true),
        ("dst net 10.0.0.0/8", false),
        ("host 10.0.0.1 and host 192.168.1.2", true),
        ("host 10.0.0.2", false),
        ("port in {80, 8080}", false),
        ("port in {80, 440-450}", true),
        ("port 80 or port 443", true),
        ("syn and ack", true),
        ("syn and not ack", false),
        ("connection == 7", true),
        ("connection == 8", false),
        ("window > 2000 and port 80", false),
        // What the kernel cannot check, it lets pass.
        ("window > 2000", true),
        ("window > 2000 or port 80", true),
        ("not port 443", true),
        ("port in {1, 2, 3, 4, 5}", true),
    ] {
        assert_eq!(
            kernel_filter(text).admits(&segment(&packet()), 7),
            expected,
            "{text}"
        );
    }
}

#[test]
fn several_watchers_get_what_each_of_them_wants() {
    let filters = ["port 80", "port 443 and syn", "port 80"].map(kernel_filter);

    let all = union(&filters);

    assert_eq!(all.count, 2, "a clause is there once");
    assert!(all.admits(&segment(&packet()), 7));
    assert_eq!(union(&[]), PacketFilter::NONE);
    let many: Vec<_> = (1..=5)
        .map(|port| kernel_filter(&format!("port {port}")))
        .collect();
    assert_eq!(union(&many), PacketFilter::ALL, "too many for the kernel");
    let narrowed = intersection(&kernel_filter("port 443"), &of_connection(8));
    assert!(!narrowed.admits(&segment(&packet()), 7));
    assert!(narrowed.admits(&segment(&packet()), 8));
}

#[test]
fn of_connections_the_kernel_checks_what_holds_for_packets_both_ways() {
    for (text, expected) in [
        ("port 443", true),
        ("port 80", false),
        // What is the source of the connection receives as well.
        ("src port 443", true),
        ("local.host in 10.0.0.0/8 and remote.port == 443", true),
        ("remote.host == 10.0.0.2", false),
        ("id == 7", true),
        ("id == 8", false),
        ("rtt > 5ms and port 80", false),
        ("rtt > 5ms", true),
        ("closed or port 80", true),
    ] {
        let filter = pushdown(&Filter::<Connection>::parse(text).unwrap());
        assert_eq!(filter.admits(&segment(&packet()), 7), expected, "{text}");
    }
}

const OF_BOTH: &[&str] = &["ip", "ip6", "tcp"];
const OF_PACKETS: &[&str] = &[
    "syn",
    "ack",
    "fin",
    "ip",
    "ip6",
    "tcp",
    "retransmission",
    "window > 2",
];

/// Conditions of packets; these words hold or not by themselves.
fn condition(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    let end = || prop::sample::select(vec!["", "source.", "destination."]);
    prop_oneof![
        (
            end(),
            0_u16..6,
            prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="])
        )
            .prop_map(|(end, port, sign)| format!("{end}port {sign} {port}")),
        (end(), 0_u16..6, 0_u16..6)
            .prop_map(|(end, one, other)| format!("{end}port in {{{one}, {other}-5}}")),
        (end(), 0_u8..4).prop_map(|(end, host)| format!("{end}host == 10.0.0.{host}")),
        (end(), 0_u8..4, 24_u8..=32).prop_map(|(end, host, bits)| {
            let network =
                Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 0, 0, host)) >> (32 - bits) << (32 - bits));
            format!("{end}host in {{{network}/{bits}, ::1}}")
        }),
        prop::sample::select(words).prop_map(str::to_owned),
        (0_u64..3).prop_map(|id| format!("connection == {id}")),
    ]
}

fn texts(words: &'static [&'static str]) -> impl Strategy<Value = String> {
    condition(words).prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
            inner.prop_map(|part| format!("not ({part})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_kernel_lets_pass_all_that_a_watcher_wants(
        text in texts(OF_PACKETS),
        other in texts(OF_PACKETS),
        ports in (0_u16..6, 0_u16..6),
        hosts in (0_u8..4, 0_u8..4),
        flags in any::<u8>(),
        connection_id in 1_u64..3,
    ) {
        let packet = Packet {
            source: SocketAddr::from((Ipv4Addr::new(10, 0, 0, hosts.0), ports.0)),
            destination: SocketAddr::from((Ipv4Addr::new(10, 0, 0, hosts.1), ports.1)),
            flags,
            connection_id,
            ..packet()
        };
        let (filter, kernel) = (Filter::parse(&text).unwrap(), kernel_filter(&text));
        let seen = segment(&packet);
        if filter.matches(&packet, now()) {
            prop_assert!(kernel.admits(&seen, connection_id), "{text}: {kernel:?}");
            let with_other = union(&[kernel_filter(&other), kernel]);
            prop_assert!(with_other.admits(&seen, connection_id), "{text} beside {other}");
            let narrowed = intersection(&kernel, &of_connection(connection_id));
            prop_assert!(narrowed.admits(&seen, connection_id), "{text} of a connection");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_kernel_lets_pass_all_packets_of_the_connections_that_are_wanted(
        text in texts(OF_BOTH),
        ports in (0_u16..6, 0_u16..6),
        hosts in (0_u8..4, 0_u8..4),
        flags in any::<u8>(),
        id in 1_u64..3,
    ) {
        let text = text.replace("connection ==", "id ==");
        let end = |host, port| SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), port));
        let (one, other) = (end(hosts.0, ports.0), end(hosts.1, ports.1));
        let connection = Connection { id, source: one, destination: other, ..connection() };
        let filter = Filter::<Connection>::parse(&text).unwrap();
        if filter.matches(&connection, now()) {
            let kernel = pushdown(&filter);
            for (source, destination) in [(one, other), (other, one)] {
                let seen = segment(&Packet { source, destination, flags, ..packet() });
                prop_assert!(kernel.admits(&seen, id), "{text}: {kernel:?}");
            }
        }
    }
}
