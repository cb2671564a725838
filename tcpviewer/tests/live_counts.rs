//! What the daemon counts and measures, compared with what the kernel itself says of the same sockets and
//! interfaces; and that nothing is lost or left when connections come by the thousand.

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
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use support::{
    daemon::{Daemon, assert_no_loss},
    iperf,
    kernel::{Socket, Traffic, segments, socket, sockets, traffic},
    namespaces::{Namespace, Pair, output},
    own_machine,
    relay::{Departure, Kind, Relay, Way},
    require_root, share_machine,
    traffic::{Open, exchange_all, storm},
    wait_for, wait_for_quiet,
    watch::{Connection, Half, Protocol, Watch},
};
use tcpviewer::proto::{Endpoint, Ledger};

/// Short connections that come at once.
const STORM: u64 = 20_000;

#[test]
fn packets_on_the_wire_are_those_that_sockets_counted_with_segmentation_offload() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();

    compare_with_sockets(&pair, |_connections| {});
}

#[test]
fn packets_on_the_wire_are_those_that_sockets_and_the_interface_counted_without_offload() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    for namespace in [&pair.left, &pair.right] {
        make_silent(namespace);
        output(
            namespace
                .command("ethtool")
                .args(["-K", "veth0", "tso", "off", "gso", "off", "gro", "off"]),
        );
    }
    know_each_other(&pair);
    let before = traffic(&pair.left, "veth0");

    compare_with_sockets(&pair, |connections| {
        let counted = difference(before, traffic(&pair.left, "veth0"));
        assert_eq!(sum_of(connections), counted);
    });
}

#[test]
fn the_smoothed_rtt_is_that_of_the_sender_s_kernel() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0", "--update-interval", "20ms"]);
    let _server = iperf::Server::start(&pair.right);

    // A saturated sender's RTT follows whatever else the machine does from one millisecond to the next, and the two
    // are looked at one after the other. On a machine that others use as well, one run may be unlucky.
    let agreed = (0..RUNS).any(|_run| smoothed_rtts_agree(&pair, &daemon));

    assert!(agreed, "in none of {RUNS} runs");
    daemon.stop();
}

/// Runs of iperf3 of which one must agree.
const RUNS: usize = 3;

/// Whether the medians of what both say agree for each stream of a run, to 15 per cent or 30 µs.
fn smoothed_rtts_agree(pair: &Pair, daemon: &Daemon<'_>) -> bool {
    let arguments = ["--parallel", "4", "--time", "10"];
    let (streams, samples) = while_it_runs(iperf::client(&pair.left, "10.77.0.2", &arguments), || {
        rtt_samples(&pair.left, daemon)
    });
    assert_eq!(streams.len(), 4);
    let agrees = |stream: &iperf::Stream| {
        let of_stream = samples.iter().filter(|sample| sample.ends == stream.ends);
        let of_stream: Vec<&RttSample> = of_stream.collect();
        assert!(of_stream.len() >= 20, "{} looks", of_stream.len());
        let ours = median(of_stream.iter().map(|sample| sample.ours_us));
        let kernel = median(of_stream.iter().map(|sample| sample.kernel_us));
        println!(
            "{} looks: ours {ours} µs, the kernel's {kernel} µs",
            of_stream.len()
        );
        (kernel - ours).abs() <= f64::max(30.0, 0.15 * kernel)
    };
    let agreeing = streams.iter().filter(|stream| agrees(stream)).count();
    agreeing == streams.len()
}

#[test]
fn the_smoothed_rtt_of_questions_and_answers_is_that_of_the_kernel() {
    const DELAY: Duration = Duration::from_millis(2);
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let _relay = Relay::start(&pair, "slow0", Kind::Tun, 1, |_way, packet| {
        let due = Instant::now() + DELAY;
        [Departure { due, packet }]
    });
    let daemon = Daemon::start(&pair.left, &["--interface", "slow0"]);
    let open = Open::new(&pair.left, &pair.right, Ipv4Addr::new(10, 77, 1, 2));

    for _question in 0..100 {
        open.exchange_in_turn(100, 1000);
    }

    let samples = wait_for_quiet(|| rtt_samples(&pair.left, &daemon));
    assert_eq!(samples.len(), 1);
    let RttSample {
        ours_us, kernel_us, ..
    } = samples[0];
    println!("ours {ours_us} µs, the kernel's {kernel_us} µs");
    assert!(ours_us >= 2.0 * DELAY.as_micros() as f64, "faster than the line");
    assert!((kernel_us - ours_us).abs() <= 0.05 * kernel_us, "{samples:?}");
    daemon.stop();
}

#[test]
fn retransmissions_are_those_that_the_sender_s_kernel_counted() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let large = AtomicU32::new(0);
    let _relay = Relay::start(&pair, "lossy0", Kind::Tun, 1, move |way, packet| {
        let is_counted = way == Way::ToTheRight && packet.len() > 500;
        let is_lost = is_counted && large.fetch_add(1, Ordering::Relaxed) % 50 == 49;
        (!is_lost).then_some(packet)
    });
    let daemon = Daemon::start(&pair.left, &["--interface", "lossy0"]);
    let watch = Watch::start(&daemon, Protocol::Grpc);
    let right = Ipv4Addr::new(10, 77, 1, 2);
    let connections = [(); 4].map(|()| Open::new(&pair.left, &pair.right, right));
    let ends = connections.each_ref().map(Open::ends);

    let amounts = exchange_all(&connections, 300_000, 100_000);

    let expected = wait_for_quiet(|| ends.map(|ends| socket(&pair.left, ends).retransmissions));
    println!("sent again: {expected:?}");
    assert!(expected.iter().sum::<u64>() > 20, "the line loses nothing");
    let listed = watch.connections(&ends, |number, connection| {
        counts(connection) == amounts[number] && connection.sent.retransmissions >= expected[number]
    });
    let ours: Vec<_> = listed
        .iter()
        .map(|connection| connection.sent.retransmissions)
        .collect();
    assert_eq!(ours, expected);
    assert_eq!(listed.iter().map(counts).collect::<Vec<_>>(), amounts);
    drop(watch);
    daemon.stop();
}

#[test]
fn twenty_thousand_short_connections_are_all_counted_and_leave_nothing_behind() {
    if !require_root() {
        return;
    }
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);

    let machine = own_machine();
    weather_storm(&pair, &daemon, Duration::from_secs(7));
    assert_no_loss(&daemon.status().ledger.unwrap());
    // As fast as the machine can, which may be more than the ring buffer holds: that costs freshness, no count.
    weather_storm(&pair, &daemon, Duration::ZERO);
    drop(machine);

    let started = Instant::now();
    wait_for(Duration::from_secs(60), "empty map", || {
        (daemon.status().connections.unwrap().tracked == 0).then_some(())
    });
    println!("the kernel's map is empty {:?} later", started.elapsed());
    let ledger = daemon.status().ledger.unwrap();
    println!("{} events lost at full speed", ledger.connection_events_lost);
    let connection_events_lost = 0;
    assert_no_loss(&Ledger {
        connection_events_lost,
        ..ledger
    });
    daemon.stop();
}

/// Sends the connections and waits until all of them, and no others, are known to have begun and ended.
fn weather_storm(pair: &Pair, daemon: &Daemon<'_>, duration: Duration) {
    let before = daemon.status().connections.unwrap();
    let started = Instant::now();

    storm(
        &pair.left,
        &pair.right,
        Pair::RIGHT.into(),
        STORM as usize,
        duration,
    );

    let lasted = started.elapsed();
    assert!(lasted < Duration::from_secs(10), "the storm took {lasted:?}");
    let counts = wait_for(Duration::from_secs(10), "closed connections", || {
        let counts = daemon.status().connections.unwrap();
        (counts.closed_total - before.closed_total >= STORM).then_some(counts)
    });
    println!(
        "{STORM} connections in {lasted:?}, all known as closed {:?} later",
        started.elapsed() - lasted
    );
    assert_eq!(
        (
            counts.opened_total - before.opened_total,
            counts.closed_total - before.closed_total,
            counts.open
        ),
        (STORM, STORM, 0)
    );
}

/// A look at one connection by both.
#[derive(Debug, PartialEq)]
struct RttSample {
    ends: (SocketAddr, SocketAddr),
    ours_us: f64,
    kernel_us: f64,
}

/// Looks at all connections that both know and have measured.
fn rtt_samples(namespace: &Namespace, daemon: &Daemon<'_>) -> Vec<RttSample> {
    let (listed, sockets) = (daemon.list(), sockets(namespace));
    let sample = |(ends, socket): &((SocketAddr, SocketAddr), Socket)| {
        let same = |end: &Option<Endpoint>, address: SocketAddr| {
            let end = end.as_ref().map(|end| (end.address.clone(), end.port));
            end == Some((address.ip().to_string(), u32::from(address.port())))
        };
        let connection = listed
            .iter()
            .find(|connection| same(&connection.source, ends.0) && same(&connection.destination, ends.1))?;
        let ours_us = f64::from(connection.rtt?.srtt_us);
        Some(RttSample {
            ends: *ends,
            ours_us,
            kernel_us: socket.rtt_us,
        })
    };
    sockets.iter().filter_map(sample).collect()
}

/// Looks again and again while iperf3 runs, and returns what it reported and what was seen.
fn while_it_runs<T>(mut client: Command, mut look: impl FnMut() -> Vec<T>) -> (Vec<iperf::Stream>, Vec<T>) {
    thread::scope(|scope| {
        let client = scope.spawn(move || output(&mut client));
        let mut seen = Vec::new();
        while !client.is_finished() {
            seen.extend(look());
        }
        (iperf::streams(&client.join().unwrap()), seen)
    })
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Exchanges data over connections that were opened by either end, and compares what the daemon on the left
/// counts with the sockets there, once all is quiet.
fn compare_with_sockets(pair: &Pair, check: impl Fn(&[Connection])) {
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let watch = Watch::start(&daemon, Protocol::Grpc);
    let connections = [
        Open::new(&pair.left, &pair.right, Pair::RIGHT),
        Open::new(&pair.right, &pair.left, Pair::LEFT),
        Open::new(&pair.left, &pair.right, Pair::RIGHT),
        Open::new(&pair.right, &pair.left, Pair::LEFT),
    ];
    let ends: Vec<_> = connections.iter().map(Open::ends).collect();

    let amounts = exchange_all(&connections, 10_000_000, 7_000_000);

    let expected = wait_for_quiet(|| {
        let of_socket = |&ends: &(SocketAddr, SocketAddr)| segments(&pair.left, ends);
        ends.iter().map(of_socket).collect::<Vec<_>>()
    });
    let packets = |connection: &Connection| (connection.sent.packets, connection.received.packets);
    let listed = watch.connections(&ends, |number, connection| {
        let (sent, received) = packets(connection);
        sent >= expected[number].0 && received >= expected[number].1
    });
    assert_eq!(listed.iter().map(packets).collect::<Vec<_>>(), expected);
    assert_eq!(listed.iter().map(counts).collect::<Vec<_>>(), amounts);
    check(&listed);
    drop(watch);
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

/// What each side's application sent.
fn counts(connection: &Connection) -> (u64, u64) {
    (connection.sent.net_bytes(), connection.received.net_bytes())
}

/// Keeps a namespace from sending anything of its own: no neighbour discovery, no multicast reports.
fn make_silent(namespace: &Namespace) {
    namespace.set("ipv6/conf/all/disable_ipv6", "1");
}

/// Tells each side the other's hardware address, so that nobody asks.
fn know_each_other(pair: &Pair) {
    for (here, there, address) in [
        (&pair.left, &pair.right, Pair::RIGHT),
        (&pair.right, &pair.left, Pair::LEFT),
    ] {
        let links: serde_json::Value = serde_json::from_str(&there.ip("-json link show dev veth0")).unwrap();
        let hardware = links[0]["address"].as_str().unwrap();
        here.ip(&format!(
            "neighbour replace {address} lladdr {hardware} dev veth0 nud permanent"
        ));
    }
}

fn difference(before: Traffic, after: Traffic) -> Traffic {
    Traffic {
        packets_out: after.packets_out - before.packets_out,
        bytes_out: after.bytes_out - before.bytes_out,
        packets_in: after.packets_in - before.packets_in,
        bytes_in: after.bytes_in - before.bytes_in,
    }
}

/// What the interface on the left should have counted for these connections.
fn sum_of(connections: &[Connection]) -> Traffic {
    let left = |connection: &Connection| connection.source.ip() == Pair::LEFT;
    let halves = |outgoing: bool| {
        let half = move |connection: &Connection| {
            if left(connection) == outgoing {
                connection.sent
            } else {
                connection.received
            }
        };
        connections.iter().map(half).collect::<Vec<Half>>()
    };
    let packets = |halves: &[Half]| halves.iter().map(|half| half.packets).sum();
    let bytes = |halves: &[Half]| halves.iter().map(|half| half.wire_bytes).sum();
    let (out, into) = (halves(true), halves(false));
    Traffic {
        packets_out: packets(&out),
        bytes_out: bytes(&out),
        packets_in: packets(&into),
        bytes_in: bytes(&into),
    }
}
