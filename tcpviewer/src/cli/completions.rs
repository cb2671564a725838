//! `tcpviewer completions`: what a shell needs to complete the words of this program. Asks no daemon.

use std::io::Write as _;

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::{
    Cli,
    client::{ClientError, unless_output_is_closed},
    output::output,
};

/// Options of `tcpviewer completions`.
#[derive(Args, Clone, Debug)]
pub struct CompletionsArgs {
    /// Of which shell.
    #[arg(value_name = "SHELL", value_enum)]
    pub shell: Shell,
}

/// Runs `tcpviewer completions`.
///
/// # Errors
///
/// When the standard output cannot be written.
pub fn completions(args: &CompletionsArgs) -> Result<(), ClientError> {
    // The library stops the program where its output cannot be written.
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "tcpviewer", &mut script);
    let mut output = output();
    let written = output.write_all(&script).and_then(|()| output.flush());
    unless_output_is_closed(written.map_err(ClientError::Output))
}
