//! The daemon where something is missing that it would like to use: it runs, says what is missing and what that costs,
//! and tells what can be told without. Control groups are with the owners of sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::{
    io::{self, Write as _},
    net::{IpAddr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd as _,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::net::sockopt::set_socket_linger;

use support::{
    PATIENCE,
    daemon::{Daemon, assert_no_loss},
    deny::deny_sock_diag,
    namespaces::{Bridged, Namespace, Pair},
    processes::{self, ForkingServer, client},
    require_root, share_machine,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{
    CloseReason, Connection, Degradation, Endpoint, Half, Listener, LocalEnd, Orientation, Process,
    SocketSource, TcpState, VerdictKind,
};

#[test]
fn without_sock_diag_procfs_tells_who_listens_and_packets_tell_the_rest() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let listener = pair.left.enter(|| TcpListener::bind((Pair::LEFT, 0)).unwrap());
    let listens_at = listener.local_addr().unwrap();

    let daemon = without_sock_diag(&pair.left, &["--interface", "veth0"]);

    let degradation = named(&daemon, "sockets");
    assert!(degradation.reason.starts_with("procfs only: "), "{degradation:?}");
    assert!(degradation.reason.contains("sock_diag"), "{degradation:?}");
    for words in ["older than the daemon", "neither limits nor drops"] {
        assert!(degradation.effect.contains(words), "{degradation:?}");
    }

    let waiting = [(); 2].map(|()| {
        let connect = || TcpStream::connect(listens_at).unwrap();
        pair.right.enter(connect)
    });
    let found = wait_for(PATIENCE, "listener with two that wait", || {
        let listeners = daemon.listeners();
        let mut at = listeners
            .into_iter()
            .filter(|each| each.address.as_ref().unwrap().port == u32::from(listens_at.port()));
        at.next()
            .filter(|each| each.accept_queue == 2 && each.process.is_some())
    });
    assert_eq!(found.process.unwrap().pid, std::process::id());
    assert_eq!((found.accept_queue_limit, found.drops), (None, None), "not known");
    let counters = daemon.stats().host_counters;
    assert!(
        counters
            .iter()
            .any(|each| each.name == "PassiveOpens" && each.total >= 2)
    );

    let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    open.exchange_in_turn(5_000, 7_000);
    let port = u32::from(open.ends().0.port());
    let is_it = |each: &Connection| each.source.as_ref().unwrap().port == port;
    let connection = wait_for(PATIENCE, "connection with a verdict", || {
        let mut listed = daemon.list().into_iter();
        let found = listed.find(is_it)?;
        let bytes = found.received.as_ref().unwrap().payload_bytes;
        (bytes == 7_000 && found.verdict.is_some()).then_some(found)
    });
    assert_eq!(connection.verdict.unwrap().kind(), VerdictKind::Healthy);
    // What it said as it sent, and what procfs says besides.
    let socket = wait_for(PATIENCE, "look at all sockets", || {
        let socket = daemon.list().into_iter().find(is_it)?.sent?.socket?;
        socket.looked_at.is_some().then_some(socket)
    });
    assert_eq!(
        (socket.source(), socket.looked_at_source(), socket.state()),
        (SocketSource::Egress, SocketSource::Procfs, TcpState::Established)
    );
    assert!(
        socket.mss_bytes.is_some() && socket.rto_us.is_some(),
        "{socket:?}"
    );
    assert_no_loss(&daemon.status().ledger.unwrap());
    drop((waiting, open));
    daemon.stop();
}

#[test]
fn without_sock_diag_older_connections_are_listed_from_the_first_second_by_procfs() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let listen = |namespace: &Namespace, address: IpAddr| {
        namespace.enter(|| TcpListener::bind((address, 8080)).unwrap())
    };
    let open = |from: &Namespace, listener: &TcpListener| {
        let to = listener.local_addr().unwrap();
        let source = from.enter(|| TcpStream::connect(to).unwrap());
        let (destination, _address) = listener.accept().unwrap();
        Open { source, destination }
    };
    let there = listen(&pair.right, Pair::RIGHT.into());
    let here = listen(&pair.left, Pair::LEFT.into());
    let on_loopback = listen(&pair.left, Ipv6Addr::LOCALHOST.into());
    let outgoing = open(&pair.left, &there);
    let incoming = open(&pair.right, &here);
    let within = open(&pair.left, &on_loopback);
    // Seen by the sockets alone: no packet passes from here on.
    outgoing.exchange_in_turn(1_000, 2_000);
    (&incoming.source).write_all(b"unread").unwrap();
    let closing = open(&pair.left, &there);
    closing.destination.shutdown(Shutdown::Write).unwrap();

    let daemon = without_sock_diag(&pair.left, &["--interface", "veth0", "--interface", "lo"]);
    let serves = Instant::now();
    let is_complete = |connection: &Connection| {
        let local = connection.local_end();
        let is_named =
            |end, process: &Option<Process>| local != end && local != LocalEnd::Both || process.is_some();
        is_named(LocalEnd::Source, &connection.source_process)
            && is_named(LocalEnd::Destination, &connection.destination_process)
    };
    let all = [&outgoing, &incoming, &within, &closing];
    let ends = all.map(Open::ends);
    let mut before = Vec::new();
    let listed = loop {
        let listed = daemon.list();
        let found = ends.map(|ends| listed.iter().find(|each| is(each, ends) && is_complete(each)));
        if let [Some(a), Some(b), Some(c), Some(d)] = found {
            break [a, b, c, d].map(Connection::clone);
        }
        assert!(
            serves.elapsed() < PATIENCE,
            "not all of {ends:#?} with their owners in {listed:#?}"
        );
        before = listed;
        sleep(Duration::from_millis(20));
    };
    let took = serves.elapsed();
    println!("four older connections with their owners {took:.1?} after the daemon serves");
    assert!(
        took < Duration::from_secs(1),
        "{took:?}: not all of {ends:#?} just before in {before:#?}"
    );

    let (established, closed_there) = (TcpState::Established, TcpState::CloseWait);
    for (connection, local_end, sockets, state) in [
        (&listed[0], LocalEnd::Source, [true, false], established),
        (&listed[1], LocalEnd::Destination, [false, true], established),
        (&listed[2], LocalEnd::Both, [true, true], established),
        (&listed[3], LocalEnd::Source, [true, false], closed_there),
    ] {
        let own_state = if local_end == LocalEnd::Destination {
            connection.destination_state()
        } else {
            connection.source_state()
        };
        assert_eq!((connection.local_end(), own_state), (local_end, state));
        assert_eq!(connection.orientation(), Orientation::Listener);
        let halves = [&connection.sent, &connection.received];
        for (half, has_socket) in halves.into_iter().zip(sockets) {
            let half = half.as_ref().unwrap();
            assert_eq!((half.packets, half.payload_bytes), (0, 0));
            let Some(socket) = &half.socket else {
                assert!(!has_socket, "{connection:?}");
                continue;
            };
            assert!(has_socket && socket.looked_at.is_some(), "{connection:?}");
            assert_eq!(
                (socket.source(), socket.looked_at_source()),
                (SocketSource::Procfs, SocketSource::Procfs)
            );
            assert!(
                socket.congestion_window > 0 && socket.rto_us.is_some(),
                "{socket:?}"
            );
            assert_eq!(
                (socket.accepted, socket.unanswered_timeouts),
                (Some(true), Some(0))
            );
            // What procfs does not tell.
            assert_eq!(
                (socket.srtt_us, socket.mss_bytes, socket.in_flight),
                (None, None, None)
            );
            assert_eq!(
                (socket.retransmissions, socket.bytes_acked, socket.backoff),
                (None, None, None)
            );
        }
        let owners = [&connection.source_process, &connection.destination_process];
        for (owner, has_socket) in owners.into_iter().zip(sockets) {
            if has_socket {
                assert_eq!(owner.as_ref().unwrap().pid, std::process::id());
            }
        }
    }
    let socket_of = |half: &Option<Half>| half.as_ref().unwrap().socket.clone().unwrap();
    assert_eq!(socket_of(&listed[1].received).receive_queue_bytes, Some(6));

    // It goes on as with sock_diag: counted from the first packet, and ended with its socket.
    outgoing.exchange_in_turn(500, 700);
    wait_for(PATIENCE, "counted packets", || {
        let listed = daemon.list().into_iter().find(|each| is(each, outgoing.ends()))?;
        let bytes = |half: &Option<Half>| half.as_ref().unwrap().payload_bytes;
        ((bytes(&listed.sent), bytes(&listed.received)) == (500, 700)).then_some(())
    });
    let ends = incoming.ends();
    set_socket_linger(incoming.destination.as_fd(), Some(Duration::ZERO)).unwrap();
    pair.left.ip("link set veth0 down");
    drop(incoming);
    let gone = wait_for(PATIENCE, "word of the socket's end", || {
        let found = daemon.list().into_iter().find(|each| is(each, ends));
        found.filter(|connection| connection.close_reason() != CloseReason::Unspecified)
    });
    assert_eq!(gone.close_reason(), CloseReason::SocketGone);
    for open in [&within, &outgoing] {
        let connection = daemon.list().into_iter().find(|each| is(each, open.ends()));
        assert_eq!(connection.unwrap().close_reason(), CloseReason::Unspecified);
    }
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn without_sock_diag_procfs_tells_of_containers_too() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let bridged = Bridged::new();
    let mut server = ForkingServer::start(&bridged.right, Pair::RIGHT.into());
    let source = processes::Process::start(&bridged.left, &mut client(server.address, "sleep 600", "older"));
    let met = server.met();

    let daemon = without_sock_diag(
        &bridged.middle,
        &["--interface", "left0", "--interface", "right0"],
    );

    let socket_of = |half: &Option<Half>| half.as_ref()?.socket.clone();
    let (found, sockets) = wait_for(PATIENCE, "older connection with owners and numbers", || {
        let mut listed = daemon.list().into_iter();
        let found = listed.find(|each| each.source.as_ref().unwrap().port == u32::from(met.client_port))?;
        let sockets = [socket_of(&found.sent)?, socket_of(&found.received)?];
        (found.source_process.is_some() && found.destination_process.is_some()).then_some((found, sockets))
    });
    assert_eq!(
        (
            found.state(),
            found.source_process.unwrap().pid,
            found.destination_process.unwrap().pid
        ),
        (TcpState::Established, source.pid(), met.child_pid)
    );
    for socket in sockets {
        assert_eq!((socket.source(), socket.mss_bytes), (SocketSource::Procfs, None));
        assert!(
            socket.rto_us.is_some() && socket.congestion_window > 0,
            "{socket:?}"
        );
    }
    let listener = wait_for(PATIENCE, "listener with its process", || {
        let pid = |each: &Listener| each.process.as_ref().map(|process| process.pid);
        let mut listeners = daemon.listeners().into_iter();
        listeners.find(|each| pid(each) == Some(server.process.pid()))
    });
    assert_eq!(listener.network_namespace, Some(bridged.right.inode()));
    assert_eq!((listener.accept_queue, listener.accept_queue_limit), (0, None));

    // Its end is told by its packets, as ever.
    drop(source);
    wait_for(PATIENCE, "end", || {
        let found = daemon.list().into_iter().find(|each| each.id == found.id)?;
        (found.close_reason() != CloseReason::Unspecified).then_some(())
    });
    daemon.stop();
}

/// A daemon that gets no sockets for sock_diag.
fn without_sock_diag<'a>(namespace: &'a Namespace, arguments: &[&str]) -> Daemon<'a> {
    let mut command = namespace.command(env!("CARGO_BIN_EXE_tcpviewer"));
    command.arg("run").args(arguments);
    deny_sock_diag(&mut command);
    Daemon::serving(namespace, command)
}

fn is(connection: &Connection, (source, destination): (SocketAddr, SocketAddr)) -> bool {
    let is = |end: &Option<Endpoint>, address: SocketAddr| {
        end.as_ref().is_some_and(|end| {
            end.address == address.ip().to_string() && end.port == u32::from(address.port())
        })
    };
    is(&connection.source, source) && is(&connection.destination, destination)
}

#[test]
fn with_the_processes_of_others_hidden_it_runs_and_says_so() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let hidden = "mount -t proc -o hidepid=2 proc /proc && exec setpriv --bounding-set \
                  -sys_ptrace,-dac_read_search,-dac_override -- \"$0\" run --interface veth0";
    let mut command = pair.left.command("unshare");
    command.args(["--mount", "bash", "-c", hidden, env!("CARGO_BIN_EXE_tcpviewer")]);

    let daemon = Daemon::serving(&pair.left, command);

    let degradation = named(&daemon, "owner");
    assert!(degradation.reason.contains("CAP_SYS_PTRACE"), "{degradation:?}");
    assert!(degradation.effect.contains("other users"), "{degradation:?}");
    assert_counts(&pair, &daemon);
    daemon.stop();
}

#[test]
fn without_tracefs_nothing_is_missing() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let whole = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let degradations = whole.status().degradations;
    whole.stop();
    let hidden = "umount -a -t tracefs; umount -a -t debugfs; exec \"$0\" run --interface veth0";
    let mut command = pair.left.command("unshare");
    command.args(["--mount", "bash", "-c", hidden, env!("CARGO_BIN_EXE_tcpviewer")]);

    let daemon = Daemon::serving(&pair.left, command);

    assert_eq!(daemon.status().degradations, degradations);
    assert_counts(&pair, &daemon);
    daemon.stop();
}

#[test]
fn without_the_kernels_types_failures_have_no_reason_and_it_says_so() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let hidden =
        "mount --make-rprivate / && mount -t tmpfs none /sys/kernel/btf && exec \"$0\" run --interface veth0";
    let mut command = pair.left.command("unshare");
    command.args(["--mount", "sh", "-c", hidden, env!("CARGO_BIN_EXE_tcpviewer")]);

    let daemon = Daemon::serving(&pair.left, command);

    for (feature, effect) in [
        ("failures: socket_error", "with which error"),
        ("failures: reset_sent", "not known why"),
    ] {
        let degradation = named(&daemon, feature);
        assert!(
            degradation.reason.contains("/sys/kernel/btf/vmlinux"),
            "{degradation:?}"
        );
        assert!(degradation.effect.contains(effect), "{degradation:?}");
    }
    let refused = pair.left.enter(|| TcpStream::connect((Pair::RIGHT, 9)));
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let connection = wait_for(PATIENCE, "refused connection", || {
        daemon.list_of("close_reason == refused").pop()
    });
    assert_eq!((connection.source_error, connection.reset), (None, None));
    assert_counts(&pair, &daemon);
    daemon.stop();
}

fn named(daemon: &Daemon<'_>, feature: &str) -> Degradation {
    let degradations = daemon.status().degradations;
    let mut found = degradations.iter().filter(|each| each.feature == feature);
    found
        .next()
        .cloned()
        .unwrap_or_else(|| panic!("no {feature} in {degradations:?}"))
}

/// What passes is counted.
fn assert_counts(pair: &Pair, daemon: &Daemon<'_>) {
    let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    open.exchange_in_turn(5_000, 7_000);
    let port = u32::from(open.ends().0.port());
    wait_for(PATIENCE, "connection with its bytes", || {
        let mut listed = daemon.list().into_iter();
        let found = listed.find(|each| each.source.as_ref().unwrap().port == port)?;
        (found.received.unwrap().payload_bytes == 7_000).then_some(())
    });
}
