//! What clients cost that do not read: alone in its process, because it measures the memory of all of it.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

use support::{Daemon, next, watch};
use tcpviewer::proto::{WatchConnectionsRequest, watch_connections_response::Event};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_never_reads_costs_no_memory_and_holds_up_nobody() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=5_000);
    let mut idle = Vec::new();
    for _client in 0..16 {
        idle.push(watch(&mut daemon.client().await, WatchConnectionsRequest::default()).await);
    }
    let mut idle_browsers = Vec::new();
    for _browser in 0..4 {
        let mut stream = TcpStream::connect(daemon.address).await.unwrap();
        stream
            .write_all(&daemon.web_request("WatchConnections", &[0; 5]))
            .await
            .unwrap();
        idle_browsers.push(stream);
    }
    let mut reading = watch(&mut daemon.client().await, WatchConnectionsRequest::default()).await;
    while !matches!(next(&mut reading).await, Event::SnapshotEnd(_)) {}
    let before = resident_bytes();

    // Some 20 MB of changes for each of 20 idle clients: a queue would show.
    for _round in 0..10 {
        daemon.change(1..=5_000);
        let mut open = 5_000;
        while open > 0 {
            let event = next(&mut reading).await;
            let Event::Changes(changes) = event else {
                panic!("{event:?} is no changes")
            };
            open -= changes.connections.len();
        }
    }

    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "grew by {grown} bytes");
    drop((idle, idle_browsers, reading));
    daemon.wait_for_streams(0).await;
}

/// Resident memory of this process, bytes.
fn resident_bytes() -> u64 {
    procfs::process::Process::myself().unwrap().stat().unwrap().rss * procfs::page_size()
}
