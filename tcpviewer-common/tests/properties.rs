//! What holds for every packet: parsing never panics, counters only grow, and a conversation seen from the
//! other side is the same conversation.

use proptest::{collection::vec, prelude::*};
use tcpviewer_common::{
    connection::{ConnectionRecord, Half, Place, Side},
    parse::{Captured, Link, parse},
    segment::{Ecn, Flags, Segment, SynOptions, mapped},
    tracker::{Clock, Sighting, observe, observe_any, observe_when, replaces},
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

/// What a segment is, in relation to what was sent before: differences to the next sequence number and to the
/// acknowledgement that is due, its payload, window and marks, and the pause before it. Most are as they should be.
type Step = (bool, i32, i32, u32, u16, u8, u8, u32, u64);

fn steps() -> impl Strategy<Value = Step> {
    let seq = prop_oneof![20 => Just(0), 1 => Just(-1), 1 => -3_000_i32..3_000];
    let ack = prop_oneof![8 => Just(0), 2 => -2_000_i32..0, 1 => -3_000_i32..3_000];
    let payload = prop_oneof![4 => Just(0_u32), 1 => Just(1_u32), 6 => 1_u32..1_500];
    let window = prop_oneof![10 => Just(1_000_u16), 1 => Just(0_u16), 2 => any::<u16>()];
    let flags =
        prop_oneof![30 => Just(Flags::ACK.0), 3 => Just(Flags::ACK.0 | Flags::PSH.0), 1 => any::<u8>()];
    let ecn = prop_oneof![20 => 0_u8..3, 1 => Just(3_u8)];
    let interface = prop_oneof![20 => Just(1_u32), 1 => 1_u32..4];
    let pause_ns = prop_oneof![4 => 0_u64..1_000_000, 1 => 0_u64..2_000_000_000];
    (
        any::<bool>(),
        seq,
        ack,
        payload,
        window,
        flags,
        ecn,
        interface,
        pause_ns,
    )
}

/// The segment of a step, from the side it says.
fn segment_of(record: &ConnectionRecord, step: &Step) -> (Side, Segment) {
    let (from_low, seq, ack, payload_bytes, window, flags, ecn, _, _) = *step;
    let [low, high] = &record.halves;
    let (side, own, other) = if from_low {
        (Side::Low, low, high)
    } else {
        (Side::High, high, low)
    };
    let segment = Segment {
        source: mapped([10, 0, 0, 1]),
        destination: mapped([10, 0, 0, 2]),
        source_port: [0x9c, 0x40],
        destination_port: [0, 80],
        seq: own.next_seq.wrapping_add_signed(seq),
        ack: other.next_seq.wrapping_add_signed(ack),
        payload_bytes,
        link_bytes: 14,
        header_bytes: 54,
        wire_bytes: 54 + payload_bytes,
        wire_packets: 1,
        window,
        flags: Flags(flags),
        ecn: Ecn(ecn),
        options: SynOptions::default(),
    };
    (side, segment)
}

/// A tick of the slowest clock that kernels are built with.
const TICK_NS: u64 = 10_000_000;

/// A clock that knows the exact time and the beginning of its tick.
struct Ticking(u64);

impl Clock for Ticking {
    fn rough_ns(&self) -> Option<u64> {
        Some(self.0 - self.0 % TICK_NS)
    }

    fn exact_ns(&self) -> u64 {
        self.0
    }
}

/// The record without what may be rough: when a half was last seen, when its newest data and acknowledgement were, and
/// the answers that were not timed because of that.
fn without_rough(record: &ConnectionRecord) -> ConnectionRecord {
    let halves = record.halves.map(|half| Half {
        last_seen_ns: 0,
        next_time: 0,
        ack_time: 0,
        responses: 0,
        response_last: 0,
        response_max: 0,
        response_total: 0,
        ..half
    });
    ConnectionRecord {
        flags: record.flags & !ConnectionRecord::PAYLOAD_ROUGH,
        payload_ns: 0,
        halves,
        ..*record
    }
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

    #[test]
    fn the_short_way_does_what_the_long_way_does(shakes_hands in any::<bool>(), steps in vec(steps(), 1..40)) {
        let mut record = ConnectionRecord::VACANT;
        let mut now_ns = 1_000_000_000;
        let mut observe_both = |record: &mut ConnectionRecord, side, segment: &Segment, interface, pause_ns| {
            now_ns += pause_ns;
            let seen = Sighting { side, place: Place::new(interface, interface & 1 == 0), now_ns, new_id: 1 };
            let mut other = *record;
            let outcomes = (observe(record, segment, seen), observe_any(&mut other, segment, &seen));
            (outcomes, other)
        };
        if shakes_hands {
            for (side, flags) in [(Side::Low, 2), (Side::High, 18), (Side::Low, 16)] {
                let step = (matches!(side, Side::Low), 0, 0, 0, 1_000, flags, 0, 1, 0);
                let (_, segment) = segment_of(&record, &step);
                observe_both(&mut record, side, &segment, 1, 1_000);
            }
        }
        for step in &steps {
            let (side, segment) = segment_of(&record, step);
            let ((short, long), other) = observe_both(&mut record, side, &segment, step.7, step.8);
            prop_assert_eq!(short, long, "{:?}", step);
            prop_assert_eq!(&record, &other, "{:?}", step);
        }
    }

    #[test]
    fn a_rough_clock_changes_no_count_and_no_round_trip(leaves in any::<bool>(), steps in vec(steps(), 1..40)) {
        let (mut exact, mut rough) = (ConnectionRecord::VACANT, ConnectionRecord::VACANT);
        let mut now_ns = 1_000_000_000;
        let handshake = [(true, 2), (false, 18), (true, 16)].map(|(from_low, flags)| (from_low, 0, 0, 0, 1_000, flags, 0, 1, 1_000));
        for step in handshake.iter().chain(&steps) {
            now_ns += step.8;
            let (side, segment) = segment_of(&exact, step);
            let mut seen = Sighting { side, place: Place::new(1, leaves), now_ns, new_id: 1 };
            let at_once = observe(&mut exact, &segment, seen);
            let in_ticks = observe_when(&mut rough, &segment, &mut seen, &Ticking(now_ns));
            prop_assert_eq!(at_once, in_ticks, "{:?}", step);
            prop_assert_eq!(without_rough(&exact), without_rough(&rough), "{:?}", step);
            prop_assert!(seen.now_ns <= now_ns && now_ns - seen.now_ns < TICK_NS);
            for (exact, rough) in exact.halves.iter().zip(&rough.halves) {
                prop_assert!(rough.responses <= exact.responses && rough.response_max <= exact.response_max);
                prop_assert!(exact.last_seen_ns - rough.last_seen_ns < TICK_NS);
            }
        }
    }

    #[test]
    fn what_is_counted_elsewhere_is_left_alone_at_a_rough_time_as_at_an_exact_one(steps in vec(steps(), 1..40)) {
        let mut record = ConnectionRecord::VACANT;
        let mut now_ns = 1_000_000_000;
        for step in &steps {
            let (side, segment) = segment_of(&record, step);
            // The same packet once more, mostly at another place.
            for interface in [step.7, 2] {
                now_ns += step.8 / 3;
                let seen = Sighting { side, place: Place::new(interface, interface & 1 == 0), now_ns, new_id: 1 };
                let (mut exact, mut roughly) = (record, seen);
                let long = observe_any(&mut exact, &segment, &seen);
                let short = observe_when(&mut record, &segment, &mut roughly, &Ticking(now_ns));
                prop_assert_eq!(short, long, "{:?}", step);
                prop_assert!(long.counted || record == exact, "{:?} became {:?}", exact, record);
                prop_assert!(roughly.now_ns <= now_ns && now_ns - roughly.now_ns < TICK_NS);
            }
        }
    }
}
