//! The TCP tracker: how one segment changes the record of its connection. A pure function of the record, the
//! segment and where and when it was seen; the only place a record changes. It runs in the kernel with the
//! record's lock held, so it calls nothing, allocates nothing and has no loop without a bound.

use core::hint::black_box;

use crate::{
    analysis::{Class, analyse, close, dig, fill, fills_window, repeated_packets},
    connection::{ConnectionRecord, Half, Hole, Notable, Place, RttTicks, Side, SocketSample, TimedSegment},
    limits::{HOME_SILENCE_NS, LATER_PLACE_SHIFT, NOTABLE_SEGMENTS, TIMED_SEGMENTS},
    segment::{Ecn, Flags, Segment, SynOptions},
    seq,
};

mod quick;

/// Longest RTT that is told from others, ticks: 68 seconds. Leaves room for the scaling of the average.
const MAX_SAMPLE: u32 = 1 << 28;

/// Circumstances of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// Who sent it.
    pub side: Side,
    /// Where it was seen.
    pub place: Place,
    /// When it was seen, nanoseconds of boot time.
    pub now_ns: u64,
    /// The id of the connection, should it begin here. Not 0.
    pub new_id: u64,
}

/// Tells what time it is. Asking exactly takes a good part of the time that a packet takes, and most packets do not
/// need it.
pub trait Clock {
    /// Nanoseconds of boot time, late by a tick of the kernel's clock at most (10 ms); `None` where only the exact time
    /// is to be had.
    fn rough_ns(&self) -> Option<u64>;

    /// Nanoseconds of boot time.
    fn exact_ns(&self) -> u64;
}

/// The time of a packet that was handed in with it.
struct Exactly(u64);

impl Clock for Exactly {
    fn rough_ns(&self) -> Option<u64> {
        None
    }

    fn exact_ns(&self) -> u64 {
        self.0
    }
}

/// What a segment did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// It was counted; otherwise the connection is counted at another place.
    pub counted: bool,
    /// It began the connection.
    pub opened: bool,
    /// It ended the connection.
    pub closed: bool,
    /// It carries what was sent before.
    pub retransmission: bool,
}

/// Whether this segment begins another connection on the endpoints of `record`: a SYN with another initial
/// sequence number (RFC 9293, section 3.6.1; Wireshark calls it port reuse). The record must then be made
/// vacant before the segment is observed.
#[inline(always)]
pub fn replaces(record: &ConnectionRecord, segment: &Segment, side: Side) -> bool {
    let [low, high] = &record.halves;
    let own = match side {
        Side::Low => low,
        Side::High => high,
    };
    let differs = own.has(Half::SEEN) && !(own.has(Half::SYN) && own.initial_seq == segment.seq);
    // A socket that says something of a connection has its handshake behind it.
    let is_later = !own.has(Half::SEEN) && record.has(ConnectionRecord::OLDER);
    segment.flags.opens() && (differs || is_later)
}

/// Takes a segment into its connection's record.
#[inline(always)]
pub fn observe(record: &mut ConnectionRecord, segment: &Segment, mut seen: Sighting) -> Outcome {
    let clock = Exactly(seen.now_ns);
    observe_when(record, segment, &mut seen, &clock)
}

/// Takes a segment into its connection's record, and writes into `seen` when that was, as exactly as it matters.
#[inline(always)]
pub fn observe_when(
    record: &mut ConnectionRecord,
    segment: &Segment,
    seen: &mut Sighting,
    clock: &impl Clock,
) -> Outcome {
    match quick::observe(record, segment, seen, clock) {
        Some(outcome) => outcome,
        None => {
            seen.now_ns = clock.exact_ns();
            observe_any(record, segment, seen)
        }
    }
}

/// The long way, for every segment. Not inlined: in the kernel it would be in the way of the short one.
#[inline(never)]
pub fn observe_any(record: &mut ConnectionRecord, segment: &Segment, seen: &Sighting) -> Outcome {
    let seen = *seen;
    let opened = record.id == 0;
    if opened {
        begin(record, segment, seen);
    }
    let Some([own, other]) = own_and_other(&mut record.halves, seen.side) else {
        return Outcome::default();
    };
    if !at_home(own, segment, seen) {
        return Outcome::default();
    }
    let now = RttTicks::from_ns(seen.now_ns);
    let special = special(segment);
    let first_rtt = if record.answered_ns == 0 {
        0
    } else {
        RttTicks::from_ns(record.answered_ns.saturating_sub(record.syn_ns))
    };
    begin_sequence(own, segment);
    let class = analyse(own, other, segment, now, first_rtt, seen.place.is_egress());
    advance(own, segment, now, class);
    let mut established = false;
    if segment.flags.has(Flags::ACK) && !segment.flags.has(Flags::RST) {
        established = acknowledge(own, other, segment, now);
    }
    own.ack_time = now;
    count(own, segment, seen.now_ns);
    control(own, other, segment);

    if segment.payload_bytes > 0 && class == Class::New {
        let from_high = seen.side as u32 * ConnectionRecord::PAYLOAD_FROM_HIGH;
        take_payload(
            &mut record.flags,
            &mut record.payload_ns,
            own,
            from_high,
            seen.now_ns,
        );
    }

    if segment.flags.opens() {
        if record.answered_ns == 0 {
            record.syn_ns = seen.now_ns;
        }
    } else if segment.flags.has(Flags::SYN) {
        if record.established_ns == 0 {
            record.syn_ack_ns = seen.now_ns;
        }
    } else if segment.flags.has(Flags::ACK)
        && record.syn_ns != 0
        && record.answered_ns == 0
        && record.syn_ns < seen.now_ns
    {
        record.answered_ns = seen.now_ns;
    }
    if established {
        record.established_ns = seen.now_ns;
    }
    let over = own.has(Half::RST) || own.has(Half::FIN_ACKED) && other.has(Half::FIN_ACKED);
    let closed = over && record.closed_ns == 0;
    if closed {
        record.closed_ns = seen.now_ns;
    }
    let retransmission = class == Class::Retransmission;
    if special + established as u32 + retransmission as u32 != 0 {
        note(record, segment, seen, established, retransmission);
    }
    Outcome {
        counted: true,
        opened,
        closed,
        retransmission,
    }
}

/// Above 0 where the header alone makes the segment worth remembering: a mark, or no window. Sums in place of branches,
/// each of which would double what the kernel's verifier has to look at.
#[inline(always)]
fn special(segment: &Segment) -> u32 {
    let marks = segment.flags.0 & (Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0);
    // A window of 0 is the only one with nothing below it.
    marks as u32 + ((segment.window as u32).wrapping_sub(1) >> 31)
}

/// Remembers a segment, in the place of the oldest that is remembered.
#[inline(never)]
fn note(
    record: &mut ConnectionRecord,
    segment: &Segment,
    seen: Sighting,
    established: bool,
    retransmission: bool,
) {
    let place = record.notable_count as usize % NOTABLE_SEGMENTS;
    if let Some(place) = record.notable.get_mut(place) {
        *place = Notable {
            time_ns: seen.now_ns,
            seq: segment.seq,
            ack: segment.ack,
            payload_bytes: segment.payload_bytes,
            window: segment.window,
            flags: segment.flags.0,
            kind: established as u8 * Notable::ESTABLISHES
                + retransmission as u8 * Notable::RETRANSMISSION
                + seen.side as u8 * Notable::FROM_HIGH,
        };
    }
    record.notable_count = record.notable_count.wrapping_add(1);
}

/// Takes what the kernel says of the socket that sends on this side.
#[inline(always)]
pub fn take_socket(record: &mut ConnectionRecord, side: Side, sample: SocketSample) {
    let [low, high] = &mut record.halves;
    match side {
        Side::Low => low.socket = sample,
        Side::High => high.socket = sample,
    }
}

/// Takes the kernel's number of the socket that sends on this side; 0 says nothing.
#[inline(always)]
pub fn take_cookie(record: &mut ConnectionRecord, side: Side, cookie: u64) {
    if cookie == 0 {
        return;
    }
    let [low, high] = &mut record.halves;
    match side {
        Side::Low => low.socket_cookie = cookie,
        Side::High => high.socket_cookie = cookie,
    }
}

/// The half of this side and the other one, by arithmetic and not by a branch: behind that, the kernel's verifier would
/// follow everything twice, once for each side. Never `None`.
#[inline(always)]
fn own_and_other(halves: &mut [Half; 2], side: Side) -> Option<[&mut Half; 2]> {
    // The compiler knows that there are two sides and would leave out the mask, which the verifier needs.
    let own = black_box(side as usize) & 1;
    halves.get_disjoint_mut([own, own ^ 1]).ok()
}

/// Starts a record. The end that sent a SYN is the source, the end that sent a SYN-ACK the destination; in
/// mid-life the end with the higher port is taken for the source.
#[inline(always)]
fn begin(record: &mut ConnectionRecord, segment: &Segment, seen: Sighting) {
    record.id = seen.new_id;
    record.first_seen_ns = seen.now_ns;
    let handshake = segment.flags.has(Flags::SYN);
    let sender_is_source = if handshake {
        !segment.flags.has(Flags::ACK)
    } else {
        u16::from_be_bytes(segment.source_port) >= u16::from_be_bytes(segment.destination_port)
    };
    if handshake {
        record.flags |= ConnectionRecord::BY_HANDSHAKE;
    }
    if sender_is_source == matches!(seen.side, Side::High) {
        record.flags |= ConnectionRecord::SOURCE_IS_HIGH;
    }
}

/// Whether the packet is counted at this place. Each half has one home, so that a packet that passes several
/// interfaces counts once. A place that shows what the home has not seen yet comes earlier on the path and
/// becomes the home; so does any place once the home has fallen silent. The home has seen what lies below the highest
/// numbers it has shown: packets that overtake each other between two interfaces are no news at the second.
#[inline(always)]
fn at_home(own: &mut Half, segment: &Segment, seen: Sighting) -> bool {
    if own.place == seen.place.0 {
        return true;
    }
    let later = own.later_places >> seen.place.bit() & 1;
    let silence = HOME_SILENCE_NS << (later * LATER_PLACE_SHIFT);
    let is_news = brings_news(own, segment) || seen.now_ns.saturating_sub(own.last_seen_ns) >= silence;
    if is_news {
        forget_assumed_socket(own);
        own.place = seen.place.0;
        own.later_places = 0;
    } else {
        own.later_places |= 1 << seen.place.bit();
    }
    is_news
}

/// Of a half without packets, the socket of another network namespace was assumed by where its packets would come in: it is
/// another one if they come in elsewhere. Without a branch, as for [`begin_sequence`].
#[inline(always)]
fn forget_assumed_socket(own: &mut Half) {
    let is_certain = ((own.flags & Half::SEEN) / Half::SEEN) | (own.place & 1);
    own.socket_cookie *= is_certain as u64;
}

/// Whether the segment shows what the home has not: sequence numbers or an acknowledgement above the highest.
#[inline(always)]
fn brings_news(own: &Half, segment: &Segment) -> bool {
    // The byte of a probe was shown and does not count as sent.
    let probed = (own.flags & Half::PROBE) / Half::PROBE;
    let shown = own.next_seq.wrapping_add(probed);
    !own.has(Half::SEEN)
        || seq::before(shown, segment.seq.wrapping_add(segment.sequence_length()))
        || segment.flags.has(Flags::ACK)
            && !segment.flags.has(Flags::RST)
            && seq::before(own.highest_ack, segment.ack)
}

/// The first SYN of a side begins its sequence numbers. What came before it, as the RST of a host in between that has
/// none, says nothing of them. Without a branch: each one here doubles what the kernel's verifier has to follow.
#[inline(always)]
fn begin_sequence(own: &mut Half, segment: &Segment) {
    let syn = (segment.flags.0 & Flags::SYN.0) as u32 / Flags::SYN.0 as u32;
    let had_none = 1 - (own.flags & Half::SYN) / Half::SYN;
    own.flags &= !(syn * had_none * Half::SEEN);
}

/// Adds the packet to the counters.
#[inline(always)]
fn count(own: &mut Half, segment: &Segment, now_ns: u64) {
    own.last_seen_ns = now_ns;
    own.packets += segment.wire_packets as u64;
    own.wire_bytes += segment.wire_bytes as u64;
    own.payload_bytes += segment.payload_bytes as u64;
    own.last_seq = segment.seq;
    own.window = segment.window;
}

/// Moves the highest sequence number sent, keeps the holes, and times what is new.
#[inline(always)]
fn advance(own: &mut Half, segment: &Segment, now: u32, class: Class) {
    let length = segment.sequence_length();
    let end = segment.seq.wrapping_add(length);
    if !own.has(Half::SEEN) {
        own.flags |= Half::SEEN;
        own.initial_seq = segment.seq;
        own.next_seq = segment.seq;
        own.next_time = now;
    }
    match class {
        Class::Probe => return,
        Class::KeepAlive if length == 0 => return,
        Class::KeepAlive | Class::OutOfOrder | Class::Retransmission => repeat(own, segment, class),
        Class::New => {
            let starts_new = !seq::before(segment.seq, own.next_seq);
            if starts_new && segment.seq != own.next_seq && !segment.flags.has(Flags::RST) {
                dig(
                    own,
                    Hole {
                        start: own.next_seq,
                        end: segment.seq,
                    },
                );
            }
            if starts_new && length > 0 && !segment.flags.has(Flags::RST) {
                time(own, TimedSegment { end, sent: now });
            }
        }
    }
    if seq::before(own.next_seq, end) {
        own.next_seq = end;
        own.next_time = now;
    }
}

/// Counts what was sent before, leaving out bytes that are seen for the first time: those that fill a hole.
#[inline(never)]
fn repeat(own: &mut Half, segment: &Segment, class: Class) {
    let length = segment.sequence_length();
    let end = segment.seq.wrapping_add(length);
    let overlap = if seq::before_or_at(end, own.next_seq) {
        length
    } else {
        own.next_seq.wrapping_sub(segment.seq)
    };
    let filled = fill(own, segment.seq, segment.seq.wrapping_add(overlap));
    let again = overlap.saturating_sub(filled);
    own.retransmitted_bytes += if again < segment.payload_bytes {
        again
    } else {
        segment.payload_bytes
    } as u64;
    if class == Class::Retransmission {
        own.retransmissions = own.retransmissions.wrapping_add(repeated_packets(own, segment));
        if segment.flags.has(Flags::SYN) {
            own.syn_retransmissions = own.syn_retransmissions.wrapping_add(1);
        }
    }
    forget_timed(own, segment.seq);
}

/// Begins to wait for the segment's acknowledgement, if there is room.
#[inline(always)]
fn time(own: &mut Half, segment: TimedSegment) {
    let count = own.timed_count as usize;
    if count < TIMED_SEGMENTS {
        let index = (own.timed_head as usize + count) % TIMED_SEGMENTS;
        if let Some(free) = own.timed.get_mut(index) {
            *free = segment;
            own.timed_count += 1;
        }
    }
}

/// Karn's rule: an acknowledgement of these bytes may now belong to either transmission (RFC 6298,
/// section 3), and what was sent after them waits for the repair as well.
#[inline(always)]
fn forget_timed(own: &mut Half, from: u32) {
    for _ in 0..TIMED_SEGMENTS {
        let count = own.timed_count as usize;
        if count == 0 {
            break;
        }
        let newest = (own.timed_head as usize + count - 1) % TIMED_SEGMENTS;
        match own.timed.get(newest) {
            Some(timed) if seq::before(from, timed.end) => own.timed_count -= 1,
            Some(_) | None => break,
        }
    }
}

/// Takes the acknowledgement of what the other side sent. Returns whether it completed the handshake.
#[inline(always)]
fn acknowledge(own: &mut Half, other: &mut Half, segment: &Segment, now: u32) -> bool {
    let ack = segment.ack;
    close(other, ack);
    confirm(own, other, ack, now);
    if other.has(Half::FIN) && seq::before_or_at(other.fin_end, ack) {
        other.flags |= Half::FIN_ACKED;
    }
    if other.has(Half::SYN) && !other.has(Half::SYN_ACKED) && seq::before(other.initial_seq, ack) {
        other.flags |= Half::SYN_ACKED;
        return !segment.flags.has(Flags::SYN);
    }
    false
}

/// Takes an acknowledgement number, and an RTT sample where what it acknowledges is timed.
#[inline(always)]
fn confirm(own: &mut Half, other: &mut Half, ack: u32, now: u32) {
    own.last_ack = ack;
    if !own.has(Half::ACK) || seq::before(own.highest_ack, ack) {
        own.highest_ack = ack;
    }
    own.flags |= Half::ACK;
    let mut sample = None;
    for _ in 0..TIMED_SEGMENTS {
        if other.timed_count == 0 {
            break;
        }
        match other.timed.get(other.timed_head as usize % TIMED_SEGMENTS) {
            Some(timed) if seq::before_or_at(timed.end, ack) => {
                // The oldest of those acknowledged, as the kernel takes it.
                if sample.is_none() {
                    sample = Some(now.wrapping_sub(timed.sent));
                }
                other.timed_head = (other.timed_head + 1) % TIMED_SEGMENTS as u8;
                other.timed_count -= 1;
            }
            Some(_) | None => break,
        }
    }
    // Packets that were recorded out of step give a time below zero, which is no RTT.
    if let Some(ticks) = sample
        && ticks < 1 << 31
    {
        take_sample(other, ticks);
    }
}

/// Smooths an RTT sample as RFC 6298, section 2, has it. The scaled integers round as Linux does.
#[inline(always)]
fn take_sample(half: &mut Half, ticks: u32) {
    let sample = if ticks > MAX_SAMPLE { MAX_SAMPLE } else { ticks };
    if half.rtt_samples == 0 {
        half.srtt_8 = sample << 3;
        half.rttvar_4 = sample << 1;
        half.rtt_min = sample;
        half.rtt_max = sample;
    } else {
        let error = (half.srtt_8 >> 3).abs_diff(sample);
        half.rttvar_4 = half.rttvar_4 - (half.rttvar_4 >> 2) + error;
        half.srtt_8 = half.srtt_8 - (half.srtt_8 >> 3) + sample;
        if sample < half.rtt_min {
            half.rtt_min = sample;
        }
        if sample > half.rtt_max {
            half.rtt_max = sample;
        }
    }
    half.rtt_last = sample;
    half.rtt_samples = half.rtt_samples.saturating_add(1);
}

/// Notes when payload was seen that was not sent before, and whose it was: an answer, where the last was the other's.
#[inline(always)]
fn take_payload(flags: &mut u32, payload_ns: &mut u64, own: &mut Half, from_high: u32, now_ns: u64) {
    const KEPT: u32 = ConnectionRecord::PAYLOAD_FROM_HIGH | ConnectionRecord::PAYLOAD_ROUGH;
    if *payload_ns != 0 && *flags & KEPT == from_high ^ ConnectionRecord::PAYLOAD_FROM_HIGH {
        take_response(own, now_ns.saturating_sub(*payload_ns));
    }
    *flags = *flags & !KEPT | from_high;
    *payload_ns = now_ns;
}

/// Takes the time from the end of a question to the beginning of its answer.
#[inline(always)]
fn take_response(own: &mut Half, elapsed_ns: u64) {
    let ticks = elapsed_ns >> 8;
    own.responses = own.responses.saturating_add(1);
    own.response_total = own.response_total.saturating_add(ticks);
    own.response_last = if ticks > u32::MAX as u64 {
        u32::MAX
    } else {
        ticks as u32
    };
    if own.response_last > own.response_max {
        own.response_max = own.response_last;
    }
}

/// Notes SYN, FIN, RST and the marks of congestion.
#[inline(always)]
fn control(own: &mut Half, other: &Half, segment: &Segment) {
    if segment.flags.has(Flags::SYN) {
        if own.has(Half::SYN) {
            own.flags |= Half::SYN_REPEATED;
        }
        own.flags |= Half::SYN;
        own.mss_bytes = segment.options.mss_bytes;
        own.window_scale_plus_1 = segment.options.window_scale_plus_1;
        own.flags |= announced(segment);
    } else if segment.flags.has(Flags::ECE) {
        own.ecn_echoed = own.ecn_echoed.wrapping_add(segment.wire_packets);
    }
    if segment.ecn == Ecn::CE {
        own.ecn_marked = own.ecn_marked.wrapping_add(segment.wire_packets);
    }
    if segment.flags.has(Flags::FIN) && !own.has(Half::FIN) {
        own.fin_end = segment.seq.wrapping_add(segment.sequence_length());
        own.flags |= if other.has(Half::FIN_ACKED) {
            Half::FIN | Half::FIN_SECOND
        } else {
            Half::FIN
        };
    }
    if segment.flags.has(Flags::RST) {
        own.flags |= Half::RST;
        own.resets = own.resets.wrapping_add(1);
    }
}

/// What a SYN or SYN-ACK announces, as flags of its half.
#[inline(always)]
fn announced(segment: &Segment) -> u32 {
    let mut flags = 0;
    if segment.options.has(SynOptions::SACK_PERMITTED) {
        flags |= Half::SACK_PERMITTED;
    }
    if segment.options.has(SynOptions::TIMESTAMPS) {
        flags |= Half::TIMESTAMPS;
    }
    if segment.options.has(SynOptions::FAST_OPEN) {
        flags |= Half::FAST_OPEN;
    }
    // The SYN asks with both flags, the SYN-ACK agrees with ECE alone.
    let reduced = segment.flags.has(Flags::CWR);
    if segment.flags.has(Flags::ECE) && reduced == segment.flags.opens() {
        flags |= Half::ECN;
    }
    flags
}

#[cfg(test)]
pub(crate) mod tests;
