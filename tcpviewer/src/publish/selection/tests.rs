//! Whatever is applied and however it is read, a reader ends up with exactly the part of the table that it wants.

use std::{
    collections::{BTreeMap, HashSet},
    net::Ipv4Addr,
    time::Duration,
};

use proptest::prelude::*;
use tokio::time::{Instant, advance};

use super::{super::connections::SnapshotReason, *};
use crate::model::{Delta, Half, Removal, sample};

/// Time in which every reader looks again.
const LATER: Duration = Duration::from_secs(1);

fn connection(id: u64, revision: u64, port: u16, rate: u64) -> Arc<Connection> {
    Arc::new(Connection {
        id,
        revision,
        destination: (Ipv4Addr::LOCALHOST, port).into(),
        sent: Half {
            payload_bytes_per_second: rate,
            ..Half::default()
        },
        ..sample::connection()
    })
}

/// A table and the writes to it.
struct Written {
    board: Arc<Board>,
    revision: u64,
}

impl Written {
    fn new() -> Self {
        Self {
            board: Arc::new(Board::new(1)),
            revision: 0,
        }
    }

    fn change(&mut self, id: u64, port: u16, rate: u64) {
        self.revision += 1;
        self.board.apply(Delta {
            changed: vec![connection(id, self.revision, port, rate)],
            ..Delta::default()
        });
    }

    fn remove(&mut self, id: u64) {
        self.revision += 1;
        let removal = Removal {
            id,
            revision: self.revision,
        };
        self.board.apply(Delta {
            removed: vec![removal],
            ..Delta::default()
        });
    }

    fn reader(&self, filter: &str, top: Option<(&str, usize, usize)>) -> Held {
        Held::new(Reader::new(&self.board, selection(filter, top), None).unwrap())
    }
}

/// The order of `top`, how many are passed over, and how many are wanted.
fn selection(filter: &str, top: Option<(&str, usize, usize)>) -> Selection {
    Selection {
        filter: (!filter.is_empty()).then(|| Filter::parse(filter).unwrap()),
        top: top.map(|(order, offset, limit)| Top {
            order: Order::parse(order).unwrap(),
            offset,
            limit,
        }),
    }
}

/// What a client holds: id → revision.
struct Held {
    reader: Reader,
    held: BTreeMap<u64, u64>,
    reasons: Vec<SnapshotReason>,
    ends: Vec<Option<u64>>,
    total: u64,
    /// In their order, where one was asked for.
    order: Vec<u64>,
}

impl Held {
    fn new(reader: Reader) -> Self {
        Self {
            reader,
            held: BTreeMap::new(),
            reasons: Vec::new(),
            ends: Vec::new(),
            total: 0,
            order: Vec::new(),
        }
    }

    /// Asks until there is nothing more.
    fn read(&mut self, limit: usize, now: SystemTime) {
        loop {
            match self.reader.next(limit, now) {
                Step::Done => return,
                Step::Busy => {}
                Step::Event(event) => self.take(event, limit),
            }
        }
    }

    /// The same when the pause after the last look is over.
    async fn read_later(&mut self, limit: usize, now: SystemTime) {
        advance(LATER).await;
        self.read(limit, now);
    }

    fn take(&mut self, event: Event, limit: usize) {
        let (connections, removed) = match event {
            Event::Snapshot {
                first,
                reason,
                connections,
            } => {
                if first {
                    self.held.clear();
                    self.order.clear();
                    self.reasons.push(reason);
                }
                self.order
                    .extend(connections.iter().map(|connection| connection.id()));
                (connections, vec![])
            }
            Event::SnapshotEnd {
                connections, total, ..
            } => {
                self.ends.push(connections);
                self.total = total;
                return;
            }
            Event::Changes {
                connections,
                removed,
                total,
                order,
                more,
                ..
            } => {
                let is_whole = matches!(self.reader.0, Kind::All(_));
                let is_empty = connections.is_empty() && removed.is_empty() && order.is_empty();
                assert!(
                    is_whole || more || !is_empty || total != self.total,
                    "something changed"
                );
                self.total = total;
                if !order.is_empty() {
                    self.order = order;
                }
                (connections, removed)
            }
        };
        assert!(connections.len() <= limit);
        for id in removed {
            let was_held = self.held.remove(&id).is_some();
            assert!(
                was_held || matches!(self.reader.0, Kind::All(_)),
                "only what is held is removed"
            );
        }
        for connection in connections {
            let old = self.held.insert(connection.id(), connection.revision());
            assert!(
                old.is_none_or(|old| old < connection.revision()),
                "never an old form"
            );
        }
    }

    fn ids(&self) -> Vec<u64> {
        self.held.keys().copied().collect()
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[test]
fn what_no_longer_passes_the_filter_is_removed_and_comes_back_when_it_does() {
    let mut table = Written::new();
    table.change(1, 443, 0);
    table.change(2, 80, 0);
    let mut reader = table.reader("port 443", None);

    reader.read(10, at(0));
    assert_eq!((reader.ids(), &reader.ends[..]), (vec![1], &[Some(1)][..]));
    table.change(1, 80, 0);
    table.change(2, 443, 0);
    table.change(3, 443, 0);
    reader.read(10, at(0));
    assert_eq!(reader.ids(), [2, 3]);
    table.change(1, 443, 0);
    table.remove(2);
    reader.read(10, at(0));
    assert_eq!(reader.ids(), [1, 3]);
}

#[tokio::test(start_paused = true)]
async fn the_first_of_an_order_are_kept_and_what_leaves_them_is_removed() {
    let mut table = Written::new();
    for id in 1..=5 {
        table.change(id, 443, id * 100);
    }
    table.change(6, 80, 1_000);
    let mut reader = table.reader("port 443", Some(("rate desc", 0, 2)));

    reader.read(10, at(0));
    assert_eq!((reader.ids(), &reader.ends[..]), (vec![4, 5], &[Some(2)][..]));
    table.change(1, 443, 900);
    reader.read_later(10, at(0)).await;
    assert_eq!(reader.ids(), [1, 5]);
    table.remove(5);
    reader.read_later(10, at(0)).await;
    assert_eq!(reader.ids(), [1, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_an_order_moves_with_it_and_knows_how_many_there_are() {
    let mut table = Written::new();
    for id in 1..=5 {
        table.change(id, 443, id * 100);
    }
    table.change(6, 80, 1_000);
    let mut reader = table.reader("port 443", Some(("rate desc", 1, 3)));

    reader.read(10, at(0));
    assert_eq!((&reader.order[..], reader.total), (&[4, 3, 2][..], 5));
    // The order changes, and not who is in it.
    table.change(2, 443, 350);
    reader.read_later(10, at(0)).await;
    assert_eq!((&reader.order[..], reader.total), (&[4, 2, 3][..], 5));
    // Only the total changes.
    table.change(7, 443, 1);
    reader.read_later(10, at(0)).await;
    assert_eq!((&reader.order[..], reader.total), (&[4, 2, 3][..], 6));
    table.remove(5);
    reader.read_later(1, at(0)).await;
    assert_eq!((&reader.order[..], reader.total), (&[2, 3, 1][..], 5));
    assert_eq!(reader.ids(), [1, 2, 3]);

    let mut beyond = table.reader("port 443", Some(("rate desc", 5, 3)));
    beyond.read(10, at(0));
    assert_eq!((beyond.ids(), beyond.total), (vec![], 5));
}

#[tokio::test(start_paused = true)]
async fn the_table_is_looked_at_no_more_often_than_the_pause_allows() {
    let mut table = Written::new();
    let mut reader = table.reader("", Some(("rate desc", 0, 2)));
    reader.read(10, at(0));

    table.change(1, 443, 1);
    reader.read(10, at(0));
    assert_eq!(reader.ids(), [] as [u64; 0]);
    reader.reader.changed().await;
    reader.read(10, at(0));
    assert_eq!(reader.ids(), [1]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_another_made_is_shown_no_longer_than_ones_own() {
    let mut table = Written::new();
    table.change(1, 443, 1);
    let begun = Instant::now();
    let mut maker = table.reader("", Some(("rate desc", 0, 2)));
    maker.read(10, at(0));

    advance(Duration::from_millis(100)).await;
    let mut sharer = table.reader("", Some(("rate desc", 0, 1)));
    sharer.read(10, at(0));
    table.change(2, 443, 2);
    sharer.reader.changed().await;
    sharer.read(10, at(0));
    assert_eq!(sharer.ids(), [2]);
    let elapsed = begun.elapsed();
    assert!(elapsed < Duration::from_millis(150), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_passing_of_time_alone_brings_and_takes_away() {
    let mut table = Written::new();
    table.change(1, 443, 0);
    let mut reader = table.reader("idle > 5m and idle < 10m", None);

    let mut seen = Vec::new();
    for seconds in [299, 301, 599, 601] {
        reader.read_later(10, at(seconds)).await;
        seen.push(reader.ids());
    }

    assert_eq!(seen, [vec![], vec![1], vec![1], vec![]]);
}

#[tokio::test(start_paused = true)]
async fn what_changes_is_told_at_once_though_the_filter_asks_for_a_time() {
    let mut table = Written::new();
    table.change(1, 443, 0);
    let mut reader = table.reader("port 443 and age > 5s", None);
    reader.read(10, at(9));

    table.change(1, 80, 0);
    table.change(2, 443, 0);
    reader.read(10, at(9));

    assert_eq!(reader.ids(), [2]);
}

#[tokio::test(start_paused = true)]
async fn what_comes_to_pass_by_time_alone_is_there_within_a_look_however_busy_the_table_is() {
    let mut table = Written::new();
    for id in 1..=40 {
        table.change(id, 443, 0);
    }
    let mut reader = table.reader("age > 5s and port != 80", None);
    reader.read(4, at(4));
    assert_eq!(reader.ids(), [] as [u64; 0]);

    // They pass from now on; of what changes meanwhile, some do not.
    advance(LATER).await;
    let mut number = 0;
    for _moment in 0..200 {
        number += 1;
        table.change(1 + number % 20, if number % 3 == 0 { 80 } else { 443 }, number);
        if let Step::Event(event) = reader.reader.next(4, at(6)) {
            reader.take(event, 4);
        }
    }
    reader.read(4, at(6));

    let (all, _) = table.board.page(None, usize::MAX);
    let passing = all
        .iter()
        .filter(|connection| connection.connection().destination.port() != 80);
    let passing: Vec<_> = passing.map(|connection| connection.id()).collect();
    assert!(passing.len() > 30);
    assert_eq!(reader.ids(), passing);
}

#[tokio::test(start_paused = true)]
async fn readers_of_one_order_share_it_and_others_are_refused_beyond_a_limit() {
    let mut table = Written::new();
    table.change(1, 443, 7);
    let of = |order: &str| Order::parse(order).unwrap();
    let first = table.board.ranking(&of("rate desc")).unwrap();

    let same = table.board.ranking(&of("rate DESC")).unwrap();
    let other = table.board.ranking(&of("rate")).unwrap();
    assert!(Arc::ptr_eq(&first, &same));
    assert!(!Arc::ptr_eq(&first, &other));
    let list = first.list(&table.board, 1, at(0));
    assert!(Arc::ptr_eq(&list, &same.list(&table.board, 1, at(0))));

    let fields = ["bytes", "packets", "rate", "retransmissions"];
    let names = fields.map(|field| ["", "sent.", "received."].map(|of| format!("{of}{field}")));
    let orders = names.as_flattened().iter();
    let orders = orders.flat_map(|name| [name.clone(), format!("{name} desc")]);
    let kept: Vec<_> = orders
        .filter_map(|order| table.board.ranking(&of(&order)))
        .collect();
    assert_eq!(kept.len(), MAX_ORDERS);
    let refused = Reader::new(&table.board, selection("", Some(("rtt", 0, 1))), None);
    assert_eq!(refused.unwrap_err(), SelectionError::TooManyOrders);
    drop(kept);
    table.reader("", Some(("rtt", 0, 1)));
}

#[test]
fn a_reader_of_a_part_does_not_resume_and_learns_why() {
    let mut table = Written::new();
    table.change(1, 443, 0);
    let resume = |instance, revision| Some(ResumePoint { instance, revision });
    for (filter, top) in [
        ("port 443", None),
        ("port 443", Some(("rate", 0, 5))),
        ("age > 1s", None),
    ] {
        for (point, reason) in [
            (None, SnapshotReason::Initial),
            (resume(1, 1), SnapshotReason::Selection),
            (resume(2, 9), SnapshotReason::OtherInstance),
        ] {
            let mut reader = Held::new(Reader::new(&table.board, selection(filter, top), point).unwrap());
            reader.read(10, at(100));
            assert_eq!(
                (reader.reasons.as_slice(), reader.ids()),
                (&[reason][..], vec![1])
            );
        }
        let ahead = Reader::new(&table.board, selection(filter, top), resume(1, 2)).unwrap_err();
        assert_eq!(
            ahead,
            SelectionError::Ahead(RevisionAhead { asked: 2, newest: 1 })
        );
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Change { id: u64, port: u16, rate: u64 },
    Remove { id: u64 },
    Read { reader: usize, limit: usize },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..12_u64, 0..3_u16, 0..6_u64).prop_map(|(id, port, rate)| Act::Change { id, port, rate }),
        1 => (0..12_u64).prop_map(|id| Act::Remove { id }),
        3 => (0..4_usize, 1..4_usize).prop_map(|(reader, limit)| Act::Read { reader, limit }),
    ]
}

proptest! {
    #[test]
    fn readers_end_up_with_their_part_of_the_table(acts in prop::collection::vec(act(), 0..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut table = Written::new();
            let wanted = [
                ("", None),
                ("port 1 or 2", None),
                ("not port 0", Some(("rate desc", 1, 3))),
                ("port 1 and age >= 0s", None),
            ];
            let mut readers = wanted.map(|(filter, top)| table.reader(filter, top));
            let mut gone = HashSet::new();
            for act in acts {
                match act {
                    // A connection that is gone does not come back.
                    Act::Change { id, .. } if gone.contains(&id) => {}
                    Act::Change { id, port, rate } => table.change(id, port, rate),
                    Act::Remove { id } => {
                        gone.insert(id);
                        table.remove(id);
                    }
                    Act::Read { reader, limit } => {
                        if let Step::Event(event) = readers[reader].reader.next(limit, at(0)) {
                            readers[reader].take(event, limit);
                        }
                    }
                }
            }
            for reader in &mut readers {
                reader.read_later(2, at(0)).await;
                reader.read_later(2, at(0)).await;
            }

            let (all, _) = table.board.page(None, usize::MAX);
            let part = |wants: &dyn Fn(u16) -> bool| -> Vec<Connection> {
                all.iter().map(|listed| listed.connection().into_owned()).filter(|connection| wants(connection.destination.port())).collect()
            };
            let mut busiest = part(&|port| port != 0);
            busiest.sort_by_key(|connection| (std::cmp::Reverse(connection.sent.payload_bytes_per_second), connection.id));
            let totals = [all.len(), part(&|port| port > 0).len(), busiest.len(), part(&|port| port == 1).len()];
            let busiest: Vec<_> = busiest.into_iter().skip(1).take(3).collect();
            let order: Vec<_> = busiest.iter().map(|connection| connection.id).collect();
            // Nothing is said of an order that became empty.
            assert!(readers[2].order == order || order.is_empty());
            let expected = [part(&|_port| true), part(&|port| port > 0), busiest, part(&|port| port == 1)];
            for ((reader, expected), total) in readers.iter().zip(expected).zip(totals) {
                assert_eq!(reader.total, total as u64);
                let expected = expected.iter().map(|connection| (connection.id, connection.revision));
                assert_eq!(reader.held, expected.collect());
            }
        });
    }
}
