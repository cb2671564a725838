//! A connection's record, its end and its verdict in a fraction of the memory, for as long as nothing passes: without what
//! only the tracker goes by, with times and sequence numbers as they differ from others, so that most words are
//! [small].

use std::{
    mem::offset_of,
    ops::Range,
    time::{Duration, SystemTime},
};

use tcpviewer_common::{
    abi::Plain as _,
    connection::{ConnectionRecord, Half, Hole, Notable, TimedSegment},
};

use crate::model::{
    Cause, Clock, CloseReason, Closed, End, EvidenceList, Measures, Verdict, VerdictKind, small,
};

/// Where in a record its halves are, and where in a half what only the tracker goes by: from there to its end.
const HALVES: usize = offset_of!(ConnectionRecord, halves);
const HALF: usize = offset_of!(Half, holes);
/// The bytes of a record that are kept.
const KEPT: [Range<usize>; 2] = [
    0..HALVES + HALF,
    HALVES + size_of::<Half>()..HALVES + size_of::<Half>() + HALF,
];
/// Numbers that are kept beside it: of the end and of the verdict.
const NUMBERS: usize = 5;
/// What is kept before it is packed, words.
const WORDS: usize = ((HALVES + 2 * HALF) / 4 + 2 * NUMBERS).next_multiple_of(4);

/// What is known of a connection by its packets, and what was made of that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Known {
    /// [Without what only the tracker goes by](without_trackers_own).
    pub(super) record: ConnectionRecord,
    pub(super) closed: Option<Closed>,
    pub(super) verdict: Option<Verdict>,
}

/// The same at rest.
#[derive(Debug)]
pub(super) struct Packed {
    id: u64,
    bytes: Box<[u8]>,
    reason: Option<CloseReason>,
    verdict: Option<Terms>,
}

/// What is no number in a verdict.
#[derive(Clone, Copy, Debug)]
struct Terms {
    kind: VerdictKind,
    cause: Option<Cause>,
    end: Option<End>,
    measures: Measures,
}

impl Packed {
    pub(super) fn new(known: &Known, clock: Clock) -> Self {
        let numbers = numbers(known, clock.at(newest_ns(&known.record)));
        let mut record = without_trackers_own(&known.record);
        let (begin_ns, newest_ns) = (record.first_seen_ns, newest_ns(&record));
        for time_ns in early(&mut record).into_iter().filter(|time_ns| **time_ns != 0) {
            *time_ns = since(*time_ns, begin_ns);
        }
        for time_ns in late(&mut record).into_iter().filter(|time_ns| **time_ns != 0) {
            *time_ns = since(*time_ns, newest_ns);
        }
        exchange_numbers(&mut record);
        record.id = 0;
        Self {
            id: known.record.id,
            bytes: small::packed(&joined(&record, numbers)),
            reason: known.closed.map(|closed| closed.reason),
            verdict: known.verdict.as_ref().map(Terms::of),
        }
    }

    /// What was packed, by the same clock.
    pub(super) fn unpack(&self, clock: Clock) -> Known {
        let (mut record, numbers) = parted(&small::unpacked(&self.bytes));
        record.id = self.id;
        let begin_ns = record.first_seen_ns;
        for since_ns in early(&mut record).into_iter().filter(|since_ns| **since_ns != 0) {
            *since_ns = at(*since_ns, begin_ns);
        }
        let newest_ns = newest_ns(&record);
        for since_ns in late(&mut record).into_iter().filter(|since_ns| **since_ns != 0) {
            *since_ns = at(*since_ns, newest_ns);
        }
        exchange_numbers(&mut record);
        let time = |span| moment(span, clock.at(newest_ns));
        let [closed_at, since, values @ ..] = numbers;
        Known {
            record,
            closed: self.reason.map(|reason| Closed {
                at: time(closed_at),
                reason,
            }),
            verdict: self.verdict.map(|terms| Verdict {
                kind: terms.kind,
                cause: terms.cause,
                end: terms.end,
                since: time(since),
                evidence: EvidenceList::from_parts(terms.measures, values),
            }),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn has_ended(&self) -> bool {
        self.reason.is_some()
    }
}

impl Terms {
    fn of(verdict: &Verdict) -> Self {
        Self {
            kind: verdict.kind,
            cause: verdict.cause,
            end: verdict.end,
            measures: verdict.evidence.parts().0,
        }
    }
}

/// The record without what means something to the tracker alone: it goes on with its own, in the kernel.
pub(super) fn without_trackers_own(record: &ConnectionRecord) -> ConnectionRecord {
    let half = |half: &Half| Half {
        socket_cookie: 0,
        forgotten_bytes: 0,
        next_time: 0,
        ack_time: 0,
        initial_seq: 0,
        highest_ack: 0,
        later_places: 0,
        fin_end: 0,
        timed_head: 0,
        timed_count: 0,
        duplicate_run: 0,
        holes: [Hole::default(); _],
        timed: [TimedSegment::default(); _],
        ..*half
    };
    ConnectionRecord {
        emitted_ns: 0,
        halves: record.halves.each_ref().map(half),
        notable: [Notable::NONE; _],
        ..*record
    }
}

/// Times that are kept since the first packet.
fn early(record: &mut ConnectionRecord) -> [&mut u64; 5] {
    [
        &mut record.syn_ns,
        &mut record.syn_ack_ns,
        &mut record.answered_ns,
        &mut record.established_ns,
        &mut record.halves[0].last_seen_ns,
    ]
}

/// Times that are kept since the [newest packet](newest_ns).
fn late(record: &mut ConnectionRecord) -> [&mut u64; 5] {
    let [low, high] = &mut record.halves;
    [
        &mut record.closed_ns,
        &mut record.payload_ns,
        &mut low.socket.time_ns,
        &mut high.last_seen_ns,
        &mut high.socket.time_ns,
    ]
}

/// When the newest packet of the lower end was seen, or the first one of all: other times are close to it.
fn newest_ns(record: &ConnectionRecord) -> u64 {
    match record.halves[0].last_seen_ns {
        0 => record.first_seen_ns,
        newest_ns => newest_ns,
    }
}

/// Says sequence numbers by those that they are close to; the opposite is the same.
fn exchange_numbers(record: &mut ConnectionRecord) {
    let [low, high] = &mut record.halves;
    low.last_ack = high.next_seq.wrapping_sub(low.last_ack);
    high.last_ack = low.next_seq.wrapping_sub(high.last_ack);
    for half in [low, high] {
        half.last_seq = half.next_seq.wrapping_sub(half.last_seq);
    }
}

/// The time since another one, never 0, which stands for none, but for 2⁶³; small whether it is after that or before.
fn since(time_ns: u64, begin_ns: u64) -> u64 {
    let after = time_ns.wrapping_sub(begin_ns).cast_signed();
    let folded = ((after << 1) ^ (after >> 63)).cast_unsigned();
    folded.wrapping_add(1)
}

/// The opposite of [`since`].
fn at(since: u64, begin_ns: u64) -> u64 {
    let folded = since.wrapping_sub(1);
    let after = (folded >> 1) ^ (folded & 1).wrapping_neg();
    begin_ns.wrapping_add(after)
}

/// The numbers beside a record; times are those since the newest packet.
fn numbers(known: &Known, newest: SystemTime) -> [u64; NUMBERS] {
    let closed_at = known.closed.map_or(0, |closed| span(closed.at, newest));
    let (since, values) = known
        .verdict
        .map(|verdict| (span(verdict.since, newest), verdict.evidence.parts().1))
        .unwrap_or_default();
    let [first, second, third] = values;
    [closed_at, since, first, second, third]
}

/// The time since the newest packet, as [`since`] has it; it is no longer than three centuries.
fn span(time: SystemTime, newest: SystemTime) -> u64 {
    let after_ns = match time.duration_since(newest) {
        Ok(after) => after.as_nanos() as u64,
        Err(before) => (before.duration().as_nanos() as u64).wrapping_neg(),
    };
    since(after_ns, 0)
}

/// The opposite of [`span`].
fn moment(span: u64, newest: SystemTime) -> SystemTime {
    let after_ns = at(span, 0).cast_signed();
    let distance = Duration::from_nanos(after_ns.unsigned_abs());
    if after_ns < 0 {
        newest - distance
    } else {
        newest + distance
    }
}

/// What is kept of a record, and numbers behind it.
fn joined(record: &ConnectionRecord, numbers: [u64; NUMBERS]) -> [u32; WORDS] {
    let mut words = [0; WORDS];
    let mut places = words.iter_mut();
    for kept in KEPT {
        for (word, place) in record.as_bytes()[kept].as_chunks().0.iter().zip(&mut places) {
            *place = u32::from_le_bytes(*word);
        }
    }
    for (word, place) in numbers.into_iter().flat_map(small::halves).zip(places) {
        *place = word;
    }
    words
}

/// The opposite of [`joined`].
fn parted(words: &[u32; WORDS]) -> (ConnectionRecord, [u64; NUMBERS]) {
    let mut bytes = [0; size_of::<ConnectionRecord>()];
    let mut words = words.iter();
    for kept in KEPT {
        for (place, word) in bytes[kept].as_chunks_mut().0.iter_mut().zip(&mut words) {
            *place = word.to_le_bytes();
        }
    }
    let mut next = || words.next().copied().unwrap_or_default();
    let numbers = [(); NUMBERS].map(|()| small::whole([next(), next()]));
    // There are as many bytes as a record has.
    let record = ConnectionRecord::from_bytes(&bytes).unwrap_or(ConnectionRecord::VACANT);
    (record, numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{convert, rates::Rates, row::Said},
        *,
    };
    use crate::model::{Connection, Measure, key_between, small::tests::words};

    const CLOCK: Clock = Clock::new(SystemTime::UNIX_EPOCH);

    /// Any record that packets may lead to, and others.
    fn records() -> impl Strategy<Value = ConnectionRecord> {
        words::<{ size_of::<ConnectionRecord>() / 4 }>().prop_map(|words| {
            let bytes = words.map(u32::to_le_bytes);
            let mut record = ConnectionRecord::from_bytes(bytes.as_flattened()).unwrap();
            for half in &mut record.halves {
                // A larger one is not taken from a packet (RFC 7323, section 2.3).
                half.window_scale_plus_1 %= 16;
            }
            record
        })
    }

    /// Moments of a century before another one and after.
    fn moments(newest: SystemTime) -> impl Strategy<Value = SystemTime> {
        any::<(bool, u32, u32)>().prop_map(move |(is_before, seconds, nanoseconds)| {
            let distance = Duration::new(seconds.into(), nanoseconds % 1_000_000_000);
            if is_before {
                newest - distance
            } else {
                newest + distance
            }
        })
    }

    fn ends(newest: SystemTime) -> impl Strategy<Value = Option<Closed>> {
        let reason = prop::sample::select(vec![CloseReason::Fin, CloseReason::SocketGone]);
        prop::option::of((moments(newest), reason).prop_map(|(at, reason)| Closed { at, reason }))
    }

    fn verdicts(newest: SystemTime) -> impl Strategy<Value = Option<Verdict>> {
        let kind = prop::sample::select(vec![VerdictKind::Healthy, VerdictKind::Backlog]);
        let cause = prop::option::of(Just(Cause::NotAccepted));
        let end = prop::option::of(Just(End::Destination));
        let measures = prop::array::uniform3(prop::option::of(Just(Measure::RoundTrip)));
        let verdict = (kind, cause, end, moments(newest), measures, any::<[u64; 3]>());
        prop::option::of(
            verdict.prop_map(|(kind, cause, end, since, measures, values)| Verdict {
                kind,
                cause,
                end,
                since,
                evidence: EvidenceList::from_parts(measures, values),
            }),
        )
    }

    fn knowns() -> impl Strategy<Value = Known> {
        records().prop_flat_map(|record| {
            let newest = CLOCK.at(newest_ns(&record));
            let known = (ends(newest), verdicts(newest));
            known.prop_map(move |(closed, verdict)| Known {
                record,
                closed,
                verdict,
            })
        })
    }

    /// What is published of a record.
    fn published(record: &ConnectionRecord) -> Connection {
        let key = key_between(([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 80).into());
        let said = Said::new(key.0, "lo".into());
        convert::connection(&said, record, None, Rates::default(), CLOCK)
    }

    proptest! {
        #[test]
        fn what_is_known_at_rest_is_all_that_is_published(known in knowns()) {
            let packed = Packed::new(&known, CLOCK);

            prop_assert_eq!((packed.id(), packed.has_ended()), (known.record.id, known.closed.is_some()));
            let unpacked = packed.unpack(CLOCK);
            let record = without_trackers_own(&known.record);
            prop_assert_eq!(unpacked, Known { record, ..known });
            prop_assert_eq!(published(&record), published(&known.record));
        }
    }
}
