//! Sees to it that the daemon costs no more than it may: measures, decides, and tells those who do less. In: the budgets.
//! Out: what is done less of, for the stages, and the same in words, for the status.

use std::time::Duration;

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::{info, warn};

use crate::{
    budget::{self, Meter, Steps},
    capture::Request,
    memory,
    model::{Budgets, Degradation, Economy},
};

/// Time between two decisions: the mean of CPU time that they are made by is of ten times that.
const TICK: Duration = Duration::from_millis(500);
/// Memory that was set free is given back to the kernel this often while it is scarce, decisions.
const TRIM: u32 = 4;

/// Who is told.
pub(super) struct Told {
    /// Those who do less.
    pub(super) economy: watch::Sender<Economy>,
    /// Whoever asks for the status.
    pub(super) degradations: watch::Sender<Vec<Degradation>>,
}

/// Keeps within the budgets until nobody wants to know what that takes. Connections are reported once per
/// `update_interval` where nothing is done less of.
pub(super) async fn keep(
    budgets: Budgets,
    update_interval: Duration,
    capture: mpsc::Sender<Request>,
    told: Told,
) -> anyhow::Result<()> {
    let (mut meter, mut steps, mut map_bytes) = (Meter::default(), Steps::default(), 0);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = told.degradations.closed() => return Ok(()),
        }
        map_bytes = kernel_map_bytes(&capture).await.unwrap_or(map_bytes);
        let usage = match meter.measure(map_bytes) {
            Ok(usage) => usage,
            Err(error) => {
                warn!("measure the cost of the process: {error}");
                continue;
            }
        };
        let before = steps.economy();
        steps = budget::next(steps, &usage, &budgets);
        let economy = steps.economy();
        if economy != before {
            info!(
                cpu_step = steps.cpu.place,
                memory_step = steps.memory.place,
                cpu_percent = usage.cpu_percent,
                memory_bytes = usage.memory_bytes,
                "keeping within the budgets"
            );
            told.economy.send_replace(economy);
        }
        told.degradations
            .send_replace(budget::degradations(steps, &usage, &budgets, update_interval));
        if steps.memory.place > 0 && steps.memory.held % TRIM == TRIM - 1 {
            tokio::task::spawn_blocking(memory::give_back).await?;
        }
    }
}

/// Memory of the kernel maps, bytes; `None` where it is not told in time.
async fn kernel_map_bytes(capture: &mpsc::Sender<Request>) -> Option<u64> {
    let (reply, status) = oneshot::channel();
    let asking = async {
        capture.send(Request::Status(reply)).await.ok()?;
        status.await.ok()?.kernel_map_bytes
    };
    timeout(TICK, asking).await.ok()?
}
