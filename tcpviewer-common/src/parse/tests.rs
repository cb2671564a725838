//! Packets written out byte by byte, whole, cut and contradictory.

use super::*;

const TCP: [u8; 20] = [
    0x9c, 0x40, 0, 80, 0, 0, 0, 100, 0, 0, 1, 244, 0x50, 0x18, 0x03, 0xe8, 0, 0, 0, 0,
];

fn ipv4(options: &[u8], tcp: &[u8], payload: usize) -> Vec<u8> {
    let header = 20 + options.len();
    let total = (header + tcp.len() + payload) as u16;
    let mut bytes = vec![0x40 | (header / 4) as u8, 0];
    bytes.extend(total.to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend(options);
    bytes.extend(tcp);
    bytes.extend(vec![0xaa; payload]);
    bytes
}

fn ipv6(chain: &[(u8, Vec<u8>)], tcp: &[u8]) -> Vec<u8> {
    let payload: usize = chain.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() + tcp.len();
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload as u16).to_be_bytes());
    bytes.extend([chain.first().map_or(6, |(kind, _)| *kind), 64]);
    bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    for (index, (_, extension)) in chain.iter().enumerate() {
        let mut extension = extension.clone();
        extension[0] = chain.get(index + 1).map_or(6, |(kind, _)| *kind);
        bytes.extend(extension);
    }
    bytes.extend(tcp);
    bytes
}

fn ethernet(tags: &[u16], kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2; 12];
    for tag in tags {
        bytes.extend(tag.to_be_bytes());
        bytes.extend([0, 5]);
    }
    bytes.extend(kind.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn read(bytes: &[u8], link: Link) -> Result<Segment, Skip> {
    parse(
        &Captured {
            bytes,
            length: bytes.len(),
        },
        link,
    )
}

#[test]
fn the_numbers_of_a_plain_segment_are_read() {
    let segment = read(&ethernet(&[], 0x0800, &ipv4(&[], &TCP, 7)), Link::Ethernet).unwrap();
    assert_eq!(
        (segment.source, segment.destination),
        (mapped([10, 0, 0, 1]), mapped([10, 0, 0, 2]))
    );
    assert_eq!(
        (segment.source_port, segment.destination_port),
        ([0x9c, 0x40], [0, 80])
    );
    assert_eq!((segment.seq, segment.ack, segment.window), (100, 500, 1000));
    assert_eq!(
        (segment.payload_bytes, segment.header_bytes, segment.wire_bytes),
        (7, 54, 61)
    );
    assert_eq!(segment.flags, Flags(0x18));
}

#[test]
fn ip_options_vlan_tags_and_bare_ip_are_stepped_over() {
    let packet = ipv4(&[1; 12], &TCP, 3);
    for (name, bytes, link) in [
        ("no link layer", packet.clone(), Link::None),
        ("ethernet", ethernet(&[], 0x0800, &packet), Link::Ethernet),
        ("one tag", ethernet(&[0x8100], 0x0800, &packet), Link::Ethernet),
        (
            "two tags",
            ethernet(&[0x88a8, 0x8100], 0x0800, &packet),
            Link::Ethernet,
        ),
    ] {
        let segment = read(&bytes, link).unwrap_or_else(|skip| panic!("{name}: {skip:?}"));
        assert_eq!((segment.seq, segment.payload_bytes), (100, 3), "{name}");
    }
}

#[test]
fn ipv6_extension_headers_are_stepped_over() {
    let hop = (0, vec![0, 0, 1, 4, 0, 0, 0, 0]);
    let options = (60, vec![0, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let first_fragment = (44, vec![0, 0, 0, 1, 0, 0, 0, 9]);
    for chain in [vec![], vec![hop.clone()], vec![hop, options, first_fragment]] {
        let segment = read(&ipv6(&chain, &TCP), Link::None).unwrap();
        assert_eq!(
            (segment.seq, segment.payload_bytes),
            (100, 0),
            "{} headers",
            chain.len()
        );
        assert_eq!(segment.source[15], 1);
    }
}

#[test]
fn options_of_a_syn_are_read_whatever_their_order() {
    let mut tcp = TCP.to_vec();
    tcp[12] = 0xa0;
    tcp[13] = 0x02;
    tcp.extend([1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 2, 4, 0x05, 0xb4]);
    let segment = read(&ipv4(&[], &tcp, 0), Link::None).unwrap();
    assert_eq!(
        segment.options,
        SynOptions {
            mss_bytes: 1460,
            window_scale_plus_1: 8,
            flags: SynOptions::SACK_PERMITTED | SynOptions::TIMESTAMPS,
        }
    );
}

#[test]
fn a_fast_open_cookie_is_seen_whether_it_is_asked_for_or_carried() {
    for (option, expected) in [
        (&[34, 2, 1, 1][..], true),
        (&[34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1], true),
        (&[34, 3, 1, 1], false),
    ] {
        let mut tcp = TCP.to_vec();
        tcp[12] = (5 + option.len() as u8 / 4) << 4;
        tcp[13] = 0x02;
        tcp.extend(option);
        let segment = read(&ipv4(&[], &tcp, 0), Link::None).unwrap();
        assert_eq!(segment.options.has(SynOptions::FAST_OPEN), expected, "{option:?}");
    }
}

#[test]
fn the_mark_of_congestion_is_read_from_either_ip_header() {
    let mut v4 = ipv4(&[], &TCP, 0);
    v4[1] = 0xfb;
    let mut v6 = ipv6(&[], &TCP);
    v6[0] = 0x6f;
    v6[1] = 0xbf;
    for packet in [v4, v6] {
        assert_eq!(read(&packet, Link::None).unwrap().ecn, Ecn::CE);
    }
    assert_eq!(read(&ipv4(&[], &TCP, 0), Link::None).unwrap().ecn, Ecn(0));
}

#[test]
fn broken_options_end_the_reading_and_nothing_else() {
    for options in [
        [2, 4, 5, 0xb4],
        [2, 0, 0, 0],
        [2, 40, 1, 1],
        [0, 2, 4, 5],
        [1, 1, 1, 2],
    ] {
        let mut tcp = TCP.to_vec();
        tcp[12] = 0x60;
        tcp[13] = 0x02;
        tcp.extend(options);
        assert!(read(&ipv4(&[], &tcp, 0), Link::None).is_ok(), "{options:?}");
    }
}

#[test]
fn what_is_no_tcp_segment_is_named() {
    let packet = ipv4(&[], &TCP, 0);
    let mut udp = packet.clone();
    udp[9] = 17;
    let mut fragment = packet.clone();
    fragment[7] = 2;
    let mut short_header = packet.clone();
    short_header[0] = 0x44;
    let mut long_header = packet.clone();
    long_header[32] = 0xf0;
    let later_fragment = (44, vec![0, 0, 0, 8, 0, 0, 0, 9]);
    for (name, bytes, link, skip) in [
        ("arp", ethernet(&[], 0x0806, &packet), Link::Ethernet, Skip::NotIp),
        ("no version", vec![0; 40], Link::None, Skip::NotIp),
        ("udp", udp, Link::None, Skip::NotTcp),
        ("fragment", fragment, Link::None, Skip::Fragment),
        (
            "ipv6 fragment",
            ipv6(&[later_fragment], &TCP),
            Link::None,
            Skip::Fragment,
        ),
        ("ip header of 16 bytes", short_header, Link::None, Skip::Malformed),
        (
            "tcp header past the end",
            long_header,
            Link::None,
            Skip::Malformed,
        ),
        ("nothing", vec![], Link::None, Skip::Truncated),
    ] {
        assert_eq!(read(&bytes, link), Err(skip), "{name}");
    }
}

#[test]
fn a_packet_cut_anywhere_is_read_or_named_and_never_panics() {
    let whole = ethernet(
        &[0x8100],
        0x86dd,
        &ipv6(&[(0, vec![0, 0, 1, 4, 0, 0, 0, 0])], &TCP),
    );
    for kept in 0..whole.len() {
        let cut = parse(
            &Captured {
                bytes: &whole[..kept],
                length: whole.len(),
            },
            Link::Ethernet,
        );
        assert_eq!(cut, Err(Skip::Truncated), "{kept} bytes kept");
    }
    assert!(read(&whole, Link::Ethernet).is_ok());
}

#[test]
fn a_super_packet_stands_for_what_the_network_will_carry() {
    let mut segment = read(&ipv4(&[], &TCP, 3000), Link::None).unwrap();
    segment.split(3, 1448);
    assert_eq!((segment.wire_packets, segment.wire_bytes), (3, 3040 + 2 * 40));
    let mut unchecked = read(&ipv4(&[], &TCP, 3000), Link::None).unwrap();
    unchecked.split(0, 1448);
    assert_eq!(unchecked.wire_packets, 3);
}

#[test]
fn a_tag_beside_the_frame_is_in_every_packet_on_the_wire() {
    let mut segment = read(&ipv4(&[], &TCP, 3000), Link::None).unwrap();
    segment.tag();
    segment.split(3, 1448);
    assert_eq!(segment.wire_bytes, 3044 + 2 * 44);
}
