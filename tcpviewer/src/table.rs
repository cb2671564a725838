//! The one owner of live state: every connection that is listed, in its newest form. In: batches of samples.
//! Out: deltas, in which each change has a revision above all earlier ones. Nobody else writes here, and there
//! are no locks. Rates, expiry and the end of connections are decided here and nowhere else.

mod convert;

mod failures;

mod newest;

mod notable;

mod packed;

mod rates;

mod row;

mod rows;

mod time;

mod verdicts;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use hashbrown::hash_table::Entry;
use tcpviewer_common::connection::{ConnectionKey, ConnectionRecord, Side};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval},
};

use self::{
    newest::Newest,
    packed::without_trackers_own,
    rates::Rates,
    row::{Moving, Row, Said},
    rows::Rows,
    time::TimeOfSamples,
};
use crate::model::{
    Backlog, Clock, CloseReason, Closed, Connection, Delta, Economies, Economy, Listed, NotablePackets,
    OwnerLook, Removal, Sample, SampleBatch, SocketLook, Totals, Tracked,
};

/// Room for so many in a queue is kept, whether it is needed or not.
const SPARE: usize = 1_024;

/// The table.
pub struct Table {
    clock: Clock,
    update_interval: Duration,
    keep_closed: Duration,
    economy: Economy,
    /// Connections that are listed at most; ended ones make room for new ones.
    max_listed: usize,
    revision: u64,
    rows: Rows,
    newest: Newest,
    /// Connections over which something passed, and when: their rates fall to 0 a while after that.
    settling: VecDeque<(Instant, u64)>,
    /// Connections that ended, when they were published, and the rates that count in the sums for a while after that.
    leaving: VecDeque<(Instant, u64, Rates)>,
    /// Ended connections, oldest end first.
    ended: VecDeque<(Instant, u64)>,
    /// Connections whose verdict may change as time passes, and when to look.
    to_judge: VecDeque<(Instant, u64)>,
    /// Listening sockets that are full or dropped something lately.
    backlogs: HashMap<SocketAddr, Backlog>,
    time: TimeOfSamples,
    /// Connections that changed since the last delta.
    changed: Changed,
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

/// Ids of connections that changed since the last delta, each once.
#[derive(Default)]
struct Changed(Vec<u64>);

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
            rows: Rows::default(),
            newest: Newest::default(),
            settling: VecDeque::new(),
            leaving: VecDeque::new(),
            ended: VecDeque::new(),
            to_judge: VecDeque::new(),
            backlogs: HashMap::new(),
            time: TimeOfSamples::default(),
            changed: Changed::default(),
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
        shrink(&mut self.settling);
        shrink(&mut self.leaving);
        shrink(&mut self.ended);
        shrink(&mut self.to_judge);
    }

    /// What changed since the last call; `None` where nothing did.
    pub fn delta(&mut self) -> Option<Delta> {
        let is_same = self.changed.0.is_empty() && self.removed.is_empty() && self.quiet.is_empty();
        if is_same && self.totals == self.totals_told {
            return None;
        }
        self.totals_told = self.totals;
        let mut changed = std::mem::take(&mut self.changed.0);
        changed.sort_unstable();
        let mut delta = Delta {
            changed: Vec::with_capacity(changed.len()),
            notable: std::mem::take(&mut self.notable),
            quiet: std::mem::take(&mut self.quiet),
            totals: self.totals,
            ..Delta::default()
        };
        delta
            .changed
            .extend(changed.into_iter().filter_map(|id| self.published(id)));
        for id in std::mem::take(&mut self.removed) {
            self.revision += 1;
            delta.removed.push(Removal {
                id,
                revision: self.revision,
            });
        }
        Some(delta)
    }

    /// The connection as it is now, at rest from here on unless more is to be expected of it soon; `None` where it is
    /// listed no more.
    fn published(&mut self, id: u64) -> Option<Arc<dyn Listed>> {
        let connection = self.judged(id)?;
        self.revision += 1;
        let (revision, has_ended) = (self.revision, connection.closed.is_some());
        let row = self.rows.get_mut(id)?;
        let moving = row.moving();
        moving.is_changed = false;
        if let Some(moved) = moving.moved {
            if !has_ended {
                return Some(Arc::new(Connection {
                    revision,
                    ..connection
                }));
            }
            let now = self.time.instant().unwrap_or(moved);
            self.leaving.push_back((now, id, moving.rates));
        }
        Some(row.rest(revision, self.clock))
    }

    fn take_tracked(&mut self, tracked: &Tracked, now: Instant) {
        let id = tracked.record.id;
        match self.newest.get(&tracked.key, &self.rows) {
            Some(newest) if newest == id => {
                // Late packets of a connection that ended and is listed no more.
                if self.rows.get(id).is_none() {
                    if tracked.is_last {
                        self.newest.give_up(&tracked.key, id);
                    }
                    return;
                }
            }
            Some(next) if self.came_later(next, &tracked.record) => {}
            previous => {
                self.newest.replace(&tracked.key, id, &self.rows);
                if let Some(previous) = previous {
                    let at = self.clock.at(tracked.record.first_seen_ns);
                    self.end(previous, CloseReason::Replaced, at, now);
                }
            }
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
                // Most connections have ended and said all long before their record goes.
                if row.has_ended() && says_the_same(&row.record(), &tracked.record) {
                    if tracked.is_last {
                        self.newest.give_up(&tracked.key, id);
                    }
                    return;
                }
                let row = row.moving();
                let before = row.record;
                // One that was fetched from the kernel's map overtakes a report that waits in the ring.
                if tracked.record.packets() >= before.packets() {
                    row.record = tracked.record;
                }
                (row, before)
            }
            Entry::Vacant(place) => {
                self.totals.opened += 1;
                self.totals.open += 1;
                self.totals.listed += 1;
                let said = Said::new(tracked.key, Arc::clone(&tracked.interface));
                let row = Row::Moving(Box::new(Moving::new(said, tracked.record)));
                (place.insert(row).into_mut().moving(), ConnectionRecord::VACANT)
            }
        };
        let record = &row.record;
        self.totals.subtract(&row.rates);
        self.totals.grow(&before, record);
        row.rates
            .follow(&before, record, self.economy.interval(self.update_interval));
        self.totals.add(&row.rates);
        self.notable.extend(notable::since(&before, record, self.clock));
        row.said.interface = Arc::clone(&tracked.interface);
        // What says nothing new does not keep rates from falling.
        let is_news = record.last_seen_ns() > before.last_seen_ns();
        if row.rates.is_moving() && (is_news || row.moved.is_none()) {
            row.moved = Some(now);
            self.settling.push_back((now, id));
        }
        self.changed.mark(row);
        if let Some(reason) = reason {
            self.end(id, reason, self.clock.at(ended_at), now);
        }
        if tracked.is_last {
            self.newest.give_up(&tracked.key, id);
        }
    }

    /// Whether the connection `id` began after this one: it was fetched from the kernel's map before the last reports of this
    /// one were read.
    fn came_later(&self, id: u64, record: &ConnectionRecord) -> bool {
        let row = self.rows.get(id).filter(|row| !row.has_ended());
        row.is_some_and(|row| row.record().first_seen_ns > record.first_seen_ns)
    }

    fn take_gone(&mut self, key: &ConnectionKey, reason: CloseReason, now: Instant) {
        if let Some(id) = self.newest.remove(key, &self.rows)
            && let Some(row) = self.rows.get(id)
            && !row.has_ended()
        {
            let at = self.clock.at(row.record().last_seen_ns());
            self.end(id, reason, at, now);
        }
    }

    /// Takes what the kernel says of a socket, if its connection is listed. Once that has ended, whatever is said is
    /// of another socket on the same endpoints, and so is what one of this network namespace says of packets that come in.
    /// One that moves is published soon anyway, at the latest when its rates settle; unless somebody waits for it, what
    /// is said goes out with that.
    fn take_socket(&mut self, look: SocketLook) {
        if let Some(id) = self.newest.get(&look.key, &self.rows)
            && let Some(row) = self.rows.get_mut(id)
            && !row.has_ended()
            && convert::can_be_of(&row.record(), &look)
        {
            let row = row.moving();
            let [low, high] = &mut row.said.sockets;
            let place = match look.side {
                Side::Low => low,
                Side::High => high,
            };
            self.time.is_at_least(look.socket.sampled_at);
            *place = Some(Arc::new(look.socket));
            if look.is_awaited || row.moved.is_none() {
                self.changed.mark(row);
            }
        }
    }

    /// Takes who owns a socket, if its connection is listed; ended ones have owners as well. Where it was another socket
    /// that was taken for it, nothing of that one stays.
    fn take_owner(&mut self, look: OwnerLook) {
        if let Some(row) = self.rows.get_mut(look.id) {
            let row = row.moving();
            let Said { owners, sockets, .. } = &mut row.said;
            let ([low, high], [low_socket, high_socket]) = (owners, sockets);
            let (owner, socket) = match look.side {
                Side::Low => (low, low_socket),
                Side::High => (high, high_socket),
            };
            if look.owner.is_none() {
                *socket = None;
            }
            *owner = look.owner;
            self.changed.mark(row);
        }
    }

    /// Marks a connection as ended, unless it is.
    fn end(&mut self, id: u64, reason: CloseReason, at: SystemTime, now: Instant) {
        if let Some(row) = self.rows.get_mut(id)
            && !row.has_ended()
        {
            let row = row.moving();
            row.closed = Some(Closed { at, reason });
            self.changed.mark(row);
            let is_open = convert::was_answered(&row.record);
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
        }
    }

    fn settle_rates(&mut self, now: Instant) {
        let patience = self.economy.interval(self.update_interval) * 2;
        let is_over = |since: Instant| now.duration_since(since) >= patience;
        while let Some(&(moved, id)) = self.settling.front()
            && is_over(moved)
        {
            self.settling.pop_front();
            if let Some(Row::Moving(row)) = self.rows.get_mut(id)
                && row.moved == Some(moved)
            {
                row.moved = None;
                self.totals.subtract(&std::mem::take(&mut row.rates));
                self.changed.mark(row);
            }
        }
        while let Some(&(ended, id, rates)) = self.leaving.front()
            && is_over(ended)
        {
            self.leaving.pop_front();
            self.totals.subtract(&rates);
            // It was published as one that moves no more.
            if self.rows.get(id).is_some() {
                self.quiet.push(id);
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
        if let Some(row) = self.rows.remove(id) {
            self.newest.unlist(row.key(), id);
            if let Row::Moving(row) = row {
                self.totals.subtract(&row.rates);
            }
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

/// Gives the room back of much more than a queue holds now.
fn shrink<T>(queue: &mut VecDeque<T>) {
    if queue.capacity() > SPARE && queue.len() < queue.capacity() / 4 {
        queue.shrink_to(SPARE.max(2 * queue.len()));
    }
}

/// Whether nothing passed between two records of one connection; when they were reported does not matter.
fn says_the_same(before: &ConnectionRecord, now: &ConnectionRecord) -> bool {
    without_trackers_own(before) == without_trackers_own(now)
}

impl Changed {
    fn mark(&mut self, row: &mut Moving) {
        if !std::mem::replace(&mut row.is_changed, true) {
            self.0.push(row.record.id);
        }
    }
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
