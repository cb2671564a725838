//! Measures what a busy host loses by the daemon: how much of a load is done with it, beside nothing, a program that
//! does nothing at the same places, and monitors of others, by turns. In: how long and how often. Out: rows of JSON.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the result is for whoever runs this"
)]

mod attached;
#[path = "../cable/mod.rs"]
mod cable;
#[path = "../own_daemon/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod daemon;
mod load;
#[path = "../fanout/message.rs"]
#[expect(dead_code, reason = "nothing of a message is looked at")]
mod message;
mod rivals;
mod rounds;
#[path = "../rows/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod rows;

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use crate::{
    attached::Kind,
    cable::Cable,
    load::Load,
    rivals::Rival,
    rounds::Rounds,
    rows::{Row, seconds},
};

/// Measures what a busy host loses by the daemon
#[derive(Parser)]
struct Args {
    /// How long each load lasts each time
    #[arg(long, default_value = "1", value_parser = seconds)]
    seconds: Duration,
    /// How often each is measured
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
    /// Only this load
    #[arg(long, value_enum)]
    only: Option<Load>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let kinds = Kind::present();
    for rival in Rival::ALL {
        if !kinds.contains(&Kind::Rival(rival)) {
            eprintln!(
                "{} is not installed, so nothing is compared with it",
                rival.name()
            );
        }
    }
    for load in args.only.map_or_else(|| Load::ALL.to_vec(), |load| vec![load]) {
        let rounds = measure(load, &kinds, &args).with_context(|| format!("measure {}", load.name()))?;
        for row in rows(load, &kinds, &rounds) {
            println!("{}", serde_json::to_string(&row)?);
        }
    }
    Ok(())
}

fn measure(load: Load, kinds: &[Kind], args: &Args) -> Result<Rounds> {
    let cable = Cable::lay(load.packets())?;
    // Who connects again and again is not held up by what its ports did before.
    cable.set("ipv4/tcp_max_tw_buckets", "0")?;
    cable.set("ipv4/ip_local_port_range", "1024 65535")?;
    let mut rounds = Rounds::of(kinds.to_vec());
    for round in 0..args.repetitions {
        for kind in rounds.order(round) {
            let at_work = kind.begin().with_context(|| format!("begin {}", kind.name()))?;
            let rate = load.measure(&cable, args.seconds)?;
            at_work.end().with_context(|| format!("end {}", kind.name()))?;
            rounds.add(kind, rate);
        }
    }
    Ok(rounds)
}

fn rows(load: Load, kinds: &[Kind], rounds: &Rounds) -> Vec<Row> {
    let row = |kind: Kind| {
        let (rate, spread) = rounds.rate(kind);
        Row::new(
            "host",
            format!("{}, {}", load.name(), kind.name()),
            rate,
            load.unit(),
        )
        .spread(spread)
    };
    let compared = |kind: Kind, to: Kind| row(kind).ratio(to.name(), rounds.ratio(kind, to));
    let least = match load {
        Load::Bulk | Load::SmallPackets => 0.98,
        Load::PingPong => 0.96,
        Load::Connections => 0.88,
    };
    let mut rows = vec![
        row(Kind::Nothing),
        compared(Kind::Empty, Kind::Nothing),
        compared(Kind::Daemon, Kind::Empty).ratio_at_least(least),
    ];
    for rival in Rival::ALL {
        let kind = Kind::Rival(rival);
        if kinds.contains(&kind) {
            rows.push(compared(kind, Kind::Empty));
            let ahead = compared(Kind::Daemon, kind);
            rows.push(match least_ahead(rival, load) {
                Some(least) => ahead.ratio_at_least(least),
                None => ahead,
            });
        }
    }
    rows
}

/// How many times as much should be done with the daemon as with this one.
fn least_ahead(rival: Rival, load: Load) -> Option<f64> {
    match (rival, load) {
        (Rival::Tcpdump, _) => Some(1.0),
        (_, Load::PingPong) => Some(1.6),
        (_, Load::Connections) => Some(1.15),
        (_, Load::Bulk | Load::SmallPackets) => None,
    }
}
