//! Serves made-up connections through the daemon's own stages, to see what they and their clients bear: the API and the
//! dashboard are the real ones. Ends by itself after `--for`, or when it is interrupted.
//!
//! ```sh
//! cargo run --release --package tcpviewer --example load -- --connections 100000 --changing 2500 --every 250ms
//! ```
#![expect(clippy::print_stdout, reason = "the addresses are for whoever runs this")]

use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tcpviewer::{
    capture::made_up::Shape,
    config::ApiConfig,
    daemon::made_up::{LoadConfig, run},
};
use tokio::{
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    time::sleep,
};

/// Serves made-up connections
#[derive(Parser)]
struct Args {
    /// Connections at a time
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// Connections that change per round, one after the other until all had their turn
    #[arg(long, default_value_t = 10_000)]
    changing: u32,
    /// Of those, how many end, with new ones in their place
    #[arg(long, default_value_t = 10)]
    replaced: u32,
    /// Time between two rounds
    #[arg(long, default_value = "250ms", value_parser = humantime::parse_duration)]
    every: Duration,
    /// Rounds after which nothing changes any more
    #[arg(long, default_value_t = u32::MAX)]
    rounds: u32,
    /// How long an ended connection stays listed
    #[arg(long, default_value = "60s", value_parser = humantime::parse_duration)]
    keep_closed: Duration,
    /// Port of the loopback; 0: any that is free
    #[arg(long, default_value_t = 50051)]
    port: u16,
    /// After how long to end
    #[arg(long = "for", default_value = "1h", value_parser = humantime::parse_duration)]
    lasting: Duration,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let config = LoadConfig {
        shape: Shape {
            connections: args.connections,
            changing: args.changing,
            replaced: args.replaced,
            every: args.every,
            rounds: args.rounds,
        },
        update_interval: Duration::from_millis(250).min(args.every),
        keep_closed: args.keep_closed,
        api: ApiConfig::loopback(args.port),
    };
    let mut ended = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    let ready = |urls: &[String]| println!("{}", urls.join("\n"));
    run(config, ready, async {
        tokio::select! {
            () = sleep(args.lasting) => {}
            _ended = ended.recv() => {}
            // Without the signal there is still the time.
            interrupted = ctrl_c() => if interrupted.is_err() { sleep(args.lasting).await },
        }
    })
    .await
}
