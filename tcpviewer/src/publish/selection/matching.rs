//! A reader of what passes a filter. It sees each change once. Where the passing of time alone may decide, it also looks
//! once a second at what has not changed since.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::{
    select,
    time::{Instant, sleep_until},
};

use super::{
    super::connections::{Board, Cursor, Event, ResumePoint, RevisionAhead},
    Step,
};
use crate::{
    filter::Filter,
    model::{Connection, Ids, Listed, Work},
};

/// Connections that are looked at in one go, before others get their turn: with the worst filter some 50 ms.
const CHUNK: usize = 512;
/// Time between two looks at what did not change.
const PAUSE: Duration = Duration::from_secs(1);
/// After a look, the pause is this many times as long as its work at least.
const PAUSE_PER_WORK: u32 = 20;

/// A reader of what passes a filter.
#[derive(Debug)]
pub(super) struct Matching {
    board: Arc<Board>,
    cursor: Cursor,
    filter: Filter<Connection>,
    /// Ids that the reader was sent.
    held: Ids,
    /// `None` where only changes decide.
    look: Option<Look>,
}

/// The look at what did not change, and the pause after it.
#[derive(Debug)]
struct Look {
    /// Revisions that were looked at.
    reached: u64,
    /// The last one to look at; what is newer comes by the cursor.
    end: u64,
    /// Work that it took so far.
    worked: Duration,
    /// No look before.
    rest_until: Instant,
}

impl Matching {
    /// A reader that begins with a snapshot.
    pub(super) fn new(
        board: &Arc<Board>,
        filter: Filter<Connection>,
        resume: Option<ResumePoint>,
    ) -> Result<Self, RevisionAhead> {
        let look = filter.depends_on_time().then(|| Look {
            reached: 0,
            end: 0,
            worked: Duration::ZERO,
            rest_until: Instant::now() + PAUSE,
        });
        Ok(Self {
            board: Arc::clone(board),
            cursor: board.cursor_from_snapshot(resume)?,
            filter,
            held: Ids::default(),
            look,
        })
    }

    pub(super) fn revision(&self) -> u64 {
        self.cursor.revision()
    }

    /// Waits until there may be something for [`Matching::next`].
    pub(super) async fn changed(&mut self) {
        match &self.look {
            None => self.cursor.changed().await,
            Some(look) => select! {
                () = self.cursor.changed() => {}
                () = sleep_until(look.rest_until) => {}
            },
        }
    }

    pub(super) fn next(&mut self, limit: usize, now: SystemTime) -> Step {
        if let Some(step) = self.look(limit, now) {
            return step;
        }
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
                connections.retain(|connection| self.filter.admits(&**connection, now));
                self.held
                    .extend(connections.iter().map(|connection| connection.id()));
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
                connections: Some(self.held.len()),
                total: self.held.len(),
            },
            Some(Event::Changes {
                revision,
                connections,
                mut removed,
                order: _,
                more,
                total: _,
            }) => {
                removed.retain(|id| self.held.remove(*id));
                return self.changes(revision, connections, removed, more, now);
            }
        };
        Step::Event(event)
    }

    /// The next part of a look, if it is time for one and the reader has a snapshot.
    fn look(&mut self, limit: usize, now: SystemTime) -> Option<Step> {
        let look = self.look.as_mut()?;
        let revision = self.cursor.live()?;
        if look.reached == look.end {
            if Instant::now() < look.rest_until {
                return None;
            }
            (look.reached, look.end, look.worked) = (0, revision, Duration::ZERO);
        }
        let work = Work::begun();
        let limit = limit.min(CHUNK);
        let mut connections = self.board.unchanged(look.reached, look.end, limit);
        look.reached = match connections.last() {
            Some(last) if connections.len() == limit => last.revision(),
            Some(_) | None => look.end,
        };
        let is_over = look.reached == look.end;
        // Who stays is not told again, only who comes or goes.
        connections.retain(|connection| {
            self.held.contains(connection.id()) != self.filter.admits(&**connection, now)
        });
        look.worked += work.done();
        if is_over {
            look.rest_until = Instant::now() + PAUSE.max(look.worked * PAUSE_PER_WORK);
        }
        Some(self.changes(revision, connections, Vec::new(), !is_over, now))
    }

    /// What these connections are to the reader.
    fn changes(
        &mut self,
        revision: u64,
        mut connections: Vec<Arc<dyn Listed>>,
        mut removed: Vec<u64>,
        more: bool,
        now: SystemTime,
    ) -> Step {
        connections.retain(|connection| {
            if self.filter.admits(&**connection, now) {
                self.held.insert(connection.id());
                return true;
            }
            if self.held.remove(connection.id()) {
                removed.push(connection.id());
            }
            false
        });
        if connections.is_empty() && removed.is_empty() {
            return Step::Busy;
        }
        Step::Event(Event::Changes {
            revision,
            connections,
            removed,
            total: self.held.len(),
            order: Vec::new(),
            more,
        })
    }
}
