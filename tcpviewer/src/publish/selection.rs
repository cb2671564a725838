//! Readers that want a part of the table: what passes a filter, the first of an order, or both. In: the table's
//! changes, or looks at all of it where an order or the time decide. Out: the events of a cursor, in which a
//! connection that no longer belongs to the part is removed like one that is no longer listed.

use std::{
    collections::{BinaryHeap, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::connections::{
    Board, Cursor, Event, REMOVALS_PER_CONNECTION, ResumePoint, RevisionAhead, SnapshotReason,
};
use crate::{
    filter::{Filter, Order, OrderKey},
    model::Connection,
};

/// Connections that are looked at in one go, before others get their turn: with the worst filter some 50 ms.
const CHUNK: usize = 512;
/// Time between two looks at the whole table.
const PAUSE: Duration = Duration::from_millis(250);
/// The same where the passing of time is a reason to look.
const TIMED_PAUSE: Duration = Duration::from_secs(1);
/// After a look, the pause is this many times as long as the look at least.
const PAUSE_PER_WORK: u32 = 20;

/// The part of the table that a reader wants.
#[derive(Debug, Default)]
pub struct Selection {
    /// What has to hold for a connection.
    pub filter: Option<Filter<Connection>>,
    /// Only the first of an order.
    pub top: Option<Top>,
}

/// The first of an order.
#[derive(Debug)]
pub struct Top {
    /// The order; among equals, the lower id comes first.
    pub order: Order<Connection>,
    /// How many are passed over.
    pub offset: usize,
    /// How many.
    pub limit: usize,
}

impl Selection {
    fn matches(&self, connection: &Connection, now: SystemTime) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| filter.matches(connection, now))
    }

    fn depends_on_time(&self) -> bool {
        self.filter.as_ref().is_some_and(Filter::depends_on_time)
            || self.top.as_ref().is_some_and(|top| top.order.depends_on_time())
    }
}

/// What a reader gets when it asks.
#[derive(Debug)]
pub enum Step {
    /// An event.
    Event(Event),
    /// Nothing yet: ask again, after others had their turn.
    Busy,
    /// The reader has everything.
    Done,
}

/// A reader of the table or of a part of it.
#[derive(Debug)]
pub struct Reader(Kind);

#[derive(Debug)]
enum Kind {
    All(Cursor),
    Filtered(Filtered),
    Looking(Box<Looking>),
}

impl Reader {
    /// A new reader: from `resume` if that place is still known and the reader wants all, else from a snapshot.
    pub fn new(
        board: &Arc<Board>,
        selection: Selection,
        resume: Option<ResumePoint>,
    ) -> Result<Self, RevisionAhead> {
        let is_looking = selection.top.is_some() || selection.depends_on_time();
        Ok(Self(match selection.filter {
            None if !is_looking => Kind::All(board.cursor(resume)?),
            Some(filter) if !is_looking => Kind::Filtered(Filtered {
                cursor: board.cursor_from_snapshot(resume)?,
                filter,
                held: HashSet::new(),
            }),
            filter => Kind::Looking(Box::new(Looking::new(
                board,
                Selection { filter, ..selection },
                board.snapshot_reason(resume)?,
            ))),
        }))
    }

    /// The next event with at most `limit` connections (at least 1).
    pub fn next(&mut self, limit: usize, now: SystemTime) -> Step {
        match &mut self.0 {
            Kind::All(cursor) => cursor.next(limit).map_or(Step::Done, Step::Event),
            Kind::Filtered(filtered) => filtered.next(limit, now),
            Kind::Looking(looking) => looking.next(limit.max(1), now),
        }
    }

    /// Waits until there may be something for [`Reader::next`].
    pub async fn changed(&mut self) {
        match &mut self.0 {
            Kind::All(cursor) => cursor.changed().await,
            Kind::Filtered(filtered) => filtered.cursor.changed().await,
            Kind::Looking(looking) => looking.changed().await,
        }
    }

    /// The revision that the reader holds, or will hold at the end of its snapshot.
    pub fn revision(&self) -> u64 {
        match &self.0 {
            Kind::All(cursor) => cursor.revision(),
            Kind::Filtered(filtered) => filtered.cursor.revision(),
            Kind::Looking(looking) => looking.revision,
        }
    }
}

/// A reader of what passes a filter that only changes decide: it sees each change once.
#[derive(Debug)]
struct Filtered {
    cursor: Cursor,
    filter: Filter<Connection>,
    /// Ids that the reader was sent.
    held: HashSet<u64>,
}

impl Filtered {
    fn next(&mut self, limit: usize, now: SystemTime) -> Step {
        let event = match self.cursor.next(limit) {
            None => return Step::Done,
            Some(Event::Snapshot {
                first,
                reason,
                mut connections,
            }) => {
                if first {
                    self.held.clear();
                }
                connections.retain(|connection| self.filter.matches(connection, now));
                self.held
                    .extend(connections.iter().map(|connection| connection.id));
                if connections.is_empty() && !first {
                    return Step::Busy;
                }
                Event::Snapshot {
                    first,
                    reason,
                    connections,
                }
            }
            Some(Event::SnapshotEnd { revision, .. }) => Event::SnapshotEnd {
                revision,
                connections: Some(self.held.len() as u64),
                total: self.held.len() as u64,
            },
            Some(Event::Changes {
                revision,
                mut connections,
                mut removed,
                order,
                more,
                total: _,
            }) => {
                removed.retain(|id| self.held.remove(id));
                connections.retain(|connection| {
                    if self.filter.matches(connection, now) {
                        self.held.insert(connection.id);
                        return true;
                    }
                    if self.held.remove(&connection.id) {
                        removed.push(connection.id);
                    }
                    false
                });
                if connections.is_empty() && removed.is_empty() {
                    return Step::Busy;
                }
                Event::Changes {
                    revision,
                    connections,
                    removed,
                    total: self.held.len() as u64,
                    order,
                    more,
                }
            }
        };
        Step::Event(event)
    }
}

/// A reader of a part that an order or the time decide: from time to time it looks at the whole table, and tells
/// what is different from the look before.
#[derive(Debug)]
struct Looking {
    board: Arc<Board>,
    newest: watch::Receiver<u64>,
    selection: Selection,
    stage: Stage,
    /// Id and revision of what the reader holds, once `news` and `gone` are sent.
    held: HashMap<u64, u64>,
    news: VecDeque<Arc<Connection>>,
    gone: Vec<u64>,
    /// How many passed the filter at the last look, and whether the reader was told.
    total: u64,
    total_told: u64,
    /// With a limit: the ids of `held` in their order, and whether the reader was told.
    order: Vec<u64>,
    order_told: bool,
    /// The reader's state is that of this revision.
    revision: u64,
    /// No look before.
    rest_until: Instant,
}

#[derive(Debug)]
enum Stage {
    /// A look at the table; the result is a snapshot where there is a reason.
    Look(Look, Option<SnapshotReason>),
    /// The result is being sent, as a snapshot where there is a reason; `true` before its first part.
    Send(Option<SnapshotReason>, bool),
    SnapshotEnd,
    Rest,
}

impl Looking {
    fn new(board: &Arc<Board>, selection: Selection, reason: SnapshotReason) -> Self {
        let newest = board.subscribe();
        let look = Look::begin(&newest);
        Self {
            board: Arc::clone(board),
            newest,
            selection,
            revision: look.revision,
            stage: Stage::Look(look, Some(reason)),
            held: HashMap::new(),
            news: VecDeque::new(),
            gone: Vec::new(),
            total: 0,
            total_told: 0,
            order: Vec::new(),
            order_told: true,
            rest_until: Instant::now(),
        }
    }

    fn next(&mut self, limit: usize, now: SystemTime) -> Step {
        match &mut self.stage {
            Stage::Rest => {
                let is_news = *self.newest.borrow() > self.revision || self.selection.depends_on_time();
                if !is_news || Instant::now() < self.rest_until {
                    return Step::Done;
                }
                self.stage = Stage::Look(Look::begin(&self.newest), None);
                Step::Busy
            }
            Stage::Look(look, reason) => {
                if look.step(&self.board, &self.selection, now) {
                    let reason = *reason;
                    let found = look.found();
                    let pause = if self.selection.depends_on_time() {
                        TIMED_PAUSE
                    } else {
                        PAUSE
                    };
                    self.rest_until = Instant::now() + pause.max(look.worked * PAUSE_PER_WORK);
                    self.revision = look.revision;
                    self.total = look.matching;
                    self.compare(found);
                    self.stage = Stage::Send(reason, true);
                }
                Step::Busy
            }
            Stage::Send(Some(reason), first) => {
                let (reason, first) = (*reason, std::mem::take(first));
                let connections = self.take_news(limit);
                if self.news.is_empty() {
                    self.stage = Stage::SnapshotEnd;
                }
                Step::Event(Event::Snapshot {
                    first,
                    reason,
                    connections,
                })
            }
            Stage::SnapshotEnd => {
                self.stage = Stage::Rest;
                // Those of the snapshot came in their order.
                (self.total_told, self.order_told) = (self.total, true);
                Step::Event(Event::SnapshotEnd {
                    revision: self.revision,
                    connections: Some(self.held.len() as u64),
                    total: self.total,
                })
            }
            Stage::Send(None, _) => self.changes(limit),
        }
    }

    /// What is different from what the reader holds.
    fn compare(&mut self, found: Vec<Arc<Connection>>) {
        let held: HashMap<_, _> = found
            .iter()
            .map(|connection| (connection.id, connection.revision))
            .collect();
        self.gone = self
            .held
            .keys()
            .copied()
            .filter(|id| !held.contains_key(id))
            .collect();
        if self.selection.top.is_some() {
            let order = found.iter().map(|connection| connection.id).collect();
            self.order_told = self.order == order;
            self.order = order;
        }
        let is_new =
            |connection: &Arc<Connection>| self.held.get(&connection.id) != Some(&connection.revision);
        self.news = found.into_iter().filter(is_new).collect();
        self.held = held;
    }

    fn changes(&mut self, limit: usize) -> Step {
        let is_told = self.total == self.total_told && self.order_told;
        if self.news.is_empty() && self.gone.is_empty() && is_told {
            self.stage = Stage::Rest;
            return Step::Busy;
        }
        let left = self.gone.len().saturating_sub(limit * REMOVALS_PER_CONNECTION);
        let removed = self.gone.split_off(left);
        let connections = self.take_news(limit);
        let more = !self.news.is_empty() || !self.gone.is_empty();
        let mut order = Vec::new();
        if !more {
            self.total_told = self.total;
            if !std::mem::replace(&mut self.order_told, true) {
                order.clone_from(&self.order);
            }
        }
        Step::Event(Event::Changes {
            revision: self.revision,
            connections,
            removed,
            total: self.total,
            order,
            more,
        })
    }

    fn take_news(&mut self, limit: usize) -> Vec<Arc<Connection>> {
        let count = limit.min(self.news.len());
        self.news.drain(..count).collect()
    }

    async fn changed(&mut self) {
        if !matches!(self.stage, Stage::Rest) {
            return;
        }
        sleep_until(self.rest_until).await;
        if !self.selection.depends_on_time() {
            // It fails only when the board is gone, and this reader holds the board.
            self.newest.wait_for(|newest| *newest > self.revision).await.ok();
        }
    }
}

/// A look at the whole table, some connections at a time, so that the table can be written between.
#[derive(Debug)]
pub struct Look {
    /// The newest revision when it began.
    revision: u64,
    /// Time that it took so far.
    worked: Duration,
    after: Option<u64>,
    /// How many passed the filter.
    matching: u64,
    found: Vec<Arc<Connection>>,
    best: BinaryHeap<Ranked>,
    /// How many of the best are passed over.
    offset: usize,
}

impl Look {
    /// A look at the table in its present form.
    pub fn new(board: &Board) -> Self {
        Self::begin(&board.subscribe())
    }

    fn begin(newest: &watch::Receiver<u64>) -> Self {
        Self {
            revision: *newest.borrow(),
            worked: Duration::ZERO,
            after: None,
            matching: 0,
            found: Vec::new(),
            best: BinaryHeap::new(),
            offset: 0,
        }
    }

    /// Looks at some more; `true` when it has seen all.
    pub fn step(&mut self, board: &Board, selection: &Selection, now: SystemTime) -> bool {
        let started = Instant::now();
        let (chunk, more) = board.page(self.after, CHUNK);
        self.after = chunk.last().map(|connection| connection.id).or(self.after);
        let matching = chunk
            .into_iter()
            .filter(|connection| selection.matches(connection, now));
        match &selection.top {
            None => {
                self.found.extend(matching);
                self.matching = self.found.len() as u64;
            }
            Some(top) => {
                self.offset = top.offset;
                let last = top.offset.saturating_add(top.limit);
                for connection in matching {
                    self.matching += 1;
                    let key = top.order.key(&connection, now);
                    let ranked = Ranked { key, connection };
                    let is_full = self.best.len() >= last;
                    if is_full && self.best.peek().is_none_or(|worst| ranked >= *worst) {
                        continue;
                    }
                    self.best.push(ranked);
                    if self.best.len() > last {
                        self.best.pop();
                    }
                }
            }
        }
        self.worked += started.elapsed();
        !more
    }

    /// What was found: by rising id, or in the order of the selection.
    pub fn found(&mut self) -> Vec<Arc<Connection>> {
        let best = std::mem::take(&mut self.best).into_sorted_vec();
        let mut found = std::mem::take(&mut self.found);
        found.extend(best.into_iter().skip(self.offset).map(|ranked| ranked.connection));
        found
    }
}

/// A connection and its place in an order.
#[derive(Debug)]
struct Ranked {
    key: OrderKey,
    connection: Arc<Connection>,
}

impl Ranked {
    fn place(&self) -> (&OrderKey, u64) {
        (&self.key, self.connection.id)
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ranked {}

#[cfg(test)]
mod tests;
