//! Histories of connections that the tests make up.

use std::time::{Duration, SystemTime};

use super::*;
use crate::model::{Connection, Half, Listed, NotablePackets, Removal, sample};

const INTERVAL: Duration = Duration::from_millis(250);

fn at(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
}

/// A connection first seen at second 1, with so many bytes and packets sent by this millisecond.
fn connection(id: u64, milliseconds: u64, payload_bytes: u64, packets: u64) -> Arc<Connection> {
    Arc::new(Connection {
        id,
        revision: milliseconds,
        sent: Half {
            payload_bytes,
            packets,
            ..Half::default()
        },
        first_seen: at(1_000),
        last_seen: at(milliseconds),
        ..sample::connection()
    })
}

fn changed(connections: impl IntoIterator<Item = Arc<Connection>>) -> Delta {
    Delta {
        changed: connections
            .into_iter()
            .map(|connection| connection as Arc<dyn Listed>)
            .collect(),
        ..Delta::default()
    }
}

fn packet(seq: u32, handshake: bool) -> NotablePacket {
    NotablePacket {
        timestamp: at(1_000 + u64::from(seq)),
        from_source: true,
        handshake,
        retransmission: !handshake,
        zero_window: false,
        flags: 16,
        window: 1,
        seq,
        ack: 0,
        payload_bytes: 0,
    }
}

/// Connection 1 after so many packets worth remembering, the last of which these are.
fn notable(seen: u32, packets: Vec<NotablePacket>) -> Delta {
    let connection = Connection {
        notable_packets: seen,
        ..Arc::unwrap_or_clone(connection(1, 1_250, 0, 1))
    };
    Delta {
        notable: vec![NotablePackets {
            connection_id: 1,
            packets,
        }],
        ..changed([Arc::new(connection)])
    }
}

fn history() -> Arc<History> {
    Arc::new(History::new(INTERVAL))
}

fn watch(history: &Arc<History>, id: u64) -> Result<Watcher, WatchError> {
    history.watch(&connection(id, 0, 0, 0))
}

/// Milliseconds and bytes per second of each point.
fn rates(news: &News) -> Vec<(u64, u64)> {
    let rate = |point: &Point| {
        let since = point.at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        (since.as_millis() as u64, point.sent.payload_bytes_per_second)
    };
    news.points.iter().map(rate).collect()
}

#[test]
fn a_watcher_gets_what_is_at_hand_and_then_every_change() {
    let history = history();
    history.apply(&changed([connection(1, 1_250, 100, 1)]));
    history.apply(&changed([connection(1, 2_250, 1_100, 2)]));
    let mut watcher = watch(&history, 1).unwrap();

    assert_eq!(rates(&watcher.news().unwrap()), [(1_250, 400), (2_250, 1_000)]);
    assert_eq!(watcher.news(), Some(News::default()));
    history.apply(&changed([connection(1, 2_500, 1_200, 3)]));
    history.apply(&changed([connection(1, 2_510, 1_300, 4)]));
    // What comes sooner than the interval is spread over it.
    assert_eq!(rates(&watcher.news().unwrap()), [(2_500, 400), (2_510, 400)]);
    // A change without packets says that it went quiet.
    history.apply(&changed([connection(1, 2_510, 1_300, 4)]));
    assert_eq!(rates(&watcher.news().unwrap()), [(2_760, 0)]);

    // The same of one that ended, which is told by itself.
    history.apply(&Delta {
        quiet: vec![1, 2],
        ..Delta::default()
    });
    assert_eq!(rates(&watcher.news().unwrap()), [(3_010, 0)]);

    let removal = Removal { id: 1, revision: 9 };
    history.apply(&Delta {
        removed: vec![removal],
        ..Delta::default()
    });
    assert_eq!(watcher.news(), None);
    assert_eq!(watch(&history, 1).unwrap_err(), WatchError::NotListed(1));
}

#[test]
fn the_whole_life_is_covered_at_a_resolution_that_fits() {
    let history = history();
    // An hour at a steady 1,000 bytes per second.
    for step in 1..=14_400 {
        history.apply(&changed([connection(1, 1_000 + step * 250, step * 250, step)]));
    }

    let points = rates(&watch(&history, 1).unwrap().news().unwrap());

    assert!((32..=65).contains(&points.len()), "{} points", points.len());
    assert!(points.iter().all(|(_at, rate)| *rate == 1_000), "{points:?}");
    assert!(
        points[0].0 < 200_000 && points.last().unwrap().0 == 3_601_000,
        "{points:?}"
    );
    let gaps: Vec<_> = points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| *gap <= 160_000), "{gaps:?}");
}

#[test]
fn watched_connections_have_the_last_minutes_in_full_and_no_more() {
    let history = history();
    history.apply(&changed([connection(1, 1_250, 250, 1)]));
    let mut late = watch(&history, 1).unwrap();
    late.news().unwrap();
    for step in 2..=2_000 {
        history.apply(&changed([connection(1, 1_000 + step * 250, step * 250, step)]));
    }

    let missed = rates(&late.news().unwrap());
    assert_eq!(missed.len(), 1_200);
    // Also the first, whose rate is that of the time since what was read before.
    assert!(missed.iter().all(|(_at, rate)| (998..=1_000).contains(rate)));
    let all = rates(&watch(&history, 1).unwrap().news().unwrap());
    assert!((1_200..1_265).contains(&all.len()), "{}", all.len());
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "by time");
}

#[test]
fn the_handshake_and_the_newest_packets_are_kept_and_the_rest_is_counted() {
    let history = history();
    history.apply(&changed([connection(1, 1_250, 0, 1)]));
    history.apply(&notable(3, (0..3).map(|seq| packet(seq, true)).collect()));
    let mut watcher = watch(&history, 1).unwrap();
    let seqs = |news: &News| news.packets.iter().map(|packet| packet.seq).collect::<Vec<_>>();

    let news = watcher.news().unwrap();
    assert_eq!((seqs(&news), news.missed_packets), (vec![0, 1, 2], 0));
    history.apply(&notable(4, vec![packet(3, true)]));
    history.apply(&notable(7, vec![packet(5, false), packet(6, false)]));
    let news = watcher.news().unwrap();
    assert_eq!((seqs(&news), news.missed_packets), (vec![3, 5, 6], 1));
    for seq in 7..107 {
        history.apply(&notable(seq + 1, vec![packet(seq, false)]));
    }
    let news = watcher.news().unwrap();
    // 36 were forgotten before they were read.
    assert_eq!((seqs(&news), news.missed_packets), ((43..107).collect(), 37));
    let news = watch(&history, 1).unwrap().news().unwrap();
    assert_eq!(
        seqs(&news),
        [0, 1, 2, 3].into_iter().chain(43..107).collect::<Vec<_>>()
    );
    assert_eq!(news.missed_packets, 39);
}

#[test]
fn only_so_many_are_watched_at_a_time_and_one_that_leaves_makes_room() {
    let history = history();
    history.apply(&changed(
        (0..=MAX_WATCHED as u64).map(|id| connection(id, 1_250, 0, 1)),
    ));
    let mut watchers: Vec<_> = (0..MAX_WATCHED as u64)
        .map(|id| watch(&history, id).unwrap())
        .collect();
    // The same one again takes no more room.
    watchers.push(watch(&history, 0).unwrap());

    assert_eq!(
        watch(&history, MAX_WATCHED as u64).unwrap_err(),
        WatchError::TooMany
    );
    watchers.remove(1);
    assert!(watch(&history, MAX_WATCHED as u64).is_ok());
}

#[test]
fn where_there_are_too_many_those_that_rest_are_forgotten_and_begin_anew_when_they_move() {
    let history = history();
    let many = BUDGET_BYTES as u64 / size_of::<Series>() as u64;
    history.apply(&changed((1..=3).map(|id| connection(id, 1_250, 250, 1))));
    let mut watcher = watch(&history, 2).unwrap();
    let newer = |first: u64| (first..first + many).map(|id| connection(id, 2_000, 1_000, 2));
    history.apply(&changed(newer(10)));
    history.apply(&changed(newer(10 + many)));
    history.apply(&changed([
        connection(1, 61_000, 60_000, 60),
        connection(2, 61_000, 60_000, 60),
    ]));
    let mut anew = watch(&history, 1).unwrap();

    // What was before is not known, so it is not taken for a rate.
    assert_eq!(rates(&anew.news().unwrap()), []);
    history.apply(&changed([connection(1, 62_000, 62_000, 62)]));
    assert_eq!(rates(&anew.news().unwrap()), [(62_000, 2_000)]);
    assert_eq!(rates(&watcher.news().unwrap()).len(), 2, "who is watched is kept");
    // One that rests can be watched, and is there for no longer than that.
    let mut guest = history.watch(&connection(3, 1_250, 250, 1)).unwrap();
    assert_eq!(rates(&guest.news().unwrap()), []);
    drop(guest);
    assert!(!history.past().series.contains_key(&3));
    // One that moves meanwhile stays.
    let guest = history.watch(&connection(3, 1_250, 250, 1)).unwrap();
    history.apply(&changed([connection(3, 62_000, 500, 2)]));
    drop(guest);
    let past = history.past();
    assert!(past.series.contains_key(&3) && past.guests.is_empty());
    let counted: usize = past.series.values().map(|series| series.bytes()).sum();
    assert_eq!(past.bytes, counted);
    assert!(past.taken() <= BUDGET_BYTES, "{}", past.taken());
}

#[tokio::test]
async fn sockets_of_what_is_watched_are_asked_for_while_it_is() {
    let history = history();
    history.apply(&changed([connection(1, 1_250, 100, 1)]));
    let (commands, mut asked) = mpsc::channel(4);
    let follower = Arc::clone(&history);
    let following = tokio::spawn(async move { follower.follow_watchers(commands).await });
    tokio::task::yield_now().await;
    let mut newest = async || match asked.recv().await {
        Some(Command::WatchSockets(ends)) => ends.len(),
        other => unreachable!("{other:?}"),
    };

    let watcher = watch(&history, 1).unwrap();
    assert_eq!(newest().await, 1);
    let another = watch(&history, 1).unwrap();
    assert_eq!(newest().await, 1);
    drop((watcher, another));
    assert_eq!(newest().await, 0);
    following.abort();
}

#[test]
fn memory_stays_within_the_budget_whatever_comes() {
    let budget = 1 << 18;
    let mut past = Past {
        budget,
        ..Past::default()
    };
    for step in 1..=400_u64 {
        let room = series::Room::at(past.level);
        for id in 0..200 {
            let connection = connection(id, 1_000 + step * 5_000, step, step);
            let notable = NotablePackets {
                connection_id: id,
                packets: vec![packet(step as u32, false)],
            };
            past.begin(&connection, INTERVAL);
            past.change(id, |series| {
                series.take(&connection, INTERVAL, room);
                series.remember(&notable, room);
            });
        }
        past.keep_within();
        assert!(past.bytes <= budget, "{} bytes", past.bytes);
        assert_eq!(
            past.bytes,
            past.series.values().map(|series| series.bytes()).sum::<usize>()
        );
    }
    assert!(past.level > 0);
    past.series.clear();
    past.bytes = 0;
    for _delta in 0..10 {
        past.keep_within();
    }
    assert_eq!(past.level, 0);
}
