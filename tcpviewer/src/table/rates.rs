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
    /// The rates between two records of one connection, of the last update interval at least: ten packets in a
    /// millisecond are no 10,000 packets per second. Where the two are closer to each other, the rates before stand
    /// for the rest of the interval, so that a record that comes soon after another does not show as a standstill.
    pub(super) fn follow(&mut self, before: &ConnectionRecord, now: &ConnectionRecord, interval: Duration) {
        let since = before.last_seen_ns().max(now.first_seen_ns);
        let elapsed_ns = now.last_seen_ns().saturating_sub(since);
        let window = Window {
            elapsed_ns,
            rest_ns: (interval.as_nanos() as u64).saturating_sub(elapsed_ns),
        };
        let ((sent_before, received_before), (sent, received)) = (before.oriented(), now.oriented());
        // A vacant record has no orientation, and nothing was sent yet.
        let swapped =
            before.id != 0 && before.flags != now.flags && before.source_side() != now.source_side();
        let (sent_before, received_before) = if swapped {
            std::mem::swap(&mut self.sent, &mut self.received);
            (received_before, sent_before)
        } else {
            (sent_before, received_before)
        };
        self.sent.follow(sent_before, sent, window);
        self.received.follow(received_before, received, window);
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

/// The time that a rate is of.
#[derive(Clone, Copy, Debug)]
struct Window {
    /// In which the counters grew.
    elapsed_ns: u64,
    /// Before that, for which the rate before stands.
    rest_ns: u64,
}

impl HalfRates {
    fn follow(&mut self, before: &Half, now: &Half, window: Window) {
        let per_second = |rate: u64, before: u64, now: u64| {
            let growth = u128::from(now.saturating_sub(before)) * 1_000_000_000;
            let rest = u128::from(rate) * u128::from(window.rest_ns);
            let whole_ns = u128::from(window.elapsed_ns) + u128::from(window.rest_ns);
            u64::try_from((growth + rest) / whole_ns.max(1)).unwrap_or(u64::MAX)
        };
        *self = Self {
            packets: per_second(self.packets, before.packets, now.packets),
            payload_bytes: per_second(self.payload_bytes, before.payload_bytes, now.payload_bytes),
        };
    }
}
