//! Clients that mean no good, against the real program: it plays a capture, which needs no privileges. Whoever was there
//! before is served as before, and what the others can take is bounded.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tcpviewer::proto::{
    GetStatusRequest, WatchStatsRequest, tcp_viewer_service_client::TcpViewerServiceClient,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// Nothing in these tests takes longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files that the daemon may open; it serves half as many connections.
const FILES: usize = 512;
/// What a subscriber waits for a message that is due ten times a second, on a machine that does other things as well.
const LATE: Duration = Duration::from_secs(5);

/// The program, which serves a capture until it is dropped.
struct Served {
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start() -> Self {
        let program = env!("CARGO_BIN_EXE_tcpviewer");
        let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/exchange.pcapng");
        let run = format!(
            "ulimit -n {FILES}; exec {program} replay {capture} --serve --speed max --listen 127.0.0.1:0"
        );
        let mut child = Command::new("bash")
            .args(["-c", &run])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line
            .rsplit("http://")
            .next()
            .unwrap()
            .trim_end_matches('/')
            .parse()
            .unwrap();
        Self { child, address }
    }

    async fn client(&self) -> TcpViewerServiceClient<tonic::transport::Channel> {
        TcpViewerServiceClient::connect(format!("http://{}", self.address))
            .await
            .unwrap()
    }

    fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    fn resident_bytes(&self) -> u64 {
        let process = procfs::process::Process::new(self.child.id().try_into().unwrap()).unwrap();
        process.stat().unwrap().rss * procfs::page_size()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A subscriber who was there before, and how long it had to wait for a message at most.
struct Subscriber {
    heard: watch::Receiver<(u32, Duration)>,
    reading: JoinHandle<()>,
}

impl Subscriber {
    async fn start(served: &Served) -> Self {
        let request = WatchStatsRequest {
            interval: Some(Duration::from_millis(100).try_into().unwrap()),
            ..Default::default()
        };
        let answer = served.client().await.watch_stats(request).await;
        let mut stream = answer.unwrap().into_inner();
        let (sender, heard) = watch::channel((0, Duration::ZERO));
        let reading = tokio::spawn(async move {
            loop {
                let start = Instant::now();
                stream.message().await.unwrap().unwrap();
                sender.send_modify(|(messages, longest)| {
                    *messages += 1;
                    *longest = start.elapsed().max(*longest);
                });
            }
        });
        Self { heard, reading }
    }

    /// Expects that it was never kept waiting, nor is now, and returns how long it waited at most.
    async fn end(mut self) -> Duration {
        let so_far = self.heard.borrow().0;
        let more = self
            .heard
            .wait_for(|(messages, _longest)| *messages > so_far + 10);
        let (_messages, longest) = *timeout(PATIENCE, more).await.unwrap().unwrap();
        self.reading.abort();
        assert!(longest < LATE, "{longest:?}");
        longest
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connections_and_slow_loris_do_not_disturb_a_subscriber() {
    let served = Served::start();
    let subscriber = Subscriber::start(&served).await;
    let before = served.resident_bytes();
    // More than there is room for, each with half a head, to which it adds a letter from time to time.
    let mut slow = Vec::new();
    for number in 0..FILES {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let start: &[u8] = match number % 3 {
            0 => b"GET / HTTP/1.1\r\nHost: localhost\r\nX-",
            1 => b"PRI * HTTP/2.0\r\n\r\nSM",
            _ => b"",
        };
        stream.write_all(start).await.ok();
        slow.push(stream);
    }
    let dripping = tokio::spawn(async move {
        let start = Instant::now();
        let mut closed = 0;
        // Until all are closed: that is the time for a head, and not longer for letters that come.
        while !slow.is_empty() && start.elapsed() < PATIENCE {
            let mut still_open = Vec::new();
            for mut stream in slow {
                let is_open = stream.write_all(b"a").await.is_ok()
                    && timeout(Duration::from_millis(1), stream.read(&mut [0; 512]))
                        .await
                        .is_err();
                if is_open {
                    still_open.push(stream);
                } else {
                    closed += 1;
                }
            }
            slow = still_open;
            sleep(Duration::from_millis(500)).await;
        }
        (closed, start.elapsed())
    });

    let mut most_files = 0;
    for number in 0..10_000_u32 {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        match number % 4 {
            0 => drop(
                stream
                    .write_all(b"GET /api/traffic HTTP/1.1\r\nHost: x\r\n\r\n")
                    .await,
            ),
            1 => drop(
                stream
                    .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x04\x00\x00\x00\x00\x00")
                    .await,
            ),
            2 => drop(stream.write_all(&[0x16, 3, 1, 0xff, 0xff, 1]).await),
            _ => {}
        }
        if number % 500 == 0 {
            most_files = served.open_files().max(most_files);
        }
    }
    let (closed, time) = dripping.await.unwrap();
    let longest = subscriber.end().await;
    let grown = served.resident_bytes().saturating_sub(before);

    assert_eq!(closed, FILES, "slow ones are open still");
    assert!(time < Duration::from_secs(45), "{time:?}");
    assert!(most_files < FILES * 3 / 4, "{most_files} files were open");
    assert!(grown < 64 << 20, "grew by {grown} bytes");
    // There is room again.
    let status = timeout(PATIENCE, async {
        served.client().await.get_status(GetStatusRequest {}).await
    });
    assert!(status.await.unwrap().is_ok());
    println!(
        "the subscriber waited {longest:?} at most; {most_files} files were open, {} KiB more in use, the slow ones \
         were closed within {time:?}",
        grown / 1024
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_too_large_end_their_own_connection_only() {
    let served = Served::start();
    let subscriber = Subscriber::start(&served).await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".as_slice();
    let many_streams = (0..2_000_u32).flat_map(|number| {
        let identifier = (2 * number + 1).to_be_bytes();
        [&[0, 0, 4, 1, 4][..], &identifier, &[0x82, 0x87, 0x84, 0x41]].concat()
    });
    let many_streams: Vec<u8> = many_streams.collect();
    for (what, bytes) in [
        (
            "a frame beyond the limit",
            [preface, b"\x00\x40\x01\x00\x00\x00\x00\x00\x01"].concat(),
        ),
        (
            "data for no stream",
            [preface, b"\x00\x00\x01\x00\x01\x00\x00\x00\x07x"].concat(),
        ),
        (
            "settings that cannot be",
            [
                preface,
                b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\xff\xff\xff\xff",
            ]
            .concat(),
        ),
        (
            "a window of nothing",
            [preface, b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"].concat(),
        ),
        (
            "a headers frame without an end",
            [preface, b"\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82"].concat(),
        ),
        ("more streams than are allowed", [preface, &many_streams].concat()),
        (
            "a head beyond the limit",
            [
                b"GET / HTTP/1.1\r\nHost: localhost\r\n".as_slice(),
                &b"X-Long: a\r\n".repeat(40_000),
            ]
            .concat(),
        ),
        (
            "a target beyond the limit",
            [b"GET /".as_slice(), &b"a".repeat(300_000), b" HTTP/1.1\r\n\r\n"].concat(),
        ),
    ] {
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(&bytes).await.ok();
        // It is closed, or waits for the rest: nothing that is not an answer to this comes of it.
        let mut answer = Vec::new();
        timeout(Duration::from_millis(300), stream.read_to_end(&mut answer))
            .await
            .ok();
        assert!(answer.len() < 64 << 10, "{what}: {} bytes", answer.len());
    }
    subscriber.end().await;
    let status = served
        .client()
        .await
        .get_status(GetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        status.streams, 0,
        "the subscriber has gone, and nobody else has a stream"
    );
}
