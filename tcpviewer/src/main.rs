//! The program: parses the command line, runs the subcommand, prints an error once.
//!
//! Exit status: 0 fine, 1 failure, 2 wrong usage, 3 the daemon cannot be reached.

use std::{
    io::{Write as _, stderr},
    process::ExitCode,
};

use clap::Parser as _;
use tcpviewer::{
    cli::{
        Cli, ClientError, Subcommands, capture, completions, filter, list, listeners, man, packets, replay,
        run, show, stats, status, token, watch,
    },
    config::ConfigError,
};

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Subcommands::Run(args) => run::run(args).await,
        Subcommands::List(args) => list::list(args).await.map_err(Into::into),
        Subcommands::Watch(args) => watch::watch(args).await.map_err(Into::into),
        Subcommands::Show(args) => show::show(args).await.map_err(Into::into),
        Subcommands::Packets(args) => packets::packets(args).await.map_err(Into::into),
        Subcommands::Capture(args) => capture::capture(args).await,
        Subcommands::Stats(args) => stats::stats(args).await.map_err(Into::into),
        Subcommands::Listeners(args) => listeners::listeners(args).await.map_err(Into::into),
        Subcommands::Replay(args) => replay::replay(args).await,
        Subcommands::Token(args) => token::token(&args),
        Subcommands::Completions(args) => completions::completions(&args).map_err(Into::into),
        Subcommands::Man(args) => man::man(&args),
        Subcommands::Status(args) => status::status(args).await.map_err(Into::into),
        Subcommands::Filter(args) => filter::filter(args).map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With nowhere to write to, the exit status has to do.
            writeln!(stderr(), "tcpviewer: {}", sentence(&error)).ok();
            exit_status(&error)
        }
    }
}

/// What went wrong and where. The stages' errors name their cause; what was put around them is told before.
fn sentence(error: &anyhow::Error) -> String {
    error
        .chain()
        .map(ToString::to_string)
        .fold(String::new(), |told, cause| {
            if told.is_empty() {
                cause
            } else if told.to_lowercase().contains(
                cause
                    .split(" (os error")
                    .next()
                    .unwrap_or_default()
                    .to_lowercase()
                    .as_str(),
            ) {
                told
            } else {
                format!("{told}: {cause}")
            }
        })
}

fn exit_status(error: &anyhow::Error) -> ExitCode {
    if let Some(error) = error.downcast_ref::<ClientError>() {
        ExitCode::from(error.exit_status())
    } else if error.is::<ConfigError>() {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}
