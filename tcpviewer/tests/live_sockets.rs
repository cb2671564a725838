//! What the kernel says of its sockets when it is asked: all of it as `ss` has it, of connections under load.

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
    collections::BTreeSet,
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd as _, OwnedFd},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketFlags, SocketType, bind, connect, socket_with,
        sockopt::set_socket_send_buffer_size,
    },
};
use support::{
    PATIENCE,
    daemon::Daemon,
    fate::Conditions,
    kernel::{Socket as Known, sockets},
    lossy::LossyLink,
    namespaces::Pair,
    own_machine, require_root, share_machine,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{Confidence, Connection, Listener, Socket, SocketSource};

/// Long enough for moments in which no socket's timer ends.
const LINE: Conditions = Conditions {
    delay: Duration::from_millis(400),
    bits_per_second: Some(40_000_000),
    capacity: 2_000,
    loss: 0.002,
    ..Conditions::PERFECT
};
const CONNECTIONS: usize = 50;
const LOAD: Duration = Duration::from_secs(8);

#[test]
fn the_numbers_of_fifty_sockets_under_load_are_those_of_ss() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    // Of the others, few have a slow start threshold.
    pair.left.set("ipv4/tcp_congestion_control", "reno");
    let _line = LossyLink::start(&pair, "lossy0", 1, 7, LINE);
    let daemon = Daemon::start(
        &pair.left,
        &["--interface", "lossy0", "--update-interval", "50ms"],
    );
    let open = || Open::new(&pair.left, &pair.right, Ipv4Addr::new(10, 77, 1, 2));
    let connections: Vec<_> = thread::scope(|scope| {
        let opening: Vec<_> = (0..CONNECTIONS).map(|_number| scope.spawn(open)).collect();
        opening.into_iter().map(|thread| thread.join().unwrap()).collect()
    });

    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for (number, open) in connections.iter().enumerate() {
            let (load, over) = (Load::of(number), &over);
            scope.spawn(move || send(&open.source, load, over));
            scope.spawn(move || take(&open.destination, load, over));
        }
        thread::sleep(LOAD);
        over.store(true, Ordering::Relaxed);
    });
    // When nobody writes and the line is cut, sockets stay as they are until one of their timers ends, which then pauses
    // twice as long.
    pair.right.ip("link set lossy0 down");
    let cut_at = SystemTime::now();
    let (of_kernel, asked_at, listed) = wait_for(PATIENCE, "moment in which no socket sends", || {
        let of_kernel = sockets(&pair.left);
        let asked_at = SystemTime::now();
        let listed = daemon.list();
        let all_same = connections.iter().all(|open| {
            let ends = open.ends();
            let ours = listed.iter().find(|each| is(each, ends)).and_then(socket_of);
            let known = of_kernel.iter().find(|(each, _)| *each == ends);
            ours.zip(known)
                .is_some_and(|(ours, (_, known))| looked_at(ours) > cut_at && is_of_one_moment(ours, known))
        });
        all_same.then_some((of_kernel, asked_at, listed))
    });

    let mut differences = Vec::new();
    println!("of each number ours, and where it differs that of `ss` behind a slash");
    print!("{:<12}", "load");
    TABLE.iter().for_each(|name| print!(" {name:>14}"));
    println!();
    for (number, open) in connections.iter().enumerate() {
        let ends = open.ends();
        let connection = listed
            .iter()
            .find(|each| is(each, ends))
            .unwrap_or_else(|| panic!("{ends:?} is not listed"));
        let known = of_kernel.iter().find(|(each, _)| *each == ends);
        let known = &known.unwrap_or_else(|| panic!("the kernel has no {ends:?}")).1;
        let ours = socket_of(connection).unwrap();
        // Either may be the earlier one.
        let elapsed = asked_at
            .duration_since(looked_at(ours))
            .unwrap_or_else(|error| error.duration());
        let rows = rows(ours, known);
        let cells = TABLE.map(|name| rows.iter().find(|row| row.name == name).unwrap().cell());
        print!("{:<12}", format!("{:?}", Load::of(number)));
        cells.iter().for_each(|cell| print!(" {cell:>14}"));
        println!();
        for Row {
            name,
            ours,
            known,
            runs_on,
        } in rows
        {
            let is_same = match (ours, known) {
                // The kernel counts in ticks of its timer.
                (Some(ours), Some(known)) if runs_on => {
                    (ours - known).abs() <= elapsed.as_secs_f64() * 1e3 + 10.0
                }
                (ours, known) => ours == known,
            };
            if !is_same {
                differences.push(format!(
                    "{:?} {ends:?} {name}: {ours:?}, ss: {known:?}",
                    Load::of(number)
                ));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
    drop(connections);
    daemon.stop();
}

#[test]
fn the_socket_of_a_connection_that_is_watched_is_looked_at_ten_times_per_second() {
    const WATCHED: Duration = Duration::from_secs(3);
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0", "--keep-closed", "1s"]);
    let connections = [(); 2].map(|()| Open::new(&pair.left, &pair.right, Pair::RIGHT));
    let [watched, other] = connections.each_ref().map(|open| {
        wait_for(PATIENCE, "connection", || {
            daemon.list().into_iter().find(|each| is(each, open.ends()))
        })
    });

    let (messages, of_other) = thread::scope(|scope| {
        let watching = scope.spawn(|| daemon.follow(watched.id));
        let mut of_other = BTreeSet::new();
        let started = Instant::now();
        while started.elapsed() < WATCHED {
            for open in &connections {
                (&open.source).write_all(b".").unwrap();
            }
            let listed = daemon.list().into_iter().find(|each| each.id == other.id);
            of_other.extend(listed.as_ref().and_then(socket_of).map(looked_at));
            thread::sleep(Duration::from_millis(20));
        }
        drop(connections);
        (watching.join().unwrap(), of_other)
    });

    let looks: BTreeSet<_> = messages
        .iter()
        .filter_map(|message| socket_of(message.connection.as_ref()?))
        .map(looked_at)
        .collect();
    println!(
        "in {WATCHED:?}: {} looks at the one that is watched, {} at the other one",
        looks.len(),
        of_other.len()
    );
    // Ten per second, less what a busy machine delays.
    assert!((20..=40).contains(&looks.len()), "{}", looks.len());
    assert!(of_other.len() <= 5, "{}", of_other.len());
    daemon.stop();
}

#[test]
fn a_listener_that_does_not_accept_is_told_from_those_that_do() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.right, &["--interface", "veth0"]);
    let listen = |backlog| {
        pair.right.enter(|| {
            let socket = socket_with(
                AddressFamily::INET,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            )
            .unwrap();
            bind(&socket, &SocketAddr::from((Pair::RIGHT, 0))).unwrap();
            rustix::net::listen(&socket, backlog).unwrap();
            TcpListener::from(socket)
        })
    };
    let (deaf, idle, busy) = (listen(8), listen(8), listen(128));
    let [deaf_at, idle_at, busy_at] = [&deaf, &idle, &busy].map(|each| each.local_addr().unwrap());

    // One hundred that knock and are not answered, and one hundred that are.
    let knocking: Vec<_> = (0..CLIENTS)
        .map(|_number| connect_without_waiting(&pair, deaf_at))
        .collect();
    for _number in 0..CLIENTS {
        let client = pair.left.enter(|| TcpStream::connect(busy_at).unwrap());
        drop((client, busy.accept().unwrap()));
    }

    let overflowing = wait_for(PATIENCE, "overflow of the accept queue", || {
        let mut listeners = daemon.listeners();
        listeners.retain(|each| each.network_namespace == Some(pair.right.inode()));
        let deaf = listeners.iter().find(|each| is_at(each, deaf_at))?;
        let is_full =
            deaf.accept_queue == 9 && deaf.drops.unwrap() >= CLIENTS as u32 - 9 - deaf.syn_queue.unwrap();
        // The processes are searched at intervals: the last one may have been before this one listened.
        let is_named = listeners.iter().all(|each| each.process.is_some());
        (is_full && is_named).then_some(listeners)
    });
    for (address, limit) in [(deaf_at, 8), (idle_at, 8), (busy_at, 128)] {
        let listener = overflowing.iter().find(|each| is_at(each, address)).unwrap();
        println!("{address}: {listener:?}");
        assert_eq!((listener.accept_queue_limit, listener.user_id), (Some(limit), 0));
        assert_eq!(listener.dual_stack, None, "it is of IPv4");
        assert!(listener.socket_cookie != 0);
        let process = listener.process.as_ref().unwrap();
        assert_eq!(
            (process.pid, process.confidence()),
            (std::process::id(), Confidence::Certain)
        );
        if address != deaf_at {
            assert_eq!(
                (listener.accept_queue, listener.syn_queue, listener.drops),
                (0, Some(0), Some(0))
            );
        }
    }
    let counters = wait_for(PATIENCE, "growth of the host's counters", || {
        let counters = daemon.stats().host_counters;
        let overflows = counters.iter().find(|each| each.name == "ListenOverflows")?;
        overflows.per_second.is_some().then_some(counters)
    });
    let total = |name: &str| counters.iter().find(|each| each.name == name).unwrap().total;
    assert!(total("ListenOverflows") > 0 && total("ListenDrops") >= total("ListenOverflows"));
    assert_eq!(total("TCPAbortOnMemory"), 0);
    drop(knocking);
    daemon.stop();
}

fn looked_at(socket: &Socket) -> SystemTime {
    socket
        .looked_at
        .map_or(SystemTime::UNIX_EPOCH, |at| SystemTime::try_from(at).unwrap())
}

/// Clients of each listener.
const CLIENTS: usize = 100;

/// A socket whose SYN is on its way.
fn connect_without_waiting(pair: &Pair, to: SocketAddr) -> OwnedFd {
    pair.left.enter(|| {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        assert_eq!(connect(&socket, &to), Err(Errno::INPROGRESS));
        socket
    })
}

fn is_at(listener: &Listener, address: SocketAddr) -> bool {
    let end = listener.address.as_ref().unwrap();
    end.address == address.ip().to_string() && end.port == u32::from(address.port())
}

/// What the two ends of a connection do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    /// They send and read as fast as they can.
    Full,
    /// The reader stops reading.
    UnreadPeer,
    /// The writer's buffer is small.
    SmallBuffer,
    /// The writer writes little and seldom.
    Seldom,
}

impl Load {
    fn of(number: usize) -> Self {
        [Self::Full, Self::UnreadPeer, Self::SmallBuffer, Self::Seldom][number % 4]
    }
}

fn send(mut stream: &TcpStream, load: Load, over: &AtomicBool) {
    if load == Load::SmallBuffer {
        set_socket_send_buffer_size(stream.as_fd(), 8 * 1024).unwrap();
    }
    stream
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let part = vec![0x55; if load == Load::Seldom { 100 } else { 16 * 1024 }];
    while !over.load(Ordering::Relaxed) {
        match stream.write(&part) {
            Ok(_length) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("write: {error}"),
        }
        if load == Load::Seldom {
            thread::sleep(Duration::from_millis(30));
        }
    }
}

fn take(mut stream: &TcpStream, load: Load, over: &AtomicBool) {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut part = vec![0; 64 * 1024];
    while !over.load(Ordering::Relaxed) && load != Load::UnreadPeer {
        match stream.read(&mut part) {
            Ok(_length) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("read: {error}"),
        }
    }
}

/// One number of a socket: as the daemon has it and as `ss` has it, in the unit of the latter.
struct Row {
    name: &'static str,
    ours: Option<f64>,
    known: Option<f64>,
    /// Whether it grows while nothing happens.
    runs_on: bool,
}

fn rows(ours: &Socket, known: &Known) -> Vec<Row> {
    let row = |name, ours: Option<f64>, known| Row {
        name,
        ours,
        known,
        runs_on: false,
    };
    let number = |value: Option<u32>| value.map(f64::from);
    let long = |value: Option<u64>| value.map(|value| value as f64);
    // Absent where `ss` leaves out a zero.
    let unless_zero = |value: Option<f64>| value.filter(|&value| value != 0.0);
    // `ss` prints them with six digits (`%g` of C).
    let milliseconds = |value: Option<u32>| {
        let printed = format!("{:.5e}", f64::from(value?) / 1e3);
        Some(printed.parse().unwrap())
    };
    let bits = |value: Option<u64>| value.map(|value| value as f64 * 8.0);
    let time = |name, ours: Option<u64>, known| Row {
        name,
        // `ss` has whole milliseconds.
        ours: unless_zero(ours.map(|us| (us / 1000) as f64)),
        known,
        runs_on: true,
    };
    vec![
        row(
            "cwnd",
            Some(f64::from(ours.congestion_window)),
            after(known, "cwnd:"),
        ),
        row(
            "ssthresh",
            number(ours.slow_start_threshold),
            after(known, "ssthresh:"),
        ),
        row("srtt", milliseconds(ours.srtt_us), after(known, "rtt:")),
        row("rttvar", milliseconds(ours.rttvar_us), part_of(known, "rtt:", 1)),
        row("minrtt", milliseconds(ours.min_rtt_us), after(known, "minrtt:")),
        row("rto", milliseconds(ours.rto_us), after(known, "rto:")),
        row(
            "backoff",
            unless_zero(number(ours.backoff)),
            after(known, "backoff:"),
        ),
        row(
            "pacing_rate",
            bits(ours.pacing_rate_bytes_per_second),
            next(known, "pacing_rate"),
        ),
        row(
            "delivery_rate",
            bits(ours.delivery_rate_bytes_per_second),
            next(known, "delivery_rate"),
        ),
        time("busy", ours.busy_us, after(known, "busy:")),
        time(
            "rwnd_limited",
            ours.receive_window_limited_us,
            after(known, "rwnd_limited:"),
        ),
        time(
            "sndbuf_limited",
            ours.send_buffer_limited_us,
            after(known, "sndbuf_limited:"),
        ),
        row(
            "unacked",
            unless_zero(number(ours.in_flight)),
            after(known, "unacked:"),
        ),
        row(
            "sacked",
            unless_zero(number(ours.sacked)),
            after(known, "sacked:"),
        ),
        row("lost", unless_zero(number(ours.lost)), after(known, "lost:")),
        row(
            "retrans",
            unless_zero(long(ours.retransmissions)),
            part_of(known, "retrans:", 1),
        ),
        row(
            "reordering",
            number(ours.reordering).filter(|&value| value != 3.0),
            after(known, "reordering:"),
        ),
        row(
            "bytes_acked",
            unless_zero(long(ours.bytes_acked)),
            after(known, "bytes_acked:"),
        ),
        row(
            "bytes_retrans",
            unless_zero(long(ours.bytes_retransmitted)),
            after(known, "bytes_retrans:"),
        ),
        row(
            "notsent",
            unless_zero(number(ours.not_sent_bytes)),
            after(known, "notsent:"),
        ),
        row(
            "snd_wnd",
            unless_zero(number(ours.send_window_bytes)),
            after(known, "snd_wnd:"),
        ),
        row(
            "rcv_space",
            number(ours.receive_space_bytes),
            after(known, "rcv_space:"),
        ),
        row("send buffer", number(ours.send_buffer_bytes), memory(known, "tb")),
        row(
            "receive buffer",
            number(ours.receive_buffer_bytes),
            memory(known, "rb"),
        ),
        row(
            "reno",
            Some(f64::from(u8::from(ours.congestion_control == "reno"))),
            has(known, "reno"),
        ),
        row(
            "app_limited",
            Some(f64::from(u8::from(ours.app_limited == Some(true)))),
            has(known, "app_limited"),
        ),
    ]
}

/// The number behind this name in a word of `ss`.
fn after(known: &Known, name: &str) -> Option<f64> {
    part_of(known, name, 0)
}

/// One of the numbers behind this name, which a slash parts.
fn part_of(known: &Known, name: &str, part: usize) -> Option<f64> {
    let word = known.words.iter().find_map(|word| word.strip_prefix(name))?;
    leading_number(word.split('/').nth(part)?)
}

/// The number in the word after this one.
fn next(known: &Known, name: &str) -> Option<f64> {
    let place = known.words.iter().position(|word| word == name)?;
    leading_number(known.words.get(place + 1)?)
}

/// A number of the socket's memory.
fn memory(known: &Known, name: &str) -> Option<f64> {
    let all = known.words.iter().find_map(|word| word.strip_prefix("skmem:("))?;
    leading_number(all.split(',').find_map(|each| each.strip_prefix(name))?)
}

fn has(known: &Known, name: &str) -> Option<f64> {
    Some(f64::from(u8::from(known.words.iter().any(|word| word == name))))
}

fn leading_number(text: &str) -> Option<f64> {
    let is_part = |character: char| character.is_ascii_digit() || character == '.';
    let end = text.find(|character| !is_part(character)).unwrap_or(text.len());
    text[..end].parse().ok()
}

fn words(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Numbers that are printed for every connection; times in milliseconds, rates in bits per second.
const TABLE: [&str; 10] = [
    "cwnd",
    "ssthresh",
    "srtt",
    "rttvar",
    "rto",
    "pacing_rate",
    "delivery_rate",
    "busy",
    "rwnd_limited",
    "sndbuf_limited",
];

impl Row {
    fn cell(&self) -> String {
        if self.ours == self.known {
            words(self.ours)
        } else {
            format!("{}/{}", words(self.ours), words(self.known))
        }
    }
}

/// The socket of this host, which opened the connection.
fn socket_of(connection: &Connection) -> Option<&Socket> {
    connection.sent.as_ref()?.socket.as_ref()
}

/// Whether the socket neither sent nor received between our look at it and that of `ss`.
fn is_of_one_moment(ours: &Socket, known: &Known) -> bool {
    ours.source() == SocketSource::SockDiag
        && ours.segments_sent.map(u64::from) == Some(known.segments_out)
        && ours.segments_received.map(u64::from) == Some(known.segments_in)
        && ours.retransmissions == Some(known.retransmissions)
}

fn is(connection: &Connection, (source, destination): (SocketAddr, SocketAddr)) -> bool {
    let is = |end: &Option<tcpviewer::proto::Endpoint>, address: SocketAddr| {
        end.as_ref().is_some_and(|end| {
            end.address == address.ip().to_string() && end.port == u32::from(address.port())
        })
    };
    is(&connection.source, source) && is(&connection.destination, destination)
}
