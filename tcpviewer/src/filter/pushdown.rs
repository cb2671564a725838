//! The part of a packet filter that the kernel checks before a packet leaves it. It lets pass at least what the
//! filter does: a condition that the kernel cannot check is left out of an `and`, and opens an `or`.

use std::net::IpAddr;

use ipnet::IpNet;
use tcpviewer_common::packet_filter::{CLAUSES, Clause, Ends, Network, PacketFilter, Ports};

use super::{
    Filter,
    check::{Item, Node, Test},
    field::{Field, Read, Subject},
    syntax::Comparison,
    value::Value,
};
use crate::model::{Connection, Packet};

/// Control bits by the names of their fields.
pub(super) const FLAGS: [(&str, u8); 8] = [
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ece", 0x40),
    ("cwr", 0x80),
];

/// What a filter can be asked of that shows in the headers of packets.
pub trait InHeaders: Subject {
    /// The field with the number of the connection.
    const CONNECTION: &'static str;
    /// Whether `source.` and `destination.` are the sender and the receiver of each packet; else they may be either.
    const ENDS_OF_PACKETS: bool;
}

impl InHeaders for Packet {
    const CONNECTION: &'static str = "connection";
    const ENDS_OF_PACKETS: bool = true;
}

/// The packets of the connections that pass.
impl InHeaders for Connection {
    const CONNECTION: &'static str = "id";
    const ENDS_OF_PACKETS: bool = false;
}

/// What the kernel checks of a filter.
pub fn pushdown<T: InHeaders>(filter: &Filter<T>) -> PacketFilter {
    of_clauses(&clauses(&filter.root))
}

/// What the kernel checks for all of several watchers.
pub fn union(filters: &[PacketFilter]) -> PacketFilter {
    let mut all = Vec::new();
    for filter in filters {
        for clause in filter.clauses.iter().take(filter.count as usize) {
            if !all.contains(clause) {
                all.push(*clause);
            }
        }
    }
    of_clauses(&all)
}

/// Packets of one connection.
pub fn of_connection(id: u64) -> PacketFilter {
    of_clauses(&[Clause {
        connection_id: id,
        ..Clause::ANY
    }])
}

/// Packets that both let pass, and maybe more.
pub fn intersection(one: &PacketFilter, other: &PacketFilter) -> PacketFilter {
    let clauses = |filter: &PacketFilter| {
        let all = filter.clauses.iter().take(filter.count as usize);
        all.copied().collect::<Vec<_>>()
    };
    of_clauses(&both(clauses(one), &clauses(other)))
}

/// Any of these clauses; everything where they are too many.
fn of_clauses(clauses: &[Clause]) -> PacketFilter {
    if clauses.len() > CLAUSES || clauses.contains(&Clause::ANY) {
        return PacketFilter::ALL;
    }
    let mut filter = PacketFilter::NONE;
    filter.count = clauses.len() as u32;
    for (to, from) in filter.clauses.iter_mut().zip(clauses) {
        *to = *from;
    }
    filter
}

/// Clauses of which each packet that passes meets one.
fn clauses<T: InHeaders>(node: &Node<T>) -> Vec<Clause> {
    match node {
        Node::And(parts) => parts
            .iter()
            .fold(vec![Clause::ANY], |so_far, part| both(so_far, &clauses(part))),
        Node::Or(parts) => parts.iter().flat_map(clauses).collect(),
        Node::Not(part) => match &**part {
            Node::Flag(field) => vec![flag(field, false)],
            Node::And(_) | Node::Or(_) | Node::Not(_) | Node::Has(_) | Node::Test(..) => vec![Clause::ANY],
        },
        Node::Flag(field) => vec![flag(field, true)],
        Node::Has(_) => vec![Clause::ANY],
        Node::Test(field, test) => tested(field, test),
    }
}

/// Clauses for packets that meet one of each. Where that would be too many, the second ones are left out.
fn both(one: Vec<Clause>, other: &[Clause]) -> Vec<Clause> {
    if one.len() * other.len() > CLAUSES {
        return if other.len() < one.len() {
            other.to_vec()
        } else {
            one
        };
    }
    one.iter()
        .flat_map(|one| other.iter().map(|other| joined(one, other)))
        .collect()
}

/// Both in one. Where a clause has room for one of two conditions, the second is left out.
fn joined(one: &Clause, other: &Clause) -> Clause {
    fn first<T: Copy + PartialEq>(one: T, other: T, any: T) -> T {
        if one == any { other } else { one }
    }
    let network = |one, other| first(one, other, Network::ANY);
    let ports = |one, other| first(one, other, Ports::ANY);
    // Bits that both look at are those of the first.
    let added = other.flags_mask & !one.flags_mask;
    Clause {
        connection_id: first(one.connection_id, other.connection_id, 0),
        networks: Ends {
            source: network(one.networks.source, other.networks.source),
            destination: network(one.networks.destination, other.networks.destination),
            either: network(one.networks.either, other.networks.either),
        },
        ports: Ends {
            source: ports(one.ports.source, other.ports.source),
            destination: ports(one.ports.destination, other.ports.destination),
            either: ports(one.ports.either, other.ports.either),
        },
        flags_mask: one.flags_mask | added,
        flags: one.flags | other.flags & added,
        padding: [0; 2],
    }
}

fn flag<T>(field: &Field<T>, set: bool) -> Clause {
    let bit = FLAGS.iter().find(|(name, _bit)| *name == field.name);
    bit.map_or(Clause::ANY, |&(_name, bit)| Clause {
        flags_mask: bit,
        flags: if set { bit } else { 0 },
        ..Clause::ANY
    })
}

/// A clause for each value that passes; what is not a set of values in the headers is left to the daemon.
fn tested<T: InHeaders>(field: &Field<T>, test: &Test) -> Vec<Clause> {
    let clauses = match test {
        Test::Compare(comparison, value) => compared(field, *comparison, value).map(|clause| vec![clause]),
        Test::In(items) => items.iter().map(|item| contained(field, item)).collect(),
        Test::Contains(_) | Test::Matches(_) => None,
    };
    clauses.unwrap_or_else(|| vec![Clause::ANY])
}

fn compared<T: InHeaders>(
    field: &Field<T>,
    comparison: Comparison,
    value: &Value<Box<str>>,
) -> Option<Clause> {
    match (&field.read, value) {
        (Read::Addresses(_), &Value::Address(address)) if comparison == Comparison::Equal => {
            Some(at_ends(field, network(IpNet::from(address))))
        }
        (Read::Ports(_), &Value::Number(number)) => Some(at_ends(field, ports(comparison, number)?)),
        (Read::Number(..), &Value::Number(id))
            if field.name == T::CONNECTION && comparison == Comparison::Equal =>
        {
            Some(Clause {
                connection_id: id,
                ..Clause::ANY
            })
        }
        _ => None,
    }
}

fn contained<T: InHeaders>(field: &Field<T>, item: &Item) -> Option<Clause> {
    match item {
        Item::One(value) => compared(field, Comparison::Equal, value),
        Item::Range(Value::Number(first), Value::Number(last)) if matches!(field.read, Read::Ports(_)) => {
            let (first, last) = (port(*first), port(*last));
            Some(at_ends(field, Ports { first, last }))
        }
        Item::Network(net) if matches!(field.read, Read::Addresses(_)) => Some(at_ends(field, network(*net))),
        Item::Range(..) | Item::Network(_) => None,
    }
}

/// A condition that stands for one of the ends, or for either.
trait Condition: Sized {
    fn of(clause: &mut Clause) -> &mut Ends<Self>;
}

impl Condition for Network {
    fn of(clause: &mut Clause) -> &mut Ends<Self> {
        &mut clause.networks
    }
}

impl Condition for Ports {
    fn of(clause: &mut Clause) -> &mut Ends<Self> {
        &mut clause.ports
    }
}

fn at_ends<T: InHeaders, C: Condition>(field: &Field<T>, condition: C) -> Clause {
    let mut clause = Clause::ANY;
    let ends = C::of(&mut clause);
    match field.name.split_once('.') {
        Some(("source", _)) if T::ENDS_OF_PACKETS => ends.source = condition,
        Some(("destination", _)) if T::ENDS_OF_PACKETS => ends.destination = condition,
        Some(_) | None => ends.either = condition,
    }
    clause
}

fn network(net: IpNet) -> Network {
    let mapped = |address| match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    let bits = match net {
        IpNet::V4(net) => 96 + u32::from(net.prefix_len()),
        IpNet::V6(net) => u32::from(net.prefix_len()),
    };
    Network {
        address: mapped(net.network()).octets(),
        mask: u128::MAX
            .checked_shl(128 - bits)
            .unwrap_or_default()
            .to_be_bytes(),
    }
}

fn ports(comparison: Comparison, number: u64) -> Option<Ports> {
    let port = port(number);
    let (first, last) = match comparison {
        Comparison::Equal => (port, port),
        Comparison::Less | Comparison::LessOrEqual => (0, port),
        Comparison::Greater | Comparison::GreaterOrEqual => (port, u16::MAX),
        Comparison::NotEqual => return None,
    };
    Some(Ports { first, last })
}

fn port(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}
