//! The daemon that is measured: `load` in a process of its own, so that its memory and its time are its own.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tcpviewer::proto::{GetStatusRequest, tcp_viewer_service_client::TcpViewerServiceClient};
use tonic::transport::Channel;

use crate::Args;

/// The running daemon; it ends with this value.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) url: String,
}

/// What the daemon costs so far.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) resident_bytes: u64,
    pub(crate) cpu_seconds: f64,
}

impl Daemon {
    /// Starts it; its connections change for so many rounds.
    pub(crate) fn start(args: &Args, rounds: u32) -> Result<Self> {
        raise_limit()?;
        let program = env::current_exe()?.with_file_name("load");
        let mut child = Command::new(&program)
            .args(["--port", "0", "--for", "10m", "--keep-closed", "10m"])
            .args(["--connections", &args.connections.to_string()])
            .args(["--changing", &args.changing().to_string()])
            .args(["--replaced", &args.replaced.to_string()])
            .args(["--rounds", &rounds.to_string()])
            .args(["--every", &humantime::format_duration(args.every).to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}; it is built with `--examples`", program.display()))?;
        let output = child.stdout.take().context("the output of the daemon")?;
        let mut url = String::new();
        BufReader::new(output)
            .read_line(&mut url)
            .context("read the daemon's address")?;
        Ok(Self {
            child,
            url: url.trim().to_owned(),
        })
    }
}

/// As many open files as a process may have, here and in the daemon: each stream is one at both ends, and the daemon takes
/// connections for half of its own.
fn raise_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).context("raise the limit of open files")
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Asks the daemon what it costs.
pub(crate) async fn cost(client: &mut TcpViewerServiceClient<Channel>) -> Result<Cost> {
    let status = client.get_status(GetStatusRequest {}).await?.into_inner();
    let resources = status
        .resources
        .context("the status tells what the daemon costs")?;
    let cpu_time = resources.cpu_time.context("its CPU time")?;
    Ok(Cost {
        resident_bytes: resources.resident_bytes,
        cpu_seconds: cpu_time.seconds as f64 + f64::from(cpu_time.nanos) / 1e9,
    })
}

/// Asks the daemon how often its connections changed.
pub(crate) async fn samples_made(client: &mut TcpViewerServiceClient<Channel>) -> Result<u64> {
    let status = client.get_status(GetStatusRequest {}).await?.into_inner();
    let ledger = status.ledger.context("the status has the ledger")?;
    Ok(ledger.connection_events)
}
