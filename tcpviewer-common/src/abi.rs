//! The layout of every type that crosses the kernel boundary, asserted at compile time, and the only unsafe
//! code of this crate: the promise that these types are plain bytes.
#![expect(
    unsafe_code,
    reason = "Pod is an unsafe promise; the asserts below are its proof"
)]

use core::mem::{align_of, offset_of, size_of};

use crate::{
    connection::{
        ConnectionKey, ConnectionRecord, ConnectionSlot, Half, Hole, Notable, SocketSample, TimedSegment,
    },
    event::{ConnectionEvent, PacketEvent, PacketHeaders, Settings},
    failure::{FailureEvent, SocketLayout},
    half_open::{HalfOpen, HalfOpenCursor},
    ledger::LedgerCounters,
    owner::{ARGUMENT_BYTES, FoundSocket, OwnedSocket, OwnerEvent, SocketEnds, SocketOwner, TaskLayout},
    packet_filter::{Clause, PacketFilter},
};

const _: () = {
    assert!(size_of::<ConnectionKey>() == 36 && align_of::<ConnectionKey>() == 4);
    assert!(size_of::<TimedSegment>() == 8);
    // No hidden padding: the size is the sum of the fields.
    assert!(
        size_of::<Half>()
            == 7 * 8
                + size_of::<SocketSample>()
                + 34 * 4
                + 2 * 2
                + 4
                + 4 * size_of::<Hole>()
                + 8 * size_of::<TimedSegment>()
    );
    assert!(size_of::<SocketSample>() == 8 + 12 * 4);
    assert!(size_of::<Notable>() == 24);
    assert!(size_of::<ConnectionRecord>() == 9 * 8 + 8 + 2 * size_of::<Half>() + 4 * size_of::<Notable>());
    assert!(align_of::<ConnectionRecord>() == 8);
    assert!(size_of::<ConnectionSlot>() == 8 + size_of::<ConnectionRecord>());
    assert!(offset_of!(ConnectionSlot, record) == 8);
    // An entry of the map with what the kernel keeps beside it (Linux 6.1, kernel/bpf/hashtab.c: 48 bytes of
    // `struct htab_elem`; kernel/bpf/memalloc.c: 8 bytes) must fit its memory of 1,024 bytes.
    assert!(48 + size_of::<ConnectionKey>().next_multiple_of(8) + size_of::<ConnectionSlot>() + 8 <= 1024);
    assert!(size_of::<ConnectionEvent>() == 40 + size_of::<ConnectionRecord>());
    assert!(size_of::<Clause>() == 8 + 3 * 32 + 3 * 4 + 4 && align_of::<Clause>() == 8);
    assert!(size_of::<PacketFilter>() == 8 + 4 * size_of::<Clause>());
    assert!(size_of::<PacketEvent>() == 80 && align_of::<PacketEvent>() == 8);
    assert!(size_of::<PacketHeaders>() == 80 + 4 * 4 + 192);
    assert!(size_of::<Settings>() == 32);
    assert!(size_of::<LedgerCounters>() == 30 * 8);
    assert!(size_of::<HalfOpen>() == 48 && align_of::<HalfOpen>() == 8);
    assert!(size_of::<HalfOpenCursor>() == 8);
    assert!(size_of::<SocketOwner>() == 4 * 8 + 4 * 4 + 16 && align_of::<SocketOwner>() == 8);
    assert!(size_of::<OwnedSocket>() == size_of::<SocketOwner>() + 2 * 8);
    assert!(offset_of!(OwnedSocket, owner) == 0 && offset_of!(SocketOwner, time_ns) == 0);
    assert!(size_of::<OwnerEvent>() == 8 + size_of::<SocketOwner>() + 16 + 2 + 2 + 4 + ARGUMENT_BYTES);
    assert!(size_of::<SocketEnds>() == 36 && align_of::<SocketEnds>() == 4);
    assert!(size_of::<FoundSocket>() == 4 * 8);
    assert!(size_of::<TaskLayout>() == 6 * 4);
    assert!(size_of::<FailureEvent>() == 8 + 2 * 16 + 2 * 2 + 3 * 4 && align_of::<FailureEvent>() == 8);
    assert!(size_of::<SocketLayout>() == 13 * 4);
};

/// A type of which every bit pattern is a value and no byte is padding.
///
/// # Safety
///
/// Both must hold: `repr(C)`, fixed-width integers and arrays of them, padding spelled out.
pub unsafe trait Plain: Copy + 'static {
    /// The value in the first bytes of `bytes`, which need not be aligned. `None` where they are too few.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..size_of::<Self>())?;
        // SAFETY: the slice has the size of `Self`, any bytes are a value of it, and the read asks for no
        // alignment.
        Some(unsafe { bytes.as_ptr().cast::<Self>().read_unaligned() })
    }

    /// Its bytes, in this machine's order.
    #[cfg(feature = "user")]
    fn as_bytes(&self) -> &[u8] {
        // SAFETY: the slice has the size of `Self` and lives as long as the value, whose bytes are all written, as it
        // has no padding.
        unsafe { core::slice::from_raw_parts(core::ptr::from_ref(self).cast(), size_of::<Self>()) }
    }
}

macro_rules! plain {
    ($($name:ty),* $(,)?) => { $(
        // SAFETY: `repr(C)` of integers and integer arrays; the asserts above leave no room for padding.
        unsafe impl Plain for $name {}
        // SAFETY: as above.
        #[cfg(feature = "user")]
        unsafe impl aya::Pod for $name {}
    )* };
}

plain!(
    ConnectionKey,
    ConnectionRecord,
    ConnectionSlot,
    ConnectionEvent,
    PacketEvent,
    PacketFilter,
    PacketHeaders,
    Settings,
    LedgerCounters,
    HalfOpen,
    HalfOpenCursor,
    SocketOwner,
    OwnedSocket,
    OwnerEvent,
    SocketEnds,
    FoundSocket,
    TaskLayout,
    FailureEvent,
    SocketLayout,
);
