//! Real connections of real programs, followed by the real daemon and read by a client that is not ours, over
//! gRPC and gRPC-Web.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figures"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::net::SocketAddr;

use serde_json::json;
use support::{
    PATIENCE,
    daemon::{Daemon, assert_no_loss},
    iperf::{self, COOKIE_BYTES},
    namespaces::Pair,
    require_root, share_machine,
    traffic::{Open, exchange_all, http},
    wait_for,
    watch::{Connection, Protocol, Watch},
};

const PROTOCOLS: [Protocol; 3] = [Protocol::Grpc, Protocol::GrpcWeb, Protocol::GrpcWebHttp1];

#[test]
fn four_streams_of_iperf3_are_seen_with_all_their_bytes() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let watches = PROTOCOLS.map(|protocol| Watch::start(&daemon, protocol));
    let _server = iperf::Server::start(&pair.right);

    // As fast as it can; then so slowly that the receiver keeps up and both count the same.
    let fast = ["--parallel", "4", "--bytes", "200M"];
    let slow = ["--parallel", "4", "--time", "2", "--bitrate", "20M"];
    for arguments in [fast.as_slice(), &slow] {
        let streams = iperf::run(&pair.left, "10.77.0.2", arguments);

        assert_eq!(streams.len(), 4);
        for watch in &watches {
            assert_as_iperf_says(watch, &streams);
        }
    }
    drop(watches);
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn four_streams_of_iperf3_in_both_directions_at_once_are_seen_with_all_their_bytes() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.right, &["--interface", "veth0"]);
    let watches = PROTOCOLS.map(|protocol| Watch::start(&daemon, protocol));
    let _server = iperf::Server::start(&pair.right);

    let arguments = ["--parallel", "4", "--bidir", "--time", "3"];
    let streams = iperf::run(&pair.left, "10.77.0.2", &arguments);

    assert_eq!(streams.iter().filter(|stream| stream.forward).count(), 4);
    assert_eq!(streams.len(), 8);
    for watch in &watches {
        assert_as_iperf_says(watch, &streams);
    }
    drop(watches);
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn transfers_in_both_directions_at_once_are_counted_to_the_byte() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let watches = PROTOCOLS.map(|protocol| Watch::start(&daemon, protocol));
    let connections: Vec<_> = (0..4)
        .map(|_number| Open::new(&pair.left, &pair.right, Pair::RIGHT))
        .collect();
    let ends: Vec<_> = connections.iter().map(Open::ends).collect();

    let amounts = exchange_all(&connections, 20_000_000, 10_000_000);

    for watch in &watches {
        let listed = watch.connections(&ends, |number, connection| counts(connection) >= amounts[number]);
        assert_eq!(listed.iter().map(counts).collect::<Vec<_>>(), amounts);
        assert!(
            listed
                .iter()
                .all(|connection| connection.state == "TCP_STATE_ESTABLISHED"),
            "{listed:?}"
        );
    }
    drop(watches);
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn two_hundred_http_requests_are_seen_with_all_their_bytes() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let watches = PROTOCOLS.map(|protocol| Watch::start(&daemon, protocol));

    let exchanges = http(&pair.left, &pair.right, Pair::RIGHT.into(), 200);

    let ends: Vec<_> = exchanges.iter().map(|exchange| exchange.ends).collect();
    let expected: Vec<_> = exchanges
        .iter()
        .map(|exchange| (exchange.request_bytes, exchange.response_bytes))
        .collect();
    for watch in &watches {
        let listed = watch.connections(&ends, |_number, connection| is_closed(connection));
        assert_eq!(listed.iter().map(counts).collect::<Vec<_>>(), expected);
    }
    drop(watches);
    let status = daemon.status();
    let counts = status.connections.unwrap();
    assert_eq!(
        (counts.opened_total, counts.closed_total, counts.open),
        (200, 200, 0)
    );
    assert_no_loss(&status.ledger.unwrap());
    daemon.stop();
}

#[test]
fn a_filtered_watch_is_told_when_a_connection_no_longer_passes() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let watches = PROTOCOLS.map(|protocol| {
        let request = json!({ "filter": "state == established and net 10.77.0.0/16 and bytes > 1kB" });
        Watch::start_with(&daemon, protocol, &request)
    });
    let stays = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    let small = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    let goes = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    let (stays_ends, small_ends, goes_ends) = (stays.ends(), small.ends(), goes.ends());

    small.exchange(10, 10);
    stays.exchange(1_000, 1_000);
    goes.exchange(1_000, 1_000);
    for watch in &watches {
        watch.connections(&[stays_ends, goes_ends], |_number, _connection| true);
    }
    drop(goes);
    for watch in &watches {
        watch.wait_until_gone(&[goes_ends, small_ends]);
        watch.connections(&[stays_ends], |_number, _connection| true);
    }

    // The daemon still lists it: it is the filter that took it away, with the first FIN.
    wait_for(PATIENCE, "three connections, one of them closed", || {
        let listed = daemon.list();
        let closed = listed.iter().filter(|connection| connection.closed_at.is_some());
        (listed.len() == 3 && closed.count() == 1).then_some(())
    });
    drop(watches);
    daemon.stop();
}

/// What each side's application sent.
fn counts(connection: &Connection) -> (u64, u64) {
    (connection.sent.net_bytes(), connection.received.net_bytes())
}

fn is_closed(connection: &Connection) -> bool {
    connection.close_reason == "CLOSE_REASON_FIN"
}

/// Compares with iperf3's own report. When its time is up it stops reading and writing at once: the sender's
/// figure may hold bytes that never left its socket, the receiver's lacks those that came later.
fn assert_as_iperf_says(watch: &Watch, streams: &[iperf::Stream]) {
    let ends: Vec<(SocketAddr, SocketAddr)> = streams.iter().map(|stream| stream.ends).collect();
    let listed = watch.connections(&ends, |_number, connection| !connection.close_reason.is_empty());
    let mut exact = 0;
    for (stream, connection) in streams.iter().zip(&listed) {
        let (to_server, to_client) = counts(connection);
        let data = if stream.forward {
            to_server - COOKIE_BYTES
        } else {
            to_client
        };
        assert!(
            (stream.received_bytes..=stream.sent_bytes).contains(&data),
            "{data} of {stream:?}\n{connection:#?}"
        );
        if !stream.forward {
            assert_eq!(to_server, COOKIE_BYTES, "{stream:?}");
        }
        exact += usize::from(stream.received_bytes == stream.sent_bytes);
    }
    println!(
        "{exact} of {} streams ended with sender and receiver agreed",
        streams.len()
    );
}
