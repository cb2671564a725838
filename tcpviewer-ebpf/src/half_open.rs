//! The ring of half-open connections: a new one takes the place of the oldest, which leaves the map unless it was
//! confirmed meanwhile. So a flood of SYNs circles in its own share of the map.
#![expect(unsafe_code, reason = "map values are behind raw pointers and locks")]

use core::ptr;

use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, ConnectionSlot},
    event::Settings,
    half_open::{HalfOpen, is_confirmed},
    ledger::LedgerCounters,
};

use crate::{
    lock,
    maps::{CONNECTIONS, HALF_OPEN, HALF_OPEN_CURSOR},
    report,
};

/// Puts a connection that has just begun into the ring. Returns whether another had to be given up for it.
#[inline(always)]
pub(crate) fn enter(
    key: &ConnectionKey,
    id: u64,
    now_ns: u64,
    ledger: &mut LedgerCounters,
    settings: &Settings,
) -> bool {
    let Some(place) = next_place(settings) else {
        return false;
    };
    let gave_up = give_up(place, now_ns, ledger) != 0;
    // SAFETY: an entry of a map; nobody else writes it before the ring has come round. Should a CPU be that far
    // behind, the entry is mixed up, no record has such a key and id, and the two connections of which it was
    // made leave the map by their age.
    unsafe {
        ptr::copy_nonoverlapping(key, &raw mut (*place).key, 1);
        (*place).id = id;
    }
    gave_up
}

/// Gives up the oldest connection in the ring, for the room it takes in the map.
#[inline(always)]
pub(crate) fn make_room(now_ns: u64, ledger: &mut LedgerCounters, settings: &Settings) {
    if let Some(place) = next_place(settings) {
        give_up(place, now_ns, ledger);
    }
}

/// The place whose turn it is.
#[inline(always)]
fn next_place(settings: &Settings) -> Option<*mut HalfOpen> {
    let cursor = HALF_OPEN_CURSOR.get_ptr_mut(0)?;
    // SAFETY: an entry of a map.
    let number = unsafe { lock::increment(&raw mut (*cursor).next) };
    HALF_OPEN.get_ptr_mut(number as u32 & settings.half_open_mask)
}

/// Takes the connection at this place of the ring out of the map, unless it is confirmed, or gone. Returns 1 when
/// it did, else 0. A function of its own for the sake of the kernel's stack.
#[inline(never)]
fn give_up(place: *mut HalfOpen, now_ns: u64, ledger: &mut LedgerCounters) -> u32 {
    // SAFETY: an entry of a map; what it says is checked against the record under its lock.
    let HalfOpen { key, id, .. } = unsafe { *place };
    let key = &key;
    // Nobody was there yet.
    if id == 0 {
        return 0;
    }
    let Some(slot) = CONNECTIONS.get_ptr_mut(key) else {
        return 0;
    };
    let Some(was_reported) = condemn(slot, id) else {
        return 0;
    };
    if was_reported {
        report::connection(key, slot, now_ns, false, ledger);
    }
    // It may be gone by now: user space removes records as well.
    if CONNECTIONS.remove(key).is_ok() {
        ledger.connections_given_up += 1;
    }
    1
}

/// Marks the record as given up, so that nobody counts in it any more. Returns whether user space has heard of
/// it; `None` where it must stay.
#[inline(always)]
fn condemn(slot: *mut ConnectionSlot, id: u64) -> Option<bool> {
    // SAFETY: the map entry outlives the program's run; the record changes only under its lock.
    unsafe {
        if !lock::acquire(&raw mut (*slot).lock) {
            return None;
        }
        let record = &mut (*slot).record;
        let stays = record.id != id || is_confirmed(record);
        let was_reported = !record.has(ConnectionRecord::WITHHELD);
        if !stays {
            record.flags |= ConnectionRecord::GIVEN_UP;
        }
        lock::release(&raw mut (*slot).lock);
        (!stays).then_some(was_reported)
    }
}
