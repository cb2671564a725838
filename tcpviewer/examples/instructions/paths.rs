//! The paths: what is there before, and what is counted. All work on made-up connections, the same in every run.

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Result, bail};
use prost::Message as _;
use tcpviewer::{
    api,
    capture::made_up::{Load, Shape},
    filter::Filter,
    model::{Clock, Connection, Delta, Sample},
    publish::{Board, Reader, Selection, Step},
    table::Table,
};
use tokio::time::Instant;

use crate::callgrind::counted_work;

/// Connections, all of which change.
const CONNECTIONS: u32 = 1_000;
/// Of those, how many end, with new ones in their place.
const REPLACED: u32 = 20;
/// Texts of which each is read once.
const TEXTS: [&str; 4] = [
    "port 443 and rtt > 50ms",
    "not verdict in {healthy, idle}",
    "(host 10.0.0.7 or net 192.168.0.0/24) and port in {80, 443, 8080}",
    "process == \"nginx\" and sent.retransmissions > 3 and age < 10m",
];

/// A path.
pub(crate) struct Path {
    /// What it is called.
    pub(crate) name: &'static str,
    /// What the count is for.
    pub(crate) each: &'static str,
    /// How often that is done.
    pub(crate) times: u32,
    walk: fn() -> Result<()>,
}

/// All of them.
pub(crate) const PATHS: [Path; 7] = [
    Path {
        name: "table-update",
        each: "a connection that changed",
        times: CONNECTIONS,
        walk: update_table,
    },
    Path {
        name: "table-rest",
        each: "a connection that comes to rest",
        times: CONNECTIONS,
        walk: rest,
    },
    Path {
        name: "look-at-rest",
        each: "a connection at rest that is looked at",
        times: CONNECTIONS,
        walk: look_at_rest,
    },
    Path {
        name: "publish",
        each: "a connection that changed, and one reader",
        times: CONNECTIONS,
        walk: publish,
    },
    Path {
        name: "filter-match",
        each: "a connection and four filters",
        times: CONNECTIONS,
        walk: filter,
    },
    Path {
        name: "filter-parse",
        each: "four filters",
        times: 1,
        walk: parse,
    },
    Path {
        name: "encode",
        each: "a connection of a list",
        times: CONNECTIONS,
        walk: encode,
    },
];

/// Goes this way once.
pub(crate) fn walk(name: &str) -> Result<()> {
    match PATHS.iter().find(|path| path.name == name) {
        Some(path) => (path.walk)(),
        None => bail!("no path {name}"),
    }
}

fn update_table() -> Result<()> {
    let (mut table, [first, second]) = rounds();
    black_box(take(&mut table, first));
    black_box(counted_work(|| take(&mut table, second)));
    Ok(())
}

fn rest() -> Result<()> {
    let mut table = moving();
    black_box(counted_work(|| let_rest(&mut table)));
    Ok(())
}

fn look_at_rest() -> Result<()> {
    let resting = let_rest(&mut moving()).changed;
    counted_work(|| {
        for listed in &resting {
            black_box(listed.connection());
        }
    });
    Ok(())
}

fn publish() -> Result<()> {
    let (mut table, [first, second]) = rounds();
    let board = Arc::new(Board::new(1));
    board.apply(take(&mut table, first));
    let mut reader = Reader::new(&board, Selection::default(), None)?;
    read(&mut reader);
    let delta = take(&mut table, second);
    counted_work(|| {
        board.apply(delta);
        read(&mut reader);
    });
    Ok(())
}

fn filter() -> Result<()> {
    let connections = connections();
    let filters = filters()?;
    let passed = counted_work(|| {
        let now = SystemTime::now();
        let pairs = connections.iter().flat_map(|connection| {
            let passes = move |filter: &&Filter<Connection>| filter.matches(connection, now);
            filters.iter().filter(passes)
        });
        pairs.count()
    });
    black_box(passed);
    Ok(())
}

fn parse() -> Result<()> {
    // The names of all fields are sorted when they are first asked for.
    filters()?;
    counted_work(filters)?;
    Ok(())
}

fn encode() -> Result<()> {
    let connections = connections();
    let bytes = counted_work(|| {
        let encoded = connections
            .iter()
            .map(|connection| api::connection(connection).encode_to_vec());
        encoded.map(|each| each.len()).sum::<usize>()
    });
    black_box(bytes);
    Ok(())
}

fn filters() -> Result<Vec<Filter<Connection>>> {
    TEXTS.iter().map(|text| Ok(Filter::parse(text)?)).collect()
}

/// All connections, published.
fn connections() -> Vec<Connection> {
    let (mut table, [first, second]) = rounds();
    take(&mut table, first);
    let listed = take(&mut table, second).changed;
    listed
        .iter()
        .map(|listed| listed.connection().into_owned())
        .collect()
}

/// A table of connections that have just moved.
fn moving() -> Table {
    let (mut table, [first, second]) = rounds();
    take(&mut table, first);
    take(&mut table, second);
    table
}

/// Lets time pass in which nothing does.
fn let_rest(table: &mut Table) -> Delta {
    table.tick(Instant::now() + Duration::from_secs(1));
    table.delta().unwrap_or_default()
}

/// An empty table, and what comes in: all connections, and then all of them changed.
fn rounds() -> (Table, [Vec<Vec<Sample>>; 2]) {
    let mut load = Load::new(Shape {
        connections: CONNECTIONS,
        changing: CONNECTIONS,
        replaced: REPLACED,
        every: Duration::from_millis(250),
        rounds: 2,
    });
    let table = Table::new(
        Clock::new(SystemTime::UNIX_EPOCH),
        Duration::from_millis(250),
        Duration::from_secs(60),
        usize::MAX,
    );
    let rounds = [1_000_000_000, 1_250_000_000].map(|due_ns| {
        let mut round = load.round();
        std::iter::from_fn(|| load.batch(&mut round, due_ns)).collect()
    });
    (table, rounds)
}

/// Takes a round in, and what it changed out.
fn take(table: &mut Table, round: Vec<Vec<Sample>>) -> Delta {
    let now = Instant::now();
    for samples in round {
        table.take(samples, now);
    }
    table.tick(now);
    table.delta().unwrap_or_default()
}

/// Reads all that is new.
fn read(reader: &mut Reader) {
    while let Step::Event(event) = reader.next(200, SystemTime::now()) {
        black_box(event);
    }
}
