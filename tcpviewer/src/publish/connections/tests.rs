//! Whatever is applied and however it is read, a reader ends up with exactly the board's table.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};

use super::*;
use crate::model::sample;

fn connection(id: u64, revision: u64) -> Arc<dyn Listed> {
    let end = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
    Arc::new(Connection {
        id,
        revision,
        source: end,
        destination: end,
        ..sample::connection()
    })
}

fn changed(connections: impl IntoIterator<Item = (u64, u64)>) -> Delta {
    let changed = connections
        .into_iter()
        .map(|(id, revision)| connection(id, revision))
        .collect();
    Delta {
        changed,
        ..Delta::default()
    }
}

fn removed(removals: impl IntoIterator<Item = (u64, u64)>) -> Delta {
    let removed = removals
        .into_iter()
        .map(|(id, revision)| Removal { id, revision })
        .collect();
    Delta {
        removed,
        ..Delta::default()
    }
}

/// What a client holds: id → revision.
#[derive(Debug, Default)]
struct Reader {
    held: BTreeMap<u64, u64>,
    resume: Option<ResumePoint>,
    reasons: Vec<SnapshotReason>,
}

impl Reader {
    fn take(&mut self, event: Event, instance: u64) {
        match event {
            Event::Snapshot {
                first,
                reason,
                connections,
            } => {
                if first {
                    self.held.clear();
                    self.resume = None;
                    self.reasons.push(reason);
                }
                self.hold(&connections);
            }
            Event::SnapshotEnd {
                revision,
                connections,
                ..
            } => {
                assert!(connections.is_none_or(|count| count == self.held.len() as u64));
                self.resume = Some(ResumePoint { instance, revision });
            }
            Event::Changes {
                revision,
                connections,
                removed,
                ..
            } => {
                assert!(
                    self.resume.is_some_and(|point| point.revision < revision),
                    "changes lead forward"
                );
                self.hold(&connections);
                for id in removed {
                    self.held.remove(&id);
                }
                self.resume = Some(ResumePoint { instance, revision });
            }
        }
    }

    fn hold(&mut self, connections: &[Arc<dyn Listed>]) {
        for connection in connections {
            let old = self.held.insert(connection.id(), connection.revision());
            assert!(
                old.is_none_or(|old| old < connection.revision()),
                "never an old form after a newer one"
            );
        }
    }

    fn read_all(&mut self, cursor: &mut Cursor, limit: usize) {
        while let Some(event) = cursor.next(limit) {
            self.take(event, cursor.board.instance);
        }
    }
}

fn table(board: &Board) -> BTreeMap<u64, u64> {
    let listed = board.read();
    let revisions = listed.revision_of.from(0);
    revisions.map(|(id, revision)| (id, *revision)).collect()
}

#[test]
fn a_snapshot_comes_in_parts_and_a_change_meanwhile_comes_last() {
    let board = Arc::new(Board::new(1));
    board.apply(changed((1..=5).map(|id| (id, id))));
    let mut cursor = board.cursor(None).unwrap();
    let ids = |connections: &[Arc<dyn Listed>]| connections.iter().map(|each| each.id()).collect::<Vec<_>>();

    let Some(Event::Snapshot {
        first: true,
        reason: SnapshotReason::Initial,
        connections,
    }) = cursor.next(2)
    else {
        panic!("the first part");
    };
    assert_eq!(ids(&connections), [1, 2]);
    board.apply(changed([(1, 6), (4, 7), (9, 8)]));
    board.apply(removed([(2, 9), (5, 10)]));
    let Some(Event::Snapshot {
        first: false,
        connections,
        ..
    }) = cursor.next(2)
    else {
        panic!("the second part")
    };
    assert_eq!(ids(&connections), [3]);
    let Some(Event::SnapshotEnd {
        revision: 5,
        connections: Some(3),
        total: 4,
    }) = cursor.next(2)
    else {
        panic!("the end")
    };
    let Some(Event::Changes {
        revision: 10,
        connections,
        removed,
        more: false,
        ..
    }) = cursor.next(100)
    else {
        panic!("the changes");
    };
    assert_eq!((ids(&connections), removed), (vec![1, 4, 9], vec![2, 5]));
    assert!(cursor.next(2).is_none());
}

#[test]
fn an_empty_table_is_a_snapshot_too() {
    let board = Arc::new(Board::new(1));
    let mut cursor = board.cursor(None).unwrap();

    assert!(matches!(
        cursor.next(2),
        Some(Event::Snapshot { first: true, .. })
    ));
    assert!(matches!(
        cursor.next(2),
        Some(Event::SnapshotEnd {
            revision: 0,
            connections: Some(0),
            total: 0
        })
    ));
    assert!(cursor.next(2).is_none());
}

#[test]
fn a_reader_resumes_where_it_was_or_learns_why_it_cannot() {
    let board = Arc::new(Board::with_remembered_removals(1, 2));
    board.apply(changed((1..=5).map(|id| (id, id))));
    let first_event = |instance, revision| {
        board
            .cursor(Some(ResumePoint { instance, revision }))
            .map(|mut cursor| cursor.next(100))
    };

    assert!(matches!(
        first_event(1, 3),
        Ok(Some(Event::SnapshotEnd {
            revision: 3,
            connections: None,
            ..
        }))
    ));
    assert!(matches!(
        first_event(2, 900),
        Ok(Some(Event::Snapshot {
            first: true,
            reason: SnapshotReason::OtherInstance,
            ..
        }))
    ));
    assert!(matches!(
        first_event(1, 6),
        Err(RevisionAhead { asked: 6, newest: 5 })
    ));
    board.apply(removed([(1, 6), (2, 7), (3, 8)]));
    assert!(matches!(
        first_event(1, 5),
        Ok(Some(Event::Snapshot {
            first: true,
            reason: SnapshotReason::RevisionGone,
            ..
        }))
    ));
    assert!(matches!(
        first_event(1, 6),
        Ok(Some(Event::SnapshotEnd {
            revision: 6,
            connections: None,
            ..
        }))
    ));
}

#[test]
fn a_reader_that_falls_too_far_behind_gets_a_new_snapshot() {
    let board = Arc::new(Board::with_remembered_removals(1, 2));
    board.apply(changed((1..=5).map(|id| (id, id))));
    let mut cursor = board.cursor(None).unwrap();
    let mut reader = Reader::default();
    reader.read_all(&mut cursor, 10);

    board.apply(removed([(1, 6), (2, 7), (3, 8)]));
    reader.read_all(&mut cursor, 10);

    assert_eq!(
        reader.reasons,
        [SnapshotReason::Initial, SnapshotReason::RevisionGone]
    );
    assert_eq!(reader.held, table(&board));
}

#[test]
fn removals_of_one_revision_stay_together_whatever_the_limit() {
    let board = Arc::new(Board::new(1));
    board.apply(changed((1..=100).map(|id| (id, id))));
    let mut cursor = board.cursor(None).unwrap();
    let mut reader = Reader::default();
    reader.read_all(&mut cursor, 10);

    board.apply(removed((1..=90).map(|id| (id, 101))));
    reader.read_all(&mut cursor, 1);

    assert_eq!(reader.held, table(&board));
    assert_eq!(reader.held.len(), 10);
}

#[test]
fn what_was_never_listed_is_not_removed_and_pages_go_by_id() {
    let board = Arc::new(Board::new(1));
    board.apply(changed([(7, 1), (3, 2), (5, 3)]));
    board.apply(removed([(4, 4)]));
    let ids = |(page, more): (Vec<Arc<dyn Listed>>, bool)| {
        (page.iter().map(|each| each.id()).collect::<Vec<_>>(), more)
    };

    assert!(board.read().removals.is_empty());
    assert_eq!(ids(board.page(None, 2)), (vec![3, 5], true));
    assert_eq!(ids(board.page(Some(5), 2)), (vec![7], false));
    assert_eq!(ids(board.page(Some(7), 2)), (vec![], false));
    assert_eq!(board.get(5).map(|connection| connection.revision()), Some(3));
    assert!(board.get(4).is_none());
}

#[tokio::test]
async fn a_reader_that_has_everything_is_woken_by_the_next_change() {
    let board = Arc::new(Board::new(1));
    let mut cursor = board.cursor(None).unwrap();
    Reader::default().read_all(&mut cursor, 10);

    let writer = Arc::clone(&board);
    let ((), ()) = tokio::join!(cursor.changed(), async move {
        tokio::task::yield_now().await;
        writer.apply(changed([(1, 1)]));
    });

    assert!(matches!(
        cursor.next(10),
        Some(Event::Changes { revision: 1, .. })
    ));
}

/// xorshift64*: the same steps for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

#[test]
fn readers_end_up_with_the_table_after_any_order_of_writes_reads_and_reconnects() {
    for seed in 1..=40 {
        let mut random = Random(seed);
        // Small enough that readers fall out of it.
        let board = Arc::new(Board::with_remembered_removals(seed, 12));
        let mut revision = 0;
        let mut next_id = 0;
        let mut readers: Vec<_> = (0..4)
            .map(|_| (Reader::default(), board.cursor(None).unwrap()))
            .collect();
        for _step in 0..3_000 {
            match random.below(10) {
                0..4 => {
                    let mut delta = Delta::default();
                    for _change in 0..random.below(6) {
                        revision += 1;
                        let listed = table(&board);
                        match random.below(3) {
                            0 => {
                                next_id += 1;
                                delta.changed.push(connection(next_id, revision));
                            }
                            1 if !listed.is_empty() => {
                                let nth = random.below(listed.len() as u64) as usize;
                                let id = *listed.keys().nth(nth).unwrap();
                                delta.changed.push(connection(id, revision));
                            }
                            _ if !listed.is_empty() => {
                                let nth = random.below(listed.len() as u64) as usize;
                                let id = *listed.keys().nth(nth).unwrap();
                                // A connection that was removed in this delta does not come back.
                                delta.changed.retain(|changed| changed.id() != id);
                                delta.removed.push(Removal { id, revision });
                            }
                            _ => {}
                        }
                    }
                    let gone: Vec<_> = delta.removed.iter().map(|removal| removal.id).collect();
                    delta.changed.retain(|changed| !gone.contains(&changed.id()));
                    board.apply(delta);
                }
                4..9 => {
                    let chosen = random.below(readers.len() as u64) as usize;
                    let limit = 1 + random.below(7) as usize;
                    let (reader, cursor) = &mut readers[chosen];
                    if let Some(event) = cursor.next(limit) {
                        reader.take(event, seed);
                    }
                }
                _ => {
                    let chosen = random.below(readers.len() as u64) as usize;
                    let (reader, cursor) = &mut readers[chosen];
                    *cursor = board.cursor(reader.resume).unwrap();
                }
            }
        }
        for (reader, cursor) in &mut readers {
            reader.read_all(cursor, 5);
            assert_eq!(reader.held, table(&board), "seed {seed}");
        }
    }
}
