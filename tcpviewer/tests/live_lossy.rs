//! What the daemon counts and measures over a line that delays, loses, reorders and duplicates, compared with what
//! the kernel says of the same sockets and with what the line did.

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
    fmt::Debug,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use prost_types::Timestamp;
use support::{
    PATIENCE,
    daemon::{Daemon, assert_no_loss},
    fate::Conditions,
    kernel::{Socket, sockets},
    lossy::LossyLink,
    namespaces::Pair,
    own_machine,
    relay::Way,
    require_root,
    traffic::Open,
    truth::{Arrived, Truth},
    wait_for, wait_for_quiet,
};
use tcpviewer::proto::{Connection, Endpoint, Half, Rtt, RttSource};

const LINE: Conditions = Conditions {
    delay: Duration::from_millis(20),
    loss: 0.02,
    reordering: 0.01,
    held_back: Duration::from_millis(20),
    duplication: 0.005,
    ..Conditions::PERFECT
};
const ROUND_TRIP_US: f64 = 40_000.0;

const SEEDS: u8 = 20;
/// Lines that carry traffic at the same time: more would be late on two CPUs.
const LINES_AT_ONCE: usize = 4;
const CONNECTIONS: usize = 8;
/// How far the smoothed RTT of a connection may be from the kernel's, parts of it; on the wire, that of half of the
/// connections. The kernel also samples what is acknowledged selectively and, by their timestamps, what was sent again (Linux,
/// net/ipv4/tcp_input.c, tcp_ack_update_rtt): a loss or a packet held back near the end leaves other averages.
const SRTT_APART: f64 = 0.1;
/// At two in a hundred, a connection that loses nothing is one of a million.
const SENT: u64 = 1_000_003;
const RECEIVED: u64 = 100_001;
/// Of one byte each, and so are the answers.
const QUESTIONS: usize = 10;

#[test]
fn over_a_lossy_line_counts_and_times_are_those_of_the_kernel_and_of_the_line() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let lines: Vec<_> = (1..=SEEDS).map(|seed| Line::start(&pair, seed)).collect();
    let [left, right] =
        [&pair.left, &pair.right].map(|namespace| Daemon::start(namespace, &["--interface", "lossy*"]));

    let started = Instant::now();
    let open: Vec<Vec<Open>> = lines
        .chunks(LINES_AT_ONCE)
        .flat_map(|lines| exchange(&pair, lines))
        .collect();
    println!("exchanged in {:?}", started.elapsed());

    // Open until they are compared, which is when the last byte is acknowledged and the last delayed ACK came.
    let of_kernel = || [&pair.left, &pair.right].map(sockets);
    wait_for(PATIENCE, "acknowledgement of everything", || {
        let mut sockets = of_kernel().into_iter().flatten();
        sockets
            .all(|(_, socket)| socket.unacknowledged == 0)
            .then_some(())
    });
    wait_for_quiet(|| of_kernel().map(|sockets| sockets.into_iter().map(segments).collect::<Vec<_>>()));
    let of_kernel = of_kernel();
    wait_for_quiet(|| [&left, &right].map(Daemon::list));
    let listed = wait_for(PATIENCE, "last word of every socket", || {
        let listed = [&left, &right].map(Daemon::list);
        let [at_left, at_right] = &listed;
        let is_last = at_left.iter().all(|each| has_last_word(each, each.sent.as_ref()))
            && at_right
                .iter()
                .all(|each| has_last_word(each, each.received.as_ref()));
        is_last.then_some(listed)
    });
    let mut figures = Figures::default();
    for (line, open) in lines.iter().zip(&open) {
        line.write_down();
        for open in open {
            compare(line, open, &of_kernel, &listed, &mut figures);
        }
    }
    figures.report();
    drop(open);
    for daemon in [left, right] {
        assert_no_loss(&daemon.status().ledger.unwrap());
        daemon.stop();
    }
}

/// A line and the seed of what it does.
struct Line<'a> {
    seed: u8,
    link: LossyLink<'a>,
}

impl<'a> Line<'a> {
    fn start(pair: &'a Pair, seed: u8) -> Self {
        let name = format!("lossy{seed}");
        let link = LossyLink::start(pair, &name, seed, u64::from(seed), LINE);
        Self { seed, link }
    }

    /// The far end's address.
    fn right(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, self.seed, 2)
    }

    /// Writes what the line did to files that stay after the test.
    fn write_down(&self) {
        for way in [Way::ToTheRight, Way::ToTheLeft] {
            let name = format!("lossy{}-{way:?}.csv", self.seed);
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
            self.link.truth(way).write(&path).unwrap();
        }
    }
}

/// Questions and answers of one byte on all connections of all these lines at once, then data both ways.
fn exchange(pair: &Pair, lines: &[Line<'_>]) -> Vec<Vec<Open>> {
    let one = |line: &Line<'_>| {
        let open = Open::new(&pair.left, &pair.right, line.right());
        for _question in 0..QUESTIONS {
            open.exchange_in_turn(1, 1);
        }
        open.exchange(SENT, RECEIVED);
        open
    };
    thread::scope(|scope| {
        let threads: Vec<Vec<_>> = lines
            .iter()
            .map(|line| {
                (0..CONNECTIONS)
                    .map(|_number| scope.spawn(|| one(line)))
                    .collect()
            })
            .collect();
        let join = |threads: Vec<thread::ScopedJoinHandle<'_, Open>>| {
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        };
        threads.into_iter().map(join).collect()
    })
}

/// Whether the socket that sends this half was looked at after the connection's last packet.
fn has_last_word(connection: &Connection, half: Option<&Half>) -> bool {
    let looked_at = half
        .and_then(|half| half.socket.as_ref())
        .and_then(|socket| socket.sampled_at);
    let order = |time: Option<Timestamp>| time.map(|time| (time.seconds, time.nanos));
    order(looked_at) > order(connection.last_seen)
}

/// Local and remote.
type Ends = (SocketAddr, SocketAddr);
type Sockets = Vec<(Ends, Socket)>;

/// Compares a connection at both its ends with the kernel and with the line.
fn compare(
    line: &Line<'_>,
    open: &Open,
    of_kernel: &[Sockets; 2],
    listed: &[Vec<Connection>; 2],
    figures: &mut Figures,
) {
    let (source, destination) = open.ends();
    let [at_left, at_right] = listed
        .each_ref()
        .map(|listed| find(listed, (source, destination)));
    let to_the_right = line.link.truth(Way::ToTheRight).of(source, destination);
    let to_the_left = line.link.truth(Way::ToTheLeft).of(destination, source);
    let left = known(&of_kernel[0], (source, destination));
    let right = known(&of_kernel[1], (destination, source));
    let (sent, sent_back) = (
        at_left.sent.as_ref().unwrap(),
        at_right.received.as_ref().unwrap(),
    );

    let name = |what| format!("seed {}, {source} to {destination}: {what}", line.seed);
    figures.compare(name("sent"), sent_by(sent), sent_as_known(left, &to_the_right));
    figures.compare(
        name("sent back"),
        sent_by(sent_back),
        sent_as_known(right, &to_the_left),
    );
    figures.compare(
        name("arrived"),
        arrived(at_right.sent.as_ref().unwrap()),
        to_the_right.arrived(),
    );
    figures.compare(
        name("arrived back"),
        arrived(at_left.received.as_ref().unwrap()),
        to_the_left.arrived(),
    );
    figures.compare_rtt(name("RTT"), sent.rtt.unwrap(), at_left.rtt.unwrap(), left.rtt_us);
    figures.retransmissions += left.retransmissions;
    figures.lossless += u32::from(to_the_right.sum().lost == 0);
}

/// What an end sent.
#[derive(Debug, PartialEq)]
struct Sent {
    packets: u64,
    retransmissions: u64,
    retransmitted_bytes: u64,
}

/// As our daemon at that end has it.
fn sent_by(half: &Half) -> Sent {
    Sent {
        packets: half.packets,
        retransmissions: half.retransmissions,
        retransmitted_bytes: half.retransmitted_bytes,
    }
}

/// As the socket and the line have it.
fn sent_as_known(socket: &Socket, truth: &Truth) -> Sent {
    Sent {
        packets: truth.sum().packets,
        retransmissions: socket.retransmissions,
        retransmitted_bytes: socket.retransmitted_bytes,
    }
}

/// What came to an end, as our daemon there has it.
fn arrived(half: &Half) -> Arrived {
    Arrived {
        packets: half.packets,
        payload_bytes: half.payload_bytes,
        repeated_bytes: half.retransmitted_bytes,
        // What is below the highest sequence number is one of these. A keep-alive is a copy of a single byte.
        behind: half.retransmissions + half.out_of_order + half.keep_alives,
        ahead: half.lost_segments,
    }
}

/// What the comparisons came to.
#[derive(Default)]
struct Figures {
    differences: Vec<String>,
    retransmissions: u64,
    /// Connections whose data lost no packet.
    lossless: u32,
    /// Distances of our smallest RTT from the line's, microseconds.
    min_apart_us: Vec<f64>,
    /// Distances of our smoothed RTT from the kernel's, parts of the kernel's.
    srtt_apart: Vec<f64>,
    /// The same for the one on the wire.
    on_wire_apart: Vec<f64>,
}

impl Figures {
    fn compare<T: Debug + PartialEq>(&mut self, what: String, ours: T, known: T) {
        if ours != known {
            self.differences
                .push(format!("{what}: ours {ours:?}, known {known:?}"));
        }
    }

    /// The smallest RTT on the wire with the line's, and the smoothed one of the connection with the kernel's.
    fn compare_rtt(&mut self, what: String, on_wire: Rtt, of_connection: Rtt, srtt_us: f64) {
        let min_apart_us = (f64::from(on_wire.min_us) - ROUND_TRIP_US).abs();
        let srtt_apart = |ours: Rtt| (f64::from(ours.srtt_us) - srtt_us).abs() / srtt_us;
        let is_of_socket = of_connection.source() == RttSource::Socket;
        if min_apart_us > 1_000.0 || srtt_apart(of_connection) > SRTT_APART || !is_of_socket {
            self.differences.push(format!(
                "{what}: ours {of_connection:?}, on the wire {on_wire:?}, known {srtt_us}"
            ));
        }
        self.min_apart_us.push(min_apart_us);
        self.srtt_apart.push(srtt_apart(of_connection));
        self.on_wire_apart.push(srtt_apart(on_wire));
    }

    fn report(mut self) {
        self.min_apart_us.sort_by(f64::total_cmp);
        self.srtt_apart.sort_by(f64::total_cmp);
        let min_apart_us = median_and_largest(&self.min_apart_us);
        self.on_wire_apart.sort_by(f64::total_cmp);
        println!(
            "{} segments sent again, {} connections without loss of {}; median and largest distance of the smallest \
             RTT {min_apart_us:.0?} µs, of the smoothed one {:.3?} of the kernel's, on the wire {:.3?}",
            self.retransmissions,
            self.lossless,
            self.srtt_apart.len(),
            median_and_largest(&self.srtt_apart),
            median_and_largest(&self.on_wire_apart),
        );
        let differences = &self.differences;
        assert!(
            differences.is_empty(),
            "{} differences:\n{}",
            differences.len(),
            differences.join("\n")
        );
        let on_wire_apart = median_and_largest(&self.on_wire_apart);
        assert!(on_wire_apart.0 <= SRTT_APART, "{:?}", self.on_wire_apart);
        assert!(self.lossless <= 2, "the lines lose too little");
    }
}

/// Of sorted values.
fn median_and_largest(values: &[f64]) -> (f64, f64) {
    (values[values.len() / 2], values[values.len() - 1])
}

/// The connection with these ends.
fn find(listed: &[Connection], (source, destination): Ends) -> &Connection {
    let is = |end: &Option<Endpoint>, address: SocketAddr| {
        end.as_ref().is_some_and(|end| {
            end.address == address.ip().to_string() && end.port == u32::from(address.port())
        })
    };
    listed
        .iter()
        .find(|connection| is(&connection.source, source) && is(&connection.destination, destination))
        .unwrap_or_else(|| panic!("{source} to {destination} is not listed"))
}

/// The socket with this local and remote end.
fn known(sockets: &Sockets, ends: Ends) -> &Socket {
    let found = sockets.iter().find(|(each, _)| *each == ends);
    &found.unwrap_or_else(|| panic!("the kernel has no {ends:?}")).1
}

/// How many a socket sent and received.
fn segments((ends, socket): (Ends, Socket)) -> (Ends, u64, u64) {
    (ends, socket.segments_out, socket.segments_in)
}
