//! Measures how soon a subscriber hears of what happens: from the SYN that leaves this host, from the end of a
//! connection, and from bytes that are sent, to the message that tells of it. Out: rows of JSON.
#![expect(clippy::print_stdout, reason = "the result is for whoever runs this")]

#[path = "../cable/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod cable;
#[path = "../own_daemon/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod daemon;
#[path = "../fanout/message.rs"]
#[expect(dead_code, reason = "messages are read in full")]
mod message;
mod probes;
#[path = "../rows/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod rows;
mod seen;

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use anyhow::{Result, ensure};
use clap::Parser;

use crate::{
    cable::{Cable, Packets},
    daemon::{Daemon, Subscriber},
    probes::{Server, long, short},
    rows::{Row, seconds},
    seen::{Lateness, Log},
};

/// The daemon's default.
const UPDATE_INTERVAL_MS: f64 = 250.0;
/// Time for what is under way, and for what is looked up once a connection is quiet.
const SETTLE: Duration = Duration::from_secs(2);

/// Measures how soon a subscriber hears of what happens
#[derive(Parser)]
struct Args {
    /// How long connections are opened and closed, and then how long they are used
    #[arg(long, default_value = "15", value_parser = seconds)]
    seconds: Duration,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let cable = Cable::lay(Packets::Offloaded)?;
    let daemon = Daemon::start(&[])?;
    let log = Arc::new(Mutex::new(Log::default()));
    let reader = Arc::clone(&log);
    let subscriber = Subscriber::with(&daemon, move |message| {
        if let Ok(mut log) = reader.lock() {
            log.take(&message)?;
        }
        Ok(())
    })?;
    let server = Server::start(&cable)?;
    let mut probes = short(&server, args.seconds)?;
    probes.extend(long(&server, args.seconds)?);
    thread::sleep(SETTLE);
    server.take_ends(&mut probes)?;
    daemon.stop()?;
    subscriber.end()?;

    let lateness = log.lock().map(|log| log.lateness(&probes)).unwrap_or_default();
    for row in rows(&lateness)? {
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}

fn rows(lateness: &Lateness) -> Result<Vec<Row>> {
    let Lateness {
        opened,
        closed,
        updated,
        unseen,
    } = lateness;
    ensure!(
        *unseen == 0,
        "the subscriber never heard of {unseen} things that happened"
    );
    let mut rows = Vec::new();
    for (what, times, middle, last) in [
        ("opened", opened, Some(15.0), 60.0),
        ("closed", closed, Some(15.0), 60.0),
        ("updated", updated, None, UPDATE_INTERVAL_MS + 50.0),
    ] {
        let row = |share: &str, value| Row::new("freshness", format!("{what}, {share}"), value, "ms");
        let median = row("median", times.at(0.5));
        rows.extend([
            Row::new("freshness", format!("{what}, measured"), times.count() as f64, ""),
            match middle {
                Some(limit) => median.below(limit),
                None => median,
            },
            row("99 of 100", times.at(0.99)).below(last),
            row("greatest", times.at(1.0)),
        ]);
    }
    Ok(rows)
}
