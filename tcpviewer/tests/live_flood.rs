//! A flood of half-open connections: the established ones keep their counters, those that open meanwhile get
//! theirs, memory stays where it was said to stay, every packet is accounted for, and afterwards nothing is left.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figures"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::{
    collections::HashMap,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use support::{
    daemon::{Daemon, assert_every_packet_has_a_fate},
    flood::{self, Flood},
    kernel::{Socket, sockets},
    namespaces::{Namespace, Pair},
    own_machine, require_root,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{Connection, Endpoint, GetStatusResponse};

const SYNS: usize = 1_000_000;
const DURATION: Duration = Duration::from_secs(20);
const MAX_CONNECTIONS: u64 = 65_536;
/// Connections that are open before the flood, and as many that open while it lasts.
const EACH: usize = 100;
/// What a connection may cost at most, as the readme says, beside what the daemon takes without any.
const KERNEL_BYTES_EACH: u64 = 1_024;
const DAEMON_BYTES_EACH: u64 = 4_096;

#[test]
fn a_flood_of_syns_costs_established_connections_nothing_and_leaves_nothing_behind() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let mut flood = Flood::new(&pair.right);
    let (_listener, target) = flood::target(&pair.right, Pair::RIGHT);
    // Not the loopback: the test's own questions to the daemon are connections, too.
    let arguments = [
        "--max-connections",
        "65536",
        "--interface",
        "veth0",
        "--interface",
        "flood0",
    ];
    let daemon = Daemon::start(&pair.right, &arguments);
    let idle = daemon.status();
    let mut calls: Vec<Call> = (0..EACH).map(|number| Call::open(&pair, number)).collect();

    let started = Instant::now();
    let worst = thread::scope(|scope| {
        let flood = scope.spawn(|| flood.send(target, SYNS, DURATION));
        let mut worst = idle.clone();
        for number in 0..EACH {
            let due = started + DURATION * number as u32 / EACH as u32;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            calls[number].exchange(number);
            calls.push(Call::open(&pair, EACH + number));
            worst = worse(worst, daemon.status());
        }
        flood.join().unwrap();
        worst
    });
    let lasted = started.elapsed();

    for (number, call) in calls.iter_mut().enumerate() {
        call.exchange(number);
    }
    compare(&calls, &pair.right, &daemon);
    let status = worse(worst, daemon.status());
    tell(lasted, &idle, &status);
    assert_bounded(&idle, &status);
    let ledger = status.ledger.unwrap();
    assert_every_packet_has_a_fate(&ledger);
    assert_eq!((ledger.packets_table_full, ledger.connection_events_lost), (0, 0));
    assert!(ledger.packets_tracked >= SYNS as u64, "{ledger:?}");
    // All but those that still have a place in their quarter of the map.
    assert!(
        ledger.connections_given_up >= SYNS as u64 - MAX_CONNECTIONS / 4,
        "{ledger:?}"
    );

    drop(calls);
    let closed = Instant::now();
    wait_for(Duration::from_secs(150), "empty map", || {
        let connections = daemon.status().connections.unwrap();
        // The list hears of it a moment later.
        ((connections.tracked, connections.open) == (0, 0)).then_some(())
    });
    println!("the kernel's map is empty {:?} later", closed.elapsed());
    assert_every_packet_has_a_fate(&daemon.status().ledger.unwrap());
    daemon.stop();
}

/// A connection whose every byte and packet is known at its end on the right.
struct Call {
    open: Open,
    /// Whether it was opened from the right.
    is_outgoing: bool,
    sent: u64,
    received: u64,
}

impl Call {
    /// Opens it from the left or from the right, and says something.
    fn open(pair: &Pair, number: usize) -> Self {
        let is_outgoing = number % 2 == 1;
        let open = if is_outgoing {
            Open::new(&pair.right, &pair.left, Pair::LEFT)
        } else {
            Open::new(&pair.left, &pair.right, Pair::RIGHT)
        };
        let mut call = Self {
            open,
            is_outgoing,
            sent: 0,
            received: 0,
        };
        call.exchange(number);
        call
    }

    fn exchange(&mut self, number: usize) {
        let (sent, received) = (number as u64 * 300 + 1, number as u64 * 200 + 1);
        self.open.exchange_in_turn(sent, received);
        self.sent += sent;
        self.received += received;
    }

    /// What the socket on the right says of it. A socket that accepts does not count its SYN-ACK (Linux,
    /// net/ipv4/tcp_minisocks.c, tcp_create_openreq_child).
    fn by_socket(&self, sockets: &HashMap<(SocketAddr, SocketAddr), Socket>) -> Count {
        let (source, destination) = self.open.ends();
        let (packets_sent, packets_received) = if self.is_outgoing {
            let socket = &sockets[&(source, destination)];
            (socket.segments_out, socket.segments_in)
        } else {
            let socket = &sockets[&(destination, source)];
            (socket.segments_in, socket.segments_out + 1)
        };
        Count {
            sent: self.sent,
            received: self.received,
            packets_sent,
            packets_received,
        }
    }
}

/// Bytes of the application and packets on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    sent: u64,
    received: u64,
    packets_sent: u64,
    packets_received: u64,
}

/// Waits until the daemon has counted for each connection what its ends did.
fn compare(calls: &[Call], namespace: &Namespace, daemon: &Daemon<'_>) {
    let started = Instant::now();
    loop {
        let sockets: HashMap<_, _> = sockets(namespace).into_iter().collect();
        let expected: Vec<_> = calls.iter().map(|call| Some(call.by_socket(&sockets))).collect();
        let listed: HashMap<_, _> = daemon
            .list()
            .iter()
            .map(|connection| (ends(connection), count(connection)))
            .collect();
        let counted: Vec<_> = calls
            .iter()
            .map(|call| listed.get(&call.open.ends()).copied())
            .collect();
        if counted == expected {
            return;
        }
        let differences = || {
            calls
                .iter()
                .zip(counted.iter().zip(&expected))
                .filter(|(_, (ours, theirs))| ours != theirs)
        };
        assert!(
            started.elapsed() < support::PATIENCE,
            "{} of {} differ: {:#?}",
            differences().count(),
            calls.len(),
            differences()
                .map(|(call, counts)| (call.open.ends(), counts))
                .next()
        );
        thread::sleep(Duration::from_millis(200));
    }
}

fn ends(connection: &Connection) -> (SocketAddr, SocketAddr) {
    let end = |end: &Option<Endpoint>| {
        let end = end.as_ref().unwrap();
        SocketAddr::new(end.address.parse().unwrap(), end.port as u16)
    };
    (end(&connection.source), end(&connection.destination))
}

fn count(connection: &Connection) -> Count {
    let (sent, received) = (
        connection.sent.as_ref().unwrap(),
        connection.received.as_ref().unwrap(),
    );
    Count {
        sent: sent.payload_bytes - sent.retransmitted_bytes,
        received: received.payload_bytes - received.retransmitted_bytes,
        packets_sent: sent.packets,
        packets_received: received.packets,
    }
}

/// The newer status with the highest costs of both.
fn worse(before: GetStatusResponse, mut now: GetStatusResponse) -> GetStatusResponse {
    let (old, new) = (before.resources.unwrap(), now.resources.as_mut().unwrap());
    new.resident_bytes = new.resident_bytes.max(old.resident_bytes);
    new.kernel_map_bytes = new.kernel_map_bytes.max(old.kernel_map_bytes);
    let (old, new) = (before.connections.unwrap(), now.connections.as_mut().unwrap());
    new.tracked = new.tracked.max(old.tracked);
    new.listed = new.listed.max(old.listed);
    now
}

fn tell(lasted: Duration, idle: &GetStatusResponse, worst: &GetStatusResponse) {
    let (counts, ledger) = (worst.connections.unwrap(), worst.ledger.unwrap());
    let (before, cost) = (idle.resources.unwrap(), worst.resources.unwrap());
    println!("{SYNS} SYNs in {lasted:?}: {counts:?}\n{ledger:?}\nbefore: {before:?}\nat worst: {cost:?}");
}

/// Neither the map nor the list is over its limit, and memory is what the readme says.
fn assert_bounded(idle: &GetStatusResponse, worst: &GetStatusResponse) {
    let counts = worst.connections.unwrap();
    assert_eq!(counts.capacity, MAX_CONNECTIONS);
    assert!(
        counts.tracked <= MAX_CONNECTIONS && counts.listed <= MAX_CONNECTIONS,
        "{counts:?}"
    );
    let (before, cost) = (idle.resources.unwrap(), worst.resources.unwrap());
    let kernel = cost.kernel_map_bytes.unwrap() - before.kernel_map_bytes.unwrap();
    let daemon = cost.resident_bytes.saturating_sub(before.resident_bytes);
    assert!(
        kernel <= MAX_CONNECTIONS * KERNEL_BYTES_EACH,
        "{kernel} bytes in the kernel"
    );
    assert!(
        daemon <= MAX_CONNECTIONS * DAEMON_BYTES_EACH,
        "{daemon} bytes in the daemon"
    );
}
