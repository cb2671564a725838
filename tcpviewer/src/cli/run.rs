//! `tcpviewer run`: the daemon, from its configuration to the signal that stops it.

use std::io::{Write as _, stdout};

use clap::Args;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::signals::Signals;
use crate::{
    config::{Config, ConfigArgs, LogFormat},
    daemon,
};

/// Arguments of `tcpviewer run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
///
/// When the configuration does not fit, it cannot start, or a part of it fails.
pub async fn run(args: RunArgs) -> anyhow::Result<()> {
    let config = Config::resolve(args.config)?;
    log_to_stderr(config.log_format);
    let mut signals = Signals::new()?;
    daemon::run(config, tell_addresses, signals.next()).await
}

/// Says where the API and the dashboard are.
pub(super) fn tell_addresses(urls: &[String]) {
    for url in urls {
        tracing::info!(address = url, "serving");
        // A closed or full stdout is no reason not to serve.
        let line = writeln!(stdout(), "tcpviewer serves {url}").and_then(|()| stdout().flush());
        if let Err(error) = line {
            tracing::warn!(%error, "cannot write the address to stdout");
        }
    }
}

/// The log goes to stderr; what cannot be written there is dropped, for there is nowhere left to say so.
pub(super) fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_env("TCPVIEWER_LOG").unwrap_or_else(|_unset| EnvFilter::new("info"));
    let layer = fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .log_internal_errors(false);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(layer).init(),
        LogFormat::Json => registry.with(layer.json()).init(),
    }
}
