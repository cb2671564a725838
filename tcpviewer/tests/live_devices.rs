//! Connections over every kind of device and network: each is seen with the bytes its ends exchanged, counted
//! once wherever its packets pass, also when the device comes later or goes.

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
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use support::{
    PATIENCE,
    daemon::{Daemon, assert_no_loss},
    kernel::segments,
    namespaces::{Namespace, Pair, assign},
    relay::{Kind, Relay, Way},
    require_root, share_machine,
    traffic::Open,
    wait_for, wait_for_quiet,
    watch::{Connection, Protocol, Watch},
};

const SENT: u64 = 3_000_001;
const RECEIVED: u64 = 1_000_003;
const SECOND_NETWORK: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 2);

#[test]
fn a_connection_over_ipv6_is_counted_to_the_byte() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);

    let connection = transfer(&daemon, &pair.right, Pair::RIGHT_V6.into());

    assert_eq!(connection.interface, "veth0");
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn a_connection_on_the_loopback_is_counted_once_although_it_leaves_and_comes_in() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let namespace = Namespace::new();
    let daemon = Daemon::start(&namespace, &["--interface", "lo"]);

    let connection = transfer(&daemon, &namespace, Ipv4Addr::LOCALHOST.into());

    assert_eq!(connection.interface, "lo");
    let ledger = daemon.status().ledger.unwrap();
    assert!(
        ledger.packets_seen_elsewhere >= connection_packets(&connection) / 64,
        "{ledger:?}"
    );
    daemon.stop();
}

#[test]
fn a_connection_over_a_device_without_ethernet_is_counted_to_the_byte() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let _relay = Relay::start(&pair, "line0", Kind::Tun, 1, |_way, packet| Some(packet));
    let daemon = Daemon::start(&pair.left, &["--interface", "line0"]);

    let connection = transfer(&daemon, &pair.right, SECOND_NETWORK.into());

    assert_eq!(connection.interface, "line0");
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn frames_with_a_vlan_tag_are_counted_with_all_their_bytes() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let carried = Arc::new(AtomicU64::new(0));
    let line = Arc::clone(&carried);
    // VLAN 0 carries a priority and belongs to the network without tags (IEEE 802.1Q, 6.9.3), so it needs no
    // VLAN device to be understood. The line tags what comes to the left.
    let _relay = Relay::start(&pair, "line0", Kind::Tap, 1, move |way, mut frame| {
        if way == Way::ToTheLeft {
            let is_tcp = frame[12..14] == [0x08, 0x00] && frame[23] == 6;
            frame.splice(12..12, [0x81, 0x00, 0xa0, 0x00]);
            line.fetch_add(if is_tcp { frame.len() as u64 } else { 0 }, Ordering::Relaxed);
        }
        Some(frame)
    });
    let daemon = Daemon::start(&pair.left, &["--interface", "line0"]);

    transfer(&daemon, &pair.right, SECOND_NETWORK.into());

    let received = || daemon.list()[0].received.as_ref().unwrap().wire_bytes;
    wait_for(PATIENCE, "agreement with the line", || {
        (received() == carried.load(Ordering::Relaxed)).then_some(())
    });
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn a_connection_over_a_vlan_is_counted_once_although_it_passes_two_devices() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    for (namespace, host) in [(&pair.left, 1), (&pair.right, 2)] {
        let arguments = [
            "link", "add", "link", "veth0", "name", "tagged0", "type", "vlan", "id", "7",
        ];
        if !namespace
            .command("ip")
            .args(arguments)
            .status()
            .unwrap()
            .success()
        {
            println!("skipped: this kernel has no VLAN devices (CONFIG_VLAN_8021Q)");
            return;
        }
        assign(namespace, "tagged0", 1, host);
    }
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0", "--interface", "tagged0"]);

    transfer(&daemon, &pair.right, SECOND_NETWORK.into());

    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn a_connection_in_a_tunnel_is_counted_inside_and_the_tunnel_s_packets_are_not_tcp() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    for (namespace, host, remote) in [(&pair.left, 1, Pair::RIGHT), (&pair.right, 2, Pair::LEFT)] {
        namespace.ip(&format!(
            "link add tunnel0 type vxlan id 7 remote {remote} dstport 4789 dev veth0"
        ));
        assign(namespace, "tunnel0", 1, host);
    }
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0", "--interface", "tunnel0"]);

    let connection = transfer(&daemon, &pair.right, SECOND_NETWORK.into());

    assert_eq!(connection.interface, "tunnel0");
    let ledger = daemon.status().ledger.unwrap();
    assert!(ledger.packets_not_tcp > 0, "{ledger:?}");
    assert_no_loss(&ledger);
    daemon.stop();
}

#[test]
fn an_interface_that_comes_later_is_watched_and_one_that_goes_is_no_longer_listed() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "late*"]);
    assert_eq!(interfaces(&daemon), [""; 0]);

    pair.connect("late0", 1);
    wait_for(PATIENCE, "interface", || {
        (interfaces(&daemon) == ["late0"]).then_some(())
    });
    let connection = transfer(&daemon, &pair.right, SECOND_NETWORK.into());
    assert_eq!(connection.interface, "late0");
    pair.left.ip("link delete late0");
    wait_for(PATIENCE, "end of the interface", || {
        interfaces(&daemon).is_empty().then_some(())
    });

    pair.connect("late0", 1);
    wait_for(PATIENCE, "new interface", || {
        (interfaces(&daemon) == ["late0"]).then_some(())
    });
    transfer(&daemon, &pair.right, SECOND_NETWORK.into());
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

/// One connection from the daemon's namespace with data both ways at once, which must be counted to the byte, and
/// to the packet as its socket counted.
fn transfer(daemon: &Daemon<'_>, to: &Namespace, address: IpAddr) -> Connection {
    let watch = Watch::start(daemon, Protocol::Grpc);
    let open = Open::new(daemon.namespace, to, address);
    open.exchange(SENT, RECEIVED);
    let counts = |connection: &Connection| {
        let (sent, received) = (connection.sent, connection.received);
        (
            (sent.net_bytes(), received.net_bytes()),
            (sent.packets, received.packets),
        )
    };
    let ends = open.ends();
    let packets = wait_for_quiet(|| segments(daemon.namespace, ends));
    let expected = ((SENT, RECEIVED), packets);
    let [connection] = watch
        .connections(&[ends], |_number, connection| counts(connection) == expected)
        .try_into()
        .unwrap();
    assert_eq!(counts(&connection), expected, "{connection:#?}");
    connection
}

fn connection_packets(connection: &Connection) -> u64 {
    connection.sent.packets + connection.received.packets
}

/// Names of the interfaces that the daemon watches.
fn interfaces(daemon: &Daemon<'_>) -> Vec<String> {
    let interfaces = daemon.status().interfaces;
    assert!(
        interfaces.iter().all(|interface| interface.error.is_empty()),
        "{interfaces:?}"
    );
    interfaces.into_iter().map(|interface| interface.name).collect()
}
