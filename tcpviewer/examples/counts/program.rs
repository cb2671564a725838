//! The program that the daemon has at the interfaces for packets that come in.

use std::{cell::Cell, fs};

use anyhow::{Context as _, Result};
use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions, loaded_programs};

use crate::daemon::Daemon;

const NAME: &str = "ethernet_in";

/// The daemon's program.
pub(crate) struct Program {
    program: SchedClassifier,
    packets: Cell<u64>,
}

impl Program {
    /// The one that this daemon has: others may run on the host.
    pub(crate) fn of(daemon: &Daemon) -> Result<Self> {
        let mut own = Vec::new();
        for file in fs::read_dir(daemon.folder().join("fdinfo"))? {
            // A file may have been closed meanwhile.
            let text = fs::read_to_string(file?.path()).unwrap_or_default();
            let id = text.lines().find_map(|line| line.strip_prefix("prog_id:"));
            own.extend(id.and_then(|id| id.trim().parse::<u32>().ok()));
        }
        for program in loaded_programs() {
            let program = program.context("list the programs in the kernel")?;
            if own.contains(&program.id()) && program.name_as_str() == Some(NAME) {
                return Ok(Self {
                    program: SchedClassifier::from_program_info(program, NAME.into())?,
                    packets: Cell::new(0),
                });
            }
        }
        Err(anyhow::anyhow!("the daemon has no program {NAME}"))
    }

    /// Hands it a packet so many times.
    pub(crate) fn run(&self, packet: &[u8], times: u32) -> Result<()> {
        let options = TestRunOptions {
            data_in: Some(packet),
            repeat: times,
            ..TestRunOptions::default()
        };
        self.program
            .test_run(options)
            .with_context(|| format!("run {NAME}"))?;
        self.packets.set(self.packets.get() + u64::from(times));
        Ok(())
    }

    /// Packets that it was handed.
    pub(crate) fn packets(&self) -> u64 {
        self.packets.get()
    }
}
