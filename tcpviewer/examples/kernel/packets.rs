//! The packets that the programs are given: Ethernet, IPv4, and behind it TCP with data, without, to open a
//! connection, or a datagram of UDP.

use tcpviewer_common::{
    bench::{CLIENT_PORT, PAYLOAD_BYTES, SERVER, SERVER_PORT},
    segment::Flags,
};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// A segment with data in the middle of a transfer, from a client of its own.
pub(crate) fn data(client: u8) -> Vec<u8> {
    tcp(client, Flags::ACK, PAYLOAD_BYTES as usize)
}

/// A segment that does nothing but acknowledge.
pub(crate) fn acknowledgement(client: u8) -> Vec<u8> {
    tcp(client, Flags::ACK, 0)
}

/// A segment that opens a connection.
pub(crate) fn syn(client: u8) -> Vec<u8> {
    tcp(client, Flags::SYN, 0)
}

/// What is no TCP.
pub(crate) fn datagram() -> Vec<u8> {
    let mut packet = ip(1, UDP, 8 + 64);
    packet.extend(CLIENT_PORT.to_be_bytes());
    packet.extend(SERVER_PORT.to_be_bytes());
    packet.resize(packet.len() + 4 + 64, 0);
    packet
}

fn tcp(client: u8, flags: Flags, payload_bytes: usize) -> Vec<u8> {
    let mut packet = ip(client, TCP, 20 + payload_bytes);
    packet.extend(CLIENT_PORT.to_be_bytes());
    packet.extend(SERVER_PORT.to_be_bytes());
    packet.extend(0_u32.to_be_bytes());
    packet.extend(0_u32.to_be_bytes());
    packet.extend([5 << 4, flags.0]);
    packet.extend(4_096_u16.to_be_bytes());
    packet.resize(packet.len() + 4 + payload_bytes, 0);
    packet
}

fn ip(client: u8, protocol: u8, length: usize) -> Vec<u8> {
    let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00];
    packet.extend([0x45, 0]);
    packet.extend(((20 + length) as u16).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    packet.extend([10, 0, 0, client]);
    packet.extend(SERVER);
    packet
}
