//! What nobody who counts the packets of connections can do without: parse the packet, ask what time it is, find the
//! connection in a hash map, raise two counters. No lock, no state, no report. The benchmark measures the packet path
//! against it.
#![expect(unsafe_code, reason = "map values are behind raw pointers")]

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{HashMap, PerCpuArray},
    helpers::bpf_ktime_get_boot_ns,
    macros::btf_map,
    programs::TcContext,
};
use tcpviewer_common::{
    connection::ConnectionKey,
    limits::DEFAULT_MAX_CONNECTIONS,
    parse::{Link, parse},
};

use crate::{maps::ON_DEMAND, packet::LinearBytes};

/// What is counted of a connection.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Counts {
    /// When its newest packet was seen.
    time_ns: u64,
    packets: u64,
    bytes: u64,
}

#[btf_map]
static COUNTS: HashMap<ConnectionKey, Counts, { DEFAULT_MAX_CONNECTIONS as usize }, ON_DEMAND> =
    HashMap::new();

/// See [`tcpviewer_common::parse::PacketBytes::joined`].
#[btf_map]
static SCRATCH: PerCpuArray<u64, 1> = PerCpuArray::new();

/// Counts a packet.
#[inline(always)]
pub(crate) fn count(context: &TcContext) {
    let Some(scratch) = SCRATCH.get_ptr_mut(0) else {
        return;
    };
    let Ok(segment) = parse(&LinearBytes::of(context, scratch), Link::Ethernet) else {
        return;
    };
    let (key, _side) = ConnectionKey::of(&segment);
    // SAFETY: a helper without preconditions.
    let time_ns = unsafe { bpf_ktime_get_boot_ns() };
    if let Some(counts) = COUNTS.get_ptr_mut(key) {
        // SAFETY: an entry of a map, valid while the program runs.
        let counts = unsafe { &mut *counts };
        counts.time_ns = time_ns;
        counts.packets += 1;
        counts.bytes += u64::from(segment.wire_bytes);
        return;
    }
    let counts = Counts {
        time_ns,
        packets: 1,
        bytes: u64::from(segment.wire_bytes),
    };
    // Where there is no room it is not counted.
    COUNTS.insert(key, counts, u64::from(BPF_NOEXIST)).ok();
}
