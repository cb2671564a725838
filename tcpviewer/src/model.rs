//! What the stages hand on to each other: connections and packets as people understand them, the status of
//! the daemon, and the commands that travel the other way. No aya and no prost here: kernel records become
//! these types in `capture` and `table`, these become messages in `api/convert`.

mod process;

mod socket;

mod listed;

mod listener;

mod verdict;

mod failure;

mod economy;

mod ids;

pub(crate) mod small;

mod work;

#[cfg(test)]
pub(crate) mod sample;

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, Place, Side},
    packet_filter::PacketFilter,
    segment::Address,
    state::TcpState,
};
use tokio::{sync::oneshot, time::Instant};

pub use self::{
    economy::{Economies, Economy},
    failure::{ERRORS, Failure, FailureKind, FailureLook, Reset, SocketError},
    ids::{ByEnds, ById, IdHasher, Ids, SecretHash},
    listed::Listed,
    listener::{HostCounter, Listener},
    process::{ControlGroup, Owner, OwnerLook, OwnerSource, Process},
    socket::{
        CongestionControl, CongestionState, Socket, SocketDetails, SocketLook, SocketSegments, SocketSource,
    },
    verdict::{Backlog, Cause, End, Evidence, EvidenceList, Measure, Measures, Verdict, VerdictKind},
    work::Work,
};

/// A connection as it is published. Counters are absolute since it was first seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Identifies the connection within one run of the daemon.
    pub id: u64,
    /// The table's revision at which this form was published.
    pub revision: u64,
    /// The end that opened the connection.
    pub source: SocketAddr,
    /// The end that was connected to.
    pub destination: SocketAddr,
    /// How the two were told apart.
    pub orientation: Orientation,
    /// Which end is this host's; `None` until enough packets were seen.
    pub local_end: Option<LocalEnd>,
    /// State of the source's end.
    pub source_state: TcpState,
    /// State of the destination's end.
    pub destination_state: TcpState,
    /// Name of the interface on which the connection is counted.
    pub interface: Arc<str>,
    /// Source to destination.
    pub sent: Half,
    /// Destination to source.
    pub received: Half,
    /// Times of the three-way handshake.
    pub handshake: Handshake,
    /// When the first packet was seen.
    pub first_seen: SystemTime,
    /// When the newest packet was seen.
    pub last_seen: SystemTime,
    /// When and how it ended; `None` while it lives.
    pub closed: Option<Closed>,
    /// Whether both ends agreed to explicit congestion notification; `None` until both SYNs were seen.
    pub ecn: Option<bool>,
    /// The process at the source's end; `None` where that is not a socket of this host, or nobody was found.
    pub source_owner: Option<Owner>,
    /// The process at the destination's end; `None` likewise.
    pub destination_owner: Option<Owner>,
    /// Why it is as it is; `None` until enough was seen of it.
    pub verdict: Option<Verdict>,
    /// Why it failed, where the kernel said so; `None` for one that did not.
    pub failure: Option<Arc<Failure>>,
    /// Packets that were worth remembering; begins anew after 2³².
    pub notable_packets: u32,
}

impl Connection {
    /// State of this host's end; of the source where neither or both ends are local.
    pub fn state(&self) -> TcpState {
        match self.local_end {
            Some(LocalEnd::Destination) => self.destination_state,
            Some(LocalEnd::Source | LocalEnd::Both | LocalEnd::Neither) | None => self.source_state,
        }
    }

    /// RTT between this host and the far end: the kernel's own where the socket is known; the sum of both halves
    /// for traffic that passes through. `None` until there is a sample of all that is needed.
    pub fn rtt(&self) -> Option<Rtt> {
        match self.local_end {
            Some(LocalEnd::Destination) => self.received.local_rtt(),
            Some(LocalEnd::Source | LocalEnd::Both) => self.sent.local_rtt(),
            Some(LocalEnd::Neither) => Some(self.sent.rtt?.plus(self.received.rtt?)),
            None => self.sent.rtt.or(self.received.rtt),
        }
    }
}

/// How source and destination were told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// By a SYN or SYN-ACK.
    Handshake,
    /// By the ports: the higher one is taken for the source.
    Ports,
    /// By the ports that are listened on at this host.
    Listener,
}

/// Which end of a connection belongs to this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalEnd {
    /// The source is a socket of this host.
    Source,
    /// The destination is a socket of this host.
    Destination,
    /// Both are.
    Both,
    /// The traffic passes through.
    Neither,
}

/// One direction of a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Half {
    /// Packets on the wire, segmentation offload undone.
    pub packets: u64,
    /// Bytes of those packets, link-layer header included.
    pub wire_bytes: u64,
    /// TCP payload bytes on the wire, retransmitted ones included.
    pub payload_bytes: u64,
    /// TCP payload bytes seen before.
    pub retransmitted_bytes: u64,
    /// Packets with data, SYN or FIN at or below what was already sent.
    pub retransmissions: u32,
    /// Those that duplicate ACKs asked for.
    pub fast_retransmissions: u32,
    /// Those of what was already acknowledged.
    pub spurious_retransmissions: u32,
    /// Those that carry a SYN.
    pub syn_retransmissions: u32,
    /// Packets that were overtaken on the way.
    pub out_of_order: u32,
    /// ACKs that say again what the last one said.
    pub duplicate_acks: u32,
    /// Packets that offer no receive window.
    pub zero_windows: u32,
    /// Packets that use up the window of the other side.
    pub window_full: u32,
    /// Probes of a silent connection.
    pub keep_alives: u32,
    /// Packets that begin beyond the next sequence number.
    pub lost_segments: u32,
    /// Packets with RST.
    pub resets: u32,
    /// Packets that a router marked for congestion.
    pub ecn_marked: u32,
    /// Packets that tell the other end of such marks.
    pub ecn_echoed: u32,
    /// TCP payload per second over the last update interval; 0 once it has ended.
    pub payload_bytes_per_second: u64,
    /// Packets per second over the last update interval; 0 once it has ended.
    pub packets_per_second: u64,
    /// Sequence number of the newest packet; `None` until one was seen.
    pub last_seq: Option<u32>,
    /// Acknowledgement number of the newest packet with ACK.
    pub last_ack: Option<u32>,
    /// Receive window offered last, bytes, scaled where the scale is known.
    pub window_bytes: Option<u32>,
    /// Maximum segment size announced in the SYN, bytes.
    pub mss_bytes: Option<u32>,
    /// Window scale announced in the SYN, shift count.
    pub window_scale: Option<u32>,
    /// Whether the SYN permits selective acknowledgements; `None` until one was seen, as for the next two.
    pub sack_permitted: Option<bool>,
    /// Whether the SYN offers timestamps.
    pub timestamps: Option<bool>,
    /// Whether the SYN asks for or carries a Fast Open cookie.
    pub fast_open: Option<bool>,
    /// Sequence space sent and not yet acknowledged, bytes.
    pub in_flight_bytes: Option<u32>,
    /// What may still be sent into the other side's window, bytes.
    pub usable_window_bytes: Option<u32>,
    /// RTT of this direction's data on the wire: from this host to the receiver and back.
    pub rtt: Option<Rtt>,
    /// Times of this direction's answers; `None` until there was one.
    pub response: Option<Response>,
    /// What the kernel says of the socket that sends; `None` where that is not this host's.
    pub socket: Option<Arc<Socket>>,
}

impl Half {
    /// RTT of data that a socket of this host sends: what its kernel says, else what was measured on the wire.
    fn local_rtt(&self) -> Option<Rtt> {
        self.socket.as_deref().and_then(Rtt::of_socket).or(self.rtt)
    }
}

/// How long a side took to answer the other's payload with its own, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// How many answers there were.
    pub count: u32,
    /// Newest time.
    pub last_us: u32,
    /// Mean time.
    pub mean_us: u32,
    /// Longest time.
    pub max_us: u32,
}

/// Where a round-trip time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RttSource {
    /// Measured on the wire at this host.
    Wire,
    /// The kernel's own, of this host's socket.
    Socket,
}

/// Round-trip times, microseconds (RFC 6298; samples by Karn's rule).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtt {
    /// Where it comes from. Of a socket's, only `srtt_us` and `min_us` are known, and `rttvar_us` where the kernel
    /// was asked.
    pub source: RttSource,
    /// Smoothed RTT.
    pub srtt_us: u32,
    /// Smoothed mean deviation.
    pub rttvar_us: Option<u32>,
    /// Smallest sample.
    pub min_us: u32,
    /// Largest sample.
    pub max_us: Option<u32>,
    /// Newest sample.
    pub last_us: Option<u32>,
    /// Number of samples.
    pub samples: Option<u32>,
}

impl Rtt {
    /// What the kernel says, once it has a sample. The deviation is that of the same moment, or none.
    fn of_socket(socket: &Socket) -> Option<Self> {
        let details = socket
            .details
            .as_ref()
            .filter(|_details| socket.source == SocketSource::SockDiag);
        Some(Self {
            source: RttSource::Socket,
            srtt_us: socket.srtt_us?,
            rttvar_us: details.and_then(|details| details.rttvar_us),
            min_us: socket.min_rtt_us?,
            max_us: None,
            last_us: None,
            samples: None,
        })
    }

    /// The RTT of two paths one after the other; as many samples as the path with fewer has.
    fn plus(self, other: Self) -> Self {
        let sum = |one: Option<u32>, two: Option<u32>| Some(one?.saturating_add(two?));
        Self {
            source: self.source,
            srtt_us: self.srtt_us.saturating_add(other.srtt_us),
            rttvar_us: sum(self.rttvar_us, other.rttvar_us),
            min_us: self.min_us.saturating_add(other.min_us),
            max_us: sum(self.max_us, other.max_us),
            last_us: sum(self.last_us, other.last_us),
            samples: self.samples.min(other.samples),
        }
    }
}

/// Times of the three-way handshake; each is `None` when one of its packets was not seen or was repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// The newest SYN to the first packet after it with ACK and without SYN, microseconds.
    pub rtt_us: Option<u64>,
    /// SYN to SYN-ACK, microseconds.
    pub syn_to_syn_ack_us: Option<u64>,
    /// SYN-ACK to ACK, microseconds.
    pub syn_ack_to_ack_us: Option<u64>,
}

/// The end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: SystemTime,
    /// How.
    pub reason: CloseReason,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Both FINs were acknowledged.
    Fin,
    /// The source sent a RST.
    ResetBySource,
    /// The destination sent a RST.
    ResetByDestination,
    /// The destination answered the SYN with a RST.
    Refused,
    /// No packet for so long that it is taken for dead.
    IdleTimeout,
    /// The SYN was never answered.
    HandshakeTimeout,
    /// A new connection began on the same endpoints.
    Replaced,
    /// It was half-open, and its place in the map was needed for a newer one.
    GivenUp,
    /// Its socket is gone, and no packet said why.
    SocketGone,
    /// Its socket reported an error that closed it, and no packet said so.
    SocketError,
}

/// What a source learned of one connection.
#[derive(Clone, Debug)]
pub enum Sample {
    /// What the packets tell: its record.
    Tracked(Box<Tracked>),
    /// It ended without a word of its packets.
    Gone(ConnectionKey, CloseReason),
    /// What the kernel says of one of its sockets.
    Socket(Box<SocketLook>),
    /// Who owns one of its sockets.
    Owner(Box<OwnerLook>),
    /// Why it fails.
    Failure(Box<FailureLook>),
    /// Where listening sockets of this host are full or dropped something since the last look: all of them.
    Backlogs(HashMap<SocketAddr, Backlog>),
}

/// A connection as its packets tell it: its record and the words that go with it.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// The connection's endpoints.
    pub key: ConnectionKey,
    /// Its record, with absolute counters.
    pub record: ConnectionRecord,
    /// Name of the interface on which it is counted.
    pub interface: Arc<str>,
    /// Whether nothing more will come of it: its source follows it no longer.
    pub is_last: bool,
}

impl From<Tracked> for Sample {
    fn from(tracked: Tracked) -> Self {
        Self::Tracked(Box::new(tracked))
    }
}

/// What the packets tell of a connection with a socket on this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The connection's endpoints.
    pub key: ConnectionKey,
    /// Which of them are sockets of this host, the lower and the higher one: its cookie, 0 where that is not known.
    pub sockets: [Option<u64>; 2],
    /// What it does.
    pub pace: Pace,
}

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Packets passed.
    Moves,
    /// No packet passed for an update interval.
    Quiet,
    /// It ended.
    Ended,
}

/// What a look at all sockets of this host showed of one of them.
#[derive(Clone, Debug)]
pub enum SocketNews {
    /// It was not there the last time.
    Open(Box<OpenSocket>),
    /// It is in another network namespace, and new or changed.
    Elsewhere(Box<OpenSocket>),
    /// It is gone.
    Gone(GoneSocket),
}

/// A socket of this host that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GoneSocket {
    /// The endpoints of its connection.
    pub key: ConnectionKey,
    /// Which of them is its own.
    pub side: Side,
    /// The kernel's number of it; 0 where that is not known.
    pub cookie: u64,
    /// When it was seen first, nanoseconds of boot time.
    pub since_ns: u64,
    /// Whether it was in another network namespace.
    pub is_elsewhere: bool,
    /// Where what it sent came in, of one in another namespace; `None` where no programs are attached there.
    pub place: Option<Place>,
}

/// A socket of this host that is new or says something new. Times are nanoseconds of boot time.
#[derive(Clone, Debug)]
pub struct OpenSocket {
    /// What it said.
    pub look: SocketLook,
    /// Where what it sends is seen first; `None` where no programs are attached there.
    pub place: Option<Place>,
    /// Whether it opened its connection; `None` where that is not known.
    pub opened: Option<bool>,
    /// Whether it was not there the last time.
    pub is_new: bool,
    /// When it was looked at.
    pub seen_ns: u64,
    /// When it sent data last; when it was looked at, where that is not known.
    pub sent_ns: u64,
    /// When it received something last; likewise.
    pub received_ns: u64,
}

/// Samples on their way to the table.
#[derive(Clone, Debug)]
pub struct SampleBatch {
    /// When they were made, by the clock that the table goes by.
    pub at: Instant,
    /// The samples, in the order they were made.
    pub samples: Vec<Sample>,
}

/// Packets on their way to whoever watches.
#[derive(Clone, Debug)]
pub struct PacketBatch {
    /// The packets, oldest first.
    pub packets: Vec<Packet>,
    /// What did not come, up to these.
    pub unsent: Unsent,
}

/// Watched packets that did not leave the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// Those for which the ring buffer had no room, since the start.
    pub lost: u64,
    /// Those that were left out, since the start: one stands for several.
    pub left_out: u64,
    /// Of so many one is sent at present.
    pub sampling: u32,
}

impl Default for Unsent {
    /// All were sent.
    fn default() -> Self {
        Self {
            lost: 0,
            left_out: 0,
            sampling: 1,
        }
    }
}

/// An endpoint as people write it; IPv4 where the address is an IPv4-mapped one.
pub fn endpoint(address: Address, port: [u8; 2]) -> SocketAddr {
    let address = IpAddr::V6(Ipv6Addr::from(address)).to_canonical();
    SocketAddr::new(address, u16::from_be_bytes(port))
}

/// The key of a connection between two endpoints, and the side that the first of them has.
pub fn key_between(local: SocketAddr, remote: SocketAddr) -> (ConnectionKey, Side) {
    let parts = |end: SocketAddr| {
        let address = match end.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        (address.octets(), end.port().to_be_bytes())
    };
    let (local, remote) = (parts(local), parts(remote));
    let (side, low, high) = if local <= remote {
        (Side::Low, local, remote)
    } else {
        (Side::High, remote, local)
    };
    let key = ConnectionKey {
        low: low.0,
        high: high.0,
        low_port: low.1,
        high_port: high.1,
        alignment: [],
    };
    (key, side)
}

/// Names of interfaces by index: written where they are attached, read where packets come in.
#[derive(Debug, Default)]
pub struct InterfaceNames(RwLock<HashMap<u32, InterfaceName>>);

#[derive(Clone, Debug)]
struct InterfaceName {
    name: Arc<str>,
    /// Whether programs see its packets.
    is_attached: bool,
}

impl InterfaceNames {
    /// Learns or corrects a name.
    pub fn set(&self, index: u32, name: Arc<str>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let is_attached = known.get(&index).is_some_and(|known| known.is_attached);
        known.insert(index, InterfaceName { name, is_attached });
    }

    /// Learns that packets of an interface are seen.
    pub fn set_attached(&self, index: u32) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get_mut(&index) {
            known.is_attached = true;
        }
    }

    /// Whether packets of the interface with this index are seen.
    pub fn is_attached(&self, index: u32) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&index).is_some_and(|known| known.is_attached)
    }

    /// The name of an interface; its number where nothing is known of it.
    pub fn get(&self, index: u32) -> Arc<str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let name = known.get(&index).map(|known| Arc::clone(&known.name));
        name.unwrap_or_else(|| format!("#{index}").into())
    }

    /// The index of the interface of this name, if its packets are seen.
    pub fn attached(&self, name: &str) -> Option<u32> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all = known.iter();
        all.find(|(_index, known)| known.is_attached && *known.name == *name)
            .map(|(&index, _known)| index)
    }
}

/// Turns the kernel's boot time into wall-clock time. Both clocks are read once, so the times of one run are
/// comparable even when the wall clock is set.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Wall-clock time at boot.
    boot: SystemTime,
}

impl Clock {
    /// A clock for which boot time 0 was at `boot`.
    pub const fn new(boot: SystemTime) -> Self {
        Self { boot }
    }

    /// Wall-clock time of a moment of boot time, nanoseconds.
    pub fn at(self, boot_ns: u64) -> SystemTime {
        self.boot + Duration::from_nanos(boot_ns)
    }
}

/// The kernel's boot time now, nanoseconds.
pub fn boot_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// What changed in the table: each connection once, in its newest form.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// New and changed connections; each carries its own revision, all of them above the last delta's.
    pub changed: Vec<Arc<dyn Listed>>,
    /// Connections no longer listed, with the revision at which they went.
    pub removed: Vec<Removal>,
    /// Packets worth remembering of changed connections since the last delta, but for those of which too many came between
    /// two reports: [`Connection::notable_packets`] counts all.
    pub notable: Vec<NotablePackets>,
    /// Ids of ended connections over which nothing passes any more, where nothing else changed of them.
    pub quiet: Vec<u64>,
    /// Totals after this delta.
    pub totals: Totals,
}

/// Packets of one connection that are worth remembering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotablePackets {
    /// The connection.
    pub connection_id: u64,
    /// The packets, oldest first.
    pub packets: Vec<NotablePacket>,
}

/// A packet that is worth remembering: of a handshake, of an end, sent again, or without a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotablePacket {
    /// When it was seen.
    pub timestamp: SystemTime,
    /// Whether the connection's source sent it.
    pub from_source: bool,
    /// Whether it is of the handshake.
    pub handshake: bool,
    /// Whether it carries what was sent before.
    pub retransmission: bool,
    /// Whether it offers no receive window.
    pub zero_window: bool,
    /// The control bits as in the header: FIN is bit 0, CWR bit 7.
    pub flags: u8,
    /// The window field, not scaled.
    pub window: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; means nothing without ACK.
    pub ack: u32,
    /// TCP payload, bytes.
    pub payload_bytes: u32,
}

/// A connection that is no longer listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Its id.
    pub id: u64,
    /// The revision at which it went.
    pub revision: u64,
}

/// Sums over the table.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Connections listed, closed ones included while they are kept.
    pub listed: u64,
    /// Listed connections that have not ended.
    pub open: u64,
    /// Connections first seen since the start.
    pub opened: u64,
    /// Connections ended since the start.
    pub closed: u64,
    /// Ended connections that left the list before their time, because it was full.
    pub dropped: u64,
    /// Connections that ended by a RST after they were open.
    pub reset: u64,
    /// Connections that never opened: refused, or not answered.
    pub failed: u64,
    /// Packets on the wire since the start.
    pub packets: u64,
    /// TCP payload bytes on the wire since the start.
    pub payload_bytes: u64,
    /// Packets sent again since the start.
    pub retransmissions: u64,
    /// Packets on the wire per second.
    pub packets_per_second: u64,
    /// TCP payload bytes per second.
    pub payload_bytes_per_second: u64,
    /// Connections opened per second.
    pub opened_per_second: f64,
}

/// One packet, headers only. With GSO or GRO it stands for several on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it was seen.
    pub timestamp: SystemTime,
    /// The connection it belongs to.
    pub connection_id: u64,
    /// The packet's own sender.
    pub source: SocketAddr,
    /// Where it goes to.
    pub destination: SocketAddr,
    /// The interface it was seen on.
    pub interface: Arc<str>,
    /// Which way it crossed that interface.
    pub direction: Direction,
    /// The control bits as in the header: FIN is bit 0, CWR bit 7.
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; `None` without ACK.
    pub ack: Option<u32>,
    /// The window field, not scaled.
    pub window: u16,
    /// TCP payload, bytes.
    pub payload_bytes: u32,
    /// Packets on the wire.
    pub wire_packets: u32,
    /// Whether it carries what was sent before.
    pub retransmission: bool,
    /// Its headers, where they were asked for.
    pub headers: Option<Headers>,
}

/// The headers of a packet, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// From the first byte of the packet to the end of its TCP header.
    pub bytes: Box<[u8]>,
    /// Length of the whole packet, bytes.
    pub length: u32,
    /// Whether it begins with an Ethernet header; else with that of IP.
    pub ethernet: bool,
}

/// Which way a packet crossed an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into this host.
    Ingress,
    /// Out of this host.
    Egress,
}

/// How programs are attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// TCX links.
    Tcx,
    /// Filters on a clsact queueing discipline.
    Clsact,
}

/// Who runs the program that sees packets before the kernel's stack has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// The driver of the device.
    Native,
    /// The kernel in its place.
    Generic,
}

/// An interface that the configuration selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: Arc<str>,
    /// Its index in the kernel.
    pub index: u32,
    /// How the programs are attached, or why they are not.
    pub hook: Result<Hook, String>,
    /// How packets that come in are seen where that is by XDP.
    pub xdp: Option<XdpMode>,
}

/// A part that does not work here, or works in a lesser way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Degradation {
    /// What is affected.
    pub feature: String,
    /// Why.
    pub reason: String,
    /// What that costs the user.
    pub effect: String,
}

/// What became of every packet; the fields of `tcpviewer.v1.Ledger`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Packets that reached a hook.
    pub packets_seen: u64,
    /// Packets counted for a connection.
    pub packets_tracked: u64,
    /// Packets that are neither IPv4 nor IPv6.
    pub packets_not_ip: u64,
    /// IP packets that do not carry TCP.
    pub packets_not_tcp: u64,
    /// IP fragments after the first.
    pub packets_fragment: u64,
    /// Packets that end before the TCP header does.
    pub packets_truncated: u64,
    /// Packets whose headers contradict themselves.
    pub packets_malformed: u64,
    /// Packets of a connection that is counted at another interface or hook.
    pub packets_seen_elsewhere: u64,
    /// Packets of new connections for which the map had no room.
    pub packets_table_full: u64,
    /// Packets of new connections that were to get no record, to save memory.
    pub packets_over_budget: u64,
    /// Half-open connections that gave their record to a newer one.
    pub connections_given_up: u64,
    /// Connections whose beginning was not reported, because half-open ones had to be given up at that time.
    pub connections_withheld: u64,
    /// Connection events for which the ring buffer had no room.
    pub connection_events_lost: u64,
    /// Packet events for which the ring buffer had no room.
    pub packet_events_lost: u64,
    /// Watched packets that were left out, to save time.
    pub packet_events_left_out: u64,
    /// Packet events that left the kernel.
    pub packet_events: u64,
    /// Connection events that left the kernel.
    pub connection_events: u64,
    /// Processes of which the kernel told.
    pub process_events: u64,
    /// Processes of which the ring buffer had no room to tell.
    pub process_events_lost: u64,
    /// Errors of sockets, and resets of this host, of which the kernel told.
    pub failure_events: u64,
    /// Those of which the ring buffer had no room to tell.
    pub failure_events_lost: u64,
    /// Those of which it did not tell, as there were too many at that time.
    pub failure_events_withheld: u64,
}

/// What the daemon's stages report of themselves when asked.
#[derive(Clone, Debug)]
pub struct Status {
    /// Selected interfaces.
    pub interfaces: Vec<Interface>,
    /// What became of every packet.
    pub ledger: Ledger,
    /// Records in the kernel's connection map.
    pub tracked: u64,
    /// Records the map can hold.
    pub capacity: u64,
    /// Memory of the kernel maps, bytes; `None` where the kernel does not say.
    pub kernel_map_bytes: Option<u64>,
    /// The time in the capture that is played; `None` where none is, and before its first packet.
    pub capture_time: Option<SystemTime>,
    /// What does not work here, or in a lesser way.
    pub degradations: Vec<Degradation>,
    /// What the daemon may cost.
    pub budgets: Budgets,
}

/// What the daemon may cost; `None` for what is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budgets {
    /// Resident memory of the process and kernel maps together, bytes.
    pub memory_bytes: Option<u64>,
    /// CPU time of the process, per cent of one core.
    pub cpu_percent: Option<f64>,
}

/// What never changes while the daemon runs.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The run: random, never 0.
    pub instance: u64,
    /// Name of the host.
    pub host_name: String,
    /// Release of the running kernel; empty for a capture file.
    pub kernel_release: String,
    /// The capture file that is played; empty where the source is the kernel.
    pub capture_file: String,
    /// When the daemon started.
    pub started_at: SystemTime,
    /// A changing connection is published at most once per this interval.
    pub update_interval: Duration,
    /// How long an ended connection stays listed.
    pub keep_closed: Duration,
}

/// Which packets are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketWish {
    /// Those that the kernel lets pass: all that anybody watches, and maybe others.
    pub filter: PacketFilter,
    /// Whether somebody wants their headers, byte for byte.
    pub headers: bool,
}

/// A user's wish, on its one way back from the API to the daemon.
#[derive(Debug)]
pub enum Command {
    /// Which packets are watched, if any: the kernel emits no others.
    WatchPackets(Option<Box<PacketWish>>),
    /// The connections that are watched, by their endpoints: their sockets are looked at more often.
    WatchSockets(Vec<ConnectionKey>),
    /// Report the status.
    Status(oneshot::Sender<Status>),
    /// Report the listening sockets, or why they are not known.
    Listeners(oneshot::Sender<Result<Vec<Listener>, String>>),
    /// Report the counters of the host's TCP; none where they are not known.
    HostCounters(oneshot::Sender<Vec<HostCounter>>),
}
