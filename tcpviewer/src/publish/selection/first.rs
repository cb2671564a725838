//! A reader of the first of an order, of all connections or of those that pass a filter. From time to time it looks
//! through the order from its beginning, and tells what is different from the look before. A filter is asked once per
//! change.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    select,
    sync::watch,
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{
    super::{
        connections::{Board, Event, REMOVALS_PER_CONNECTION, SnapshotReason},
        ranking::{List, Ranking},
    },
    SelectionError, Step, Top,
};
use crate::{
    filter::Filter,
    model::{ById, Connection, Ids, Listed, Work},
};

/// Connections that are looked at in one go, before others get their turn: with the worst filter some 50 ms.
const CHUNK: usize = 512;
/// Time between two looks; it begins with the making of the list that was looked at, so that what is shown is no older
/// unless the look or the list takes much work.
const PAUSE: Duration = Duration::from_millis(125);
/// Time after a look where the passing of time is the only reason to look again.
const TIMED_PAUSE: Duration = Duration::from_secs(1);
/// After a look, the pause is this many times as long as its work at least.
const PAUSE_PER_WORK: u32 = 20;

/// A reader of the first of an order.
#[derive(Debug)]
pub(super) struct First {
    board: Arc<Board>,
    newest: watch::Receiver<u64>,
    passing: Passing,
    stage: Stage,
    /// Id and revision of what the reader holds, once `news` and `gone` are sent.
    held: ById<u64>,
    news: VecDeque<Arc<dyn Listed>>,
    gone: Vec<u64>,
    /// How many passed the filter at the last look, and whether the reader was told.
    total: u64,
    total_told: u64,
    /// The ids of `held` in their order, and whether the reader was told.
    order: Vec<u64>,
    order_told: bool,
    /// No look before.
    rest_until: Instant,
    /// No look for the passing of time before.
    timed_rest_until: Instant,
}

#[derive(Debug)]
enum Stage {
    /// A look through the order; the result is a snapshot where there is a reason.
    Look(Look, Option<SnapshotReason>),
    /// The result is being sent, as a snapshot where there is a reason; `true` before its first part.
    Send(Option<SnapshotReason>, bool),
    SnapshotEnd,
    Rest,
}

impl First {
    /// A reader that begins with a snapshot, for this reason.
    pub(super) fn new(
        board: &Arc<Board>,
        filter: Option<Filter<Connection>>,
        top: &Top,
        reason: SnapshotReason,
    ) -> Result<Self, SelectionError> {
        let passing = Passing::new(board, filter, top)?;
        Ok(Self {
            board: Arc::clone(board),
            newest: board.subscribe(),
            stage: Stage::Look(Look::as_of(board.revision()), Some(reason)),
            passing,
            held: ById::default(),
            news: VecDeque::new(),
            gone: Vec::new(),
            total: 0,
            total_told: 0,
            order: Vec::new(),
            order_told: true,
            rest_until: Instant::now(),
            timed_rest_until: Instant::now(),
        })
    }

    /// The revision that the reader holds, or will hold at the end of its snapshot.
    pub(super) fn revision(&self) -> u64 {
        self.passing.revision
    }

    pub(super) fn next(&mut self, limit: usize, now: SystemTime) -> Step {
        match &mut self.stage {
            Stage::Rest => {
                if !self.is_time_to_look() {
                    return Step::Done;
                }
                let is_newer = u64::from(self.is_news());
                self.stage = Stage::Look(Look::as_of(self.passing.revision + is_newer), None);
                Step::Busy
            }
            Stage::Look(look, reason) => {
                if look.step(&self.board, &mut self.passing, now) {
                    let reason = *reason;
                    let (found, total) = (std::mem::take(&mut look.found), look.total);
                    let now = Instant::now();
                    let rested = now + look.worked * PAUSE_PER_WORK;
                    let list = look.list.as_ref();
                    let (made_at, list_rests_until) =
                        list.map_or((now, now), |list| (list.made_at, list.rest_until));
                    let rest_until = list_rests_until.max(rested);
                    self.rest_until = rest_until.max(made_at + PAUSE);
                    self.timed_rest_until = rest_until.max(now + TIMED_PAUSE);
                    self.total = total;
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
                    revision: self.revision(),
                    connections: Some(self.held.len() as u64),
                    total: self.total,
                })
            }
            Stage::Send(None, _) => self.changes(limit),
        }
    }

    fn is_news(&self) -> bool {
        *self.newest.borrow() > self.passing.revision
    }

    fn is_time_to_look(&self) -> bool {
        let now = Instant::now();
        let is_news = self.is_news() && self.rest_until <= now;
        is_news || (self.passing.depends_on_time() && self.timed_rest_until <= now)
    }

    /// What is different from what the reader holds.
    fn compare(&mut self, found: Vec<Arc<dyn Listed>>) {
        let held: ById<_> = found
            .iter()
            .map(|connection| (connection.id(), connection.revision()))
            .collect();
        self.gone = self
            .held
            .keys()
            .copied()
            .filter(|id| !held.contains_key(id))
            .collect();
        let order = found.iter().map(|connection| connection.id()).collect();
        self.order_told = self.order == order;
        self.order = order;
        let is_new =
            |connection: &Arc<dyn Listed>| self.held.get(&connection.id()) != Some(&connection.revision());
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
            revision: self.revision(),
            connections,
            removed,
            total: self.total,
            order,
            more,
        })
    }

    fn take_news(&mut self, limit: usize) -> Vec<Arc<dyn Listed>> {
        let count = limit.min(self.news.len());
        self.news.drain(..count).collect()
    }

    /// Waits until there may be something for [`First::next`].
    pub(super) async fn changed(&mut self) {
        if !matches!(self.stage, Stage::Rest) {
            return;
        }
        let (revision, depends_on_time) = (self.passing.revision, self.passing.depends_on_time());
        let news = async {
            sleep_until(self.rest_until).await;
            // It fails only when the board is gone, and this reader holds the board.
            self.newest.wait_for(|newest| *newest > revision).await.ok();
        };
        select! {
            () = news => {}
            () = sleep_until(self.timed_rest_until), if depends_on_time => {}
        }
    }
}

/// The first of an order, as they are at this time: by their order, and how many there are in all.
pub async fn first_of(
    board: &Arc<Board>,
    filter: Option<Filter<Connection>>,
    top: &Top,
    now: SystemTime,
) -> Result<Vec<Arc<dyn Listed>>, SelectionError> {
    let mut passing = Passing::new(board, filter, top)?;
    let mut look = Look::as_of(board.revision());
    while !look.step(board, &mut passing, now) {
        yield_now().await;
    }
    Ok(look.found)
}

/// The connections in an order, and which of them pass a filter.
#[derive(Debug)]
struct Passing {
    ranking: Arc<Ranking>,
    filter: Option<Filter<Connection>>,
    offset: usize,
    limit: usize,
    /// Up to this revision it is known which pass.
    revision: u64,
    /// Their ids.
    ids: Ids,
}

impl Passing {
    fn new(
        board: &Arc<Board>,
        filter: Option<Filter<Connection>>,
        top: &Top,
    ) -> Result<Self, SelectionError> {
        Ok(Self {
            ranking: board.ranking(&top.order).ok_or(SelectionError::TooManyOrders)?,
            filter,
            offset: top.offset,
            limit: top.limit,
            revision: 0,
            ids: Ids::default(),
        })
    }

    fn depends_on_time(&self) -> bool {
        self.filter.as_ref().is_some_and(Filter::depends_on_time) || self.ranking.depends_on_time()
    }
}

/// A look through an order, some connections at a time.
#[derive(Debug)]
struct Look {
    /// The list is as of this revision or later.
    revision: u64,
    list: Option<Arc<List>>,
    reached: usize,
    /// Of those that were looked at, the ids of those that pass the filter.
    ids: Ids,
    /// How many do.
    total: u64,
    found: Vec<Arc<dyn Listed>>,
    /// Work that it took so far.
    worked: Duration,
}

impl Look {
    fn as_of(revision: u64) -> Self {
        Self {
            revision,
            list: None,
            reached: 0,
            ids: Ids::default(),
            total: 0,
            found: Vec::new(),
            worked: Duration::ZERO,
        }
    }

    /// Looks at some more; `true` when it has seen all.
    fn step(&mut self, board: &Board, passing: &mut Passing, now: SystemTime) -> bool {
        let Some(list) = &self.list else {
            self.list = Some(passing.ranking.list(board, self.revision, now));
            return false;
        };
        let Some(filter) = &passing.filter else {
            let wanted = list.places.iter().skip(passing.offset).take(passing.limit);
            self.found = wanted.map(|place| Arc::clone(&place.connection)).collect();
            self.total = list.places.len() as u64;
            passing.revision = list.revision;
            return true;
        };
        let work = Work::begun();
        let always_ask = filter.depends_on_time();
        for place in list.places.iter().skip(self.reached).take(CHUNK) {
            let connection = &place.connection;
            let passes = if always_ask || connection.revision() > passing.revision {
                filter.admits(&**connection, now)
            } else {
                passing.ids.contains(connection.id())
            };
            if !passes {
                continue;
            }
            if !always_ask {
                self.ids.insert(connection.id());
            }
            if self.total >= passing.offset as u64 && self.found.len() < passing.limit {
                self.found.push(Arc::clone(connection));
            }
            self.total += 1;
        }
        self.reached += CHUNK;
        self.worked += work.done();
        let is_over = self.reached >= list.places.len();
        if is_over {
            passing.ids = std::mem::take(&mut self.ids);
            passing.revision = list.revision;
        }
        is_over
    }
}
