//! The records that leave the kernel through the ring buffers, and the settings that go in. Events carry the
//! whole record with absolute values: one that is lost costs freshness and nothing else.

use crate::{
    connection::{ConnectionKey, ConnectionRecord},
    limits::HEADER_BYTES,
    segment::Address,
};

/// A connection in its newest form.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ConnectionEvent {
    /// Which connection.
    pub key: ConnectionKey,
    /// Room that keeps the record aligned.
    pub padding: u32,
    /// All that is known of it.
    pub record: ConnectionRecord,
}

/// One packet of a connection.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PacketEvent {
    /// When it was seen, boot time.
    pub time_ns: u64,
    /// The connection's id.
    pub connection_id: u64,
    /// Its sender.
    pub source: Address,
    /// Its receiver.
    pub destination: Address,
    /// Sender's port, network order.
    pub source_port: [u8; 2],
    /// Receiver's port, network order.
    pub destination_port: [u8; 2],
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// TCP payload, bytes.
    pub payload_bytes: u32,
    /// Packets on the wire.
    pub wire_packets: u32,
    /// Where it was seen, see [`crate::connection::Place`].
    pub place: u32,
    /// The window field, not scaled.
    pub window: u16,
    /// Control bits.
    pub flags: u8,
    /// 1 where all of it was sent before.
    pub retransmission: u8,
    /// Room to the next multiple of eight.
    pub padding: u32,
}

/// One packet with its headers, while somebody captures.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PacketHeaders {
    /// The packet.
    pub event: PacketEvent,
    /// Its length, bytes: with segmentation offload that of all packets it stands for, their headers once.
    pub length: u32,
    /// How many bytes of `bytes` are its headers.
    pub captured: u32,
    /// The VLAN tag that the kernel keeps beside the bytes, TPID and TCI; 0 where there is none.
    pub vlan_tag: u32,
    /// 1 where the headers begin with that of Ethernet, 0 where they begin with that of IP.
    pub ethernet: u32,
    /// From its first byte to the end of the TCP header.
    pub bytes: [u8; HEADER_BYTES],
}

/// What user space tells the programs; they read it with every packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// A connection that changes is reported at most once per this time.
    pub update_interval_ns: u64,
    /// [`Settings::PACKETS`] while somebody watches packets, [`Settings::HEADERS`] while somebody captures them;
    /// else 0.
    pub watch_packets: u32,
    /// Ids rise by this: one more than the CPUs this kernel can have. Each CPU gives those with its own remainder, user
    /// space those with the last.
    pub id_step: u32,
    /// Places in the ring of half-open connections, less one.
    pub half_open_mask: u32,
    /// Which of the two filters of packets is in force; the other one is written meanwhile.
    pub packet_filter: u32,
    /// Of so many watched packets of a CPU one is sent, less one; that many is a power of two.
    pub packet_sampling_mask: u32,
    /// 1 while new connections get no record; else 0.
    pub refuses_new: u32,
}

impl Settings {
    /// Packets are sent.
    pub const PACKETS: u32 = 1;
    /// Packets are sent with their headers.
    pub const HEADERS: u32 = 2;
}
