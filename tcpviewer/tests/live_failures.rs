//! Connections that fail, and why: the error that the socket gets and the reason of the reset, in the kernel's own words,
//! joined to the row of the connection.

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
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketType, bind, connect, getsockname, socket},
};
use support::{
    PATIENCE,
    daemon::Daemon,
    namespaces::{Namespace, Pair},
    own_machine, require_root, share_machine,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{CloseReason, Connection, End, VerdictCause};

/// Behind the right end of the line; there is no way to it.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// On the line, and nobody has it.
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 9);

#[test]
fn a_port_where_nobody_listens_is_refused_for_want_of_a_socket() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemons = [&pair.left, &pair.right].map(|each| Daemon::start(each, &[]));
    let mapped = IpAddr::from(Pair::RIGHT.to_ipv6_mapped());
    for to in [Pair::RIGHT.into(), Pair::RIGHT_V6.into(), mapped] {
        let (ends, error) = attempt(&pair.left, SocketAddr::new(to, 9));
        assert_eq!(error, Errno::CONNREFUSED, "{to}");
        for daemon in &daemons {
            let failed = ended(daemon, ends, |each| {
                each.reset.is_some() && each.source_error.is_some()
            });
            assert_eq!(failed.close_reason(), CloseReason::Refused, "{to}");
            assert_eq!(words(&failed), ["ECONNREFUSED", "", "NO_SOCKET"], "{to}");
            assert_eq!(failed.reset.as_ref().unwrap().sender(), End::Destination);
            assert_eq!(failed.source_error.as_ref().unwrap().number, 111);
            let verdict = failed.verdict.unwrap();
            assert_eq!(verdict.cause(), VerdictCause::Refused);
            assert!(
                verdict
                    .text
                    .ends_with("reset by the destination for NO_SOCKET, ECONNREFUSED at the source"),
                "{}",
                verdict.text
            );
        }
    }
    let [left, _right] = &daemons;
    for (filter, expected) in [
        ("error == ECONNREFUSED and reset.by == destination", 3),
        ("errno == 111 and reset.reason == NO_SOCKET", 3),
        ("has destination.error or error == ETIMEDOUT", 0),
    ] {
        assert_eq!(left.list_of(filter).len(), expected, "{filter}");
    }
    for daemon in daemons {
        daemon.stop();
    }
}

#[test]
fn a_syn_without_an_answer_ends_with_the_error_that_the_socket_gets() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    pair.left.set("ipv4/tcp_syn_retries", "1");
    pair.left
        .ip(&format!("neigh add {NOBODY} lladdr 02:00:00:00:00:09 dev veth0"));
    pair.left
        .ip(&format!("route add 10.99.0.0/24 via {}", Pair::RIGHT));
    pair.right.set("ipv4/ip_forward", "1");
    pair.right.ip("route add unreachable 10.99.0.0/24");
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);

    for (to, errno, name, reason) in [
        (
            NOBODY,
            Errno::TIMEDOUT,
            "ETIMEDOUT",
            CloseReason::HandshakeTimeout,
        ),
        (
            NOWHERE,
            Errno::HOSTUNREACH,
            "EHOSTUNREACH",
            CloseReason::SocketError,
        ),
    ] {
        let (ends, error) = attempt(&pair.left, SocketAddr::from((to, 80)));
        assert_eq!(error, errno);
        let failed = ended(&daemon, ends, |each| each.source_error.is_some());
        assert_eq!((words(&failed), failed.close_reason()), ([name, "", ""], reason));
        let ended_at = failed.closed_at.unwrap();
        assert_eq!(Some(ended_at), failed.source_error.as_ref().unwrap().at);
        let verdict = failed.verdict.unwrap();
        assert_eq!(verdict.cause(), VerdictCause::NoAnswer);
        assert!(
            verdict.text.ends_with(&format!("{name} at the source")),
            "{}",
            verdict.text
        );
    }
    let counts = daemon.status().connections.unwrap();
    assert_eq!((counts.failed_total, counts.open), (2, 0));
    daemon.stop();
}

#[test]
fn who_closes_with_something_unread_aborts_and_the_other_end_is_reset() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let mut open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    let ends = open.ends();
    open.source.write_all(&[7; 1_000]).unwrap();
    let mut byte = [0];
    open.destination.read_exact(&mut byte).unwrap();

    drop(open.destination);

    let error = open.source.read(&mut byte).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let failed = ended(&daemon, ends, |each| each.source_error.is_some());
    assert_eq!(failed.close_reason(), CloseReason::ResetByDestination);
    assert_eq!(words(&failed), ["ECONNRESET", "", "TCP_ABORT_ON_CLOSE"]);
    assert_eq!(failed.reset.unwrap().sender(), End::Destination);
    // What ends well has nothing of the kind.
    let fine = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    let ends = fine.ends();
    fine.exchange_in_turn(100, 100);
    drop(fine);
    let fine = ended(&daemon, ends, |_each| true);
    assert_eq!(
        (words(&fine), fine.close_reason()),
        (["", "", ""], CloseReason::Fin)
    );
    daemon.stop();
}

#[test]
fn a_flood_of_refusals_is_cut_off_and_what_is_left_out_is_counted() {
    const ATTEMPTS: u64 = 20_000;
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let namespace = Namespace::new();
    let daemon = Daemon::start(&namespace, &["--interface", "lo"]);
    let started = Instant::now();
    namespace.enter(|| {
        for _attempt in 0..ATTEMPTS {
            let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, 9)).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        }
    });
    let took = started.elapsed();
    let ledger = daemon.status().ledger.unwrap();
    let [told, lost, withheld] = [
        ledger.failure_events,
        ledger.failure_events_lost,
        ledger.failure_events_withheld,
    ];
    println!("{ATTEMPTS} refused in {took:.1?}: {told} told, {lost} lost, {withheld} withheld");
    assert!(withheld > 0 && lost == 0);
    // A CPU tells of 128 in 50 ms.
    let windows = took.as_millis() as u64 / 50 + 2;
    let cpus = std::thread::available_parallelism().unwrap().get() as u64;
    assert!(told <= windows * 128 * cpus, "{told}");
    // One reset and one error each. A count may be lost where a packet comes in while one is made.
    assert!(told + withheld >= 2 * ATTEMPTS - ATTEMPTS / 100);
    // It tells again when it is over.
    let listener = namespace.enter(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let closed = listener.local_addr().unwrap();
    drop(listener);
    std::thread::sleep(Duration::from_millis(100));
    let (ends, _error) = attempt(&namespace, closed);
    ended(&daemon, ends, |each| {
        each.reset.is_some() && each.source_error.is_some()
    });
    daemon.stop();
}

/// Connects, in vain: the ends, and the error.
fn attempt(from: &Namespace, to: SocketAddr) -> ((SocketAddr, SocketAddr), Errno) {
    from.enter(|| {
        let family = if to.is_ipv4() {
            AddressFamily::INET
        } else {
            AddressFamily::INET6
        };
        let own: IpAddr = match to.ip() {
            IpAddr::V4(address) if address.is_loopback() => address.into(),
            IpAddr::V4(_) => Pair::LEFT.into(),
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => Pair::LEFT.to_ipv6_mapped().into(),
            IpAddr::V6(_) => "fd77::1".parse().unwrap(),
        };
        let socket = socket(family, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::new(own, 0)).unwrap();
        let from: SocketAddr = getsockname(&socket).unwrap().try_into().unwrap();
        let error = connect(&socket, &to).unwrap_err();
        ((from, to), error)
    })
}

/// Errors of source and destination, and the reason for the reset; nothing where there is none.
fn words(connection: &Connection) -> [&str; 3] {
    [
        connection.source_error.as_ref().map(|error| error.name.as_str()),
        connection
            .destination_error
            .as_ref()
            .map(|error| error.name.as_str()),
        connection.reset.as_ref().map(|reset| reset.reason.as_str()),
    ]
    .map(Option::unwrap_or_default)
}

/// The connection between these, once it has ended and says all that it is to say.
fn ended(
    daemon: &Daemon<'_>,
    (source, destination): (SocketAddr, SocketAddr),
    is_told: impl Fn(&Connection) -> bool,
) -> Connection {
    let is = |end: &Option<tcpviewer::proto::Endpoint>, address: SocketAddr| {
        end.as_ref().is_some_and(|end| {
            end.address == address.ip().to_canonical().to_string() && end.port == u32::from(address.port())
        })
    };
    wait_for(PATIENCE, "failed connection that says why", || {
        let mut all = daemon.list().into_iter();
        all.find(|each| is(&each.source, source) && is(&each.destination, destination))
            .filter(|each| each.closed_at.is_some() && is_told(each))
    })
}
