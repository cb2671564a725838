//! Measures what the daemon takes of a host: processor time, memory, and how long it takes to start and to stop. Of
//! connections by the million it does so with made-up ones, where the kernel's own costs are left out; with the kernel it
//! does so as far as one host can hold both ends of the connections. Out: rows of JSON.
#![expect(clippy::print_stdout, reason = "the result is for whoever runs this")]

#[path = "../cable/mod.rs"]
mod cable;
#[path = "../own_daemon/mod.rs"]
mod daemon;
mod kernel;
mod made_up;
#[path = "../fanout/message.rs"]
#[expect(dead_code, reason = "nothing of a message is looked at")]
mod message;
#[path = "../rows/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod rows;

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::{
    daemon::{Daemon, Subscriber},
    rows::{Row, seconds},
};

const MEBIBYTE: f64 = (1 << 20) as f64;

/// Measures what the daemon takes of a host
#[derive(Clone, Parser)]
struct Args {
    /// How long each is measured
    #[arg(long, default_value = "4", value_parser = seconds)]
    seconds: Duration,
    /// Made-up connections at most
    #[arg(long, default_value_t = 1_000_000)]
    made_up: u32,
    /// Connections through the kernel at most; there are no more than a process may have open files
    #[arg(long, default_value_t = 100_000)]
    kernel: u32,
    /// Only takes and holds so many connections: the other end of those that are measured
    #[arg(long, hide = true)]
    hold: Option<u32>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(connections) = args.hold {
        return kernel::hold(connections);
    }
    let print = |rows: Vec<Row>| -> Result<()> {
        for row in rows {
            println!("{}", serde_json::to_string(&row)?);
        }
        Ok(())
    };
    print(kernel::quiet_host(args.seconds)?)?;
    for (connections, changes) in [(10_000, 1_000), (100_000, 10_000)] {
        if connections <= args.kernel.min(kernel::most_connections()) {
            let rows = kernel::connections(connections, changes, args.seconds);
            print(rows.with_context(|| format!("measure {connections} connections"))?)?;
        }
    }
    for connections in [1_000, 10_000, 100_000, 1_000_000] {
        if connections <= args.made_up {
            let rows = made_up::connections(connections, args.seconds);
            print(rows.with_context(|| format!("measure {connections} made-up connections"))?)?;
        }
    }
    Ok(())
}

/// What the daemon takes with so many connections, unread and with one subscriber.
fn observe(daemon: &Daemon, what: &str, lasting: Duration) -> Result<(Vec<Row>, Subscriber)> {
    let row = |name: String, value, unit| Row::new("daemon", name, value, unit);
    let (cpu, resident) = daemon.observe(lasting)?;
    let mut rows = vec![
        row(format!("work, {what}"), cpu, "%"),
        row(format!("memory, {what}"), resident as f64 / MEBIBYTE, "MiB"),
    ];
    let subscriber = Subscriber::of(daemon)?;
    let (cpu, resident) = daemon.observe(lasting)?;
    rows.extend([
        row(format!("work, {what}, one subscriber"), cpu, "%"),
        row(
            format!("memory, {what}, one subscriber"),
            resident as f64 / MEBIBYTE,
            "MiB",
        ),
    ]);
    Ok((rows, subscriber))
}

/// A number as people read it.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && place % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
