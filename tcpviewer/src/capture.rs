//! The source of samples: reads what the kernel reports, fetches what it left unsaid of connections that went
//! quiet, and takes dead records out of the kernel's map. In: ring buffers and the map. Out: batches of
//! [`Sample`]s and packets. It owns the map's lifecycle; what is listed, and for how long, is the table's.

pub mod convert;

pub mod followed;

pub mod kernel;

pub mod replay;

pub mod playback;

pub mod made_up;

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tcpviewer_common::connection::ConnectionKey;
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use self::{
    followed::{Check, Followed},
    kernel::Kernel,
};
use crate::{
    attach::KernelMaps,
    model::{
        Activity, Clock, CloseReason, Economies, InterfaceNames, Ledger, Pace, PacketBatch, PacketWish,
        Sample, SampleBatch, SocketNews, boot_ns,
    },
};

/// Rings are drained this often while they have content, and connections whose time has come are looked at together with
/// that: each turn wakes all that follow.
const DRAIN_TICK: Duration = Duration::from_millis(20);
/// After so many ticks in which rings were empty nothing can be waiting that was reported without a wake-up: more than
/// the kernel's pause between wake-ups.
const EMPTY_DRAINS_TO_SLEEP: u32 = 4;
/// How often it is looked at whether events were lost.
const LOSS_CHECK: Duration = Duration::from_secs(1);
/// At most so many samples are handed on at once.
const BATCH: usize = 1024;
/// After so many batches, whoever asks for something has his turn.
const BATCHES: usize = 16;
/// Likewise after so many batches of connections that are looked at.
const CHECKS: usize = 4;

/// Why the kernel's maps cannot be read.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// A ring buffer cannot be waited for.
    #[error("wait for ring buffer: {0}")]
    Ring(#[from] io::Error),
    /// A map does not answer.
    #[error("read kernel map: {0}")]
    Map(#[from] aya::maps::MapError),
}

/// What is asked of the running capture.
#[derive(Debug)]
pub enum Request {
    /// Which packets are watched, if any.
    WatchPackets(Option<Box<PacketWish>>),
    /// Report the counters.
    Status(oneshot::Sender<CaptureStatus>),
}

/// Counters of the capture.
#[derive(Clone, Copy, Debug)]
pub struct CaptureStatus {
    /// What became of every packet.
    pub ledger: Ledger,
    /// Records in the kernel's map.
    pub tracked: u64,
    /// Memory of the kernel maps, bytes.
    pub kernel_map_bytes: Option<u64>,
    /// The time in the capture that is played.
    pub capture_time: Option<SystemTime>,
}

/// What the capture is told.
pub struct Inlets {
    /// What is asked of it.
    pub requests: mpsc::Receiver<Request>,
    /// Sockets that came and went.
    pub news: mpsc::Receiver<Vec<SocketNews>>,
    /// What is done less of.
    pub economies: Economies,
}

/// Where results go.
pub struct Outlets {
    /// Samples, to the table.
    pub samples: mpsc::Sender<SampleBatch>,
    /// Which connections move and which went quiet, to whoever looks at their sockets; `None` where there are none.
    pub activities: Option<mpsc::Sender<Vec<Activity>>>,
    /// Packets, to whoever watches.
    pub packets: mpsc::Sender<PacketBatch>,
}

/// Follows the kernel until the requests end.
///
/// # Errors
///
/// When the kernel's maps cannot be read any more.
pub async fn run(
    maps: KernelMaps,
    names: Arc<InterfaceNames>,
    clock: Clock,
    update_interval: Duration,
    inlets: Inlets,
    outlets: Outlets,
) -> Result<(), CaptureError> {
    let Inlets {
        mut requests,
        mut news,
        mut economies,
    } = inlets;
    let mut kernel = Kernel::new(maps, names, clock)?;
    let mut followed = Followed::new(update_interval);
    let mut drain = interval(DRAIN_TICK);
    drain.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut loss_check = interval(LOSS_CHECK);
    loss_check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut empty_drains = 0;
    let mut checked = Instant::now();
    let (mut lost, mut withheld) = (Losses::default(), Losses::default());
    loop {
        let awake = empty_drains < EMPTY_DRAINS_TO_SLEEP;
        let next_check = followed
            .next_check_ns()
            .map(|at_ns| (Instant::now() + until(at_ns)).max(checked + DRAIN_TICK));
        let is_turn = tokio::select! {
            request = requests.recv() => match request {
                Some(Request::WatchPackets(wish)) => {
                    kernel.watch_packets(wish.as_deref())?;
                    tell_unsent(&kernel, &outlets).await?;
                    empty_drains = 0;
                    false
                }
                Some(Request::Status(reply)) => {
                    let status = CaptureStatus {
                        ledger: kernel.ledger()?,
                        tracked: kernel.tracked()?,
                        kernel_map_bytes: kernel.map_bytes(),
                        capture_time: None,
                    };
                    // Who asked may have gone; then nobody misses the answer.
                    reply.send(status).ok();
                    continue;
                }
                None => return Ok(()),
            },
            economy = economies.changed() => {
                kernel.economize(economy, update_interval)?;
                followed.set_update_interval(economy.interval(update_interval), boot_ns());
                continue;
            }
            Some(news) = news.recv() => {
                take_news(news, &mut kernel, &mut followed, &outlets).await?;
                continue;
            }
            woken = kernel.readable() => {
                woken?;
                if !awake {
                    // The next tick is one after this drain.
                    drain.reset();
                }
                empty_drains = 0;
                false
            }
            _ = drain.tick(), if awake || kernel.packets_watched() => true,
            () = sleep_until(next_check.unwrap_or_else(Instant::now)), if next_check.is_some() && !awake => true,
            _ = loss_check.tick() => {
                let ledger = kernel.ledger()?;
                if lost.are_over(ledger.connection_events_lost) {
                    followed.doubt(boot_ns());
                    let all = kernel.keys()?;
                    find_unreported(all, &kernel, &mut followed, &outlets).await?;
                }
                if withheld.are_over(ledger.connections_withheld) {
                    let newest = kernel.newest_half_open()?;
                    find_unreported(newest, &kernel, &mut followed, &outlets).await?;
                }
                if kernel.packets_watched() {
                    tell_unsent(&kernel, &outlets).await?;
                }
                // What fails without a packet wakes nobody.
                false
            }
        };
        let mut any = false;
        for _batch in 0..CHECKS {
            any |= take_events(&mut kernel, &mut followed, &outlets).await?;
            // Of what was reported until now, nothing has to be looked up.
            if !is_turn || !check(&mut kernel, &mut followed, &outlets).await? {
                break;
            }
        }
        if any {
            empty_drains = 0;
        } else if is_turn {
            empty_drains += 1;
        }
        if is_turn {
            checked = Instant::now();
        }
    }
}

/// Reports that were lost or withheld, as they are counted once per [`LOSS_CHECK`].
#[derive(Default)]
struct Losses {
    newest: u64,
    /// How many of them have been made up for.
    mended: u64,
}

impl Losses {
    /// Whether there were losses and they have ended. While they go on, reading the map through would only add to
    /// the delay that causes them.
    fn are_over(&mut self, lost: u64) -> bool {
        let ended = lost == self.newest && lost > self.mended;
        self.newest = lost;
        if ended {
            self.mended = lost;
        }
        ended
    }
}

/// Hands on what the rings hold, in a bounded number of batches. Returns whether there was anything.
async fn take_events(
    kernel: &mut Kernel,
    followed: &mut Followed,
    outlets: &Outlets,
) -> Result<bool, CaptureError> {
    // First out and last on: what comes before a failure in its connection's life is in the other ring by then.
    let failures = kernel.take_failures(BATCH);
    let mut any = !failures.is_empty();
    for _batch in 0..BATCHES {
        let batch = kernel.take_samples(BATCH);
        if batch.is_empty() {
            break;
        }
        any = true;
        let mut activities = Vec::new();
        for tracked in &batch {
            if tracked.is_last {
                followed.forget(&tracked.key);
            } else {
                if followed.reported(tracked, boot_ns()) {
                    activities.push(convert::activity(tracked, Pace::Moves));
                }
            }
        }
        hand_on(
            outlets,
            batch.into_iter().map(Sample::Tracked).collect(),
            activities,
        )
        .await;
    }
    let failures = failures.into_iter().map(|look| Sample::Failure(Box::new(look)));
    hand_on(outlets, failures.collect(), Vec::new()).await;
    let packets = kernel.take_packets(BATCH);
    if !packets.is_empty() {
        any = true;
        let unsent = kernel.unsent()?;
        // The receiver is gone only when the daemon stops.
        outlets.packets.send(PacketBatch { packets, unsent }).await.ok();
    }
    kernel.take_log();
    Ok(any)
}

/// Tells which packets did not come where none come that would tell it.
async fn tell_unsent(kernel: &Kernel, outlets: &Outlets) -> Result<(), CaptureError> {
    let batch = PacketBatch {
        packets: Vec::new(),
        unsent: kernel.unsent()?,
    };
    // The receiver is gone only when the daemon stops.
    outlets.packets.send(batch).await.ok();
    Ok(())
}

/// Looks after connections whose time has come: fetches what changed since the last report, and takes records
/// of dead connections out of the map. Returns whether the time of more may have come.
async fn check(
    kernel: &mut Kernel,
    followed: &mut Followed,
    outlets: &Outlets,
) -> Result<bool, CaptureError> {
    let (mut batch, mut activities) = (Vec::new(), Vec::new());
    let now_ns = boot_ns();
    let due = followed.due(now_ns, BATCH);
    let is_full = due.len() == BATCH;
    for key in due {
        let looked = kernel.look_up(&key, |record| followed.is_known(&key, record))?;
        let Some(mut tracked) = looked else {
            // It was given up, and the report of that was lost.
            followed.forget(&key);
            batch.push(Sample::Gone(key, CloseReason::GivenUp));
            continue;
        };
        match followed.check(&tracked, now_ns) {
            Check::Unchanged => activities.push(convert::activity(&tracked, Pace::Quiet)),
            Check::AtRest => {}
            Check::Changed => {
                activities.push(convert::activity(&tracked, Pace::Moves));
                batch.push(tracked.into());
            }
            Check::Settled => {
                activities.push(convert::activity(&tracked, Pace::Quiet));
                batch.push(tracked.into());
            }
            Check::Dead => {
                kernel.remove(&key)?;
                followed.forget(&key);
                tracked.is_last = true;
                batch.push(tracked.into());
            }
        }
    }
    hand_on(outlets, batch, activities).await;
    Ok(is_full)
}

/// A connection with a socket that is older than the programs gets a record, in which its packets are counted from
/// the first one on. One whose socket is gone has ended, whatever its packets say.
async fn take_news(
    news: Vec<SocketNews>,
    kernel: &mut Kernel,
    followed: &mut Followed,
    outlets: &Outlets,
) -> Result<(), CaptureError> {
    let mut batch = Vec::new();
    for each in news {
        match each {
            SocketNews::Open(open) => {
                // The socket at the other end of a connection within this host.
                let is_known = followed.knows(&open.look.key);
                if !is_known && let Some(tracked) = kernel.begin(&open)? {
                    followed.found(&tracked, boot_ns());
                    batch.push(tracked.into());
                }
                followed.set_socket(&open.look.key, true);
                batch.push(Sample::Socket(Box::new(open.look)));
            }
            // Another connection may have the same endpoints, so it is only listed where its packets will come in, and what
            // it says is only taken for a connection of which that is certain.
            SocketNews::Elsewhere(open) => {
                let key = open.look.key;
                if open.is_new
                    && !followed.knows(&key)
                    && let Some(tracked) = kernel.begin(&open)?
                {
                    followed.found(&tracked, boot_ns());
                    batch.push(tracked.into());
                }
                let expected = followed.expected(&open);
                if let Some(tracked) = kernel.look_up(&key, |_record| false)?
                    && convert::has_socket(&tracked.record, &open, expected)
                {
                    followed.set_socket(&key, true);
                    batch.push(Sample::Socket(Box::new(open.look)));
                }
            }
            SocketNews::Gone(gone) => {
                let found = kernel.look_up(&gone.key, |_record| false)?;
                let had_it = found
                    .as_ref()
                    .is_some_and(|tracked| convert::had_socket(&tracked.record, &gone));
                if had_it || !gone.is_elsewhere {
                    followed.set_socket(&gone.key, false);
                }
                if had_it
                    && let Some(tracked) = found
                    && tracked.record.closed_ns == 0
                {
                    kernel.remove(&gone.key)?;
                    followed.forget(&gone.key);
                    batch.push(tracked.into());
                    batch.push(Sample::Gone(gone.key, CloseReason::SocketGone));
                }
            }
        }
    }
    hand_on(outlets, batch, Vec::new()).await;
    Ok(())
}

/// After reports were lost or withheld: looks up those of these connections that nobody has heard of.
async fn find_unreported(
    keys: Vec<ConnectionKey>,
    kernel: &Kernel,
    followed: &mut Followed,
    outlets: &Outlets,
) -> Result<(), CaptureError> {
    let unknown: Vec<_> = keys.into_iter().filter(|key| !followed.knows(key)).collect();
    tracing::debug!(
        connections = unknown.len(),
        "reports were lost or withheld; looked up"
    );
    for keys in unknown.chunks(BATCH) {
        let (mut batch, mut activities) = (Vec::new(), Vec::new());
        for key in keys {
            if let Some(tracked) = kernel.look_up(key, |_record| false)?
                && !tracked.is_last
            {
                if followed.reported(&tracked, boot_ns()) {
                    activities.push(convert::activity(&tracked, Pace::Moves));
                }
                batch.push(tracked.into());
            }
        }
        hand_on(outlets, batch, activities).await;
    }
    Ok(())
}

/// Samples first: what is said of a socket later finds its connection in the table.
async fn hand_on(outlets: &Outlets, samples: Vec<Sample>, mut activities: Vec<Activity>) {
    // The receivers are gone only when the daemon stops.
    if !samples.is_empty() {
        let batch = SampleBatch {
            at: Instant::now(),
            samples,
        };
        outlets.samples.send(batch).await.ok();
    }
    activities.retain(|activity| activity.sockets != [None; 2]);
    if let Some(outlet) = &outlets.activities
        && !activities.is_empty()
    {
        outlet.send(activities).await.ok();
    }
}

/// Time until a moment of boot time; none when it has passed.
fn until(at_ns: u64) -> Duration {
    Duration::from_nanos(at_ns.saturating_sub(boot_ns()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_made_up_for_once_when_they_have_ended() {
        let mut losses = Losses::default();
        let counted = [0, 5, 9, 9, 9, 12, 12];
        let mended: Vec<bool> = counted.into_iter().map(|lost| losses.are_over(lost)).collect();
        assert_eq!(mended, [false, false, false, true, false, false, true]);
    }
}
