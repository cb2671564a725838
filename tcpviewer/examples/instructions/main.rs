//! Counts the instructions of the paths that a busy daemon spends its time in: a round of the table, its publication to
//! a reader, a filter, the encoding of connections. Counts differ little from run to run and from machine to machine, so
//! they tell a slower path where times cannot. `cargo xtask instructions` builds this as the counts want it.
#![expect(clippy::print_stdout, reason = "the counts are what this is for")]

mod baseline;
mod callgrind;
mod paths;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::{
    baseline::{Baseline, RECORD},
    callgrind::count,
    paths::{PATHS, Path},
};

/// What may be added before it is a regression.
const TOLERANCE: f64 = 1.1;

/// Counts instructions and compares them with what they were
#[derive(Parser)]
struct Args {
    /// Keeps the counts as what they are to be compared with
    #[arg(long)]
    record: bool,
    /// Goes this way once, for whoever counts
    #[arg(long, hide = true)]
    path: Option<String>,
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(name) = args.path {
        return paths::walk(&name);
    }
    let counts = PATHS
        .iter()
        .map(|path| Ok((path, count(path.name)? / u64::from(path.times))))
        .collect::<Result<Vec<_>>>()?;
    if args.record {
        return Baseline::of(&counts).write();
    }
    let baseline = Baseline::read()?;
    let mut grown = Vec::new();
    for (Path { name, each, .. }, count) in counts {
        let known = baseline.get(name)?;
        let ratio = count as f64 / known as f64;
        println!("{name}: {count} instructions for {each}, {ratio:.2} times those known ({known})");
        if ratio > TOLERANCE {
            grown.push(*name);
        }
    }
    ensure!(
        grown.is_empty(),
        "{}: more than {TOLERANCE} times the instructions that it took; make it as cheap again, or say why not and \
         record the counts: {RECORD}",
        grown.join(", ")
    );
    Ok(())
}
