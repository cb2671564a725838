//! `cargo xtask`: sets up, builds, runs and tests tcpviewer without asking questions. Each command is one file;
//! this one lists them, prints the error once and chooses the exit status.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talks to the person or CI job that started it"
)]

use std::{ffi::OsString, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

mod setup;

mod run;
mod test;

mod bench;
mod fuzz;
mod instructions;
mod lint;
mod proto;
mod verify;

mod exec;
mod privilege;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Sets up, builds, runs and tests tcpviewer")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Installs what building needs and is missing
    Setup {
        /// Also installs what the tests need: iproute2, iperf3, ethtool, valgrind, a browser
        #[arg(long)]
        test: bool,
    },
    /// Builds the dashboard and the daemon, then runs the daemon
    Run {
        /// Arguments for `tcpviewer run`
        #[arg(last = true)]
        args: Vec<OsString>,
    },
    /// Runs every check and test; needs root for those that touch the kernel
    Test {
        /// Trusts that everything is installed
        #[arg(long)]
        skip_setup: bool,
        /// Runs the remaining steps after one failed
        #[arg(long)]
        keep_going: bool,
    },
    /// Measures what the daemon bears, and compares it with what it should
    Bench {
        /// kernel, counts, host, daemon, freshness, fanout or endurance; all but the last one after the other where none is
        /// named
        part: Option<String>,
        /// Prints one JSON object per figure
        #[arg(long)]
        json: bool,
        /// Options of that part, such as `--seconds 0.5 --repetitions 5`
        #[arg(last = true, requires = "part")]
        options: Vec<OsString>,
    },
    /// Counts the instructions of the daemon's busiest paths, and compares them with what they were
    Instructions {
        /// Keeps the counts as what they are to be compared with
        #[arg(long)]
        record: bool,
    },
    /// Looks for input that breaks the parser, the tracker, the reader of captures or the filter language
    Fuzz {
        /// parse, track, replay or filter; all of them one after the other where none is named
        target: Option<String>,
        /// For how long, each
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Checks formatting, lints, order of imports and leftovers
    Lint,
    /// Generates web/src/gen from proto/ and checks the contract
    Proto {
        /// Compares with what is committed and changes nothing
        #[arg(long)]
        check: bool,
    },
    /// Loads every eBPF program and prints what the verifier made of it; needs root
    Verify,
}

fn main() -> ExitCode {
    match dispatch(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> Result<()> {
    match command {
        Command::Setup { test } => setup::setup(test),
        Command::Run { args } => run::run(&args),
        Command::Test {
            skip_setup,
            keep_going,
        } => test::test(skip_setup, keep_going),
        Command::Bench { part, json, options } => bench::bench(part.as_deref(), json, &options),
        Command::Instructions { record } => instructions::instructions(record),
        Command::Fuzz { target, seconds } => fuzz::fuzz(target.as_deref(), seconds),
        Command::Lint => lint::lint(),
        Command::Proto { check } => proto::proto(check),
        Command::Verify => verify::verify(),
    }
}
