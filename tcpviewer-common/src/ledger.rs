//! What became of every packet, and every event that was lost: one counter per reason. The kernel keeps one
//! [`LedgerCounters`] per CPU and only ever adds to it; user space sums them up.

use crate::parse::Skip;

/// The counters of one CPU, in packets as the kernel handles them (before segmentation).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerCounters {
    /// Packets that reached a hook: the sum of all that follow, events aside.
    pub packets_seen: u64,
    /// Packets counted for a connection.
    pub packets_tracked: u64,
    /// Packets that are neither IPv4 nor IPv6.
    pub packets_not_ip: u64,
    /// IP packets that do not carry TCP.
    pub packets_not_tcp: u64,
    /// IP fragments after the first.
    pub packets_fragment: u64,
    /// Packets that end before the TCP header does.
    pub packets_truncated: u64,
    /// Packets whose headers contradict themselves.
    pub packets_malformed: u64,
    /// Packets of a connection that is counted at another interface or hook.
    pub packets_seen_elsewhere: u64,
    /// Packets of new connections for which the map had no room.
    pub packets_table_full: u64,
    /// Packets of new connections that were to get no record, to save memory.
    pub packets_over_budget: u64,
    /// Records that were put into the map.
    pub connections_entered: u64,
    /// Half-open connections that gave their record to a newer one. Their packets are among those tracked.
    pub connections_given_up: u64,
    /// Connections whose beginning was not reported, because half-open ones had to be given up at that time.
    pub connections_withheld: u64,
    /// Connection events that left the kernel.
    pub connection_events: u64,
    /// Connection events for which the ring buffer had no room.
    pub connection_events_lost: u64,
    /// Packet events that left the kernel.
    pub packet_events: u64,
    /// Packet events for which the ring buffer had no room.
    pub packet_events_lost: u64,
    /// Watched packets of which no event was made: one stands for several, to save time.
    pub packet_events_left_out: u64,
    /// Processes of which user space was told.
    pub owner_events: u64,
    /// Processes of which it was not told, as the ring buffer had no room.
    pub owner_events_lost: u64,
    /// Failures of which user space was told.
    pub failure_events: u64,
    /// Failures of which it was not told, as the ring buffer had no room.
    pub failure_events_lost: u64,
    /// Failures of which it was not told, as there were too many at that time.
    pub failure_events_withheld: u64,
    /// When the window began in which failures are counted, boot time.
    pub failure_window_ns: u64,
    /// Failures in it.
    pub failures_in_window: u64,
    /// Connections that began on this CPU; the next id is made of it.
    pub opened: u64,
    /// When this CPU last looked how far the clocks are apart, boot time.
    pub compared_ns: u64,
    /// When this CPU last woke the reader of the ring of processes, boot time.
    pub owner_woke_ns: u64,
    /// How much more of boot time has passed than of the time without suspension, plus one; 0 while this CPU has not
    /// looked.
    pub suspended_ns_plus_1: u64,
    /// Memory of which the verifier knows nothing, see [`crate::parse::PacketBytes::joined`].
    pub scratch: u64,
}

impl LedgerCounters {
    /// Whether the next watched packet is the one of so many that is sent, less one.
    #[inline(always)]
    pub const fn samples(&self, mask: u32) -> bool {
        let watched = self.packet_events + self.packet_events_lost + self.packet_events_left_out;
        watched & mask as u64 == 0
    }

    /// The counter of packets that gave no segment for this reason.
    #[inline(always)]
    pub fn skipped(&mut self, reason: Skip) -> &mut u64 {
        match reason {
            Skip::NotIp => &mut self.packets_not_ip,
            Skip::NotTcp => &mut self.packets_not_tcp,
            Skip::Fragment => &mut self.packets_fragment,
            Skip::Truncated => &mut self.packets_truncated,
            Skip::Malformed => &mut self.packets_malformed,
        }
    }
}
