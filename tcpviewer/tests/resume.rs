//! A client that is cut off again and again while the table changes, and resumes each time where it was: what it
//! has built in the end is the server's table.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};
use support::{Daemon, INSTANCE, next, watch};
use tcpviewer::proto::{
    ResumePoint, SnapshotReason, WatchConnectionsRequest, watch_connections_response::Event,
};
use tokio::{sync::Mutex, time::sleep};

/// How often the client is cut off.
const CUTS: u32 = 200;
/// Connections that are listed at a time.
const CONNECTIONS: u64 = 1_500;

/// What a client holds: the revision of each connection's newest form, and where it can resume.
#[derive(Default)]
struct Mirror {
    revisions: BTreeMap<u64, u64>,
    place: Option<ResumePoint>,
    complete: bool,
    snapshots: Vec<SnapshotReason>,
}

impl Mirror {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Snapshot(snapshot) => {
                if snapshot.first {
                    self.revisions.clear();
                    // Half a snapshot is no place to resume from.
                    self.place = None;
                    self.snapshots.push(snapshot.reason());
                }
                self.take(&snapshot.connections);
            }
            Event::SnapshotEnd(end) => {
                self.complete = true;
                self.place = Some(ResumePoint {
                    instance: end.instance,
                    revision: end.revision,
                });
            }
            Event::Changes(changes) => {
                self.take(&changes.connections);
                for id in changes.removed {
                    self.revisions.remove(&id);
                }
                self.place = Some(ResumePoint {
                    instance: changes.instance,
                    revision: changes.revision,
                });
            }
            Event::Heartbeat(_) => {}
        }
    }

    fn take(&mut self, connections: &[tcpviewer::proto::Connection]) {
        for connection in connections {
            let before = self.revisions.insert(connection.id, connection.revision);
            assert!(
                before.is_none_or(|before| before < connection.revision),
                "connection {} went back from {before:?} to {}",
                connection.id,
                connection.revision
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_cut_off_200_times_holds_the_servers_table_each_time() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=CONNECTIONS);
    let (port, board) = (daemon.address.port(), Arc::clone(&daemon.board));
    let mut client = daemon.client().await;
    let daemon = Arc::new(Mutex::new(daemon));
    let stop = Arc::new(AtomicBool::new(false));
    let changing = tokio::spawn(change(Arc::clone(&daemon), Arc::clone(&stop)));
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut mirror = Mirror::default();

    for cut in 0..CUTS {
        // A new client now and then, so that snapshots are cut as well.
        if cut % 10 == 0 {
            mirror.place = None;
        }
        let request = WatchConnectionsRequest {
            resume: mirror.place,
            ..Default::default()
        };
        mirror.complete = false;
        let mut stream = watch(&mut client, request).await;
        // Cut at any moment, also in the midst of a snapshot.
        for _message in 0..random.random_range(0..5) {
            mirror.apply(next(&mut stream).await);
        }
        if random.random_bool(0.5) {
            continue;
        }
        // Halted, so that there is one table to compare with.
        let halted = daemon.lock().await;
        while !(mirror.complete
            && mirror
                .place
                .is_some_and(|place| place.revision >= halted.revision))
        {
            mirror.apply(next(&mut stream).await);
        }
        let expected: BTreeMap<_, _> = board
            .all()
            .iter()
            .map(|each| (each.id(), each.revision()))
            .collect();
        assert_eq!(mirror.revisions, expected);
        drop(halted);
    }

    stop.store(true, Ordering::Relaxed);
    changing.await.unwrap();
    assert!(
        mirror
            .snapshots
            .iter()
            .all(|reason| *reason == SnapshotReason::Initial),
        "a place that is still known was not resumed"
    );

    // Another run of the daemon does not know the place, and says so.
    Arc::into_inner(daemon)
        .unwrap()
        .into_inner()
        .stop()
        .await
        .unwrap();
    let mut daemon = Daemon::start_at(INSTANCE + 1, true, port).await;
    daemon.change([1, 2]);
    let request = WatchConnectionsRequest {
        resume: mirror.place,
        ..Default::default()
    };
    let mut stream = watch(&mut daemon.client().await, request).await;
    mirror.complete = false;
    while !mirror.complete {
        mirror.apply(next(&mut stream).await);
    }
    assert_eq!(mirror.snapshots.last(), Some(&SnapshotReason::OtherInstance));
    assert_eq!(mirror.revisions.keys().copied().collect::<Vec<_>>(), [1, 2]);
}

/// Changes connections at random, and lets new ones take the place of others, some hundred times per second.
async fn change(daemon: Arc<Mutex<Daemon>>, stop: Arc<AtomicBool>) {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let mut listed: Vec<u64> = (1..=CONNECTIONS).collect();
    let mut newest = CONNECTIONS;
    while !stop.load(Ordering::Relaxed) {
        let (mut changed, mut removed) = (Vec::new(), Vec::new());
        for _connection in 0..random.random_range(1..50) {
            let index = random.random_range(0..listed.len());
            if random.random_bool(0.25) {
                newest += 1;
                removed.push(std::mem::replace(&mut listed[index], newest));
            }
            changed.push(listed[index]);
        }
        let mut daemon = daemon.lock().await;
        daemon.change(changed);
        daemon.remove(removed);
        drop(daemon);
        sleep(Duration::from_millis(1)).await;
    }
}
