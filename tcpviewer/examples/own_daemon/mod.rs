//! The daemon as it is installed, in a process of its own, beside the benchmark: how long it takes to start and to
//! stop, what it takes of processor and memory, and who reads it.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bytes::Bytes;
use http::uri::PathAndQuery;
use rustix::process::{Pid, Signal, kill_process};
use tcpviewer::proto::{
    GetStatusRequest, GetStatusResponse, WatchConnectionsRequest,
    tcp_viewer_service_client::TcpViewerServiceClient,
};
use tonic::{Request, Streaming, client::Grpc, transport::Endpoint};

use crate::message::AsTheyCome;

const METHOD: &str = "/tcpviewer.v1.TcpViewerService/WatchConnections";
/// The first byte of a message that ends the snapshot: field 2, with a length (protobuf.dev, encoding).
const SNAPSHOT_END: u8 = 2 << 3 | 2;
/// Nothing the daemon does at its start and at its end takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often its memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A running daemon; it is killed with this value.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) url: String,
    /// From its start until it could be reached.
    pub(crate) start: Duration,
}

/// What it took so far, and takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
}

impl Daemon {
    /// Starts the daemon in the network namespace of the calling thread.
    pub(crate) fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(program()?);
        command.arg("run").args(arguments).env("TCPVIEWER_LOG", "error");
        Self::serving(command, "tcpviewer serves ")
    }

    /// Starts made-up connections in place of a kernel.
    pub(crate) fn made_up(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?.with_file_name("load"));
        command.args(["--port", "0", "--for", "10m"]).args(arguments);
        Self::serving(command, "")
    }

    /// The daemon that this command becomes, once it says where it serves.
    fn serving(mut command: Command, before_url: &str) -> Result<Self> {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {command:?}; it is built with `--bins --examples`"))?;
        let output = child.stdout.take().context("the output of the daemon")?;
        let mut daemon = Self {
            child,
            url: String::new(),
            start: Duration::ZERO,
        };
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .context("read the daemon's address")?;
        let url = line.trim().strip_prefix(before_url).unwrap_or_default();
        ensure!(!url.is_empty(), "{command:?} does not serve: {line:?}");
        daemon.start = started.elapsed();
        daemon.url = url.to_owned();
        Ok(daemon)
    }

    /// What it took so far of the processors, on all its threads, and how much memory it has.
    pub(crate) fn cost(&self) -> Result<Cost> {
        let folder = self.folder();
        let mut nanoseconds = 0;
        for thread in fs::read_dir(folder.join("task"))? {
            // A thread may have ended meanwhile.
            let times = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            nanoseconds += times
                .split(' ')
                .next()
                .and_then(|time| time.parse().ok())
                .unwrap_or(0);
        }
        let status = fs::read_to_string(folder.join("status")).context("read the daemon's status")?;
        let kibibytes: u64 = status
            .lines()
            .find_map(|line| {
                line.strip_prefix("VmRSS:")?
                    .trim()
                    .strip_suffix(" kB")?
                    .parse()
                    .ok()
            })
            .context("the status of a process tells its resident memory")?;
        Ok(Cost {
            cpu: Duration::from_nanos(nanoseconds),
            resident_bytes: kibibytes << 10,
        })
    }

    /// What procfs says of it.
    pub(crate) fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}", self.child.id()))
    }

    /// What it says of itself.
    pub(crate) fn status(&self) -> Result<GetStatusResponse> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut client = TcpViewerServiceClient::connect(self.url.clone()).await?;
            Ok(client.get_status(GetStatusRequest {}).await?.into_inner())
        })
    }

    /// What it costs over this time, per cent of one processor, and the most memory that it has meanwhile: where much
    /// changes, what it remembers of the past grows and is cut back in turns.
    pub(crate) fn observe(&self, lasting: Duration) -> Result<(f64, u64)> {
        let (started, before) = (Instant::now(), self.cost()?);
        let (mut after, mut most_bytes) = (before, before.resident_bytes);
        while started.elapsed() < lasting {
            thread::sleep(LOOK_EVERY.min(lasting.saturating_sub(started.elapsed())));
            after = self.cost()?;
            most_bytes = most_bytes.max(after.resident_bytes);
        }
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        Ok((cpu / started.elapsed().as_secs_f64() * 100.0, most_bytes))
    }

    /// Ends it as a service manager does. Returns how long that took.
    pub(crate) fn stop(mut self) -> Result<Duration> {
        let started = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("end the daemon")?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the daemon ended badly: {status}");
                return Ok(started.elapsed());
            }
            if started.elapsed() > PATIENCE {
                bail!("the daemon does not end");
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The daemon's program, which lies beside the examples' folder.
pub(crate) fn program() -> Result<PathBuf> {
    let own = env::current_exe()?;
    let folder = own.parent().and_then(|examples| examples.parent());
    Ok(folder
        .context("a folder around that of the examples")?
        .join("tcpviewer"))
}

/// Reads a stream of all connections, on a thread of its own, until the daemon ends.
pub(crate) struct Subscriber(JoinHandle<Result<()>>);

impl Subscriber {
    /// One who looks at nothing. Returns when the snapshot has come.
    pub(crate) fn of(daemon: &Daemon) -> Result<Self> {
        Self::with(daemon, |_message| Ok(()))
    }

    /// One who hands each message to this. Returns when the snapshot has come.
    pub(crate) fn with(
        daemon: &Daemon,
        mut each: impl FnMut(Bytes) -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let url = daemon.url.clone();
        let (opened, is_open) = mpsc::channel();
        let read = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut stream = open(url).await?;
                // It ends with the daemon, in whatever manner.
                while let Ok(Some(message)) = stream.message().await {
                    let ends_snapshot = message.first() == Some(&SNAPSHOT_END);
                    each(message)?;
                    if ends_snapshot {
                        opened.send(()).ok();
                    }
                }
                Ok(())
            })
        };
        let reader = thread::spawn(read);
        match is_open.recv_timeout(PATIENCE) {
            Ok(()) => Ok(Self(reader)),
            Err(_none) => Err(anyhow!("open a stream of {}: nothing came", daemon.url)),
        }
    }

    /// Waits for the end of the stream, after that of the daemon.
    pub(crate) fn end(self) -> Result<()> {
        self.0
            .join()
            .map_err(|_panic| anyhow!("the reader of a stream panicked"))?
    }
}

async fn open(url: String) -> Result<Streaming<Bytes>> {
    let channel = Endpoint::from_shared(url)?.connect().await?;
    let mut client = Grpc::new(channel).max_decoding_message_size(64 << 20);
    client.ready().await.context("connect")?;
    let request = Request::new(WatchConnectionsRequest::default());
    let answer = client
        .server_streaming(request, PathAndQuery::from_static(METHOD), AsTheyCome)
        .await?;
    Ok(answer.into_inner())
}
