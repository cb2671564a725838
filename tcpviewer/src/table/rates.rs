//! Rates: how the counters grew between two samples. The kernel's own times are used, so that a sample that
//! was late on its way does not show as a burst.

use std::time::Duration;

use tcpviewer_common::connection::{ConnectionRecord, Half};

/// Rates of both halves, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) sent: HalfRates,
    pub(super) received: HalfRates,
}

/// Rates of one half, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HalfRates {
    pub(super) packets: u64,
    pub(super) payload_bytes: u64,
}

impl Rates {
    /// The rates between two records of one connection. Growth that took less than the update interval is
    /// spread over the whole of it: a connection of ten packets in a millisecond is no 10,000 packets per
    /// second.
    pub(super) fn follow(&mut self, before: &ConnectionRecord, now: &ConnectionRecord, interval: Duration) {
        let since = before.last_seen_ns().max(now.first_seen_ns);
        let elapsed_ns = now
            .last_seen_ns()
            .saturating_sub(since)
            .max(interval.as_nanos() as u64);
        let ((sent_before, received_before), (sent, received)) = (before.oriented(), now.oriented());
        // A vacant record has no orientation, and nothing was sent yet.
        let swapped =
            before.id != 0 && before.flags != now.flags && before.source_side() != now.source_side();
        let (sent_before, received_before) = if swapped {
            (received_before, sent_before)
        } else {
            (sent_before, received_before)
        };
        *self = Self {
            sent: HalfRates::between(sent_before, sent, elapsed_ns),
            received: HalfRates::between(received_before, received, elapsed_ns),
        };
    }

    pub(super) fn is_moving(&self) -> bool {
        *self != Self::default()
    }

    pub(super) fn packets_per_second(&self) -> u64 {
        self.sent.packets + self.received.packets
    }

    pub(super) fn payload_bytes_per_second(&self) -> u64 {
        self.sent.payload_bytes + self.received.payload_bytes
    }
}

impl HalfRates {
    fn between(before: &Half, now: &Half, elapsed_ns: u64) -> Self {
        let per_second = |before: u64, now: u64| {
            let growth = u128::from(now.saturating_sub(before)) * 1_000_000_000;
            u64::try_from(growth / u128::from(elapsed_ns.max(1))).unwrap_or(u64::MAX)
        };
        Self {
            packets: per_second(before.packets, now.packets),
            payload_bytes: per_second(before.payload_bytes, now.payload_bytes),
        }
    }
}
