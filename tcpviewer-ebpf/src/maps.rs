//! Every map and its size. Capacities that the configuration decides are set by the loader.

use aya_ebpf::{
    btf_maps::{Array, HashMap, LruHashMap, PerCpuArray, RingBuf},
    macros::btf_map,
};
use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionSlot},
    event::{ConnectionEvent, PacketEvent, PacketHeaders, Settings},
    failure::{FAILURE_RING_BYTES, FailureEvent},
    half_open::{self, HalfOpen, HalfOpenCursor},
    ledger::LedgerCounters,
    limits::{CONNECTION_RING_BYTES, DEFAULT_MAX_CONNECTIONS, PACKET_RING_BYTES},
    owner::{
        FoundSocket, OWNED_SOCKETS, OWNER_RING_BYTES, OwnedSocket, OwnerEvent, SOCKETS, SocketEnds,
        TOLD_PROCESSES,
    },
    packet_filter::PacketFilter,
    segment::Segment,
    tracker::Sighting,
};

/// `BPF_F_NO_PREALLOC`: memory follows the number of connections, up to the capacity.
pub(crate) const ON_DEMAND: usize = 1;

/// One record per connection.
#[btf_map]
pub(crate) static CONNECTIONS: HashMap<
    ConnectionKey,
    ConnectionSlot,
    { DEFAULT_MAX_CONNECTIONS as usize },
    ON_DEMAND,
> = HashMap::new();

/// The ring of connections that were not confirmed when they began.
#[btf_map]
pub(crate) static HALF_OPEN: Array<HalfOpen, { half_open::places(DEFAULT_MAX_CONNECTIONS) as usize }> =
    Array::new();

/// How far that ring is.
#[btf_map]
pub(crate) static HALF_OPEN_CURSOR: Array<HalfOpenCursor, 1> = Array::new();

/// Connections that opened, changed or closed.
#[btf_map]
pub(crate) static CONNECTION_EVENTS: RingBuf<ConnectionEvent, { CONNECTION_RING_BYTES as usize }> =
    RingBuf::new();

/// When the reader of that ring was last woken, boot time.
#[btf_map]
pub(crate) static WOKEN: Array<u64, 1> = Array::new();

/// Packets, while somebody watches.
#[btf_map]
pub(crate) static PACKET_EVENTS: RingBuf<PacketEvent, { PACKET_RING_BYTES as usize }> = RingBuf::new();

/// Which packets are sent: the filter in force, and one that is being written.
#[btf_map]
pub(crate) static PACKET_FILTER: Array<PacketFilter, 2> = Array::new();

/// The packet with headers that a CPU is about to send.
#[btf_map]
pub(crate) static HEADERS: PerCpuArray<PacketHeaders, 1> = PerCpuArray::new();

/// What became of every packet, one set of counters per CPU.
#[btf_map]
pub(crate) static LEDGER: PerCpuArray<LedgerCounters, 1> = PerCpuArray::new();

/// What a CPU is at work on; the kernel's stack of 512 bytes is for other things.
#[btf_map]
pub(crate) static IN_HAND: PerCpuArray<InHand, 1> = PerCpuArray::new();

/// What user space tells the programs.
#[btf_map]
pub(crate) static SETTINGS: Array<Settings, 1> = Array::new();

/// Whose each socket is, see [`OwnedSocket::place`].
#[btf_map]
pub(crate) static OWNERS: Array<OwnedSocket, OWNED_SOCKETS> = Array::new();

/// Which socket is on which endpoints, in every network namespace but the daemon's own.
#[btf_map]
pub(crate) static SOCKET_ENDS: LruHashMap<SocketEnds, FoundSocket, SOCKETS> = LruHashMap::new();

/// Processes at work on sockets, and sockets that listen.
#[btf_map]
pub(crate) static OWNER_EVENTS: RingBuf<OwnerEvent, { OWNER_RING_BYTES as usize }> = RingBuf::new();

/// Processes of which user space has been told, by their number.
#[btf_map]
pub(crate) static TOLD: LruHashMap<u32, Told, TOLD_PROCESSES> = LruHashMap::new();

/// Sockets that reported an error, and resets that were sent.
#[btf_map]
pub(crate) static FAILURE_EVENTS: RingBuf<FailureEvent, FAILURE_RING_BYTES> = RingBuf::new();

/// What user space was told of a process.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Told {
    /// When it started, boot time.
    pub(crate) started_ns: u64,
    /// When user space was told, boot time.
    pub(crate) time_ns: u64,
    /// Its name then.
    pub(crate) command: [u8; 16],
}

/// A segment, and where it belongs.
#[derive(Clone, Copy)]
pub(crate) struct InHand {
    pub(crate) segment: Segment,
    pub(crate) key: ConnectionKey,
    pub(crate) seen: Sighting,
}
