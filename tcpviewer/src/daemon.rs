//! Builds the stages from top to bottom, joins them, and takes them down again: the only place that knows
//! their order. In: the configuration and a signal to stop. Out: nothing left behind.

use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};

use crate::{
    api::{self, ApiContext},
    attach::{Attach, StatusRequest, load},
    capture::{self, Outlets, Request, boot_ns},
    config::Config,
    model::{Clock, Command, Delta, Identity, InterfaceNames, PacketBatch, Status},
    publish::{Board, PacketBoard},
    table::{self, Table},
};

/// Messages that may wait between two stages. A stage that is behind holds up the one before it, up to the
/// kernel's rings, where what finds no room is counted.
const QUEUE: usize = 64;

/// Runs the daemon until `stop` is ready. Calls `ready` with its addresses once it can be reached.
///
/// # Errors
///
/// When it cannot start, or a stage fails.
pub async fn run(
    config: Config,
    ready: impl FnOnce(&[String]),
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    // The address first: whoever starts a second daemon by mistake learns it before anything is attached.
    let entrances = api::bind(&config.api).await?;

    let clock = Clock::new(SystemTime::now() - Duration::from_nanos(boot_ns()));
    let names = Arc::new(InterfaceNames::default());
    let capacity = u64::from(config.attach.max_connections);
    let (ebpf, maps) = load::load(&config.attach, config.update_interval.as_nanos() as u64)?;
    let attach = Attach::start(ebpf, &config.attach, Arc::clone(&names)).await?;

    let identity = Arc::new(identity(&config)?);
    let board = Arc::new(Board::new(identity.instance));
    let packet_board = Arc::new(PacketBoard::new());
    let (samples, samples_in) = mpsc::channel(QUEUE);
    let (packets, packets_in) = mpsc::channel(QUEUE);
    let (deltas, deltas_in) = mpsc::channel(QUEUE);
    let (commands, commands_in) = mpsc::channel(QUEUE);
    let (attach_requests, attach_requests_in) = mpsc::channel(QUEUE);
    let (capture_requests, capture_requests_in) = mpsc::channel(QUEUE);

    let mut stages = JoinSet::new();
    stages.spawn(async move {
        attach.run(attach_requests_in).await;
        Ok(())
    });
    let outlets = Outlets { samples, packets };
    let interval = config.update_interval;
    stages.spawn(async move {
        capture::run(maps, names, clock, interval, capture_requests_in, outlets)
            .await
            .map_err(Into::into)
    });
    let live = Table::new(clock, config.update_interval, config.keep_closed);
    stages.spawn(async move {
        table::run(live, samples_in, deltas).await;
        Ok(())
    });
    stages.spawn(publish_deltas(deltas_in, Arc::clone(&board)));
    stages.spawn(publish_packets(packets_in, Arc::clone(&packet_board)));
    stages.spawn(carry_back(
        commands_in,
        attach_requests,
        capture_requests,
        capacity,
    ));

    ready(&entrances.urls());
    let context = ApiContext {
        identity,
        board,
        packets: packet_board,
        commands,
    };
    let (stop_api, api_stopped) = oneshot::channel::<()>();
    let serving = api::serve(entrances, context, async move {
        // An error says that the sender is gone: the daemon stops as well.
        api_stopped.await.ok();
    });
    tokio::pin!(serving);
    let outcome = tokio::select! {
        served = &mut serving => return served.map_err(Into::into),
        () = stop => Ok(()),
        Some(ended) = stages.join_next() => ended.context("a stage panicked")?.context("a stage failed"),
    };
    tracing::info!("stopping");
    drop(stop_api);
    serving.await?;
    // With the API gone nobody sends commands; each stage ends when the one before it has.
    while let Some(ended) = stages.join_next().await {
        ended.context("a stage panicked")??;
    }
    outcome
}

async fn publish_deltas(mut deltas: mpsc::Receiver<Delta>, board: Arc<Board>) -> anyhow::Result<()> {
    while let Some(delta) = deltas.recv().await {
        board.apply(delta);
    }
    Ok(())
}

async fn publish_packets(
    mut packets: mpsc::Receiver<PacketBatch>,
    board: Arc<PacketBoard>,
) -> anyhow::Result<()> {
    while let Some(batch) = packets.recv().await {
        board.push(batch.packets, batch.lost_in_kernel);
    }
    Ok(())
}

/// The way back: takes users' wishes to the stage that can fulfil them.
async fn carry_back(
    mut commands: mpsc::Receiver<Command>,
    attach: mpsc::Sender<StatusRequest>,
    capture: mpsc::Sender<Request>,
    capacity: u64,
) -> anyhow::Result<()> {
    while let Some(command) = commands.recv().await {
        match command {
            Command::WatchPackets(on) => capture.send(Request::WatchPackets(on)).await?,
            Command::Status(reply) => {
                let (from_attach, attach_status) = oneshot::channel();
                let (from_capture, capture_status) = oneshot::channel();
                attach.send(from_attach).await?;
                capture.send(Request::Status(from_capture)).await?;
                let (attach, capture) = (attach_status.await?, capture_status.await?);
                // Who asked may have gone; then nobody misses the answer.
                let status = Status {
                    interfaces: attach.interfaces,
                    ledger: capture.ledger,
                    tracked: capture.tracked,
                    capacity,
                    kernel_map_bytes: capture.kernel_map_bytes,
                    degradations: attach.degradations,
                };
                reply.send(status).ok();
            }
        }
    }
    Ok(())
}

fn identity(config: &Config) -> anyhow::Result<Identity> {
    let system = rustix::system::uname();
    Ok(Identity {
        instance: random_instance()?,
        host_name: system.nodename().to_string_lossy().into_owned(),
        kernel_release: system.release().to_string_lossy().into_owned(),
        started_at: SystemTime::now(),
        update_interval: config.update_interval,
        keep_closed: config.keep_closed,
    })
}

/// A number that no earlier run had, and that a browser can hold exactly.
fn random_instance() -> anyhow::Result<u64> {
    let text =
        fs::read_to_string("/proc/sys/kernel/random/uuid").context("read /proc/sys/kernel/random/uuid")?;
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).take(12).collect();
    let number = u64::from_str_radix(&digits, 16).context("read /proc/sys/kernel/random/uuid")?;
    Ok(number.max(1))
}
