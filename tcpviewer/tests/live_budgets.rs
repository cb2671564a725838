//! A daemon that may cost only so much, under a load that would cost three times that: it comes back under its budget,
//! says what it does less of wherever somebody looks, counts on exactly, and takes all of it back when the load is over.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figures"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::{
    collections::{BTreeSet, HashMap},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use support::{
    PATIENCE,
    daemon::{Daemon, assert_every_packet_has_a_fate, assert_no_loss},
    flood::{self, Flood},
    namespaces::Pair,
    own_machine, require_root,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{
    Connection, Degradation, Endpoint, GetStatusResponse, Half, WatchConnectionsRequest, WatchPacketsRequest,
    watch_connections_response::Event,
};
use tokio::time::timeout;

/// Connections that are busy all the time.
const BUSY: usize = 500;
/// Questions with an answer each, on all of them together, per second.
const QUESTIONS_PER_SECOND: u32 = 5_000;
/// CPU time is a mean over five seconds.
const MEAN: Duration = Duration::from_secs(5);
/// All steps of a ladder, up or down, with room to spare.
const ALL_STEPS: Duration = Duration::from_secs(120);

#[test]
fn cpu_time_comes_back_under_its_budget_and_nothing_is_miscounted() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let load = Load::new(&pair);
    let usual = {
        let daemon = Daemon::start(&pair.left, &["--interface", "veth0"]);
        let usual = load.under(&daemon, |_seen| {
            thread::sleep(MEAN);
            cpu_percent(&daemon)
        });
        daemon.stop();
        usual
    };
    let budget = (usual / 3.0).max(1.0);
    let daemon = Daemon::start(
        &pair.left,
        &["--interface", "veth0", "--max-cpu", &format!("{budget:.2}")],
    );
    let asked_before = load.asked();
    assert_eq!(saved(&daemon.status().degradations), BTreeSet::new());

    load.under(&daemon, |seen| {
        let started = Instant::now();
        let percent = wait_for(ALL_STEPS, "CPU time under the budget", || {
            let percent = cpu_percent(&daemon);
            println!(
                "{:?}: {percent:.1} % of {budget:.1} %, {:?}",
                started.elapsed(),
                saved(&daemon.status().degradations)
            );
            (percent <= budget).then_some(percent)
        });
        println!("{usual:.1} % without a budget, {percent:.1} % within {budget:.1} %");
        let status = daemon.status();
        let degradations = saved(&status.degradations);
        assert!(degradations.contains("budget: intervals"), "{status:?}");
        let resources = status.resources.unwrap();
        assert!((resources.max_cpu_percent.unwrap() - budget).abs() < 0.01);
        wait_for(PATIENCE, "the same in the stream", || {
            let told = seen.told.lock().unwrap();
            degradations.is_subset(&told).then_some(())
        });
        let sampling = seen.sampling.load(Ordering::Relaxed);
        assert_eq!(
            sampling > 1,
            degradations.contains("budget: packets"),
            "{sampling}"
        );
        if sampling > 1 {
            let ledger = daemon.status().ledger.unwrap();
            let left_out = seen.left_out.load(Ordering::Relaxed);
            assert!(
                0 < left_out && left_out <= ledger.packet_events_left_out,
                "{ledger:?}"
            );
        }
    });

    let started = Instant::now();
    wait_for_nothing_saved(&daemon, ALL_STEPS);
    println!("all is back after {:?}", started.elapsed());
    load.compare(&daemon, &asked_before);
    assert_no_loss(&daemon.status().ledger.unwrap());
    daemon.stop();
}

#[test]
fn memory_stays_within_its_budget_and_those_who_are_followed_are_counted_exactly() {
    /// Each is a row and a record, some KiB together.
    const SYNS: usize = 60_000;
    /// Slow enough for the daemon to see it come.
    const DURATION: Duration = Duration::from_secs(40);
    /// The kernel's records of handshakes that nobody answers stay for 75 s.
    const FORGOTTEN: Duration = Duration::from_secs(180);
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let mut flood = Flood::new(&pair.right);
    let (_listener, target) = flood::target(&pair.right, Pair::RIGHT);
    let interfaces = ["--interface", "veth0", "--interface", "flood0"];
    let idle = {
        let daemon = Daemon::start(&pair.right, &interfaces);
        let idle = memory(&daemon.status());
        daemon.stop();
        idle
    };
    let budget = idle * 2;
    println!("idle {} KiB, budget {} KiB", idle >> 10, budget >> 10);
    let maximum = budget.to_string();
    let arguments = [&interfaces[..], &["--max-memory", &maximum]].concat();
    let daemon = Daemon::start(&pair.right, &arguments);
    let calls: Vec<_> = (0..20)
        .map(|_| Open::new(&pair.left, &pair.right, Pair::RIGHT))
        .collect();
    let mut exchanged = 0;
    let mut exchange = || {
        calls.iter().for_each(|call| call.exchange_in_turn(300, 200));
        exchanged += 1;
        exchanged
    };

    let seen = thread::scope(|scope| {
        let flood = scope.spawn(|| flood.send(target, SYNS, DURATION));
        let mut seen = BTreeSet::new();
        let mut worst = 0;
        while !flood.is_finished() {
            exchange();
            let status = daemon.status();
            worst = worst.max(memory(&status));
            seen.extend(saved(&status.degradations));
            thread::sleep(Duration::from_millis(200));
        }
        println!("at worst {} KiB, {seen:?}", worst >> 10);
        seen
    });

    let all = [
        "budget: ended connections",
        "budget: history",
        "budget: new connections",
    ];
    assert_eq!(seen, all.map(String::from).into());
    wait_for(PATIENCE, "memory under the budget", || {
        (memory(&daemon.status()) <= budget).then_some(())
    });
    let status = daemon.status();
    let ledger = status.ledger.unwrap();
    assert!(ledger.packets_over_budget > 0, "{ledger:?}");
    assert_every_packet_has_a_fate(&ledger);
    assert_eq!(status.resources.unwrap().max_memory_bytes, Some(budget));
    let rounds = exchange();
    wait_for(PATIENCE, "exact counters", || {
        let listed = bytes_by_ends(&daemon);
        calls
            .iter()
            .all(|call| listed.get(&call.ends()) == Some(&(rounds * 300, rounds * 200)))
            .then_some(())
    });

    let started = Instant::now();
    wait_for_nothing_saved(&daemon, FORGOTTEN);
    println!(
        "all is back after {:?}, {} KiB",
        started.elapsed(),
        memory(&daemon.status()) >> 10
    );
    let new = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    new.exchange_in_turn(300, 200);
    wait_for(PATIENCE, "new connection", || {
        (bytes_by_ends(&daemon).get(&new.ends()) == Some(&(300, 200))).then_some(())
    });
    assert_every_packet_has_a_fate(&daemon.status().ledger.unwrap());
    daemon.stop();
}

/// Connections that ask and answer all the time.
struct Load {
    calls: Vec<Open>,
    /// Questions so far, those of each.
    asked: Vec<AtomicU64>,
}

/// What the streams said.
#[derive(Default)]
struct Seen {
    told: Mutex<BTreeSet<String>>,
    sampling: AtomicU64,
    left_out: AtomicU64,
}

impl Load {
    fn new(pair: &Pair) -> Self {
        let calls = (0..BUSY).map(|_| Open::new(&pair.left, &pair.right, Pair::RIGHT));
        Self {
            calls: calls.collect(),
            asked: (0..BUSY).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Does something while all are busy, and somebody watches both connections and packets.
    fn under<T>(&self, daemon: &Daemon<'_>, action: impl FnOnce(&Seen) -> T) -> T {
        let (over, seen) = (AtomicBool::new(false), Seen::default());
        thread::scope(|scope| {
            let watchers = [
                scope.spawn(|| watch_connections(daemon, &seen, &over)),
                scope.spawn(|| watch_packets(daemon, &seen, &over)),
            ];
            let asking = scope.spawn(|| self.ask_until(&over));
            let answer = catch_unwind(AssertUnwindSafe(|| action(&seen)));
            over.store(true, Ordering::Relaxed);
            asking.join().unwrap();
            watchers.into_iter().for_each(|watcher| watcher.join().unwrap());
            answer.unwrap_or_else(|panic| resume_unwind(panic))
        })
    }

    fn ask_until(&self, over: &AtomicBool) {
        let started = Instant::now();
        for question in 0.. {
            if over.load(Ordering::Relaxed) {
                return;
            }
            let due = started + Duration::from_secs(1) * question / QUESTIONS_PER_SECOND;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let number = question as usize % BUSY;
            self.calls[number].exchange_in_turn(100, 200);
            self.asked[number].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many questions each has asked.
    fn asked(&self) -> Vec<u64> {
        self.asked
            .iter()
            .map(|asked| asked.load(Ordering::Relaxed))
            .collect()
    }

    /// Waits until the daemon has counted all that was asked and answered since then.
    fn compare(&self, daemon: &Daemon<'_>, since: &[u64]) {
        wait_for(PATIENCE, "exact counters", || {
            let counted = bytes_by_ends(daemon);
            let asked = self.asked();
            let mut calls = self.calls.iter().zip(asked.iter().zip(since));
            calls
                .all(|(call, (now, then))| {
                    let questions = now - then;
                    counted.get(&call.ends()) == Some(&(questions * 100, questions * 200))
                })
                .then_some(())
        });
    }
}

fn watch_connections(daemon: &Daemon<'_>, seen: &Seen, over: &AtomicBool) {
    daemon.call(async |mut client| {
        let request = WatchConnectionsRequest::default();
        let mut stream = client.watch_connections(request).await.unwrap().into_inner();
        while !over.load(Ordering::Relaxed) {
            let Ok(message) = timeout(Duration::from_millis(100), stream.message()).await else {
                continue;
            };
            if let Some(Event::Heartbeat(beat)) = message.unwrap().unwrap().event {
                seen.told.lock().unwrap().extend(saved(&beat.degradations));
            }
        }
    });
}

fn watch_packets(daemon: &Daemon<'_>, seen: &Seen, over: &AtomicBool) {
    daemon.call(async |mut client| {
        let request = WatchPacketsRequest::default();
        let mut stream = client.watch_packets(request).await.unwrap().into_inner();
        while !over.load(Ordering::Relaxed) {
            let Ok(message) = timeout(Duration::from_millis(100), stream.message()).await else {
                continue;
            };
            let batch = message.unwrap().unwrap();
            seen.sampling.store(batch.sampling.into(), Ordering::Relaxed);
            seen.left_out.store(batch.left_out, Ordering::Relaxed);
        }
    });
}

/// Names of what is done less of to stay within a budget.
fn saved(degradations: &[Degradation]) -> BTreeSet<String> {
    let features = degradations.iter().map(|each| each.feature.clone());
    features
        .filter(|feature| feature.starts_with("budget: "))
        .collect()
}

/// Waits until nothing is done less of. Asks rarely, as answers cost something, too.
fn wait_for_nothing_saved(daemon: &Daemon<'_>, patience: Duration) {
    wait_for(patience, "end of all that is done less of", || {
        thread::sleep(Duration::from_secs(1));
        saved(&daemon.status().degradations).is_empty().then_some(())
    });
}

/// CPU time of the daemon over the next five seconds, per cent of one core.
fn cpu_percent(daemon: &Daemon<'_>) -> f64 {
    let used = || {
        let time = daemon.status().resources.unwrap().cpu_time.unwrap();
        Duration::try_from(time).unwrap()
    };
    let (started, before) = (Instant::now(), used());
    thread::sleep(MEAN);
    100.0 * (used() - before).as_secs_f64() / started.elapsed().as_secs_f64()
}

/// What the budget of memory is of.
fn memory(status: &GetStatusResponse) -> u64 {
    let resources = status.resources.unwrap();
    resources.resident_bytes + resources.kernel_map_bytes.unwrap()
}

/// What each connection of the pair sent and received, whichever end is taken for the source: of one that is older than the daemon
/// that is a guess.
fn bytes_by_ends(daemon: &Daemon<'_>) -> HashMap<(SocketAddr, SocketAddr), (u64, u64)> {
    let end = |end: &Option<Endpoint>| {
        let end = end.as_ref().unwrap();
        SocketAddr::new(end.address.parse().unwrap(), end.port as u16)
    };
    let row = |connection: &Connection| {
        let net = |half: &Option<Half>| {
            let half = half.as_ref().unwrap();
            half.payload_bytes - half.retransmitted_bytes
        };
        let (source, destination) = (end(&connection.source), end(&connection.destination));
        let (sent, received) = (net(&connection.sent), net(&connection.received));
        [
            ((source, destination), (sent, received)),
            ((destination, source), (received, sent)),
        ]
    };
    daemon
        .list_of("interface == veth0")
        .iter()
        .flat_map(row)
        .collect()
}
