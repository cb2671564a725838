//! The published table and the cursors that read it. In: deltas of the table stage. Out: per cursor a snapshot
//! in parts, its end, then changes, each connection once in its newest form. How often a cursor is asked, and
//! how its events travel, is up to the reader.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use tokio::sync::watch;

use super::{
    ranking::{Ranking, Rankings},
    runs::Runs,
};
use crate::{
    filter::Order,
    model::{Connection, Delta, Listed, Removal, Totals},
};

/// Removals that are remembered for cursors to catch up with.
const REMEMBERED_REMOVALS: usize = 131_072;

/// Removals in one event for each connection that may be in it: an id is that much smaller.
pub(super) const REMOVALS_PER_CONNECTION: usize = 16;

/// The published table: written by one task, read by any number of cursors.
#[derive(Debug)]
pub struct Board {
    instance: u64,
    remembered_removals: usize,
    listed: RwLock<Published>,
    newest: watch::Sender<u64>,
    rankings: Rankings,
}

/// What the lock of a board protects.
#[derive(Debug, Default)]
struct Published {
    by_revision: Runs<Arc<dyn Listed>>,
    revision_of: Runs<u64>,
    /// By rising revision.
    removals: VecDeque<Removal>,
    /// Removals up to this revision may be missing from `removals`.
    forgotten: u64,
    /// The newest revision.
    revision: u64,
    totals: Totals,
}

/// A place in the table's history that a reader got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumePoint {
    /// The daemon's run.
    pub instance: u64,
    /// The last revision that the reader holds.
    pub revision: u64,
}

/// A resume point of this run that lies in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("revision {asked} is ahead of the newest, {newest}")]
pub struct RevisionAhead {
    /// The revision asked for.
    pub asked: u64,
    /// The newest one there is.
    pub newest: u64,
}

impl Board {
    /// An empty table of the run `instance`.
    pub fn new(instance: u64) -> Self {
        Self::with_remembered_removals(instance, REMEMBERED_REMOVALS)
    }

    /// An empty table that remembers this many removals.
    fn with_remembered_removals(instance: u64, remembered_removals: usize) -> Self {
        Self {
            instance,
            remembered_removals,
            listed: RwLock::default(),
            newest: watch::Sender::new(0),
            rankings: Rankings::default(),
        }
    }

    /// Publishes what changed. Each changed connection has a revision of its own, above 0 and above all that
    /// were applied before.
    pub fn apply(&self, delta: Delta) {
        let revision = {
            let mut listed = self.listed.write().unwrap_or_else(PoisonError::into_inner);
            listed.apply(delta, self.remembered_removals);
            listed.revision
        };
        // Readers are woken after the lock is free, and only if there is news.
        self.newest
            .send_if_modified(|newest| std::mem::replace(newest, revision) != revision);
    }

    /// The daemon's run.
    pub fn instance(&self) -> u64 {
        self.instance
    }

    /// The oldest revision that a reader can resume from.
    pub fn oldest_revision(&self) -> u64 {
        self.read().forgotten
    }

    /// The newest revision.
    pub(super) fn revision(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Sums over the table.
    pub fn totals(&self) -> Totals {
        self.read().totals
    }

    /// The connection with this id in its newest form, if it is listed.
    pub fn get(&self, id: u64) -> Option<Arc<dyn Listed>> {
        let listed = self.read();
        listed.by_revision.get(*listed.revision_of.get(id)?).cloned()
    }

    /// All connections, in the order of their revisions.
    pub fn all(&self) -> Vec<Arc<dyn Listed>> {
        self.read()
            .by_revision
            .from(0)
            .map(|(_, connection)| Arc::clone(connection))
            .collect()
    }

    /// At most `limit` connections with ids above `after` (from the first one without it), by rising id, and
    /// whether more follow.
    pub fn page(&self, after: Option<u64>, limit: usize) -> (Vec<Arc<dyn Listed>>, bool) {
        let listed = self.read();
        let mut rest = listed
            .revision_of
            .from(after.map_or(0, |after| after.saturating_add(1)));
        let page = rest
            .by_ref()
            .take(limit)
            .filter_map(|(_, revision)| listed.by_revision.get(*revision).cloned())
            .collect();
        (page, rest.next().is_some())
    }

    /// At most `limit` connections whose newest revision is above `after` and up to `end`, by rising revision.
    pub(super) fn unchanged(&self, after: u64, end: u64, limit: usize) -> Vec<Arc<dyn Listed>> {
        self.read().between(after, end, limit)
    }

    /// All connections in this order; `None` where too many others are wanted.
    pub(super) fn ranking(self: &Arc<Self>, order: &Order<Connection>) -> Option<Arc<Ranking>> {
        self.rankings.get(self, order)
    }

    /// A new reader: from `resume` if that place is still known, else from a snapshot.
    pub fn cursor(self: &Arc<Self>, resume: Option<ResumePoint>) -> Result<Cursor, RevisionAhead> {
        let listed = self.read();
        let place = match resume {
            None => listed.snapshot(SnapshotReason::Initial),
            Some(point) if point.instance != self.instance => listed.snapshot(SnapshotReason::OtherInstance),
            Some(point) if point.revision > listed.revision => {
                return Err(RevisionAhead {
                    asked: point.revision,
                    newest: listed.revision,
                });
            }
            Some(point) if point.revision < listed.forgotten => listed.snapshot(SnapshotReason::RevisionGone),
            Some(point) => Place::SnapshotEnd {
                revision: point.revision,
                connections: None,
            },
        };
        drop(listed);
        Ok(self.cursor_at(place))
    }

    /// A new reader that begins with a snapshot wherever it was before: what it holds of the table is not known.
    pub(super) fn cursor_from_snapshot(
        self: &Arc<Self>,
        resume: Option<ResumePoint>,
    ) -> Result<Cursor, RevisionAhead> {
        self.snapshot_reason(resume)
            .map(|reason| self.cursor_from_start(reason))
    }

    /// A new reader that begins with a snapshot, for this reason.
    pub(super) fn cursor_from_start(self: &Arc<Self>, reason: SnapshotReason) -> Cursor {
        let place = self.read().snapshot(reason);
        self.cursor_at(place)
    }

    /// Why a reader that cannot resume gets a snapshot.
    pub(super) fn snapshot_reason(
        &self,
        resume: Option<ResumePoint>,
    ) -> Result<SnapshotReason, RevisionAhead> {
        let newest = self.read().revision;
        match resume {
            None => Ok(SnapshotReason::Initial),
            Some(point) if point.instance != self.instance => Ok(SnapshotReason::OtherInstance),
            Some(point) if point.revision > newest => Err(RevisionAhead {
                asked: point.revision,
                newest,
            }),
            Some(_) => Ok(SnapshotReason::Selection),
        }
    }

    /// Follows the newest revision.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    fn cursor_at(self: &Arc<Self>, place: Place) -> Cursor {
        Cursor {
            board: Arc::clone(self),
            newest: self.subscribe(),
            place,
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Published> {
        self.listed.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Published {
    fn apply(&mut self, mut delta: Delta, remembered_removals: usize) {
        for connection in delta.changed {
            self.revision = self.revision.max(connection.revision());
            if let Some(old) = self.revision_of.insert(connection.id(), connection.revision()) {
                self.by_revision.remove(old);
            }
            self.by_revision.insert(connection.revision(), connection);
        }
        delta.removed.sort_unstable_by_key(|removal| removal.revision);
        for removal in delta.removed {
            self.revision = self.revision.max(removal.revision);
            // What never was listed needs no removal: no reader can hold it.
            let Some(old) = self.revision_of.remove(removal.id) else {
                continue;
            };
            self.by_revision.remove(old);
            // Made room for first: one more than the limit would double the memory.
            if self.removals.len() >= remembered_removals
                && let Some(oldest) = self.removals.pop_front()
            {
                self.forgotten = oldest.revision;
            }
            self.removals.push_back(removal);
        }
        self.totals = delta.totals;
    }

    /// At most `limit` connections with a revision above `after` and up to `end`, by rising revision.
    fn between(&self, after: u64, end: u64, limit: usize) -> Vec<Arc<dyn Listed>> {
        self.by_revision
            .from(after.saturating_add(1))
            .take_while(|(revision, _)| *revision <= end)
            .take(limit)
            .map(|(_, connection)| Arc::clone(connection))
            .collect()
    }

    /// How many connections there are.
    fn total(&self) -> u64 {
        self.revision_of.len() as u64
    }

    fn snapshot(&self, reason: SnapshotReason) -> Place {
        Place::Snapshot(Walk {
            reason,
            first: true,
            sent: 0,
            reached: 0,
            end: self.revision,
        })
    }
}

/// Why a snapshot is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotReason {
    /// The reader has no resume point.
    Initial,
    /// The resume point belongs to another run of the daemon.
    OtherInstance,
    /// Removals since the resume point are no longer known.
    RevisionGone,
    /// The reader wants a part of the table, and what it holds of that is not known.
    Selection,
}

/// What a cursor yields.
#[derive(Clone, Debug)]
pub enum Event {
    /// A part of the table. The first part replaces everything the reader holds.
    Snapshot {
        /// Whether this is the first part.
        first: bool,
        /// Why the snapshot is sent.
        reason: SnapshotReason,
        /// Connections, by rising revision.
        connections: Vec<Arc<dyn Listed>>,
    },
    /// All that was unchanged since this revision was sent; what changed meanwhile follows.
    SnapshotEnd {
        /// The revision.
        revision: u64,
        /// How many connections the snapshot had; `None` when the reader resumed.
        connections: Option<u64>,
        /// How many connections there are of what the reader wants, limit and offset aside.
        total: u64,
    },
    /// What changed.
    Changes {
        /// The reader's state is that of this revision once the event is applied.
        revision: u64,
        /// New and changed connections in their newest form.
        connections: Vec<Arc<dyn Listed>>,
        /// Ids of connections that are no longer listed.
        removed: Vec<u64>,
        /// How many connections there are of what the reader wants, limit and offset aside.
        total: u64,
        /// With a limit: the ids of all that the reader holds after this event, in their order. Empty where that
        /// did not change, and while more is waiting.
        order: Vec<u64>,
        /// Whether the limit cut the event short, so that more is waiting.
        more: bool,
    },
}

/// A reader's place in the table.
#[derive(Debug)]
pub struct Cursor {
    board: Arc<Board>,
    newest: watch::Receiver<u64>,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Snapshot(Walk),
    SnapshotEnd { revision: u64, connections: Option<u64> },
    Live { revision: u64 },
}

/// A snapshot on its way: the connections by revision. What changes meanwhile moves beyond the end of the walk
/// and comes later as a change.
#[derive(Clone, Copy, Debug)]
struct Walk {
    reason: SnapshotReason,
    first: bool,
    sent: u64,
    /// Exclusive.
    reached: u64,
    /// Inclusive.
    end: u64,
}

impl Cursor {
    /// The next event with at most `limit` connections (at least 1), or `None` when the reader has everything.
    pub fn next(&mut self, limit: usize) -> Option<Event> {
        let limit = limit.max(1);
        let listed = self.board.read();
        if let Place::Live { revision } = self.place
            && revision < listed.forgotten
        {
            self.place = listed.snapshot(SnapshotReason::RevisionGone);
        }
        let (event, place) = match self.place {
            Place::Snapshot(walk) => listed.snapshot_part(walk, limit),
            Place::SnapshotEnd {
                revision,
                connections,
            } => (
                Event::SnapshotEnd {
                    revision,
                    connections,
                    total: listed.total(),
                },
                Place::Live { revision },
            ),
            Place::Live { revision } if revision == listed.revision => return None,
            Place::Live { revision } => listed.changes(revision, limit),
        };
        drop(listed);
        self.place = place;
        Some(event)
    }

    /// Waits until there may be something for [`Cursor::next`].
    pub async fn changed(&mut self) {
        let Place::Live { revision } = self.place else {
            return;
        };
        // It fails only when the board is gone, and this cursor holds the board.
        self.newest.wait_for(|newest| *newest > revision).await.ok();
    }

    /// The revision that the reader holds; `None` before the end of its snapshot.
    pub(super) fn live(&self) -> Option<u64> {
        match self.place {
            Place::Live { revision } => Some(revision),
            Place::Snapshot(_) | Place::SnapshotEnd { .. } => None,
        }
    }

    /// The revision that the reader holds, or will hold at the end of its snapshot.
    pub fn revision(&self) -> u64 {
        match self.place {
            Place::Snapshot(walk) => walk.end,
            Place::SnapshotEnd { revision, .. } | Place::Live { revision } => revision,
        }
    }
}

impl Published {
    fn snapshot_part(&self, mut walk: Walk, limit: usize) -> (Event, Place) {
        let connections = self.between(walk.reached, walk.end, limit);
        let complete = connections.len() < limit;
        let first = std::mem::replace(&mut walk.first, false);
        walk.sent += connections.len() as u64;
        walk.reached = connections
            .last()
            .map_or(walk.end, |connection| connection.revision());
        let place = if complete {
            Place::SnapshotEnd {
                revision: walk.end,
                connections: Some(walk.sent),
            }
        } else {
            Place::Snapshot(walk)
        };
        (
            Event::Snapshot {
                first,
                reason: walk.reason,
                connections,
            },
            place,
        )
    }

    fn changes(&self, since: u64, limit: usize) -> (Event, Place) {
        // Where the limit of removals cuts, the connections are cut as well. Removals of one revision stay
        // together, as the reader continues after a revision.
        let start = self.removals.partition_point(|removal| removal.revision <= since);
        let last = start + limit * REMOVALS_PER_CONNECTION - 1;
        let mut reached = self
            .removals
            .get(last)
            .map_or(self.revision, |removal| removal.revision);
        let connections = self.between(since, reached, limit);
        if let Some(last) = connections.last()
            && connections.len() == limit
        {
            reached = last.revision();
        }
        let removed = self.removals.range(start..);
        let removed = removed
            .take_while(|removal| removal.revision <= reached)
            .map(|removal| removal.id);
        let event = Event::Changes {
            revision: reached,
            connections,
            removed: removed.collect(),
            total: self.total(),
            order: Vec::new(),
            more: reached < self.revision,
        };
        (event, Place::Live { revision: reached })
    }
}

#[cfg(test)]
mod tests;
