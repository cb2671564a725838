//! What time it is: the kernel's boot time, unless the loader chose the times that the packets carry. It does so
//! to run captures through the loaded programs, where nothing else tells when a packet was captured. The choice
//! is frozen before the programs are loaded, so the verifier knows it and removes the way that was not taken.
#![expect(
    unsafe_code,
    reason = "the context is behind a raw pointer, and the loader finds the choice by its name"
)]

use aya_ebpf::{Global, helpers::bpf_ktime_get_boot_ns, programs::TcContext};

/// 1 where the time of each packet is `__sk_buff.tstamp`.
#[unsafe(no_mangle)]
static TIME_OF_PACKETS: Global<u32> = Global::new(0);

/// The time of this packet, nanoseconds.
#[inline(always)]
pub(crate) fn now_ns(context: &TcContext) -> u64 {
    if TIME_OF_PACKETS.load() == 1 {
        // SAFETY: the context is valid while the program runs; the field is readable (Linux 5.0).
        unsafe { (*context.skb.skb).tstamp }
    } else {
        // SAFETY: a helper without preconditions.
        unsafe { bpf_ktime_get_boot_ns() }
    }
}
