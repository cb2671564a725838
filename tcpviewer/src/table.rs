//! The one owner of live state: every connection that is listed, in its newest form. In: batches of samples.
//! Out: deltas, in which each change has a revision above all earlier ones. Nobody else writes here, and there
//! are no locks. Rates, expiry and the end of connections are decided here and nowhere else.

mod convert;

mod failures;

mod kept;

mod notable;

mod rates;

mod time;

mod verdicts;

use std::{
    collections::{BTreeSet, HashMap, VecDeque, hash_map::Entry},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tcpviewer_common::connection::{ConnectionKey, ConnectionRecord, Side};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use self::{failures::Failures, kept::Kept, rates::Rates, time::TimeOfSamples};
use crate::{
    model::{
        Backlog, ById, Clock, CloseReason, Closed, Connection, Delta, Economies, Economy, FewIds,
        NotablePackets, Owner, OwnerLook, Removal, Sample, SampleBatch, Socket, SocketLook, Totals, Tracked,
    },
    verdict::Judgement,
};

/// The table.
pub struct Table {
    clock: Clock,
    update_interval: Duration,
    keep_closed: Duration,
    economy: Economy,
    /// Connections that are listed at most; ended ones make room for new ones.
    max_listed: usize,
    revision: u64,
    /// Boxed, so that the map's own memory stays small when it doubles.
    rows: ById<Box<Row>>,
    /// The newest connection on these endpoints, until its source gives it up; it may be listed no more.
    ids: HashMap<ConnectionKey, u64>,
    /// Connections with a rate above 0: the ones whose rate falls to 0 when they go quiet.
    moving: FewIds,
    /// Ended connections, oldest end first.
    ended: VecDeque<(Instant, u64)>,
    /// Connections whose verdict may change as time passes, and when to look.
    to_judge: VecDeque<(Instant, u64)>,
    /// Listening sockets that are full or dropped something lately.
    backlogs: HashMap<SocketAddr, Backlog>,
    time: TimeOfSamples,
    /// Connections that changed since the last delta.
    changed: BTreeSet<u64>,
    /// Packets worth remembering since the last delta.
    notable: Vec<NotablePackets>,
    removed: Vec<u64>,
    /// Ended connections that have gone quiet since the last delta, and of which nothing else changed.
    quiet: Vec<u64>,
    totals: Totals,
    /// As they were in the last delta.
    totals_told: Totals,
    /// When, and at how many, the connections opened were last counted.
    opened_mark: (Instant, u64),
}

/// Of the lower and the higher end, as they are published.
type Sockets = [Option<Arc<Socket>>; 2];

/// Of the lower and the higher end.
type Owners = [Option<Owner>; 2];

struct Row {
    key: ConnectionKey,
    record: Kept,
    interface: Arc<str>,
    /// What was said of the sockets at the lower and the higher end when the kernel was asked.
    sockets: Sockets,
    owners: Owners,
    /// Nothing where it did not fail.
    failures: Option<Box<Failures>>,
    judgement: Judgement,
    /// Whether it is among those to judge.
    is_to_judge: bool,
    rates: Rates,
    closed: Option<Closed>,
    /// Whether it was published before it ended.
    was_told_open: bool,
    sampled: Instant,
}

/// Keeps the table until the samples end. Sends a delta whenever something changed, at most one per batch and
/// tick. Between ticks the given time passes, whatever it is by the clock that `now` reads.
pub async fn run(
    mut table: Table,
    between_ticks: Duration,
    now: impl Fn() -> Instant,
    mut economies: Economies,
    mut samples: mpsc::Receiver<SampleBatch>,
    deltas: mpsc::Sender<Delta>,
) {
    let mut tick = interval(between_ticks);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            batch = samples.recv() => match batch {
                Some(SampleBatch { at, samples }) => table.take(samples, at),
                None => return,
            },
            _ = tick.tick() => table.tick(now()),
            economy = economies.changed() => table.economize(economy),
        }
        if let Some(delta) = table.delta()
            && deltas.send(delta).await.is_err()
        {
            return;
        }
    }
}

impl Table {
    /// An empty table.
    pub fn new(clock: Clock, update_interval: Duration, keep_closed: Duration, max_listed: usize) -> Self {
        Self {
            clock,
            update_interval,
            keep_closed,
            economy: Economy::NONE,
            max_listed,
            revision: 0,
            rows: ById::default(),
            ids: HashMap::new(),
            moving: FewIds::default(),
            ended: VecDeque::new(),
            to_judge: VecDeque::new(),
            backlogs: HashMap::new(),
            time: TimeOfSamples::default(),
            changed: BTreeSet::new(),
            notable: Vec::new(),
            removed: Vec::new(),
            quiet: Vec::new(),
            totals: Totals::default(),
            totals_told: Totals::default(),
            opened_mark: (Instant::now(), 0),
        }
    }

    /// A moving connection changes once per this time.
    pub fn update_interval(&self) -> Duration {
        self.update_interval
    }

    /// From now on less is done of this.
    pub fn economize(&mut self, economy: Economy) {
        self.economy = economy;
    }

    /// Takes samples in, in the order they were made.
    pub fn take(&mut self, batch: Vec<Sample>, now: Instant) {
        self.time.passes(now);
        for sample in batch {
            match sample {
                Sample::Tracked(tracked) => self.take_tracked(&tracked, now),
                Sample::Gone(key, reason) => self.take_gone(&key, reason, now),
                Sample::Socket(look) => self.take_socket(*look),
                Sample::Owner(look) => self.take_owner(*look),
                Sample::Failure(look) => self.take_failure(*look, now),
                Sample::Backlogs(backlogs) => self.backlogs = backlogs,
            }
        }
        self.make_room();
    }

    /// Lets rates of quiet connections fall to 0, judges those that time alone changes, and drops connections that
    /// ended long enough ago.
    pub fn tick(&mut self, now: Instant) {
        self.time.passes(now);
        self.settle_rates(now);
        self.judge_due(now);
        self.drop_ended(now);
        self.count_opened(now);
    }

    /// What changed since the last call; `None` where nothing did.
    pub fn delta(&mut self) -> Option<Delta> {
        let is_same = self.changed.is_empty() && self.removed.is_empty() && self.quiet.is_empty();
        if is_same && self.totals == self.totals_told {
            return None;
        }
        self.totals_told = self.totals;
        let mut delta = Delta {
            totals: self.totals,
            notable: std::mem::take(&mut self.notable),
            quiet: std::mem::take(&mut self.quiet),
            ..Delta::default()
        };
        for id in std::mem::take(&mut self.changed) {
            if let Some(connection) = self.judged(id) {
                let is_open = connection.closed.is_none();
                if let Some(row) = self.rows.get_mut(&id) {
                    row.was_told_open |= is_open;
                    if !is_open || !self.moving.contains(&id) {
                        row.record.pack();
                    }
                }
                self.revision += 1;
                delta.changed.push(Arc::new(Connection {
                    revision: self.revision,
                    ..connection
                }));
            }
        }
        for id in std::mem::take(&mut self.removed) {
            self.revision += 1;
            delta.removed.push(Removal {
                id,
                revision: self.revision,
            });
        }
        Some(delta)
    }

    fn take_tracked(&mut self, tracked: &Tracked, now: Instant) {
        let id = tracked.record.id;
        match self.ids.insert(tracked.key, id) {
            Some(previous) if previous != id => {
                let at = self.clock.at(tracked.record.first_seen_ns);
                self.end(previous, CloseReason::Replaced, at, now);
            }
            Some(_) if !self.rows.contains_key(&id) => {
                // Late packets of a connection that ended and is listed no more.
                if tracked.is_last {
                    self.ids.remove(&tracked.key);
                }
                return;
            }
            Some(_) | None => {}
        }
        self.time.is_at_least(
            self.clock
                .at(tracked.record.last_seen_ns().max(tracked.record.emitted_ns)),
        );
        let reason = convert::close_reason(&tracked.record, tracked.is_last);
        let ended_at = match tracked.record.closed_ns {
            0 => tracked.record.last_seen_ns(),
            closed_ns => closed_ns,
        };
        let (row, before) = match self.rows.entry(id) {
            Entry::Occupied(listed) => {
                let row = listed.into_mut();
                let before = row.record.record();
                // Most connections have ended and said all long before their record goes.
                if row.closed.is_some() && says_the_same(&before, &tracked.record) {
                    if tracked.is_last {
                        self.ids.remove(&tracked.key);
                    }
                    return;
                }
                row.record.replace(&tracked.record);
                (row, before)
            }
            Entry::Vacant(place) => {
                self.totals.opened += 1;
                self.totals.open += 1;
                self.totals.listed += 1;
                let row = Row {
                    key: tracked.key,
                    record: Kept::new(&tracked.record),
                    interface: Arc::clone(&tracked.interface),
                    sockets: Sockets::default(),
                    owners: Owners::default(),
                    failures: None,
                    judgement: Judgement::default(),
                    is_to_judge: false,
                    rates: Rates::default(),
                    closed: None,
                    was_told_open: false,
                    sampled: now,
                };
                (place.insert(Box::new(row)), ConnectionRecord::VACANT)
            }
        };
        self.totals.subtract(&row.rates);
        self.totals.grow(&before, &tracked.record);
        row.rates.follow(
            &before,
            &tracked.record,
            self.economy.interval(self.update_interval),
        );
        self.totals.add(&row.rates);
        self.notable
            .extend(notable::since(&before, &tracked.record, self.clock));
        // What says nothing new does not keep rates from falling.
        if tracked.record.last_seen_ns() > before.last_seen_ns() {
            row.sampled = now;
        }
        row.interface = Arc::clone(&tracked.interface);
        if row.rates.is_moving() {
            self.moving.insert(id);
        }
        self.changed.insert(id);
        if let Some(reason) = reason {
            self.end(id, reason, self.clock.at(ended_at), now);
        }
        if tracked.is_last {
            self.ids.remove(&tracked.key);
        }
    }

    fn take_gone(&mut self, key: &ConnectionKey, reason: CloseReason, now: Instant) {
        if let Some(id) = self.ids.remove(key)
            && let Some(row) = self.rows.get(&id)
        {
            let at = self.clock.at(row.record.record().last_seen_ns());
            self.end(id, reason, at, now);
        }
    }

    /// Takes what the kernel says of a socket, if its connection is listed. Once that has ended, whatever is said is
    /// of another socket on the same endpoints, and so is what one of this network namespace says of packets that come in.
    /// One that moves is published soon anyway, at the latest when its rates settle; unless somebody waits for it, what
    /// is said goes out with that.
    fn take_socket(&mut self, look: SocketLook) {
        if let Some(&id) = self.ids.get(&look.key)
            && let Some(row) = self.rows.get_mut(&id)
            && row.closed.is_none()
            && convert::can_be_of(&row.record.record(), &look)
        {
            let [low, high] = &mut row.sockets;
            let place = match look.side {
                Side::Low => low,
                Side::High => high,
            };
            self.time.is_at_least(look.socket.sampled_at);
            *place = Some(Arc::new(look.socket));
            if look.is_awaited || !self.moving.contains(&id) {
                self.changed.insert(id);
            }
        }
    }

    /// Takes who owns a socket, if its connection is listed; ended ones have owners as well. Where it was another socket
    /// that was taken for it, nothing of that one stays.
    fn take_owner(&mut self, look: OwnerLook) {
        if let Some(row) = self.rows.get_mut(&look.id) {
            let ([low, high], [low_socket, high_socket]) = (&mut row.owners, &mut row.sockets);
            let (owner, socket) = match look.side {
                Side::Low => (low, low_socket),
                Side::High => (high, high_socket),
            };
            if look.owner.is_none() {
                *socket = None;
            }
            *owner = look.owner;
            self.changed.insert(look.id);
        }
    }

    /// Marks a connection as ended, unless it is.
    fn end(&mut self, id: u64, reason: CloseReason, at: SystemTime, now: Instant) {
        if let Some(row) = self.rows.get_mut(&id)
            && row.closed.is_none()
        {
            row.closed = Some(Closed { at, reason });
            let is_open = convert::was_answered(&row.record.record());
            self.totals.open -= 1;
            self.totals.closed += 1;
            match reason {
                CloseReason::ResetBySource | CloseReason::ResetByDestination => self.totals.reset += 1,
                CloseReason::Refused | CloseReason::HandshakeTimeout => self.totals.failed += 1,
                CloseReason::SocketError if !is_open => self.totals.failed += 1,
                CloseReason::Fin
                | CloseReason::SocketError
                | CloseReason::IdleTimeout
                | CloseReason::Replaced
                | CloseReason::GivenUp
                | CloseReason::SocketGone => {}
            }
            self.ended.push_back((now, id));
            self.changed.insert(id);
        }
    }

    fn settle_rates(&mut self, now: Instant) {
        let patience = self.economy.interval(self.update_interval) * 2;
        let settled: Vec<u64> = self
            .moving
            .iter()
            .copied()
            .filter(|id| {
                self.rows
                    .get(id)
                    .is_none_or(|row| now.duration_since(row.sampled) >= patience)
            })
            .collect();
        for id in settled {
            self.moving.remove(&id);
            if let Some(row) = self.rows.get_mut(&id) {
                self.totals.subtract(&row.rates);
                row.rates = Rates::default();
                // Of most of those that are over in no time, nothing is new by that.
                if row.closed.is_none() || row.was_told_open {
                    self.changed.insert(id);
                } else {
                    self.quiet.push(id);
                }
            }
        }
    }

    fn drop_ended(&mut self, now: Instant) {
        let kept = self.economy.keep_closed(self.keep_closed);
        while let Some(&(ended, id)) = self.ended.front()
            && now.duration_since(ended) >= kept
        {
            self.ended.pop_front();
            self.remove(id);
            self.totals.dropped += u64::from(now.duration_since(ended) < self.keep_closed);
        }
    }

    /// Drops those that ended first while there are too many.
    fn make_room(&mut self) {
        while self.rows.len() > self.max_listed
            && let Some((_, id)) = self.ended.pop_front()
        {
            self.remove(id);
            self.totals.dropped += 1;
        }
    }

    fn remove(&mut self, id: u64) {
        self.moving.remove(&id);
        self.changed.remove(&id);
        if let Some(row) = self.rows.remove(&id) {
            self.totals.subtract(&row.rates);
            self.totals.listed -= 1;
            self.removed.push(id);
        }
    }

    fn count_opened(&mut self, now: Instant) {
        let (since, opened) = self.opened_mark;
        let elapsed = now.duration_since(since);
        if elapsed >= Duration::from_secs(1) {
            self.totals.opened_per_second = (self.totals.opened - opened) as f64 / elapsed.as_secs_f64();
            self.opened_mark = (now, self.totals.opened);
        }
    }
}

/// Whether nothing passed between two records of one connection; when they were reported does not matter.
fn says_the_same(before: &ConnectionRecord, now: &ConnectionRecord) -> bool {
    let emitted_ns = before.emitted_ns;
    *before == ConnectionRecord { emitted_ns, ..*now }
}

impl Totals {
    /// What was counted between two records of one connection, whichever end is taken for the source.
    fn grow(&mut self, before: &ConnectionRecord, now: &ConnectionRecord) {
        for (before, now) in before.halves.iter().zip(&now.halves) {
            self.packets += now.packets.saturating_sub(before.packets);
            self.payload_bytes += now.payload_bytes.saturating_sub(before.payload_bytes);
            self.retransmissions += u64::from(now.retransmissions.saturating_sub(before.retransmissions));
        }
    }

    fn add(&mut self, rates: &Rates) {
        self.packets_per_second += rates.packets_per_second();
        self.payload_bytes_per_second += rates.payload_bytes_per_second();
    }

    fn subtract(&mut self, rates: &Rates) {
        self.packets_per_second -= rates.packets_per_second();
        self.payload_bytes_per_second -= rates.payload_bytes_per_second();
    }
}

#[cfg(test)]
mod tests;
