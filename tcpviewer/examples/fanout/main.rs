//! Measures what subscribers get of connections that change all the time, and when. Starts `load` beside it, opens
//! streams, some of which nobody reads, and prints rows of JSON: how late the newest form of a
//! connection arrived after the round in which it was made was due, and what the daemon cost. Fails when a stream does
//! not hold in the end what the daemon lists.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the result is for whoever runs this"
)]

mod daemon;
mod lateness;
mod message;
mod reader;
mod requests;
#[path = "../rows/mod.rs"]
#[expect(dead_code, reason = "each benchmark uses its part")]
mod rows;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use clap::Parser;
use prost::Message as _;
use tcpviewer::proto::{
    ListConnectionsRequest, WatchConnectionsRequest, tcp_viewer_service_client::TcpViewerServiceClient,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet, time::sleep};
use tonic::{
    Streaming,
    transport::{Channel, Endpoint},
};

use crate::{
    daemon::{Daemon, cost, samples_made},
    lateness::Lateness,
    reader::Reader,
    requests::Kind,
    rows::Row,
};

/// Time for things to become quiet.
const SETTLE: Duration = Duration::from_secs(3);

/// Time after which every connection that nothing passes on is known to be idle, so that nothing changes any more.
const IDLE: Duration = Duration::from_secs(20);

/// What is on top of the time between two rounds, for all that the daemon and the way to the reader take.
const TOLERANCE: Duration = Duration::from_millis(200);
const MEBIBYTE: f64 = (1 << 20) as f64;

/// Measures what subscribers get, and when
#[derive(Clone, Parser)]
pub(crate) struct Args {
    /// Connections
    #[arg(long, default_value_t = 10_000)]
    connections: u32,
    /// Of those, how many change in every round, one after the other; all of them where it is not given
    #[arg(long)]
    changing: Option<u32>,
    /// Of those, how many end in every round, with new ones in their place
    #[arg(long, default_value_t = 10)]
    replaced: u32,
    /// Streams that are read
    #[arg(long, default_value_t = 95)]
    reading: u32,
    /// Streams that nobody reads
    #[arg(long, default_value_t = 5)]
    silent: u32,
    /// Time between two rounds
    #[arg(long, default_value = "250ms", value_parser = humantime::parse_duration)]
    every: Duration,
    /// How long to measure
    #[arg(long = "for", default_value = "20s", value_parser = humantime::parse_duration)]
    lasting: Duration,
    /// What each stream asks for
    #[arg(long, value_enum, default_value_t = Kind::Different)]
    kind: Kind,
}

impl Args {
    /// Connections that change in every round.
    fn changing(&self) -> u32 {
        self.changing.unwrap_or(self.connections)
    }

    /// Time from one change of a connection to its next.
    fn period(&self) -> Duration {
        self.every * self.connections.div_ceil(self.changing().max(1))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    // Before the streams are opened, while they are, and while they are read.
    let changing = SETTLE * 3 + args.lasting;
    let rounds = changing.as_nanos().div_ceil(args.every.as_nanos().max(1)) as u32;
    let daemon = Daemon::start(&args, rounds)?;
    let mut client = TcpViewerServiceClient::connect(daemon.url.clone())
        .await?
        .max_decoding_message_size(64 << 20);
    sleep(SETTLE).await;
    let before = cost(&mut client).await?;

    let recording = Arc::new(AtomicBool::new(false));
    let stop = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for nth in 0..args.reading {
        let reader = Reader::new(args.kind.request(nth), &args);
        let channel = channel(&daemon).await?;
        readers.spawn(reader.read(channel, Arc::clone(&recording), Arc::clone(&stop)));
    }
    let unread = silent(&args, &daemon).await?;
    sleep(SETTLE).await;

    recording.store(true, Ordering::Relaxed);
    let (started, at_start) = (Instant::now(), cost(&mut client).await?);
    let mut largest = 0;
    while started.elapsed() < args.lasting {
        sleep(Duration::from_millis(500)).await;
        largest = largest.max(cost(&mut client).await?.resident_bytes);
    }
    recording.store(false, Ordering::Relaxed);
    let (elapsed, at_end) = (started.elapsed().as_secs_f64(), cost(&mut client).await?);
    rounds_over(&mut client).await?;
    // What is on its way arrives, the youngest connections become older than any filter asks, and a heartbeat tells each
    // reader to stop.
    sleep(IDLE).await;
    stop.store(true, Ordering::Relaxed);

    let (mut sum, mut messages) = (Lateness::new(), 0);
    let mut latest = (0, String::new());
    while let Some(reader) = readers.join_next().await {
        let reader = reader.context("a reader panicked")??;
        compare(&mut client, &reader).await?;
        let WatchConnectionsRequest { filter, order_by, .. } = &reader.request;
        latest = latest.max((
            reader.lateness.at(1.0),
            format!("{filter} {order_by}").trim().to_owned(),
        ));
        sum.add(&reader.lateness);
        messages += reader.messages;
    }
    drop(unread);
    let (reading, silent) = (args.reading, args.silent);
    let of = |what: &str| format!("{what}, {reading} streams, {}", args.kind);
    let limit = (args.every + TOLERANCE).as_secs_f64() * 1_000.0;
    let milliseconds = |share| sum.at(share) as f64;
    let grown = largest.saturating_sub(before.resident_bytes) as f64 / MEBIBYTE;
    let row = |name, value, unit| Row::new("fanout", name, value, unit);
    let mut rows = vec![
        row(of("forms received"), sum.count() as f64 / elapsed, "1/s"),
        row(of("messages"), messages as f64, ""),
        row(of("lateness, median"), milliseconds(0.5), "ms"),
        row(of("lateness, 99 of 100"), milliseconds(0.99), "ms"),
    ];
    let cores = (at_end.cpu_seconds - at_start.cpu_seconds) / elapsed;
    let greatest = row(of("lateness, greatest"), milliseconds(1.0), "ms");
    rows.extend(match args.kind {
        Kind::Different => vec![
            greatest.at_most(limit),
            row(format!("memory grown, {silent} of them unread"), grown, "MiB").at_most(64.0),
        ],
        // What everybody asks for at once may be late; it must not take all there is.
        Kind::Worst => vec![greatest],
        Kind::Whole | Kind::Window | Kind::Single => vec![greatest, row(of("memory grown"), grown, "MiB")],
    });
    rows.push(row(of("work of the daemon"), cores, "cores"));
    for row in rows {
        println!("{}", serde_json::to_string(&row)?);
    }
    eprintln!("latest: {} ms by `{}`", latest.0, latest.1);
    Ok(())
}

/// Waits until nothing changes any more.
async fn rounds_over(client: &mut TcpViewerServiceClient<Channel>) -> Result<()> {
    let mut before = None;
    loop {
        let now = samples_made(client).await?;
        if before.replace(now) == Some(now) {
            return Ok(());
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn channel(daemon: &Daemon) -> Result<Channel> {
    Ok(Endpoint::from_shared(daemon.url.clone())?.connect().await?)
}

/// Streams that nobody reads: their owners are alive and take nothing, some as programs and some as browsers do.
struct Silent {
    _programs: Vec<Streaming<Bytes>>,
    _browsers: Vec<TcpStream>,
}

async fn silent(args: &Args, daemon: &Daemon) -> Result<Silent> {
    let mut silent = Silent {
        _programs: Vec::new(),
        _browsers: Vec::new(),
    };
    let address = daemon.url.trim_start_matches("http://");
    for nth in 0..args.silent {
        if nth % 2 == 0 {
            let reader = Reader::new(WatchConnectionsRequest::default(), args);
            silent._programs.push(reader.open(channel(daemon).await?).await?);
            continue;
        }
        let mut browser = TcpStream::connect(address).await?;
        let frame = [0; 5];
        let head = format!(
            "POST /tcpviewer.v1.TcpViewerService/WatchConnections HTTP/1.1\r\nHost: {address}\r\n\
             Content-Type: application/grpc-web+proto\r\nContent-Length: {}\r\n\r\n",
            frame.len()
        );
        browser.write_all(&[head.as_bytes(), &frame].concat()).await?;
        silent._browsers.push(browser);
    }
    Ok(silent)
}

/// What a stream holds in the end is what the daemon lists of it.
async fn compare(client: &mut TcpViewerServiceClient<Channel>, reader: &Reader) -> Result<()> {
    let asked = &reader.request;
    let mut request = ListConnectionsRequest {
        page_size: if asked.limit > 0 {
            asked.offset + asked.limit
        } else {
            10_000
        },
        filter: asked.filter.clone(),
        order_by: asked.order_by.clone(),
        ..Default::default()
    };
    let mut listed = Vec::new();
    loop {
        let page = client.list_connections(request.clone()).await?.into_inner();
        listed.extend(page.connections.iter().map(|each| (each.id, each.revision)));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    let listed: BTreeMap<_, _> = listed.into_iter().skip(asked.offset as usize).collect();
    let held: BTreeMap<_, _> = reader.held.revisions().collect();
    ensure!(
        held == listed,
        "`{}` {} {}: holds {} connections, {} are listed",
        asked.filter,
        asked.order_by,
        asked.encoded_len(),
        held.len(),
        listed.len()
    );
    Ok(())
}
