//! What leaves the kernel: events into the ring buffers, and a count of those for which there was no room. The
//! reader is woken rarely, because a wake-up costs a hundred times the record.
#![expect(
    unsafe_code,
    reason = "ring buffer entries and map values are behind raw pointers"
)]

use core::ptr;

use aya_ebpf::bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, ConnectionSlot},
    event::{ConnectionEvent, PacketEvent, PacketHeaders, Settings},
    ledger::LedgerCounters,
    limits::{HEADER_BYTES, URGENT_WAKEUP_NS, WAKEUP_NS},
    segment::Segment,
    tracker::Sighting,
};

use crate::{
    clock, lock,
    maps::{CONNECTION_EVENTS, HEADERS, PACKET_EVENTS, PACKET_FILTER, SETTINGS, WOKEN},
    packet::Packet,
};

/// Sends the connection in its newest form. `urgent` news wakes the reader sooner.
#[inline(always)]
pub(crate) fn connection(
    key: &ConnectionKey,
    slot: *mut ConnectionSlot,
    now_ns: u64,
    urgent: bool,
    ledger: &mut LedgerCounters,
) {
    let Some(mut entry) = CONNECTION_EVENTS.reserve(0) else {
        ledger.connection_events_lost += 1;
        return;
    };
    let event: *mut ConnectionEvent = entry.as_mut_ptr();
    // SAFETY: the entry has the size of the event and is written in full before it is submitted; the map
    // entry outlives the program's run, and its record is read and marked under its lock.
    unsafe {
        ptr::copy_nonoverlapping(key, &raw mut (*event).key, 1);
        (*event).padding = 0;
        if !lock::acquire(&raw mut (*slot).lock) {
            entry.discard(u64::from(BPF_RB_NO_WAKEUP));
            ledger.connection_events_lost += 1;
            return;
        }
        (*slot).record.emitted_ns = now_ns;
        (*slot).record.flags &= !ConnectionRecord::WITHHELD;
        let ends_now = (*slot).record.closed_ns == now_ns;
        // By words in place. What might overlap would be copied by a call, byte for byte.
        ptr::copy_nonoverlapping(&raw const (*slot).record, &raw mut (*event).record, 1);
        if ends_now {
            // The next packet, should one come, is told of at once: user space need not look whether one came.
            (*slot).record.emitted_ns = 0;
        }
        lock::release(&raw mut (*slot).lock);
    }
    entry.submit(wake_up(now_ns, if urgent { URGENT_WAKEUP_NS } else { WAKEUP_NS }));
    ledger.connection_events += 1;
    clock::compare(now_ns, ledger);
}

/// The same as the kernel's helpers count.
const HEADER_BYTES_U32: u32 = HEADER_BYTES as u32;

/// What the tracker says of a packet that somebody may want to see.
#[derive(Clone, Copy)]
pub(crate) struct WatchedPacket {
    /// The connection it belongs to.
    pub(crate) connection_id: u64,
    /// Whether it carries what was sent before.
    pub(crate) retransmission: bool,
}

/// Sends one packet, if somebody wants it. A function of its own for the sake of the kernel's stack.
#[inline(never)]
pub(crate) fn packet<P: Packet>(
    packet: &P,
    segment: &Segment,
    seen: &Sighting,
    watched: &WatchedPacket,
    ledger: &mut LedgerCounters,
) {
    let Some(settings) = SETTINGS.get(0) else {
        return;
    };
    let wanted = PACKET_FILTER
        .get(settings.packet_filter)
        .is_some_and(|filter| filter.admits(segment, watched.connection_id));
    if !wanted {
        return;
    }
    if !ledger.samples(settings.packet_sampling_mask) {
        ledger.packet_events_left_out += 1;
        return;
    }
    let sent = if settings.watch_packets == Settings::HEADERS {
        send_headers(packet, segment, seen, watched)
    } else {
        send_event(segment, seen, watched)
    };
    if sent {
        ledger.packet_events += 1;
    } else {
        ledger.packet_events_lost += 1;
    }
}

/// Sends a packet. Returns whether there was room.
#[inline(always)]
fn send_event(segment: &Segment, seen: &Sighting, watched: &WatchedPacket) -> bool {
    let Some(mut entry) = PACKET_EVENTS.reserve(0) else {
        return false;
    };
    // SAFETY: the entry has the size of the event.
    unsafe { write_event(entry.as_mut_ptr(), segment, seen, watched) };
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    true
}

/// Writes all fields one by one, as the kernel's stack has no room for the event.
///
/// # Safety
///
/// `event` must be valid for writes.
#[inline(always)]
unsafe fn write_event(event: *mut PacketEvent, segment: &Segment, seen: &Sighting, watched: &WatchedPacket) {
    // SAFETY: as the caller says.
    unsafe {
        (*event).time_ns = seen.now_ns;
        (*event).connection_id = watched.connection_id;
        (*event).source = segment.source;
        (*event).destination = segment.destination;
        (*event).source_port = segment.source_port;
        (*event).destination_port = segment.destination_port;
        (*event).seq = segment.seq;
        (*event).ack = segment.ack;
        (*event).payload_bytes = segment.payload_bytes;
        (*event).wire_packets = segment.wire_packets;
        (*event).place = seen.place.0;
        (*event).window = segment.window;
        (*event).flags = segment.flags.0;
        (*event).retransmission = u8::from(watched.retransmission);
        (*event).padding = 0;
    }
}

/// Sends a packet with its headers. Returns whether there was room.
#[inline(always)]
fn send_headers(packet: &impl Packet, segment: &Segment, seen: &Sighting, watched: &WatchedPacket) -> bool {
    let Some(scratch) = HEADERS.get_ptr_mut(0) else {
        return false;
    };
    let tag = packet.vlan_tag();
    // The tag beside the bytes counts as part of the headers there.
    let header_bytes = segment.header_bytes - if tag == 0 { 0 } else { 4 };
    // No header of TCP over IP is empty; the verifier has to be told.
    let length = match header_bytes {
        0 => return false,
        1..HEADER_BYTES_U32 => header_bytes,
        _ => HEADER_BYTES_U32,
    };
    // SAFETY: this CPU's own entry of a map, valid while the program runs; the helper writes `length` bytes,
    // of which there are `HEADER_BYTES`.
    unsafe {
        write_event(&raw mut (*scratch).event, segment, seen, watched);
        (*scratch).length = packet.length();
        (*scratch).captured = length;
        (*scratch).vlan_tag = tag;
        (*scratch).ethernet = u32::from(segment.link_bytes != 0);
        let to: *mut [u8; HEADER_BYTES] = &raw mut (*scratch).bytes;
        if !packet.copy(to.cast(), length) {
            return false;
        }
        PACKET_EVENTS
            .output_untyped::<PacketHeaders>(&*scratch, u64::from(BPF_RB_NO_WAKEUP))
            .is_ok()
    }
}

/// Whether to wake the reader: when no CPU has done so for `pause_ns`.
#[inline(always)]
fn wake_up(now_ns: u64, pause_ns: u64) -> u64 {
    let Some(woken_ns) = WOKEN.get_ptr_mut(0) else {
        return u64::from(BPF_RB_NO_WAKEUP);
    };
    // SAFETY: a word of a map entry. Of two CPUs that come at the same moment, both wake the reader.
    unsafe {
        if now_ns.saturating_sub(woken_ns.read_volatile()) < pause_ns {
            return u64::from(BPF_RB_NO_WAKEUP);
        }
        woken_ns.write_volatile(now_ns);
    }
    u64::from(BPF_RB_FORCE_WAKEUP)
}
