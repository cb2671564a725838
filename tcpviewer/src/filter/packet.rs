//! The fields of a packet.

use super::field::{
    Field,
    Read::{Addresses, Choice, Flag, Name, Number, Ports},
    Subject,
    Unit::{Bytes, Count},
};
use crate::model::{Direction, Packet};

const DIRECTIONS: &[&str] = &["ingress", "egress"];

impl Subject for Packet {
    const NOUN: &'static str = "packets";
    const FIELDS: &'static [&'static [Field<Self>]] = &[FIELDS];
}

/// A table of fields, one to a line: name, how it is read, meaning.
macro_rules! fields {
    ($($name:literal, $read:expr, $about:literal;)*) => {
        &[$(Field { name: $name, about: $about, read: $read }),*]
    };
}

const FIELDS: &[Field<Packet>] = fields! {
    "connection", Number(Count, |p| Some(p.connection_id)), "number of the packet's connection";
    "host", Addresses(|p| [Some(p.source.ip()), Some(p.destination.ip())]), "address of either end";
    "port", Ports(|p| [Some(p.source.port()), Some(p.destination.port())]), "port of either end";
    "source.host", Addresses(|p| [Some(p.source.ip()), None]), "address of the packet's own sender";
    "source.port", Ports(|p| [Some(p.source.port()), None]), "port of the packet's own sender";
    "destination.host", Addresses(|p| [Some(p.destination.ip()), None]), "address the packet goes to";
    "destination.port", Ports(|p| [Some(p.destination.port()), None]), "port the packet goes to";
    "ip", Flag(|p| p.source.is_ipv4()), "is IPv4";
    "ip6", Flag(|p| p.source.is_ipv6()), "is IPv6";
    "tcp", Flag(|_| true), "is TCP, as every packet here is";
    "interface", Name(|p| &p.interface), "interface the packet was seen on";
    "direction", Choice(DIRECTIONS, direction), "which way it crossed the interface: into this host, or out of it";
    "fin", Flag(|p| p.flags & 0x01 != 0), "has FIN";
    "syn", Flag(|p| p.flags & 0x02 != 0), "has SYN";
    "rst", Flag(|p| p.flags & 0x04 != 0), "has RST";
    "psh", Flag(|p| p.flags & 0x08 != 0), "has PSH";
    "ack", Flag(|p| p.flags & 0x10 != 0), "has ACK";
    "urg", Flag(|p| p.flags & 0x20 != 0), "has URG";
    "ece", Flag(|p| p.flags & 0x40 != 0), "has ECE (RFC 3168)";
    "cwr", Flag(|p| p.flags & 0x80 != 0), "has CWR (RFC 3168)";
    "seq_number", Number(Count, |p| Some(p.seq.into())), "sequence number";
    "ack_number", Number(Count, |p| p.ack.map(u64::from)), "acknowledgement number; absent without ACK";
    "window", Number(Count, |p| Some(p.window.into())), "window field of the header, not scaled";
    "bytes", Number(Bytes, |p| Some(p.payload_bytes.into())), "TCP payload";
    "wire_packets", Number(Count, |p| Some(p.wire_packets.into())), "packets on the wire that it stands for";
    "retransmission", Flag(|p| p.retransmission), "carries what was sent before";
};

fn direction(packet: &Packet) -> Option<&'static str> {
    Some(match packet.direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    })
}
