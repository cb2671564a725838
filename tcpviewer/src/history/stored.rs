//! A connection at one moment, as it is kept: counters, from which the rates between two moments follow whichever
//! are left out between them. Those at rest are packed, in less than half of the memory.

use std::time::{Duration, SystemTime};

use crate::model::{Connection, Half, small};

/// What was not measured.
const NONE: u32 = u32::MAX;

/// Words of one direction.
const HALF: usize = 12;
/// Words of a moment: its time and both directions.
const WORDS: usize = (2 + 2 * HALF).next_multiple_of(4);
/// Bytes that one takes at most, packed.
pub(super) const MOST_BYTES: usize = small::most_bytes(WORDS);

/// A connection at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Microseconds since the epoch.
    pub(super) at_us: u64,
    halves: [StoredHalf; 2],
}

/// One direction at that moment; [`NONE`] is what was not measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StoredHalf {
    payload_bytes: u64,
    packets: u64,
    delivery_rate: u64,
    retransmissions: u32,
    srtt_us: u32,
    socket_srtt_us: u32,
    congestion_window: u32,
    slow_start_threshold: u32,
    in_flight_bytes: u32,
}

/// A connection between one moment and another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The later moment.
    pub at: SystemTime,
    /// Source to destination.
    pub sent: HalfPoint,
    /// Destination to source.
    pub received: HalfPoint,
}

/// One direction between one moment and another; what has no rate is as it was at the later one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfPoint {
    /// TCP payload per second since the point before.
    pub payload_bytes_per_second: u64,
    /// Packets per second since the point before.
    pub packets_per_second: u64,
    /// Smoothed RTT of this direction's data on the wire, microseconds.
    pub srtt_us: Option<u32>,
    /// Smoothed RTT of the socket that sends, microseconds.
    pub socket_srtt_us: Option<u32>,
    /// Its congestion window, segments.
    pub congestion_window: Option<u32>,
    /// Its slow start threshold, segments.
    pub slow_start_threshold: Option<u32>,
    /// Its newest delivery rate, bytes per second.
    pub delivery_rate_bytes_per_second: Option<u64>,
    /// Sent and not acknowledged, bytes.
    pub in_flight_bytes: Option<u32>,
    /// Packets sent again since the connection was first seen.
    pub retransmissions: u64,
}

impl Stored {
    /// The connection as it is: at the time of its newest packet, of the newest look at a socket, or of its end.
    pub(super) fn of(connection: &Connection) -> Self {
        let looks = [&connection.sent.socket, &connection.received.socket];
        let looks = looks.into_iter().flatten().map(|socket| socket.sampled_at);
        let end = connection.closed.map(|closed| closed.at);
        let at = looks.chain(end).fold(connection.last_seen, SystemTime::max);
        Self {
            at_us: since_epoch(at),
            halves: [
                StoredHalf::of(&connection.sent),
                StoredHalf::of(&connection.received),
            ],
        }
    }

    /// Nothing was sent yet.
    pub(super) fn nothing(at_us: u64) -> Self {
        Self {
            at_us,
            halves: [StoredHalf::of(&Half::default()); 2],
        }
    }

    /// In few bytes, of a connection that was first seen then.
    pub(super) fn packed<'scratch>(
        &self,
        first_seen_us: u64,
        scratch: &'scratch mut small::Scratch,
    ) -> &'scratch [u8] {
        let mut words = [0; WORDS];
        words[..2].copy_from_slice(&small::halves(self.at_us.wrapping_sub(first_seen_us)));
        for (place, half) in words[2..].as_chunks_mut().0.iter_mut().zip(&self.halves) {
            *place = half.words();
        }
        small::packed_in(scratch, &words)
    }

    /// The opposite of [`packed`](Self::packed).
    pub(super) fn unpacked(packed: &[u8], first_seen_us: u64) -> Self {
        let mut words = small::unpacked::<WORDS>(packed).into_iter();
        let mut next = || words.next().unwrap_or_default();
        Self {
            at_us: small::whole([next(), next()]).wrapping_add(first_seen_us),
            halves: [(); 2].map(|()| StoredHalf::of_words(std::array::from_fn(|_place| next()))),
        }
    }

    /// Whether it has the same packets.
    pub(super) fn has_packets_of(&self, other: &Self) -> bool {
        let packets = |stored: &Self| stored.halves.map(|half| half.packets);
        packets(self) == packets(other)
    }

    /// The time from the moment before, and how it was at this one. A moment that follows within less than `shortest`
    /// is taken for that much later, so that few packets at once make no great rate.
    pub(super) fn since(&self, before: &Self, shortest: Duration) -> Point {
        let elapsed_us = self
            .at_us
            .saturating_sub(before.at_us)
            .max(shortest.as_micros() as u64)
            .max(1);
        let [(sent, sent_before), (received, received_before)] =
            [0, 1].map(|nth: usize| (&self.halves[nth], &before.halves[nth]));
        Point {
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(self.at_us),
            sent: sent.since(sent_before, elapsed_us),
            received: received.since(received_before, elapsed_us),
        }
    }
}

/// Microseconds since the epoch.
pub(super) fn since_epoch(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_micros() as u64
}

impl StoredHalf {
    /// Of what may not be measured, one more, so that nothing is 0.
    fn words(&self) -> [u32; HALF] {
        let [payload_low, payload_high] = small::halves(self.payload_bytes);
        let [packets_low, packets_high] = small::halves(self.packets);
        let [rate_low, rate_high] = small::halves(self.delivery_rate.wrapping_add(1));
        [
            payload_low,
            payload_high,
            packets_low,
            packets_high,
            rate_low,
            rate_high,
            self.retransmissions,
            self.srtt_us.wrapping_add(1),
            self.socket_srtt_us.wrapping_add(1),
            self.congestion_window.wrapping_add(1),
            self.slow_start_threshold.wrapping_add(1),
            self.in_flight_bytes.wrapping_add(1),
        ]
    }

    /// The opposite of [`words`](Self::words).
    fn of_words(words: [u32; HALF]) -> Self {
        let [
            payload_low,
            payload_high,
            packets_low,
            packets_high,
            rate_low,
            rate_high,
            retransmissions,
            srtt_us,
            socket_srtt_us,
            congestion_window,
            slow_start_threshold,
            in_flight_bytes,
        ] = words;
        Self {
            payload_bytes: small::whole([payload_low, payload_high]),
            packets: small::whole([packets_low, packets_high]),
            delivery_rate: small::whole([rate_low, rate_high]).wrapping_sub(1),
            retransmissions,
            srtt_us: srtt_us.wrapping_sub(1),
            socket_srtt_us: socket_srtt_us.wrapping_sub(1),
            congestion_window: congestion_window.wrapping_sub(1),
            slow_start_threshold: slow_start_threshold.wrapping_sub(1),
            in_flight_bytes: in_flight_bytes.wrapping_sub(1),
        }
    }

    fn of(half: &Half) -> Self {
        let socket = half.socket.as_ref();
        Self {
            payload_bytes: half.payload_bytes,
            packets: half.packets,
            delivery_rate: socket
                .and_then(|socket| socket.delivery_rate_bytes_per_second)
                .unwrap_or(u64::MAX),
            retransmissions: half.retransmissions,
            srtt_us: half.rtt.map_or(NONE, |rtt| rtt.srtt_us),
            socket_srtt_us: socket.and_then(|socket| socket.srtt_us).unwrap_or(NONE),
            congestion_window: socket.map_or(NONE, |socket| socket.congestion_window),
            slow_start_threshold: socket
                .and_then(|socket| socket.slow_start_threshold)
                .unwrap_or(NONE),
            in_flight_bytes: half.in_flight_bytes.unwrap_or(NONE),
        }
    }

    fn since(&self, before: &Self, elapsed_us: u64) -> HalfPoint {
        let per_second = |before: u64, now: u64| {
            let growth = u128::from(now.saturating_sub(before)) * 1_000_000;
            u64::try_from(growth / u128::from(elapsed_us)).unwrap_or(u64::MAX)
        };
        let measured = |value: u32| (value != NONE).then_some(value);
        HalfPoint {
            payload_bytes_per_second: per_second(before.payload_bytes, self.payload_bytes),
            packets_per_second: per_second(before.packets, self.packets),
            srtt_us: measured(self.srtt_us),
            socket_srtt_us: measured(self.socket_srtt_us),
            congestion_window: measured(self.congestion_window),
            slow_start_threshold: measured(self.slow_start_threshold),
            delivery_rate_bytes_per_second: (self.delivery_rate != u64::MAX).then_some(self.delivery_rate),
            in_flight_bytes: measured(self.in_flight_bytes),
            retransmissions: self.retransmissions.into(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::small::tests::words;

    /// Any moment.
    pub(in crate::history) fn moments() -> impl Strategy<Value = Stored> {
        words::<WORDS>().prop_map(|words| Stored::unpacked(&small::packed(&words), 0))
    }

    proptest! {
        #[test]
        fn a_moment_comes_out_as_it_went_in(moment in moments(), first_seen_us in any::<u64>()) {
            let mut scratch = [0; _];
            let packed = moment.packed(first_seen_us, &mut scratch);

            prop_assert_eq!(Stored::unpacked(packed, first_seen_us), moment);
        }
    }

    #[test]
    fn of_nothing_little_is_kept() {
        assert!(Stored::nothing(7).packed(7, &mut [0; _]).is_empty());
    }
}
