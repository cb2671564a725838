//! A packet in the kernel, as the hooks have it: its bytes, read in place behind the one bounds check, and what the
//! kernel keeps of it beside them. At the hooks of TC it may stand for many on the wire, and parts of it may lie
//! elsewhere; at that of XDP it has just come from the driver, and nothing of it is known but its bytes.
#![expect(
    unsafe_code,
    reason = "packet bytes are behind raw pointers that the kernel's verifier checks"
)]

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext,
    bindings::{__sk_buff, bpf_check_mtu_ret::BPF_MTU_CHK_RET_FRAG_NEEDED},
    helpers::{bpf_check_mtu, bpf_skb_load_bytes, bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
    programs::{TcContext, XdpContext},
};
use tcpviewer_common::{
    connection::ConnectionRecord,
    parse::{MAX_OFFSET, PacketBytes},
    segment::Segment,
    tracker::Sighting,
};

use crate::socket;

/// No network carries less in one packet (RFC 791, section 3.1).
const LEAST_MTU: u32 = 576;

/// A packet as one kind of hook has it.
pub(crate) trait Packet: EbpfContext {
    /// Where its bytes begin that can be read directly.
    fn start(&self) -> usize;

    /// Where they end.
    fn end(&self) -> usize;

    /// Its length, bytes; more than lies between those two where a part of it lies elsewhere.
    fn length(&self) -> u32;

    /// Index of the interface that it is on.
    fn interface(&self) -> u32;

    /// When it was captured, where the packets of a capture tell that.
    fn captured_ns(&self) -> Option<u64>;

    /// Moves its first bytes to where they can be read directly. Returns whether that is possible.
    fn gather(&self, bytes: u32) -> bool;

    /// Adds what is not in its headers: a VLAN tag beside them, and for how many packets on the wire it stands.
    fn complete(&self, segment: &mut Segment);

    /// The VLAN tag that the kernel keeps beside the bytes: TPID and TCI, 0 where there is none.
    fn vlan_tag(&self) -> u32;

    /// Copies its first bytes. Returns whether there are so many.
    ///
    /// # Safety
    ///
    /// `to` must be valid for writes of `length` bytes.
    unsafe fn copy(&self, to: *mut c_void, length: u32) -> bool;

    /// Writes into the record what the socket says that sends it, where that is worth a look.
    fn look_at_socket(&self, record: &mut ConnectionRecord, segment: &Segment, seen: &Sighting);
}

impl Packet for TcContext {
    #[inline(always)]
    fn start(&self) -> usize {
        self.data()
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.data_end()
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        self.len()
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        // SAFETY: the context is valid while the program runs.
        unsafe { (*self.skb.skb).ifindex }
    }

    #[inline(always)]
    fn captured_ns(&self) -> Option<u64> {
        // SAFETY: the context is valid while the program runs; the field is readable (Linux 5.0).
        Some(unsafe { (*self.skb.skb).tstamp })
    }

    #[inline(always)]
    fn gather(&self, bytes: u32) -> bool {
        self.skb.pull_data(bytes).is_ok()
    }

    #[inline(always)]
    fn complete(&self, segment: &mut Segment) {
        let skb: *const __sk_buff = self.skb.skb;
        // SAFETY: the context is valid while the program runs; the fields are readable (Linux 4.3, 5.1 and 5.7).
        let (has_tag, segments, segment_bytes) =
            unsafe { ((*skb).vlan_present != 0, (*skb).gso_segs, (*skb).gso_size) };
        if has_tag {
            segment.tag();
        }
        segment.split(segments, segment_bytes);
    }

    #[inline(always)]
    fn vlan_tag(&self) -> u32 {
        let skb: *const __sk_buff = self.skb.skb;
        // SAFETY: the context is valid while the program runs; the fields are readable (Linux 4.3).
        unsafe {
            if (*skb).vlan_present == 0 {
                return 0;
            }
            // The protocol is in network order.
            u32::from(((*skb).vlan_proto as u16).swap_bytes()) << 16 | (*skb).vlan_tci & 0xffff
        }
    }

    #[inline(always)]
    unsafe fn copy(&self, to: *mut c_void, length: u32) -> bool {
        // SAFETY: as the caller says.
        unsafe { bpf_skb_load_bytes(self.skb.skb.cast(), 0, to, length) == 0 }
    }

    #[inline(always)]
    fn look_at_socket(&self, record: &mut ConnectionRecord, segment: &Segment, seen: &Sighting) {
        if seen.place.is_egress() && socket::is_due(record, segment, seen) && socket::sends(self, segment) {
            socket::look(self, record, seen);
        }
    }
}

impl Packet for XdpContext {
    #[inline(always)]
    fn start(&self) -> usize {
        self.data()
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.data_end()
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: a helper that takes the context (Linux 5.18).
        unsafe { bpf_xdp_get_buff_len(self.ctx) as u32 }
    }

    #[inline(always)]
    fn interface(&self) -> u32 {
        self.ingress_ifindex() as u32
    }

    /// It has no room for that.
    #[inline(always)]
    fn captured_ns(&self) -> Option<u64> {
        None
    }

    /// Drivers leave headers together, and so does the kernel where it stands in for them.
    #[inline(always)]
    fn gather(&self, _bytes: u32) -> bool {
        false
    }

    /// One that is longer than the interface may send comes from a virtual device of this host, and is yet to be cut:
    /// into packets as long as may be.
    #[inline(always)]
    fn complete(&self, segment: &mut Segment) {
        let length = segment.wire_bytes - segment.link_bytes;
        if length <= LEAST_MTU {
            return;
        }
        let mut mtu = length;
        // SAFETY: a helper that takes the context and writes the MTU (Linux 5.12); 0 is the interface itself.
        let code = unsafe { bpf_check_mtu(self.as_ptr(), 0, &raw mut mtu, 0, 0) };
        if code == i64::from(BPF_MTU_CHK_RET_FRAG_NEEDED) {
            segment.split(0, mtu.saturating_sub(segment.header_bytes - segment.link_bytes));
        }
    }

    /// What the device took out of the bytes it keeps to itself.
    #[inline(always)]
    fn vlan_tag(&self) -> u32 {
        0
    }

    #[inline(always)]
    unsafe fn copy(&self, to: *mut c_void, length: u32) -> bool {
        // SAFETY: as the caller says; the helper exists since Linux 5.18.
        unsafe { bpf_xdp_load_bytes(self.ctx, 0, to, length) == 0 }
    }

    /// What comes in was sent by nobody here.
    #[inline(always)]
    fn look_at_socket(&self, _record: &mut ConnectionRecord, _segment: &Segment, _seen: &Sighting) {}
}

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
    pub(crate) fn of(packet: &impl Packet, scratch: *mut u64) -> Self {
        Self {
            data: packet.start(),
            end: packet.end(),
            length: packet.length() as usize,
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
