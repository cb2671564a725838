//! Which connections are judged, and when: those that changed as they are published, and those that time alone may
//! change every few seconds. So the work follows activity; an idle connection costs nothing.

use std::time::Duration;

use tokio::time::Instant;

use super::{Row, Table, convert};
use crate::{model::Connection, verdict::Facts};

/// Connections that time may change are looked at once in this time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Table {
    /// The row as it is published, with its verdict of now.
    pub(super) fn judged(&mut self, id: u64) -> Option<Connection> {
        let (connection, _changed) = self.judge(id)?;
        if let Some(now) = self.time.instant()
            && let Some(row) = self.rows.get_mut(&id)
            && !row.is_to_judge
            && !row.judgement.is_settled()
        {
            row.is_to_judge = true;
            self.to_judge.push_back((now + LOOK_EVERY, id));
        }
        Some(connection)
    }

    /// Judges those whose turn it is. One whose verdict is another one then is published.
    pub(super) fn judge_due(&mut self, now: Instant) {
        while let Some(&(due, id)) = self.to_judge.front()
            && due <= now
        {
            self.to_judge.pop_front();
            if self.is_judged_by_looking(id) && self.judge(id).is_some_and(|(_connection, changed)| changed) {
                self.changed.insert(id);
            }
            if let Some(row) = self.rows.get_mut(&id) {
                row.is_to_judge = !row.judgement.is_settled();
                if row.is_to_judge {
                    self.to_judge.push_back((now + LOOK_EVERY, id));
                }
            }
        }
    }

    /// Whether a look may show something: one that changed is judged as it is published, and that may have been a
    /// moment ago.
    fn is_judged_by_looking(&self, id: u64) -> bool {
        let row = self.rows.get(&id);
        let is_settled_for_now = |row: &Row| {
            let now = self.time.now();
            now.is_none_or(|now| row.judgement.holds(now))
        };
        !self.changed.contains(&id) && row.is_some_and(|row| !is_settled_for_now(row))
    }

    /// The row with its verdict, and whether that is another one than before.
    fn judge(&mut self, id: u64) -> Option<(Connection, bool)> {
        let row = self.rows.get_mut(&id)?;
        let record = row.record.record();
        let mut connection = convert::connection(row, &record, self.clock);
        let facts = Facts {
            connection: &connection,
            payload: convert::payload(&record, self.clock),
            backlog: self.backlogs.get(&connection.destination).copied(),
        };
        let changed = self
            .time
            .now()
            .is_some_and(|now| row.judgement.update(&facts, now));
        connection.verdict = row.judgement.verdict();
        Some((connection, changed))
    }
}
