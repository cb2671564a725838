//! What is at work on the cable while a load runs: nothing, a program that does nothing, the whole daemon with a
//! subscriber, or tcpdump. Each begins before the load and is gone after it.

use std::{
    env,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf, EbpfLoader,
    programs::{
        LinkOrder, SchedClassifier, TcAttachType,
        tc::{SchedClassifierLink, TcAttachOptions},
    },
};

use crate::{
    cable::ENDS,
    daemon::{Daemon, Subscriber},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench"));

/// The program that does nothing.
const EMPTY: &str = "empty";

/// What may be at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nothing,
    Empty,
    Daemon,
    Tcpdump,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Empty => "empty program",
            Self::Daemon => "daemon",
            Self::Tcpdump => "tcpdump",
        }
    }

    /// Those that this host has.
    pub(crate) fn present() -> Vec<Self> {
        let mut kinds = vec![Self::Nothing, Self::Empty, Self::Daemon];
        let path = env::var_os("PATH").unwrap_or_default();
        if env::split_paths(&path).any(|folder| folder.join("tcpdump").is_file()) {
            kinds.push(Self::Tcpdump);
        }
        kinds
    }

    /// Begins.
    pub(crate) fn begin(self) -> Result<AtWork> {
        Ok(match self {
            Self::Nothing => AtWork::Nothing,
            Self::Empty => AtWork::Empty(empty()?),
            Self::Daemon => {
                let daemon = Daemon::start(&[])?;
                AtWork::Daemon(Subscriber::of(&daemon)?, daemon)
            }
            Self::Tcpdump => AtWork::Tcpdump(tcpdump()?),
        })
    }
}

/// What is at work.
pub(crate) enum AtWork {
    Nothing,
    Empty((Ebpf, Vec<SchedClassifierLink>)),
    Daemon(Subscriber, Daemon),
    Tcpdump(Child),
}

impl AtWork {
    /// Ends it.
    pub(crate) fn end(self) -> Result<()> {
        match self {
            Self::Nothing => {}
            Self::Empty(empty) => drop(empty),
            Self::Daemon(subscriber, daemon) => {
                daemon.stop()?;
                subscriber.end()?;
            }
            Self::Tcpdump(mut child) => {
                child.kill().context("end tcpdump")?;
                child.wait().context("wait for tcpdump")?;
            }
        }
        Ok(())
    }
}

/// The program that does nothing, where the daemon has its own.
fn empty() -> Result<(Ebpf, Vec<SchedClassifierLink>)> {
    let mut ebpf = EbpfLoader::new()
        .load(OBJECT)
        .context("load the programs of the benchmark")?;
    let program: &mut SchedClassifier = ebpf
        .program_mut(EMPTY)
        .with_context(|| format!("no program {EMPTY}"))?
        .try_into()?;
    program.load().with_context(|| format!("load {EMPTY}"))?;
    let mut links = Vec::new();
    for end in ENDS {
        for direction in [TcAttachType::Ingress, TcAttachType::Egress] {
            let options = TcAttachOptions::TcxOrder(LinkOrder::default());
            let link = program
                .attach_with_options(end, direction, options)
                .with_context(|| format!("attach {EMPTY} to {end}"))?;
            links.push(program.take_link(link)?);
        }
    }
    Ok((ebpf, links))
}

/// tcpdump on one end, of which nobody keeps anything.
fn tcpdump() -> Result<Child> {
    let [end, _] = ENDS;
    let child = Command::new("tcpdump")
        .args(["-n", "-i", end, "-w", "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start tcpdump")?;
    // It says nothing that could be waited for before it has captured something.
    thread::sleep(Duration::from_millis(200));
    Ok(child)
}
