//! What the daemon takes at a moment, as a line and as rows: memory, kernel maps, open files, threads, and what it lost.

use std::{fmt, fs, time::Instant};

use anyhow::{Context as _, Result};
use tcpviewer::proto::Ledger;

use crate::{daemon::Daemon, rows::Row};

const MEBIBYTE: f64 = (1 << 20) as f64;
/// What may be added from one part of the time to a later one before it counts as growth.
const GROWTH: f64 = 1.1;

/// What the daemon takes.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    at: Instant,
    resident_bytes: u64,
    kernel_map_bytes: u64,
    files: u64,
    threads: u64,
    /// Reports for which there was no room, and packets that were not counted though they should have been.
    lost: u64,
    tracked: u64,
    listed: u64,
    opened: u64,
    streams: u32,
    interfaces: usize,
}

impl Taken {
    /// What stands above the lines.
    pub(crate) const HEAD: &str =
        "memory MiB  maps MiB  files  threads  lost  tracked  listed  opened  streams  interfaces";

    /// At this moment.
    pub(crate) fn now(daemon: &Daemon) -> Result<Self> {
        let status = daemon.status()?;
        let resources = status
            .resources
            .context("the status tells what the daemon costs")?;
        let connections = status.connections.unwrap_or_default();
        Ok(Self {
            at: Instant::now(),
            resident_bytes: daemon.cost()?.resident_bytes,
            kernel_map_bytes: resources
                .kernel_map_bytes
                .context("the kernel tells the size of its maps")?,
            files: count(daemon, "fd")?,
            threads: count(daemon, "task")?,
            lost: lost(&status.ledger.unwrap_or_default()),
            tracked: connections.tracked,
            listed: connections.listed,
            opened: connections.opened_total,
            streams: status.streams,
            interfaces: status.interfaces.len(),
        })
    }
}

/// How many there are of what a folder of procfs lists.
fn count(daemon: &Daemon, folder: &str) -> Result<u64> {
    let folder = daemon.folder().join(folder);
    let entries = fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))?;
    Ok(entries.count() as u64)
}

/// Packet events aside: a reader who is gone does not take what was on its way.
fn lost(ledger: &Ledger) -> u64 {
    ledger.connection_events_lost
        + ledger.process_events_lost
        + ledger.failure_events_lost
        + ledger.packets_table_full
        + ledger.packets_truncated
        + ledger.packets_malformed
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>10.1} {:>9.1} {:>6} {:>8} {:>5} {:>8} {:>7} {:>7} {:>8} {:>11}",
            self.resident_bytes as f64 / MEBIBYTE,
            self.kernel_map_bytes as f64 / MEBIBYTE,
            self.files,
            self.threads,
            self.lost,
            self.tracked,
            self.listed,
            self.opened,
            self.streams,
            self.interfaces
        )
    }
}

/// What grew: under load from the second fifth of the time to the last, and at rest from before to after.
pub(crate) fn rows(before: &Taken, taken: &[Taken], after: &Taken) -> Vec<Row> {
    let fifth = taken.len().div_ceil(5);
    let early: Vec<_> = taken.iter().skip(fifth).take(fifth).collect();
    let late: Vec<_> = taken.iter().rev().take(fifth).collect();
    let under_load = |name: &str, unit, of: fn(&Taken) -> f64| {
        let mean =
            |part: &[&Taken]| part.iter().map(|taken| of(taken)).sum::<f64>() / part.len().max(1) as f64;
        let (first, last) = (mean(&early), mean(&late));
        let row = Row::new("endurance", format!("{name}, under load"), last, unit);
        row.ratio("earlier", last / first.max(1.0)).ratio_at_most(GROWTH)
    };
    let at_rest = |name: &str, of: fn(&Taken) -> u64| {
        let (first, last) = (of(before) as f64, of(after) as f64);
        let row = Row::new("endurance", format!("{name}, at rest"), last, "");
        row.ratio("before", last / first.max(1.0)).ratio_at_most(1.0)
    };
    let minutes = after.at.duration_since(before.at).as_secs_f64() / 60.0;
    vec![
        Row::new("endurance", "time", minutes, "min"),
        Row::new(
            "endurance",
            "connections that came and went",
            after.opened as f64,
            "",
        ),
        under_load("memory", "MiB", |taken| taken.resident_bytes as f64 / MEBIBYTE),
        under_load("kernel maps", "MiB", |taken| {
            taken.kernel_map_bytes as f64 / MEBIBYTE
        }),
        under_load("rows", "", |taken| taken.listed as f64),
        under_load("records", "", |taken| taken.tracked as f64),
        at_rest("open files", |taken| taken.files),
        at_rest("threads", |taken| taken.threads),
        at_rest("interfaces", |taken| taken.interfaces as u64),
        at_rest("streams", |taken| taken.streams.into()),
        Row::new("endurance", "lost", after.lost as f64, "").at_most(0.0),
    ]
}
