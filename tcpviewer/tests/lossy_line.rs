//! The lossy line of the tests does what it is told: its fates come from the seed alone and are as frequent as
//! they should be, and the truth it keeps is what it did.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figures"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use support::{
    fate::{Conditions, Fate},
    lossy::Direction,
    relay::Way,
    truth::{Arrived, Sum},
};

const LINE: Conditions = Conditions {
    delay: Duration::from_millis(20),
    loss: 0.02,
    reordering: 0.01,
    held_back: Duration::from_millis(20),
    duplication: 0.005,
    ..Conditions::PERFECT
};

#[test]
fn a_packet_has_the_same_fate_whatever_came_before_it() {
    let fate = |number| Fate::of(&LINE, 7, Way::ToTheRight, number);
    let forwards: Vec<_> = (0..1_000).map(fate).collect();

    let mut backwards: Vec<_> = (0..1_000).rev().map(fate).collect();

    backwards.reverse();
    assert_eq!(forwards, backwards);
    let others = [(8, Way::ToTheRight), (7, Way::ToTheLeft)].map(|(seed, way)| {
        let fate = |number| Fate::of(&LINE, seed, way, number);
        (0..1_000).map(fate).collect::<Vec<_>>()
    });
    assert!(
        !others.contains(&forwards),
        "another seed or direction is another line"
    );
}

#[test]
fn one_condition_does_not_change_what_another_does() {
    let lost = |conditions: Conditions| {
        let lost = move |&number: &u64| Fate::of(&conditions, 7, Way::ToTheLeft, number).lost;
        (0..1_000).filter(lost).collect::<Vec<_>>()
    };
    let alone = Conditions {
        loss: LINE.loss,
        ..Conditions::PERFECT
    };

    assert_eq!(lost(LINE), lost(alone));
    let more = lost(Conditions { loss: 0.1, ..alone });
    assert!(lost(alone).iter().all(|number| more.contains(number)));
}

#[test]
fn fates_are_as_frequent_as_the_conditions_say() {
    const PACKETS: u64 = 40_000;
    let conditions = Conditions {
        jitter: Duration::from_millis(2),
        ..LINE
    };
    let fates: Vec<_> = (0..PACKETS)
        .map(|number| Fate::of(&conditions, 1, Way::ToTheRight, number))
        .collect();

    let check = |what: &str, probability: f64, happens: fn(&Fate) -> bool| {
        let count = fates.iter().filter(|fate| happens(fate)).count() as f64;
        let expected = PACKETS as f64 * probability;
        let deviation = (expected * (1.0 - probability)).sqrt();
        assert!(
            (count - expected).abs() < 4.0 * deviation,
            "{what}: {count}, not {expected}"
        );
    };
    check("lost", 0.02, |fate| fate.lost);
    check("held back", 0.01, |fate| fate.held_back.is_some());
    check("duplicated", 0.005, |fate| fate.duplicated);
    check("lost and duplicated", 0.02 * 0.005, |fate| {
        fate.lost && fate.duplicated
    });
    check("the shorter half of jitter", 0.5, |fate| {
        fate.jitter < Duration::from_millis(1)
    });
    check("held back for long", 0.005, |fate| {
        fate.held_back
            .is_some_and(|time| time >= Duration::from_millis(10))
    });
    assert!(fates.iter().all(|fate| fate.jitter < conditions.jitter));
    assert!(
        fates
            .iter()
            .all(|fate| fate.held_back < Some(conditions.held_back))
    );
}

#[test]
fn a_line_of_a_rate_sends_one_packet_after_the_other_and_loses_what_it_cannot_hold() {
    let conditions = Conditions {
        delay: Duration::from_millis(5),
        bits_per_second: Some(1_000_000),
        capacity: 3,
        ..Conditions::PERFECT
    };
    let mut direction = Direction::new(conditions, 1, Way::ToTheRight);
    let start = Instant::now();
    let mut arrival_ms = |bytes, now_ms| {
        let departures = direction.pass(vec![0; bytes], start + Duration::from_millis(now_ms));
        departures
            .first()
            .map(|departure| (departure.due - start).as_millis())
    };

    // 125 bytes are 1000 bits, which take a millisecond.
    let arrivals = [
        arrival_ms(125, 0),
        arrival_ms(1250, 0),
        arrival_ms(125, 0),
        arrival_ms(125, 5),
        arrival_ms(125, 6),
        arrival_ms(125, 30),
    ];

    assert_eq!(arrivals, [Some(6), Some(16), Some(17), None, Some(18), Some(36)]);
    let expected = Sum {
        packets: 6,
        arrived: 5,
        lost: 1,
        crowded_out: 1,
        ..Sum::default()
    };
    assert_eq!(direction.truth().sum(), expected);
}

#[test]
fn packets_that_are_held_back_are_overtaken_and_others_keep_their_order() {
    let conditions = Conditions {
        jitter: Duration::from_millis(10),
        loss: 0.1,
        duplication: 0.1,
        ..LINE
    };
    let mut direction = Direction::new(conditions, 1, Way::ToTheRight);
    let start = Instant::now();

    let departures: Vec<_> = (0..1_000)
        .map(|number| direction.pass(vec![0; 100], start + Duration::from_micros(100) * number))
        .collect();

    let fate = |number| Fate::of(&conditions, 1, Way::ToTheRight, number);
    let punctual: Vec<_> = (0..)
        .zip(&departures)
        .filter(|&(number, _)| fate(number).held_back.is_none())
        .filter_map(|(_, copies)| Some(copies.first()?.due))
        .collect();
    assert!(punctual.is_sorted());
    let sum = direction.truth().sum();
    assert_eq!(
        (sum.packets, sum.packets + sum.duplicated),
        (1_000, sum.arrived + sum.lost)
    );
    assert_eq!(sum.arrived, departures.iter().map(Vec::len).sum::<usize>() as u64);
    assert!((1..=sum.held_back).contains(&sum.overtaken), "{sum:?}");
}

#[test]
fn what_arrives_is_told_in_the_order_in_which_it_does() {
    let conditions = Conditions {
        delay: Duration::from_millis(5),
        ..Conditions::PERFECT
    };
    let mut direction = Direction::new(conditions, 1, Way::ToTheRight);
    let start = Instant::now();
    // A hole, a copy, what fills the hole and half of what came before, an ACK alone.
    for (seq, bytes) in [(100, 10), (120, 10), (120, 10), (105, 15), (130, 0)] {
        direction.pass(packet(seq, bytes), start);
    }

    let truth = direction.truth();

    let (source, destination) = (end(1), end(2));
    let expected = Arrived {
        packets: 5,
        payload_bytes: 45,
        repeated_bytes: 15,
        behind: 2,
        ahead: 1,
    };
    assert_eq!(truth.of(source, destination).arrived(), expected);
    assert_eq!(truth.of(destination, source).arrived(), Arrived::default());
}

/// A packet of IPv4 with this many bytes of data.
fn packet(seq: u32, bytes: usize) -> Vec<u8> {
    let mut packet = vec![0; 40 + bytes];
    packet[0] = 0x45;
    packet[9] = 6;
    packet[12..16].copy_from_slice(&[10, 0, 0, 1]);
    packet[16..20].copy_from_slice(&[10, 0, 0, 2]);
    packet[20..24].copy_from_slice(&[0, 1, 0, 2]);
    packet[24..28].copy_from_slice(&seq.to_be_bytes());
    packet[32..34].copy_from_slice(&[0x50, 0x10]);
    packet
}

/// The host and port of this number.
fn end(number: u8) -> SocketAddr {
    ([10, 0, 0, number], u16::from(number)).into()
}
