//! Which connections are judged, and when: those that changed as they are published, and those that time alone may
//! change every few seconds. So the work follows activity; a connection that is idle for good costs nothing.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use tokio::time::Instant;

use super::{Table, convert};
use crate::{
    model::{Backlog, Connection},
    verdict::{Facts, Payload},
};

/// Connections that time may change are looked at once in this time.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Table {
    /// The row as it is published, with its verdict of now.
    pub(super) fn judged(&mut self, id: u64) -> Option<Connection> {
        let row = self.rows.get_mut(id)?.moving();
        let mut connection = row.connection(self.clock);
        let payload = convert::payload(&row.record, self.clock);
        if let Some(now) = self.time.now() {
            let facts = facts(&connection, payload, &self.backlogs);
            row.judgement.update(&facts, now);
        }
        connection.verdict = row.judgement.verdict;
        if let Some(now) = self.time.instant()
            && !row.is_to_judge
            && !row.judgement.outlook.is_settled()
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
            let Some(row) = self.rows.get_mut(id) else {
                continue;
            };
            if let Some(time) = self.time.now()
                && row.is_judged_by_looking(time)
            {
                let (connection, payload) = row.look(self.clock);
                let facts = facts(&connection, payload, &self.backlogs);
                if row.judge(&facts, time) {
                    self.changed.mark(row.moving());
                }
            }
            if row.goes_on_waiting() {
                self.to_judge.push_back((now + LOOK_EVERY, id));
            }
        }
    }
}

fn facts<'a>(
    connection: &'a Connection,
    payload: Option<Payload>,
    backlogs: &HashMap<SocketAddr, Backlog>,
) -> Facts<'a> {
    Facts {
        connection,
        payload,
        backlog: backlogs.get(&connection.destination).copied(),
    }
}
