//! `tcpviewer man`: a manual page for the program and for each of its subcommands. Asks no daemon.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use super::Cli;

/// Options of `tcpviewer man`.
#[derive(Args, Clone, Debug)]
pub struct ManArgs {
    /// The folder to write them into, such as /usr/local/share/man/man1.
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// Runs `tcpviewer man`.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn man(args: &ManArgs) -> anyhow::Result<()> {
    let pages = clap_mangen::generate_to(Cli::command(), &args.folder);
    pages.with_context(|| format!("write manual pages into {}", args.folder.display()))
}
