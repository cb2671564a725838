//! What is known of a connection beside its counters, compared with the ends themselves: what the handshake
//! agreed on, how long answers took, marks of congestion, and what the kernel says of the socket.

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
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use support::{
    PATIENCE,
    daemon::Daemon,
    kernel::{Socket, socket},
    namespaces::Pair,
    own_machine,
    relay::{Kind, Relay, Way},
    require_root, share_machine,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{Connection, Half};

#[test]
fn what_the_handshake_agreed_on_is_what_the_socket_says() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    for [sack, timestamps, ecn, scaling] in [
        ["1", "1", "1", "1"],
        ["0", "1", "1", "0"],
        ["1", "0", "0", "1"],
        ["0", "0", "1", "1"],
    ] {
        for namespace in [&pair.left, &pair.right] {
            namespace.set("ipv4/tcp_sack", sack);
            namespace.set("ipv4/tcp_timestamps", timestamps);
            namespace.set("ipv4/tcp_ecn", ecn);
            namespace.set("ipv4/tcp_window_scaling", scaling);
        }
        let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
        open.exchange_in_turn(1_000, 1_000);

        let connection = listed(&daemon, open.ends(), |connection| connection.handshake.is_some());

        let agreed = |option: fn(&Half) -> Option<bool>| {
            [&connection.sent, &connection.received].map(|half| option(half.as_ref().unwrap()).unwrap())
        };
        let words = socket(&pair.left, open.ends()).words;
        let says = |word: &str| [words.iter().any(|each| each == word); 2];
        assert_eq!(agreed(|half| half.sack_permitted), says("sack"), "{words:?}");
        assert_eq!(agreed(|half| half.timestamps), says("ts"), "{words:?}");
        assert_eq!([connection.ecn.unwrap(); 2], says("ecn"), "{words:?}");
        let scales = [&connection.received, &connection.sent]
            .map(|half| half.as_ref().unwrap().window_scale)
            .map(|scale| scale.map(|scale| scale.to_string()));
        let word = words.iter().find_map(|word| word.strip_prefix("wscale:"));
        let [of_other, own] = scales;
        assert_eq!(
            of_other
                .zip(own)
                .map(|(of_other, own)| format!("{of_other},{own}")),
            word.map(str::to_owned)
        );
    }
    daemon.stop();
}

#[test]
fn answers_take_as_long_as_the_server_and_no_longer_than_the_client_says() {
    const DELAY: Duration = Duration::from_millis(30);
    const QUESTIONS: u32 = 10;
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let mut open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    let ends = open.ends();

    let (served, waited) = thread::scope(|scope| {
        let server = scope.spawn(|| {
            let (mut question, mut longest) = ([0; 100], Duration::ZERO);
            for _question in 0..QUESTIONS {
                open.destination.read_exact(&mut question).unwrap();
                let started = Instant::now();
                thread::sleep(DELAY);
                let asleep = started.elapsed();
                open.destination.write_all(&[0; 5_000]).unwrap();
                longest = longest.max(asleep);
            }
            longest
        });
        let (mut answer, mut longest) = ([0; 5_000], Duration::ZERO);
        for _question in 0..QUESTIONS {
            let started = Instant::now();
            open.source.write_all(&[0; 100]).unwrap();
            open.source.read_exact(&mut answer).unwrap();
            longest = longest.max(started.elapsed());
        }
        (server.join().unwrap(), longest)
    });

    let answers = |connection: &Connection| connection.received.as_ref().unwrap().response;
    let connection = listed(&daemon, ends, |connection| {
        answers(connection).is_some_and(|response| response.count >= QUESTIONS.into())
    });
    let response = answers(&connection).unwrap();
    assert_eq!(response.count, u64::from(QUESTIONS));
    assert!(
        (served.as_micros()..=waited.as_micros()).contains(&response.max_us.into()),
        "{served:?} <= {response:?} <= {waited:?}"
    );
    assert!((DELAY.as_micros()..=response.max_us.into()).contains(&response.mean_us.into()));
    // The client asked again at once, each time but the first.
    let thinking = connection.sent.unwrap().response.unwrap();
    assert_eq!(thinking.count, u64::from(QUESTIONS) - 1);
    assert!(thinking.mean_us < response.mean_us, "{thinking:?}");
    daemon.stop();
}

#[test]
fn marks_of_congestion_are_those_the_line_made() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let marked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&marked);
    let numbers = AtomicU64::new(0);
    let _relay = Relay::start(&pair, "busy0", Kind::Tun, 1, move |way, mut packet| {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        if way == Way::ToTheRight && packet[1] & 3 != 0 && number % 10 == 9 {
            mark(&mut packet);
            count.fetch_add(1, Ordering::Relaxed);
        }
        Some(packet)
    });
    for namespace in [&pair.left, &pair.right] {
        namespace.set("ipv4/tcp_ecn", "1");
    }
    let daemon = Daemon::start(&pair.right, &["--interface", "busy0"]);
    let open = Open::new(&pair.left, &pair.right, Ipv4Addr::new(10, 77, 1, 2));

    open.exchange(1_000_000, 1_000);

    let connection = listed(&daemon, open.ends(), |connection| {
        connection.sent.as_ref().unwrap().payload_bytes >= 1_000_000
    });
    let marked = marked.load(Ordering::Relaxed);
    assert!(marked > 10, "{marked} packets were marked");
    assert_eq!(connection.ecn, Some(true));
    let (sent, received) = (connection.sent.unwrap(), connection.received.unwrap());
    assert_eq!((sent.ecn_marked, received.ecn_marked), (marked, 0));
    assert!(received.ecn_echoed > 0);
    daemon.stop();
}

#[test]
fn a_syn_that_is_lost_is_told_from_other_losses() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let first = AtomicBool::new(true);
    let _relay = Relay::start(&pair, "deaf0", Kind::Tun, 1, move |way, packet| {
        let is_syn = way == Way::ToTheRight && packet[0] >> 4 == 4 && packet[9] == 6;
        let is_lost = is_syn && first.swap(false, Ordering::Relaxed);
        (!is_lost).then_some(packet)
    });
    let daemon = Daemon::start(&pair.left, &["--interface", "deaf0"]);

    let open = Open::new(&pair.left, &pair.right, Ipv4Addr::new(10, 77, 1, 2));

    let connection = listed(&daemon, open.ends(), |connection| {
        connection
            .handshake
            .is_some_and(|handshake| handshake.rtt_us.is_some())
    });
    let sent = connection.sent.unwrap();
    assert_eq!((sent.retransmissions, sent.syn_retransmissions), (1, 1));
    assert_eq!(connection.handshake.unwrap().syn_to_syn_ack_us, None);
    daemon.stop();
}

#[test]
fn the_numbers_of_a_socket_are_those_its_kernel_says() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let large = AtomicU64::new(0);
    let _relay = Relay::start(&pair, "lossy0", Kind::Tun, 1, move |way, packet| {
        let is_counted = way == Way::ToTheRight && packet.len() > 500;
        let is_lost = is_counted && large.fetch_add(1, Ordering::Relaxed) % 50 == 49;
        (!is_lost).then_some(packet)
    });
    // BBR has a slow start threshold only now and then.
    pair.left.set("ipv4/tcp_congestion_control", "reno");
    let daemon = Daemon::start(&pair.left, &["--interface", "lossy0"]);
    let open = Open::new(&pair.left, &pair.right, Ipv4Addr::new(10, 77, 1, 2));
    open.exchange(500_000, 1_000);
    let quiet = wait_for(PATIENCE, "quiet", || {
        let before = socket(&pair.left, open.ends());
        thread::sleep(Duration::from_millis(300));
        let now = socket(&pair.left, open.ends());
        let segments = |socket: &Socket| (socket.segments_out, socket.segments_in);
        (segments(&now) == segments(&before)).then_some(now)
    });
    assert!(quiet.retransmissions > 0 && quiet.slow_start_threshold.is_some());

    // The packet that makes the daemon look at the socket; its acknowledgement may widen the window again.
    open.exchange(1, 0);

    let connection = listed(&daemon, open.ends(), |connection| {
        let sent = connection.sent.as_ref().unwrap();
        sent.payload_bytes - sent.retransmitted_bytes == 500_001
    });
    let ours = connection.sent.unwrap().socket.unwrap();
    assert_eq!(
        (
            Some(ours.congestion_window),
            ours.slow_start_threshold,
            ours.mss_bytes,
            ours.retransmissions
        ),
        (
            quiet.congestion_window,
            quiet.slow_start_threshold,
            Some(quiet.mss_bytes),
            Some(quiet.retransmissions)
        )
    );
    assert_eq!(
        (ours.in_flight, ours.lost, ours.sacked),
        (Some(0), Some(0), Some(0))
    );
    assert_eq!(connection.received.unwrap().socket, None, "not of this host");
    daemon.stop();
}

/// The connection, once the condition holds.
fn listed(
    daemon: &Daemon<'_>,
    (source, destination): (SocketAddr, SocketAddr),
    condition: impl Fn(&Connection) -> bool,
) -> Connection {
    let is = |end: &Option<tcpviewer::proto::Endpoint>, address: SocketAddr| {
        end.as_ref().is_some_and(|end| {
            end.address == address.ip().to_string() && end.port == u32::from(address.port())
        })
    };
    wait_for(PATIENCE, "connection as expected", || {
        let mut all = daemon.list().into_iter();
        all.find(|each| is(&each.source, source) && is(&each.destination, destination))
            .filter(&condition)
    })
}

/// Sets both bits of the ECN field of an IPv4 packet, and its checksum to what it is then (RFC 1624).
fn mark(packet: &mut [u8]) {
    let word = |packet: &[u8], at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let before = word(packet, 0);
    packet[1] |= 3;
    let sum = u32::from(!word(packet, 10)) + u32::from(!before) + u32::from(word(packet, 0));
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}
