//! Connections that are older than the daemon: listed from its start by what their sockets say, counted from their
//! first packet on, and ended with their sockets.

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
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd as _,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::{FdFlags, fcntl_setfd},
    net::sockopt::set_socket_linger,
};
use support::{
    PATIENCE,
    daemon::{Daemon, assert_no_loss},
    deny::deny_sock_diag,
    namespaces::{Namespace, Pair},
    own_machine, require_root, share_machine,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{CloseReason, Connection, LocalEnd, Orientation, SocketSource, TcpState};

#[test]
fn an_idle_connection_is_listed_from_the_start_and_counted_from_its_first_packet() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let listen = |namespace: &Namespace, address: &str| {
        let address: SocketAddr = address.parse().unwrap();
        namespace.enter(|| TcpListener::bind(address).unwrap())
    };
    let open = |from: &Namespace, listener: &TcpListener| {
        let to = listener.local_addr().unwrap();
        let source = from.enter(|| TcpStream::connect(to).unwrap());
        let (destination, _address) = listener.accept().unwrap();
        Open { source, destination }
    };
    let here = [
        listen(&pair.left, "10.77.0.1:8080"),
        listen(&pair.left, "127.0.0.1:8080"),
    ];
    let there = [
        listen(&pair.right, "10.77.0.2:8080"),
        listen(&pair.right, "[fd77::2]:8080"),
    ];
    let incoming = open(&pair.right, &here[0]);
    let within = open(&pair.left, &here[1]);
    let outgoing = open(&pair.left, &there[0]);
    let outgoing_v6 = open(&pair.left, &there[1]);
    // Seen by the sockets alone: no packet passes from here on.
    outgoing.exchange_in_turn(1_000, 2_000);

    let daemon = Daemon::start(&pair.left, &["--interface", "veth0", "--interface", "lo"]);
    let is_listed = |ends| wait_for(PATIENCE, "older connection", || listed(&daemon, ends));
    for (ends, interface, local_end, sockets) in [
        (outgoing.ends(), "veth0", LocalEnd::Source, [true, false]),
        (outgoing_v6.ends(), "veth0", LocalEnd::Source, [true, false]),
        (incoming.ends(), "veth0", LocalEnd::Destination, [false, true]),
        (within.ends(), "lo", LocalEnd::Both, [true, true]),
    ] {
        let connection = is_listed(ends);
        assert_eq!(
            (
                connection.interface.as_str(),
                connection.local_end(),
                connection.state()
            ),
            (interface, local_end, TcpState::Established)
        );
        assert_eq!(connection.orientation(), Orientation::Listener);
        let halves = [connection.sent.unwrap(), connection.received.unwrap()];
        for (half, has_socket) in halves.iter().zip(sockets) {
            assert_eq!((half.packets, half.payload_bytes, half.last_seq), (0, 0, None));
            let socket = half.socket.as_ref();
            assert_eq!(
                socket.map(|socket| socket.source()),
                has_socket.then_some(SocketSource::SockDiag)
            );
            assert!(socket.is_none_or(|socket| socket.srtt_us.is_some() && socket.congestion_window > 0));
        }
    }
    let first = is_listed(outgoing.ends());
    let socket = first.sent.unwrap().socket.unwrap();
    assert_eq!(
        (socket.bytes_acked, socket.bytes_received),
        (Some(1_001), Some(2_000))
    );

    outgoing.exchange_in_turn(500, 700);

    let counted = wait_for(PATIENCE, "counted packets", || {
        let connection = listed(&daemon, outgoing.ends())?;
        let bytes = |half: &Option<tcpviewer::proto::Half>| half.as_ref().unwrap().payload_bytes;
        ((bytes(&connection.sent), bytes(&connection.received)) == (500, 700)).then_some(connection)
    });
    assert_eq!(counted.id, first.id, "one row from beginning to end");
    let ends = outgoing.ends();
    drop(outgoing);
    wait_for(PATIENCE, "orderly end", || {
        (listed(&daemon, ends)?.close_reason() == CloseReason::Fin).then_some(())
    });

    // A socket that goes without a packet: its interface takes none any more.
    let ends = outgoing_v6.ends();
    set_socket_linger(outgoing_v6.source.as_fd(), Some(Duration::ZERO)).unwrap();
    pair.left.ip("link set veth0 down");
    drop(outgoing_v6);
    let gone = wait_for(PATIENCE, "word of the socket's end", || {
        listed(&daemon, ends).filter(|connection| connection.close_reason() != CloseReason::Unspecified)
    });
    assert_eq!(gone.close_reason(), CloseReason::SocketGone);
    // What still lives is not touched by that.
    assert_eq!(is_listed(within.ends()).close_reason(), CloseReason::Unspecified);
    assert_eq!(
        is_listed(incoming.ends()).close_reason(),
        CloseReason::Unspecified
    );
    daemon.stop();
}

#[test]
fn connections_of_interfaces_that_are_not_watched_are_not_listed() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let _within = Open::new(&pair.left, &pair.left, Ipv4Addr::LOCALHOST);
    let _outgoing = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let listed = wait_for(PATIENCE, "older connection", || {
        Some(daemon.list()).filter(|listed| !listed.is_empty())
    });
    let interfaces: Vec<_> = listed.iter().map(|each| each.interface.as_str()).collect();
    assert_eq!(interfaces, ["veth0"]);
    daemon.stop();
}

/// Open sockets, two for each connection.
const SOCKETS: usize = 100_000;
/// Processes that hold them: one may have 20,000 files at most in many places.
const HOLDERS: u8 = 10;
/// What the daemon may take of one core while nothing happens, parts of it.
const SHARE: f64 = 0.05;

#[test]
fn a_hundred_thousand_idle_sockets_are_listed_soon_and_cost_little() {
    if !require_root() {
        return;
    }
    list_many(false);
}

#[test]
fn without_sock_diag_a_hundred_thousand_idle_sockets_cost_little_too() {
    if !require_root() {
        return;
    }
    list_many(true);
}

fn list_many(by_procfs: bool) {
    let _machine = own_machine();
    let namespace = Namespace::new();
    let holders: Vec<_> = (1..=HOLDERS)
        .map(|number| namespace.enter(|| hold(number)))
        .collect();
    let started = Instant::now();
    let mut command = namespace.command(env!("CARGO_BIN_EXE_tcpviewer"));
    command.args(["run", "--interface", "lo"]);
    if by_procfs {
        deny_sock_diag(&mut command);
    }
    let daemon = Daemon::serving(&namespace, command);
    let serves = started.elapsed();
    wait_for(PATIENCE, "all older connections", || {
        (daemon.status().connections?.open as usize >= SOCKETS / 2).then_some(())
    });
    let all_listed = started.elapsed();

    // The first look at all is behind it. Some seconds after a connection said something it is known to be idle; what
    // comes then is what it costs to keep up.
    wait_for(PATIENCE, "verdict of all connections", || {
        let idle = daemon.stats_of("verdict == idle").connections;
        (idle as usize >= SOCKETS / 2).then_some(())
    });
    let all_idle = started.elapsed();
    let (before, since) = (daemon.cpu_seconds(), Instant::now());
    thread::sleep(Duration::from_secs(20));
    let share = (daemon.cpu_seconds() - before) / since.elapsed().as_secs_f64();
    let status = daemon.status();
    println!(
        "{SOCKETS} sockets, by procfs: {by_procfs}; serves after {serves:.1?}, all listed after {all_listed:.1?}, known to be idle after \
         {all_idle:.1?}, then {:.2} % of one core, \
         {} MiB of memory",
        share * 100.0,
        status.resources.unwrap().resident_bytes >> 20
    );
    assert!(all_listed < serves + Duration::from_secs(10), "{all_listed:?}");
    assert!(share < SHARE, "{share}");
    assert_no_loss(&status.ledger.unwrap());
    drop(holders);
    daemon.stop();
}

/// A process that holds sockets open, and nothing else; ended when this is dropped.
struct Holder(Child);

impl Drop for Holder {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Opens connections over the loopback that another process takes over: one has files for a part of them only.
fn hold(number: u8) -> Holder {
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 1, number), 0)).unwrap();
    let listening = listener.local_addr().unwrap();
    let open: Vec<_> = (0..SOCKETS / 2 / usize::from(HOLDERS))
        .map(|_number| {
            (
                TcpStream::connect(listening).unwrap(),
                listener.accept().unwrap().0,
            )
        })
        .collect();
    for (client, server) in &open {
        for end in [client, server] {
            fcntl_setfd(end, FdFlags::empty()).unwrap();
        }
    }
    // The listener closes with this function and is not inherited.
    Holder(Command::new("sleep").arg("600").spawn().unwrap())
}

/// The connection, if it is listed.
fn listed(daemon: &Daemon<'_>, (source, destination): (SocketAddr, SocketAddr)) -> Option<Connection> {
    let is = |end: &Option<tcpviewer::proto::Endpoint>, address: SocketAddr| {
        end.as_ref().is_some_and(|end| {
            end.address == address.ip().to_string() && end.port == u32::from(address.port())
        })
    };
    let mut all = daemon.list().into_iter();
    all.find(|each| is(&each.source, source) && is(&each.destination, destination))
}
