//! Capacities and times that both sides of the kernel boundary, or its tests, rely on.

/// Records the connection map can hold unless it is configured otherwise.
pub const DEFAULT_MAX_CONNECTIONS: u32 = 262_144;

/// Segments of one half whose acknowledgement is awaited for an RTT sample. A power of two. With eight, a bulk
/// sender that keeps twenty super-packets in flight still gets a sample from about every second ACK.
pub const TIMED_SEGMENTS: usize = 8;

/// Holes in the sequence numbers of one half that are remembered, the newest ones. Of older
/// ones only the number of bytes is kept.
pub const HOLES: usize = 4;

/// Segments worth remembering that a record keeps, the newest ones: a power of two. User space gathers them with each
/// report, so this is what may happen between two.
pub const NOTABLE_SEGMENTS: usize = 4;

/// Size of the ring buffer for connection events, bytes: about 9,000 events, which is a sixth of a second of
/// 25,000 connections per second.
pub const CONNECTION_RING_BYTES: u32 = 8 << 20;

/// Size of the ring buffer for packet events, bytes: about 47,000 packets.
pub const PACKET_RING_BYTES: u32 = 4 << 20;

/// A half that was silent at its home for this long is taken over by another place that sees it, even with a packet
/// that brings nothing new. Longer than a packet takes from one hook of a host to the next, and shorter than any
/// retransmission timeout (Linux: 200 ms, TCP_RTO_MIN), so that what is sent again on another path counts.
pub const HOME_SILENCE_NS: u64 = 150_000_000;

/// Binary logarithm of how many times as long a place waits that is known to come later on the path: a busy host may
/// hold a packet between two hooks for longer than a retransmission takes.
pub const LATER_PLACE_SHIFT: u32 = 3;

/// Bytes of a packet's headers that are handed over at most: Ethernet, two VLAN tags, IPv6 with some extension headers,
/// and a TCP header of full length.
pub const HEADER_BYTES: usize = 192;

/// The socket that sends is looked at no more often than this.
pub const SOCKET_PAUSE_NS: u64 = 10_000_000;

/// An opened or closed connection wakes the reader at most once per this time.
pub const URGENT_WAKEUP_NS: u64 = 5_000_000;

/// Any other event wakes the reader at most once per this time.
pub const WAKEUP_NS: u64 = 50_000_000;

/// Each CPU looks at most once per this time how far the clocks are apart.
pub const COMPARE_NS: u64 = 5_000_000;
