//! Lets the daemon run for an hour on a host on which everything comes and goes: connections, interfaces, and those who
//! read it. Looks once per minute at what it takes, and at the end at what grew. Out: a line per minute on the standard
//! error, and rows of JSON.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the result is for whoever runs this"
)]

#[path = "../cable/mod.rs"]
mod cable;
#[path = "../own_daemon/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod daemon;
mod load;
#[path = "../fanout/message.rs"]
#[expect(dead_code, reason = "nothing of a message is looked at")]
mod message;
mod readers;
#[path = "../fanout/requests.rs"]
mod requests;
#[path = "../rows/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod rows;
mod taken;

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;

use crate::{
    cable::{Cable, Packets},
    daemon::Daemon,
    load::{Server, come_and_go, interfaces},
    rows::seconds,
    taken::{Taken, rows},
};

/// After the start and after all is over, until what is left to do is done: idle threads end after ten seconds.
const SETTLE: Duration = Duration::from_secs(15);
/// Threads that open connections.
const CLIENTS: u64 = 4;

/// Looks for what grows while everything comes and goes
#[derive(Parser)]
struct Args {
    /// For how long
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// Time between two looks
    #[arg(long, default_value = "60", value_parser = seconds)]
    seconds: Duration,
    /// Connections that open and end per second
    #[arg(long, default_value_t = 400)]
    connections: u32,
    /// Those who read at a time
    #[arg(long, default_value_t = 20)]
    readers: u32,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let lasting = Duration::try_from_secs_f64(args.minutes * 60.0).context("--minutes")?;
    let cable = Cable::lay(Packets::Offloaded)?;
    cable.set("ipv4/ip_local_port_range", "1024 65535")?;
    let daemon = Daemon::start(&[])?;
    let server = Server::start(&cable)?;
    thread::sleep(SETTLE);
    let before = Taken::now(&daemon)?;
    eprintln!("{}\n{before}", Taken::HEAD);

    let over = AtomicBool::new(false);
    let taken = thread::scope(|scope| {
        let mut loads = vec![
            scope.spawn(|| interfaces(&over)),
            scope.spawn(|| readers::come_and_go(&daemon.url, args.readers, &over)),
        ];
        for client in 0..CLIENTS {
            let (server, over) = (&server, &over);
            let pause = Duration::from_secs(CLIENTS) / args.connections.max(1);
            loads.push(scope.spawn(move || come_and_go(server, client, pause, over)));
        }
        // One that fails ends before its time.
        let has_failed = || loads.iter().any(|load| load.is_finished());
        let taken = looks(&daemon, lasting, args.seconds, has_failed);
        over.store(true, Relaxed);
        for load in loads {
            load.join().map_err(|_panic| anyhow!("a load panicked"))??;
        }
        taken
    })?;
    thread::sleep(SETTLE);
    let after = Taken::now(&daemon)?;
    eprintln!("{after}");
    daemon.stop()?;
    for row in rows(&before, &taken, &after) {
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}

/// What the daemon takes, at every look, until the time is over or a load has failed.
fn looks(
    daemon: &Daemon,
    lasting: Duration,
    every: Duration,
    has_failed: impl Fn() -> bool,
) -> Result<Vec<Taken>> {
    let started = Instant::now();
    let mut taken = Vec::new();
    while started.elapsed() < lasting && !has_failed() {
        thread::sleep(every.min(lasting.saturating_sub(started.elapsed())));
        let now = Taken::now(daemon)?;
        eprintln!("{now}");
        taken.push(now);
    }
    Ok(taken)
}
