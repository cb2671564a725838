//! Sums over the open connections of the published table: states, rates, the distribution of RTTs and the busiest
//! groups. A pure function of the connections, made when somebody asks.

use std::{borrow::Cow, collections::HashMap, net::SocketAddr};

use tcpviewer_common::state::TcpState;

use crate::model::{Connection, ControlGroup, LocalEnd, Process};

/// The upper bound of the first range of RTTs, microseconds; each further range ends at twice the bound before.
const FIRST_BUCKET_US: u64 = 64;

/// The group of connections whose process, or what it belongs to, is not known.
const UNKNOWN: &str = "(unknown)";
/// The group of connections whose process belongs to none.
const NONE: &str = "(none)";

/// What connections are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    /// The address of the far end.
    Peer,
    /// The port of the destination.
    Port,
    /// The interface on which the connection is counted.
    Interface,
    /// The state of this host's end.
    State,
    /// The name of the process at this host's end.
    Process,
    /// The container of that process.
    Container,
    /// The systemd unit of that process.
    Unit,
}

/// Sums over open connections.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// How many there are.
    pub connections: u64,
    /// How many there are in each state that occurs.
    pub states: Vec<(TcpState, u64)>,
    /// TCP payload per second, both ways.
    pub payload_bytes_per_second: u64,
    /// Packets on the wire per second, both ways.
    pub packets_per_second: u64,
    /// Their smoothed RTTs; `None` where none has one.
    pub rtt: Option<RttDistribution>,
    /// For each kind asked for, the busiest groups and how many more there are.
    pub groups: Vec<(GroupBy, Vec<Group>, u64)>,
}

/// How smoothed RTTs are distributed, microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RttDistribution {
    /// How many there are.
    pub connections: u64,
    /// Median.
    pub p50_us: u32,
    /// Ninetieth percentile.
    pub p90_us: u32,
    /// Ninety-ninth percentile.
    pub p99_us: u32,
    /// The largest.
    pub max_us: u32,
    /// Upper bounds, not included, and how many lie below each and above the one before.
    pub buckets: Vec<(u64, u64)>,
}

/// Connections with something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// What it is.
    pub name: String,
    /// How many there are.
    pub connections: u64,
    /// TCP payload from source to destination per second.
    pub sent_payload_bytes_per_second: u64,
    /// TCP payload from destination to source per second.
    pub received_payload_bytes_per_second: u64,
    /// Packets on the wire per second, both ways.
    pub packets_per_second: u64,
    /// TCP payload since they were first seen, both ways.
    pub payload_bytes: u64,
    /// Packets sent again since then, both ways.
    pub retransmissions: u64,
    /// Median of their smoothed RTTs, microseconds.
    pub rtt_us: Option<u32>,
}

/// Sums over connections that are told one after the other.
#[derive(Debug)]
pub struct Gathering {
    stats: Stats,
    states: [u64; TcpState::COUNT],
    rtts: Vec<u32>,
    kinds: Vec<(GroupBy, Groups)>,
}

impl Gathering {
    /// Nothing was told yet; groups of these kinds are made.
    pub fn new(by: &[GroupBy]) -> Self {
        Self {
            stats: Stats::default(),
            states: [0; _],
            rtts: Vec::new(),
            kinds: by.iter().map(|&by| (by, Groups::default())).collect(),
        }
    }

    /// Takes a connection in, unless it has ended.
    pub fn add(&mut self, connection: &Connection) {
        if connection.closed.is_some() {
            return;
        }
        self.stats.add(connection);
        if let Some(count) = self.states.get_mut(connection.state() as usize) {
            *count += 1;
        }
        let rtt_us = connection.rtt().map(|rtt| rtt.srtt_us);
        self.rtts.extend(rtt_us);
        for (by, groups) in &mut self.kinds {
            groups.member(name(connection, *by), connection, rtt_us);
        }
    }

    /// The sums, with the `top` busiest groups of each kind.
    pub fn stats(self, top: usize) -> Stats {
        let groups = self.kinds.into_iter().map(|(by, groups)| {
            let (busiest, more) = groups.busiest(top);
            (by, busiest, more)
        });
        let states = (0..).zip(self.states).filter(|&(_, count)| count > 0);
        Stats {
            states: states
                .map(|(number, count)| (TcpState::from_u8(number), count))
                .collect(),
            rtt: RttDistribution::of(self.rtts),
            groups: groups.collect(),
            ..self.stats
        }
    }
}

impl Stats {
    fn add(&mut self, connection: &Connection) {
        let Connection { sent, received, .. } = connection;
        let sum = |sum: u64, one: u64, two: u64| sum.saturating_add(one).saturating_add(two);
        self.connections += 1;
        self.payload_bytes_per_second = sum(
            self.payload_bytes_per_second,
            sent.payload_bytes_per_second,
            received.payload_bytes_per_second,
        );
        self.packets_per_second = sum(
            self.packets_per_second,
            sent.packets_per_second,
            received.packets_per_second,
        );
    }
}

impl RttDistribution {
    fn of(mut rtts: Vec<u32>) -> Option<Self> {
        rtts.sort_unstable();
        let max_us = *rtts.last()?;
        let at = |percent| percentile(&rtts, percent).unwrap_or(max_us);
        let mut buckets = Vec::new();
        let (mut below_us, mut counted) = (FIRST_BUCKET_US, 0);
        while counted < rtts.len() {
            let reached = rtts.partition_point(|&rtt| u64::from(rtt) < below_us);
            buckets.push((below_us, (reached - counted) as u64));
            counted = reached;
            below_us *= 2;
        }
        Some(Self {
            connections: rtts.len() as u64,
            p50_us: at(50),
            p90_us: at(90),
            p99_us: at(99),
            max_us,
            buckets,
        })
    }
}

/// The smallest value that at least `percent` in a hundred do not exceed.
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

/// The groups of one kind, by their names, with the smoothed RTTs of their members.
#[derive(Debug, Default)]
struct Groups(HashMap<String, (Group, Vec<u32>)>);

impl Groups {
    fn member(&mut self, name: Cow<'_, str>, connection: &Connection, rtt_us: Option<u32>) {
        let (group, rtts) = match self.0.get_mut(&*name) {
            Some(known) => known,
            None => self.0.entry(name.into_owned()).or_default(),
        };
        group.add(connection);
        rtts.extend(rtt_us);
    }

    /// The busiest groups, and how many more there are.
    fn busiest(self, top: usize) -> (Vec<Group>, u64) {
        let named = |(name, (group, mut rtts)): (String, (Group, Vec<u32>))| {
            rtts.sort_unstable();
            Group {
                name,
                rtt_us: percentile(&rtts, 50),
                ..group
            }
        };
        let mut groups: Vec<_> = self.0.into_iter().map(named).collect();
        groups.sort_unstable_by(|one, other| one.busiest_first().cmp(&other.busiest_first()));
        let more = groups.len().saturating_sub(top) as u64;
        groups.truncate(top);
        (groups, more)
    }
}

fn name(connection: &Connection, by: GroupBy) -> Cow<'_, str> {
    match by {
        GroupBy::Peer => peer(connection).ip().to_string().into(),
        GroupBy::Port => connection.destination.port().to_string().into(),
        GroupBy::Interface => (*connection.interface).into(),
        GroupBy::State => connection.state().name().into(),
        GroupBy::Process => process(connection)
            .map_or(UNKNOWN, |process| &process.command)
            .into(),
        GroupBy::Container => of_group(connection, |group| group.container.as_deref()),
        GroupBy::Unit => of_group(connection, |group| group.unit.as_deref()),
    }
}

/// The process at this host's end: of the source where both are, and of whichever is known.
fn process(connection: &Connection) -> Option<&Process> {
    let (source, destination) = (&connection.source_owner, &connection.destination_owner);
    let (first, second) = match connection.local_end {
        Some(LocalEnd::Destination) => (destination, source),
        Some(LocalEnd::Source | LocalEnd::Both | LocalEnd::Neither) | None => (source, destination),
    };
    Some(&*first.as_ref().or(second.as_ref())?.process)
}

fn of_group(connection: &Connection, part: fn(&ControlGroup) -> Option<&str>) -> Cow<'_, str> {
    let group = process(connection).and_then(|process| process.group.as_deref());
    group.map_or(UNKNOWN, |group| part(group).unwrap_or(NONE)).into()
}

/// The far end; the destination where that is not known.
fn peer(connection: &Connection) -> SocketAddr {
    match connection.local_end {
        Some(LocalEnd::Destination) => connection.source,
        Some(LocalEnd::Source | LocalEnd::Both | LocalEnd::Neither) | None => connection.destination,
    }
}

impl Group {
    fn add(&mut self, connection: &Connection) {
        let Connection { sent, received, .. } = connection;
        self.connections += 1;
        self.sent_payload_bytes_per_second += sent.payload_bytes_per_second;
        self.received_payload_bytes_per_second += received.payload_bytes_per_second;
        self.packets_per_second += sent.packets_per_second + received.packets_per_second;
        self.payload_bytes += sent.payload_bytes + received.payload_bytes;
        self.retransmissions += u64::from(sent.retransmissions) + u64::from(received.retransmissions);
    }

    /// Sorts by payload rate, then by number, then by name so that equal ones keep their places.
    fn busiest_first(&self) -> impl Ord + use<'_> {
        let rate = self.sent_payload_bytes_per_second + self.received_payload_bytes_per_second;
        (
            std::cmp::Reverse((rate, self.connections)),
            self.name.len(),
            self.name.as_str(),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::SystemTime};

    use super::*;
    use crate::model::{CloseReason, Closed, Half, Owner, OwnerSource, Rtt, RttSource, sample};

    fn connection(peer: u8, port: u16, rate: u64, srtt_us: Option<u32>) -> Connection {
        let rtt = srtt_us.map(|srtt_us| Rtt {
            source: RttSource::Wire,
            srtt_us,
            rttvar_us: None,
            min_us: srtt_us,
            max_us: None,
            last_us: None,
            samples: None,
        });
        Connection {
            source: SocketAddr::from(([10, 0, 0, 1], 40_000)),
            destination: SocketAddr::from(([10, 0, 0, peer], port)),
            local_end: Some(LocalEnd::Source),
            interface: "eth0".into(),
            sent: Half {
                payload_bytes_per_second: rate,
                payload_bytes: 100,
                retransmissions: 2,
                rtt,
                ..Half::default()
            },
            received: Half {
                packets_per_second: 3,
                ..Half::default()
            },
            ..sample::connection()
        }
    }

    fn stats(connections: Vec<Connection>, by: &[GroupBy], top: usize) -> Stats {
        let mut gathering = Gathering::new(by);
        connections
            .iter()
            .for_each(|connection| gathering.add(connection));
        gathering.stats(top)
    }

    #[test]
    fn ended_connections_are_left_out_of_all_sums() {
        let ended = Connection {
            closed: Some(Closed {
                at: SystemTime::UNIX_EPOCH,
                reason: CloseReason::Fin,
            }),
            ..connection(2, 443, 7, Some(9))
        };
        assert_eq!(stats(vec![ended], &[], 10), Stats::default());
    }

    #[test]
    fn groups_come_busiest_first_and_the_rest_is_told() {
        let connections = vec![
            connection(2, 443, 10, None),
            connection(3, 443, 500, Some(30)),
            connection(4, 80, 10, Some(10)),
            connection(4, 80, 0, Some(20)),
        ];
        let stats = stats(connections, &[GroupBy::Peer, GroupBy::Port, GroupBy::State], 2);
        let names = |index: usize| {
            let (_, groups, more) = &stats.groups[index];
            let names: Vec<_> = groups.iter().map(|group| group.name.as_str()).collect();
            (names, *more)
        };
        assert_eq!(names(0), (vec!["10.0.0.3", "10.0.0.4"], 1));
        assert_eq!(names(1), (vec!["443", "80"], 0));
        assert_eq!(names(2), (vec!["ESTABLISHED"], 0));
        let of_peer_4 = &stats.groups[0].1[1];
        assert_eq!(
            *of_peer_4,
            Group {
                name: "10.0.0.4".into(),
                connections: 2,
                sent_payload_bytes_per_second: 10,
                received_payload_bytes_per_second: 0,
                packets_per_second: 6,
                payload_bytes: 200,
                retransmissions: 4,
                rtt_us: Some(10),
            }
        );
        assert_eq!(stats.states, [(TcpState::Established, 4)]);
        assert_eq!(
            (stats.payload_bytes_per_second, stats.packets_per_second),
            (520, 12)
        );
    }

    #[test]
    fn the_peer_of_an_accepted_connection_is_its_source() {
        let accepted = Connection {
            local_end: Some(LocalEnd::Destination),
            ..connection(9, 443, 1, None)
        };
        let stats = stats(vec![accepted], &[GroupBy::Peer], 1);
        assert_eq!(stats.groups[0].1[0].name, "10.0.0.1");
    }

    #[test]
    fn connections_are_grouped_by_the_process_at_this_host_s_end() {
        let owner = |command: &str, group: Option<ControlGroup>| {
            let process = Process {
                pid: 7,
                started_at: None,
                command: command.into(),
                command_line: None,
                user_id: 0,
                user: None,
                group: group.map(Arc::new),
                network_namespace: None,
            };
            Some(Owner {
                process: process.into(),
                source: OwnerSource::Connect,
            })
        };
        let in_container = ControlGroup {
            container: Some("abc".into()),
            ..ControlGroup::default()
        };
        let accepted = Connection {
            local_end: Some(LocalEnd::Destination),
            source_owner: owner("curl", None),
            destination_owner: owner("nginx", Some(in_container)),
            ..connection(9, 443, 3, None)
        };
        let opened = Connection {
            source_owner: owner("curl", Some(ControlGroup::default())),
            ..connection(9, 443, 2, None)
        };
        let by = [GroupBy::Process, GroupBy::Container, GroupBy::Unit];
        let stats = stats(vec![accepted, opened, connection(9, 443, 1, None)], &by, 10);
        let names = |index: usize| -> Vec<&str> {
            let (_, groups, _more) = &stats.groups[index];
            groups.iter().map(|group| group.name.as_str()).collect()
        };
        assert_eq!(names(0), ["nginx", "curl", "(unknown)"]);
        assert_eq!(names(1), ["abc", "(none)", "(unknown)"]);
        assert_eq!(names(2), ["(none)", "(unknown)"]);
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank_and_ranges_hold_every_rtt() {
        let connections = (1..=100)
            .map(|rtt| connection(2, 443, 0, Some(rtt * 10)))
            .collect();
        let rtt = stats(connections, &[], 0).rtt.unwrap();
        assert_eq!((rtt.connections, rtt.max_us), (100, 1_000));
        assert_eq!((rtt.p50_us, rtt.p90_us, rtt.p99_us), (500, 900, 990));
        assert_eq!(
            rtt.buckets,
            [(64, 6), (128, 6), (256, 13), (512, 26), (1_024, 49)]
        );
        assert_eq!(RttDistribution::of(vec![u32::MAX]).unwrap().buckets.len(), 27);
        assert_eq!(RttDistribution::of(vec![]), None);
    }
}
