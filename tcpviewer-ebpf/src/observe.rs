//! The packet path: parse, find the record, let the tracker change it, report what changed. Whatever cannot be
//! followed is counted by its reason.
#![expect(unsafe_code, reason = "map values are behind raw pointers and locks")]

use aya_ebpf::{bindings::BPF_NOEXIST, helpers::bpf_get_smp_processor_id};
use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, ConnectionSlot, Place},
    event::Settings,
    half_open::is_confirmed,
    ledger::LedgerCounters,
    parse::{Link, Skip, parse},
    segment::Segment,
    tracker::{self, Clock as _, Outcome, Sighting},
};

use crate::{
    clock::PacketClock,
    half_open, lock,
    maps::{CONNECTIONS, IN_HAND, InHand, LEDGER, SETTINGS},
    packet::{LinearBytes, Packet},
    report::{self, WatchedPacket},
};

/// More than the longest chain of headers that is followed.
const HEADER_BYTES: u32 = 256;

/// What a new entry of the map is made of. In read-only memory: it is larger than the kernel's stack.
static VACANT: ConnectionSlot = ConnectionSlot::VACANT;

/// Takes a packet into its connection.
#[inline(always)]
pub(crate) fn observe(packet: &impl Packet, link: Link, egress: bool) {
    let Some(ledger) = LEDGER.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: this CPU's own entry; programs at these hooks run with bottom halves disabled and do not
    // interrupt each other.
    let ledger = unsafe { &mut *ledger };
    ledger.packets_seen += 1;
    match read(
        packet,
        link,
        Place::new(packet.interface(), egress),
        &raw mut ledger.scratch,
    ) {
        Ok(()) => track(packet, ledger),
        Err(reason) => *ledger.skipped(reason) += 1,
    }
}

/// Reads the packet's segment. Where headers lie outside the linear part they are first moved there. A function
/// of its own, so that what it keeps on the kernel's stack of 512 bytes is gone before the record is changed.
#[inline(never)]
fn read<P: Packet>(packet: &P, link: Link, place: Place, scratch: *mut u64) -> Result<(), Skip> {
    let bytes = LinearBytes::of(packet, scratch);
    let mut segment = match parse(&bytes, link) {
        Err(Skip::Truncated) if bytes.is_partial() => {
            let wanted = if packet.length() < HEADER_BYTES {
                packet.length()
            } else {
                HEADER_BYTES
            };
            if !packet.gather(wanted) {
                return Err(Skip::Truncated);
            }
            parse(&LinearBytes::of(packet, scratch), link)
        }
        other => other,
    }?;
    packet.complete(&mut segment);
    let (key, side) = ConnectionKey::of(&segment);
    // Each CPU has one.
    let to = IN_HAND.get_ptr_mut(0).ok_or(Skip::Truncated)?;
    // SAFETY: this CPU's own entry of a map, valid while the program runs. When it was seen, and which id is next, is
    // written before it is read; zeros here would be written by a call of a loop over bytes.
    unsafe {
        (*to).segment = segment;
        (*to).key = key;
        (*to).seen.side = side;
        (*to).seen.place = place;
    }
    Ok(())
}

/// Takes the segment into its connection's record, and reports what that changed. A function of its own for the
/// same reason.
#[inline(never)]
fn track<P: Packet>(packet: &P, ledger: &mut LedgerCounters) {
    let (Some(in_hand), Some(settings)) = (IN_HAND.get_ptr_mut(0), SETTINGS.get(0)) else {
        return;
    };
    // SAFETY: this CPU's own entry, which was just written.
    let InHand { segment, key, seen } = unsafe { &mut *in_hand };
    let (segment, key) = (&*segment, &*key);
    seen.now_ns = 0;
    let clock = PacketClock {
        packet,
        suspended_ns_plus_1: ledger.suspended_ns_plus_1,
        is_watched: settings.watch_packets != 0,
    };
    let Some(slot) = find_or_create(&clock, key, ledger, settings) else {
        if settings.refuses_new == 0 {
            ledger.packets_table_full += 1;
        } else {
            ledger.packets_over_budget += 1;
        }
        return;
    };
    if segment.flags.opens() {
        replace(&clock, key, slot, segment, *seen, ledger);
    }
    let Some((outcome, due, id)) = change(&clock, slot, segment, seen, ledger, settings) else {
        // Another CPU is about to take the record out of the map.
        ledger.packets_table_full += 1;
        return;
    };
    if !outcome.counted {
        ledger.packets_seen_elsewhere += 1;
        return;
    }
    ledger.packets_tracked += 1;
    if outcome.opened {
        ledger.opened += 1;
        if half_open::enter(key, id, seen.now_ns, ledger, settings) {
            withhold(slot, id);
            ledger.connections_withheld += 1;
        } else {
            report::connection(key, slot, seen.now_ns, true, ledger);
        }
    } else if due {
        report::connection(key, slot, seen.now_ns, outcome.closed, ledger);
    }
    if settings.watch_packets != 0 {
        let watched = WatchedPacket {
            connection_id: id,
            retransmission: outcome.retransmission,
        };
        report::packet(packet, segment, seen, &watched, ledger);
    }
}

/// The entry of a connection. `None` where there is no room for a new one, or none is to be made.
#[inline(always)]
fn find_or_create(
    clock: &PacketClock<'_, impl Packet>,
    key: &ConnectionKey,
    ledger: &mut LedgerCounters,
    settings: &Settings,
) -> Option<*mut ConnectionSlot> {
    if let Some(slot) = CONNECTIONS.get_ptr_mut(key) {
        return Some(slot);
    }
    if settings.refuses_new != 0 {
        return None;
    }
    if !create(key, ledger) {
        // It may exist by now: then another CPU has just made it.
        if let Some(slot) = CONNECTIONS.get_ptr_mut(key) {
            return Some(slot);
        }
        half_open::make_room(clock.exact_ns(), ledger, settings);
        if !create(key, ledger) {
            aya_log_ebpf::debug!(clock.packet, "no new entry in the connection map");
        }
    }
    CONNECTIONS.get_ptr_mut(key)
}

/// Makes an entry for a new connection, if there is room.
#[inline(always)]
fn create(key: &ConnectionKey, ledger: &mut LedgerCounters) -> bool {
    let vacant: &ConnectionSlot = &VACANT;
    if CONNECTIONS.insert(key, vacant, u64::from(BPF_NOEXIST)).is_err() {
        return false;
    }
    ledger.connections_entered += 1;
    true
}

/// An id that no other CPU gives.
#[inline(always)]
fn next_id(ledger: &LedgerCounters, settings: &Settings) -> u64 {
    // SAFETY: a helper without preconditions.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    (ledger.opened + 1) * u64::from(settings.id_step) + u64::from(cpu)
}

/// Empties the record when the segment begins another connection on the same endpoints, after its last state
/// was reported.
#[inline(always)]
fn replace(
    clock: &PacketClock<'_, impl Packet>,
    key: &ConnectionKey,
    slot: *mut ConnectionSlot,
    segment: &Segment,
    seen: Sighting,
    ledger: &mut LedgerCounters,
) {
    // SAFETY: a racy look at one record; it is repeated under the lock by whoever acts on it.
    if !tracker::replaces(unsafe { &(*slot).record }, segment, seen.side) {
        return;
    }
    report::connection(key, slot, clock.exact_ns(), true, ledger);
    // SAFETY: the map entry outlives the program's run; the record changes only under its lock.
    unsafe {
        if !lock::acquire(&raw mut (*slot).lock) {
            return;
        }
        let is_given_up = (*slot).record.has(ConnectionRecord::GIVEN_UP);
        if !is_given_up && tracker::replaces(&(*slot).record, segment, seen.side) {
            (*slot).record = ConnectionRecord::VACANT;
        }
        lock::release(&raw mut (*slot).lock);
    }
}

/// Lets the tracker change the record. Returns what that did, whether a report is due, and the record's id; `None`
/// where the record is on its way out of the map.
#[inline(always)]
fn change(
    clock: &PacketClock<'_, impl Packet>,
    slot: *mut ConnectionSlot,
    segment: &Segment,
    seen: &mut Sighting,
    ledger: &LedgerCounters,
    settings: &Settings,
) -> Option<(Outcome, bool, u64)> {
    // SAFETY: the map entry outlives the program's run; the record changes only under its lock.
    unsafe {
        if !lock::acquire(&raw mut (*slot).lock) {
            return None;
        }
        let record = &mut (*slot).record;
        if record.has(ConnectionRecord::GIVEN_UP) {
            lock::release(&raw mut (*slot).lock);
            return None;
        }
        if record.id == 0 {
            seen.new_id = next_id(ledger, settings);
        }
        let outcome = tracker::observe_when(record, segment, seen, clock);
        clock.packet.look_at_socket(record, segment, seen);
        let is_silent = record.has(ConnectionRecord::WITHHELD) && !is_confirmed(record);
        let due = !is_silent && (outcome.closed || record.is_due(seen.now_ns, settings.update_interval_ns));
        let id = record.id;
        lock::release(&raw mut (*slot).lock);
        Some((outcome, due, id))
    }
}

/// Leaves the report of a new connection for the time when it is confirmed.
#[inline(always)]
fn withhold(slot: *mut ConnectionSlot, id: u64) {
    // SAFETY: the map entry outlives the program's run; the record changes only under its lock.
    unsafe {
        if !lock::acquire(&raw mut (*slot).lock) {
            return;
        }
        let record = &mut (*slot).record;
        // Another CPU may have reported it already.
        if record.id == id && record.emitted_ns == 0 {
            record.flags |= ConnectionRecord::WITHHELD;
        }
        lock::release(&raw mut (*slot).lock);
    }
}
