//! The form of `GET /api/traffic`: names that scripts know from older tools. In: packets and connections. Out: JSON. A
//! field is always there; it is null where nothing was measured, and never 0 for that.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{Serialize, Serializer};
use tcpviewer_common::state::TcpState;

use crate::model::{Connection, Packet};

/// The packets of an answer.
pub(super) struct Packets {
    all: Vec<Arc<Packet>>,
    of_connection: HashMap<u64, Vec<Arc<Packet>>>,
}

impl Packets {
    /// These ones, oldest first.
    pub(super) fn new(all: Vec<Arc<Packet>>) -> Self {
        let mut of_connection: HashMap<_, Vec<_>> = HashMap::new();
        for packet in &all {
            let own = of_connection.entry(packet.connection_id).or_default();
            own.push(Arc::clone(packet));
        }
        Self { all, of_connection }
    }
}

/// The object up to the first connection.
pub(super) fn beginning(packets: &Packets) -> serde_json::Result<Vec<u8>> {
    let mut text = b"{\"packets\":".to_vec();
    serde_json::to_writer(&mut text, &forms(&packets.all))?;
    text.extend_from_slice(b",\"connections\":{");
    Ok(text)
}

/// Behind the last connection.
pub(super) const END: &[u8] = b"}}\n";

/// A connection with its key.
pub(super) fn write_connection(
    text: &mut Vec<u8>,
    connection: &Connection,
    packets: &Packets,
    is_first: bool,
) -> serde_json::Result<()> {
    let comma = if is_first { "" } else { "," };
    text.extend_from_slice(format!("{comma}\"{}\":", connection.id).as_bytes());
    serde_json::to_writer(text, &ConnectionForm::of(connection, packets))
}

fn forms(packets: &[Arc<Packet>]) -> Vec<PacketForm> {
    packets.iter().map(|packet| PacketForm::from(&**packet)).collect()
}

/// A packet.
#[derive(Serialize)]
struct PacketForm {
    timestamp: Seconds,
    src_ip: IpAddr,
    src_port: u16,
    dst_ip: IpAddr,
    dst_port: u16,
    flag_syn: bool,
    flag_ack: bool,
    flag_fin: bool,
    flag_rst: bool,
    flag_psh: bool,
    flag_urg: bool,
    /// TCP payload, bytes.
    payload_length: u32,
    seq_num: u32,
    /// Null without ACK.
    ack_num: Option<u32>,
    /// The window field of the header, not scaled.
    window_size: u16,
}

/// A connection. What is `src` opened it.
#[derive(Serialize)]
struct ConnectionForm {
    connection_id: u64,
    src_ip: IpAddr,
    src_port: u16,
    dst_ip: IpAddr,
    dst_port: u16,
    /// State of this host's end, as RFC 9293 writes it; null where no packet told it.
    state: Option<&'static str>,
    /// TCP payload on the wire from source to destination, bytes.
    bytes_sent: u64,
    /// The same, back.
    bytes_received: u64,
    /// Packets on the wire from source to destination.
    packets_sent: u64,
    /// The same, back.
    packets_received: u64,
    /// Smoothed, to the far end, milliseconds.
    rtt_ms: Option<f64>,
    /// Both ways.
    retransmissions: u64,
    /// Receive window that the source offered last, bytes.
    window_size: Option<u32>,
    /// Sequence number of the source's newest packet.
    last_seq: Option<u32>,
    /// Acknowledgement number of the source's newest packet with ACK.
    last_ack: Option<u32>,
    first_seen: Seconds,
    last_seen: Seconds,
    /// Those of its packets that are in the answer.
    recent_packets: Vec<PacketForm>,
}

/// Seconds since the epoch, with a fraction down to microseconds.
struct Seconds(SystemTime);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let since = self
            .0
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        serializer.serialize_f64(since.as_micros() as f64 / 1e6)
    }
}

impl From<&Packet> for PacketForm {
    fn from(packet: &Packet) -> Self {
        let flag = |bit: u8| packet.flags & bit != 0;
        Self {
            timestamp: Seconds(packet.timestamp),
            src_ip: packet.source.ip(),
            src_port: packet.source.port(),
            dst_ip: packet.destination.ip(),
            dst_port: packet.destination.port(),
            flag_syn: flag(0x02),
            flag_ack: flag(0x10),
            flag_fin: flag(0x01),
            flag_rst: flag(0x04),
            flag_psh: flag(0x08),
            flag_urg: flag(0x20),
            payload_length: packet.payload_bytes,
            seq_num: packet.seq,
            ack_num: packet.ack,
            window_size: packet.window,
        }
    }
}

impl ConnectionForm {
    fn of(connection: &Connection, packets: &Packets) -> Self {
        let Connection { sent, received, .. } = connection;
        let state = connection.state();
        let own = packets.of_connection.get(&connection.id);
        Self {
            connection_id: connection.id,
            src_ip: connection.source.ip(),
            src_port: connection.source.port(),
            dst_ip: connection.destination.ip(),
            dst_port: connection.destination.port(),
            state: (state != TcpState::Unknown).then(|| state.name()),
            bytes_sent: sent.payload_bytes,
            bytes_received: received.payload_bytes,
            packets_sent: sent.packets,
            packets_received: received.packets,
            rtt_ms: connection.rtt().map(|rtt| f64::from(rtt.srtt_us) / 1e3),
            retransmissions: u64::from(sent.retransmissions) + u64::from(received.retransmissions),
            window_size: sent.window_bytes,
            last_seq: sent.last_seq,
            last_ack: sent.last_ack,
            first_seen: Seconds(connection.first_seen),
            last_seen: Seconds(connection.last_seen),
            recent_packets: forms(own.map_or(&[], Vec::as_slice)),
        }
    }
}
