//! Those who read the daemon, each for a while and then another in its place: connections with different filters, sums,
//! packets, one connection in detail, and lists.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::Duration,
};

use anyhow::{Context as _, Result};
use tcpviewer::proto::{
    ListConnectionsRequest, WatchConnectionRequest, WatchPacketsRequest, WatchStatsRequest,
    tcp_viewer_service_client::TcpViewerServiceClient,
};
use tokio::{runtime, task::JoinSet, time::timeout};
use tonic::{Status, Streaming, transport::Channel};

use crate::requests::Kind;

type Client = TcpViewerServiceClient<Channel>;

/// Different things to ask of connections.
const ASKED: u32 = 95;
/// Kinds of readers; one in so many is of each kind but the first.
const KINDS: u32 = 6;

/// So many readers at a time, until it is over.
pub(crate) fn come_and_go(url: &str, readers: u32, over: &AtomicBool) -> Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut reading = JoinSet::new();
        for nth in 0.. {
            while reading.len() >= readers as usize {
                reading.join_next().await.context("a reader")???;
            }
            if over.load(Relaxed) {
                break;
            }
            reading.spawn(read(url.to_owned(), nth));
        }
        while let Some(read) = reading.join_next().await {
            read??;
        }
        Ok(())
    })
}

/// Reads for some seconds, as the number says, and leaves.
async fn read(url: String, nth: u32) -> Result<()> {
    let mut client = Client::connect(url)
        .await
        .context("connect")?
        .max_decoding_message_size(64 << 20);
    let lasting = Duration::from_millis(500 + u64::from(nth * 977 % 5_000));
    match nth % KINDS {
        0 | 1 => {
            until(
                lasting,
                client
                    .watch_connections(Kind::Different.request(nth % ASKED))
                    .await,
            )
            .await
        }
        2 => until(lasting, client.watch_stats(WatchStatsRequest::default()).await).await,
        3 => {
            until(
                lasting,
                client.watch_packets(WatchPacketsRequest::default()).await,
            )
            .await
        }
        4 => {
            let newest = ListConnectionsRequest {
                page_size: 1,
                order_by: "id desc".into(),
                ..Default::default()
            };
            let list = client.list_connections(newest).await?.into_inner();
            match list.connections.first() {
                Some(connection) => {
                    let request = WatchConnectionRequest { id: connection.id };
                    until(lasting, client.watch_connection(request).await).await
                }
                None => Ok(()),
            }
        }
        _ => {
            client.list_connections(ListConnectionsRequest::default()).await?;
            Ok(())
        }
    }
}

/// Takes what a stream says for so long, or until it ends.
async fn until<T>(lasting: Duration, opened: Result<tonic::Response<Streaming<T>>, Status>) -> Result<()> {
    let mut stream = match opened {
        Ok(opened) => opened.into_inner(),
        // What was to be watched has left the list, or too many orders are read at the time.
        Err(refused) if [tonic::Code::NotFound, tonic::Code::ResourceExhausted].contains(&refused.code()) => {
            return Ok(());
        }
        Err(failed) => return Err(failed).context("open a stream"),
    };
    let take_all = async {
        while stream.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    match timeout(lasting, take_all).await {
        Ok(ended) => Ok(ended.context("read a stream")?),
        Err(_elapsed) => Ok(()),
    }
}
