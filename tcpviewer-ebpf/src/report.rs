//! What leaves the kernel: events into the ring buffers, and a count of those for which there was no room. The
//! reader is woken rarely, because a wake-up costs a hundred times the record.
#![expect(
    unsafe_code,
    reason = "ring buffer entries and map values are behind raw pointers"
)]

use aya_ebpf::{
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::{bpf_spin_lock, bpf_spin_unlock},
};
use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, ConnectionSlot},
    event::{ConnectionEvent, PacketEvent},
    ledger::LedgerCounters,
    limits::{URGENT_WAKEUP_NS, WAKEUP_NS},
    segment::Segment,
    tracker::Sighting,
};

use crate::maps::{CONNECTION_EVENTS, PACKET_EVENTS};

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
        (*event).key = *key;
        (*event).padding = 0;
        bpf_spin_lock(&raw mut (*slot).lock as *mut _);
        (*slot).record.emitted_ns = now_ns;
        (*slot).record.flags &= !ConnectionRecord::WITHHELD;
        (*event).record = (*slot).record;
        bpf_spin_unlock(&raw mut (*slot).lock as *mut _);
    }
    entry.submit(wake_up(
        now_ns,
        if urgent { URGENT_WAKEUP_NS } else { WAKEUP_NS },
        ledger,
    ));
    ledger.connection_events += 1;
}

/// Sends one packet.
#[inline(always)]
pub(crate) fn packet(
    segment: &Segment,
    seen: Sighting,
    connection_id: u64,
    retransmission: bool,
    ledger: &mut LedgerCounters,
) {
    let Some(mut entry) = PACKET_EVENTS.reserve(0) else {
        ledger.packet_events_lost += 1;
        return;
    };
    entry.write(PacketEvent {
        time_ns: seen.now_ns,
        connection_id,
        source: segment.source,
        destination: segment.destination,
        source_port: segment.source_port,
        destination_port: segment.destination_port,
        seq: segment.seq,
        ack: segment.ack,
        payload_bytes: segment.payload_bytes,
        wire_packets: segment.wire_packets,
        place: seen.place.0,
        window: segment.window,
        flags: segment.flags.0,
        retransmission: u8::from(retransmission),
        padding: 0,
    });
    entry.submit(u64::from(BPF_RB_NO_WAKEUP));
    ledger.packet_events += 1;
}

/// Whether to wake the reader: when this CPU has not done so for `pause_ns`.
#[inline(always)]
fn wake_up(now_ns: u64, pause_ns: u64, ledger: &mut LedgerCounters) -> u64 {
    if now_ns.saturating_sub(ledger.woke_ns) < pause_ns {
        return u64::from(BPF_RB_NO_WAKEUP);
    }
    ledger.woke_ns = now_ns;
    u64::from(BPF_RB_FORCE_WAKEUP)
}
