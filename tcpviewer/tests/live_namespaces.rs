//! Sockets of other network namespaces, as containers have them: who listens there, and connections that are older than
//! the daemon, with their owners and numbers, and never those of another namespace with the same addresses.

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
    collections::HashSet,
    fs,
    net::{IpAddr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use support::{
    PATIENCE,
    daemon::{Daemon, assert_no_loss},
    kernel::sockets,
    namespaces::{Bridged, Namespace, Pair},
    own_machine,
    processes::{ControlGroup, ForkingServer, Process, client},
    require_root, share_machine, wait_for,
};
use tcpviewer::proto::{
    CloseReason, Connection, Half, Listener, Orientation, Socket, SocketSource, TcpState,
};

/// As a container's id is.
const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// What clients connect to.
const RIGHT: IpAddr = IpAddr::V4(Pair::RIGHT);

/// A process in a container that listens at any address with a backlog of seven, and accepts nobody.
fn deaf_server(namespace: &Namespace, group: &ControlGroup) -> Process {
    let script = format!(
        "echo $$ > {}/cgroup.procs; exec perl -e 'use IO::Socket::INET; my $l = IO::Socket::INET->new(\
         LocalAddr => \"0.0.0.0\", LocalPort => 7001, Listen => 7) or die $!; sleep 600'",
        group.0.display()
    );
    Process::start(namespace, Command::new("bash").args(["-c", &script]))
}

fn namespace_of(pid: u32) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/net")).unwrap().ino()
}

/// The listeners of these processes, once they are all named.
fn listeners_of<const N: usize>(daemon: &Daemon<'_>, servers: [&Process; N]) -> [Listener; N] {
    wait_for(PATIENCE, "listeners with their processes", || {
        let listeners = daemon.listeners();
        let of = |server: &Process| {
            let pid = |each: &Listener| each.process.as_ref().map(|process| process.pid);
            let mut all = listeners.iter();
            all.find(|each| pid(each) == Some(server.pid())).cloned()
        };
        let found: Option<Vec<_>> = servers.map(of).into_iter().collect();
        found?.try_into().ok()
    })
}

#[test]
fn who_listens_in_a_container_is_told_with_it_and_with_what_waits() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let Pair { left, right } = Pair::new();
    let Some(group) = ControlGroup::new(&format!("docker-{ID}.scope")) else {
        println!("skipped: there is no cgroup2");
        return;
    };
    let in_container = deaf_server(&right, &group);
    // The same address and port once more, and nobody knocks there.
    let Some(other_group) = ControlGroup::new("other.service") else {
        return;
    };
    let here = deaf_server(&left, &other_group);
    for namespace in [&left, &right] {
        wait_for(PATIENCE, "server that listens", || {
            let listening = namespace
                .command("ss")
                .args(["-tlnH", "sport = :7001"])
                .output()
                .unwrap();
            (!listening.stdout.is_empty()).then_some(())
        });
    }
    let daemon = Daemon::start(&left, &["--interface", "veth0"]);
    let knock = || std::net::TcpStream::connect((RIGHT, 7001)).unwrap();
    let _waiting = [(); 3].map(|()| left.enter(knock));

    let found = listeners_of(&daemon, [&in_container, &here]);

    for (listener, (server, waiting)) in found.iter().zip([(&in_container, 3), (&here, 0)]) {
        assert_eq!(listener.network_namespace, Some(namespace_of(server.pid())));
        assert_eq!(
            (
                listener.accept_queue,
                listener.accept_queue_limit,
                listener.syn_queue,
                listener.drops
            ),
            (waiting, Some(7), Some(0), Some(0))
        );
        assert_eq!(listener.process.as_ref().unwrap().command, "perl");
    }
    let [contained, plain] = found.each_ref().map(|each| each.process.as_ref().unwrap());
    assert_eq!(contained.container(), ID);
    assert_eq!((plain.container.as_ref(), plain.unit()), (None, "other.service"));

    let mut ask = left.command(env!("CARGO_BIN_EXE_tcpviewer"));
    let told = ask.args(["listeners", "--server", &daemon.url]).output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    println!("{told}");
    let line = |pid: u32| {
        told.lines()
            .find(|line| line.contains(&format!("perl/{pid} ")))
            .unwrap()
    };
    assert!(line(in_container.pid()).ends_with(&ID[..12]), "{told}");
    assert!(line(here.pid()).ends_with("other.service"), "{told}");

    // A namespace is not held by who looked into it: its devices go with its last process.
    drop((in_container, here));
    drop(right);
    wait_for(PATIENCE, "end of the namespace and of the cable into it", || {
        (!left.ip("link show").contains("veth0")).then_some(())
    });
    daemon.stop();
}

#[test]
fn two_hundred_namespaces_are_looked_into_at_little_cost() {
    /// What the daemon may take of one core while nothing happens, parts of it.
    const SHARE: f64 = 0.05;
    const NAMESPACES: usize = 200;
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let here = Namespace::new();
    let others: Vec<_> = (0..NAMESPACES)
        .map(|_number| {
            let namespace = Namespace::new();
            let process = Process::start(&namespace, Command::new("perl").args(["-e", LISTENS]));
            (process, namespace)
        })
        .collect();
    let daemon = Daemon::start(&here, &["--interface", "lo"]);
    let pids: HashSet<_> = others.iter().map(|(process, _)| process.pid()).collect();
    let shows = Instant::now();
    wait_for(PATIENCE, "a listener of each namespace", || {
        let listeners = daemon.listeners();
        let found = listeners.iter().filter_map(|each| each.process.as_ref());
        let found = found.filter(|process| pids.contains(&process.pid)).count();
        (found == NAMESPACES).then_some(())
    });
    let shown = shows.elapsed();
    let asked = Instant::now();
    let listed = daemon.listeners().len();
    let answered = asked.elapsed();

    let (before, since) = (daemon.cpu_seconds(), Instant::now());
    thread::sleep(Duration::from_secs(20));
    let share = (daemon.cpu_seconds() - before) / since.elapsed().as_secs_f64();

    println!(
        "{NAMESPACES} namespaces: all listeners with their processes after {shown:.1?}, {listed} listeners told in \
         {answered:.1?}, {:.2} % of one core while nothing happens",
        share * 100.0
    );
    assert!(share < SHARE, "{share}");
    // The processes go before their namespaces.
    daemon.stop();
}

/// Listens, and accepts nobody.
const LISTENS: &str = "use IO::Socket::INET; my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7002, \
                       Listen => 7) or die $!; sleep 600";

#[test]
fn without_the_right_to_enter_them_procfs_tells_who_listens_in_other_namespaces() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let server = ForkingServer::start(&pair.right, RIGHT);
    let mut command = pair.left.command("setpriv");
    command
        .args([
            "--bounding-set",
            "-sys_admin",
            "--",
            env!("CARGO_BIN_EXE_tcpviewer"),
        ])
        .args(["run", "--interface", "veth0"]);

    let daemon = Daemon::serving(&pair.left, command);

    let [found] = listeners_of(&daemon, [&server.process]);
    assert_eq!(found.process.as_ref().unwrap().pid, server.process.pid());
    assert_eq!((found.accept_queue_limit, found.drops), (None, None), "not known");
    assert_eq!(found.network_namespace, Some(namespace_of(server.process.pid())));
    let degradations = daemon.status().degradations;
    let named = degradations
        .iter()
        .find(|each| each.feature == "sockets: other network namespaces");
    let named = named.unwrap_or_else(|| panic!("{degradations:?}"));
    assert_eq!(
        named.reason,
        "procfs only: they cannot be entered, which takes CAP_SYS_ADMIN: Operation not permitted (os error 1)"
    );
    assert!(named.effect.contains("neither limits nor drops"), "{named:?}");
    daemon.stop();
}

/// A client that says its number and then nothing any more.
fn silent_client(namespace: &Namespace, to: SocketAddr, name: &str) -> Process {
    Process::start(namespace, &mut client(to, "sleep 600", name))
}

fn listed(daemon: &Daemon<'_>, port: u16) -> Option<Connection> {
    let mut all = daemon.list().into_iter();
    all.find(|each| each.source.as_ref().unwrap().port == u32::from(port))
}

fn socket_of(half: &Option<Half>) -> Option<&Socket> {
    half.as_ref()?.socket.as_ref()
}

#[test]
fn older_connections_between_containers_are_listed_with_owners_and_numbers() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let bridged = Bridged::new();
    let mut server = ForkingServer::start(&bridged.right, RIGHT);
    let source = silent_client(&bridged.left, server.address, "older");
    let met = server.met();

    // No packet passes from here on.
    let daemon = Daemon::start(
        &bridged.middle,
        &["--interface", "left0", "--interface", "right0"],
    );
    let serves = Instant::now();
    let connection = wait_for(PATIENCE, "older connection with owners and numbers", || {
        let found = listed(&daemon, met.client_port)?;
        let has_all = found.source_process.is_some()
            && found.destination_process.is_some()
            && socket_of(&found.sent).is_some()
            && socket_of(&found.received).is_some();
        has_all.then_some(found)
    });
    println!(
        "listed with owners and numbers {:.1?} after the daemon serves",
        serves.elapsed()
    );

    assert_eq!(
        (
            connection.state(),
            connection.orientation(),
            connection.interface.as_str()
        ),
        (TcpState::Established, Orientation::Listener, "left0")
    );
    let owners =
        [&connection.source_process, &connection.destination_process].map(|owner| owner.as_ref().unwrap());
    assert_eq!(owners.map(|owner| owner.pid), [source.pid(), met.child_pid]);
    assert_eq!(
        owners.map(|owner| owner.network_namespace()),
        [source.pid(), met.child_pid].map(namespace_of)
    );
    let halves = [
        (&bridged.left, &connection.sent),
        (&bridged.right, &connection.received),
    ];
    for (namespace, half) in halves {
        let socket = socket_of(half).unwrap();
        let known = sockets(namespace);
        let is_it = |end: &SocketAddr| end.port() == met.client_port;
        let known = &known
            .iter()
            .find(|((from, to), _)| is_it(from) || is_it(to))
            .unwrap()
            .1;
        assert_eq!(socket.source(), SocketSource::SockDiag);
        assert_eq!(half.as_ref().unwrap().packets, 0);
        assert_eq!(
            (
                Some(socket.congestion_window),
                socket.mss_bytes,
                socket.segments_sent.map(u64::from),
                socket.segments_received.map(u64::from)
            ),
            (
                known.congestion_window,
                Some(known.mss_bytes),
                Some(known.segments_out),
                Some(known.segments_in)
            )
        );
    }

    // It is one row to its end, which its packets tell.
    drop(source);
    let ended = wait_for(PATIENCE, "end", || {
        let found = listed(&daemon, met.client_port)?;
        (found.close_reason() != CloseReason::Unspecified).then_some(found)
    });
    assert_eq!(ended.id, connection.id);
    assert!(ended.sent.unwrap().packets > 0);
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn a_socket_with_the_same_addresses_in_another_namespace_is_never_taken_for_it() {
    const PORT: u16 = 40_001;
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let bridged = Bridged::new();
    // Both addresses, both ports: only the namespace is another one.
    let lab = Pair::new();
    let mut servers = [&bridged.right, &lab.right].map(|namespace| ForkingServer::start(namespace, RIGHT));
    let connect = |namespace: &Namespace, name: &str, says: usize| {
        let script = format!(
            "use IO::Socket::INET; my $c = IO::Socket::INET->new(PeerAddr => '{RIGHT}', PeerPort => {}, LocalPort => {PORT}) \
             or die $!; syswrite $c, \"$$\\n\" . ('.' x {says}); sleep 600",
            servers[0].address.port(),
        );
        Process::start(namespace, Command::new("perl").args(["-e", &script, name]))
    };
    // Those of the lab said much more.
    let clients = [
        connect(&bridged.left, "ours", 10),
        connect(&lab.left, "others", 9_000),
    ];
    let met = servers.each_mut().map(ForkingServer::met);
    let daemon = Daemon::start(
        &bridged.middle,
        &["--interface", "left0", "--interface", "right0"],
    );
    let is_named = |found: &Connection| found.source_process.is_some() && found.destination_process.is_some();

    let started = Instant::now();
    let mut looks = 0;
    let mut was_named = false;
    while started.elapsed() < Duration::from_secs(8) {
        let Some(found) = listed(&daemon, PORT) else {
            continue;
        };
        looks += 1;
        was_named |= is_named(&found);
        for (owner, pid) in [
            (&found.source_process, clients[0].pid()),
            (&found.destination_process, met[0].child_pid),
        ] {
            assert!(
                owner.as_ref().is_none_or(|owner| owner.pid == pid),
                "{owner:?}, not {pid}"
            );
        }
        let acked = socket_of(&found.sent).and_then(|socket| socket.bytes_acked);
        let received = socket_of(&found.received).and_then(|socket| socket.bytes_received);
        for bytes in [acked, received] {
            assert!(bytes.is_none_or(|bytes| bytes < 100), "{found:?}");
        }
        thread::sleep(Duration::from_millis(50));
    }
    println!("{looks} looks; named: {was_named}");
    assert!(looks > 20 && was_named);
    // Nor does the end of the others end it.
    let [ours, others] = clients;
    drop(others);
    thread::sleep(Duration::from_secs(5));
    assert_eq!(
        listed(&daemon, PORT).unwrap().close_reason(),
        CloseReason::Unspecified
    );
    drop(ours);
    daemon.stop();
}
