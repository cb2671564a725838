//! What a watching client holds of the daemon's table. In: the messages of `WatchConnections`, over any number
//! of streams. Out: what is new to the user, and where the next stream can resume.

use std::collections::{HashMap, HashSet};

use crate::proto::{
    Connection, ResumePoint, SnapshotReason, WatchConnectionsResponse, watch_connections_response::Event,
};

/// The ids and revisions that the client holds.
#[derive(Debug, Default)]
pub(super) struct Mirror {
    revisions: HashMap<u64, u64>,
    /// Ids from before the newest snapshot that it has not named: they are gone, unless they changed while it
    /// was sent and so come with the first changes.
    missing: HashSet<u64>,
    resume: Option<ResumePoint>,
}

/// What a message changes for the user.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Update {
    /// Ids of connections that are gone; they go first.
    pub(super) removed: Vec<u64>,
    /// New and changed connections.
    pub(super) changed: Vec<Connection>,
}

impl Mirror {
    /// Where to resume; `None` before the first table was complete.
    pub(super) fn resume(&self) -> Option<ResumePoint> {
        self.resume
    }

    /// Takes in a message.
    pub(super) fn apply(&mut self, message: WatchConnectionsResponse) -> Update {
        let mut update = Update::default();
        match message.event {
            Some(Event::Snapshot(snapshot)) => {
                if snapshot.first {
                    update.removed = self.begin(snapshot.reason());
                }
                self.change(snapshot.connections, &mut update);
            }
            Some(Event::SnapshotEnd(end)) => {
                self.resume = Some(ResumePoint {
                    instance: end.instance,
                    revision: end.revision,
                });
            }
            Some(Event::Changes(changes)) => {
                self.resume = Some(ResumePoint {
                    instance: changes.instance,
                    revision: changes.revision,
                });
                self.remove(changes.removed, &mut update);
                self.change(changes.connections, &mut update);
                let missing = std::mem::take(&mut self.missing);
                self.remove(missing, &mut update);
            }
            Some(Event::Heartbeat(heartbeat)) => {
                self.resume = Some(ResumePoint {
                    instance: heartbeat.instance,
                    revision: heartbeat.revision,
                });
            }
            None => {}
        }
        update
    }

    /// A snapshot begins. Within one run of the daemon ids stay what they are; of another run they say nothing.
    fn begin(&mut self, reason: SnapshotReason) -> Vec<u64> {
        if [SnapshotReason::RevisionGone, SnapshotReason::Selection].contains(&reason) {
            self.missing = self.revisions.keys().copied().collect();
            return Vec::new();
        }
        self.missing.clear();
        self.revisions.drain().map(|(id, _revision)| id).collect()
    }

    fn change(&mut self, connections: Vec<Connection>, update: &mut Update) {
        for connection in connections {
            self.missing.remove(&connection.id);
            if self.revisions.insert(connection.id, connection.revision) != Some(connection.revision) {
                update.changed.push(connection);
            }
        }
    }

    fn remove(&mut self, ids: impl IntoIterator<Item = u64>, update: &mut Update) {
        update
            .removed
            .extend(ids.into_iter().filter(|id| self.revisions.remove(id).is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Changes, Snapshot, SnapshotEnd};

    fn connection(id: u64, revision: u64) -> Connection {
        Connection {
            id,
            revision,
            ..Default::default()
        }
    }

    fn snapshot(reason: SnapshotReason, connections: Vec<Connection>) -> Event {
        Event::Snapshot(Snapshot {
            first: true,
            reason: reason.into(),
            connections,
        })
    }

    fn changes(revision: u64, connections: Vec<Connection>, removed: Vec<u64>) -> Event {
        Event::Changes(Changes {
            instance: 1,
            revision,
            connections,
            removed,
            ..Changes::default()
        })
    }

    fn apply(mirror: &mut Mirror, event: Event) -> (Vec<u64>, Vec<u64>) {
        let mut update = mirror.apply(WatchConnectionsResponse { event: Some(event) });
        update.removed.sort_unstable();
        (
            update.changed.iter().map(|connection| connection.id).collect(),
            update.removed,
        )
    }

    #[test]
    fn a_snapshot_after_a_gap_or_of_a_part_tells_only_what_differs() {
        for reason in [SnapshotReason::RevisionGone, SnapshotReason::Selection] {
            tells_only_what_differs(reason);
        }
    }

    fn tells_only_what_differs(reason: SnapshotReason) {
        let mut mirror = Mirror::default();
        apply(
            &mut mirror,
            snapshot(
                SnapshotReason::Initial,
                (1..=4).map(|id| connection(id, id)).collect(),
            ),
        );
        apply(
            &mut mirror,
            Event::SnapshotEnd(SnapshotEnd {
                instance: 1,
                revision: 4,
                connections: Some(4),
                ..SnapshotEnd::default()
            }),
        );

        let again = vec![connection(1, 1), connection(2, 7), connection(5, 8)];
        assert_eq!(apply(&mut mirror, snapshot(reason, again)), (vec![2, 5], vec![]));
        assert_eq!(
            apply(&mut mirror, changes(9, vec![connection(4, 9)], vec![])),
            (vec![4], vec![3])
        );
        assert_eq!(
            mirror.resume(),
            Some(ResumePoint {
                instance: 1,
                revision: 9
            })
        );
    }

    #[test]
    fn a_restarted_daemon_takes_all_old_connections_away() {
        let mut mirror = Mirror::default();
        apply(
            &mut mirror,
            snapshot(SnapshotReason::Initial, vec![connection(1, 1), connection(2, 2)]),
        );

        let outcome = apply(
            &mut mirror,
            snapshot(SnapshotReason::OtherInstance, vec![connection(1, 1)]),
        );

        assert_eq!(outcome, (vec![1], vec![1, 2]));
    }

    #[test]
    fn a_removal_of_what_was_never_sent_says_nothing() {
        let mut mirror = Mirror::default();

        assert_eq!(apply(&mut mirror, changes(3, vec![], vec![17])), (vec![], vec![]));
    }
}
