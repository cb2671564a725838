//! The second source of samples: what the kernel says of the sockets of this host when it is asked. In: which
//! connections move, which went quiet and which ended, and which somebody watches. Out: looks at the sockets of those that
//! move, once in a while, of those that are watched much more often, and one when they went quiet, which holds until
//! packets pass again; and, from a look at all sockets now and then,
//! which came, which changed and which are gone. So the work follows activity, and what it may take of a core is
//! limited.

mod budget;

mod lately;

mod watched;

pub mod diag;

mod convert;

mod tcp_info;

pub mod namespaces;

mod links;

mod places;

mod known;

mod procfs;

mod source;

mod sweep;

mod listeners;

mod backlogs;

mod ways;

mod around;

mod host;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tcpviewer_common::connection::ConnectionKey;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep, sleep_until},
};

use self::{
    around::{Others, Own},
    budget::{Budget, Turns},
    host::HostCounters,
    lately::{Lately, Wish},
    watched::Watched,
    ways::Ways,
};
use crate::model::{
    Activity, Clock, Degradation, Economies, HostCounter, InterfaceNames, Listener, Sample, SampleBatch,
    SocketLook, SocketNews, Work, boot_ns,
};

/// At most so many connections are looked at before others get their turn.
const BATCH: usize = 128;
/// What looking at connections that move may take of one core.
const LOOKS_SHARE: f64 = 0.005;
/// What looking at all sockets may take of one core, and as much those of other network namespaces.
const SWEEP_SHARE: f64 = 0.005;
/// All sockets are looked at once in this time, or as often as that share allows.
const SWEEP_EVERY: Duration = Duration::from_secs(2);
/// Those of other network namespaces.
const SWEEP_ELSEWHERE_EVERY: Duration = Duration::from_secs(5);
/// At most so much news is handed on at once.
const NEWS: usize = 512;

/// News that found no room is offered again after this time.
const NEWS_PAUSE: Duration = Duration::from_millis(5);

/// Where results go.
pub struct Outlets {
    /// Samples, to the table.
    pub samples: mpsc::Sender<SampleBatch>,
    /// Sockets that came and went, to whoever follows connections.
    pub news: mpsc::Sender<Vec<SocketNews>>,
}

/// What is asked of the running stage.
#[derive(Debug)]
pub enum Request {
    /// The connections that somebody watches, all of them.
    Watch(Vec<ConnectionKey>),
    /// Report the listening sockets, or why they are not known.
    Listeners(oneshot::Sender<Result<Vec<Listener>, String>>),
    /// Report the counters of the host's TCP.
    HostCounters(oneshot::Sender<Vec<HostCounter>>),
}

/// The sockets of this host.
pub struct Sockets {
    ways: Ways,
    own: Own,
    others: Others,
    names: Arc<InterfaceNames>,
    counters: HostCounters,
    clock: Clock,
}

impl Sockets {
    /// Opens the ways to the sockets.
    pub fn open(names: Arc<InterfaceNames>, clock: Clock) -> Self {
        Self {
            ways: Ways::open(),
            own: Own::default(),
            others: Others::default(),
            names,
            counters: HostCounters::default(),
            clock,
        }
    }

    /// What does not work here, and what that costs.
    pub fn degradations(&self) -> Vec<Degradation> {
        self.ways.degradations()
    }

    /// Looks after sockets until the activities end. Asking the kernel takes time in which nothing else is done, so
    /// this wants a thread of its own.
    pub async fn run(
        mut self,
        mut activities: mpsc::Receiver<Vec<Activity>>,
        mut requests: mpsc::Receiver<Request>,
        economies: Economies,
        outlets: Outlets,
    ) {
        let (mut lately, mut watched) = (Lately::default(), Watched::default());
        let mut looks = Budget::new(LOOKS_SHARE);
        let mut sweeps = Turns::new(SWEEP_EVERY, SWEEP_SHARE);
        let mut sweeps_elsewhere = Turns::new(SWEEP_ELSEWHERE_EVERY, SWEEP_SHARE);
        let mut news = VecDeque::new();
        loop {
            hand_on_news(&mut news, &outlets.news);
            let stretch = economies.now().stretch;
            let next = lately.next().map(|due| due.max(looks.free_at()));
            let next_watched = watched.next().map(|due| due.max(looks.free_at()));
            tokio::select! {
                received = activities.recv() => match received {
                    Some(activities) => {
                        let now = Instant::now();
                        activities.iter().for_each(|activity| lately.take(activity, now));
                    }
                    None => return,
                },
                Some(request) = requests.recv() => match request {
                    Request::Watch(connections) => watched.set(connections, Instant::now()),
                    Request::Listeners(reply) => self.tell_listeners(reply),
                    Request::HostCounters(reply) => self.tell_counters(reply),
                },
                () = sleep_until(next_watched.unwrap_or_else(Instant::now)), if next_watched.is_some() => {
                    let (started, work) = (Instant::now(), Work::begun());
                    let mut found = self.look_at(&watched.due(started), true);
                    found.retain(|sample| watched.is_news(sample));
                    looks.spent(work.done() * stretch, Instant::now());
                    hand_on(found, started, &outlets.samples).await;
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    let (started, work) = (Instant::now(), Work::begun());
                    let found = self.look_at(&lately.due(started, BATCH), false);
                    looks.spent(work.done() * stretch, Instant::now());
                    hand_on(found, started, &outlets.samples).await;
                }
                // What was found goes first: behind that, nothing piles up.
                () = sleep_until(sweeps.due()), if news.len() < NEWS => {
                    let (started, work) = (Instant::now(), Work::begun());
                    let found = self.own.step(&self.ways, &self.names, self.clock);
                    sweeps.done(started, work.done(), found.is_over, economies.now());
                    news.extend(found.news);
                    hand_on(found.samples, started, &outlets.samples).await;
                }
                () = sleep_until(sweeps_elsewhere.due()), if news.len() < NEWS => {
                    let started = Instant::now();
                    let found = self.others.step(&mut self.ways, &self.names, self.clock);
                    // Other threads did a part of the work.
                    sweeps_elsewhere.done(started, started.elapsed(), found.is_over, economies.now());
                    news.extend(found.news);
                    hand_on(found.samples, started, &outlets.samples).await;
                }
                () = sleep(NEWS_PAUSE), if !news.is_empty() => {}
            }
        }
    }

    /// Who asked may have gone; then nobody misses the answer.
    fn tell_listeners(&mut self, reply: oneshot::Sender<Result<Vec<Listener>, String>>) {
        let listeners = self.ways.listeners();
        reply.send(listeners.map_err(|error| error.to_string())).ok();
    }

    /// Likewise.
    fn tell_counters(&mut self, reply: oneshot::Sender<Vec<HostCounter>>) {
        let counters = self.counters.read(Instant::now());
        let counters = counters.inspect_err(|error| tracing::debug!(%error, "counters of the host"));
        reply.send(counters.unwrap_or_default()).ok();
    }

    /// Asks for the sockets of these connections. One that is not there any more, or cannot be asked for, is left to
    /// what the packets tell, and to the look at all.
    fn look_at(&mut self, wishes: &[Wish], is_awaited: bool) -> Vec<Sample> {
        let mut found = Vec::new();
        let Some(diag) = self.ways.diag() else {
            return found;
        };
        for (wish, side, cookie) in wishes.iter().flat_map(Wish::sockets) {
            match diag.ask(&wish.key, side, cookie) {
                Ok(Some(answer)) => {
                    let looked_at = self.clock.at(boot_ns());
                    let look = convert::look(wish.key, side, &answer, looked_at);
                    found
                        .extend(look.map(|look| Sample::Socket(Box::new(SocketLook { is_awaited, ..look }))));
                }
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "a socket could not be asked for"),
            }
        }
        found
    }
}

async fn hand_on(samples: Vec<Sample>, at: Instant, outlet: &mpsc::Sender<SampleBatch>) {
    if !samples.is_empty() {
        // The receiver is gone only when the daemon stops.
        outlet.send(SampleBatch { at, samples }).await.ok();
    }
}

/// Hands on what finds room. Who follows connections may be waiting for room here, so this does not wait for him.
fn hand_on_news(news: &mut VecDeque<SocketNews>, outlet: &mpsc::Sender<Vec<SocketNews>>) {
    while !news.is_empty()
        && let Ok(room) = outlet.try_reserve()
    {
        room.send(news.drain(..news.len().min(NEWS)).collect());
    }
}
