//! What holds for the bytes of any packet. In: the first byte chooses what the packet begins with, the next two say
//! how much longer it was on the wire, the rest is the packet.

use tcpviewer_common::{
    connection::{ConnectionKey, Side},
    parse::{Captured, Link, Skip, parse},
    segment::Segment,
};

/// Parses a packet, whole and cut.
pub(crate) fn check(data: &[u8]) {
    let Some((&[link, longer_high, longer_low], bytes)) = data.split_first_chunk() else {
        return;
    };
    let link = if link & 1 == 0 { Link::Ethernet } else { Link::None };
    let length = bytes.len() + usize::from(u16::from_be_bytes([longer_high, longer_low]));
    let whole = parse(&Captured { bytes, length }, link);
    if let Ok(segment) = &whole {
        check_segment(segment, length);
        check_mirror(segment);
        check_payload_is_not_read(segment, bytes, length, link);
    }
    for cut in 0..bytes.len().min(256) {
        let bytes = bytes.get(..cut).unwrap_or_default();
        check_cut(&whole, parse(&Captured { bytes, length }, link));
    }
}

/// The parts of a packet are no longer than the whole, before and after it is split.
fn check_segment(segment: &Segment, length: usize) {
    assert_eq!(segment.wire_bytes as usize, length);
    assert_eq!(segment.wire_packets, 1);
    let parts = u64::from(segment.header_bytes) + u64::from(segment.payload_bytes);
    assert!(
        segment.header_bytes >= 40 && parts <= length as u64,
        "{segment:?}"
    );
    assert!(segment.options.window_scale_plus_1 <= 15);
    for (segments, segment_bytes) in [(0, 0), (1, 0), (44, 1448), (0, 1), (u32::MAX, u32::MAX)] {
        let mut split = *segment;
        split.tag();
        split.split(segments, segment_bytes);
        assert!(
            split.wire_packets >= 1 && split.wire_bytes > segment.wire_bytes,
            "{split:?}"
        );
    }
}

/// The answer to a packet belongs to the same connection.
fn check_mirror(segment: &Segment) {
    let back = Segment {
        source: segment.destination,
        destination: segment.source,
        source_port: segment.destination_port,
        destination_port: segment.source_port,
        ..*segment
    };
    let ((key, side), (same, opposite)) = (ConnectionKey::of(segment), ConnectionKey::of(&back));
    assert_eq!(key, same);
    let to_itself = segment.source == segment.destination && segment.source_port == segment.destination_port;
    assert_eq!(side == opposite, to_itself);
    assert!(!to_itself || side == Side::Low);
}

/// A packet without its payload gives the same segment.
fn check_payload_is_not_read(segment: &Segment, bytes: &[u8], length: usize, link: Link) {
    let Some(bytes) = bytes.get(..segment.header_bytes as usize) else {
        return;
    };
    assert_eq!(parse(&Captured { bytes, length }, link), Ok(*segment));
}

/// A packet that was cut says the same or nothing; options may be lost.
fn check_cut(whole: &Result<Segment, Skip>, cut: Result<Segment, Skip>) {
    match (whole, cut) {
        (_, Err(Skip::Truncated)) => {}
        (Ok(whole), Ok(cut)) => {
            let same = Segment {
                options: whole.options,
                ..cut
            };
            assert_eq!(*whole, same);
        }
        (Err(whole), Err(cut)) => assert_eq!(*whole, cut),
        (whole, cut) => unreachable!("{whole:?} whole, {cut:?} cut"),
    }
}
