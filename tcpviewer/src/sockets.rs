//! The second source of samples: what the kernel says of the sockets of this host when it is asked. In: which
//! connections move, which went quiet and which ended. Out: looks at the sockets of those that move, once in a while,
//! and one when they went quiet, which holds until packets pass again. So the work follows activity, and what
//! it may take of a core is limited.

mod budget;

mod lately;

pub mod diag;

mod convert;

mod tcp_info;

mod listeners;

mod host;

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};

pub use self::diag::DiagError;
use self::{
    budget::Budget,
    diag::Diag,
    host::HostCounters,
    lately::{Lately, Wish},
};
use crate::model::{Activity, Clock, HostCounter, Listener, Sample, SampleBatch, boot_ns};

/// At most so many connections are looked at before others get their turn.
const BATCH: usize = 128;
/// What looking at connections that move may take of one core.
const LOOKS_SHARE: f64 = 0.02;

/// What is asked of the running stage.
#[derive(Debug)]
pub enum Request {
    /// Report the listening sockets, or why they are not known.
    Listeners(oneshot::Sender<Result<Vec<Listener>, String>>),
    /// Report the counters of the host's TCP.
    HostCounters(oneshot::Sender<Vec<HostCounter>>),
}

/// The sockets of this host.
pub struct Sockets {
    diag: Diag,
    counters: HostCounters,
    clock: Clock,
}

impl Sockets {
    /// Opens the way to the kernel.
    ///
    /// # Errors
    ///
    /// When the kernel gives no word of its sockets.
    pub fn open(clock: Clock) -> Result<Self, DiagError> {
        Ok(Self {
            diag: Diag::open()?,
            counters: HostCounters::default(),
            clock,
        })
    }

    /// Looks after sockets until the activities end. Asking the kernel takes time in which nothing else is done, so
    /// this wants a thread of its own.
    pub async fn run(
        mut self,
        mut activities: mpsc::Receiver<Vec<Activity>>,
        mut requests: mpsc::Receiver<Request>,
        samples: mpsc::Sender<SampleBatch>,
    ) {
        let mut lately = Lately::default();
        let mut looks = Budget::new(LOOKS_SHARE);
        loop {
            let next = lately.next().map(|due| due.max(looks.free_at()));
            tokio::select! {
                received = activities.recv() => match received {
                    Some(activities) => {
                        let now = Instant::now();
                        activities.iter().for_each(|activity| lately.take(activity, now));
                    }
                    None => return,
                },
                Some(request) = requests.recv() => self.answer(request),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    let started = Instant::now();
                    let found = self.look_at(&lately.due(started, BATCH));
                    looks.spent(started, Instant::now());
                    if !found.is_empty() {
                        let batch = SampleBatch { at: started, samples: found };
                        // The receiver is gone only when the daemon stops.
                        samples.send(batch).await.ok();
                    }
                }
            }
        }
    }

    /// Who asked may have gone; then nobody misses the answer.
    fn answer(&mut self, request: Request) {
        match request {
            Request::Listeners(reply) => {
                let listeners = listeners::listeners(&mut self.diag);
                reply.send(listeners.map_err(|error| error.to_string())).ok();
            }
            Request::HostCounters(reply) => {
                let counters = self.counters.read(Instant::now());
                let counters = counters.inspect_err(|error| tracing::debug!(%error, "counters of the host"));
                reply.send(counters.unwrap_or_default()).ok();
            }
        }
    }

    /// Asks for the sockets of these connections. One that is not there any more, or cannot be asked for, is left to
    /// what the packets tell.
    fn look_at(&mut self, wishes: &[Wish]) -> Vec<Sample> {
        let mut found = Vec::new();
        for (wish, side, cookie) in wishes.iter().flat_map(Wish::sockets) {
            match self.diag.ask(&wish.key, side, cookie) {
                Ok(Some(answer)) => {
                    let looked_at = self.clock.at(boot_ns());
                    let look = convert::look(wish.key, side, &answer, looked_at);
                    found.extend(look.map(|look| Sample::Socket(Box::new(look))));
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "a socket could not be asked for"),
            }
        }
        found
    }
}
