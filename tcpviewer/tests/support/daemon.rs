//! The real daemon inside a namespace, from its start to its orderly end, and what it says about itself when it
//! is asked by our own client.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tcpviewer::proto::{
    Connection, GetStatusRequest, GetStatusResponse, Ledger, ListConnectionsRequest, ListListenersRequest,
    Listener, Packet, Stats, WatchConnectionRequest, WatchConnectionResponse, WatchPacketsRequest,
    WatchStatsRequest, tcp_viewer_service_client::TcpViewerServiceClient,
};
use tempfile::NamedTempFile;
use tokio::time::timeout;
use tonic::transport::Channel;

use super::{PATIENCE, namespaces::Namespace, wait_for};

type Client = TcpViewerServiceClient<Channel>;

/// A daemon that runs and serves; killed when it is dropped without having been stopped.
pub(crate) struct Daemon<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) url: String,
    child: Child,
    log: NamedTempFile,
}

impl<'a> Daemon<'a> {
    /// Starts it with these arguments of `tcpviewer run` and waits until it serves.
    pub(crate) fn start(namespace: &'a Namespace, arguments: &[&str]) -> Self {
        let mut command = namespace.command(env!("CARGO_BIN_EXE_tcpviewer"));
        command.arg("run").args(arguments);
        Self::serving(namespace, command)
    }

    /// The daemon that this command becomes, once it serves.
    pub(crate) fn serving(namespace: &'a Namespace, mut command: Command) -> Self {
        let log = NamedTempFile::new().unwrap();
        let child = command
            .stdout(Stdio::piped())
            .stderr(log.reopen().unwrap())
            .spawn()
            .unwrap();
        let mut daemon = Self {
            namespace,
            url: String::new(),
            child,
            log,
        };
        let mut lines = BufReader::new(daemon.child.stdout.take().unwrap()).lines();
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || sender.send(lines.next()));
        let line = match receiver.recv_timeout(PATIENCE) {
            Ok(Some(Ok(line))) => line,
            other => panic!("the daemon does not serve: {other:?}\n{}", daemon.log()),
        };
        daemon.url = line
            .strip_prefix("tcpviewer serves ")
            .unwrap_or_else(|| panic!("{line:?} is no address"))
            .into();
        daemon
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time since its start, seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        let fields: Vec<_> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_ascii_whitespace()
            .collect();
        let ticks: u64 = [fields[11], fields[12]]
            .iter()
            .map(|field| field.parse::<u64>().unwrap())
            .sum();
        ticks as f64 / 100.0
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    /// Ends it as a service manager does, and expects that all is well.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let ended = wait_for(PATIENCE, "end of the daemon", || self.child.try_wait().unwrap());
        assert!(ended.success(), "{ended}\n{}", self.log());
    }

    pub(crate) fn status(&self) -> GetStatusResponse {
        let request = GetStatusRequest {};
        self.call(async |mut client| client.get_status(request).await.unwrap().into_inner())
    }

    /// The listening sockets.
    pub(crate) fn listeners(&self) -> Vec<Listener> {
        let request = ListListenersRequest {};
        self.call(async |mut client| {
            let answer = client.list_listeners(request).await.unwrap();
            answer.into_inner().listeners
        })
    }

    /// Sums over the open connections.
    pub(crate) fn stats(&self) -> Stats {
        self.stats_of("")
    }

    /// Sums over those open connections that the filter lets pass.
    pub(crate) fn stats_of(&self, filter: &str) -> Stats {
        let request = WatchStatsRequest {
            filter: filter.into(),
            ..Default::default()
        };
        self.call(async |mut client| {
            let mut stream = client.watch_stats(request).await.unwrap().into_inner();
            stream.message().await.unwrap().unwrap().stats.unwrap()
        })
    }

    /// All connections, by the unary call.
    pub(crate) fn list(&self) -> Vec<Connection> {
        self.list_of("")
    }

    /// Those that the filter lets pass.
    pub(crate) fn list_of(&self, filter: &str) -> Vec<Connection> {
        self.call(async |mut client| {
            let (mut connections, mut page_token) = (Vec::new(), String::new());
            loop {
                let request = ListConnectionsRequest {
                    filter: filter.into(),
                    page_size: 10_000,
                    page_token,
                    ..Default::default()
                };
                let page = client.list_connections(request).await.unwrap().into_inner();
                connections.extend(page.connections);
                page_token = page.next_page_token;
                if page_token.is_empty() {
                    return connections;
                }
            }
        })
    }

    /// Watches packets from before something is done until no more come of it.
    pub(crate) fn watch_packets(&self, filter: &str, action: impl FnOnce()) -> Vec<Packet> {
        /// No packet takes that long from the kernel.
        const QUIET: Duration = Duration::from_millis(200);
        let request = WatchPacketsRequest {
            filter: filter.into(),
            ..Default::default()
        };
        let (opened, is_open) = mpsc::channel();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                self.call(async |mut client| {
                    let mut stream = client.watch_packets(request).await.unwrap().into_inner();
                    let mut packets = stream.message().await.unwrap().unwrap().packets;
                    opened.send(()).unwrap();
                    loop {
                        match timeout(QUIET, stream.message()).await {
                            Ok(message) => packets.extend(message.unwrap().unwrap().packets),
                            Err(_elapsed) if over.load(Ordering::Relaxed) => return packets,
                            Err(_elapsed) => {}
                        }
                    }
                })
            });
            is_open.recv_timeout(PATIENCE).unwrap();
            action();
            over.store(true, Ordering::Relaxed);
            reader.join().unwrap()
        })
    }

    /// Follows a connection until it leaves the list: all that the stream says.
    pub(crate) fn follow(&self, id: u64) -> Vec<WatchConnectionResponse> {
        self.call(async |mut client| {
            let request = WatchConnectionRequest { id };
            let mut stream = client.watch_connection(request).await.unwrap().into_inner();
            let mut messages = Vec::new();
            while let Some(message) = timeout(PATIENCE, stream.message()).await.unwrap().unwrap() {
                messages.push(message);
            }
            messages
        })
    }

    /// Opens streams of packets and leaves them at once.
    pub(crate) fn glance_at_packets(&self, filter: &str, times: u32) {
        self.call(async |mut client| {
            for _glance in 0..times {
                let request = WatchPacketsRequest {
                    filter: filter.into(),
                    ..Default::default()
                };
                let stream = client.watch_packets(request).await.unwrap();
                drop(stream);
            }
        });
    }

    pub(crate) fn call<T: Send>(&self, action: impl AsyncFnOnce(Client) -> T + Send) -> T {
        let url = self.url.clone();
        self.namespace.enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let client = TcpViewerServiceClient::connect(url).await.unwrap();
                action(client.max_decoding_message_size(64 << 20)).await
            })
        })
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("log of the daemon:\n{}", self.log());
        }
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Every packet that was seen is counted, or not and why.
pub(crate) fn assert_every_packet_has_a_fate(ledger: &Ledger) {
    let fates = ledger.packets_tracked
        + ledger.packets_not_ip
        + ledger.packets_not_tcp
        + ledger.packets_fragment
        + ledger.packets_truncated
        + ledger.packets_malformed
        + ledger.packets_seen_elsewhere
        + ledger.packets_table_full
        + ledger.packets_over_budget;
    assert_eq!(ledger.packets_seen, fates, "{ledger:?}");
}

/// Every packet has one fate, and no report was lost.
pub(crate) fn assert_no_loss(ledger: &Ledger) {
    assert_every_packet_has_a_fate(ledger);
    assert_eq!(
        (
            ledger.connection_events_lost,
            ledger.packets_table_full,
            ledger.packets_truncated,
            ledger.packets_malformed
        ),
        (0, 0, 0, 0),
        "{ledger:?}"
    );
}
