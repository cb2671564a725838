//! Connections that are in trouble for a known reason, real traffic between two hosts, and what the daemon of each says
//! of them: the right cause at the right end, without flapping, and nothing where nothing is wrong.

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
    collections::{BTreeMap, HashSet},
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::{AsFd as _, OwnedFd},
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with,
        sockopt::{set_socket_keepalive, set_socket_recv_buffer_size, set_tcp_keepidle, set_tcp_keepintvl},
    },
};
use support::{
    daemon::{Daemon, assert_no_loss},
    fate::Conditions,
    lossy::LossyLink,
    namespaces::{Namespace, Pair},
    own_machine,
    relay::{Kind as Device, Relay, Way},
    require_root,
    traffic::Open,
};
use tcpviewer::proto::{Connection, End, VerdictCause as Cause, VerdictKind as Kind};

/// Ten milliseconds each way, and three packets in a hundred are lost.
const LOSSY: Conditions = Conditions {
    delay: Duration::from_millis(10),
    loss: 0.03,
    bits_per_second: Some(50_000_000),
    ..Conditions::PERFECT
};
/// A hundred milliseconds each way.
const FAR: Conditions = Conditions {
    delay: Duration::from_millis(100),
    ..Conditions::PERFECT
};
/// Ten milliseconds each way, and nothing else.
const CALM: Conditions = Conditions {
    delay: Duration::from_millis(10),
    ..Conditions::PERFECT
};

/// The address of the right end of a line; the left one's ends in 1.
const fn right_of(network: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, network, 2)
}

const LOSSY_LINE: u8 = 1;
const FAR_LINE: u8 = 2;
const CALM_LINE: u8 = 3;
const FORGETFUL_LINE: u8 = 4;

/// To this port no SYN gets through on the forgetful line; to any other the first one of each connection does not.
const DEAF_PORT: u16 = 9;

/// Writers write so long.
const TRAFFIC: Duration = Duration::from_secs(24);
/// The writer that stops does so after this time.
const STOPS_AFTER: Duration = Duration::from_secs(8);
/// A verdict is there after this time at the latest, and stays.
const SETTLED_AFTER: Duration = Duration::from_secs(16);
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is said of a connection in the end.
type Word = (Kind, Cause, End);

const HEALTHY: Word = (Kind::Healthy, Cause::Unspecified, End::Unspecified);
const IDLE: Word = (Kind::Idle, Cause::Unspecified, End::Unspecified);
const LOSS: Word = (Kind::Network, Cause::Loss, End::Unspecified);
const LONG_WAY: Word = (Kind::Network, Cause::RoundTrip, End::Unspecified);
const NO_ANSWER: Word = (Kind::Handshake, Cause::NoAnswer, End::Unspecified);
const REFUSED: Word = (Kind::Handshake, Cause::Refused, End::Destination);

/// A connection, and what the daemons at its source's and at its destination's host are to say of it.
struct Scenario {
    name: &'static str,
    ends: (SocketAddr, SocketAddr),
    at_source: Option<Word>,
    at_destination: Option<Word>,
    /// Where it is over sooner than the test is: not what is said last, but what is said at some time.
    passes: bool,
}

#[test]
fn the_cause_is_found_at_the_right_end_and_nothing_is_found_where_nothing_is_wrong() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let _lines = [
        LossyLink::start(&pair, "lossy0", LOSSY_LINE, 3, LOSSY),
        LossyLink::start(&pair, "far0", FAR_LINE, 3, FAR),
        LossyLink::start(&pair, "calm0", CALM_LINE, 3, CALM),
    ];
    let _forgetful = forgetful_line(&pair);
    let left = Daemon::start(&pair.left, &[]);
    let right = Daemon::start(&pair.right, &[]);

    let over = AtomicBool::new(false);
    let open = |network| Open::new(&pair.left, &pair.right, right_of(network));
    let lossy = open(LOSSY_LINE);
    let far = open(FAR_LINE);
    let (unread, paused, idle, fine) = (open(CALM_LINE), open(CALM_LINE), open(CALM_LINE), open(CALM_LINE));
    let small = open_to_small_buffer(&pair);
    let idle_since = Instant::now();
    set_socket_keepalive(idle.source.as_fd(), true).unwrap();
    set_tcp_keepidle(idle.source.as_fd(), Duration::from_secs(1)).unwrap();
    set_tcp_keepintvl(idle.source.as_fd(), Duration::from_secs(1)).unwrap();
    idle.exchange_in_turn(500, 5_000);

    let refused = refused(&pair);
    let crowd = Crowd::new(&pair);
    let deaf = SocketAddr::from((right_of(FORGETFUL_LINE), DEAF_PORT));
    let unanswered = connect_without_waiting(&pair.left, deaf);
    let forgetful_listener = pair
        .right
        .enter(|| TcpListener::bind((right_of(FORGETFUL_LINE), 0)).unwrap());
    let forgetful_at = forgetful_listener.local_addr().unwrap();
    let late = pair.left.enter(|| TcpStream::connect(forgetful_at).unwrap());
    let (late_accepted, _from) = forgetful_listener.accept().unwrap();
    let late = Open {
        source: late,
        destination: late_accepted,
    };

    let scenarios = [
        scenario("3 % loss", lossy.ends(), LOSS, LOSS),
        scenario("200 ms", far.ends(), LONG_WAY, LONG_WAY),
        scenario(
            "a reader that stops reading",
            unread.ends(),
            (Kind::Peer, Cause::NotReading, End::Destination),
            (Kind::Application, Cause::NotReading, End::Destination),
        ),
        scenario(
            "a writer that stops writing",
            paused.ends(),
            (Kind::Application, Cause::NotSending, End::Source),
            (Kind::Peer, Cause::NotSending, End::Source),
        ),
        scenario(
            "a small receive buffer",
            small.ends(),
            (Kind::Peer, Cause::SmallWindow, End::Destination),
            (Kind::Application, Cause::SmallWindow, End::Destination),
        ),
        scenario("an idle keep-alive connection", idle.ends(), IDLE, IDLE),
        scenario("questions and answers", fine.ends(), HEALTHY, HEALTHY),
        scenario("a refused port", refused, REFUSED, REFUSED),
        Scenario {
            at_source: None,
            ..scenario(
                "a connection that nobody accepts",
                ends_of(&crowd.waiting, crowd.address),
                HEALTHY,
                (Kind::Backlog, Cause::NotAccepted, End::Destination),
            )
        },
        scenario(
            "a full accept queue",
            ends_of(&crowd.turned_away, crowd.address),
            NO_ANSWER,
            (Kind::Backlog, Cause::QueueFull, End::Destination),
        ),
        Scenario {
            at_destination: None,
            ..scenario("no SYN arrives", ends_of(&unanswered, deaf), NO_ANSWER, HEALTHY)
        },
        Scenario {
            at_destination: None,
            passes: true,
            ..scenario("a dropped SYN", late.ends(), NO_ANSWER, HEALTHY)
        },
    ];

    let said = thread::scope(|scope| {
        let started = Instant::now();
        let over = &over;
        for (open, paced) in [
            (&lossy, None),
            (&unread, None),
            (&small, None),
            (&far, Some(16 * 1024)),
        ] {
            scope.spawn(move || write_until(&open.source, paced, over));
        }
        for open in [&lossy, &far, &paused, &small] {
            scope.spawn(move || read_until(&open.destination, over));
        }
        scope.spawn(|| {
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                scope.spawn(|| write_until(&paused.source, Some(16 * 1024), &stop));
                thread::sleep(STOPS_AFTER);
                stop.store(true, Ordering::Relaxed);
            });
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                fine.exchange_in_turn(300, 20_000);
                thread::sleep(Duration::from_millis(30));
            }
        });

        let mut said = Said::default();
        while started.elapsed() < TRAFFIC {
            for (daemon, at_source) in [(&left, true), (&right, false)] {
                said.take(&daemon.list(), &scenarios, at_source, started.elapsed());
            }
            thread::sleep(LOOK_EVERY);
        }
        over.store(true, Ordering::Relaxed);
        assert!(idle_since.elapsed() > SETTLED_AFTER);
        // Whoever still writes into a full window is to come back from it.
        for open in [&lossy, &unread, &small, &far, &paused] {
            open.source.shutdown(std::net::Shutdown::Both).ok();
        }
        said.compare(&scenarios)
    });
    assert!(said.is_empty(), "{}", said.join("\n"));
    for daemon in [left, right] {
        assert_no_loss(&daemon.status().ledger.unwrap());
        daemon.stop();
    }
}

fn scenario(
    name: &'static str,
    ends: (SocketAddr, SocketAddr),
    at_source: Word,
    at_destination: Word,
) -> Scenario {
    Scenario {
        name,
        ends,
        at_source: Some(at_source),
        at_destination: Some(at_destination),
        passes: false,
    }
}

/// What was said of each scenario at its source's and its destination's host, and when; each word once, until another
/// one came.
#[derive(Default)]
struct Said(BTreeMap<(usize, bool), Vec<Told>>);

/// When a word was said first, and how it was put last.
type Told = (Duration, Option<Word>, String);

impl Said {
    fn take(&mut self, listed: &[Connection], scenarios: &[Scenario], at_source: bool, at: Duration) {
        for (number, scenario) in scenarios.iter().enumerate() {
            let Some(connection) = listed.iter().find(|each| is(each, scenario.ends)) else {
                continue;
            };
            let verdict = connection.verdict.as_ref();
            let word = verdict.map(|verdict| (verdict.kind(), verdict.cause(), verdict.end()));
            let text = verdict.map(|verdict| verdict.text.clone()).unwrap_or_default();
            let words = self.0.entry((number, at_source)).or_default();
            match words.last_mut() {
                Some((_since, last, newest)) if *last == word => *newest = text,
                Some(_) | None => words.push((at, word, text)),
            }
        }
    }

    /// What differs from what is expected: nothing but the right cause, or that nothing is wrong, is ever said, and the
    /// right cause is said in time and stays.
    fn compare(&self, scenarios: &[Scenario]) -> Vec<String> {
        let mut differences = Vec::new();
        for (&(number, at_source), words) in &self.0 {
            let scenario = &scenarios[number];
            let place = if at_source { "source" } else { "destination" };
            println!("{} at the {place}", scenario.name);
            for (at, word, text) in words {
                println!("    {:>5.1} s  {word:?}  {text}", at.as_secs_f64());
            }
            let expected = if at_source {
                scenario.at_source
            } else {
                scenario.at_destination
            };
            let Some(expected) = expected else {
                continue;
            };
            let harmless = [
                None,
                Some(HEALTHY),
                Some(IDLE).filter(|_idle| expected != HEALTHY),
            ];
            let only_this = words
                .iter()
                .all(|(_at, word, _text)| harmless.contains(word) || *word == Some(expected));
            let times = words
                .iter()
                .filter(|(_at, word, _text)| *word == Some(expected))
                .count();
            let stays = words
                .last()
                .is_some_and(|(at, word, _text)| *word == Some(expected) && *at < SETTLED_AFTER);
            let is_right = only_this && times == 1 && stays != scenario.passes;
            if !is_right {
                differences.push(format!(
                    "{} at the {place}: expected {expected:?}, found {words:?}",
                    scenario.name
                ));
            }
        }
        let places = scenarios.iter().enumerate().flat_map(|(number, scenario)| {
            [(true, scenario.at_source), (false, scenario.at_destination)]
                .into_iter()
                .filter(|(_at_source, expected)| expected.is_some())
                .map(move |(at_source, _expected)| (number, at_source))
        });
        for (number, at_source) in places {
            if !self.0.contains_key(&(number, at_source)) {
                differences.push(format!(
                    "{} is not listed, at the source: {at_source}",
                    scenarios[number].name
                ));
            }
        }
        differences
    }
}

fn is(connection: &Connection, ends: (SocketAddr, SocketAddr)) -> bool {
    let same = |end: &Option<tcpviewer::proto::Endpoint>, address: SocketAddr| {
        end.as_ref().is_some_and(|end| {
            end.address == address.ip().to_string() && end.port == u32::from(address.port())
        })
    };
    same(&connection.source, ends.0) && same(&connection.destination, ends.1)
}

/// A line that forgets SYNs.
fn forgetful_line(pair: &Pair) -> Relay<'_> {
    const SYN: u8 = 2;
    const ACK: u8 = 16;
    let met = Mutex::new(HashSet::new());
    Relay::start(
        pair,
        "forget0",
        Device::Tun,
        FORGETFUL_LINE,
        move |way, packet: Vec<u8>| {
            let header = usize::from(packet[0] & 15) * 4;
            let is_tcp = packet[0] >> 4 == 4 && packet[9] == 6;
            if way == Way::ToTheRight && is_tcp && packet[header + 13] & (SYN | ACK) == SYN {
                let ports = packet[header..header + 4].to_vec();
                let is_deaf = ports[2..] == DEAF_PORT.to_be_bytes();
                if is_deaf || met.lock().unwrap().insert(ports) {
                    return None;
                }
            }
            Some(packet)
        },
    )
}

/// A connection whose far end has room for a few segments.
fn open_to_small_buffer(pair: &Pair) -> Open {
    let listener = pair.right.enter(|| {
        let socket = stream_socket(SocketFlags::CLOEXEC);
        set_socket_recv_buffer_size(&socket, 4 * 1024).unwrap();
        bind(&socket, &SocketAddr::from((right_of(CALM_LINE), 0))).unwrap();
        listen(&socket, 8).unwrap();
        TcpListener::from(socket)
    });
    let address = listener.local_addr().unwrap();
    let source = pair.left.enter(|| TcpStream::connect(address).unwrap());
    let (destination, _from) = listener.accept().unwrap();
    Open { source, destination }
}

/// The ends of a connection to a port where nobody listens.
fn refused(pair: &Pair) -> (SocketAddr, SocketAddr) {
    pair.left.enter(|| {
        let socket = stream_socket(SocketFlags::CLOEXEC);
        bind(&socket, &SocketAddr::from((Pair::LEFT, 0))).unwrap();
        let closed = SocketAddr::from((Pair::RIGHT, 2));
        let source = SocketAddr::try_from(getsockname(&socket).unwrap()).unwrap();
        assert_eq!(connect(&socket, &closed), Err(Errno::CONNREFUSED));
        (source, closed)
    })
}

/// A listener that accepts nobody, and those who knock there.
struct Crowd {
    address: SocketAddr,
    _listener: OwnedFd,
    /// One for whom there is room in the queue.
    waiting: OwnedFd,
    /// Another one; then the queue is full.
    _waiting_too: OwnedFd,
    turned_away: OwnedFd,
}

impl Crowd {
    fn new(pair: &Pair) -> Self {
        let listener = pair.right.enter(|| {
            let socket = stream_socket(SocketFlags::CLOEXEC);
            bind(&socket, &SocketAddr::from((Pair::RIGHT, 0))).unwrap();
            // One more than that finds room.
            listen(&socket, 1).unwrap();
            socket
        });
        let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
        let [waiting, waiting_too] =
            [(); 2].map(|()| pair.left.enter(|| TcpStream::connect(address).unwrap()).into());
        Self {
            address,
            _listener: listener,
            waiting,
            _waiting_too: waiting_too,
            turned_away: connect_without_waiting(&pair.left, address),
        }
    }
}

fn ends_of(socket: &OwnedFd, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let source = SocketAddr::try_from(getsockname(socket).unwrap()).unwrap();
    (source, destination)
}

fn stream_socket(flags: SocketFlags) -> OwnedFd {
    socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap()
}

/// A socket whose SYN is on its way.
fn connect_without_waiting(from: &Namespace, to: SocketAddr) -> OwnedFd {
    from.enter(|| {
        let socket = stream_socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
        assert_eq!(connect(&socket, &to), Err(Errno::INPROGRESS));
        socket
    })
}

fn write_until(mut stream: &TcpStream, paced: Option<usize>, over: &AtomicBool) {
    stream
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let part = vec![0x55; paced.unwrap_or(64 * 1024)];
    while !over.load(Ordering::Relaxed) {
        match stream.write(&part) {
            Ok(_length) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_closed) => return,
        }
        if paced.is_some() {
            thread::sleep(Duration::from_millis(40));
        }
    }
}

fn read_until(mut stream: &TcpStream, over: &AtomicBool) {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut part = vec![0; 64 * 1024];
    while !over.load(Ordering::Relaxed) {
        match stream.read(&mut part) {
            Ok(_length) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_closed) => return,
        }
    }
}
