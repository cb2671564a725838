//! Kernel types in the words of the model.

use std::sync::Arc;

use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, Half, Place},
    event::PacketEvent,
    ledger::LedgerCounters,
    segment::Flags,
};

use crate::model::{Clock, Direction, InterfaceNames, Ledger, Packet, Sample, endpoint};

/// Name of the interface on which a connection is counted: where the source's packets pass, or, before one was
/// seen, the destination's.
pub fn interface(record: &ConnectionRecord, names: &InterfaceNames) -> Arc<str> {
    let (sent, received) = record.oriented();
    let half = if sent.has(Half::SEEN) { sent } else { received };
    names.get(Place(half.place).interface())
}

/// What is known of a connection. A record on its way out of the map is the last that is heard of it.
pub fn sample(key: ConnectionKey, record: ConnectionRecord, names: &InterfaceNames) -> Sample {
    Sample {
        key,
        record,
        interface: interface(&record, names),
        is_last: record.has(ConnectionRecord::GIVEN_UP),
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
        sum.connections_given_up += cpu.connections_given_up;
        sum.connections_withheld += cpu.connections_withheld;
        sum.connection_events_lost += cpu.connection_events_lost;
        sum.packet_events_lost += cpu.packet_events_lost;
        sum.packet_events += cpu.packet_events;
        sum.connection_events += cpu.connection_events;
    }
    sum
}
