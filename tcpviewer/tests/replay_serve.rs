//! `tcpviewer replay --serve`: a capture through the stages of the daemon, read back by a client.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/captures.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod captures;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use captures::{EXCHANGE, EXCHANGE_PACKETS, Form, Frame, exchange, pcap};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tcpviewer::proto::{
    Connection, GetStatusRequest, GetStatusResponse, ListConnectionsRequest, TcpFlag, WatchConnectionRequest,
    WatchPacketsRequest, tcp_viewer_service_client::TcpViewerServiceClient,
};
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;

/// Nothing here takes longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);
const PROGRAM: &str = env!("CARGO_BIN_EXE_tcpviewer");

/// The program while it serves; killed when it is dropped without having been stopped.
struct Served {
    program: Child,
    input: Option<ChildStdin>,
    url: String,
}

impl Served {
    /// Serves what comes through a pipe, of which these are the first bytes.
    async fn start(beginning: &[u8], arguments: &[&str]) -> Self {
        let mut program = Command::new(PROGRAM)
            .args(["replay", "-", "--serve", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = program.stdin.take().unwrap();
        input.write_all(beginning).unwrap();
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let (told, address) = tokio::sync::oneshot::channel();
        thread::spawn(move || told.send(lines.next()));
        let line = timeout(PATIENCE, address)
            .await
            .unwrap()
            .unwrap()
            .unwrap()
            .unwrap();
        Self {
            program,
            input: Some(input),
            url: line.strip_prefix("tcpviewer serves ").unwrap().into(),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.input.as_mut().unwrap().write_all(bytes).unwrap();
    }

    async fn client(&self) -> TcpViewerServiceClient<Channel> {
        TcpViewerServiceClient::connect(self.url.clone()).await.unwrap()
    }

    async fn status(&self) -> GetStatusResponse {
        let mut client = self.client().await;
        client.get_status(GetStatusRequest {}).await.unwrap().into_inner()
    }

    async fn list(&self) -> Vec<Connection> {
        let request = ListConnectionsRequest {
            page_size: 10_000,
            ..Default::default()
        };
        let mut connections = self
            .client()
            .await
            .list_connections(request)
            .await
            .unwrap()
            .into_inner()
            .connections;
        connections.sort_by_key(|connection| connection.id);
        connections
    }

    /// Waits until what is listed is as it should be.
    async fn wait_for(&self, what: &str, expected: impl Fn(&[Connection]) -> bool) -> Vec<Connection> {
        let mut listed = Vec::new();
        let waited = timeout(PATIENCE, async {
            loop {
                listed = self.list().await;
                if expected(&listed) {
                    break;
                }
                sleep(Duration::from_millis(10)).await;
            }
        });
        assert!(waited.await.is_ok(), "no {what}: {listed:#?}");
        listed
    }

    fn stop(mut self) {
        kill_process(Pid::from_child(&self.program), Signal::INT).unwrap();
        assert!(self.program.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.program.kill().ok();
        self.program.wait().ok();
    }
}

fn packets(connections: &[Connection]) -> Vec<u64> {
    let count = |connection: &Connection| {
        connection.sent.as_ref().unwrap().packets + connection.received.as_ref().unwrap().packets
    };
    connections.iter().map(count).collect()
}

/// Lines of JSON without what depends on when they were published.
fn comparable(lines: &[u8]) -> Vec<Value> {
    let mut connections: Vec<Value> = String::from_utf8(lines.to_vec())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for connection in &mut connections {
        connection["revision"].take();
        // It goes by the time that passes while a capture is played.
        connection["verdict"].take();
        for half in ["sent", "received"] {
            connection[half]["payload_bytes_per_second"].take();
            connection[half]["packets_per_second"].take();
        }
    }
    connections.sort_by_key(|connection| connection["id"].as_u64());
    connections
}

async fn output(arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(PROGRAM);
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    output.await.unwrap().stdout
}

fn moved(frame: &Frame, seconds: u64) -> Frame {
    Frame {
        time_ns: frame.time_ns + seconds * 1_000_000_000,
        ..frame.clone()
    }
}

/// Packets without the header of a file.
fn records(frames: &[Frame]) -> Vec<u8> {
    pcap(Form::PLAIN, frames).split_off(pcap(Form::PLAIN, &[]).len())
}

#[tokio::test]
async fn what_is_served_in_the_end_is_what_replay_lists() {
    let mut served = Served::start(EXCHANGE, &["--speed", "max"]).await;
    served.input.take();

    served
        .wait_for("end of the capture", |listed| packets(listed) == EXCHANGE_PACKETS)
        .await;

    let listed = output(&["list", "--server", &served.url, "--output", "json"]).await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/exchange.pcapng");
    let replayed = output(&["replay", file, "--output", "json"]).await;
    assert_eq!(comparable(&listed), comparable(&replayed));
    let status = served.status().await;
    assert_eq!(
        (status.capture_file.as_str(), status.kernel_release.as_str()),
        ("-", "")
    );
    assert!(status.interfaces.is_empty());
    let newest = exchange().iter().map(|frame| frame.time_ns).max().unwrap();
    let capture_time = SystemTime::try_from(status.capture_time.unwrap()).unwrap();
    assert!(capture_time >= SystemTime::UNIX_EPOCH + Duration::from_nanos(newest));
    let ledger = status.ledger.unwrap();
    assert_eq!((ledger.packets_seen, ledger.packets_tracked), (24, 24));
    let text = String::from_utf8(output(&["status", "--server", &served.url]).await).unwrap();
    assert!(text.contains("(capture -)"), "{text}");
    served.stop();
}

#[tokio::test]
async fn ended_connections_are_kept_by_the_capture_s_time() {
    let frames = exchange();
    // The first connection ends in its tenth packet. Another packet comes when it is still kept, one when it is not.
    let early: Vec<_> = frames[..10]
        .iter()
        .cloned()
        .chain([moved(&frames[12], 20)])
        .collect();
    let late = moved(&frames[13], 40);
    let arguments = ["--speed", "max", "--keep-closed", "30s"];
    let mut served = Served::start(&pcap(Form::PLAIN, &early), &arguments).await;

    served
        .wait_for("both connections", |listed| packets(listed) == [10, 1])
        .await;
    served.write(&records(&[late]));
    let listed = served
        .wait_for("only the second", |listed| packets(listed) == [2])
        .await;

    assert_eq!(listed[0].id, 2);
    served.stop();
}

#[tokio::test]
async fn a_capture_takes_its_time_divided_by_the_speed() {
    let frames = exchange();
    // Three seconds at three times the speed.
    let capture = [frames[0].clone(), moved(&frames[12], 3)];
    let started = SystemTime::now();
    let served = Served::start(&pcap(Form::PLAIN, &capture), &["--speed", "3"]).await;

    served
        .wait_for("first packet", |listed| packets(listed) == [1])
        .await;
    let listed = served
        .wait_for("second packet", |listed| packets(listed) == [1, 1])
        .await;

    assert!(started.elapsed().unwrap() >= Duration::from_millis(950));
    let first_seen = |connection: &Connection| SystemTime::try_from(connection.first_seen.unwrap()).unwrap();
    let captured = SystemTime::UNIX_EPOCH + Duration::from_nanos(frames[0].time_ns);
    assert_eq!(first_seen(&listed[0]), captured);
    served.stop();
}

#[tokio::test]
async fn packets_are_streamed_while_somebody_watches() {
    let frames = exchange();
    let mut served = Served::start(&pcap(Form::PLAIN, &[]), &["--speed", "max"]).await;
    let mut stream = served
        .client()
        .await
        .watch_packets(WatchPacketsRequest::default())
        .await
        .unwrap()
        .into_inner();

    // The wish travels to the source in its own time, so the same packets pass until one is seen.
    let mut seen = None;
    for _ in 0..1_000 {
        served.write(&records(&frames[..1]));
        if let Ok(message) = timeout(Duration::from_millis(30), stream.message()).await {
            let packets = message.unwrap().unwrap().packets;
            seen = packets.into_iter().next();
            if seen.is_some() {
                break;
            }
        }
    }

    let packet = seen.expect("a packet");
    let time = SystemTime::try_from(packet.timestamp.unwrap()).unwrap();
    assert_eq!(
        time,
        SystemTime::UNIX_EPOCH + Duration::from_nanos(frames[0].time_ns)
    );
    assert_eq!(packet.connection_id, 1);
    assert_eq!(packet.source.unwrap().port, 40_000);
    served.stop();
}

#[tokio::test]
async fn a_connection_of_a_capture_has_its_past_in_the_capture_s_time() {
    let served = Served::start(EXCHANGE, &["--speed", "max"]).await;
    served
        .wait_for("the end of the capture", |listed| {
            packets(listed) == EXCHANGE_PACKETS
        })
        .await;

    let request = WatchConnectionRequest { id: 1 };
    let stream = served.client().await.watch_connection(request).await;
    let message = timeout(PATIENCE, stream.unwrap().into_inner().message()).await;
    let past = message.unwrap().unwrap().unwrap();

    let flags: Vec<Vec<_>> = past
        .packets
        .iter()
        .map(|packet| packet.flags().collect())
        .collect();
    let (syn, ack, fin) = (TcpFlag::Syn, TcpFlag::Ack, TcpFlag::Fin);
    assert_eq!(flags[..3], [vec![syn], vec![syn, ack], vec![ack]]);
    assert!(
        flags[3..].iter().filter(|flags| flags.contains(&fin)).count() == 2,
        "{flags:?}"
    );
    assert_eq!(past.missed_packets, 0);
    let time = |stamp: Option<prost_types::Timestamp>| SystemTime::try_from(stamp.unwrap()).unwrap();
    let captured = |frame: &Frame| SystemTime::UNIX_EPOCH + Duration::from_nanos(frame.time_ns);
    assert_eq!(time(past.packets[0].timestamp), captured(&exchange()[0]));
    let connection = past.connection.unwrap();
    let last = past.points.last().unwrap();
    // In microseconds, and one update interval later where it has gone quiet.
    let since = time(last.at) + Duration::from_micros(1);
    assert!(since >= time(connection.last_seen), "{last:?}");
    assert!(
        since < time(connection.last_seen) + Duration::from_secs(1),
        "{last:?}"
    );
    served.stop();
}

#[test]
fn an_address_that_others_can_reach_and_a_wrong_speed_are_wrong_usage() {
    for (arguments, words) in [
        (&["--serve", "--listen", "0.0.0.0:0"][..], "--insecure"),
        (&["--serve", "--speed", "fast"], "nor `max`"),
        (&["--speed", "2"], "--serve"),
        (&["--serve", "--output", "json"], "cannot be used with"),
    ] {
        let output = Command::new(PROGRAM)
            .args(["replay", "/dev/null"])
            .args(arguments)
            .output()
            .unwrap();

        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(words), "{text}");
    }
}
