//! Packets that come in are seen by XDP: in the driver, or by the kernel in its place, or by TC after all. However they are
//! seen, each connection has the bytes that its ends exchanged and the packets that its sockets counted, and nothing
//! stays attached.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use support::{
    daemon::{Daemon, assert_no_loss},
    kernel::segments,
    namespaces::{Bridged, Namespace, Pair},
    require_root, share_machine,
    traffic::{Open, exchange_all},
    wait_for_quiet,
    watch::{Connection, Half, Protocol, Watch},
};
use tcpviewer::proto::{Degradation, Hook};

const SENT: u64 = 5_000_000;
const RECEIVED: u64 = 3_000_000;

#[test]
fn by_the_driver_each_connection_is_counted_as_by_tc_behind_it() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let by_xdp = Daemon::start(&pair.left, &["--interface", "veth0", "--ingress-hook", "xdp"]);
    let by_tc = Daemon::start(
        &pair.left,
        &["--interface", "veth0", "--listen", "127.0.0.1:50052"],
    );
    let connections = [
        Open::new(&pair.left, &pair.right, Pair::RIGHT),
        Open::new(&pair.right, &pair.left, Pair::LEFT),
        Open::new(&pair.left, &pair.right, Pair::RIGHT_V6),
    ];

    let listed = exchange_and_compare(&[&by_xdp, &by_tc], &connections);

    let sums = |half: &Half| {
        (
            half.packets,
            half.wire_bytes,
            half.payload_bytes,
            half.retransmitted_bytes,
        )
    };
    for (before, behind) in listed[0].iter().zip(&listed[1]) {
        assert_eq!(
            (sums(&before.sent), sums(&before.received)),
            (sums(&behind.sent), sums(&behind.received)),
            "{before:#?}"
        );
    }
    assert_eq!(hooks(&by_xdp), [(Hook::Tcx, Hook::XdpNative)]);
    assert_eq!(hooks(&by_tc), [(Hook::Tcx, Hook::Unspecified)]);
    assert_eq!(without_all_of_xdp(&by_xdp), []);
    assert!(has_xdp(&pair.left, "veth0"));
    for daemon in [by_xdp, by_tc] {
        assert_no_loss(&daemon.status().ledger.unwrap());
        daemon.stop();
    }
    assert!(!has_xdp(&pair.left, "veth0"), "it stays attached");
}

#[test]
fn where_the_driver_cannot_the_kernel_does_and_what_is_yet_to_be_cut_counts_as_what_it_becomes() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let bridged = Bridged::new();
    let middle = &bridged.middle;
    let daemon = Daemon::start(middle, &["--interface", "bridge0", "--ingress-hook", "xdp"]);
    let connections = [
        Open::new(&bridged.left, middle, Bridged::MIDDLE),
        Open::new(middle, &bridged.right, Pair::RIGHT),
    ];

    exchange_and_compare(&[&daemon], &connections);

    assert_eq!(hooks(&daemon), [(Hook::Tcx, Hook::XdpGeneric)]);
    let lesser = without_all_of_xdp(&daemon);
    let [degradation] = lesser.as_slice() else {
        panic!("{lesser:?}")
    };
    assert_eq!(degradation.feature, "XDP on bridge0");
    let words = "by the kernel in place of the driver: ";
    assert!(degradation.reason.starts_with(words), "{degradation:?}");
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
    assert!(!has_xdp(middle, "bridge0"), "it stays attached");
}

#[test]
fn where_the_place_is_taken_tc_sees_what_comes_in() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let arguments = ["--interface", "veth0", "--ingress-hook", "xdp"];
    let second_listens = [&arguments[..], &["--listen", "127.0.0.1:50052"]].concat();
    let first = Daemon::start(&pair.left, &arguments);
    let second = Daemon::start(&pair.left, &second_listens);
    let connections = [
        Open::new(&pair.left, &pair.right, Pair::RIGHT),
        Open::new(&pair.right, &pair.left, Pair::LEFT),
    ];

    exchange_and_compare(&[&first, &second], &connections);

    assert_eq!(hooks(&first), [(Hook::Tcx, Hook::XdpNative)]);
    assert_eq!(hooks(&second), [(Hook::Tcx, Hook::Unspecified)]);
    let lesser = without_all_of_xdp(&second);
    let [degradation] = lesser.as_slice() else {
        panic!("{lesser:?}")
    };
    assert!(
        degradation
            .reason
            .starts_with("TC in place of XDP: by the driver: "),
        "{degradation:?}"
    );
    second.stop();
    assert!(has_xdp(&pair.left, "veth0"), "the first one's is gone");
    first.stop();
}

#[test]
fn the_loopback_is_seen_by_the_kernel_in_place_of_a_driver() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "lo", "--ingress-hook", "xdp"]);
    let connections = [Open::new(&pair.left, &pair.left, Pair::LEFT)];

    exchange_and_compare(&[&daemon], &connections);

    assert_eq!(hooks(&daemon), [(Hook::Tcx, Hook::XdpGeneric)]);
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
    assert!(!has_xdp(&pair.left, "lo"), "it stays attached");
}

/// Exchanges data over all connections at once and waits until each daemon has for each the bytes of its ends and the
/// packets of its socket in the daemon's namespace. Returns what each daemon has.
fn exchange_and_compare(daemons: &[&Daemon<'_>], connections: &[Open]) -> Vec<Vec<Connection>> {
    let watches: Vec<_> = daemons
        .iter()
        .map(|daemon| Watch::start(daemon, Protocol::Grpc))
        .collect();
    let amounts = exchange_all(connections, SENT, RECEIVED);
    let ends: Vec<_> = connections.iter().map(Open::ends).collect();
    let counts = |connection: &Connection| {
        let (sent, received) = (&connection.sent, &connection.received);
        (
            (sent.net_bytes(), received.net_bytes()),
            (sent.packets, received.packets),
        )
    };
    let of_daemon = |(daemon, watch): (&&Daemon<'_>, Watch)| {
        let packets = |ends: &_| wait_for_quiet(|| segments(daemon.namespace, *ends));
        let expected: Vec<_> = amounts.iter().copied().zip(ends.iter().map(packets)).collect();
        let listed = watch.connections(&ends, |number, connection| counts(connection) == expected[number]);
        let counted: Vec<_> = listed.iter().map(counts).collect();
        assert_eq!(counted, expected, "{listed:#?}");
        listed
    };
    daemons.iter().zip(watches).map(of_daemon).collect()
}

/// How each interface is seen.
fn hooks(daemon: &Daemon<'_>) -> Vec<(Hook, Hook)> {
    let interfaces = daemon.status().interfaces;
    let hooks = interfaces.iter().map(|each| (each.hook(), each.ingress_hook()));
    hooks.collect()
}

/// What is lesser about XDP.
fn without_all_of_xdp(daemon: &Daemon<'_>) -> Vec<Degradation> {
    let mut degradations = daemon.status().degradations;
    degradations.retain(|each| each.feature.starts_with("XDP"));
    degradations
}

/// Whether a program of XDP is on the interface.
fn has_xdp(namespace: &Namespace, interface: &str) -> bool {
    namespace
        .ip(&format!("-details link show dev {interface}"))
        .contains("prog/xdp")
}
