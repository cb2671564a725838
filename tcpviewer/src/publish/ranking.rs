//! The table in an order, shared by all who want the first of it. In: the order and the published table. Out: a list of
//! all connections in that order, as of one revision. It is brought up to date when somebody asks and it is not new
//! enough: what changed is sorted and merged into the rest. That costs a pass over all, so a long list is made less often.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use super::connections::{Board, Cursor, Event, SnapshotReason};
use crate::{
    filter::{Order, OrderKey},
    model::{ById, Connection, Ids, Listed, Work},
};

/// Orders that are kept at a time, each of them at most 48 bytes for a connection.
pub(super) const MAX_ORDERS: usize = 24;
/// Who asks within so long after another gets the same list, if it is newer than what he has.
const SHARED: Duration = Duration::from_millis(50);
/// The same, as many times as long as the work of making the list at least.
const SHARED_PER_WORK: u32 = 8;
/// Changes that are taken from the table in one go, so that it can be written between.
const CHUNK: usize = 4_096;

/// The orders that somebody wants.
#[derive(Debug, Default)]
pub(super) struct Rankings(Mutex<Vec<Weak<Ranking>>>);

impl Rankings {
    /// The table in this order; `None` where too many others are wanted.
    pub(super) fn get(&self, board: &Arc<Board>, order: &Order<Connection>) -> Option<Arc<Ranking>> {
        let mut rankings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rankings.retain(|ranking| ranking.strong_count() > 0);
        let mut wanted = rankings.iter().filter_map(Weak::upgrade);
        if let Some(ranking) = wanted.find(|ranking| ranking.order == *order) {
            return Some(ranking);
        }
        if rankings.len() >= MAX_ORDERS {
            return None;
        }
        let ranking = Arc::new(Ranking::new(board, order.clone()));
        rankings.push(Arc::downgrade(&ranking));
        Some(ranking)
    }
}

/// The table in one order.
#[derive(Debug)]
pub(super) struct Ranking {
    order: Order<Connection>,
    newest: Mutex<Newest>,
}

/// The newest list, and where it got to in the table.
#[derive(Debug)]
struct Newest {
    cursor: Cursor,
    list: Arc<List>,
}

/// All connections in an order, as of a revision.
#[derive(Debug)]
pub(super) struct List {
    pub(super) revision: u64,
    /// What happened since is not in it.
    pub(super) made_at: Instant,
    /// Who has this list leaves it at that until then.
    pub(super) rest_until: Instant,
    pub(super) places: Vec<Place>,
}

/// A connection and its place in an order; among equals, the lower id comes first.
#[derive(Clone, Debug)]
pub(super) struct Place {
    key: OrderKey,
    pub(super) connection: Arc<dyn Listed>,
}

impl Ranking {
    fn new(board: &Arc<Board>, order: Order<Connection>) -> Self {
        let newest = Newest {
            cursor: board.cursor_from_start(SnapshotReason::Initial),
            list: List::empty(),
        };
        Self {
            order,
            newest: Mutex::new(newest),
        }
    }

    /// Whether the order may change by the passing of time alone.
    pub(super) fn depends_on_time(&self) -> bool {
        self.order.depends_on_time()
    }

    /// The list as of `revision` or later.
    pub(super) fn list(&self, board: &Board, revision: u64, now: SystemTime) -> Arc<List> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = Instant::now() < newest.list.rest_until;
        let is_newest = newest.list.revision == board.revision() && !self.order.depends_on_time();
        if newest.list.revision < revision || !(is_new || is_newest) {
            newest.update(&self.order, now);
        }
        Arc::clone(&newest.list)
    }
}

impl Newest {
    fn update(&mut self, order: &Order<Connection>, now: SystemTime) {
        let (made_at, work) = (Instant::now(), Work::begun());
        let (changed, removed) = self.changes();
        let place = |connection: Arc<dyn Listed>| Place {
            key: order.key(&connection.connection(), now),
            connection,
        };
        let is_same = |place: &Place| {
            let id = place.connection.id();
            !removed.contains(id) && !changed.contains_key(&id)
        };
        let list = std::mem::replace(&mut self.list, List::empty());
        // Copied only where somebody is still looking at it.
        let old = Arc::try_unwrap(list).map_or_else(|list| list.places.clone(), |list| list.places);
        let mut places: Vec<_> = if order.depends_on_time() {
            let same = old.into_iter().filter(is_same).map(|old| place(old.connection));
            same.collect()
        } else {
            old.into_iter().filter(is_same).collect()
        };
        places.extend(changed.into_values().map(place));
        // What is in order already is found as one run and merged, not sorted again.
        places.sort();
        self.list = Arc::new(List {
            revision: self.cursor.revision(),
            made_at,
            rest_until: Instant::now() + SHARED.max(work.done() * SHARED_PER_WORK),
            places,
        });
    }

    /// What changed since the list was made, by id, and what is no longer listed.
    fn changes(&mut self) -> (ById<Arc<dyn Listed>>, Ids) {
        let (mut changed, mut gone) = (ById::default(), Ids::default());
        while let Some(event) = self.cursor.next(CHUNK) {
            match event {
                Event::Snapshot {
                    first, connections, ..
                } => {
                    if first {
                        // Where removals were forgotten, everything begins anew.
                        self.list = List::empty();
                        changed.clear();
                    }
                    changed.extend(connections.into_iter().map(|each| (each.id(), each)));
                }
                Event::SnapshotEnd { .. } => {}
                Event::Changes {
                    connections,
                    removed,
                    more,
                    ..
                } => {
                    changed.extend(connections.into_iter().map(|each| (each.id(), each)));
                    for id in removed {
                        changed.remove(&id);
                        gone.insert(id);
                    }
                    if !more {
                        break;
                    }
                }
            }
        }
        (changed, gone)
    }
}

impl List {
    /// A list of nothing, which is not new enough for anybody.
    fn empty() -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            revision: 0,
            made_at: now,
            rest_until: now,
            places: Vec::new(),
        })
    }
}

impl Ord for Place {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_id = || self.connection.id().cmp(&other.connection.id());
        self.key.cmp(&other.key).then_with(by_id)
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}
