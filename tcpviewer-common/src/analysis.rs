//! What a segment says of the path: Wireshark's TCP analysis, rule by rule, on what one record keeps. The rules
//! are those of tshark 4.0 (`tcp_analyze_sequence_number`; User's Guide, "TCP Analysis"). In: both halves as they
//! were before the segment. Out: the half's counters and the [`Class`] of the segment. Sequence numbers are
//! moved by `tracker`.
//!
//! Two exceptions, for a packet on its way out of this host. It is never out of order: Wireshark cannot know
//! where a capture was made and takes a quick retransmission for an overtaken packet; here it is known, and the
//! count is the kernel's own. And a byte that nobody has acknowledged is no keep-alive but sent again: those are
//! sent over a silent connection (RFC 9293, section 3.8.4).

use crate::{
    connection::{Half, Hole},
    segment::{Flags, Segment},
    seq,
};

/// Duplicate ACKs ask for a fast retransmission no longer than this, ticks of 256 ns: 20 ms.
const FAST_TICKS: u32 = 78_125;
/// A segment that fills a hole this soon was overtaken, where the RTT is not known, ticks: 3 ms.
const OVERTAKEN_TICKS: u32 = 11_718;

/// How a segment's bytes relate to what its sender sent before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// New, or without bytes.
    New,
    /// A probe of a closed window: one byte that does not count as sent.
    Probe,
    /// A probe of a silent connection: it repeats a byte on purpose.
    KeepAlive,
    /// Overtaken on the way.
    OutOfOrder,
    /// Sent again.
    Retransmission,
}

/// Counts what the segment says and tells its class. `first_rtt` is the handshake's RTT in ticks, 0 where it is
/// not known; `leaves` says that the segment leaves this host, where nothing can have overtaken it yet.
#[inline(always)]
pub fn analyse(
    own: &mut Half,
    other: &mut Half,
    segment: &Segment,
    now: u32,
    first_rtt: u32,
    leaves: bool,
) -> Class {
    let plain = segment.flags.0 & (Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0) == 0;
    let seen = own.has(Half::SEEN);
    let at_next = seen && segment.seq == own.next_seq;
    let below_next = seen && seq::before(segment.seq, own.next_seq);
    let was_probed = own.flags & (Half::KEEP_ALIVE | Half::PROBE);
    own.flags &= !(Half::KEEP_ALIVE | Half::PROBE);

    if segment.payload_bytes == 1 && at_next && other.has(Half::SEEN) && other.window == 0 {
        own.flags |= Half::PROBE;
        note_ack(own, segment);
        return Class::Probe;
    }
    if plain && segment.window == 0 {
        own.zero_windows = own.zero_windows.wrapping_add(1);
    }
    if seen && seq::before(own.next_seq, segment.seq) && !segment.flags.has(Flags::RST) {
        own.lost_segments = own.lost_segments.wrapping_add(1);
    }
    let awaited = leaves
        && segment.payload_bytes > 0
        && !(other.has(Half::ACK) && seq::before_or_at(own.next_seq, other.last_ack));
    let keep_alive = plain
        && seen
        && segment.payload_bytes <= 1
        && segment.seq.wrapping_add(1) == own.next_seq
        && !awaited;
    if keep_alive {
        own.flags |= Half::KEEP_ALIVE;
        own.keep_alives = own.keep_alives.wrapping_add(1);
    }
    if plain && segment.payload_bytes > 0 && fills_window(own, other, segment) {
        own.window_full = own.window_full.wrapping_add(1);
    }
    if plain && segment.payload_bytes == 0 && at_next {
        acknowledgement(own, other, segment);
    }
    note_ack(own, segment);

    let carries =
        segment.sequence_length() > 0 && !(segment.flags.has(Flags::RST) && segment.payload_bytes == 0);
    if keep_alive {
        Class::KeepAlive
    } else if !carries {
        Class::New
    } else if !below_next {
        already_acknowledged(own, other, segment)
    } else if segment.payload_bytes > 1 && segment.seq.wrapping_add(1) == own.next_seq && was_probed != 0 {
        // It carries on behind a probe: all but its first byte is new.
        Class::New
    } else {
        repeated(own, other, segment, now, first_rtt, leaves)
    }
}

/// The class of a segment that does not begin below the next sequence number: new, unless the other side has
/// acknowledged it already, which happens where the packets of the two directions are seen out of step.
#[inline(always)]
fn already_acknowledged(own: &mut Half, other: &Half, segment: &Segment) -> Class {
    let end = segment.seq.wrapping_add(segment.payload_bytes);
    if segment.payload_bytes > 0 && other.has(Half::ACK) && seq::before_or_at(end, other.last_ack) {
        own.spurious_retransmissions = own.spurious_retransmissions.wrapping_add(segment.wire_packets);
        own.retransmissions = own.retransmissions.wrapping_add(segment.wire_packets);
    }
    Class::New
}

/// The class of a segment that begins below the next sequence number, and its counters.
#[inline(always)]
fn repeated(
    own: &mut Half,
    other: &Half,
    segment: &Segment,
    now: u32,
    first_rtt: u32,
    leaves: bool,
) -> Class {
    let end = segment.seq.wrapping_add(segment.sequence_length());
    let answered = other.has(Half::ACK);
    let acknowledged = answered && seq::before_or_at(end, other.last_ack);
    let asked_for = other.duplicate_run >= 2
        && other.last_ack == segment.seq
        && now.wrapping_sub(other.ack_time) < FAST_TICKS;
    let patience = if first_rtt == 0 {
        OVERTAKEN_TICKS
    } else {
        first_rtt
    };
    let overtaken = !leaves && now.wrapping_sub(own.next_time) < patience && end != own.next_seq;
    let packets = repeated_packets(own, segment);
    if asked_for {
        own.fast_retransmissions = own.fast_retransmissions.wrapping_add(packets);
    } else if acknowledged && segment.payload_bytes > 0 {
        own.spurious_retransmissions = own.spurious_retransmissions.wrapping_add(packets);
    } else if overtaken {
        own.out_of_order = own.out_of_order.wrapping_add(packets);
        return Class::OutOfOrder;
    }
    Class::Retransmission
}

/// Of a segment that begins below the next sequence number, the packets that do: all, or a part of what was handed
/// over as one.
#[inline(always)]
pub(crate) fn repeated_packets(own: &Half, segment: &Segment) -> u32 {
    let length = segment.sequence_length();
    if seq::before_or_at(segment.seq.wrapping_add(length), own.next_seq) {
        return segment.wire_packets;
    }
    let overlap = own.next_seq.wrapping_sub(segment.seq);
    (overlap as u64 * segment.wire_packets as u64).div_ceil(length.max(1) as u64) as u32
}

/// Whether the segment ends exactly at the edge of the window that the other side offered.
#[inline(always)]
pub(crate) fn fills_window(own: &Half, other: &Half, segment: &Segment) -> bool {
    let edge = other.last_ack.wrapping_add(other.window_bytes(own));
    other.has(Half::SYN | Half::ACK) && segment.seq.wrapping_add(segment.payload_bytes) == edge
}

/// A segment that does nothing but acknowledge: an answer to a probe, or a duplicate ACK.
#[inline(always)]
fn acknowledgement(own: &mut Half, other: &mut Half, segment: &Segment) {
    let same_window = segment.window == own.window;
    let same_ack = segment.ack == own.last_ack && own.has(Half::ACK);
    if same_window && same_ack && other.has(Half::KEEP_ALIVE) {
        return;
    }
    if same_window && segment.window == 0 && other.has(Half::PROBE) {
        // Some receivers take the byte of the probe after all.
        if segment.ack == own.last_ack.wrapping_add(1) {
            other.next_seq = segment.ack;
        }
        return;
    }
    if same_window && same_ack && segment.window != 0 {
        own.duplicate_acks = own.duplicate_acks.wrapping_add(1);
        own.duplicate_run = own.duplicate_run.saturating_add(1);
    }
}

/// Another ACK ends the row of duplicates.
#[inline(always)]
fn note_ack(own: &mut Half, segment: &Segment) {
    if segment.ack != own.last_ack {
        own.duplicate_run = 0;
    }
}

/// Remembers a hole; the oldest one gives way when there is no room.
#[inline(always)]
pub(crate) fn dig(own: &mut Half, hole: Hole) {
    own.flags |= Half::HOLES;
    for known in &mut own.holes {
        if known.start == known.end {
            *known = hole;
            return;
        }
    }
    let [first, second, third, fourth] = own.holes;
    own.forgotten_bytes = own
        .forgotten_bytes
        .saturating_add(first.end.wrapping_sub(first.start));
    own.holes = [second, third, fourth, hole];
}

/// Takes these bytes out of the holes. Returns how many of them were in one.
#[inline(always)]
pub(crate) fn fill(own: &mut Half, start: u32, end: u32) -> u32 {
    let mut filled = 0_u32;
    let mut rest = Hole { start: 0, end: 0 };
    for hole in &mut own.holes {
        if !(seq::before(hole.start, end) && seq::before(start, hole.end)) {
            continue;
        }
        let from = if seq::before(hole.start, start) {
            start
        } else {
            hole.start
        };
        let to = if seq::before(end, hole.end) { end } else { hole.end };
        filled = filled.wrapping_add(to.wrapping_sub(from));
        match (from == hole.start, to == hole.end) {
            (true, true) => hole.end = hole.start,
            (true, false) => hole.start = to,
            (false, true) => hole.end = from,
            (false, false) => {
                rest = Hole {
                    start: to,
                    end: hole.end,
                };
                hole.end = from;
            }
        }
    }
    if rest.start != rest.end {
        dig(own, rest);
    }
    // Bytes that lie in no hole may still fill one of those that gave way: so the sum is right in the end.
    let others = end.wrapping_sub(start).saturating_sub(filled);
    let forgotten = if others < own.forgotten_bytes {
        others
    } else {
        own.forgotten_bytes
    };
    own.forgotten_bytes -= forgotten;
    filled + forgotten
}

/// Forgets holes that the other side no longer asks for.
#[inline(always)]
pub(crate) fn close(other: &mut Half, ack: u32) {
    if !other.has(Half::HOLES) {
        return;
    }
    let mut open_bytes = 0;
    for hole in &mut other.holes {
        if seq::before_or_at(hole.end, ack) {
            hole.end = hole.start;
        }
        open_bytes |= hole.end ^ hole.start;
    }
    if seq::before_or_at(other.next_seq, ack) {
        other.forgotten_bytes = 0;
    }
    if open_bytes | other.forgotten_bytes == 0 {
        other.flags &= !Half::HOLES;
    }
}
