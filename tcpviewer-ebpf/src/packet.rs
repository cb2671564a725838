//! The bytes of a packet in the kernel: read in place, behind the one bounds check.
#![expect(
    unsafe_code,
    reason = "packet bytes are behind raw pointers that the kernel's verifier checks"
)]

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use tcpviewer_common::parse::{MAX_OFFSET, PacketBytes};

/// What of a packet can be read directly.
pub(crate) struct LinearBytes {
    data: usize,
    end: usize,
    length: usize,
    scratch: *mut u64,
}

impl LinearBytes {
    /// `scratch` is memory of this CPU that only this program run uses.
    #[inline(always)]
    pub(crate) fn of(context: &TcContext, scratch: *mut u64) -> Self {
        Self {
            data: context.data(),
            end: context.data_end(),
            length: context.len() as usize,
            scratch,
        }
    }

    /// Whether a part of the packet lies where it cannot be read directly.
    #[inline(always)]
    pub(crate) fn is_partial(&self) -> bool {
        self.end - self.data < self.length
    }
}

impl PacketBytes for LinearBytes {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        const { assert!(N > 1) };
        let start = self.data + offset;
        if start + N > self.end {
            return None;
        }
        // SAFETY: `N` bytes from `start` lie before `data_end`, as was just checked and as the verifier
        // checks again; the packet stays in place while the program runs; an array of bytes needs no
        // alignment.
        Some(unsafe { &*(start as *const [u8; N]) })
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.length
    }

    #[inline(always)]
    fn joined(&self, offset: usize) -> usize {
        // SAFETY: `scratch` is valid while the program runs and used by nobody else; volatile, because the
        // detour through memory is the point.
        unsafe {
            self.scratch.write_volatile(offset as u64);
            self.scratch.read_volatile() as usize & MAX_OFFSET
        }
    }
}

/// Packets on the wire that this one stands for, and the payload of each, as the kernel says; both 0 without
/// segmentation offload.
#[inline(always)]
pub(crate) fn offload(context: &TcContext) -> (u32, u32) {
    let skb: *const __sk_buff = context.skb.skb;
    // SAFETY: the context is valid while the program runs; both fields are readable (Linux 5.1 and 5.7).
    unsafe { ((*skb).gso_segs, (*skb).gso_size) }
}

/// Whether the kernel keeps a VLAN tag of the packet beside its bytes.
#[inline(always)]
pub(crate) fn has_vlan_tag(context: &TcContext) -> bool {
    // SAFETY: the context is valid while the program runs.
    unsafe { (*context.skb.skb).vlan_present != 0 }
}

/// The VLAN tag that the kernel keeps beside the bytes: TPID and TCI, 0 where there is none.
#[inline(always)]
pub(crate) fn vlan_tag(context: &TcContext) -> u32 {
    let skb: *const __sk_buff = context.skb.skb;
    // SAFETY: the context is valid while the program runs; the fields are readable (Linux 4.3).
    unsafe {
        if (*skb).vlan_present == 0 {
            return 0;
        }
        // The protocol is in network order.
        u32::from(((*skb).vlan_proto as u16).swap_bytes()) << 16 | (*skb).vlan_tci & 0xffff
    }
}

/// Index of the interface the packet is on.
#[inline(always)]
pub(crate) fn interface(context: &TcContext) -> u32 {
    // SAFETY: the context is valid while the program runs.
    unsafe { (*context.skb.skb).ifindex }
}
