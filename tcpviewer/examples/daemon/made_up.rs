//! The daemon with made-up connections in place of a kernel. To make them up is part of the work that is measured.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use crate::{daemon::Daemon, grouped, observe, rows::Row};

/// Rounds per second in which connections change.
const ROUNDS: u32 = 4;
/// No number of connections takes longer to make up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Until what the beginning left to do is done: a connection over which nothing passes is known to be idle after ten
/// seconds, and memory that is free goes back within some more.
const SETTLE: Duration = Duration::from_secs(20);
/// Where connections change, the past that is remembered of them grows and is cut back in turns of up to so long.
const TURN: Duration = Duration::from_secs(20);
/// Changes of all connections together per second at most.
const MAX_CHANGES: u32 = 10_000;

/// So many connections, of which none changes, or one in a hundred or in ten per second.
pub(crate) fn connections(connections: u32, lasting: Duration) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut done = None;
    for share in [0, 100, 10] {
        let changes = connections
            .checked_div(share)
            .unwrap_or_default()
            .min(MAX_CHANGES);
        // With very many, both shares are the same number.
        if done.replace(changes) != Some(changes) {
            rows.extend(changing(connections, changes, lasting)?);
        }
    }
    Ok(rows)
}

fn changing(connections: u32, changes: u32, lasting: Duration) -> Result<Vec<Row>> {
    let per_round = (changes / ROUNDS).to_string();
    let daemon = Daemon::made_up(&[
        "--connections",
        &connections.to_string(),
        "--changing",
        &per_round,
        "--replaced",
        "0",
        "--every",
        "250ms",
        "--rounds",
        if changes == 0 { "1" } else { "4000000" },
    ])?;
    let started = Instant::now();
    while daemon.status()?.connections.unwrap_or_default().open < u64::from(connections) {
        ensure!(
            started.elapsed() < PATIENCE,
            "there are never so many connections"
        );
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(SETTLE);
    let changing = match changes {
        0 => "idle".to_owned(),
        _ => format!("{} changes/s", grouped(changes)),
    };
    let what = format!("{} made up, {changing}", grouped(connections));
    let lasting = if changes == 0 { lasting } else { lasting.max(TURN) };
    let (rows, subscriber) = observe(&daemon, &what, lasting)?;
    daemon.stop()?;
    subscriber.end()?;
    Ok(rows
        .into_iter()
        .zip([Side::Work, Side::Memory, Side::Work, Side::Memory])
        .map(|(row, side)| target(row, side, connections, changes))
        .collect())
}

/// What a row is of.
#[derive(Clone, Copy)]
enum Side {
    Work,
    Memory,
}

/// The row with what it should be.
fn target(row: Row, side: Side, connections: u32, changes: u32) -> Row {
    match (side, connections, changes) {
        (Side::Work, 10_000, 1_000) => row.below(2.0),
        (Side::Work, 100_000, 10_000) => row.below(15.0),
        (Side::Work, 1_000_000, 10_000) => row.below(25.0),
        (Side::Memory, 1_000_000, _) => row.below(600.0),
        (Side::Memory, 100_000, _) => row.below(120.0),
        _ => row,
    }
}
