//! `tcpviewer watch`: the connections as they change. Reads the stream, resumes it when it breaks, and hands
//! what is new to one of four views: JSON lines, comma-separated values, text lines, or a table painted in place.

use std::{
    io::{self, IsTerminal as _, stdout},
    time::Duration,
};

use clap::Args;
use tokio::{
    signal::{
        ctrl_c,
        unix::{SignalKind, signal},
    },
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    client::{Client, ClientArgs, ClientError, OutputForm, connect, unless_output_is_closed},
    mirror::Mirror,
    selection::SelectionArgs,
    view::{CsvView, JsonView, LineView, ScreenView, View},
};
use crate::proto::{WatchConnectionsRequest, watch_connections_response::Event};

/// Pause before the first attempt to connect again; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(5);
/// How often a table is painted.
const PAINT_INTERVAL: Duration = Duration::from_millis(250);

/// Options of `tcpviewer watch`.
#[derive(Args, Clone, Debug)]
pub struct WatchArgs {
    /// Where to ask and how to answer.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Which connections.
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Runs `tcpviewer watch` until it is interrupted.
pub async fn watch(args: WatchArgs) -> Result<(), ClientError> {
    // Nobody there at the start is an error; later it is worth waiting for.
    let client = connect(&args.client).await?;
    let outcome = match args.client.output {
        OutputForm::Json => follow(&args, client, JsonView::new()).await,
        OutputForm::Csv => follow(&args, client, CsvView::new()?).await,
        OutputForm::Table if stdout().is_terminal() => {
            let view = ScreenView::new()?;
            tokio::select! {
                outcome = follow(&args, client, view) => outcome,
                // Caught so that the terminal is left as it was.
                interrupted = interrupted() => interrupted.map_err(ClientError::Output),
            }
        }
        OutputForm::Table => follow(&args, client, LineView::new()).await,
    };
    unless_output_is_closed(outcome)
}

/// Waits for the user or the system to end the program.
async fn interrupted() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupt = ctrl_c() => interrupt,
        _terminate = terminate.recv() => Ok(()),
        _hang_up = hang_up.recv() => Ok(()),
    }
}

/// Follows the stream, and the next one when it breaks.
async fn follow(args: &WatchArgs, mut client: Client, mut view: impl View) -> Result<(), ClientError> {
    let mut mirror = Mirror::default();
    let mut pause = FIRST_PAUSE;
    loop {
        let lost = match stream(&args.selection, &mut client, &mut mirror, &mut view, &mut pause).await {
            Err(ClientError::Lost { reason, .. }) => reason,
            outcome => return outcome,
        };
        view.note(&format!(
            "lost {}: {lost}; connecting again",
            args.client.server_name()
        ))?;
        client = loop {
            sleep(pause).await;
            pause = LAST_PAUSE.min(pause * 2);
            match connect(&args.client).await {
                Ok(client) => break client,
                Err(ClientError::Unreachable { .. }) => {}
                Err(error) => return Err(error),
            }
        };
    }
}

/// Follows one stream to its end, which is always an error.
async fn stream(
    selection: &SelectionArgs,
    client: &mut Client,
    mirror: &mut Mirror,
    view: &mut impl View,
    pause: &mut Duration,
) -> Result<(), ClientError> {
    let failed = |status| ClientError::call("watch the connections", &status);
    let resume = mirror.resume();
    let request = WatchConnectionsRequest {
        resume,
        filter: selection.filter.clone().unwrap_or_default(),
        order_by: selection.order_by.clone().unwrap_or_default(),
        limit: selection.limit.unwrap_or_default(),
        ..Default::default()
    };
    let mut messages = client
        .watch_connections(request)
        .await
        .map_err(failed)?
        .into_inner();
    let mut paint = interval(PAINT_INTERVAL);
    paint.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut complete = false;
    loop {
        let message = tokio::select! {
            message = messages.message() => message.map_err(failed)?,
            _tick = paint.tick() => {
                view.paint()?;
                continue;
            }
        };
        let Some(message) = message else {
            return Err(ClientError::Lost {
                what: "watch the connections",
                reason: "the stream ended".into(),
            });
        };
        if !complete && let Some(Event::SnapshotEnd(end)) = &message.event {
            complete = true;
            *pause = FIRST_PAUSE;
            match (resume, end.connections) {
                (Some(_), None) => {
                    view.note(&format!("connected again, resumed at revision {}", end.revision))?
                }
                (Some(_), Some(count)) => {
                    view.note(&format!(
                        "connected again with a new table of {count} connections"
                    ))?;
                }
                (None, _) => {}
            }
        }
        view.update(mirror.apply(message))?;
    }
}
