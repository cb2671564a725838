//! Whether the daemon accounts for everything where there is very much of it: tens of thousands of connections per second,
//! each from its first packet to its last, and a million packets per second. The packets go through the programs that the
//! daemon has at work, by `BPF_PROG_TEST_RUN`: sockets that do as much need more than a few CPUs. Out: rows of JSON.
#![expect(clippy::print_stdout, reason = "the result is for whoever runs this")]

#[path = "../cable/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod cable;
mod conversation;
#[path = "../own_daemon/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod daemon;
#[path = "../fanout/message.rs"]
#[expect(dead_code, reason = "nothing of a message is looked at")]
mod message;
mod program;
#[path = "../rows/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod rows;

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::Parser;
use tcpviewer::proto::{ConnectionCounts, Ledger};

use crate::{
    cable::{Cable, ENDS, Packets},
    conversation::Conversation,
    daemon::{Daemon, Subscriber},
    program::Program,
    rows::{Row, seconds},
};

/// What there should be of each per second at least.
const CONNECTIONS_PER_SECOND: u32 = 30_000;
const PACKETS_PER_SECOND: u32 = 1_000_000;
/// A second has so many steps.
const STEPS: u32 = 100;
/// Connections in each, some more than there should be, for a step may begin late.
const CONNECTIONS: u32 = 310;
/// Connections that stay, over each of which ten packets pass in each step.
const LONG: u32 = 1_050;
/// By then the list has heard of the last packet.
const SETTLE: Duration = Duration::from_secs(2);

/// Looks whether everything is accounted for
#[derive(Parser)]
struct Args {
    /// How long connections come and go, and then how long packets pass
    #[arg(long, default_value = "5", value_parser = seconds)]
    seconds: Duration,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let _cable = Cable::lay(Packets::Offloaded)?;
    let [end, _] = ENDS;
    // Not the loopback: connections to the daemon are not among those that are counted.
    let daemon = Daemon::start(&["--interface", end])?;
    let subscriber = Subscriber::of(&daemon)?;
    let program = Program::of(&daemon)?;
    let mut rows = connections(&daemon, &program, args.seconds)?;
    rows.extend(packets(&daemon, &program, args.seconds)?);
    daemon.stop()?;
    subscriber.end()?;
    for row in rows {
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}

/// Connections that open, ask, are answered, and close.
fn connections(daemon: &Daemon, program: &Program, lasting: Duration) -> Result<Vec<Row>> {
    let mut conversations = (LONG..).map(Conversation::new);
    let did = measure(daemon, program, lasting, || {
        for mut conversation in conversations.by_ref().take(CONNECTIONS as usize) {
            conversation.open(program)?;
            conversation.ask(program)?;
            conversation.close(program)?;
        }
        Ok(())
    })?;
    let made = did.steps * CONNECTIONS;
    let opened = did.after.connections.opened_total - did.before.connections.opened_total;
    let closed = did.after.connections.closed_total - did.before.connections.closed_total;
    let row = |name: &str, value, unit| Row::new("counts", format!("connections {name}"), value, unit);
    let mut rows = vec![
        row("made", f64::from(made) / did.took.as_secs_f64(), "1/s")
            .at_least(f64::from(CONNECTIONS_PER_SECOND)),
        row("not opened in the list", missing(made.into(), opened), "").at_most(0.0),
        row("not closed in the list", missing(made.into(), closed), "").at_most(0.0),
    ];
    rows.extend(did.rows("with so many connections"));
    Ok(rows)
}

/// Packets over connections that are there: of ten one has data, and the others acknowledge the same once more.
fn packets(daemon: &Daemon, program: &Program, lasting: Duration) -> Result<Vec<Row>> {
    let mut conversations: Vec<_> = (0..LONG).map(Conversation::new).collect();
    for conversation in &mut conversations {
        conversation.open(program)?;
    }
    thread::sleep(SETTLE);
    let did = measure(daemon, program, lasting, || {
        for conversation in &mut conversations {
            conversation.send(program, 9)?;
        }
        Ok(())
    })?;
    let per_second = did.packets as f64 / did.took.as_secs_f64();
    let mut rows =
        vec![Row::new("counts", "packets", per_second, "1/s").at_least(f64::from(PACKETS_PER_SECOND))];
    rows.extend(did.rows("with so many packets"));
    Ok(rows)
}

/// What was done, and what the daemon says of it.
struct Did {
    steps: u32,
    packets: u64,
    took: Duration,
    /// Of the daemon, meanwhile.
    cpu: Duration,
    before: Counted,
    after: Counted,
}

/// What the daemon counted.
struct Counted {
    ledger: Ledger,
    connections: ConnectionCounts,
    /// By the connections in the list.
    packets: u64,
}

impl Counted {
    fn by(daemon: &Daemon) -> Result<Self> {
        let status = daemon.status()?;
        Ok(Self {
            ledger: status.ledger.context("the status has a ledger")?,
            connections: status.connections.unwrap_or_default(),
            packets: status.totals.unwrap_or_default().packets,
        })
    }
}

/// Does so many steps per second as there should be, or as many as it can.
fn measure(
    daemon: &Daemon,
    program: &Program,
    lasting: Duration,
    mut step: impl FnMut() -> Result<()>,
) -> Result<Did> {
    let (before, packets) = (Counted::by(daemon)?, program.packets());
    let (cpu, started) = (daemon.cost()?.cpu, Instant::now());
    let steps = (lasting * STEPS).as_secs() as u32;
    for number in 0..steps {
        thread::sleep((Duration::from_secs(1) / STEPS * number).saturating_sub(started.elapsed()));
        step()?;
    }
    // The last step has its time as well.
    thread::sleep((Duration::from_secs(1) / STEPS * steps).saturating_sub(started.elapsed()));
    let (took, cpu) = (started.elapsed(), daemon.cost()?.cpu.saturating_sub(cpu));
    thread::sleep(SETTLE);
    Ok(Did {
        steps,
        packets: program.packets() - packets,
        took,
        cpu,
        before,
        after: Counted::by(daemon)?,
    })
}

impl Did {
    /// What must be so whatever was done.
    fn rows(&self, when: &str) -> Vec<Row> {
        let Self { before, after, .. } = self;
        let row = |name: &str, value, unit| Row::new("counts", format!("{name}, {when}"), value, unit);
        let since = |count: fn(&Ledger) -> u64| count(&after.ledger) - count(&before.ledger);
        let tracked = missing(self.packets, since(|ledger| ledger.packets_tracked));
        let listed = missing(self.packets, after.packets - before.packets);
        let lost = since(|ledger| ledger.connection_events_lost) as f64;
        let cpu = self.cpu.as_secs_f64() / self.took.as_secs_f64() * 100.0;
        vec![
            row("packets not counted by the programs", tracked, "").at_most(0.0),
            row("packets not counted by connections in the list", listed, "").at_most(0.0),
            row("reports lost", lost, "").at_most(0.0),
            row("work of the daemon, one subscriber", cpu, "%"),
        ]
    }
}

/// How far what was counted is from what there was.
fn missing(there: u64, counted: u64) -> f64 {
    there.abs_diff(counted) as f64
}
