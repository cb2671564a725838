//! A source that makes connections up, to see what the stages behind it can bear: so many connections, of which so many
//! change per round, and so many end and are followed by new ones. In: the shape of the load. Out: samples, whose newest
//! packet has the time at which the round was due, so that a reader can tell how old what it gets is. The same
//! shape gives the same connections and counters.

use std::{sync::Arc, time::Duration};

use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, Half, Place, RttTicks, SocketSample},
    segment::Address,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{CaptureStatus, Outlets, Request};
use crate::model::{Ledger, Sample, SampleBatch, Tracked, boot_ns};

/// Connections in one batch.
const BATCH: u32 = 512;
/// Ports of the destinations, busiest first.
const PORTS: [u16; 8] = [443, 80, 5432, 6379, 9092, 3306, 8080, 22];
/// Interfaces, by index.
const INTERFACES: [&str; 4] = ["eth0", "eth1", "docker0", "wg0"];

/// How many connections there are and what becomes of them.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Connections at a time.
    pub connections: u32,
    /// Connections that change per round, one after the other until all had their turn.
    pub changing: u32,
    /// Of those, how many end, with new ones in their place.
    pub replaced: u32,
    /// Time between two rounds.
    pub every: Duration,
    /// Rounds after which nothing changes any more.
    pub rounds: u32,
}

/// Connections that are made up.
#[derive(Debug)]
pub struct Load {
    shape: Shape,
    interfaces: [Arc<str>; 4],
    live: Vec<MadeUp>,
    next_id: u64,
    /// Whose turn it is.
    turn: usize,
    samples_made: u64,
}

/// How far a round has got.
#[derive(Debug)]
pub struct Round {
    /// Whether it brings all connections.
    is_first: bool,
    done: u32,
    steps: u32,
}

/// What a connection's record is computed from.
#[derive(Clone, Copy, Debug)]
struct MadeUp {
    id: u64,
    born_ns: u64,
    /// How often it changed.
    changes: u32,
}

/// Makes connections up until the requests end. The first round brings all connections.
pub async fn run(mut load: Load, mut requests: mpsc::Receiver<Request>, outlets: Outlets) {
    let mut due = Instant::now();
    for _round in 0..load.shape.rounds {
        let due_ns = boot_ns().saturating_sub(due.elapsed().as_nanos() as u64);
        let mut round = load.round();
        while let Some(samples) = load.batch(&mut round, due_ns) {
            // However late the round is, who asks is answered between two batches.
            while let Ok(request) = requests.try_recv() {
                load.answer(request);
            }
            let at = Instant::now();
            if outlets.samples.send(SampleBatch { at, samples }).await.is_err() {
                return;
            }
        }
        // A round that is late does not make those after it late.
        due = (due + load.shape.every).max(Instant::now());
        while due > Instant::now() {
            tokio::select! {
                () = sleep_until(due) => {}
                request = requests.recv() => match request {
                    Some(request) => load.answer(request),
                    None => return,
                },
            }
        }
    }
    while let Some(request) = requests.recv().await {
        load.answer(request);
    }
}

impl Load {
    /// A load of this shape; nothing is made up yet.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            interfaces: INTERFACES.map(Arc::from),
            live: Vec::new(),
            next_id: 0,
            turn: 0,
            samples_made: 0,
        }
    }

    /// The next round.
    pub fn round(&self) -> Round {
        let is_first = self.live.is_empty();
        Round {
            is_first,
            done: 0,
            steps: if is_first {
                self.shape.connections
            } else {
                self.shape.changing
            },
        }
    }

    /// The next samples of a round that was due at this boot time; `None` after the last.
    pub fn batch(&mut self, round: &mut Round, due_ns: u64) -> Option<Vec<Sample>> {
        let steps = round.done..round.steps.min(round.done + BATCH);
        round.done = steps.end;
        let mut samples = Vec::with_capacity(steps.len());
        for nth in steps {
            if round.is_first {
                let new = self.begin(due_ns);
                self.live.push(new);
                samples.push(self.sample(new, due_ns, false));
            } else {
                samples.extend(self.change(nth < self.shape.replaced, due_ns));
            }
        }
        self.samples_made += samples.len() as u64;
        (!samples.is_empty()).then_some(samples)
    }

    fn begin(&mut self, due_ns: u64) -> MadeUp {
        self.next_id += 1;
        MadeUp {
            id: self.next_id,
            born_ns: due_ns,
            changes: 0,
        }
    }

    /// Changes the connection whose turn it is, or lets it end and another begin.
    fn change(&mut self, is_replaced: bool, due_ns: u64) -> Vec<Sample> {
        let turn = self.turn;
        self.turn = (turn + 1) % self.live.len().max(1);
        let Some(connection) = self.live.get_mut(turn) else {
            return Vec::new();
        };
        connection.changes += 1;
        let connection = *connection;
        let mut samples = vec![self.sample(connection, due_ns, is_replaced)];
        if is_replaced {
            let new = self.begin(due_ns);
            samples.push(self.sample(new, due_ns, false));
            if let Some(place) = self.live.get_mut(turn) {
                *place = new;
            }
        }
        samples
    }

    fn sample(&self, made_up: MadeUp, due_ns: u64, is_last: bool) -> Sample {
        let [interface, ..] = &self.interfaces;
        let interface = self
            .interfaces
            .get(scattered(made_up.id) as usize % 4)
            .unwrap_or(interface);
        let sample = Tracked {
            key: key(made_up.id),
            record: record(made_up, due_ns, is_last),
            interface: Arc::clone(interface),
            is_last,
        };
        sample.into()
    }

    fn answer(&self, request: Request) {
        match request {
            // There are no packets to watch.
            Request::WatchPackets(_) => {}
            Request::Status(reply) => {
                let ledger = Ledger {
                    connection_events: self.samples_made,
                    ..Ledger::default()
                };
                let status = CaptureStatus {
                    ledger,
                    tracked: self.live.len() as u64,
                    kernel_map_bytes: None,
                    capture_time: None,
                };
                // Who asked may have gone; then nobody misses the answer.
                reply.send(status).ok();
            }
        }
    }
}

/// A number that looks like chance and is the same for the same id (the finaliser of MurmurHash3).
const fn scattered(id: u64) -> u64 {
    let id = (id ^ (id >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let id = (id ^ (id >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    id ^ (id >> 33)
}

/// From a client in 10.0.0.0/8 to one of 256 servers in 192.168.0.0/24. No two ids have the same endpoints.
fn key(id: u64) -> ConnectionKey {
    let [.., one, two, three] = (id >> 15).to_be_bytes();
    let source_port = (id & 0x7fff | 0x8000) as u16;
    let server = scattered(id);
    // The lower half of the ports, the more the lower.
    let port = PORTS[(server >> 8).trailing_ones() as usize % PORTS.len()];
    ConnectionKey {
        low: mapped([10, one, two, three]),
        high: mapped([192, 168, 0, server as u8]),
        low_port: source_port.to_be_bytes(),
        high_port: port.to_be_bytes(),
        alignment: [],
    }
}

fn mapped(address: [u8; 4]) -> Address {
    std::net::Ipv4Addr::from(address).to_ipv6_mapped().octets()
}

/// The record of a connection that was opened from here, and has sent and received since what its number says.
fn record(made_up: MadeUp, due_ns: u64, is_last: bool) -> ConnectionRecord {
    let MadeUp { id, born_ns, changes } = made_up;
    let chance = scattered(id);
    let rtt_us = 200 + chance as u32 % 80_000;
    // Few connections move much, most of them little, and each more in one round than in another.
    let bytes = (1 << (chance >> 32 & 15)) * u64::from(changes) + scattered(id ^ u64::from(changes)) % 1_000;
    let retransmissions = if chance.is_multiple_of(10) { changes / 8 } else { 0 };
    let established = Half::SEEN | Half::SYN | Half::SYN_ACKED | Half::ACK | Half::SACK_PERMITTED;
    let ended = if is_last { Half::FIN | Half::FIN_ACKED } else { 0 };
    let in_flight = changes % 10;
    // What the source and the destination sent, and the sequence numbers after that.
    let (sent, received) = (bytes, 3 * bytes);
    let next = [
        (chance as u32).wrapping_add(sent as u32),
        ((chance >> 32) as u32).wrapping_add(received as u32),
    ];
    let half = |bytes: u64, next_seq: u32, last_ack: u32, is_egress: bool| {
        let packets = 2 + u64::from(changes) + bytes / 1_448;
        Half {
            last_seen_ns: due_ns,
            packets,
            wire_bytes: bytes + 66 * packets,
            payload_bytes: bytes,
            retransmitted_bytes: u64::from(retransmissions) * 1_448,
            retransmissions,
            next_seq,
            last_seq: next_seq,
            last_ack,
            place: Place::new(1, is_egress).0,
            flags: established | ended,
            srtt_8: RttTicks::from_ns(u64::from(rtt_us) * 8_000),
            rttvar_4: RttTicks::from_ns(u64::from(rtt_us) * 400),
            rtt_min: RttTicks::from_ns(u64::from(rtt_us) * 900),
            rtt_max: RttTicks::from_ns(u64::from(rtt_us) * 1_500),
            rtt_last: RttTicks::from_ns(u64::from(rtt_us) * 1_000),
            rtt_samples: changes + 1,
            window: 502,
            mss_bytes: 1_460,
            window_scale_plus_1: 8,
            ..Half::SILENT
        }
    };
    let socket = SocketSample {
        time_ns: due_ns,
        srtt_8_us: rtt_us * 8,
        rtt_min_us: rtt_us * 9 / 10,
        congestion_window: 10 + changes % 90,
        slow_start_threshold: SocketSample::NO_THRESHOLD,
        mss_bytes: 1_448,
        in_flight,
        retransmissions,
        ..SocketSample::NONE
    };
    let syn_ack_ns = born_ns + u64::from(rtt_us) * 1_000;
    ConnectionRecord {
        id,
        first_seen_ns: born_ns,
        emitted_ns: due_ns,
        syn_ns: born_ns,
        syn_ack_ns,
        answered_ns: syn_ack_ns + 20_000,
        established_ns: syn_ack_ns + 20_000,
        closed_ns: if is_last { due_ns } else { 0 },
        payload_ns: due_ns,
        flags: ConnectionRecord::BY_HANDSHAKE,
        halves: [
            Half {
                socket,
                ..half(sent, next[0], next[1], true)
            },
            half(received, next[1], next[0].wrapping_sub(in_flight * 1_448), false),
        ],
        ..ConnectionRecord::VACANT
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn all_begin_and_then_each_has_its_turn() {
        let mut load = Load::new(Shape {
            connections: 1_000,
            changing: 300,
            replaced: 3,
            every: Duration::from_millis(250),
            rounds: 5,
        });
        let mut ids = |due_ns| -> Vec<(u64, bool)> {
            let id = |sample: Sample| match sample {
                Sample::Tracked(tracked) => (tracked.record.id, tracked.is_last),
                Sample::Gone(..)
                | Sample::Socket(_)
                | Sample::Owner(_)
                | Sample::Failure(_)
                | Sample::Backlogs(_) => (0, false),
            };
            let mut round = load.round();
            let batches = std::iter::from_fn(|| load.batch(&mut round, due_ns));
            batches.flatten().map(id).collect()
        };

        let first = ids(1);
        assert_eq!(first, (1..=1_000).map(|id| (id, false)).collect::<Vec<_>>());
        let second = ids(2);
        assert_eq!(
            second[..7],
            [
                (1, true),
                (1_001, false),
                (2, true),
                (1_002, false),
                (3, true),
                (1_003, false),
                (4, false)
            ]
        );
        assert_eq!(second.len(), 303);
        ids(3);
        ids(4);
        let fifth = ids(5);
        assert!(fifth.contains(&(1_001, false)), "the turn comes round");
    }

    #[test]
    fn no_two_connections_have_the_same_endpoints() {
        let keys: HashSet<_> = (1..=300_000).map(key).collect();

        assert_eq!(keys.len(), 300_000);
        assert!(keys.iter().all(|key| key.low < key.high));
    }
}
