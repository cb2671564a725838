//! Which packets leave the kernel: the part of the watchers' filters that a packet's headers tell and a bounded
//! program can check. It lets pass at least what every watcher wants; each of them checks the rest by itself.

use crate::segment::{Address, Segment};

/// Clauses of a filter; a packet passes when it meets one of them.
pub const CLAUSES: usize = 4;

/// A filter of packets: any of its clauses.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketFilter {
    /// How many clauses count; none lets nothing pass.
    pub count: u32,
    /// Room to the next multiple of eight.
    pub padding: u32,
    /// The clauses.
    pub clauses: [Clause; CLAUSES],
}

/// Conditions that must all be met. Each may be one that everything meets.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Of this connection; 0 for any.
    pub connection_id: u64,
    /// Networks of the sender, the receiver, and one of the two.
    pub networks: Ends<Network>,
    /// Ports of the sender, the receiver, and one of the two.
    pub ports: Ends<Ports>,
    /// Control bits that are looked at.
    pub flags_mask: u8,
    /// What they must be.
    pub flags: u8,
    /// Room to the next multiple of eight.
    pub padding: [u8; 2],
}

/// The same condition for the sender, for the receiver, and for at least one of them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends<T> {
    /// The sender meets it.
    pub source: T,
    /// The receiver meets it.
    pub destination: T,
    /// One of them meets it.
    pub either: T,
}

/// Addresses that begin alike.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Their common beginning; zero behind it.
    pub address: Address,
    /// The bits of it.
    pub mask: Address,
}

/// Ports from one to another, both included.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl PacketFilter {
    /// Lets nothing pass.
    pub const NONE: Self = Self {
        count: 0,
        padding: 0,
        clauses: [Clause::ANY; CLAUSES],
    };
    /// Lets everything pass.
    pub const ALL: Self = Self {
        count: 1,
        ..Self::NONE
    };

    /// Whether a segment of the connection with this id passes.
    #[inline(always)]
    pub fn admits(&self, segment: &Segment, connection_id: u64) -> bool {
        let mut admitted = false;
        for (index, clause) in (0..).zip(&self.clauses) {
            if index < self.count && clause.admits(segment, connection_id) {
                admitted = true;
            }
        }
        admitted
    }
}

impl Clause {
    /// Met by every packet.
    pub const ANY: Self = Self {
        connection_id: 0,
        networks: Ends {
            source: Network::ANY,
            destination: Network::ANY,
            either: Network::ANY,
        },
        ports: Ends {
            source: Ports::ANY,
            destination: Ports::ANY,
            either: Ports::ANY,
        },
        flags_mask: 0,
        flags: 0,
        padding: [0; 2],
    };

    #[inline(always)]
    fn admits(&self, segment: &Segment, connection_id: u64) -> bool {
        let (networks, ports) = (&self.networks, &self.ports);
        let source_port = u16::from_be_bytes(segment.source_port);
        let destination_port = u16::from_be_bytes(segment.destination_port);
        (self.connection_id == 0 || self.connection_id == connection_id)
            && segment.flags.0 & self.flags_mask == self.flags
            && ports.source.has(source_port)
            && ports.destination.has(destination_port)
            && (ports.either.has(source_port) || ports.either.has(destination_port))
            && networks.source.has(&segment.source)
            && networks.destination.has(&segment.destination)
            && (networks.either.has(&segment.source) || networks.either.has(&segment.destination))
    }
}

impl Network {
    /// Every address.
    pub const ANY: Self = Self {
        address: [0; 16],
        mask: [0; 16],
    };

    #[inline(always)]
    fn has(&self, address: &Address) -> bool {
        u128::from_ne_bytes(*address) & u128::from_ne_bytes(self.mask) == u128::from_ne_bytes(self.address)
    }
}

impl Ports {
    /// Every port.
    pub const ANY: Self = Self {
        first: 0,
        last: u16::MAX,
    };

    #[inline(always)]
    const fn has(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{segment::Flags, tracker::tests::segment};

    #[test]
    fn nothing_passes_without_a_clause_and_everything_the_widest() {
        assert!(!PacketFilter::NONE.admits(&segment(40_000, 443), 7));
        assert!(PacketFilter::ALL.admits(&segment(40_000, 443), 7));
    }

    #[test]
    fn one_clause_is_enough_and_each_of_its_conditions_counts() {
        let only = |clause| PacketFilter {
            clauses: [clause, Clause::ANY, Clause::ANY, Clause::ANY],
            ..PacketFilter::ALL
        };
        let port = |port| Ports {
            first: port,
            last: port,
        };
        let sender = Network {
            address: segment(1, 2).source,
            mask: [0xff; 16],
        };
        let of_ports = |change: fn(&mut Ends<Ports>, Ports), ports| {
            let mut clause = Clause::ANY;
            change(&mut clause.ports, ports);
            clause
        };
        let of_networks = |change: fn(&mut Ends<Network>, Network)| {
            let mut clause = Clause::ANY;
            change(&mut clause.networks, sender);
            clause
        };
        for (clause, expected) in [
            (of_ports(|ends, ports| ends.source = ports, port(40_000)), true),
            (of_ports(|ends, ports| ends.source = ports, port(443)), false),
            (of_ports(|ends, ports| ends.destination = ports, port(443)), true),
            (of_ports(|ends, ports| ends.either = ports, port(443)), true),
            (of_ports(|ends, ports| ends.either = ports, port(40_000)), true),
            (of_ports(|ends, ports| ends.either = ports, port(80)), false),
            (of_networks(|ends, network| ends.source = network), true),
            (of_networks(|ends, network| ends.destination = network), false),
            (of_networks(|ends, network| ends.either = network), true),
            (
                Clause {
                    connection_id: 8,
                    ..Clause::ANY
                },
                false,
            ),
            (
                Clause {
                    flags_mask: Flags::ACK.0 | Flags::SYN.0,
                    flags: Flags::ACK.0,
                    ..Clause::ANY
                },
                true,
            ),
            (
                Clause {
                    flags_mask: Flags::ACK.0 | Flags::SYN.0,
                    flags: Flags::SYN.0,
                    ..Clause::ANY
                },
                false,
            ),
        ] {
            let filter = only(clause);
            assert_eq!(filter.admits(&segment(40_000, 443), 7), expected, "{clause:?}");
            let second = PacketFilter { count: 2, ..filter };
            assert!(second.admits(&segment(40_000, 443), 7));
        }
    }
}
