//! What holds for every packet: parsing never panics, counters only grow, and a conversation seen from the
//! other side is the same conversation.

use proptest::{collection::vec, prelude::*};
use tcpviewer_common::{
    connection::{ConnectionRecord, Half, Place, Side},
    parse::{Captured, Link, parse},
    segment::{Ecn, Flags, Segment, SynOptions, mapped},
    tracker::{Sighting, observe, replaces},
};

/// A segment of a small conversation: sequence numbers close together, so that they meet and overlap.
fn segments() -> impl Strategy<Value = (bool, Segment, u64)> {
    let numbers = (0_u32..3_000, 0_u32..3_000, 0_u32..1_500, any::<u16>(), 1_u32..4);
    let bits = (any::<u8>(), 0_u8..4, 0_u8..8);
    (any::<bool>(), numbers, bits, 0_u64..2_000_000_000).prop_map(
        |(from_low, numbers, (flags, ecn, options), pause_ns)| {
            let (seq, ack, payload_bytes, window, wire_packets) = numbers;
            let segment = Segment {
                source: mapped([10, 0, 0, 1]),
                destination: mapped([10, 0, 0, 2]),
                source_port: [0x9c, 0x40],
                destination_port: [0, 80],
                seq: seq.wrapping_sub(1_000),
                ack: ack.wrapping_sub(1_000),
                payload_bytes,
                link_bytes: 14,
                header_bytes: 54,
                wire_bytes: 54 + payload_bytes,
                wire_packets,
                window,
                flags: Flags(flags),
                ecn: Ecn(ecn),
                options: SynOptions {
                    flags: options,
                    ..SynOptions::default()
                },
            };
            (from_low, segment, pause_ns)
        },
    )
}

fn follow(conversation: &[(bool, Segment, u64)], mirrored: bool) -> Vec<ConnectionRecord> {
    let mut record = ConnectionRecord::VACANT;
    let mut now_ns = 1_000_000_000;
    let mut records = Vec::new();
    for (from_low, segment, pause_ns) in conversation {
        now_ns += pause_ns;
        let side = if *from_low == mirrored {
            Side::High
        } else {
            Side::Low
        };
        if replaces(&record, segment, side) {
            record = ConnectionRecord::VACANT;
        }
        observe(
            &mut record,
            segment,
            Sighting {
                side,
                place: Place::new(1, true),
                now_ns,
                new_id: 1,
            },
        );
        records.push(record);
    }
    records
}

fn counters(half: &Half) -> [u64; 12] {
    [
        half.packets,
        half.wire_bytes,
        half.payload_bytes,
        half.retransmitted_bytes,
        u64::from(half.retransmissions),
        u64::from(half.rtt_samples),
        u64::from(half.resets),
        u64::from(half.ecn_marked),
        u64::from(half.ecn_echoed),
        u64::from(half.responses),
        u64::from(half.response_max),
        half.response_total,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn parsing_any_bytes_never_panics(bytes in vec(any::<u8>(), 0..200), longer in 0_usize..2_000) {
        for link in [Link::Ethernet, Link::None] {
            let packet = Captured { bytes: &bytes, length: bytes.len() + longer };
            if let Ok(segment) = parse(&packet, link) {
                prop_assert_eq!(segment.wire_bytes as usize, packet.length);
            }
        }
    }

    #[test]
    fn counters_only_grow_and_repeated_bytes_are_part_of_all(conversation in vec(segments(), 1..40)) {
        let records = follow(&conversation, false);
        for pair in records.windows(2) {
            let [before, after] = pair else { unreachable!("windows of two") };
            let replaced = after.first_seen_ns != before.first_seen_ns;
            for (old, new) in before.halves.iter().zip(&after.halves) {
                prop_assert!(new.retransmitted_bytes <= new.payload_bytes);
                prop_assert!(u64::from(new.retransmissions) <= new.packets);
                let grown = counters(old).iter().zip(counters(new)).all(|(old, new)| *old <= new);
                prop_assert!(replaced || grown, "{old:?} became {new:?}");
            }
        }
    }

    #[test]
    fn a_mirrored_conversation_gives_mirrored_halves(conversation in vec(segments(), 1..40)) {
        let (seen, mirrored) = (follow(&conversation, false), follow(&conversation, true));
        for (record, mirror) in seen.iter().zip(&mirrored) {
            prop_assert_eq!(record.halves[0], mirror.halves[1]);
            prop_assert_eq!(record.halves[1], mirror.halves[0]);
            prop_assert_eq!(record.source_side() == Side::Low, mirror.source_side() == Side::High);
        }
    }
}
