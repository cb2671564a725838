//! What holds for any conversation. In: four bytes of the sequence number it begins at, then twelve for each packet.

use tcpviewer_common::{
    connection::{ConnectionRecord, Half, Place, Side},
    limits::TIMED_SEGMENTS,
    segment::{Ecn, Flags, Segment, SynOptions, mapped},
    tracker::{Outcome, Sighting, observe, replaces},
};

/// Follows a conversation, and the same one from the other side.
pub(crate) fn check(data: &[u8]) {
    let Some((start, packets)) = data.split_first_chunk::<4>() else {
        return;
    };
    let start = u32::from_le_bytes(*start);
    let (mut seen, mut mirrored) = (ConnectionRecord::VACANT, ConnectionRecord::VACANT);
    let mut now_ns = 1_000_000_000;
    for (number, packet) in (1..).zip(packets.as_chunks().0) {
        let (segment, side, place, pause_ns) = decode(packet, start);
        now_ns += pause_ns;
        let sighting = Sighting {
            side,
            place,
            now_ns,
            new_id: number,
        };
        let opposite = Sighting {
            side: match side {
                Side::Low => Side::High,
                Side::High => Side::Low,
            },
            ..sighting
        };
        let before = seen;
        let outcome = follow(&mut seen, &segment, sighting);
        assert_eq!(follow(&mut mirrored, &segment, opposite), outcome);
        check_step(&before, &seen, outcome, &segment, sighting);
        check_mirror(&seen, &mirrored);
    }
}

/// Sequence numbers are close to each other, so that they meet and overlap, and may wrap; one packet in eight jumps.
fn decode(bytes: &[u8; 12], start: u32) -> (Segment, Side, Place, u64) {
    let [how, flags, s0, s1, a0, a1, l0, l1, w0, w1, p0, p1] = *bytes;
    let jump = if how >> 5 == 7 { 1 << 20 } else { 1 };
    let number =
        |low, high| start.wrapping_add(u32::from(u16::from_le_bytes([low, high])).wrapping_mul(jump));
    let payload_bytes = u32::from(u16::from_le_bytes([l0, l1]));
    let mut segment = Segment {
        source: mapped([10, 0, 0, 1]),
        destination: mapped([10, 0, 0, 2]),
        source_port: [0x9c, 0x40],
        destination_port: [0, 80],
        seq: number(s0, s1),
        ack: number(a0, a1),
        payload_bytes,
        link_bytes: 14,
        header_bytes: 54,
        wire_bytes: 54 + payload_bytes,
        wire_packets: 1,
        window: u16::from_le_bytes([w0, w1]),
        flags: Flags(flags),
        ecn: Ecn(p0 & 3),
        options: SynOptions {
            mss_bytes: u16::from_le_bytes([w0, w1]),
            window_scale_plus_1: w0 & 15,
            flags: w1 & 7,
        },
    };
    if how & 2 != 0 {
        segment.split(0, 1448);
    }
    let side = if how & 1 == 0 { Side::Low } else { Side::High };
    let place = Place::new(u32::from(how >> 2 & 3) + 1, how & 16 != 0);
    // From none to four seconds, in steps that differ most where they are short.
    let pause = u64::from(u16::from_le_bytes([p0, p1]));
    (segment, side, place, pause * pause)
}

/// Does what the kernel's programs do with a packet.
fn follow(record: &mut ConnectionRecord, segment: &Segment, seen: Sighting) -> Outcome {
    if replaces(record, segment, seen.side) {
        *record = ConnectionRecord::VACANT;
    }
    observe(record, segment, seen)
}

fn check_step(
    before: &ConnectionRecord,
    after: &ConnectionRecord,
    outcome: Outcome,
    segment: &Segment,
    seen: Sighting,
) {
    assert_eq!(outcome.opened, after.id == seen.new_id);
    if !outcome.counted {
        let mut same = *after;
        for (half, was) in same.halves.iter_mut().zip(&before.halves) {
            half.later_places = was.later_places;
        }
        assert_eq!(
            before, &same,
            "a packet that is not counted changes nothing but what is known of its place"
        );
        return;
    }
    assert_eq!(after.last_seen_ns(), seen.now_ns);
    assert!(!outcome.closed || after.closed_ns == seen.now_ns);
    for time_ns in [
        after.syn_ns,
        after.syn_ack_ns,
        after.answered_ns,
        after.established_ns,
        after.closed_ns,
    ] {
        assert!(time_ns == 0 || (after.first_seen_ns..=seen.now_ns).contains(&time_ns));
    }
    check_notable(before, after, outcome, segment, seen);
    let mut growth = 0;
    for (old, new) in before.halves.iter().zip(&after.halves) {
        check_half(new);
        if outcome.opened {
            growth += new.packets;
        } else {
            check_growth(old, new);
            growth += new.packets - old.packets;
        }
    }
    assert_eq!(growth, u64::from(segment.wire_packets), "a packet counts once");
}

/// A part is no more than the whole.
fn check_half(half: &Half) {
    assert!(half.retransmitted_bytes <= half.payload_bytes, "{half:?}");
    assert!(half.payload_bytes <= half.wire_bytes, "{half:?}");
    let part = |count: u32| assert!(u64::from(count) <= half.packets, "{half:?}");
    part(half.retransmissions);
    part(half.out_of_order);
    part(half.duplicate_acks);
    part(half.zero_windows);
    part(half.window_full);
    part(half.keep_alives);
    part(half.lost_segments);
    assert!(half.fast_retransmissions <= half.retransmissions, "{half:?}");
    assert!(half.spurious_retransmissions <= half.retransmissions, "{half:?}");
    assert!(usize::from(half.timed_head) < TIMED_SEGMENTS && usize::from(half.timed_count) <= TIMED_SEGMENTS);
    if half.rtt_samples > 0 {
        assert!((half.rtt_min..=half.rtt_max).contains(&half.rtt_last), "{half:?}");
        let smoothed = half.srtt_8 >> 3;
        assert!((half.rtt_min..=half.rtt_max).contains(&smoothed), "{half:?}");
    }
}

/// Counters only grow.
fn check_growth(old: &Half, new: &Half) {
    let counters = |half: &Half| {
        [
            half.last_seen_ns,
            half.packets,
            half.wire_bytes,
            half.payload_bytes,
            half.retransmitted_bytes,
            half.retransmissions.into(),
            half.fast_retransmissions.into(),
            half.spurious_retransmissions.into(),
            half.out_of_order.into(),
            half.duplicate_acks.into(),
            half.zero_windows.into(),
            half.window_full.into(),
            half.keep_alives.into(),
            half.lost_segments.into(),
            half.rtt_samples.into(),
        ]
    };
    let grown = counters(old)
        .iter()
        .zip(counters(new))
        .all(|(old, new)| *old <= new);
    assert!(grown, "{old:?} became {new:?}");
}

/// Seen from the other side it is the same conversation.
/// What is worth remembering is, once; other segments only where one completes a handshake.
fn check_notable(
    before: &ConnectionRecord,
    after: &ConnectionRecord,
    outcome: Outcome,
    segment: &Segment,
    seen: Sighting,
) {
    let count = if outcome.opened { 0 } else { before.notable_count };
    let grown = after.notable_count - count;
    let marks = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0;
    let worth = segment.flags.0 & marks != 0 || segment.window == 0 || outcome.retransmission;
    let completes = grown == 1 && after.established_ns == seen.now_ns;
    assert!(
        grown == u32::from(worth) || completes,
        "{grown} more than {count}"
    );
    if grown == 1 {
        let newest = after.notable[count as usize % after.notable.len()];
        assert_eq!((newest.seq, newest.flags), (segment.seq, segment.flags.0));
    }
}

fn check_mirror(seen: &ConnectionRecord, mirrored: &ConnectionRecord) {
    let ([low, high], [mirrored_low, mirrored_high]) = (&seen.halves, &mirrored.halves);
    assert_eq!((low, high), (mirrored_high, mirrored_low));
    assert_ne!(seen.source_side(), mirrored.source_side());
    let times = |record: &ConnectionRecord| {
        [
            record.id,
            record.first_seen_ns,
            record.syn_ns,
            record.syn_ack_ns,
            record.answered_ns,
            record.established_ns,
            record.closed_ns,
        ]
    };
    assert_eq!(times(seen), times(mirrored));
}
