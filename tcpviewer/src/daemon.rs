//! Builds the stages from top to bottom, joins them, and takes them down again: the only place that knows
//! their order. In: the configuration and a signal to stop. Out: nothing left behind.

pub mod playback;

pub mod made_up;

mod budgets;

mod threads;

use std::{
    fs,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::Instant,
};

use self::{budgets::Told, threads::Threads};
use crate::{
    api::{self, ApiContext, Entrances},
    attach::{Attach, AttachStatus, OwnerMaps, StatusRequest, load},
    capture::{self, Inlets, Outlets, Request},
    config::Config,
    history::History,
    model::{
        Activity, Budgets, Clock, Command, Degradation, Delta, Economies, Identity, InterfaceNames, Listener,
        PacketBatch, SampleBatch, Status, boot_ns,
    },
    owners::{self, ListenerOwners, Owners},
    publish::{Board, PacketBoard},
    sockets::{self, Sockets},
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
    let (programs, maps, owner_maps) = load::load(&config.attach, config.update_interval.as_nanos() as u64)?;
    let attach = Attach::start(programs, &config.attach, Arc::clone(&names)).await?;

    let identity = Identity {
        kernel_release: rustix::system::uname().release().to_string_lossy().into_owned(),
        ..identity(config.update_interval, config.keep_closed)?
    };
    let mut stages = JoinSet::new();
    let live = Table::new(
        clock,
        config.update_interval,
        config.keep_closed,
        config.attach.max_connections as usize,
    );
    let (economy, economies) = Economies::told();
    let (mut outlets, boards) = publish(
        &mut stages,
        identity.instance,
        live,
        config.update_interval,
        Instant::now,
        &economies,
    );
    let mut degradations = owners::degradations(&owner_maps);
    outlets.samples = name_owners(&mut stages, owner_maps, clock, outlets.samples)?;
    let (news, news_in) = mpsc::channel(QUEUE);
    let sockets = Sockets::open(Arc::clone(&names), clock);
    degradations.extend(sockets.degradations());
    let to = sockets::Outlets {
        samples: outlets.samples.clone(),
        news,
    };
    let (activities, requests) = follow_sockets(&mut stages, sockets, economies.clone(), to);
    outlets.activities = Some(activities);
    let (owners, search) = ListenerOwners::new(clock);
    stages.spawn_blocking(move || {
        search();
        Ok(())
    });
    let (commands, commands_in) = mpsc::channel(QUEUE);
    let (attach_requests, attach_requests_in) = mpsc::channel(QUEUE);
    let (capture_requests, capture_requests_in) = mpsc::channel(QUEUE);
    stages.spawn(async move {
        attach.run(attach_requests_in).await;
        Ok(())
    });
    let interval = config.update_interval;
    let inlets = Inlets {
        requests: capture_requests_in,
        news: news_in,
        economies: economies.clone(),
    };
    stages.spawn(async move {
        capture::run(maps, names, clock, interval, inlets, outlets)
            .await
            .map_err(Into::into)
    });
    let (saving, saved) = watch::channel(Vec::new());
    let told = Told {
        economy,
        degradations: saving,
    };
    if config.budgets != Budgets::default() {
        let capture = capture_requests.clone();
        stages.spawn(budgets::keep(config.budgets, interval, capture, told));
    }
    let ways = Ways {
        attach: Some(attach_requests),
        capture: capture_requests,
        sockets: Some(SocketsWay { requests, owners }),
    };
    let known = Known {
        capacity,
        degradations,
        budgets: config.budgets,
        saved,
    };
    stages.spawn(carry_back(commands_in, ways, known));
    ready(&entrances.urls());
    let context = boards.served(identity, commands, economies);
    serve(entrances, context, stages, stop).await
}

/// Starts the stage that names the owners of sockets, and its threads. Returns where it takes samples.
fn name_owners(
    stages: &mut JoinSet<anyhow::Result<()>>,
    maps: OwnerMaps,
    clock: Clock,
    samples: mpsc::Sender<SampleBatch>,
) -> anyhow::Result<mpsc::Sender<SampleBatch>> {
    let (owners, threads) = Owners::new(maps, clock).context("wait for ring buffer")?;
    let (samples_to, samples_in) = mpsc::channel(QUEUE);
    for body in threads.bodies() {
        stages.spawn_blocking(move || {
            body();
            Ok(())
        });
    }
    stages.spawn(async move {
        owners
            .run(samples_in, samples)
            .await
            .context("wait for ring buffer")
    });
    Ok(samples_to)
}

/// Starts the stage that looks at sockets, on a thread of its own. Returns where it hears of connections and of
/// users' wishes.
fn follow_sockets(
    stages: &mut JoinSet<anyhow::Result<()>>,
    sockets: Sockets,
    economies: Economies,
    outlets: sockets::Outlets,
) -> (mpsc::Sender<Vec<Activity>>, mpsc::Sender<sockets::Request>) {
    let (activities, activities_in) = mpsc::channel(QUEUE);
    let (requests, requests_in) = mpsc::channel(QUEUE);
    let runtime = Handle::current();
    stages.spawn_blocking(move || {
        runtime.block_on(sockets.run(activities_in, requests_in, economies, outlets));
        Ok(())
    });
    (activities, requests)
}

/// What subscribers read.
struct Boards {
    connections: Arc<Board>,
    history: Arc<History>,
    packets: Arc<PacketBoard>,
}

impl Boards {
    /// What the API serves of them.
    fn served(self, identity: Identity, commands: mpsc::Sender<Command>, economies: Economies) -> ApiContext {
        ApiContext {
            identity: Arc::new(identity),
            board: self.connections,
            history: self.history,
            packets: self.packets,
            commands,
            economies,
        }
    }
}

/// Starts the stages behind a source: the table, which goes by the time that `now` reads, the boards and the history.
fn publish(
    stages: &mut JoinSet<anyhow::Result<()>>,
    instance: u64,
    live: Table,
    between_ticks: Duration,
    now: impl Fn() -> Instant + Send + 'static,
    economies: &Economies,
) -> (Outlets, Boards) {
    let boards = Boards {
        connections: Arc::new(Board::new(instance)),
        history: Arc::new(History::new(live.update_interval())),
        packets: Arc::new(PacketBoard::new()),
    };
    let (samples, samples_in) = mpsc::channel(QUEUE);
    let (packets, packets_in) = mpsc::channel(QUEUE);
    let (deltas, deltas_in) = mpsc::channel(QUEUE);
    let of_table = economies.clone();
    stages.spawn(async move {
        table::run(live, between_ticks, now, of_table, samples_in, deltas).await;
        Ok(())
    });
    stages.spawn(publish_deltas(
        deltas_in,
        economies.clone(),
        Arc::clone(&boards.history),
        Arc::clone(&boards.connections),
    ));
    stages.spawn(publish_packets(packets_in, Arc::clone(&boards.packets)));
    let outlets = Outlets {
        samples,
        packets,
        activities: None,
    };
    (outlets, boards)
}

/// Serves the boards until `stop` is ready or a stage fails, then waits for the stages to end. The API has threads of
/// its own: however much its clients ask for, the stages get their turn from the kernel.
async fn serve(
    entrances: Entrances,
    context: ApiContext,
    mut stages: JoinSet<anyhow::Result<()>>,
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let threads = Threads::start("tcpviewer-api").context("start the threads of the API")?;
    let (stop_api, api_stopped) = oneshot::channel::<()>();
    let mut serving = threads.spawn(api::serve(entrances, context, async move {
        // An error says that the sender is gone: the daemon stops as well.
        api_stopped.await.ok();
    }));
    let outcome = tokio::select! {
        served = &mut serving => return Ok(served.context("the API panicked")??),
        () = stop => Ok(()),
        Some(ended) = stages.join_next() => ended.context("a stage panicked")?.context("a stage failed"),
    };
    tracing::info!("stopping");
    drop(stop_api);
    serving.await.context("the API panicked")??;
    // With the API gone nobody sends commands; each stage ends when the one before it has.
    while let Some(ended) = stages.join_next().await {
        ended.context("a stage panicked")??;
    }
    outcome
}

async fn publish_deltas(
    mut deltas: mpsc::Receiver<Delta>,
    mut economies: Economies,
    history: Arc<History>,
    board: Arc<Board>,
) -> anyhow::Result<()> {
    loop {
        tokio::select! {
            delta = deltas.recv() => {
                let Some(delta) = delta else { return Ok(()) };
                // First, as the board wakes those who wait for news.
                history.apply(&delta);
                board.apply(delta);
            }
            economy = economies.changed() => history.keep_percent(economy.history_percent),
        }
    }
}

async fn publish_packets(
    mut packets: mpsc::Receiver<PacketBatch>,
    board: Arc<PacketBoard>,
) -> anyhow::Result<()> {
    while let Some(batch) = packets.recv().await {
        board.push(batch.packets, batch.unsent);
    }
    Ok(())
}

/// Where users' wishes are fulfilled.
struct Ways {
    /// `None` where nothing is attached.
    attach: Option<mpsc::Sender<StatusRequest>>,
    capture: mpsc::Sender<Request>,
    /// `None` where sockets are not looked at.
    sockets: Option<SocketsWay>,
}

/// Where sockets are looked at, and those named who hold them.
struct SocketsWay {
    requests: mpsc::Sender<sockets::Request>,
    owners: ListenerOwners,
}

/// What belongs to the status and no stage reports.
struct Known {
    /// Records that the map can hold.
    capacity: u64,
    /// What does not work from the start.
    degradations: Vec<Degradation>,
    budgets: Budgets,
    /// What is done less of to keep within them.
    saved: watch::Receiver<Vec<Degradation>>,
}

impl Known {
    /// Where nothing is missing, and the daemon may cost what it likes.
    fn unlimited(capacity: u64) -> Self {
        Self {
            capacity,
            degradations: Vec::new(),
            budgets: Budgets::default(),
            saved: watch::channel(Vec::new()).1,
        }
    }
}

/// The way back: takes users' wishes to the stage that can fulfil them.
async fn carry_back(mut commands: mpsc::Receiver<Command>, ways: Ways, known: Known) -> anyhow::Result<()> {
    while let Some(command) = commands.recv().await {
        match command {
            Command::WatchPackets(wish) => ways.capture.send(Request::WatchPackets(wish)).await?,
            Command::WatchSockets(watched) => {
                if let Some(sockets) = &ways.sockets {
                    sockets.requests.send(sockets::Request::Watch(watched)).await?;
                }
            }
            Command::Listeners(reply) => match &ways.sockets {
                Some(SocketsWay { requests, owners }) => {
                    let (from_sockets, listeners) = oneshot::channel();
                    requests.send(sockets::Request::Listeners(from_sockets)).await?;
                    // The search for processes takes its time, and nobody else is to wait for it.
                    tokio::spawn(name_listeners(listeners, owners.clone(), reply));
                }
                // Who asked may have gone; then nobody misses the answer.
                None => drop(reply.send(Err("sockets of this host are not looked at".into()))),
            },
            Command::HostCounters(reply) => match &ways.sockets {
                Some(sockets) => {
                    sockets
                        .requests
                        .send(sockets::Request::HostCounters(reply))
                        .await?
                }
                None => drop(reply.send(Vec::new())),
            },
            Command::Status(reply) => {
                let (from_capture, capture_status) = oneshot::channel();
                ways.capture.send(Request::Status(from_capture)).await?;
                let attach = match &ways.attach {
                    Some(attach) => {
                        let (from_attach, attach_status) = oneshot::channel();
                        attach.send(from_attach).await?;
                        attach_status.await?
                    }
                    None => AttachStatus::default(),
                };
                let capture = capture_status.await?;
                // Who asked may have gone; then nobody misses the answer.
                let status = Status {
                    interfaces: attach.interfaces,
                    ledger: capture.ledger,
                    tracked: capture.tracked,
                    capacity: known.capacity,
                    kernel_map_bytes: capture.kernel_map_bytes,
                    capture_time: capture.capture_time,
                    degradations: [
                        attach.degradations,
                        known.degradations.clone(),
                        known.saved.borrow().clone(),
                    ]
                    .concat(),
                    budgets: known.budgets,
                };
                reply.send(status).ok();
            }
        }
    }
    Ok(())
}

/// Hands the listening sockets on with the names of those who hold them.
async fn name_listeners(
    listeners: oneshot::Receiver<Result<Vec<Listener>, String>>,
    owners: ListenerOwners,
    reply: oneshot::Sender<Result<Vec<Listener>, String>>,
) {
    let answer = match listeners.await {
        Ok(Ok(listeners)) => Ok(owners.name(listeners).await),
        Ok(Err(error)) => Err(error),
        // The stage is gone: the daemon stops.
        Err(_gone) => return,
    };
    // Who asked may have gone; then nobody misses the answer.
    reply.send(answer).ok();
}

fn identity(update_interval: Duration, keep_closed: Duration) -> anyhow::Result<Identity> {
    let system = rustix::system::uname();
    Ok(Identity {
        instance: random_instance()?,
        host_name: system.nodename().to_string_lossy().into_owned(),
        kernel_release: String::new(),
        capture_file: String::new(),
        started_at: SystemTime::now(),
        update_interval,
        keep_closed,
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
