//! The daemon without a kernel: the same stages behind a capture that is played.

use std::{
    io::Read,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use tokio::{sync::mpsc, task::JoinSet};

use super::{Known, QUEUE, Ways, carry_back, identity, publish, serve};
use crate::{
    api,
    capture::{
        playback::{self, CaptureTime, Playback, Speed},
        replay::{Capture, CapturedPacket, connections::Connections},
    },
    config::ApiConfig,
    model::{Clock, Economies, Identity},
    table::Table,
};

/// Changing connections are reported and published once per this time.
const UPDATE_INTERVAL: Duration = Duration::from_millis(250);
/// Packets that are read before their time comes.
const READ_AHEAD: usize = 1024;

/// What is played and how.
#[derive(Clone, Debug)]
pub struct PlaybackConfig {
    /// Name of the capture, for the status.
    pub file: PathBuf,
    /// How fast.
    pub speed: Speed,
    /// Connections held at most.
    pub max_connections: u32,
    /// How long an ended connection stays listed, in the capture's time.
    pub keep_closed: Duration,
    /// Where the API and the dashboard are served, and to whom.
    pub api: ApiConfig,
}

/// Plays a capture and serves it until `stop` is ready, which may be long after the end of the capture. Calls
/// `ready` with the addresses once it can be reached, and `ended` with the capture once it is read.
///
/// # Errors
///
/// When it cannot start, or a stage fails.
pub async fn run<R: Read + Send + 'static>(
    config: PlaybackConfig,
    capture: Capture<R>,
    ready: impl FnOnce(&[String]),
    ended: impl FnOnce(&Capture<R>) + Send + 'static,
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let entrances = api::bind(&config.api).await?;
    let clock = Clock::new(SystemTime::UNIX_EPOCH);
    let time = Arc::new(CaptureTime::new());
    let identity = Identity {
        capture_file: config.file.display().to_string(),
        ..identity(UPDATE_INTERVAL, config.keep_closed)?
    };

    let mut stages = JoinSet::new();
    // The capture itself is bounded.
    let live = Table::new(
        clock,
        config.speed.covers(UPDATE_INTERVAL),
        config.keep_closed,
        usize::MAX,
    );
    let time_of_table = Arc::clone(&time);
    let now = move || time_of_table.now();
    let economies = Economies::none();
    let (outlets, boards) = publish(
        &mut stages,
        identity.instance,
        live,
        UPDATE_INTERVAL,
        now,
        &economies,
    );
    let (commands, commands_in) = mpsc::channel(QUEUE);
    let (requests, requests_in) = mpsc::channel(QUEUE);
    let (packets, packets_in) = mpsc::channel(READ_AHEAD);
    let source = Playback {
        speed: config.speed,
        update_interval: UPDATE_INTERVAL,
        connections: Connections::new(config.max_connections),
        names: Arc::clone(capture.names()),
        clock,
        time,
    };
    stages.spawn(async move {
        playback::run(source, packets_in, requests_in, outlets).await;
        Ok(())
    });
    let capacity = u64::from(config.max_connections);
    let ways = Ways {
        attach: None,
        capture: requests,
        sockets: None,
    };
    stages.spawn(carry_back(commands_in, ways, Known::unlimited(capacity)));

    ready(&entrances.urls());
    // Reading waits for whoever writes into a pipe, so it has a thread of its own; it ends with the process.
    thread::spawn(move || read(capture, &packets, ended));
    let context = boards.served(identity, commands, economies);
    serve(entrances, context, stages, stop).await
}

fn read<R: Read>(
    mut capture: Capture<R>,
    packets: &mpsc::Sender<CapturedPacket>,
    ended: impl FnOnce(&Capture<R>),
) {
    while let Some(packet) = capture.next_packet() {
        if packets.blocking_send(packet.clone()).is_err() {
            return;
        }
    }
    ended(&capture);
}
