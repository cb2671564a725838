//! Kernel types in the words of the model.

use std::sync::Arc;

use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, Half, Place, Side},
    event::{PacketEvent, PacketHeaders},
    failure::FailureEvent,
    ledger::LedgerCounters,
    segment::Flags,
};

use crate::{
    attach::ResetReasons,
    model::{
        Activity, Clock, Direction, FailureKind, FailureLook, GoneSocket, Headers, InterfaceNames, Ledger,
        OpenSocket, Pace, Packet, Tracked, endpoint, key_between,
    },
};

/// Name of the interface on which a connection is counted: where the source's packets pass, or, before one was
/// seen, the destination's.
pub fn interface(record: &ConnectionRecord, names: &InterfaceNames) -> Arc<str> {
    let (sent, received) = record.oriented();
    let half = if sent.place != 0 { sent } else { received };
    names.get(Place(half.place).interface())
}

/// What is known of a connection. A record on its way out of the map is the last that is heard of it.
pub fn tracked(key: ConnectionKey, record: ConnectionRecord, names: &InterfaceNames) -> Tracked {
    Tracked {
        key,
        record,
        interface: interface(&record, names),
        is_last: record.has(ConnectionRecord::GIVEN_UP),
    }
}

/// The record of a connection of which nothing is known but what its socket says: no packet is counted, and the places
/// are where they will be.
pub fn older(open: &OpenSocket, place: Place, id: u64) -> ConnectionRecord {
    let OpenSocket { look, .. } = open;
    let (own, opposite) = match look.side {
        Side::Low => (0, 1),
        Side::High => (1, 0),
    };
    let (low_port, high_port) = (look.key.low_port, look.key.high_port);
    let own_is_source = open.opened.unwrap_or({
        let low_is_source = u16::from_be_bytes(low_port) >= u16::from_be_bytes(high_port);
        low_is_source == (look.side == Side::Low)
    });
    let mut record = ConnectionRecord {
        id,
        first_seen_ns: open.seen_ns,
        flags: ConnectionRecord::OLDER,
        ..ConnectionRecord::VACANT
    };
    if open.opened.is_some() {
        record.flags |= ConnectionRecord::BY_LISTENER;
    }
    if own_is_source == (look.side == Side::High) {
        record.flags |= ConnectionRecord::SOURCE_IS_HIGH;
    }
    record.halves[own].place = place.0;
    record.halves[own].socket_cookie = look.cookie;
    record.halves[own].last_seen_ns = open.sent_ns;
    // What comes to a socket in another network namespace may have come in anywhere.
    if place.is_egress() {
        let interface = place.interface();
        record.halves[opposite].place = Place::new(interface, interface == LOOPBACK).0;
    }
    record.halves[opposite].last_seen_ns = open.received_ns;
    record
}

/// Whether a socket in another network namespace is one of this connection: the one with this cookie, or the one at the
/// other end of the cable through which this end's packets come in, or will, as far as that is known.
pub fn has_socket(record: &ConnectionRecord, open: &OpenSocket, expected: Option<Place>) -> bool {
    let own = half(record, open.look.side);
    let told = open.look.cookie;
    if own.socket_cookie != 0 && told != 0 {
        return own.socket_cookie == told;
    }
    let comes_in = if own.place == 0 {
        expected
    } else {
        Some(Place(own.place))
    };
    open.place.is_some() && open.place == comes_in
}

/// Whether it was a socket of this connection that is gone: the one with this cookie; where that is not known, the one
/// at this end, if the connection is no newer than the socket.
pub fn had_socket(record: &ConnectionRecord, gone: &GoneSocket) -> bool {
    if gone.cookie != 0 {
        return record.halves.iter().any(|half| half.socket_cookie == gone.cookie);
    }
    let own = half(record, gone.side);
    let is_there = match gone.place {
        Some(place) => place.0 == own.place,
        None => Place(own.place).is_egress(),
    };
    is_there && record.first_seen_ns <= gone.since_ns
}

fn half(record: &ConnectionRecord, side: Side) -> &Half {
    let [low, high] = &record.halves;
    match side {
        Side::Low => low,
        Side::High => high,
    }
}

/// Index of the loopback in every network namespace (Linux: `LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// What a connection does, and which of its ends are of this host: those whose packets are counted on their way out.
pub fn activity(tracked: &Tracked, pace: Pace) -> Activity {
    let record = &tracked.record;
    Activity {
        key: tracked.key,
        sockets: record.halves.each_ref().map(|half| {
            let is_local = half.has(Half::SEEN) && Place(half.place).is_egress();
            is_local.then_some(half.socket_cookie)
        }),
        pace: if record.closed_ns == 0 { pace } else { Pace::Ended },
    }
}

/// A packet as it is published.
pub fn packet(event: &PacketEvent, interface: Arc<str>, clock: Clock) -> Packet {
    let place = Place(event.place);
    Packet {
        timestamp: clock.at(event.time_ns),
        connection_id: event.connection_id,
        source: endpoint(event.source, event.source_port),
        destination: endpoint(event.destination, event.destination_port),
        interface,
        direction: if place.is_egress() {
            Direction::Egress
        } else {
            Direction::Ingress
        },
        flags: event.flags,
        seq: event.seq,
        ack: Flags(event.flags).has(Flags::ACK).then_some(event.ack),
        window: event.window,
        payload_bytes: event.payload_bytes,
        wire_packets: event.wire_packets,
        retransmission: event.retransmission != 0,
        headers: None,
    }
}

/// The headers of a packet as they are on the wire: a VLAN tag that the kernel keeps beside them is put back.
pub fn headers(captured: &PacketHeaders) -> Headers {
    let count = captured.bytes.len().min(captured.captured as usize);
    let (head, rest) = captured.bytes[..count].split_at(count.min(ETHERNET_ADDRESS_BYTES));
    let tag = captured.vlan_tag.to_be_bytes();
    let tag: &[u8] = if captured.vlan_tag == 0 { &[] } else { &tag };
    Headers {
        bytes: [head, tag, rest].concat().into(),
        length: captured.length + tag.len() as u32,
        ethernet: captured.ethernet != 0,
    }
}

/// Both addresses of an Ethernet header; a VLAN tag stands behind them.
const ETHERNET_ADDRESS_BYTES: usize = 12;

/// Why a connection fails, where that is one of two endpoints.
pub fn failure(event: &FailureEvent, reasons: &ResetReasons, clock: Clock) -> FailureLook {
    let (local, remote) = (
        endpoint(event.local, event.local_port),
        endpoint(event.remote, event.remote_port),
    );
    let (key, side) = key_between(local, remote);
    let what = if event.what == FailureEvent::RESET {
        let name = reasons.get(&event.number).map(Arc::clone);
        FailureKind::Reset(name.unwrap_or_else(|| event.number.to_string().into()))
    } else {
        FailureKind::Error {
            number: u16::try_from(event.number).unwrap_or(u16::MAX),
            is_over: event.is_over != 0,
        }
    };
    FailureLook {
        key,
        side,
        what,
        at: clock.at(event.time_ns),
    }
}

/// The ledgers of all CPUs together.
pub fn ledger(cpus: &[LedgerCounters]) -> Ledger {
    let mut sum = Ledger::default();
    for cpu in cpus {
        sum.packets_seen += cpu.packets_seen;
        sum.packets_tracked += cpu.packets_tracked;
        sum.packets_not_ip += cpu.packets_not_ip;
        sum.packets_not_tcp += cpu.packets_not_tcp;
        sum.packets_fragment += cpu.packets_fragment;
        sum.packets_truncated += cpu.packets_truncated;
        sum.packets_malformed += cpu.packets_malformed;
        sum.packets_seen_elsewhere += cpu.packets_seen_elsewhere;
        sum.packets_table_full += cpu.packets_table_full;
        sum.packets_over_budget += cpu.packets_over_budget;
        sum.connections_given_up += cpu.connections_given_up;
        sum.connections_withheld += cpu.connections_withheld;
        sum.connection_events_lost += cpu.connection_events_lost;
        sum.process_events += cpu.owner_events;
        sum.process_events_lost += cpu.owner_events_lost;
        sum.packet_events_lost += cpu.packet_events_lost;
        sum.packet_events_left_out += cpu.packet_events_left_out;
        sum.packet_events += cpu.packet_events;
        sum.connection_events += cpu.connection_events;
        sum.failure_events += cpu.failure_events;
        sum.failure_events_lost += cpu.failure_events_lost;
        sum.failure_events_withheld += cpu.failure_events_withheld;
    }
    sum
}
