//! What is at work on the cable while a load runs: nothing, a program that does nothing, the whole daemon with a
//! subscriber, or a monitor of others. Each begins before the load and is gone after it.

use std::{process::Child, thread, time::Duration};

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
    rivals::{self, Rival},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/bench"));

/// The program that does nothing.
const EMPTY: &str = "empty";

/// After the daemon's start, until what it left to do is done: that is not what a load costs.
const SETTLE: Duration = Duration::from_secs(2);

/// What may be at work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nothing,
    Empty,
    Daemon,
    Rival(Rival),
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Empty => "empty program",
            Self::Daemon => "daemon",
            Self::Rival(rival) => rival.name(),
        }
    }

    /// Those that this host has.
    pub(crate) fn present() -> Vec<Self> {
        let rivals = Rival::ALL.into_iter().filter(|rival| rival.is_present());
        let mut kinds = vec![Self::Nothing, Self::Empty, Self::Daemon];
        kinds.extend(rivals.map(Self::Rival));
        kinds
    }

    /// Begins.
    pub(crate) fn begin(self) -> Result<AtWork> {
        Ok(match self {
            Self::Nothing => AtWork::Nothing,
            Self::Empty => AtWork::Empty(empty()?),
            Self::Daemon => {
                let daemon = Daemon::start(&[])?;
                let subscriber = Subscriber::of(&daemon)?;
                thread::sleep(SETTLE);
                AtWork::Daemon(subscriber, daemon)
            }
            Self::Rival(rival) => AtWork::Rival(rival.begin()?),
        })
    }
}

/// What is at work.
pub(crate) enum AtWork {
    Nothing,
    Empty((Ebpf, Vec<SchedClassifierLink>)),
    Daemon(Subscriber, Daemon),
    Rival(Child),
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
            Self::Rival(child) => rivals::end(child)?,
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
