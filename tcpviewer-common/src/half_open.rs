//! Which connections may be given up for newer ones. Anyone can send a million SYNs from invented addresses, so a
//! connection has a firm place in the map only once it is confirmed: both ends have acknowledged what the other
//! sent, which a sender who does not receive the answers cannot bring about, and neither has reset it. Until then it waits in a ring of
//! fixed size, in the order of arrival; when the ring comes round, the oldest that is still not confirmed is given
//! up. So half-open connections never hold more than a fixed share of the map, and the established ones keep
//! theirs.

use crate::{
    connection::{ConnectionKey, ConnectionRecord, Half},
    seq,
};

/// Half-open connections have one place in so many of the map.
const SHARE: u32 = 4;

/// Packets of one end that confirm a connection whose other end is not seen, as where the answers take another
/// way: more than all attempts of Linux to open one (7 SYNs, 6 SYN-ACKs; ip-sysctl: tcp_syn_retries,
/// tcp_synack_retries).
const CONFIRMING_PACKETS: u64 = 16;

/// A place in the ring: a connection that was not confirmed when it began.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfOpen {
    /// The connection's endpoints.
    pub key: ConnectionKey,
    /// Room that keeps the id aligned.
    pub padding: u32,
    /// The connection's id: another one may have taken its endpoints since. 0 in a place that was never used.
    pub id: u64,
}

/// How far the ring is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HalfOpenCursor {
    /// The running number of the connection that comes next. Its low bits are its place in the ring.
    pub next: u64,
}

/// Places in the ring beside a map of so many records: a power of two, so that the place follows from a running
/// number without a division.
pub const fn places(max_connections: u32) -> u32 {
    let share = max_connections / SHARE;
    if share < 2 { 1 } else { 1 << share.ilog2() }
}

/// Whether the connection is more than an attempt to open one. It is asked of records that are old already, so
/// the sequence numbers of a connection that moved much data may have come round: those count by their packets.
#[inline(always)]
pub fn is_confirmed(record: &ConnectionRecord) -> bool {
    let [low, high] = &record.halves;
    low.packets >= CONFIRMING_PACKETS
        || high.packets >= CONFIRMING_PACKETS
        || acknowledges(low, high)
            && acknowledges(high, low)
            // A reset of what nobody sent has the sequence number that the reset packet asked for (RFC 9293,
            // section 3.5.2).
            && !low.has(Half::RST)
            && !high.has(Half::RST)
}

/// Whether the newest acknowledgement of `own` is of something that `other` is known to have sent.
#[inline(always)]
fn acknowledges(own: &Half, other: &Half) -> bool {
    let first = other.initial_seq.wrapping_add(other.has(Half::SYN) as u32);
    own.has(Half::ACK)
        && other.has(Half::SEEN)
        && seq::before_or_at(first, own.last_ack)
        && seq::before_or_at(own.last_ack, other.next_seq)
}

#[cfg(test)]
mod tests;
