//! Packets leave the kernel only while somebody watches, and only those that somebody wants: counted by the
//! kernel itself.

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
    fs,
    io::{BufRead as _, BufReader},
    process::{self, Command, Stdio},
    thread,
    time::Duration,
};

use pcap_file::{
    pcap::PcapReader,
    pcapng::{Block, PcapNgReader, blocks::enhanced_packet::EnhancedPacketOption},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{
    PATIENCE, daemon::Daemon, namespaces::Pair, require_root, share_machine, traffic::Open, wait_for,
    wait_for_quiet,
};
use tcpviewer::proto::TcpFlag;

/// Questions and answers on a connection; each of them is one packet.
const QUESTIONS: usize = 20;

#[test]
fn packets_leave_the_kernel_only_while_they_are_wanted() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let [wanted, other] = [(); 2].map(|()| Open::new(&pair.left, &pair.right, Pair::RIGHT));
    let talk = || {
        for open in [&wanted, &other] {
            for _question in 0..QUESTIONS {
                open.exchange_in_turn(100, 100);
            }
        }
        // The last acknowledgements may be delayed.
        wait_for_quiet(|| seen(&daemon));
    };

    talk();
    assert_eq!(sent(&daemon), 0, "nobody watches");

    let filter = format!("port {}", wanted.ends().1.port());
    let packets = daemon.watch_packets(&filter, || {
        wait_for(PATIENCE, "packets that are sent", || {
            wanted.exchange_in_turn(1, 1);
            (sent(&daemon) > 0).then_some(())
        });
        talk();
    });
    let counted = sent(&daemon);
    println!("{counted} packets left the kernel, {} came", packets.len());
    assert!(counted >= 2 * QUESTIONS as u64);
    assert_eq!(packets.len() as u64, counted, "all of them were wanted");
    let port = u32::from(wanted.ends().1.port());
    for packet in &packets {
        let ports = [&packet.source, &packet.destination].map(|end| end.as_ref().unwrap().port);
        assert!(ports.contains(&port), "{packet:?}");
    }

    daemon.glance_at_packets(&filter, 1_000);
    daemon.watch_packets(&filter, talk);
    let after = wait_for(PATIENCE, "the end of watching", || {
        let before = sent(&daemon);
        talk();
        (sent(&daemon) == before).then_some(before)
    });
    talk();
    assert_eq!(sent(&daemon), after, "nobody watches any more");
    assert_eq!(daemon.status().ledger.unwrap().packet_events_lost, 0);
    daemon.stop();
}

#[test]
fn scripts_get_the_packets_of_what_they_ask_for_and_leave_no_watcher_behind() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let [wanted, other] = [(); 2].map(|()| Open::new(&pair.left, &pair.right, Pair::RIGHT));
    let port = wanted.ends().1.port();
    let ask = || {
        let mut curl = pair.left.command("curl");
        curl.args(["--silent", "--show-error", "--fail", "--max-time", "20"]);
        curl.arg(format!("{}/api/traffic?filter=port+{port}", daemon.url));
        let output = curl.output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    };
    let packets_of = |answer: &Value| answer["packets"].as_array().unwrap().len() as u64;

    assert_eq!(packets_of(&ask()), 0, "nobody has watched before");
    let answer = wait_for(PATIENCE, "packets at hand", || {
        other.exchange_in_turn(1, 1);
        wanted.exchange_in_turn(1, 1);
        Some(ask()).filter(|answer| packets_of(answer) > 10)
    });
    for packet in answer["packets"].as_array().unwrap() {
        let ports = [&packet["src_port"], &packet["dst_port"]];
        assert!(ports.contains(&&Value::from(port)), "{packet}");
    }
    let after = wait_for(PATIENCE, "the end of watching", || {
        let before = sent(&daemon);
        thread::sleep(Duration::from_millis(500));
        wanted.exchange_in_turn(1, 1);
        wait_for_quiet(|| seen(&daemon));
        (sent(&daemon) == before).then_some(before)
    });
    println!(
        "{after} packets left the kernel for {} in the answer",
        packets_of(&answer)
    );
    assert_eq!(packets_of(&ask()), 0, "they are not at hand any more");
    daemon.stop();
}

#[test]
fn what_is_worth_remembering_is_remembered_while_nobody_watches_packets() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0", "--keep-closed", "2s"]);
    let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    for _question in 0..QUESTIONS {
        open.exchange_in_turn(100, 100);
    }
    let id = wait_for(PATIENCE, "the connection", || {
        daemon.list().first().map(|first| first.id)
    });

    let messages = thread::scope(|scope| {
        let following = scope.spawn(|| daemon.follow(id));
        // Both ends close, and the connection leaves the list.
        drop(open);
        following.join().unwrap()
    });

    let packets: Vec<_> = messages.iter().flat_map(|message| &message.packets).collect();
    let told: Vec<(bool, Vec<_>)> = packets
        .iter()
        .map(|packet| (packet.from_source, packet.flags().collect()))
        .collect();
    println!("{told:?}");
    let (syn, ack, fin) = (TcpFlag::Syn, TcpFlag::Ack, TcpFlag::Fin);
    let handshake = [(true, vec![syn]), (false, vec![syn, ack]), (true, vec![ack])];
    assert_eq!(told[..3], handshake);
    let ends: Vec<_> = told[3..]
        .iter()
        .filter(|(_source, flags)| flags.contains(&fin))
        .collect();
    assert_eq!(ends.len(), 2, "{told:?}");
    let times: Vec<_> = packets
        .iter()
        .map(|packet| packet.timestamp.map(|stamp| (stamp.seconds, stamp.nanos)))
        .collect();
    assert!(times.is_sorted(), "{times:?}");
    let last = messages.last().unwrap();
    assert!(last.gone && last.missed_packets == 0, "{last:?}");
    assert_eq!(sent(&daemon), 0, "packets that left the kernel");
    daemon.stop();
}

#[test]
fn a_capture_has_the_headers_that_tcpdump_has_and_wireshark_reads_it() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let [wanted, other] = [(); 2].map(|()| Open::new(&pair.left, &pair.right, Pair::RIGHT));
    let port = wanted.ends().1.port();
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (
        folder.path().join("ours.pcapng"),
        folder.path().join("theirs.pcap"),
    );
    let mut tcpdump = pair.left.command("tcpdump");
    tcpdump
        .args(["-i", "veth0", "--immediate-mode", "-U", "-w"])
        .arg(&theirs)
        .arg(format!("tcp port {port}"))
        .stderr(Stdio::piped());
    let mut tcpdump = tcpdump.spawn().unwrap();
    let mut told = BufReader::new(tcpdump.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().contains("listening on veth0")));
    let mut capture = pair.left.command(env!("CARGO_BIN_EXE_tcpviewer"));
    capture
        .args(["capture", "--server", &daemon.url, "--filter"])
        .arg(format!("port {port}"))
        .arg("--output")
        .arg(&ours)
        .stderr(Stdio::piped());
    let capture = capture.spawn().unwrap();
    wait_for(PATIENCE, "a packet in the capture", || {
        wanted.exchange_in_turn(10, 10);
        fs::read(&ours)
            .is_ok_and(|file| !packets_of(&file).is_empty())
            .then_some(())
    });

    // Ours began later than tcpdump: it may lack some of these.
    let earlier = dumped(&fs::read(&theirs).unwrap()).len();

    for open in [&wanted, &other] {
        open.exchange_in_turn(1_000, 500);
        open.exchange(200_000, 100_000);
    }

    let captured = wait_for_quiet(|| packets_of(&fs::read(&ours).unwrap()));
    let dumped = wait_for_quiet(|| dumped(&fs::read(&theirs).unwrap()));
    println!("{} packets of {}", captured.len(), dumped.len());
    assert!(captured.len() > 20);
    // Packets that pass on two CPUs at once are in the order in which they were written, which may differ.
    let mut left: Vec<_> = dumped.iter().enumerate().collect();
    for packet in &captured {
        let same = |(_, bytes): &(usize, &Vec<u8>)| {
            bytes.starts_with(&packet.bytes) && bytes.len() == packet.length as usize
        };
        let found = left.iter().position(same);
        left.remove(found.unwrap_or_else(|| panic!("not in tcpdump's: {packet:?}")));
        assert!(packet.comment.starts_with("connection "), "{packet:?}");
        // Both ends are of this process.
        let this = format!(" ({})", process::id());
        assert_eq!(packet.comment.matches(&this).count(), 2, "{packet:?}");
    }
    assert!(
        left.iter().all(|(number, _)| *number < earlier),
        "missing: {left:?}"
    );
    for mut child in [tcpdump, capture] {
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert!(child.wait().unwrap().success());
    }
    for program in ["capinfos", "tshark"] {
        let mut reader = Command::new(program);
        if program == "tshark" {
            reader.arg("-r");
        }
        let output = reader.arg(&ours).output().unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
        let complaints: Vec<_> = complaints
            .lines()
            .filter(|line| !line.contains("Running as user"))
            .collect();
        assert!(
            output.status.success() && complaints.is_empty(),
            "{program}: {complaints:?}"
        );
    }
    daemon.stop();
}

/// A packet of our capture.
#[derive(Debug, PartialEq)]
struct Captured {
    bytes: Vec<u8>,
    length: u32,
    comment: String,
}

/// The packets of a pcapng file, as far as it is written.
fn packets_of(file: &[u8]) -> Vec<Captured> {
    let mut packets = Vec::new();
    let Ok(mut reader) = PcapNgReader::new(file) else {
        return packets;
    };
    while let Some(Ok(block)) = reader.next_block() {
        let Block::EnhancedPacket(packet) = block else {
            continue;
        };
        let comments = packet.options.iter().filter_map(|option| {
            let EnhancedPacketOption::Comment(comment) = option else {
                return None;
            };
            Some(comment.as_ref())
        });
        packets.push(Captured {
            comment: comments.collect(),
            bytes: packet.data.to_vec(),
            length: packet.original_len,
        });
    }
    packets
}

/// The packets of a pcap file, as far as it is written.
fn dumped(file: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut reader = PcapReader::new(file).unwrap();
    while let Some(Ok(packet)) = reader.next_packet() {
        packets.push(packet.data.to_vec());
    }
    packets
}

/// Packets that left the kernel.
fn sent(daemon: &Daemon<'_>) -> u64 {
    daemon.status().ledger.unwrap().packet_events
}

/// Packets that the kernel counted for connections.
fn seen(daemon: &Daemon<'_>) -> u64 {
    daemon.status().ledger.unwrap().packets_tracked
}
