//! Who is at the ends of connections, with real processes: many that live for milliseconds, a server that forks, those
//! older than the daemon, those that became another program or passed the socket on, and numbers that came back.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and prints what it measured"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::{
    collections::HashMap,
    env, fs,
    io::{IoSlice, IoSliceMut, Read as _, Write as _, stdin},
    mem::MaybeUninit,
    net::{IpAddr, TcpListener, TcpStream},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    process::{self, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use rustix::{
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, accept_with, recvmsg, sendmsg,
    },
    process::{Pid, Signal, kill_process},
};
use support::{
    PATIENCE,
    daemon::Daemon,
    namespaces::{Bridged, Pair},
    own_machine,
    processes::{ControlGroup, ForkingServer, Met, Process, client},
    require_root, share_machine,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{Confidence, Connection, Process as Owner, ProcessSource};

/// What clients connect to.
const RIGHT: IpAddr = IpAddr::V4(Pair::RIGHT);

/// The connection from this port, once it is as wanted.
fn connection(daemon: &Daemon<'_>, port: u16, is_wanted: impl Fn(&Connection) -> bool) -> Connection {
    let mut newest = None;
    let started = Instant::now();
    loop {
        let found = daemon
            .list()
            .into_iter()
            .find(|connection| connection.source.as_ref().unwrap().port == u32::from(port));
        if let Some(found) = &found
            && is_wanted(found)
        {
            return found.clone();
        }
        newest = found.or(newest);
        assert!(started.elapsed() < PATIENCE, "{newest:#?}\n{}", daemon.log());
        thread::sleep(Duration::from_millis(50));
    }
}

fn both_are_named(connection: &Connection) -> bool {
    let is_complete = |owner: &Option<Owner>| {
        owner
            .as_ref()
            .is_some_and(|owner| owner.source() != ProcessSource::Listener)
    };
    is_complete(&connection.source_process) && is_complete(&connection.destination_process)
}

#[test]
fn a_thousand_processes_that_live_for_milliseconds_and_a_server_that_forks_are_named() {
    const CLIENTS: usize = 1_000;
    const SHORT: Duration = Duration::from_millis(20);
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0", "--keep-closed", "10m"]);
    let mut server = ForkingServer::start(&pair.right, RIGHT);
    let lives = Mutex::new(Vec::new());
    let address = server.address;
    pair.left.enter(|| {
        thread::scope(|scope| {
            for part in 0..2 {
                let lives = &lives;
                scope.spawn(move || {
                    for number in (part..CLIENTS).step_by(2) {
                        let started = Instant::now();
                        let name = format!("client-{number}");
                        let mut child = client(address, "exit", &name).spawn().unwrap();
                        let pid = child.id();
                        child.wait().unwrap();
                        lives.lock().unwrap().push((started.elapsed(), pid, name));
                    }
                });
            }
        });
    });
    let mut lives = lives.into_inner().unwrap();
    lives.sort();
    let short = lives.iter().filter(|(lived, ..)| *lived <= SHORT).count();
    println!(
        "half of the processes lived {:?} or less, {short} of {CLIENTS} no longer than {SHORT:?}",
        lives[CLIENTS / 2].0
    );
    let names: HashMap<u32, &str> = lives.iter().map(|(_, pid, name)| (*pid, name.as_str())).collect();
    let met: Vec<Met> = (0..CLIENTS).map(|_| server.met()).collect();

    // What is known a second after the last one.
    thread::sleep(Duration::from_secs(1));
    let listed: HashMap<u32, Connection> = daemon
        .list()
        .into_iter()
        .map(|connection| (connection.source.as_ref().unwrap().port, connection))
        .collect();
    let (mut right_sources, mut right_destinations, mut wrong) = (0, 0, Vec::new());
    for met in met {
        let connection = &listed[&u32::from(met.client_port)];
        match &connection.source_process {
            Some(owner)
                if owner.pid == met.client_pid
                    && owner.command == "bash"
                    && owner
                        .command_line()
                        .ends_with(&format!(" {}", names[&met.client_pid])) =>
            {
                right_sources += 1;
            }
            None => {}
            Some(owner) => wrong.push((met, owner.clone())),
        }
        match &connection.destination_process {
            Some(owner)
                if [server.process.pid(), met.child_pid].contains(&owner.pid) && owner.command == "perl" =>
            {
                right_destinations += 1;
            }
            None => {}
            Some(owner) => wrong.push((met, owner.clone())),
        }
    }
    let ledger = daemon.status().ledger.unwrap();
    println!(
        "of {CLIENTS}: {right_sources} connecting ends right, {right_destinations} accepting ends right, {} wrong; \
         the kernel told of {} processes and lost {}",
        wrong.len(),
        ledger.process_events,
        ledger.process_events_lost
    );
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(right_sources >= CLIENTS - CLIENTS / 1_000, "{right_sources}");
    assert!(
        right_destinations >= CLIENTS - CLIENTS / 1_000,
        "{right_destinations}"
    );
    daemon.stop();
}

#[test]
fn connections_older_than_the_daemon_are_named_in_all_namespaces() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let mut server = ForkingServer::start(&pair.right, RIGHT);
    // It says something every now and then, for packets to pass.
    let talk = "while sleep 0.2; do printf . >&3; done";
    let talker = Process::start(&pair.left, &mut client(server.address, talk, "talker"));
    let met = server.met();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);

    let connection = connection(&daemon, met.client_port, both_are_named);

    let source = connection.source_process.unwrap();
    assert_eq!((source.pid, source.command.as_str()), (talker.pid(), "bash"));
    assert!(source.command_line().ends_with(" talker"), "{source:?}");
    let destination = connection.destination_process.unwrap();
    assert_eq!(
        (destination.pid, destination.command.as_str()),
        (met.child_pid, "perl")
    );
    assert_eq!(destination.source(), ProcessSource::Descriptor);
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    for owner in [&source, &destination] {
        let link = format!("net:[{}]", owner.network_namespace());
        assert_eq!(namespace(owner.pid), PathBuf::from(link));
        assert_eq!(owner.confidence(), Confidence::Certain);
    }
    daemon.stop();
}

#[test]
fn who_became_another_program_is_named_as_it_was_when_it_connected() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let mut server = ForkingServer::start(&pair.right, RIGHT);
    let process = Process::start(
        &pair.left,
        &mut client(server.address, "exec sleep 60", "changes"),
    );
    let met = server.met();
    wait_for(PATIENCE, "other program", || {
        let command = fs::read_to_string(format!("/proc/{}/comm", process.pid())).unwrap();
        (command == "sleep\n").then_some(())
    });

    let connection = connection(&daemon, met.client_port, both_are_named);

    let owner = connection.source_process.unwrap();
    assert_eq!((owner.pid, owner.command.as_str()), (process.pid(), "bash"));
    // Its command line was read before, or not at all.
    assert_eq!(owner.source(), ProcessSource::Connect);
    assert!(owner.command_line.is_none_or(|line| line.ends_with(" changes")));
    daemon.stop();
}

#[test]
fn a_socket_that_was_passed_on_names_who_connected_it_or_who_holds_it() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let mut server = ForkingServer::start(&pair.right, RIGHT);
    // The child inherits the socket, and whoever connected it ends.
    let passes_on = "sleep 60 & echo $! >&3; exit";
    let address = server.address;
    let start = |name: &str| Process::start(&pair.left, &mut client(address, passes_on, name));

    let before = start("before");
    let (pid_before, holder) = (before.pid(), before);
    holder.wait();
    let met_before = server.met();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let after = start("after");
    let pid_after = after.pid();
    after.wait();
    let met_after = server.met();

    let known = connection(&daemon, met_after.client_port, both_are_named);
    let owner = known.source_process.unwrap();
    assert_eq!((owner.pid, owner.command.as_str()), (pid_after, "bash"));
    assert!(owner.command_line().ends_with(" after"), "{owner:?}");

    // Of the older one, whoever holds it: the process that connected it is gone, and is not named. Packets pass when
    // the holders end.
    let holders = children_named_sleep(&pair);
    for &pid in &holders {
        assert_ne!(pid, pid_before);
    }
    let owner_before = |daemon: &Daemon<'_>| {
        let port = u32::from(met_before.client_port);
        let mut all = daemon.list().into_iter();
        all.find(|connection| connection.source.as_ref().unwrap().port == port)
            .and_then(|connection| connection.source_process)
    };
    if let Some(owner) = owner_before(&daemon) {
        assert!(holders.contains(&owner.pid), "{owner:?}");
        assert_eq!(owner.command, "sleep");
    }
    for pid in holders {
        kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    }
    daemon.stop();
}

/// In the environment of a copy of this program that takes a socket over.
const TAKES_OVER: &str = "TCPVIEWER_TEST_TAKES_OVER";

/// No test but, in such a copy, a process that is sent a socket over its standard input and writes to it until it ends.
#[test]
fn takes_a_socket_over() {
    if env::var_os(TAKES_OVER).is_none() {
        return;
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut sent = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(
        stdin(),
        &mut [IoSliceMut::new(&mut byte)],
        &mut sent,
        RecvFlags::CMSG_CLOEXEC,
    )
    .unwrap();
    let socket = sent.drain().find_map(|message| {
        if let RecvAncillaryMessage::ScmRights(mut sockets) = message {
            sockets.next()
        } else {
            None
        }
    });
    let mut stream = TcpStream::from(socket.unwrap());
    while stream.write_all(b".").is_ok() {
        thread::sleep(Duration::from_millis(100));
    }
}

/// A process that takes a socket over, and the way to send it one.
fn heir(pair: &Pair) -> (Process, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "takes_a_socket_over"])
        .env(TAKES_OVER, "1")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null());
    (Process(pair.left.enter(|| command.spawn().unwrap())), ours)
}

/// Sends a socket to another process, and keeps none of it.
fn hand_over(socket: TcpStream, to: &UnixStream) {
    let sockets = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut sent = SendAncillaryBuffer::new(&mut space);
    assert!(sent.push(SendAncillaryMessage::ScmRights(&sockets)));
    sendmsg(to, &[IoSlice::new(b".")], &mut sent, SendFlags::empty()).unwrap();
}

#[test]
fn a_socket_that_was_sent_to_another_process_is_of_nobody_else() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    // Of a port that no client has, so that the older one has its source on the left.
    let listener = pair.right.enter(|| TcpListener::bind((RIGHT, 7000)).unwrap());
    let open = || {
        let to = listener.local_addr().unwrap();
        let source = pair.left.enter(|| TcpStream::connect(to).unwrap());
        let (destination, _address) = listener.accept().unwrap();
        Open { source, destination }
    };
    // One is sent before the daemon starts, one while it runs.
    let (mut before, (heir_before, way_before)) = (open(), heir(&pair));
    let port_before = before.ends().0.port();
    hand_over(before.source, &way_before);
    // On its way nobody holds it.
    before.destination.read_exact(&mut [0]).unwrap();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let (after, (heir_after, way_after)) = (open(), heir(&pair));
    let port_after = after.ends().0.port();
    connection(&daemon, port_after, |connection| {
        connection.source_process.is_some()
    });
    hand_over(after.source, &way_after);
    let _bystanders = [(); 8].map(|()| heir(&pair));

    let found = connection(&daemon, port_before, |connection| {
        connection.source_process.is_some()
    });
    let holder = found.source_process.unwrap();
    assert_eq!(
        (holder.pid, holder.source()),
        (heir_before.pid(), ProcessSource::Descriptor)
    );

    // Who connected it stays its owner, and who holds it now may be named: nobody else.
    let mut named = HashMap::new();
    for _look in 0..40 {
        let found = connection(&daemon, port_after, |_connection| true);
        let owner = found.source_process.unwrap();
        *named.entry(owner.pid).or_insert(0) += 1;
        thread::sleep(Duration::from_millis(50));
    }
    println!("named in 40 looks: {named:?}");
    assert!(
        named
            .keys()
            .all(|pid| [process::id(), heir_after.pid()].contains(pid)),
        "{named:?}"
    );
    daemon.stop();
}

/// Processes called `sleep` in the left namespace.
fn children_named_sleep(pair: &Pair) -> Vec<u32> {
    let inside = pair
        .left
        .enter(|| fs::read_link("/proc/thread-self/ns/net").unwrap());
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let is = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        is("comm") == "sleep\n" && fs::read_link(format!("/proc/{pid}/ns/net")).ok() == Some(inside.clone())
    })
    .collect()
}

#[test]
fn a_number_that_comes_back_names_each_process_for_its_own_connection() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0", "--keep-closed", "10m"]);
    let mut server = ForkingServer::start(&pair.right, RIGHT);
    let first = Process::start(&pair.left, &mut client(server.address, "exit", "first"));
    let pid = first.pid();
    first.wait();
    let met_first = server.met();
    // The next process gets the number after the last one, unless another one comes first.
    let (second, met_second) = (0..1_000)
        .find_map(|_| {
            // A thread takes a number as well, so nothing comes in between that is not of others.
            let process = Process(pair.left.enter(|| {
                let mut command = client(server.address, "sleep 60", "second");
                fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
                command.spawn().unwrap()
            }));
            let met = server.met();
            (process.pid() == pid).then_some((process, met))
        })
        .expect("the number comes back");

    for (met, name) in [(met_first, "first"), (met_second, "second")] {
        let connection = connection(&daemon, met.client_port, both_are_named);
        let owner = connection.source_process.unwrap();
        assert_eq!(owner.pid, pid);
        assert!(owner.command_line().ends_with(&format!(" {name}")), "{owner:?}");
    }
    let started = |met: Met| {
        let connection = connection(&daemon, met.client_port, both_are_named);
        connection.source_process.unwrap().started_at.unwrap()
    };
    let (one, other) = (started(met_first), started(met_second));
    assert!((one.seconds, one.nanos) < (other.seconds, other.nanos));
    drop(second);
    daemon.stop();
}

#[test]
fn a_server_that_does_not_ask_whom_it_accepts_is_known_by_its_listener_and_then_by_its_sockets() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let listener = pair.left.enter(|| TcpListener::bind((Pair::LEFT, 7000)).unwrap());
    let address = listener.local_addr().unwrap();
    let idle = Process::start(&pair.right, &mut client(address, "sleep 60", "idle"));
    let named = |source: ProcessSource| {
        move |connection: &Connection| {
            let owner = connection.destination_process.as_ref();
            owner.is_some_and(|owner| owner.source() == source)
        }
    };
    let port = wait_for(PATIENCE, "connection", || {
        let connections = daemon.list();
        let to_us = connections
            .iter()
            .find(|connection| connection.destination.as_ref().unwrap().port == 7000)?;
        Some(to_us.source.as_ref().unwrap().port as u16)
    });

    // Nobody holds the socket before it is accepted, so this stays as it is until then.
    let waiting = connection(&daemon, port, named(ProcessSource::Listener));
    let owner = waiting.destination_process.unwrap();
    assert_eq!(
        (owner.pid, owner.confidence()),
        (process::id(), Confidence::Likely)
    );

    // This call leaves no room for the other end's address. What the client writes makes the daemon look again.
    let accepted = TcpStream::from(accept_with(&listener, SocketFlags::CLOEXEC).unwrap());
    wait_for(PATIENCE, "better word", || {
        (&accepted).write_all(b".").unwrap();
        let mut all = daemon.list().into_iter();
        let found = all.find(|connection| connection.source.as_ref().unwrap().port == u32::from(port))?;
        named(ProcessSource::Descriptor)(&found).then_some(found)
    });
    drop(idle);
    daemon.stop();
}

#[test]
fn a_process_in_a_container_is_named_with_it_though_its_packets_only_pass_through() {
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let bridged = Bridged::new();
    let daemon = Daemon::start(&bridged.middle, &["--interface", "left0"]);
    let mut server = ForkingServer::start(&bridged.right, RIGHT);
    let Some(group) = ControlGroup::new(&format!("docker-{ID}.scope")) else {
        println!("skipped: there is no cgroup2");
        return;
    };
    let script = format!(
        "echo $$ > {}/cgroup.procs; exec 3<>/dev/tcp/{}/{}; echo $$ >&3; sleep 60",
        group.0.display(),
        server.address.ip(),
        server.address.port()
    );
    let inside = Process::start(
        &bridged.left,
        Command::new("bash").args(["-c", &script, "inside"]),
    );
    let met = server.met();

    let connection = connection(&daemon, met.client_port, |connection| {
        both_are_named(connection)
            && connection
                .source_process
                .as_ref()
                .is_some_and(|owner| owner.container.is_some())
    });

    let owner = connection.source_process.unwrap();
    assert_eq!((owner.pid, owner.command.as_str()), (inside.pid(), "bash"));
    assert_eq!(owner.container(), ID);
    assert_eq!(owner.source(), ProcessSource::Connect);
    let link = format!("net:[{}]", owner.network_namespace());
    let namespace = fs::read_link(format!("/proc/{}/ns/net", inside.pid())).unwrap();
    assert_eq!(namespace, PathBuf::from(link));
    let destination = connection.destination_process.unwrap();
    assert_eq!(destination.command, "perl");
    assert!([server.process.pid(), met.child_pid].contains(&destination.pid));
    // Its children end with it.
    drop(inside);
    drop(daemon);
}

#[test]
fn without_control_groups_and_capabilities_it_runs_and_says_what_that_costs() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let mut server = ForkingServer::start(&pair.right, RIGHT);
    let talk = "while sleep 0.2; do printf . >&3; done";
    let talker = Process::start(&pair.left, &mut client(server.address, talk, "talker"));
    let met = server.met();

    let hidden = "umount -a -t cgroup2; exec \"$0\" run --interface veth0";
    let mut command = pair.left.command("unshare");
    command.args(["--mount", "bash", "-c", hidden, env!("CARGO_BIN_EXE_tcpviewer")]);
    let daemon = Daemon::serving(&pair.left, command);
    let degradations = daemon.status().degradations;
    let owner = degradations
        .iter()
        .find(|degradation| degradation.feature == "owner");
    assert_eq!(
        owner.unwrap().reason,
        "procfs only: no cgroup2 mount",
        "{degradations:?}"
    );
    let found = connection(&daemon, met.client_port, |connection| {
        connection.source_process.is_some()
    });
    assert_eq!(found.source_process.unwrap().pid, talker.pid());
    daemon.stop();

    let mut command = pair.left.command("setpriv");
    command
        .args([
            "--bounding-set",
            "-sys_ptrace,-dac_read_search,-dac_override",
            "--",
        ])
        .args([env!("CARGO_BIN_EXE_tcpviewer"), "run", "--interface", "veth0"]);
    let daemon = Daemon::serving(&pair.left, command);
    let degradations = daemon.status().degradations;
    let missing = degradations
        .iter()
        .find(|degradation| degradation.reason.contains("CAP_SYS_PTRACE"));
    let missing = missing.unwrap_or_else(|| panic!("{degradations:?}"));
    assert_eq!(missing.feature, "owner");
    assert!(missing.reason.contains("CAP_DAC_READ_SEARCH"), "{missing:?}");
    assert!(!missing.effect.is_empty());
    daemon.stop();
}
