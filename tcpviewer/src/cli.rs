//! The command line: what the program can do, and one file for each subcommand.

pub mod run;
pub mod list;
pub mod watch;
pub mod replay;
pub mod status;
pub mod token;
pub mod client;
pub mod server;
mod mirror;
mod view;
mod table;
mod csv;
mod output;

use clap::{Parser, Subcommand};

pub use client::ClientError;

/// Shows every TCP connection of this host as it lives.
#[derive(Debug, Parser)]
#[command(name = "tcpviewer", version)]
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
    /// List the connections of a capture file; needs neither privileges nor a daemon.
    Replay(replay::ReplayArgs),
    /// Show what the daemon does, what it could not count, and what it costs.
    Status(status::StatusArgs),
    /// Make a token for a client of the API.
    Token(token::TokenArgs),
}
