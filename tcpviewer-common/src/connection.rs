//! What is kept of one connection: the key that both directions share, and the record with its two halves.
//! These are the key and the value of the kernel's map, so every field is a fixed-width integer and every
//! gap is spelled out (see `abi`). Only `tracker` changes a record.

use crate::{
    limits::{HOLES, NOTABLE_SEGMENTS, TIMED_SEGMENTS},
    segment::{Address, Segment},
    seq,
    state::TcpState,
};

/// The two endpoints in sorted order, so that both directions find the same record. Network order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionKey {
    /// Address of the lower endpoint.
    pub low: Address,
    /// Address of the higher endpoint.
    pub high: Address,
    /// Port of the lower endpoint.
    pub low_port: [u8; 2],
    /// Port of the higher endpoint. The type of the field gives the key its alignment.
    pub high_port: [u8; 2],
    #[doc(hidden)]
    pub alignment: [u32; 0],
}

/// Which endpoint of the key sent a packet; also the index of its half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The lower one.
    Low,
    /// The higher one.
    High,
}

impl ConnectionKey {
    /// The key of the segment's connection and the side that sent it.
    #[inline(always)]
    pub fn of(segment: &Segment) -> (Self, Side) {
        if endpoint_before(segment) {
            let key = Self {
                low: segment.source,
                high: segment.destination,
                low_port: segment.source_port,
                high_port: segment.destination_port,
                alignment: [],
            };
            (key, Side::Low)
        } else {
            let key = Self {
                low: segment.destination,
                high: segment.source,
                low_port: segment.destination_port,
                high_port: segment.source_port,
                alignment: [],
            };
            (key, Side::High)
        }
    }
}

/// Whether the source comes before the destination.
#[inline(always)]
fn endpoint_before(segment: &Segment) -> bool {
    let (source, destination) = (
        u128::from_be_bytes(segment.source),
        u128::from_be_bytes(segment.destination),
    );
    if source == destination {
        u16::from_be_bytes(segment.source_port) <= u16::from_be_bytes(segment.destination_port)
    } else {
        source < destination
    }
}

/// Where a packet was seen: interface index times two, plus one on egress. 0 is nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place(pub u32);

impl Place {
    /// The ingress or egress hook of an interface.
    #[inline(always)]
    pub const fn new(interface: u32, egress: bool) -> Self {
        Self(interface << 1 | egress as u32)
    }

    /// The interface's index.
    pub const fn interface(self) -> u32 {
        self.0 >> 1
    }

    /// Whether the packet left this host there.
    pub const fn is_egress(self) -> bool {
        self.0 & 1 == 1
    }

    /// Which of the 32 bits of a set of places is this one's. Others share it.
    #[inline(always)]
    pub const fn bit(self) -> u32 {
        self.0 & 31
    }
}

/// Value of the kernel's map: a record behind its lock.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionSlot {
    /// Above 0 while a program changes or copies the record.
    pub lock: u64,
    /// The record.
    pub record: ConnectionRecord,
}

impl ConnectionSlot {
    /// A slot whose record has not begun.
    pub const VACANT: Self = Self {
        lock: 0,
        record: ConnectionRecord::VACANT,
    };
}

/// All that is known of one connection. Times are nanoseconds of boot time, 0 where it has not happened.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionRecord {
    /// Identifies the connection; 0 while the record has not begun.
    pub id: u64,
    /// First packet.
    pub first_seen_ns: u64,
    /// Newest report to user space; 0 before the first one, and behind the one that told of the end.
    pub emitted_ns: u64,
    /// Newest SYN without ACK before the connection was answered.
    pub syn_ns: u64,
    /// Newest SYN with ACK before the handshake was over.
    pub syn_ack_ns: u64,
    /// The first packet with ACK and without SYN after a SYN, from either side.
    pub answered_ns: u64,
    /// The ACK that completed the handshake.
    pub established_ns: u64,
    /// Its end.
    pub closed_ns: u64,
    /// The newest payload that was not sent before, from either side.
    pub payload_ns: u64,
    /// Bits of [`ConnectionRecord::BY_HANDSHAKE`] and the like.
    pub flags: u32,
    /// How many segments were worth remembering; begins anew after 2³².
    pub notable_count: u32,
    /// What each side sent, in the order of [`Side`].
    pub halves: [Half; 2],
    /// The newest segments that were worth remembering: a ring in which number n, counted from 0, has place n modulo
    /// its length.
    pub notable: [Notable; NOTABLE_SEGMENTS],
}

/// A segment that is worth remembering: of a handshake, of an end, sent again, or without a window.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notable {
    /// When it was seen, nanoseconds of boot time; 0 where there is none.
    pub time_ns: u64,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP payload, bytes.
    pub payload_bytes: u32,
    /// The window field, not scaled.
    pub window: u16,
    /// Control bits.
    pub flags: u8,
    /// Bits of [`Notable::ESTABLISHES`] and the like: what the header alone does not say.
    pub kind: u8,
}

impl Notable {
    /// It completes the handshake.
    pub const ESTABLISHES: u8 = 1;
    /// It carries what was sent before.
    pub const RETRANSMISSION: u8 = 1 << 1;
    /// The higher endpoint of the key sent it.
    pub const FROM_HIGH: u8 = 1 << 2;

    /// No segment.
    pub const NONE: Self = Self {
        time_ns: 0,
        seq: 0,
        ack: 0,
        payload_bytes: 0,
        window: 0,
        flags: 0,
        kind: 0,
    };

    /// Whether all bits of `kind` are set.
    pub const fn is(&self, kind: u8) -> bool {
        self.kind & kind == kind
    }
}

impl ConnectionRecord {
    /// Source and destination are known from a SYN.
    pub const BY_HANDSHAKE: u32 = 1;
    /// The source is the higher endpoint of the key.
    pub const SOURCE_IS_HIGH: u32 = 2;
    /// It began while half-open connections came by the thousand, and is not reported before it is confirmed.
    pub const WITHHELD: u32 = 1 << 2;
    /// It was half-open and gave its place to a newer one: the record is on its way out of the map.
    pub const GIVEN_UP: u32 = 1 << 3;
    /// The newest payload came from the higher endpoint.
    pub const PAYLOAD_FROM_HIGH: u32 = 1 << 4;

    /// It began with what a socket said that is older than the programs: until a packet of a half was seen, nothing
    /// of it was measured.
    pub const OLDER: u32 = 1 << 5;
    /// Source and destination are known from the ports that are listened on.
    pub const BY_LISTENER: u32 = 1 << 6;
    /// The time of the newest payload is not exact, so no answer is timed from it.
    pub const PAYLOAD_ROUGH: u32 = 1 << 7;

    /// A record that has not begun.
    pub const VACANT: Self = Self {
        id: 0,
        first_seen_ns: 0,
        emitted_ns: 0,
        syn_ns: 0,
        syn_ack_ns: 0,
        answered_ns: 0,
        established_ns: 0,
        closed_ns: 0,
        payload_ns: 0,
        flags: 0,
        notable_count: 0,
        halves: [Half::SILENT; 2],
        notable: [Notable::NONE; NOTABLE_SEGMENTS],
    };

    /// Which side opened the connection.
    pub const fn source_side(&self) -> Side {
        if self.flags & Self::SOURCE_IS_HIGH == 0 {
            Side::Low
        } else {
            Side::High
        }
    }

    /// What the source sent and what the destination sent.
    pub const fn oriented(&self) -> (&Half, &Half) {
        let [low, high] = &self.halves;
        match self.source_side() {
            Side::Low => (low, high),
            Side::High => (high, low),
        }
    }

    /// When the newest packet was seen, nanoseconds of boot time.
    pub const fn last_seen_ns(&self) -> u64 {
        let [low, high] = &self.halves;
        if low.last_seen_ns > high.last_seen_ns {
            low.last_seen_ns
        } else {
            high.last_seen_ns
        }
    }

    /// Packets on the wire, both sides together.
    pub const fn packets(&self) -> u64 {
        let [low, high] = &self.halves;
        low.packets.wrapping_add(high.packets)
    }

    /// Whether all bits of `flags` are set.
    #[inline(always)]
    pub const fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    /// Whether the last report is an update interval ago.
    #[inline(always)]
    pub const fn is_due(&self, now_ns: u64, update_interval_ns: u64) -> bool {
        now_ns.saturating_sub(self.emitted_ns) >= update_interval_ns
    }
}

/// What one side sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half {
    /// Newest packet, nanoseconds of boot time.
    pub last_seen_ns: u64,
    /// Packets on the wire.
    pub packets: u64,
    /// Bytes of those packets, link-layer header included.
    pub wire_bytes: u64,
    /// TCP payload bytes, retransmitted ones included.
    pub payload_bytes: u64,
    /// TCP payload bytes seen before.
    pub retransmitted_bytes: u64,
    /// Sum of the times from the other side's last payload to this side's first after it, [`RttTicks`].
    pub response_total: u64,
    /// The kernel's number of the socket that sends, which no other socket has before the next boot (Linux:
    /// SO_COOKIE). 0 where the socket is not of this host or is not known yet.
    pub socket_cookie: u64,
    /// What the kernel says of the socket that sends.
    pub socket: SocketSample,
    /// Packets on the wire with data, SYN or FIN at or below what was already sent, whatever their class.
    pub retransmissions: u32,
    /// Those of them that two or more duplicate ACKs asked for.
    pub fast_retransmissions: u32,
    /// Those of them that the other side had already acknowledged.
    pub spurious_retransmissions: u32,
    /// Those of them that carry a SYN.
    pub syn_retransmissions: u32,
    /// Packets below the highest sequence number that come soon after it: taken for overtaken on the way.
    pub out_of_order: u32,
    /// ACKs that say again what the last one said, with nothing else to say.
    pub duplicate_acks: u32,
    /// Packets that offer no receive window.
    pub zero_windows: u32,
    /// Packets that use up the window that the other side offered.
    pub window_full: u32,
    /// Packets of one or no byte just below the next sequence number, sent to see whether the other side lives.
    pub keep_alives: u32,
    /// Packets that begin beyond the next sequence number: something before them was not seen.
    pub lost_segments: u32,
    /// Bytes in holes that gave way to newer ones.
    pub forgotten_bytes: u32,
    /// Packets with RST.
    pub resets: u32,
    /// Packets that a router marked instead of dropping them (CE, RFC 3168, section 5).
    pub ecn_marked: u32,
    /// Packets that report such a mark to the other side (ECE without SYN).
    pub ecn_echoed: u32,
    /// How often this side answered the other's payload with its own.
    pub responses: u32,
    /// The newest of those times, ticks.
    pub response_last: u32,
    /// The longest of them, ticks.
    pub response_max: u32,
    /// When the highest sequence number was sent, [`RttTicks`].
    pub next_time: u32,
    /// When the newest packet with ACK was seen, ticks.
    pub ack_time: u32,
    /// Initial sequence number, or the first that was seen.
    pub initial_seq: u32,
    /// The sequence number after the highest that was sent.
    pub next_seq: u32,
    /// Sequence number of the newest packet.
    pub last_seq: u32,
    /// Acknowledgement number of the newest packet with ACK.
    pub last_ack: u32,
    /// The highest acknowledgement number, which an overtaken packet does not take back.
    pub highest_ack: u32,
    /// The [`Place`] at which this half is counted.
    pub place: u32,
    /// The places that showed what this one had shown before, [`Place::bit`].
    pub later_places: u32,
    /// Bits of [`Half::SEEN`] and the like.
    pub flags: u32,
    /// The sequence number after the FIN.
    pub fin_end: u32,
    /// Smoothed RTT times eight, [`RttTicks`].
    pub srtt_8: u32,
    /// Smoothed mean deviation times four, ticks.
    pub rttvar_4: u32,
    /// Smallest sample, ticks.
    pub rtt_min: u32,
    /// Largest sample, ticks.
    pub rtt_max: u32,
    /// Newest sample, ticks.
    pub rtt_last: u32,
    /// Number of samples.
    pub rtt_samples: u32,
    /// The window field of the newest packet, not scaled.
    pub window: u16,
    /// Announced maximum segment size, bytes; 0 where none was.
    pub mss_bytes: u16,
    /// Announced window scale plus one; 0 where none was.
    pub window_scale_plus_1: u8,
    /// Index of the oldest of the timed segments.
    pub timed_head: u8,
    /// How many segments are timed.
    pub timed_count: u8,
    /// Duplicate ACKs in a row; stays at the highest number it can hold.
    pub duplicate_run: u8,
    /// Sequence numbers that were passed over and not seen yet; unused ones are empty.
    pub holes: [Hole; HOLES],
    /// Segments whose acknowledgement is awaited: a ring, oldest at the head.
    pub timed: [TimedSegment; TIMED_SEGMENTS],
}

/// What the kernel says of a TCP socket, as `struct bpf_tcp_sock` has it (Linux 5.1, include/uapi/linux/bpf.h).
/// Segments are what the kernel's congestion control counts in.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSample {
    /// When, nanoseconds of boot time; 0 where the socket is not of this host or was not looked at.
    pub time_ns: u64,
    /// Smoothed RTT times eight, microseconds; 0 before the first sample.
    pub srtt_8_us: u32,
    /// Smallest RTT of the last minutes, microseconds; all ones before the first sample.
    pub rtt_min_us: u32,
    /// Congestion window, segments.
    pub congestion_window: u32,
    /// Slow start threshold, segments; [`SocketSample::NO_THRESHOLD`] or more before the first loss.
    pub slow_start_threshold: u32,
    /// Maximum segment size in use, bytes.
    pub mss_bytes: u32,
    /// Segments in flight.
    pub in_flight: u32,
    /// Segments in flight that were sent again.
    pub retransmitted: u32,
    /// Segments in flight that are taken for lost.
    pub lost: u32,
    /// Segments in flight that the other side has, out of order (SACK).
    pub sacked: u32,
    /// Segments sent again since the beginning.
    pub retransmissions: u32,
    /// Segments delivered in the newest measurement of the delivery rate.
    pub rate_delivered: u32,
    /// How long that took, microseconds; 0 before the first measurement.
    pub rate_interval_us: u32,
}

impl SocketSample {
    /// `TCP_INFINITE_SSTHRESH` (Linux, include/net/tcp.h).
    pub const NO_THRESHOLD: u32 = 0x7fff_ffff;

    /// Nothing is known of the socket.
    pub const NONE: Self = Self {
        time_ns: 0,
        srtt_8_us: 0,
        rtt_min_us: 0,
        congestion_window: 0,
        slow_start_threshold: 0,
        mss_bytes: 0,
        in_flight: 0,
        retransmitted: 0,
        lost: 0,
        sacked: 0,
        retransmissions: 0,
        rate_delivered: 0,
        rate_interval_us: 0,
    };
}

/// A segment that was sent for the first time and not yet acknowledged.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimedSegment {
    /// The sequence number after it.
    pub end: u32,
    /// When it was seen, ticks.
    pub sent: u32,
}

/// A range of sequence numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hole {
    /// The first.
    pub start: u32,
    /// The one after the last; equal to the first where the hole is empty.
    pub end: u32,
}

/// RTTs are kept in units of 256 ns: fine enough for loopback, and a division less per packet. The clock in
/// these units wraps after 18 minutes, longer than any sender waits for an acknowledgement.
pub struct RttTicks;

impl RttTicks {
    /// A time in ticks, modulo 2³².
    #[inline(always)]
    pub const fn from_ns(time_ns: u64) -> u32 {
        (time_ns >> 8) as u32
    }

    /// Ticks in microseconds, rounded down.
    pub const fn to_us(ticks: u32) -> u32 {
        (ticks as u64 * 256 / 1000) as u32
    }
}

impl Half {
    /// A packet was seen, so the sequence numbers are known.
    pub const SEEN: u32 = 1;
    /// A SYN was seen.
    pub const SYN: u32 = 1 << 1;
    /// The SYN was acknowledged.
    pub const SYN_ACKED: u32 = 1 << 2;
    /// The SYN was sent more than once.
    pub const SYN_REPEATED: u32 = 1 << 3;
    /// A packet with ACK was seen.
    pub const ACK: u32 = 1 << 4;
    /// A FIN was seen.
    pub const FIN: u32 = 1 << 5;
    /// The FIN was acknowledged.
    pub const FIN_ACKED: u32 = 1 << 6;
    /// The FIN was sent after this side had acknowledged the other's.
    pub const FIN_SECOND: u32 = 1 << 7;
    /// A RST was seen.
    pub const RST: u32 = 1 << 8;
    /// The newest packet was a keep-alive.
    pub const KEEP_ALIVE: u32 = 1 << 9;
    /// The newest packet was a zero-window probe.
    pub const PROBE: u32 = 1 << 10;
    /// The SYN permits selective acknowledgements (RFC 2018).
    pub const SACK_PERMITTED: u32 = 1 << 11;
    /// The SYN offers timestamps (RFC 7323).
    pub const TIMESTAMPS: u32 = 1 << 12;
    /// The SYN asks for or carries a Fast Open cookie (RFC 7413).
    pub const FAST_OPEN: u32 = 1 << 13;
    /// The SYN offers, or the SYN-ACK agrees to, explicit congestion notification (RFC 3168, section 6.1.1).
    pub const ECN: u32 = 1 << 14;
    /// Some of its holes may be open, or it has forgotten bytes.
    pub const HOLES: u32 = 1 << 15;

    /// A half of which nothing was seen.
    pub const SILENT: Self = Self {
        last_seen_ns: 0,
        packets: 0,
        wire_bytes: 0,
        payload_bytes: 0,
        retransmitted_bytes: 0,
        response_total: 0,
        socket_cookie: 0,
        socket: SocketSample::NONE,
        retransmissions: 0,
        fast_retransmissions: 0,
        spurious_retransmissions: 0,
        syn_retransmissions: 0,
        out_of_order: 0,
        duplicate_acks: 0,
        zero_windows: 0,
        window_full: 0,
        keep_alives: 0,
        lost_segments: 0,
        forgotten_bytes: 0,
        resets: 0,
        ecn_marked: 0,
        ecn_echoed: 0,
        responses: 0,
        response_last: 0,
        response_max: 0,
        next_time: 0,
        ack_time: 0,
        initial_seq: 0,
        next_seq: 0,
        last_seq: 0,
        last_ack: 0,
        highest_ack: 0,
        place: 0,
        later_places: 0,
        flags: 0,
        fin_end: 0,
        srtt_8: 0,
        rttvar_4: 0,
        rtt_min: 0,
        rtt_max: 0,
        rtt_last: 0,
        rtt_samples: 0,
        window: 0,
        mss_bytes: 0,
        window_scale_plus_1: 0,
        timed_head: 0,
        timed_count: 0,
        duplicate_run: 0,
        holes: [Hole { start: 0, end: 0 }; HOLES],
        timed: [TimedSegment { end: 0, sent: 0 }; TIMED_SEGMENTS],
    };

    /// Whether all bits of `flags` are set.
    #[inline(always)]
    pub const fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }

    /// State of this side's end, given what the other sent.
    pub const fn state(&self, other: &Self) -> TcpState {
        TcpState::of(self, other)
    }

    /// Bytes of sequence space this side has sent and the other has not acknowledged (Wireshark:
    /// `tcp.analysis.bytes_in_flight`). `None` where only one side was seen.
    pub const fn in_flight_bytes(&self, other: &Self) -> Option<u32> {
        if !self.has(Self::SEEN) || !other.has(Self::ACK) {
            return None;
        }
        Some(if seq::before(other.last_ack, self.next_seq) {
            self.next_seq.wrapping_sub(other.last_ack)
        } else {
            0
        })
    }

    /// The window this side offered last, bytes. The scale counts only when both sides announced one
    /// (RFC 7323, section 2.2), and never on the SYN itself.
    pub const fn window_bytes(&self, other: &Self) -> u32 {
        let scaled =
            self.window_scale_plus_1 > 0 && other.window_scale_plus_1 > 0 && self.has(Self::SYN_ACKED);
        (self.window as u32) << if scaled { self.window_scale_plus_1 - 1 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_of_a_connection_share_a_key() {
        let there = crate::tracker::tests::segment(1, 2);
        let back = Segment {
            source: there.destination,
            destination: there.source,
            source_port: there.destination_port,
            destination_port: there.source_port,
            ..there
        };
        let ((key, side), (same, opposite)) = (ConnectionKey::of(&there), ConnectionKey::of(&back));
        assert_eq!(key, same);
        assert_ne!(side, opposite);
    }

    #[test]
    fn a_place_keeps_interface_and_direction() {
        let place = Place::new(4_000_000, true);
        assert_eq!((place.interface(), place.is_egress()), (4_000_000, true));
    }
}
