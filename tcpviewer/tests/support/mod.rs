//! A daemon without a kernel: the real boards and the real API on a free port of the loopback, fed by the test.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use tcpviewer::{
    api::{self, ApiContext, ApiError},
    config::ApiConfig,
    history::History,
    model::{
        Budgets, CloseReason, Closed, Command, Connection, Degradation, Delta, Direction, Economies, Half,
        Handshake, Identity, Interface, Ledger, Listed, LocalEnd, NotablePacket, NotablePackets, Orientation,
        Packet, Removal, Response, Rtt, RttSource, Socket, SocketSegments, SocketSource, Status, Verdict,
    },
    proto::{
        GetStatusRequest, WatchConnectionsRequest, WatchConnectionsResponse,
        tcp_viewer_service_client::TcpViewerServiceClient, watch_connections_response::Event,
    },
    publish::{Board, PacketBoard},
};
use tcpviewer_common::state::TcpState;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{sleep, timeout},
};
use tonic::{Streaming, transport::Channel};

/// The run that test daemons claim to be, unless they say another.
pub(crate) const INSTANCE: u64 = 0xfeed;
/// Nothing in these tests takes longer, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Client = TcpViewerServiceClient<Channel>;

/// A daemon that does what the test says.
pub(crate) struct Daemon {
    pub(crate) address: SocketAddr,
    pub(crate) board: Arc<Board>,
    pub(crate) history: Arc<History>,
    pub(crate) packets: Arc<PacketBoard>,
    /// What the API told the daemon about watched packets, in order.
    pub(crate) packets_watched: Arc<Mutex<Vec<bool>>>,
    pub(crate) revision: u64,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<Result<(), ApiError>>>,
}

impl Daemon {
    pub(crate) async fn start() -> Self {
        Self::start_with(INSTANCE, true).await
    }

    /// A daemon of this run, whose stages report when asked, or never.
    pub(crate) async fn start_with(instance: u64, reports: bool) -> Self {
        Self::start_at(instance, reports, 0).await
    }

    pub(crate) async fn start_at(instance: u64, reports: bool, port: u16) -> Self {
        Self::start_from(instance, reports, &ApiConfig::loopback(port)).await
    }

    /// A daemon that is served as this says, first of all over TCP.
    pub(crate) async fn start_from(instance: u64, reports: bool, config: &ApiConfig) -> Self {
        let entrances = api::bind(config).await.unwrap();
        let address = entrances.addresses().unwrap()[0];
        let (commands, received) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel::<()>();
        let board = Arc::new(Board::new(instance));
        let history = Arc::new(History::new(Duration::from_millis(250)));
        let packets = Arc::new(PacketBoard::new());
        let identity = Arc::new(Identity {
            instance,
            host_name: "testhost".into(),
            kernel_release: "6.18.0".into(),
            capture_file: String::new(),
            started_at: SystemTime::now(),
            update_interval: Duration::from_millis(250),
            keep_closed: Duration::from_secs(30),
        });
        let context = ApiContext {
            identity,
            board: Arc::clone(&board),
            history: Arc::clone(&history),
            packets: Arc::clone(&packets),
            commands,
            economies: Economies::none(),
        };
        let packets_watched = Arc::default();
        tokio::spawn(obey(received, Arc::clone(&packets_watched), reports));
        let served = tokio::spawn(api::serve(entrances, context, async move {
            stopped.await.ok();
        }));
        Self {
            address,
            board,
            history,
            packets,
            packets_watched,
            revision: 0,
            stop: Some(stop),
            served: Some(served),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn client(&self) -> Client {
        TcpViewerServiceClient::connect(self.url())
            .await
            .unwrap()
            .max_decoding_message_size(64 * 1024 * 1024)
    }

    /// Publishes a new form of these connections.
    pub(crate) fn change(&mut self, ids: impl IntoIterator<Item = u64>) {
        let changed = ids.into_iter().map(|id| -> Arc<dyn Listed> {
            self.revision += 1;
            Arc::new(connection(id, self.revision))
        });
        let changed: Vec<_> = changed.collect();
        self.publish(Delta {
            changed,
            ..Delta::default()
        });
    }

    /// Publishes a new form of these connections, each with its verdict.
    pub(crate) fn judge(&mut self, verdicts: impl IntoIterator<Item = (u64, Verdict)>) {
        let changed = verdicts.into_iter().map(|(id, verdict)| -> Arc<dyn Listed> {
            self.revision += 1;
            Arc::new(Connection {
                verdict: Some(verdict),
                ..connection(id, self.revision)
            })
        });
        let changed: Vec<_> = changed.collect();
        self.publish(Delta {
            changed,
            ..Delta::default()
        });
    }

    /// Publishes a new form of a connection after so many packets worth remembering, the last of which these are.
    pub(crate) fn remember(&mut self, id: u64, packets: Vec<NotablePacket>, seen: u32) {
        self.revision += 1;
        let changed = Connection {
            notable_packets: seen,
            ..connection(id, self.revision)
        };
        self.publish(Delta {
            changed: vec![Arc::new(changed)],
            notable: vec![NotablePackets {
                connection_id: id,
                packets,
            }],
            ..Delta::default()
        });
    }

    /// Publishes that these connections have ended.
    pub(crate) fn close(&mut self, ids: impl IntoIterator<Item = u64>) {
        let closed = Closed {
            at: SystemTime::now(),
            reason: CloseReason::Fin,
        };
        let changed = ids.into_iter().map(|id| -> Arc<dyn Listed> {
            self.revision += 1;
            Arc::new(Connection {
                closed: Some(closed),
                ..connection(id, self.revision)
            })
        });
        let changed: Vec<_> = changed.collect();
        self.publish(Delta {
            changed,
            ..Delta::default()
        });
    }

    /// Publishes that these connections are gone.
    pub(crate) fn remove(&mut self, ids: impl IntoIterator<Item = u64>) {
        let removed = ids.into_iter().map(|id| {
            self.revision += 1;
            Removal {
                id,
                revision: self.revision,
            }
        });
        let removed: Vec<_> = removed.collect();
        self.publish(Delta {
            removed,
            ..Delta::default()
        });
    }

    /// Publishes what changed.
    pub(crate) fn publish(&self, delta: Delta) {
        self.history.apply(&delta);
        self.board.apply(delta);
    }

    /// Waits until this many streams are open.
    pub(crate) async fn wait_for_streams(&self, expected: u32) {
        let mut client = self.client().await;
        let mut streams = u32::MAX;
        let waited = timeout(PATIENCE, async {
            while streams != expected {
                streams = client
                    .get_status(GetStatusRequest {})
                    .await
                    .unwrap()
                    .into_inner()
                    .streams;
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(waited.await.is_ok(), "{streams} streams are open, not {expected}");
    }

    /// Waits until the API has said so about watched packets.
    pub(crate) async fn wait_for_packets_watched(&self, expected: &[bool]) {
        let waited = timeout(PATIENCE, async {
            while *self.packets_watched.lock().unwrap() != expected {
                sleep(Duration::from_millis(5)).await;
            }
        });
        assert!(
            waited.await.is_ok(),
            "{:?}, not {expected:?}",
            self.packets_watched.lock().unwrap()
        );
    }

    /// Sends bytes on a connection of its own and returns what comes back until the daemon closes it, or until
    /// `enough` says so.
    pub(crate) async fn exchange(&self, request: &[u8], enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, async {
            while !enough(&answer) && stream.read_buf(&mut answer).await.is_ok_and(|count| count > 0) {}
        });
        assert!(
            read.await.is_ok(),
            "no end of {:?}",
            String::from_utf8_lossy(&answer)
        );
        answer
    }

    /// Sends one HTTP/1.1 request whose connection the daemon closes afterwards.
    pub(crate) async fn http(&self, head: &str, body: &[u8]) -> String {
        let head = format!(
            "{head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let answer = self
            .exchange(&[head.as_bytes(), body].concat(), |_answer| false)
            .await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Calls a method with gRPC-Web over HTTP/1.1 and returns the whole answer.
    pub(crate) async fn grpc_web(&self, method: &str, frame: &[u8]) -> String {
        let head = format!(
            "POST /tcpviewer.v1.TcpViewerService/{method} HTTP/1.1\r\nHost: {}\r\n\
             Content-Type: application/grpc-web+proto",
            self.address
        );
        self.http(&head, frame).await
    }

    /// The bytes of a gRPC-Web call over HTTP/1.1 on a connection that stays open.
    pub(crate) fn web_request(&self, method: &str, frame: &[u8]) -> Vec<u8> {
        let head = format!(
            "POST /tcpviewer.v1.TcpViewerService/{method} HTTP/1.1\r\nHost: {}\r\n\
             Content-Type: application/grpc-web+proto\r\nContent-Length: {}\r\n\r\n",
            self.address,
            frame.len()
        );
        [head.as_bytes(), frame].concat()
    }

    /// Ends the daemon, and tells how that went.
    pub(crate) async fn stop(mut self) -> Result<(), ApiError> {
        drop(self.stop.take());
        self.served.take().unwrap().await.unwrap()
    }
}

async fn obey(mut commands: mpsc::Receiver<Command>, packets_watched: Arc<Mutex<Vec<bool>>>, reports: bool) {
    let mut unanswered = Vec::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::WatchPackets(wish) => {
                let mut watched = packets_watched.lock().unwrap();
                // Which packets is another matter.
                if watched.last() != Some(&wish.is_some()) {
                    watched.push(wish.is_some());
                }
            }
            Command::WatchSockets(_) => {}
            Command::Listeners(answer) => drop(answer.send(Ok(vec![]))),
            Command::HostCounters(answer) => drop(answer.send(vec![])),
            Command::Status(answer) if reports => drop(answer.send(status())),
            Command::Status(answer) => unanswered.push(answer),
        }
    }
}

pub(crate) fn status() -> Status {
    Status {
        interfaces: vec![Interface {
            name: "eth0".into(),
            index: 2,
            hook: Err("permission denied".into()),
            xdp: None,
        }],
        ledger: Ledger {
            packets_seen: 10,
            packets_tracked: 9,
            packets_not_tcp: 1,
            ..Ledger::default()
        },
        tracked: 3,
        capacity: 100,
        kernel_map_bytes: None,
        capture_time: None,
        degradations: vec![Degradation {
            feature: "budget: intervals".into(),
            reason: "CPU time is kept within --max-cpu 25".into(),
            effect: "counters stay exact".into(),
        }],
        budgets: Budgets {
            memory_bytes: Some(512 << 20),
            cpu_percent: Some(25.0),
        },
    }
}

/// As large as connections come: IPv6, everything measured, large numbers.
pub(crate) fn connection(id: u64, revision: u64) -> Connection {
    let end = |host: u64, port| {
        let address = (0x2001_0db8_1111_2222_u128 << 64) | 0x3333_4444_5555_0000 | u128::from(host);
        SocketAddr::from((std::net::Ipv6Addr::from_bits(address), port))
    };
    let rtt = Rtt {
        source: RttSource::Wire,
        srtt_us: 21_000,
        rttvar_us: Some(3_000),
        min_us: 17_000,
        max_us: Some(300_000),
        last_us: Some(20_000),
        samples: Some(1 << 20),
    };
    let socket = Socket {
        sampled_at: SystemTime::now(),
        source: SocketSource::Egress,
        srtt_us: Some(21_000),
        min_rtt_us: Some(17_000),
        congestion_window: 1 << 10,
        slow_start_threshold: Some(1 << 10),
        segments: Some(SocketSegments {
            mss_bytes: 1460,
            in_flight: 1 << 10,
            retransmitted: 1 << 10,
            lost: 1 << 10,
            sacked: 1 << 10,
            retransmissions: 1 << 20,
        }),
        delivery_rate_bytes_per_second: Some(1 << 30),
        details: None,
    };
    let half = Half {
        packets: 1 << 30,
        wire_bytes: 1 << 40,
        payload_bytes: 1 << 40,
        retransmitted_bytes: 1 << 20,
        retransmissions: 1 << 10,
        fast_retransmissions: 1 << 10,
        spurious_retransmissions: 1 << 10,
        syn_retransmissions: 1 << 10,
        out_of_order: 1 << 10,
        duplicate_acks: 1 << 10,
        zero_windows: 1 << 10,
        window_full: 1 << 10,
        keep_alives: 1 << 10,
        lost_segments: 1 << 10,
        resets: 1 << 10,
        ecn_marked: 1 << 10,
        ecn_echoed: 1 << 10,
        payload_bytes_per_second: 1 << 30,
        packets_per_second: 1 << 20,
        last_seq: Some(u32::MAX),
        last_ack: Some(u32::MAX),
        window_bytes: Some(1 << 25),
        mss_bytes: Some(1460),
        window_scale: Some(7),
        sack_permitted: Some(true),
        timestamps: Some(true),
        fast_open: Some(true),
        in_flight_bytes: Some(1 << 20),
        usable_window_bytes: Some(1 << 20),
        rtt: Some(rtt),
        response: Some(Response {
            count: 1 << 20,
            last_us: 1 << 20,
            mean_us: 1 << 20,
            max_us: 1 << 30,
        }),
        socket: Some(Arc::new(socket)),
    };
    Connection {
        id,
        revision,
        source: end(id % 0xffff, 40_000),
        destination: end(1, 443),
        orientation: Orientation::Handshake,
        local_end: Some(LocalEnd::Source),
        source_state: TcpState::Established,
        destination_state: TcpState::Established,
        interface: "enp0s31f6".into(),
        sent: half.clone(),
        received: half,
        handshake: Handshake {
            rtt_us: Some(20_000),
            syn_to_syn_ack_us: Some(19_900),
            syn_ack_to_ack_us: Some(100),
        },
        first_seen: SystemTime::now(),
        last_seen: SystemTime::now(),
        closed: None,
        ecn: Some(true),
        source_owner: None,
        destination_owner: None,
        verdict: None,
        failure: None,
        notable_packets: 0,
    }
}

pub(crate) fn packet(connection_id: u64, seq: u32) -> Packet {
    Packet {
        timestamp: SystemTime::now(),
        connection_id,
        source: (Ipv4Addr::LOCALHOST, 40_000).into(),
        destination: (Ipv4Addr::LOCALHOST, 443).into(),
        interface: "lo".into(),
        direction: Direction::Egress,
        flags: 0x12,
        seq,
        ack: Some(7),
        window: 1024,
        payload_bytes: 1,
        wire_packets: 1,
        retransmission: false,
        headers: None,
    }
}

/// Opens a stream of connections.
pub(crate) async fn watch(
    client: &mut Client,
    request: WatchConnectionsRequest,
) -> Streaming<WatchConnectionsResponse> {
    client.watch_connections(request).await.unwrap().into_inner()
}

/// The next message that is more than a sign of life.
pub(crate) async fn next(stream: &mut Streaming<WatchConnectionsResponse>) -> Event {
    loop {
        let message = timeout(PATIENCE, stream.message())
            .await
            .expect("a message in time");
        let event = message
            .unwrap()
            .expect("the stream goes on")
            .event
            .expect("an event");
        if !matches!(event, Event::Heartbeat(_)) {
            return event;
        }
    }
}
