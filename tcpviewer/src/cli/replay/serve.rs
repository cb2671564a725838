//! `tcpviewer replay --serve`: plays the capture at its own pace, or faster, through the stages of the daemon, and
//! serves it like the traffic of a host.

use std::{path::Path, time::Duration};

use clap::Args;

use super::{
    super::{
        client::io_reason,
        run::{log_to_stderr, tell_addresses},
        signals::Signals,
        stoppable::{Stop, Stoppable},
    },
    broken_off_note, refusal,
};
use crate::{
    capture::{
        playback::Speed,
        replay::{Capture, Fault},
    },
    config::{self, ApiArgs, ConfigError, LogFormat},
    daemon::playback::{self, PlaybackConfig},
};

/// Slower or faster than this nobody can mean.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;

/// How a capture is served.
#[derive(Args, Clone, Debug)]
pub struct ServeArgs {
    /// How many times as fast as it was captured; `max` is as fast as it can be read [default: 1]
    #[arg(long, value_name = "N|max", requires = "serve")]
    pub speed: Option<String>,
    /// How long an ended connection stays listed, in the capture's time [default: to the end]
    #[arg(long, value_name = "TIME", requires = "serve")]
    pub keep_closed: Option<String>,
    /// Where the API and the dashboard are served, and to whom.
    #[command(flatten)]
    pub api: ApiArgs,
}

impl ServeArgs {
    pub(super) fn resolve(&self, file: &Path, max_connections: u32) -> Result<PlaybackConfig, ConfigError> {
        Ok(PlaybackConfig {
            file: file.to_owned(),
            speed: speed(self.speed.as_deref())?,
            max_connections,
            keep_closed: config::keep_closed(self.keep_closed.clone(), Duration::MAX)?,
            api: self.api.clone().resolve()?,
        })
    }
}

fn speed(given: Option<&str>) -> Result<Speed, ConfigError> {
    let value = match given {
        None => return Ok(Speed::Times(1.0)),
        Some("max") => return Ok(Speed::Max),
        Some(value) => value,
    };
    match value.parse() {
        Ok(times) if SPEEDS.contains(&times) => Ok(Speed::Times(times)),
        Ok(_) | Err(_) => Err(ConfigError::Value {
            name: "speed",
            value: value.to_owned(),
            reason: format!(
                "not a number from {} to {} such as `2.5`, nor `max`",
                SPEEDS.start(),
                SPEEDS.end()
            ),
        }),
    }
}

/// Serves the capture until a signal comes.
pub(super) async fn serve(
    config: PlaybackConfig,
    input: Stoppable,
    stop: Stop,
    mut signals: Signals,
) -> anyhow::Result<()> {
    log_to_stderr(LogFormat::Text);
    let file = config.file.clone();
    // A pipe begins when somebody writes into it.
    let capture = tokio::select! {
        capture = tokio::task::spawn_blocking(move || Capture::open(input)) => capture?,
        () = signals.next() => {
            drop(stop);
            return Ok(());
        }
    };
    let capture = capture.map_err(|error| refusal(&file, error))?;
    let ended = move |capture: &Capture<Stoppable>| tell_end(&file, capture);
    let outcome = playback::run(config, capture, tell_addresses, ended, signals.next()).await;
    drop(stop);
    outcome
}

/// Says in the log that the capture is read, and where it broke off.
fn tell_end(file: &Path, capture: &Capture<Stoppable>) {
    let packets = capture.packets();
    tracing::info!(packets, "the capture is read");
    let Some(end) = capture.broken_off() else { return };
    match (broken_off_note(file, packets, end), &end.fault) {
        (Some(note), _) => tracing::warn!("{note}"),
        (None, Fault::Read(error)) => tracing::warn!(byte = end.byte, "read: {}", io_reason(error)),
        (None, Fault::Cut | Fault::Damaged(_)) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_or_the_highest() {
        assert_eq!(speed(None).unwrap(), Speed::Times(1.0));
        assert_eq!(speed(Some("0.5")).unwrap(), Speed::Times(0.5));
        assert_eq!(speed(Some("max")).unwrap(), Speed::Max);
        for wrong in ["0", "-1", "fast", "NaN", "inf", ""] {
            let error = speed(Some(wrong)).unwrap_err().to_string();
            assert!(error.contains("nor `max`"), "{wrong}: {error}");
        }
    }
}
