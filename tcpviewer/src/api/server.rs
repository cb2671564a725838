//! The connections of the listening sockets. In: connections over TCP, TLS and Unix sockets. Out: one HTTP/1.1 or
//! HTTP/2 server per connection around the routes, told who is at the other end, with limits on how many there are
//! and how long each may dawdle, and an end in bounded time. What a request means is up to the routes.

use std::{
    future::{pending, poll_fn},
    io,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Extension, Router};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use procfs::process::{LimitValue, Process};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::Layer as _;
use tracing::{debug, warn};

use super::{
    ApiContext, ApiError,
    access::Peer,
    entrances::{Entrance, Entrances},
    gate::Gate,
    guard::Hosts,
    listen::Accepted,
    reload::{FromFiles, Reloaded},
    routes,
    tls::certified,
    version::{self, Version},
};

/// Connections that are served at a time, where the process may open twice as many files; what comes beyond is
/// closed at once.
const MAX_CONNECTIONS: usize = 4_096;
/// Requests at a time on one HTTP/2 connection.
const MAX_CONCURRENT_STREAMS: u32 = 256;
/// Time for a client to say what it wants: the TLS handshake, the first bytes of a connection, the head of a request.
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

/// What is known of the one who sends a request, before the request is read.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Who it is.
    pub(super) peer: Peer,
    /// The hosts it may name.
    pub(super) hosts: Arc<Hosts>,
}

/// Serves the API and the dashboard until `shutdown` is ready; then ends all streams and returns within a second.
pub async fn serve(
    entrances: Entrances,
    context: ApiContext,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ApiError> {
    let Entrances {
        list: entrances,
        access,
        access_file,
        certificates,
    } = entrances;
    let (stop, stopped) = watch::channel(false);
    let packets = Arc::clone(&context.packets);
    let history = Arc::clone(&context.history);
    let commands = context.commands.clone();
    let routes = routes::routes(context, Gate::new(access), stopped.clone()).await?;

    let mut tasks = JoinSet::new();
    let connections = GracefulShutdown::new();
    let service = Service {
        server: server(),
        routes,
        stopped,
    };
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        () = accept(&entrances, &service, &connections, &mut tasks) => Ok(()),
        // It ends when the daemon takes no more commands: the daemon stops.
        () = packets.follow_readers(commands.clone()) => Ok(()),
        () = history.follow_watchers(commands) => Ok(()),
        error = follow(access_file) => Err(error),
        error = follow(certificates) => Err(error),
    };
    drop(entrances);
    stop.send_replace(true);
    if timeout(SHUTDOWN_TIME, connections.shutdown()).await.is_err() {
        debug!("clients did not take the end of their streams in time");
    }
    tasks.shutdown().await;
    outcome
}

/// Follows the files, if there are any; ends only when that fails.
async fn follow(files: Option<Reloaded<impl FromFiles>>) -> ApiError {
    match files {
        Some(files) => match files.follow().await {
            Ok(never) => match never {},
            Err(error) => ApiError::Follow(error),
        },
        None => pending().await,
    }
}

/// What every connection gets.
#[derive(Clone)]
struct Service {
    server: Builder<TokioExecutor>,
    routes: Router,
    stopped: watch::Receiver<bool>,
}

async fn accept(
    entrances: &[Entrance],
    service: &Service,
    connections: &GracefulShutdown,
    tasks: &mut JoinSet<()>,
) {
    let limit = max_connections();
    let permits = Arc::new(Semaphore::new(limit));
    let mut full = false;
    loop {
        while tasks.try_join_next().is_some() {}
        let (entrance, accepted) = match poll_fn(|context| poll_accept(entrances, context)).await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!("accept a connection: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            if !full {
                warn!(
                    "{limit} connections are open: close those beyond, such as one at {}",
                    entrance.url
                );
            }
            full = true;
            continue;
        };
        full = false;
        let (service, watcher) = (service.clone(), connections.watcher());
        let hosts = Arc::clone(&entrance.hosts);
        // The newest certificate; handshakes and connections that have begun keep theirs.
        let tls = entrance.tls.as_ref().map(|newest| Arc::clone(&newest.borrow()));
        tasks.spawn(async move {
            service.welcome(accepted, tls, hosts, watcher).await;
            drop(permit);
        });
    }
}

fn poll_accept<'a>(
    entrances: &'a [Entrance],
    context: &mut Context<'_>,
) -> Poll<io::Result<(&'a Entrance, Accepted)>> {
    for entrance in entrances {
        if let Poll::Ready(accepted) = entrance.listener.poll_accept(context) {
            return Poll::Ready(accepted.map(|accepted| (entrance, accepted)));
        }
    }
    Poll::Pending
}

impl Service {
    /// Finds out who it is, and serves the connection to its end.
    async fn welcome(
        self,
        accepted: Accepted,
        tls: Option<Arc<ServerConfig>>,
        hosts: Arc<Hosts>,
        watcher: Watcher,
    ) {
        match accepted {
            Accepted::Unix(stream) => match stream.peer_cred() {
                Ok(user) => {
                    let peer = Peer::Local { uid: user.uid() };
                    self.serve(stream, Caller { peer, hosts }, watcher).await;
                }
                Err(error) => warn!("ask who has connected to the Unix socket: {error}"),
            },
            Accepted::Tcp(stream, address) => {
                // Without it small messages wait for the acknowledgement of those before.
                if let Err(error) = stream.set_nodelay(true) {
                    debug!("connection of {address}: set TCP_NODELAY: {error}");
                }
                let known = |certified| {
                    let peer = Peer::Network { address, certified };
                    Caller { peer, hosts }
                };
                let Some(tls) = tls else {
                    return self.serve(stream, known(None), watcher).await;
                };
                match self.shake_hands(stream, tls).await {
                    Ok(stream) => {
                        let caller = known(certified(stream.get_ref().1));
                        self.serve(stream, caller, watcher).await;
                    }
                    Err(error) => debug!("connection of {address}: TLS handshake: {error}"),
                }
            }
        }
    }

    async fn shake_hands(
        &self,
        stream: TcpStream,
        tls: Arc<ServerConfig>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut stopped = self.stopped.clone();
        tokio::select! {
            stream = timeout(HEADER_TIMEOUT, TlsAcceptor::from(tls).accept(stream)) => stream?,
            _stopped = stopped.wait_for(|stopped| *stopped) => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    async fn serve<S>(mut self, stream: S, caller: Caller, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let told = tokio::select! {
            told = timeout(HEADER_TIMEOUT, version::told(stream)) => told,
            // Browsers hold connections ready that have not said a word.
            _stopped = self.stopped.wait_for(|stopped| *stopped) => return,
        };
        // Who goes or stays silent is not worth a word.
        let Ok(Ok(Some((version, stream)))) = told else {
            return;
        };
        let server = match version {
            Version::Http1 => self.server.http1_only(),
            Version::Http2 => self.server.http2_only(),
        };
        let peer = caller.peer.clone();
        let routes = Extension(caller).layer(self.routes);
        let connection = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
        if let Err(error) = watcher.watch(connection).await {
            debug!("connection of {peer}: {error}");
        }
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
