//! The listening socket and its connections. In: TCP connections. Out: one HTTP/1.1 or HTTP/2 server per
//! connection around the routes, with limits on how many there are and how long each may dawdle, and an end in
//! bounded time. What a request means is up to the routes.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use procfs::process::{LimitValue, Process};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{ApiContext, ApiError, guard::Hosts, routes};

/// Connections that are served at a time, where the process may open twice as many files; what comes beyond is
/// closed at once.
const MAX_CONNECTIONS: usize = 4_096;
/// Requests at a time on one HTTP/2 connection.
const MAX_CONCURRENT_STREAMS: u32 = 256;
/// Time for a client to say what it wants: the first bytes of a connection, the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(20);
/// An HTTP/2 connection that is quiet is pinged this often, and closed when no answer comes as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Bytes that wait for a client inside the daemon before no more is made.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// Bytes of one HTTP/1.1 connection that are buffered at most.
const HTTP1_BUFFER_BYTES: usize = 128 * 1024;
/// Time for open requests to end when the daemon stops.
const SHUTDOWN_TIME: Duration = Duration::from_millis(600);
/// Pause after a connection could not be accepted, for want of file descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How every HTTP/2 connection starts.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Listens on `address`.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, ApiError> {
    TcpListener::bind(address).await.map_err(|error| {
        if error.kind() == io::ErrorKind::AddrInUse {
            ApiError::AddressInUse { address }
        } else {
            ApiError::Listen { address, error }
        }
    })
}

/// Serves the API and the dashboard until `shutdown` is ready; then ends all streams and returns within a second.
pub async fn serve(
    listener: TcpListener,
    context: ApiContext,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ApiError> {
    let hosts = Hosts::new(listener.local_addr().map_err(ApiError::LocalAddress)?);
    let (stop, stopped) = watch::channel(false);
    let packets = Arc::clone(&context.packets);
    let commands = context.commands.clone();
    let routes = routes::routes(context, hosts, stopped.clone()).await?;

    let mut tasks = JoinSet::new();
    let connections = GracefulShutdown::new();
    tokio::select! {
        () = shutdown => {}
        () = accept(&listener, &routes, &connections, &stopped, &mut tasks) => {}
        // It ends when the daemon takes no more commands: the daemon stops.
        () = packets.follow_readers(commands) => {}
    }
    drop(listener);
    stop.send_replace(true);
    if timeout(SHUTDOWN_TIME, connections.shutdown()).await.is_err() {
        debug!("clients did not take the end of their streams in time");
    }
    tasks.shutdown().await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    routes: &Router,
    connections: &GracefulShutdown,
    stopped: &watch::Receiver<bool>,
    tasks: &mut JoinSet<()>,
) {
    let limit = max_connections();
    let permits = Arc::new(Semaphore::new(limit));
    let server = server();
    let mut full = false;
    loop {
        while tasks.try_join_next().is_some() {}
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!("accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            if !full {
                warn!("{limit} connections are open: close those beyond, such as that of {peer}");
            }
            full = true;
            continue;
        };
        full = false;
        let (server, routes, watcher) = (server.clone(), routes.clone(), connections.watcher());
        let mut stopped = stopped.clone();
        tasks.spawn(async move {
            let version = tokio::select! {
                version = version(&stream) => version,
                // Browsers hold connections ready that have not said a word.
                _stopped = stopped.wait_for(|stopped| *stopped) => None,
            };
            let server = match version {
                Some(Version::Http1) => server.http1_only(),
                Some(Version::Http2) => server.http2_only(),
                None => return,
            };
            // Without it small messages wait for the acknowledgement of those before.
            if let Err(error) = stream.set_nodelay(true) {
                debug!("connection of {peer}: set TCP_NODELAY: {error}");
            }
            let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
            if let Err(error) = watcher.watch(connection).await {
                debug!("connection of {peer}: {error}");
            }
            drop(permit);
        });
    }
}

/// The other half of the files that the process may open is left to the daemon itself.
fn max_connections() -> usize {
    let limits = Process::myself().and_then(|process| process.limits());
    match limits.map(|limits| limits.max_open_files.soft_limit) {
        Ok(LimitValue::Value(files)) => usize::try_from(files / 2)
            .unwrap_or(MAX_CONNECTIONS)
            .min(MAX_CONNECTIONS),
        Ok(LimitValue::Unlimited) | Err(_) => MAX_CONNECTIONS,
    }
}

fn server() -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HTTP1_BUFFER_BYTES);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_CONCURRENT_STREAMS)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .max_send_buf_size(SEND_BUFFER_BYTES);
    server
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

/// Tells the protocol from the first bytes, which stay in the socket; `None` when they do not come. hyper could
/// tell it as well, but would wait for a silent client for ever.
async fn version(stream: &TcpStream) -> Option<Version> {
    let told = timeout(HEADER_TIMEOUT, async {
        let mut start = [0; HTTP2_PREFACE.len()];
        loop {
            match stream.peek(&mut start).await {
                Ok(0) | Err(_) => return None,
                Ok(count) if start[..count] != HTTP2_PREFACE[..count] => return Some(Version::Http1),
                Ok(count) if count == start.len() => return Some(Version::Http2),
                // What is there is peeked again at once: wait for more of it.
                Ok(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    });
    told.await.ok().flatten()
}
