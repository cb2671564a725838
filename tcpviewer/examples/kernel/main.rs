//! Measures what a packet costs in the kernel, by `BPF_PROG_TEST_RUN`, and prints rows of JSON. Beside the packet path,
//! and by turns with it, an empty program is measured and the floor: a program that does what every tracker has to do,
//! and nothing else. Absolute times are about the machine; what should hold is said of ratios. With `--check` it only
//! looks whether the packet path became slower, and fails when it did.
#![expect(clippy::print_stdout, reason = "the result is for whoever runs this")]

mod check;
mod packets;
mod programs;
#[path = "../rows/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod rows;
mod series;
#[path = "../verify/statistics.rs"]
mod statistics;

use anyhow::{Context as _, Result};
use clap::Parser;
use packets::{acknowledgement, data, datagram, syn};
use programs::{EMPTY, FLOOR, Programs, TRACKER_IN, TRACKER_OUT, VARIED};
use rustix::thread::{CpuSet, sched_setaffinity};
use tcpviewer_common::{
    bench::{ANSWERS, CONNECTIONS, NEXT_ACK, NEXT_DATA, OPENS},
    event::Settings,
    limits::TIMED_SEGMENTS,
};

use crate::{
    rows::Row,
    series::{Plan, Series},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tcpviewer"));

/// Packets of one program in one round: some milliseconds.
const PACKETS: u32 = 40_000;
const ROUNDS: usize = 41;
/// Packets that the ring of packet events has room for.
const WATCHED_PACKETS: u32 = 10_000;
/// Connections that the ring of connection events has room for.
const OPENED: u32 = 4_000;

/// Measures what a packet costs in the kernel
#[derive(Parser)]
struct Args {
    /// Only looks whether the packet path became slower
    #[arg(long)]
    check: bool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let mut cpus = CpuSet::new();
    cpus.set(0);
    sched_setaffinity(None, &cpus).context("stay on one CPU")?;

    if args.check {
        return check::check();
    }

    let mut rows = hot_flow()?;
    rows.extend(connections(16, 1 << 16, 21)?);
    rows.extend(connections(20, 1 << 18, 9)?);
    rows.extend(other_packets()?);
    rows.extend(verified()?);
    for row in rows {
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}

/// The tracker both ways against the floor, each with its own packet: that of the floor, then those in and out.
fn against_floor([of_floor, incoming, outgoing]: &[Vec<u8>; 3]) -> [(&'static str, &[u8]); 5] {
    [
        (EMPTY, of_floor),
        (VARIED, of_floor),
        (FLOOR, of_floor),
        (TRACKER_IN, incoming),
        (TRACKER_OUT, outgoing),
    ]
}

/// One connection, packet after packet, and what opening others costs beside it.
fn hot_flow() -> Result<Vec<Row>> {
    let mut programs = Programs::load(NEXT_DATA, 0)?;
    let packets = [1, 2, 3].map(data);
    let mut plan = Plan {
        subjects: &against_floor(&packets),
        packets: PACKETS,
        rounds: ROUNDS,
    };
    let series = Series::measure(&mut programs, &plan)?;
    let mut rows = vec![
        series.row("empty program", EMPTY),
        series.compared("floor, one flow", FLOOR, EMPTY),
        series
            .compared("data of one flow, in", TRACKER_IN, FLOOR)
            .ratio_at_most(1.15),
        series
            .compared("data of one flow, out", TRACKER_OUT, FLOOR)
            .ratio_at_most(1.15),
    ];
    let hot = series.median(TRACKER_IN);
    rows.push(second_interface()?);
    plan.packets = WATCHED_PACKETS;
    for (what, watched) in [
        ("data of one flow, in, packets watched", Settings::PACKETS),
        ("data of one flow, in, headers watched", Settings::HEADERS),
    ] {
        programs.watch_packets(watched)?;
        let series = Series::measure(&mut programs, &plan)?;
        rows.push(series.compared(what, TRACKER_IN, FLOOR));
    }

    let packets = [1, 2, 3].map(acknowledgement);
    for (variation, what) in [
        (NEXT_ACK, "acknowledgements of one flow"),
        (ANSWERS, "questions and answers of one flow"),
    ] {
        let plan = Plan {
            subjects: &against_floor(&packets),
            packets: PACKETS,
            rounds: ROUNDS,
        };
        let series = Series::measure(&mut Programs::load(variation, 0)?, &plan)?;
        rows.push(series.compared(format!("{what}, in"), TRACKER_IN, FLOOR));
        rows.push(series.compared(format!("{what}, out"), TRACKER_OUT, FLOOR));
    }

    let (of_floor, first) = (syn(1), syn(2));
    let plan = Plan {
        subjects: &[
            (EMPTY, &first),
            (VARIED, &first),
            (FLOOR, &of_floor),
            (TRACKER_IN, &first),
        ],
        packets: OPENED,
        rounds: ROUNDS,
    };
    let series = Series::measure(&mut Programs::load(OPENS, 0)?, &plan)?;
    let opens = series.median(TRACKER_IN);
    rows.push(series.row("floor, new flow", FLOOR));
    let row = series.row("SYN of a new flow, in", TRACKER_IN);
    rows.push(row.ratio("data of one flow, in", opens / hot).ratio_at_most(3.0));
    Ok(rows)
}

/// The packets of one connection, once more where they leave by another interface.
fn second_interface() -> Result<Row> {
    let packets = [1, 2, 2].map(data);
    let plan = Plan {
        subjects: &against_floor(&packets),
        packets: PACKETS,
        rounds: ROUNDS,
    };
    let series = Series::measure(&mut Programs::load(NEXT_DATA, 0)?, &plan)?;
    Ok(series.compared("data of one flow, at a second interface", TRACKER_OUT, FLOOR))
}

/// So many connections that no cache holds them, one packet of each in no order.
fn connections(shift: u32, packets: u32, rounds: usize) -> Result<Vec<Row>> {
    let mut programs = Programs::load(CONNECTIONS, shift)?;
    let packet = data(0);
    // Once around to open them, and until more is in flight than is timed.
    let rounds_before = 2 + TIMED_SEGMENTS as u32;
    for name in [FLOOR, TRACKER_IN] {
        programs.run(name, &packet, rounds_before << shift)?;
    }
    let plan = Plan {
        subjects: &[
            (EMPTY, &packet),
            (VARIED, &packet),
            (FLOOR, &packet),
            (TRACKER_IN, &packet),
        ],
        packets,
        rounds,
    };
    let series = Series::measure(&mut programs, &plan)?;
    let flows = format!("{} Ki flows", (1 << shift) >> 10);
    let row = series.compared(format!("data of {flows}, in"), TRACKER_IN, FLOOR);
    Ok(vec![
        series.row(format!("floor, {flows}"), FLOOR),
        if shift == 16 { row.ratio_at_most(1.25) } else { row },
    ])
}

/// What is no TCP.
fn other_packets() -> Result<Vec<Row>> {
    let packet = datagram();
    let plan = Plan {
        subjects: &[(EMPTY, &packet), (TRACKER_IN, &packet)],
        packets: PACKETS,
        rounds: ROUNDS,
    };
    let series = Series::measure(&mut Programs::load(0, 0)?, &plan)?;
    let row = series.compared("datagram of UDP, in", TRACKER_IN, EMPTY);
    Ok(vec![row.ratio_at_most(1.5)])
}

/// What the verifier makes of the daemon's programs.
fn verified() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for program in statistics::programs(OBJECT)? {
        let row = |what: &str, value| Row::new("kernel", format!("{}, {what}", program.name), value, "");
        rows.push(row("instructions", program.length as f64));
        rows.push(row("instructions verified", program.instructions as f64));
        rows.push(row("states verified", program.states as f64));
    }
    Ok(rows)
}
