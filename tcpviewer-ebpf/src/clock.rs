//! What time it is: the kernel's boot time, unless the loader chose the times that the packets carry. It does so
//! to run captures through the loaded programs, where nothing else tells when a packet was captured. The choice
//! is frozen before the programs are loaded, so the verifier knows it and removes the way that was not taken.
#![expect(
    unsafe_code,
    reason = "helpers are foreign functions, and the loader finds the choice by its name"
)]

use aya_ebpf::{
    Global,
    helpers::{bpf_ktime_get_boot_ns, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns},
};
use tcpviewer_common::{ledger::LedgerCounters, limits::COMPARE_NS, tracker::Clock};

use crate::packet::Packet;

/// 1 where the time of each packet is the one that it carries.
#[unsafe(no_mangle)]
static TIME_OF_PACKETS: Global<u32> = Global::new(0);

/// The time of one packet.
pub(crate) struct PacketClock<'a, P> {
    pub(crate) packet: &'a P,
    /// [`LedgerCounters::suspended_ns_plus_1`].
    pub(crate) suspended_ns_plus_1: u64,
    /// Whether somebody sees the time of each packet.
    pub(crate) is_watched: bool,
}

impl<P: Packet> Clock for PacketClock<'_, P> {
    #[inline(always)]
    fn rough_ns(&self) -> Option<u64> {
        if TIME_OF_PACKETS.load() == 1 || self.is_watched || self.suspended_ns_plus_1 == 0 {
            return None;
        }
        // SAFETY: a helper without preconditions (Linux 5.11).
        Some(unsafe { bpf_ktime_get_coarse_ns() } + self.suspended_ns_plus_1 - 1)
    }

    #[inline(always)]
    fn exact_ns(&self) -> u64 {
        if TIME_OF_PACKETS.load() == 1
            && let Some(captured_ns) = self.packet.captured_ns()
        {
            captured_ns
        } else {
            // SAFETY: a helper without preconditions.
            unsafe { bpf_ktime_get_boot_ns() }
        }
    }
}

/// Looks now and then how far boot time and the time without suspension, which alone can be asked for roughly, are apart.
/// Called with every report, so that a CPU knows soon after the host woke up.
#[inline(always)]
pub(crate) fn compare(now_ns: u64, ledger: &mut LedgerCounters) {
    if now_ns.saturating_sub(ledger.compared_ns) < COMPARE_NS {
        return;
    }
    ledger.compared_ns = now_ns;
    // SAFETY: helpers without preconditions.
    let (awake_ns, boot_ns) = unsafe { (bpf_ktime_get_ns(), bpf_ktime_get_boot_ns()) };
    ledger.suspended_ns_plus_1 = boot_ns.saturating_sub(awake_ns) + 1;
}
