//! The short way for most packets of a busy connection: data that follows what was sent before, or an acknowledgement
//! of more than the last one, while nothing is lost, marked, opened or closed. It does to the record what the long
//! way does, field by field, which a property test checks; whatever it does not know it leaves to that.
//!
//! Only here a packet may have a rough time. What is measured by it is when a half was last seen. It is exact where an
//! RTT sample begins or ends, where an answer begins, where a question may end (PSH), and where it may be asked later
//! how long ago it was: behind a hole, which an overtaken packet would fill, and between duplicate ACKs, which may ask
//! for a retransmission.

use super::{Clock, Outcome, Sighting, brings_news, confirm, count, take_payload, time};
use crate::{
    connection::{ConnectionRecord, Half, RttTicks, Side, TimedSegment},
    limits::{HOME_SILENCE_NS, TIMED_SEGMENTS},
    segment::{Ecn, Flags, Segment},
    seq,
};

/// A rough time is late by this at most: a tick of the slowest clock that kernels are built with.
const ROUGH_NS: u64 = 10_000_000;

/// Control bits that are for the long way.
const RARE: u8 = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0 | Flags::ECE.0;

/// Takes a segment into its connection's record, if this is one for the short way.
#[inline(always)]
pub(super) fn observe(
    record: &mut ConnectionRecord,
    segment: &Segment,
    seen: &mut Sighting,
    clock: &impl Clock,
) -> Option<Outcome> {
    let awaits_answer = record.syn_ns != 0 && record.answered_ns == 0;
    if record.id == 0 || awaits_answer || !is_plain(segment) {
        return None;
    }
    let [low, high] = &mut record.halves;
    let (own, other, from_high) = match seen.side {
        Side::Low => (low, high, 0),
        Side::High => (high, low, ConnectionRecord::PAYLOAD_FROM_HIGH),
    };
    if own.place != seen.place.0 {
        return passes(own, segment, seen, clock).then(Outcome::default);
    }
    if !is_steady(own, other) || segment.seq != own.next_seq {
        return None;
    }
    let carries = segment.payload_bytes > 0;
    let says_again = segment.ack == own.last_ack && own.has(Half::ACK);
    let end = segment.seq.wrapping_add(segment.payload_bytes);
    if carries {
        let is_acknowledged = other.has(Half::ACK) && seq::before_or_at(end, other.last_ack);
        // A probe of a closed window, a window that is used up, what was acknowledged before it was seen.
        if segment.payload_bytes == 1 && other.window == 0
            || is_acknowledged
            || super::fills_window(own, other, segment)
        {
            return None;
        }
    } else if says_again {
        return None;
    }

    let answers = record.payload_ns != 0 && record.flags & ConnectionRecord::PAYLOAD_FROM_HIGH != from_high;
    let begins = carries && (answers || begins_or_ends(own, segment));
    let rough_ns = if begins || own.duplicate_run > 0 || ends_sample(other, segment.ack) {
        None
    } else {
        clock.rough_ns()
    };
    seen.now_ns = match rough_ns {
        // Never before what was seen already.
        Some(rough_ns) if rough_ns < own.last_seen_ns => own.last_seen_ns,
        Some(rough_ns) => rough_ns,
        None => clock.exact_ns(),
    };
    let now = RttTicks::from_ns(seen.now_ns);
    if carries {
        time(own, TimedSegment { end, sent: now });
        own.next_seq = end;
        own.next_time = now;
        take_payload(
            &mut record.flags,
            &mut record.payload_ns,
            own,
            from_high,
            seen.now_ns,
        );
        if rough_ns.is_some() {
            record.flags |= ConnectionRecord::PAYLOAD_ROUGH;
        }
    }
    if segment.ack != own.last_ack {
        own.duplicate_run = 0;
    }
    confirm(own, other, segment.ack, now);
    own.ack_time = now;
    count(own, segment, seen.now_ns);
    Some(Outcome {
        counted: true,
        ..Outcome::default()
    })
}

/// Whether the packet is counted at its home and only passes here, as most do that pass a second interface: it brings
/// no news, and the home is not silent even if the time is as late as it may be.
#[inline(always)]
fn passes(own: &mut Half, segment: &Segment, seen: &mut Sighting, clock: &impl Clock) -> bool {
    if brings_news(own, segment) {
        return false;
    }
    let Some(rough_ns) = clock.rough_ns() else {
        return false;
    };
    if (rough_ns + ROUGH_NS).saturating_sub(own.last_seen_ns) >= HOME_SILENCE_NS {
        return false;
    }
    seen.now_ns = rough_ns;
    own.later_places |= 1 << seen.place.bit();
    true
}

/// Whether the header has nothing in it but a sequence number and an acknowledgement.
#[inline(always)]
fn is_plain(segment: &Segment) -> bool {
    segment.flags.0 & (RARE | Flags::ACK.0) == Flags::ACK.0 && segment.window != 0 && segment.ecn != Ecn::CE
}

/// Whether both sides are in the middle of it: seen, without holes, neither opening nor closing, and without probes.
#[inline(always)]
fn is_steady(own: &Half, other: &Half) -> bool {
    const OWN: u32 = Half::FIN | Half::RST | Half::KEEP_ALIVE | Half::PROBE;
    const OTHER: u32 = Half::FIN | Half::RST | Half::KEEP_ALIVE | Half::PROBE | Half::HOLES;
    let opens = other.flags & (Half::SYN | Half::SYN_ACKED) == Half::SYN;
    own.flags & (OWN | Half::SEEN) == Half::SEEN && other.flags & OTHER == 0 && !opens
}

/// Whether data begins an RTT sample, may end a question, or follows a hole.
#[inline(always)]
fn begins_or_ends(own: &Half, segment: &Segment) -> bool {
    (own.timed_count as usize) < TIMED_SEGMENTS || segment.flags.has(Flags::PSH) || own.has(Half::HOLES)
}

/// Whether an acknowledgement ends the RTT sample that has waited longest.
#[inline(always)]
fn ends_sample(other: &Half, ack: u32) -> bool {
    other.timed_count > 0
        && other
            .timed
            .get(other.timed_head as usize % TIMED_SEGMENTS)
            .is_some_and(|timed| seq::before_or_at(timed.end, ack))
}
