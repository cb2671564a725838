//! Loads every eBPF program into the running kernel and prints what the verifier made of it: instructions in
//! the program, instructions and states the verifier went through, and how much of its limit that leaves.
//! Fails when a program is turned down or comes closer to the limit than [`MARGIN_PERCENT`].
#![expect(clippy::print_stdout, reason = "the table is for whoever runs this")]

mod statistics;

use anyhow::{Result, ensure};

/// BPF_COMPLEXITY_LIMIT_INSNS of the kernel (Linux 5.2 and newer).
const LIMIT: u64 = 1_000_000;
/// The part of the limit that must be left.
const MARGIN_PERCENT: u64 = 50;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tcpviewer"));

fn main() -> Result<()> {
    println!(
        "{:<14} {:>12} {:>12} {:>8} {:>8}",
        "program", "instructions", "verified", "states", "left"
    );
    for program in statistics::programs(OBJECT)? {
        let (name, left) = (&program.name, 100 - program.instructions * 100 / LIMIT);
        println!(
            "{name:<14} {:>12} {:>12} {:>8} {left:>6} %",
            program.length, program.instructions, program.states
        );
        ensure!(
            left >= MARGIN_PERCENT,
            "{name} leaves {left} % of the verifier's limit, less than {MARGIN_PERCENT}"
        );
    }
    Ok(())
}
