//! `GET /api/traffic` as scripts meet it: curl against the real API, and the answer read as JSON.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

use std::{
    collections::BTreeSet,
    process::{Command, Output},
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use support::{Daemon, INSTANCE, connection, packet};
use tcpviewer::model::{Delta, Unsent};

const PACKET: &str = "timestamp, src_ip, src_port, dst_ip, dst_port, flag_syn, flag_ack, flag_fin, flag_rst, flag_psh, \
    flag_urg, payload_length, seq_num, ack_num, window_size";
const CONNECTION: &str = "connection_id, src_ip, src_port, dst_ip, dst_port, state, bytes_sent, bytes_received, \
    packets_sent, packets_received, rtt_ms, retransmissions, window_size, last_seq, last_ack, first_seen, last_seen, \
    recent_packets";

/// Runs curl beside the daemon.
async fn curl(daemon: &Daemon, query: &str, options: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--max-time", "20"])
        .args(options)
        .arg(format!("{}/api/traffic{query}", daemon.url()));
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// The object, which comes whole.
async fn traffic(daemon: &Daemon, query: &str) -> Value {
    let output = curl(daemon, query, &["--fail"]).await;
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.ends_with(b"}\n"));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

fn numbers(packets: &Value) -> Vec<u64> {
    let packets = packets.as_array().unwrap().iter();
    packets
        .map(|packet| packet["seq_num"].as_u64().unwrap())
        .collect()
}

fn ids(answer: &Value) -> BTreeSet<&str> {
    names(&answer["connections"])
}

fn is_near_now(seconds: &Value) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (seconds.as_f64().unwrap() - now.as_secs_f64()).abs() < 60.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_come_from_the_second_request_on_until_nobody_asks_any_more() {
    let mut daemon = Daemon::start().await;
    daemon.change([17, 18]);

    let first = traffic(&daemon, "").await;
    assert_eq!(ids(&first), ["17", "18"].into());
    assert_eq!(first["packets"], Value::Array(vec![]));
    daemon.wait_for_packets_watched(&[true]).await;
    daemon.packets.push(
        (0..1_500)
            .map(|seq| packet(if seq == 1_400 { 17 } else { 9 }, seq))
            .collect(),
        Unsent::default(),
    );
    let second = traffic(&daemon, "").await;

    assert_eq!(names(&second), ["packets", "connections"].into());
    assert_eq!(numbers(&second["packets"]), (500..1_500).collect::<Vec<_>>());
    let newest = &second["packets"][999];
    assert_eq!(names(newest), PACKET.split(", ").map(str::trim).collect());
    assert!(is_near_now(&newest["timestamp"]), "{newest}");
    for (name, expected) in [
        ("src_ip", Value::from("127.0.0.1")),
        ("src_port", 40_000.into()),
        ("dst_port", 443.into()),
        ("flag_syn", true.into()),
        ("flag_ack", true.into()),
        ("flag_fin", false.into()),
        ("payload_length", 1.into()),
        ("ack_num", 7.into()),
        ("window_size", 1_024.into()),
    ] {
        assert_eq!(newest[name], expected, "{name}");
    }
    assert_eq!(numbers(&second["connections"]["17"]["recent_packets"]), [1_400]);
    assert_eq!(
        second["connections"]["18"]["recent_packets"],
        Value::Array(vec![])
    );
    daemon.wait_for_packets_watched(&[true, false]).await;
}

#[tokio::test]
async fn a_connection_has_the_old_names_and_null_for_what_was_not_measured() {
    let daemon = Daemon::start().await;
    let measured = connection(17, 1);
    let mut bare = connection(18, 2);
    bare.source_state = tcpviewer_common::state::TcpState::Unknown;
    for half in [&mut bare.sent, &mut bare.received] {
        half.rtt = None;
        half.socket = None;
        half.window_bytes = None;
        half.last_seq = None;
        half.last_ack = None;
    }
    daemon.board.apply(Delta {
        changed: vec![Arc::new(measured), Arc::new(bare)],
        ..Delta::default()
    });

    let answer = traffic(&daemon, "").await;

    let (measured, bare) = (&answer["connections"]["17"], &answer["connections"]["18"]);
    for object in [measured, bare] {
        assert_eq!(names(object), CONNECTION.split(", ").map(str::trim).collect());
    }
    for (name, expected) in [
        ("connection_id", Value::from(17)),
        ("src_ip", "2001:db8:1111:2222:3333:4444:5555:11".into()),
        ("src_port", 40_000.into()),
        ("dst_port", 443.into()),
        ("state", "ESTABLISHED".into()),
        ("bytes_sent", (1_u64 << 40).into()),
        ("packets_received", (1_u64 << 30).into()),
        ("rtt_ms", 21.0.into()),
        ("retransmissions", 2_048.into()),
        ("window_size", (1 << 25).into()),
        ("last_seq", u32::MAX.into()),
    ] {
        assert_eq!(measured[name], expected, "{name}");
    }
    assert!(is_near_now(&measured["first_seen"]) && is_near_now(&measured["last_seen"]));
    for name in ["state", "rtt_ms", "window_size", "last_seq", "last_ack"] {
        assert_eq!(bare[name], Value::Null, "{name}");
    }
    assert_eq!(bare["retransmissions"], 2_048);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_chooses_connections_and_with_them_their_packets() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);
    traffic(&daemon, "?filter=port%20443%20and%20rtt%20%3E%2020ms").await;
    daemon.wait_for_packets_watched(&[true]).await;
    daemon.packets.push(
        (0..3_000).map(|seq| packet(u64::from(seq % 5), seq)).collect(),
        Unsent::default(),
    );

    for (query, expected) in [
        ("?filter=id+%3D%3D+2", &["2"][..]),
        ("?filter=id%20in%20%7B1%2C3%7D", &["1", "3"]),
        ("?filter=", &["1", "2", "3"]),
        ("?filter=port%2080", &[]),
    ] {
        let answer = traffic(&daemon, query).await;
        assert_eq!(ids(&answer), expected.iter().copied().collect(), "{query}");
        let packets = numbers(&answer["packets"]);
        let own = |seq: &u64| expected.contains(&(seq % 5).to_string().as_str());
        if query == "?filter=" {
            assert_eq!(packets, (2_000..3_000).collect::<Vec<_>>());
        } else {
            let newest: Vec<u64> = (0..3_000).filter(own).collect();
            let from = newest.len().saturating_sub(1_000);
            assert_eq!(packets, newest[from..], "{query}");
        }
    }
    for (query, problem) in [
        (
            "?filter=port%20443%20and%20prot%20%3D%3D%201",
            "filter: column 14: expected a field of connections, found `prot`; did you mean `port`?",
        ),
        (
            "?filter=syn",
            "filter: column 1: expected a field of connections, found `syn`",
        ),
        ("?limit=5", "unknown field `limit`, expected `filter`"),
        ("?filter=open&filter=closed", "duplicate field `filter`"),
    ] {
        let output = curl(&daemon, query, &["--write-out", "%{http_code}"]).await;
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, code) = text.split_once('\n').unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        let error = body["error"].as_str().unwrap();
        assert!(
            code == "400" && error.contains(problem),
            "{query}: {code} {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_table_comes_whole_and_small_with_gzip() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=20_000);

    let plain = curl(&daemon, "", &[]).await.stdout;
    let packed = curl(&daemon, "", &["--header", "accept-encoding: gzip", "--include"])
        .await
        .stdout;
    let unpacked = curl(&daemon, "", &["--compressed"]).await.stdout;

    let answer: Value = serde_json::from_slice(&plain).unwrap();
    assert_eq!(ids(&answer).len(), 20_000);
    let end = packed
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(packed[..end].to_vec()).unwrap().to_lowercase();
    for line in [
        "content-encoding: gzip",
        "content-type: application/json",
        "cache-control: no-store",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(head.contains(line), "{head}");
    }
    assert!(
        packed.len() < plain.len() / 5,
        "{} of {}",
        packed.len(),
        plain.len()
    );
    assert_eq!(unpacked, plain);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_stall_count_as_streams_and_the_end_of_the_daemon_breaks_them_off() {
    let mut daemon = Daemon::start_with(INSTANCE, true).await;
    daemon.change(1..=20_000);
    let head = format!("GET /api/traffic HTTP/1.1\r\nHost: {}\r\n\r\n", daemon.address);
    let mut stalled = tokio::net::TcpStream::connect(daemon.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stalled, head.as_bytes())
        .await
        .unwrap();
    daemon.wait_for_streams(1).await;

    let start = std::time::Instant::now();
    daemon.stop().await.unwrap();

    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let mut answer = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stalled, &mut answer)
        .await
        .ok();
    assert!(!answer.ends_with(b"0\r\n\r\n"), "half an object looks whole");
}
