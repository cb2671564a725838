//! Samples in, deltas out, with the clock in hand.

use std::sync::Arc;

use tcpviewer_common::{connection::Half, state::TcpState};

use super::*;
use crate::model::{
    Cause, End, FailureKind, FailureLook, Owner, OwnerSource, Process, RttSource, Socket, SocketDetails,
    SocketSource,
};

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
    tracked(id, port, last_seen_ns, change).into()
}

fn tracked(id: u64, port: u8, last_seen_ns: u64, change: impl FnOnce(&mut ConnectionRecord)) -> Tracked {
    let mut record = ConnectionRecord {
        id,
        first_seen_ns: SECOND,
        flags: ConnectionRecord::BY_HANDSHAKE,
        ..ConnectionRecord::VACANT
    };
    record.halves[0].flags = Half::SEEN | Half::SYN;
    record.halves[0].last_seen_ns = last_seen_ns;
    change(&mut record);
    Tracked {
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
        .map(|row| (row.id(), row.revision(), row.connection().sent.packets))
        .collect();
    assert_eq!(seen, [(1, 1, 9), (2, 2, 0)]);
    assert!(table.delta().is_none(), "nothing changed since");
    table.take(vec![sample(1, 1, 2 * SECOND, |_| {})], now);
    assert_eq!(table.delta().unwrap().changed[0].revision(), 3);
}

#[test]
fn a_report_that_was_overtaken_takes_nothing_back_and_counts_nothing_twice() {
    let mut table = table();
    let now = Instant::now();
    let after = |packets: u64| {
        sample(1, 1, (1 + packets) * SECOND, move |record| {
            record.halves[0].packets = packets;
            record.halves[0].payload_bytes = packets * 100;
        })
    };
    for rests in [false, true] {
        table.take(vec![after(1), after(3)], now);
        table.delta();
        if rests {
            table.tick(now + Duration::from_secs(1));
            table.delta();
        }

        table.take(vec![after(2)], now);
        let delta = table.delta().unwrap();
        assert_eq!(delta.changed[0].connection().sent.packets, 3);
        table.take(vec![after(3)], now);
        assert_eq!((table.totals.packets, table.totals.payload_bytes), (3, 300));
    }
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
    assert_eq!(delta.changed[0].connection().sent.payload_bytes_per_second, 5_000);
    assert_eq!(delta.totals.payload_bytes_per_second, 5_000);
    table.tick(now + Duration::from_millis(600));
    let delta = table.delta().unwrap();
    assert_eq!(delta.changed[0].connection().sent.payload_bytes_per_second, 0);
    assert_eq!(delta.totals.payload_bytes_per_second, 0);
}

#[test]
fn what_has_ended_moves_no_more_and_counts_in_the_sums_for_as_long_as_an_open_one_would() {
    let mut table = table();
    let now = Instant::now();
    let ended = |record: &mut ConnectionRecord| {
        record.halves[0].payload_bytes = 5_000;
        record.closed_ns = 2 * SECOND;
    };
    table.take(
        vec![sample(1, 1, SECOND, |_| {}), sample(1, 1, 2 * SECOND, ended)],
        now,
    );
    let delta = table.delta().unwrap();
    assert_eq!(delta.changed[0].connection().sent.payload_bytes_per_second, 0);
    assert_eq!(delta.totals.payload_bytes_per_second, 5_000);

    table.tick(now + Duration::from_millis(600));

    let delta = table.delta().unwrap();
    assert!(delta.changed.is_empty());
    assert_eq!(delta.quiet, [1]);
    assert_eq!(delta.totals.payload_bytes_per_second, 0);
    assert!(table.delta().is_none());
}

#[test]
fn what_has_ended_rests_though_it_moved_just_now() {
    let mut table = table();
    let ended = |record: &mut ConnectionRecord| {
        record.halves[0].payload_bytes = 5_000;
        record.closed_ns = SECOND;
    };
    let open = |record: &mut ConnectionRecord| record.halves[0].payload_bytes = 5_000;
    table.take(
        vec![sample(1, 1, SECOND, ended), sample(2, 2, SECOND, open)],
        Instant::now(),
    );

    table.delta();

    let rests = |id| matches!(table.rows.get(id), Some(Row::Resting(_)));
    assert_eq!([1, 2].map(rests), [true, false]);
}

#[test]
fn what_rests_goes_on_where_it_was() {
    let mut table = table();
    let now = Instant::now();
    let sent = |bytes: u64| {
        move |record: &mut ConnectionRecord| {
            record.halves[0].payload_bytes = bytes;
            record.halves[0].place = 3;
        }
    };
    table.take(vec![sample(1, 1, SECOND, sent(0)), look(1, SECOND, 300)], now);
    table.take(vec![sample(1, 1, 2 * SECOND, sent(5_000))], now);
    table.delta();
    table.tick(now + Duration::from_millis(500));
    let rested = table.delta().unwrap();
    assert!(matches!(table.rows.get(1), Some(Row::Resting(_))));

    table.take(vec![sample(1, 1, 3 * SECOND, sent(15_000))], now);

    let delta = table.delta().unwrap();
    let (rested, moves) = (rested.changed[0].connection(), delta.changed[0].connection());
    assert_eq!(
        (
            rested.sent.payload_bytes,
            rested.sent.payload_bytes_per_second,
            rested.revision
        ),
        (5_000, 0, 2)
    );
    assert_eq!(
        (moves.sent.payload_bytes, moves.sent.payload_bytes_per_second),
        (15_000, 10_000)
    );
    assert!(moves.sent.socket.is_some() && moves.sent.socket == rested.sent.socket);
    assert_eq!(
        (delta.totals.payload_bytes, delta.totals.payload_bytes_per_second),
        (15_000, 10_000)
    );
}

#[test]
fn late_packets_of_what_is_listed_no_more_are_of_no_new_connection() {
    let mut table = table();
    let now = Instant::now();
    let ended = |record: &mut ConnectionRecord| record.closed_ns = SECOND;
    table.take(vec![sample(1, 1, SECOND, ended)], now);
    table.delta();
    table.tick(now + Duration::from_secs(60));
    assert_eq!(table.delta().unwrap().removed.len(), 1);

    table.take(vec![sample(1, 1, 70 * SECOND, ended)], now);
    let mut last = tracked(1, 1, 71 * SECOND, ended);
    last.is_last = true;
    table.take(vec![last.into()], now);
    assert!(table.delta().is_none());

    table.take(vec![sample(2, 1, 72 * SECOND, |_| {})], now);
    let delta = table.delta().unwrap();
    assert_eq!((delta.changed[0].id(), delta.totals.opened), (2, 2));
    table.take(vec![Sample::Gone(key(1), CloseReason::SocketGone)], now);
    assert_eq!(table.delta().unwrap().totals.closed, 2);
}

#[test]
fn a_record_soon_after_another_does_not_make_a_busy_connection_stand_still() {
    let mut table = table();
    let now = Instant::now();
    let sent = |bytes: u64| move |record: &mut ConnectionRecord| record.halves[0].payload_bytes = bytes;
    let rate = |table: &mut Table| {
        table.delta().unwrap().changed[0]
            .connection()
            .sent
            .payload_bytes_per_second
    };
    table.take(vec![sample(1, 1, SECOND, sent(0))], now);
    table.take(vec![sample(1, 1, 2 * SECOND, sent(100_000))], now);
    assert_eq!(rate(&mut table), 100_000);

    // A fiftieth of the interval later, with nothing new in it but an acknowledgement.
    table.take(vec![sample(1, 1, 2 * SECOND + SECOND / 200, sent(100_000))], now);
    assert_eq!(rate(&mut table), 98_000);
    // The same record again.
    let later = now + Duration::from_millis(400);
    table.take(
        vec![sample(1, 1, 2 * SECOND + SECOND / 200, sent(100_000))],
        later,
    );
    assert_eq!(rate(&mut table), 98_000);
    // That was no sign of life.
    table.tick(now + Duration::from_millis(600));
    assert_eq!(rate(&mut table), 0);
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
fn the_numbers_of_a_cause_are_those_of_the_last_look_when_it_ends() {
    let mut table = table();
    let start = Instant::now();
    let asks = |record: &mut ConnectionRecord| {
        record.payload_ns = 2 * SECOND;
        record.established_ns = SECOND;
        for half in &mut record.halves {
            (half.flags, half.packets) = (Half::SEEN | Half::SYN | Half::SYN_ACKED | Half::ACK, 2);
            half.window = 500;
        }
        record.halves[0].payload_bytes = 100;
    };
    table.take(vec![sample(1, 1, 2 * SECOND, asks)], start);
    table.delta();
    let silence = |table: &mut Table| {
        let verdict = table.delta()?.changed[0].connection().verdict?;
        (verdict.cause == Some(Cause::NotSending))
            .then(|| verdict.evidence.iter().next().unwrap().value / 1_000)
    };
    let mut told = Vec::new();
    // From 300 s on nobody waits for an answer, but the cause stays for a moment.
    for seconds in 1..=301 {
        table.tick(start + Duration::from_secs(seconds));
        told.extend(silence(&mut table));
    }
    assert!(matches!(told[..], [2..=4]), "{told:?}");

    let reset = |record: &mut ConnectionRecord| {
        asks(record);
        record.halves[0].flags |= Half::RST;
    };
    table.take(
        vec![sample(1, 1, 303 * SECOND, reset)],
        start + Duration::from_secs(301),
    );

    let silence = silence(&mut table).unwrap();
    assert!((295..=300).contains(&silence), "{silence} s");
}

#[test]
fn room_for_what_waited_is_given_back() {
    let mut queue: VecDeque<_> = (0..100_000).collect();
    queue.truncate(30_000);
    shrink(&mut queue);
    assert!(queue.capacity() >= 100_000, "soon it may be needed");

    queue.truncate(10_000);
    shrink(&mut queue);

    assert!(queue.capacity() < 25_000 && queue.len() == 10_000);
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
    assert_eq!(
        delta.changed[0].connection().closed.unwrap().reason,
        CloseReason::Fin
    );
    assert_eq!(
        (delta.totals.open, delta.totals.listed, delta.totals.closed),
        (0, 1, 1)
    );
    table.tick(now + Duration::from_secs(59));
    assert!(
        table
            .delta()
            .is_none_or(|delta| delta.changed.is_empty() && delta.removed.is_empty())
    );
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
    assert_eq!(
        delta.changed[0].connection().closed.unwrap().reason,
        CloseReason::Replaced
    );
    assert!(delta.changed[1].connection().closed.is_none());
}

#[test]
fn late_reports_of_a_connection_leave_the_next_one_on_its_endpoints_alone() {
    let mut table = table();
    let now = Instant::now();
    let next = |packets: u64| {
        sample(2, 1, (3 + packets) * SECOND, move |record| {
            record.first_seen_ns = 3 * SECOND;
            record.halves[0].packets = packets;
        })
    };
    let last = Tracked {
        is_last: true,
        ..tracked(1, 1, 2 * SECOND, |record| record.closed_ns = 2 * SECOND)
    };
    table.take(vec![sample(1, 1, SECOND, |_| {})], now);
    // Fetched from the kernel's map before the last report of the one before it was read.
    table.take(vec![next(1), last.into(), next(2)], now);

    let delta = table.delta().unwrap();
    let reasons = delta.changed.iter().map(|row| row.connection().closed);
    assert_eq!(
        reasons
            .map(|closed| closed.map(|closed| closed.reason))
            .collect::<Vec<_>>(),
        [Some(CloseReason::Replaced), None]
    );
    assert_eq!(delta.changed[1].connection().sent.packets, 2);
    assert_eq!(
        (delta.totals.open, delta.totals.opened, delta.totals.closed),
        (1, 2, 1)
    );

    table.take(
        vec![sample(3, 1, 9 * SECOND, |record| {
            record.first_seen_ns = 9 * SECOND
        })],
        now,
    );
    let delta = table.delta().unwrap();
    let replaced = delta.changed[0].connection();
    assert_eq!(
        (replaced.id, replaced.closed.unwrap().reason),
        (2, CloseReason::Replaced)
    );
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
        let mut last = tracked(1, 1, SECOND, |record| {
            record.halves[0].flags = source;
            record.halves[1].flags = destination;
            record.closed_ns = closed_ns;
        });
        last.is_last = is_last;
        table.take(vec![last.into()], Instant::now());
        let delta = table.delta().unwrap();
        assert_eq!(delta.changed[0].connection().closed.unwrap().reason, reason);
        let is_reset = matches!(
            reason,
            CloseReason::ResetBySource | CloseReason::ResetByDestination
        );
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
fn to_save_memory_ended_connections_leave_earlier_and_are_counted() {
    let mut table = table();
    let now = Instant::now();
    let end = |record: &mut ConnectionRecord| record.closed_ns = SECOND;
    table.take(vec![sample(1, 1, SECOND, |_| {}), sample(2, 2, SECOND, end)], now);
    table.economize(Economy {
        keep_closed_percent: 25,
        ..Economy::NONE
    });

    table.tick(now + Duration::from_secs(14));
    assert_eq!(table.delta().unwrap().totals.listed, 2);
    table.tick(now + Duration::from_secs(15));

    let totals = table.delta().unwrap().totals;
    assert_eq!((totals.listed, totals.open, totals.dropped), (1, 1, 1));
}

#[test]
fn with_longer_intervals_a_rate_is_that_of_the_interval_and_falls_to_0_as_much_later() {
    let mut table = table();
    table.economize(Economy {
        stretch: 8,
        ..Economy::NONE
    });
    let now = Instant::now();
    let at = |record: &mut ConnectionRecord, packets| record.halves[0].packets = packets;
    table.take(vec![sample(1, 1, SECOND, |record| at(record, 1))], now);
    table.take(vec![sample(1, 1, 3 * SECOND, |record| at(record, 201))], now);
    for (after_ms, expected) in [(0, 100), (3_900, 100), (4_000, 0)] {
        table.tick(now + Duration::from_millis(after_ms));
        assert_eq!(table.totals.packets_per_second, expected, "after {after_ms} ms");
    }
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
fn an_ended_connection_is_told_of_no_more_when_its_record_goes() {
    let mut table = table();
    let ended = tracked(1, 1, 2 * SECOND, |record| {
        record.closed_ns = 2 * SECOND;
        record.emitted_ns = 2 * SECOND;
    });
    let mut last = ended.clone();
    last.is_last = true;
    last.record.emitted_ns = 0;
    table.take(vec![sample(1, 1, SECOND, |_| {}), ended.into()], Instant::now());
    assert_eq!(table.delta().unwrap().totals.closed, 1);

    table.take(vec![last.into()], Instant::now());

    assert!(table.delta().is_none());
    // What comes on the same endpoints is another connection.
    table.take(vec![sample(2, 1, 3 * SECOND, |_| {})], Instant::now());
    let delta = table.delta().unwrap();
    assert_eq!(delta.changed.iter().map(|row| row.id()).collect::<Vec<_>>(), [2]);
}

#[test]
fn a_connection_that_was_given_up_has_ended_whether_its_last_word_came_or_not() {
    let mut table = table();
    let mut last = tracked(1, 1, 2 * SECOND, |record| {
        record.flags |= ConnectionRecord::GIVEN_UP
    });
    last.is_last = true;
    table.take(
        vec![sample(1, 1, SECOND, |_| {}), sample(2, 2, SECOND, |_| {})],
        Instant::now(),
    );
    table.delta();

    table.take(
        vec![
            last.into(),
            Sample::Gone(key(2), CloseReason::GivenUp),
            Sample::Gone(key(3), CloseReason::SocketGone),
        ],
        Instant::now(),
    );

    let delta = table.delta().unwrap();
    let ended: Vec<_> = delta
        .changed
        .iter()
        .map(|row| (row.id(), row.connection().closed.unwrap().reason))
        .collect();
    assert_eq!(ended, [(1, CloseReason::GivenUp), (2, CloseReason::GivenUp)]);
    assert_eq!(
        (delta.totals.listed, delta.totals.open, delta.totals.closed),
        (2, 0, 2)
    );
}

/// What a socket at the lower end said when it was asked.
fn look(port: u8, at_ns: u64, srtt_us: u32) -> Sample {
    let looked_at = SystemTime::UNIX_EPOCH + Duration::from_nanos(at_ns);
    let socket = Socket {
        sampled_at: looked_at,
        source: SocketSource::SockDiag,
        srtt_us: Some(srtt_us),
        min_rtt_us: Some(1),
        congestion_window: 10,
        slow_start_threshold: None,
        segments: None,
        delivery_rate_bytes_per_second: None,
        details: Some(Arc::new(SocketDetails {
            rttvar_us: Some(7),
            ..SocketDetails::unknown(looked_at, SocketSource::SockDiag, TcpState::Established)
        })),
    };
    Sample::Socket(Box::new(SocketLook {
        key: key(port),
        side: Side::Low,
        cookie: 0,
        comes_in: None,
        socket,
        is_awaited: false,
    }))
}

#[test]
fn what_was_learned_last_of_a_socket_counts_and_what_only_asking_tells_is_kept() {
    let mut table = table();
    let now = Instant::now();
    let sends = |at_ns, srtt_us: u32| {
        sample(1, 1, at_ns, |record| {
            record.halves[0].place = 3;
            record.halves[0].socket.time_ns = at_ns;
            record.halves[0].socket.srtt_8_us = srtt_us * 8;
        })
    };
    let mut newest = |sample: Sample| {
        table.take(vec![sample], now);
        let delta = table.delta().unwrap();
        let connection = delta.changed[0].connection();
        let (rtt, socket) = (connection.rtt().unwrap(), connection.sent.socket.clone().unwrap());
        assert_eq!(
            (rtt.source, connection.received.socket.is_none()),
            (RttSource::Socket, true)
        );
        let rttvar_us = socket.details.as_ref().and_then(|details| details.rttvar_us);
        (rtt.srtt_us, rtt.rttvar_us, rttvar_us)
    };
    assert_eq!(newest(sends(2 * SECOND, 200)), (200, None, None));
    assert_eq!(newest(look(1, 3 * SECOND, 300)), (300, Some(7), Some(7)));
    assert_eq!(newest(sends(4 * SECOND, 400)), (400, None, Some(7)));
    assert_eq!(newest(look(1, 4 * SECOND, 300)), (300, Some(7), Some(7)));
}

#[test]
fn what_is_said_of_sockets_of_other_connections_changes_nothing() {
    let mut table = table();
    let ended = sample(1, 1, SECOND, |record| record.closed_ns = SECOND);
    table.take(vec![ended], Instant::now());
    table.delta();

    table.take(
        vec![look(1, 2 * SECOND, 1), look(2, 2 * SECOND, 1)],
        Instant::now(),
    );

    assert!(table.delta().is_none());
}

/// What the kernel said of a failure at an end of a connection.
fn fails(port: u8, side: Side, at_ns: u64, what: FailureKind) -> Sample {
    Sample::Failure(Box::new(FailureLook {
        key: key(port),
        side,
        what,
        at: SystemTime::UNIX_EPOCH + Duration::from_nanos(at_ns),
    }))
}

fn error(number: i32, is_over: bool) -> FailureKind {
    FailureKind::Error {
        number: number as u16,
        is_over,
    }
}

#[test]
fn why_a_connection_failed_is_told_at_the_end_it_happened_and_the_first_reset_counts() {
    let mut table = table();
    table.take(
        vec![
            sample(1, 1, 2 * SECOND, |record| {
                record.closed_ns = 2 * SECOND;
                record.halves[1].flags = Half::SEEN | Half::RST;
            }),
            fails(1, Side::High, 2 * SECOND, FailureKind::Reset("NO_SOCKET".into())),
            fails(1, Side::Low, 2 * SECOND, error(libc::ECONNREFUSED, true)),
            fails(1, Side::Low, 3 * SECOND, FailureKind::Reset("TCP_STATE".into())),
        ],
        Instant::now(),
    );

    let delta = table.delta().unwrap();
    let connection = delta.changed[0].connection();
    let failure = connection.failure.as_deref().unwrap();
    let reset = failure.reset.as_ref().unwrap();
    assert_eq!((reset.by, &*reset.reason), (End::Destination, "NO_SOCKET"));
    assert_eq!(failure.source_error.unwrap().name(), Some("ECONNREFUSED"));
    assert_eq!(failure.destination_error, None);
    assert_eq!(connection.closed.unwrap().reason, CloseReason::Refused);
    assert_eq!((delta.totals.failed, delta.totals.closed), (1, 1));
}

#[test]
fn an_error_that_closes_the_socket_ends_its_connection() {
    let unanswered = |_: &mut ConnectionRecord| {};
    let open = |record: &mut ConnectionRecord| record.halves[1].flags = Half::SEEN | Half::SYN;
    let cases: [(fn(&mut ConnectionRecord), _, _, _, _); 5] = [
        (
            unanswered,
            libc::ETIMEDOUT,
            true,
            Some(CloseReason::HandshakeTimeout),
            1,
        ),
        (
            unanswered,
            libc::EHOSTUNREACH,
            true,
            Some(CloseReason::SocketError),
            1,
        ),
        (unanswered, libc::EHOSTUNREACH, false, None, 0),
        (open, libc::ETIMEDOUT, true, Some(CloseReason::SocketError), 0),
        (open, libc::EHOSTUNREACH, false, None, 0),
    ];
    for (change, number, is_over, reason, failed) in cases {
        let mut table = table();
        table.take(
            vec![
                sample(1, 1, 2 * SECOND, change),
                fails(1, Side::Low, 3 * SECOND, error(number, is_over)),
            ],
            Instant::now(),
        );

        let delta = table.delta().unwrap();
        let closed = delta.changed[0].connection().closed;
        assert_eq!(closed.map(|closed| closed.reason), reason, "{number}");
        assert_eq!(delta.totals.failed, failed, "{number}");
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(3);
        assert!(closed.is_none_or(|closed| closed.at == at));
    }
}

#[test]
fn a_failure_of_an_earlier_connection_on_the_same_endpoints_is_not_of_this_one() {
    let mut table = table();
    table.take(vec![sample(1, 1, 2 * SECOND, |_| {})], Instant::now());
    table.delta();

    let too_early = fails(1, Side::Low, SECOND / 2, error(libc::ETIMEDOUT, true));
    let of_none = fails(2, Side::Low, 3 * SECOND, error(libc::ETIMEDOUT, true));
    table.take(vec![too_early, of_none], Instant::now());

    assert!(table.delta().is_none());
}

#[test]
fn what_was_said_of_another_socket_is_taken_back() {
    let mut table = table();
    let now = Instant::now();
    let owner = |owner| {
        Sample::Owner(Box::new(OwnerLook {
            key: key(1),
            id: 1,
            side: Side::Low,
            owner,
        }))
    };
    let process = Process {
        pid: 7,
        started_at: None,
        command: "other".into(),
        command_line: None,
        user_id: 0,
        user: None,
        group: None,
        network_namespace: None,
    };
    let named = Owner {
        process: process.into(),
        source: OwnerSource::Descriptor,
    };
    table.take(
        vec![
            sample(1, 1, SECOND, |record| record.halves[0].place = 3),
            look(1, 3 * SECOND, 300),
            owner(Some(named)),
        ],
        now,
    );
    let told = table.delta().unwrap();
    let ends = |told: &Connection| {
        let owners = [&told.source_owner, &told.destination_owner].map(Option::is_some);
        let sockets = [&told.sent.socket, &told.received.socket].map(Option::is_some);
        (owners.contains(&true), sockets.contains(&true))
    };
    assert_eq!(ends(&told.changed[0].connection()), (true, true));

    table.take(vec![owner(None)], now);

    let told = table.delta().unwrap();
    assert_eq!(ends(&told.changed[0].connection()), (false, false));
}
