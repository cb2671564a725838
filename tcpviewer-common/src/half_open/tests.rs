//! What confirms a connection, and what does not.

use super::*;
use crate::{
    connection::{Place, Side},
    segment::{Flags, Segment},
    tracker::{Sighting, observe, tests::segment},
};

const SYN_ACK: Flags = Flags(Flags::SYN.0 | Flags::ACK.0);
const RST_ACK: Flags = Flags(Flags::RST.0 | Flags::ACK.0);

/// The record after these packets: sender, sequence and acknowledgement number, payload, flags.
fn after(packets: &[(Side, u32, u32, u32, Flags)]) -> ConnectionRecord {
    let mut record = ConnectionRecord::VACANT;
    for (now_ns, &(side, seq, ack, payload_bytes, flags)) in (1..).zip(packets) {
        let segment = Segment {
            seq,
            ack,
            payload_bytes,
            flags,
            ..segment(40_000, 80)
        };
        let seen = Sighting {
            side,
            place: Place::new(1, false),
            now_ns,
            new_id: 1,
        };
        observe(&mut record, &segment, seen);
    }
    record
}

#[test]
fn a_connection_is_confirmed_when_both_ends_have_acknowledged_what_the_other_sent() {
    let (client, server) = (Side::Low, Side::High);
    let handshake = [
        (client, 100, 0, 0, Flags::SYN),
        (server, 500, 101, 0, SYN_ACK),
        (client, 101, 501, 0, Flags::ACK),
    ];
    let in_mid_life = [
        (client, 100, 500, 10, Flags::ACK),
        (server, 500, 110, 0, Flags::ACK),
    ];
    for (packets, is_confirmed_at_the_end) in [
        (&handshake[..1], false),
        (&handshake[..2], false),
        (&handshake[..], true),
        // From an invented address: the acknowledgement of a number that was never sent, and what follows.
        (
            &[
                handshake[0],
                handshake[1],
                (client, 101, 502, 0, Flags::ACK),
                (server, 502, 0, 0, Flags::RST),
            ],
            false,
        ),
        // A closed port.
        (&[handshake[0], (server, 0, 101, 0, RST_ACK)], false),
        // The answer comes again to a record that was given up, and is turned down.
        (&[handshake[1], (client, 101, 0, 0, Flags::RST)], false),
        (&in_mid_life[..1], false),
        (&in_mid_life[..], true),
        // An acknowledgement out of nothing.
        (
            &[(client, 100, 500, 0, Flags::ACK), (server, 500, 0, 0, Flags::RST)],
            false,
        ),
    ] {
        assert_eq!(
            is_confirmed(&after(packets)),
            is_confirmed_at_the_end,
            "{packets:?}"
        );
    }
}

#[test]
fn a_connection_with_one_end_in_sight_is_confirmed_by_more_packets_than_an_attempt_has() {
    let syns = [(Side::Low, 100, 0, 0, Flags::SYN); 7];
    let mut packets = syns.to_vec();
    packets.extend((101..).take(8).map(|seq| (Side::Low, seq, 501, 1, Flags::ACK)));
    assert!(!is_confirmed(&after(&syns)));
    assert!(!is_confirmed(&after(&packets)));

    packets.push((Side::Low, 109, 501, 1, Flags::ACK));

    assert!(is_confirmed(&after(&packets)));
}

#[test]
fn a_connection_whose_sequence_numbers_came_round_stays_confirmed() {
    let mut packets = vec![
        (Side::Low, 0, 900, 100, Flags::ACK),
        (Side::High, 900, 100, 0, Flags::ACK),
    ];
    for sent in (100..3_000_000_000).step_by(100_000_000) {
        packets.push((Side::Low, sent, 900, 100_000_000, Flags::ACK));
        packets.push((Side::High, 900, sent + 100_000_000, 0, Flags::ACK));
    }
    let record = after(&packets);
    let [low, high] = &record.halves;
    assert!(!seq::before(low.initial_seq, high.last_ack), "it has come round");

    assert!(is_confirmed(&record));
}

#[test]
fn the_ring_has_a_quarter_of_the_map_at_most_and_never_nothing() {
    for (max_connections, expected) in [
        (16, 4),
        (65_536, 16_384),
        (100_000, 16_384),
        (262_144, 65_536),
        (3, 1),
    ] {
        assert_eq!(places(max_connections), expected);
    }
}
