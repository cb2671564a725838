//! Connections whose packets pass several interfaces of this host, or change from one to another while they live:
//! each is one connection, with the bytes its ends exchanged and the packets their sockets counted.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figures"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::thread;

use support::{
    PATIENCE,
    daemon::{Daemon, assert_no_loss},
    kernel::{segments, socket},
    namespaces::{Bridged, Namespace, Pair},
    require_root, share_machine,
    traffic::{Open, exchange_all},
    wait_for, wait_for_quiet,
    watch::{Connection, Protocol, Watch},
};

const SENT: u64 = 5_000_000;
const RECEIVED: u64 = 3_000_000;

#[test]
fn a_connection_through_a_bridge_is_counted_once_although_it_passes_both_ports() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let bridged = Bridged::new();
    let daemon = Daemon::start(&bridged.middle, &["--interface", "*0"]);
    let connections = [
        Open::new(&bridged.left, &bridged.right, Pair::RIGHT),
        Open::new(&bridged.left, &bridged.right, Pair::RIGHT),
        Open::new(&bridged.left, &bridged.right, Pair::RIGHT_V6),
    ];

    let listed = exchange_and_compare(&daemon, &bridged.left, &connections);

    assert!(
        listed.iter().all(|connection| connection.interface == "left0"),
        "{listed:#?}"
    );
    assert_once(&daemon, connections.len());
    daemon.stop();
}

#[test]
fn a_connection_between_a_container_and_the_host_is_counted_once_although_it_passes_the_bridge() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let bridged = Bridged::new();
    let daemon = Daemon::start(&bridged.middle, &["--interface", "*0"]);
    let connections = [
        Open::new(&bridged.left, &bridged.middle, Bridged::MIDDLE),
        Open::new(&bridged.middle, &bridged.left, Pair::LEFT),
        Open::new(&bridged.left, &bridged.middle, Bridged::MIDDLE),
    ];

    let listed = exchange_and_compare(&daemon, &bridged.middle, &connections);

    let interfaces: Vec<_> = listed.iter().map(|connection| &*connection.interface).collect();
    assert_eq!(interfaces, ["left0", "bridge0", "left0"]);
    assert_once(&daemon, connections.len());
    daemon.stop();
}

#[test]
fn a_connection_keeps_its_counts_when_its_path_moves_between_two_transfers() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    pair.connect("spare0", 1);
    let daemon = Daemon::start(&pair.left, &["--interface", "*0"]);
    let watch = Watch::start(&daemon, Protocol::Grpc);
    let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);

    for (number, path) in (1..).zip(["veth0", "spare0", "veth0", "spare0"]) {
        lead(&pair, path);
        open.exchange(SENT, RECEIVED);
        let connection = compare(&watch, &pair.left, &open, (number * SENT, number * RECEIVED));
        assert_eq!(connection.interface, path);
    }

    drop(watch);
    assert_once(&daemon, 1);
    daemon.stop();
}

#[test]
fn a_connection_keeps_its_counts_when_its_path_moves_in_the_middle_of_a_transfer() {
    const TURNS: u64 = 10_000;
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    pair.connect("spare0", 1);
    let daemon = Daemon::start(&pair.left, &["--interface", "*0"]);
    let watch = Watch::start(&daemon, Protocol::Grpc);
    let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);

    let moves = thread::scope(|scope| {
        let talk = scope.spawn(|| (0..TURNS).for_each(|_turn| open.exchange_in_turn(20_000, 10_000)));
        let mut moves = 0;
        while !talk.is_finished() {
            lead(&pair, ["spare0", "veth0"][moves % 2]);
            moves += 1;
        }
        talk.join().unwrap();
        moves
    });

    println!("{moves} moves");
    assert!(moves > 3, "the transfer was over too soon");
    let expected = wait_for_quiet(|| segments(&pair.left, open.ends()));
    let bytes = (TURNS * 20_000, TURNS * 10_000);
    let listed = watch.connections(&[open.ends()], |_number, connection| {
        net_bytes(connection) == bytes
    });
    let [connection] = listed.try_into().unwrap();
    assert_eq!(net_bytes(&connection), bytes, "{connection:#?}");
    // What was sent again, and the ACK that answers it, bring nothing new: as the first packet on the other path each
    // cannot be told from a copy. Where nothing was, every packet counts.
    let (source, destination) = open.ends();
    let repeated = socket(&pair.left, (source, destination)).retransmissions
        + socket(&pair.right, (destination, source)).retransmissions;
    println!("sent again: {repeated}");
    for (counted, sent) in [
        (connection.sent.packets, expected.0),
        (connection.received.packets, expected.1),
    ] {
        assert!(
            (sent.saturating_sub(repeated)..=sent).contains(&counted),
            "{sent} packets, {repeated} sent again: {connection:#?}"
        );
    }
    drop(watch);
    assert_once(&daemon, 1);
    daemon.stop();
}

#[test]
fn what_is_sent_again_on_another_path_because_the_first_one_died_is_counted() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    pair.connect("spare0", 1);
    let daemon = Daemon::start(&pair.left, &["--interface", "*0"]);
    let watch = Watch::start(&daemon, Protocol::Grpc);
    let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    open.exchange_in_turn(1_000, 1_000);
    let sent_out = || socket(&pair.left, open.ends()).segments_out;
    let before = wait_for_quiet(sent_out);

    // Frames to nobody: the device takes them, and no one gets them.
    pair.left
        .ip("neighbour replace 10.77.0.2 lladdr 02:00:00:00:00:01 dev veth0 nud permanent");
    thread::scope(|scope| {
        scope.spawn(|| open.exchange_in_turn(1_000, 1_000));
        wait_for(PATIENCE, "packet that is lost", || {
            (sent_out() > before).then_some(())
        });
        lead(&pair, "spare0");
    });

    let connection = compare(&watch, &pair.left, &open, (2_000, 2_000));
    let retransmissions = socket(&pair.left, open.ends()).retransmissions;
    println!("sent again: {retransmissions}");
    assert!(retransmissions > 0, "nothing was lost");
    assert_eq!(connection.sent.retransmissions, retransmissions);
    drop(watch);
    daemon.stop();
}

/// Exchanges data over all connections at once and compares each with its socket in this namespace.
fn exchange_and_compare(daemon: &Daemon<'_>, namespace: &Namespace, connections: &[Open]) -> Vec<Connection> {
    let watch = Watch::start(daemon, Protocol::Grpc);
    let amounts = exchange_all(connections, SENT, RECEIVED);
    let compare = |(open, amounts)| compare(&watch, namespace, open, amounts);
    connections.iter().zip(amounts).map(compare).collect()
}

/// Waits until a connection has the bytes of its ends and the packets of its socket in this namespace.
fn compare(watch: &Watch, namespace: &Namespace, open: &Open, bytes: (u64, u64)) -> Connection {
    let expected = (bytes, wait_for_quiet(|| segments(namespace, open.ends())));
    let counts = |connection: &Connection| {
        let packets = (connection.sent.packets, connection.received.packets);
        (net_bytes(connection), packets)
    };
    let listed = watch.connections(&[open.ends()], |_number, connection| {
        counts(connection) == expected
    });
    let [connection] = listed.try_into().unwrap();
    assert_eq!(counts(&connection), expected, "{connection:#?}");
    connection
}

/// Payload that was sent and received, what was sent again left out.
fn net_bytes(connection: &Connection) -> (u64, u64) {
    (connection.sent.net_bytes(), connection.received.net_bytes())
}

/// Each connection is known once, and every packet has its fate.
fn assert_once(daemon: &Daemon<'_>, connections: usize) {
    let status = daemon.status();
    assert_eq!(status.connections.unwrap().opened_total, connections as u64);
    assert_no_loss(&status.ledger.unwrap());
}

/// Has both sides send what is for the other's first address through this cable.
fn lead(pair: &Pair, cable: &str) {
    let network = if cable == "veth0" { 0 } else { 1 };
    for (namespace, own, other) in [(&pair.left, 1, 2), (&pair.right, 2, 1)] {
        let via = if network == 0 {
            String::new()
        } else {
            format!("via 10.77.{network}.{other} ")
        };
        namespace.ip(&format!(
            "route replace 10.77.0.{other}/32 {via}dev {cable} src 10.77.0.{own}"
        ));
    }
}
