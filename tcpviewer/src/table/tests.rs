//! Samples in, deltas out, with the clock in hand.

use tcpviewer_common::connection::Half;

use super::*;

const SECOND: u64 = 1_000_000_000;
const MAX_LISTED: usize = 4;

fn table() -> Table {
    Table::new(
        Clock::new(SystemTime::UNIX_EPOCH),
        Duration::from_millis(250),
        Duration::from_secs(60),
        MAX_LISTED,
    )
}

fn key(port: u8) -> ConnectionKey {
    ConnectionKey {
        low: [1; 16],
        high: [2; 16],
        low_port: [0x80, port],
        high_port: [0, 80],
        alignment: [],
    }
}

/// A connection opened by the low side one second after boot.
fn sample(id: u64, port: u8, last_seen_ns: u64, change: impl FnOnce(&mut ConnectionRecord)) -> Sample {
    let mut record = ConnectionRecord {
        id,
        first_seen_ns: SECOND,
        flags: ConnectionRecord::BY_HANDSHAKE,
        ..ConnectionRecord::VACANT
    };
    record.halves[0].flags = Half::SEEN | Half::SYN;
    record.halves[0].last_seen_ns = last_seen_ns;
    change(&mut record);
    Sample {
        key: key(port),
        record,
        interface: "eth0".into(),
        is_last: false,
    }
}

#[test]
fn revisions_rise_and_each_connection_comes_once_in_its_newest_form() {
    let mut table = table();
    let now = Instant::now();
    table.take(
        vec![sample(1, 1, SECOND, |_| {}), sample(2, 2, SECOND, |_| {})],
        now,
    );
    table.take(
        vec![sample(1, 1, 2 * SECOND, |record| record.halves[0].packets = 9)],
        now,
    );
    let delta = table.delta().unwrap();
    let seen: Vec<_> = delta
        .changed
        .iter()
        .map(|row| (row.id, row.revision, row.sent.packets))
        .collect();
    assert_eq!(seen, [(1, 1, 9), (2, 2, 0)]);
    assert!(table.delta().is_none(), "nothing changed since");
    table.take(vec![sample(1, 1, 2 * SECOND, |_| {})], now);
    assert_eq!(table.delta().unwrap().changed[0].revision, 3);
}

#[test]
fn rates_follow_the_counters_and_fall_to_zero_when_quiet() {
    let mut table = table();
    let now = Instant::now();
    table.take(vec![sample(1, 1, SECOND, |_| {})], now);
    table.take(
        vec![sample(1, 1, 2 * SECOND, |record| {
            record.halves[0].payload_bytes = 5_000
        })],
        now,
    );
    let delta = table.delta().unwrap();
    assert_eq!(delta.changed[0].sent.payload_bytes_per_second, 5_000);
    assert_eq!(delta.totals.payload_bytes_per_second, 5_000);
    table.tick(now + Duration::from_millis(600));
    let delta = table.delta().unwrap();
    assert_eq!(delta.changed[0].sent.payload_bytes_per_second, 0);
    assert_eq!(delta.totals.payload_bytes_per_second, 0);
}

#[test]
fn totals_since_the_start_grow_with_every_connection_and_keep_what_ended() {
    let mut table = table();
    let now = Instant::now();
    let counted = |packets, retransmissions| {
        move |record: &mut ConnectionRecord| {
            record.halves[0].packets = packets;
            record.halves[1].payload_bytes = 10 * packets;
            record.halves[1].retransmissions = retransmissions;
        }
    };
    table.take(
        vec![
            sample(1, 1, SECOND, counted(4, 0)),
            sample(2, 2, SECOND, counted(7, 2)),
        ],
        now,
    );
    table.take(vec![sample(2, 2, 2 * SECOND, counted(9, 3))], now);
    // The ports of the second connection are used again.
    table.take(vec![sample(3, 2, 3 * SECOND, counted(1, 0))], now);

    let totals = table.delta().unwrap().totals;

    assert_eq!(
        (totals.packets, totals.payload_bytes, totals.retransmissions),
        (4 + 9 + 1, 140, 3)
    );
}

#[test]
fn an_ended_connection_stays_listed_for_the_time_configured() {
    let mut table = table();
    let now = Instant::now();
    table.take(
        vec![sample(1, 1, SECOND, |record| record.closed_ns = SECOND)],
        now,
    );
    let delta = table.delta().unwrap();
    assert_eq!(delta.changed[0].closed.unwrap().reason, CloseReason::Fin);
    assert_eq!(
        (delta.totals.open, delta.totals.listed, delta.totals.closed),
        (0, 1, 1)
    );
    table.tick(now + Duration::from_secs(59));
    assert!(table.delta().is_none());
    table.tick(now + Duration::from_secs(60));
    let delta = table.delta().unwrap();
    assert_eq!(delta.removed, [Removal { id: 1, revision: 2 }]);
    assert_eq!(delta.totals.listed, 0);
}

#[test]
fn a_reused_port_ends_the_old_connection_and_lists_the_new_one() {
    let mut table = table();
    let now = Instant::now();
    table.take(
        vec![sample(1, 1, SECOND, |_| {}), sample(2, 1, 3 * SECOND, |_| {})],
        now,
    );
    let delta = table.delta().unwrap();
    assert_eq!(delta.changed[0].closed.unwrap().reason, CloseReason::Replaced);
    assert!(delta.changed[1].closed.is_none());
}

#[test]
fn the_way_a_connection_ended_is_told() {
    let syn = Half::SEEN | Half::SYN;
    for (source, destination, closed_ns, is_last, reason) in [
        (syn, Half::SEEN | Half::RST, SECOND, false, CloseReason::Refused),
        (
            syn,
            syn | Half::RST,
            SECOND,
            false,
            CloseReason::ResetByDestination,
        ),
        (syn | Half::RST, syn, SECOND, false, CloseReason::ResetBySource),
        (syn, syn, SECOND, false, CloseReason::Fin),
        (syn, syn, 0, true, CloseReason::IdleTimeout),
        (syn, 0, 0, true, CloseReason::HandshakeTimeout),
    ] {
        let mut table = table();
        let mut sample = sample(1, 1, SECOND, |record| {
            record.halves[0].flags = source;
            record.halves[1].flags = destination;
            record.closed_ns = closed_ns;
        });
        sample.is_last = is_last;
        table.take(vec![sample], Instant::now());
        let delta = table.delta().unwrap();
        assert_eq!(delta.changed[0].closed.unwrap().reason, reason);
        let is_reset = matches!(reason, CloseReason::ResetBySource | CloseReason::ResetByDestination);
        let has_failed = matches!(reason, CloseReason::Refused | CloseReason::HandshakeTimeout);
        assert_eq!(
            (delta.totals.reset, delta.totals.failed),
            (is_reset.into(), has_failed.into()),
            "{reason:?}"
        );
    }
}

#[test]
fn a_full_list_makes_room_by_the_connections_that_ended_first() {
    let mut table = table();
    let now = Instant::now();
    let ended = |id: u64| {
        sample(id, id as u8, SECOND, |record| {
            record.closed_ns = SECOND;
        })
    };
    table.take(
        vec![sample(1, 1, SECOND, |_| {}), ended(2), ended(3), ended(4)],
        now,
    );
    table.delta();

    table.take(vec![ended(5), sample(6, 6, SECOND, |_| {})], now);

    let delta = table.delta().unwrap();
    let removed: Vec<_> = delta.removed.iter().map(|removal| removal.id).collect();
    assert_eq!(removed, [2, 3]);
    assert_eq!((delta.totals.listed, delta.totals.dropped), (4, 2));
}

#[test]
fn open_connections_stay_listed_however_many_there_are() {
    let mut table = table();
    let open = (1..10).map(|id| sample(id, id as u8, SECOND, |_| {})).collect();

    table.take(open, Instant::now());

    let totals = table.delta().unwrap().totals;
    assert_eq!((totals.listed, totals.open, totals.dropped), (9, 9, 0));
}

#[test]
fn a_connection_that_was_given_up_has_ended_whether_its_last_word_came_or_not() {
    let mut table = table();
    let mut last = sample(1, 1, 2 * SECOND, |record| {
        record.flags |= ConnectionRecord::GIVEN_UP
    });
    last.is_last = true;
    table.take(
        vec![sample(1, 1, SECOND, |_| {}), sample(2, 2, SECOND, |_| {})],
        Instant::now(),
    );
    table.delta();

    table.take(
        vec![last, Sample::gone(key(2)), Sample::gone(key(3))],
        Instant::now(),
    );

    let delta = table.delta().unwrap();
    let ended: Vec<_> = delta
        .changed
        .iter()
        .map(|row| (row.id, row.closed.unwrap().reason))
        .collect();
    assert_eq!(ended, [(1, CloseReason::GivenUp), (2, CloseReason::GivenUp)]);
    assert_eq!(
        (delta.totals.listed, delta.totals.open, delta.totals.closed),
        (2, 0, 2)
    );
}
