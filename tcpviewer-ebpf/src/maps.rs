//! Every map and its size. Capacities that the configuration decides are set by the loader.

use aya_ebpf::{
    btf_maps::{Array, HashMap, PerCpuArray, RingBuf},
    macros::btf_map,
};
use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionSlot},
    event::{ConnectionEvent, PacketEvent, PacketHeaders, Settings},
    half_open::{self, HalfOpen, HalfOpenCursor},
    ledger::LedgerCounters,
    limits::{CONNECTION_RING_BYTES, DEFAULT_MAX_CONNECTIONS, PACKET_RING_BYTES},
    packet_filter::PacketFilter,
    segment::Segment,
};

/// `BPF_F_NO_PREALLOC`: memory follows the number of connections, up to the capacity.
const ON_DEMAND: usize = 1;

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

/// The segment a CPU is at work on; the kernel's stack of 512 bytes is for other things.
#[btf_map]
pub(crate) static SEGMENT: PerCpuArray<Segment, 1> = PerCpuArray::new();

/// What user space tells the programs.
#[btf_map]
pub(crate) static SETTINGS: Array<Settings, 1> = Array::new();
