//! The command line: what the program can do, and one file for each subcommand.

pub mod run;
pub mod list;
pub mod watch;
pub mod show;
pub mod packets;
pub mod capture;
pub mod stats;
pub mod listeners;
pub mod replay;
pub mod status;
pub mod filter;
pub mod token;
pub mod completions;
pub mod man;
pub mod client;
pub mod server;
pub mod selection;
mod signals;
mod stoppable;
mod mirror;
mod view;
mod table;
mod csv;
mod output;

use clap::{Parser, Subcommand};

pub use client::ClientError;

/// What the exit status means.
const EXIT_STATUS: &str = "\
Exit status:
  0  fine; also when the reader of the output has gone, or the user has ended it
  1  failure: the daemon refused, or something could not be read or written
  2  wrong usage: an option, a filter, or a configuration that cannot be
  3  the daemon cannot be reached, or went away";

/// Shows every TCP connection of this host as it lives.
#[derive(Debug, Parser)]
#[command(name = "tcpviewer", version, after_long_help = EXIT_STATUS)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Subcommands,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Subcommands {
    /// Run the daemon: follow this host's connections and serve them.
    Run(run::RunArgs),
    /// List the connections.
    List(list::ListArgs),
    /// Follow the connections as they change.
    Watch(watch::WatchArgs),
    /// Show all that is known of one connection.
    Show(show::ShowArgs),
    /// Show packets as they pass, headers only.
    Packets(packets::PacketsArgs),
    /// Write the headers of packets into a pcapng file.
    Capture(capture::CaptureArgs),
    /// Show sums over the open connections: rates, RTTs, the busiest peers and ports.
    Stats(stats::StatsArgs),
    /// List the sockets that wait for connections: their queues, and what was dropped there.
    Listeners(listeners::ListenersArgs),
    /// List the connections of a capture file, or serve them; needs neither privileges nor a daemon.
    Replay(replay::ReplayArgs),
    /// Show what the daemon does, what it could not count, and what it costs.
    Status(status::StatusArgs),
    /// Show how a filter is read, and which fields there are.
    Filter(filter::FilterArgs),
    /// Make a token for a client of the API.
    Token(token::TokenArgs),
    /// Print what a shell needs to complete the words of this program.
    Completions(completions::CompletionsArgs),
    /// Write manual pages into a folder.
    Man(man::ManArgs),
}
