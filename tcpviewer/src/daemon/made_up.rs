//! The daemon with made-up connections in place of a kernel: the same stages behind them, to measure what they bear.

use std::time::{Duration, SystemTime};

use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{Known, QUEUE, Ways, carry_back, identity, publish, serve};
use crate::{
    api,
    capture::made_up::{self, Load, Shape},
    config::ApiConfig,
    model::{Clock, Economies, boot_ns},
    table::Table,
};

/// What is made up, and where it is served.
#[derive(Clone, Debug)]
pub struct LoadConfig {
    /// The connections.
    pub shape: Shape,
    /// Changing connections are published once per this time.
    pub update_interval: Duration,
    /// How long an ended connection stays listed.
    pub keep_closed: Duration,
    /// Where the API and the dashboard are served, and to whom.
    pub api: ApiConfig,
}

/// Makes connections up and serves them until `stop` is ready. Calls `ready` with the addresses once it can be reached.
///
/// # Errors
///
/// When it cannot start, or a stage fails.
pub async fn run(
    config: LoadConfig,
    ready: impl FnOnce(&[String]),
    stop: impl Future<Output = ()> + Send,
) -> anyhow::Result<()> {
    let entrances = api::bind(&config.api).await?;
    let clock = Clock::new(SystemTime::now() - Duration::from_nanos(boot_ns()));
    let identity = identity(config.update_interval, config.keep_closed)?;
    let mut stages = JoinSet::new();
    let live = Table::new(clock, config.update_interval, config.keep_closed, usize::MAX);
    let economies = Economies::none();
    let (outlets, boards) = publish(
        &mut stages,
        identity.instance,
        live,
        config.update_interval,
        Instant::now,
        &economies,
    );
    let (commands, commands_in) = mpsc::channel(QUEUE);
    let (requests, requests_in) = mpsc::channel(QUEUE);
    let source = Load::new(config.shape);
    stages.spawn(async move {
        made_up::run(source, requests_in, outlets).await;
        Ok(())
    });
    let capacity = u64::from(config.shape.connections);
    let ways = Ways {
        attach: None,
        capture: requests,
        sockets: None,
    };
    stages.spawn(carry_back(commands_in, ways, Known::unlimited(capacity)));
    ready(&entrances.urls());
    let context = boards.served(identity, commands, economies);
    serve(entrances, context, stages, stop).await
}
