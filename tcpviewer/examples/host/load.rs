//! The loads: a client in the host and a server in the container that keep both CPUs busy, for a given time and on one
//! address. Out: how much of it was done per second.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::cable::{CONTAINER, Cable, Packets};

/// Nothing waits longer, so that everything sees when it is over.
const PATIENCE: Duration = Duration::from_millis(200);
/// Before it is measured, so that windows are open and caches warm.
const WARM_UP: Duration = Duration::from_millis(150);
/// Bytes that a bulk sender writes at a time.
const BULK: usize = 128 << 10;
/// Bytes of a question and of its answer.
const MESSAGE: usize = 64;
/// Connections that ask at a time, and clients that connect.
const CLIENTS: usize = 4;
/// Ports of the servers of short connections, so that a client's ports last: each has all of them.
const PORTS: u16 = 16;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Load {
    /// One stream of much data, in packets that stand for many on the wire.
    Bulk,
    /// The same in small packets, without offload.
    SmallPackets,
    /// Questions and answers on connections that stay.
    PingPong,
    /// A connection for each question.
    Connections,
}

impl Load {
    pub(crate) const ALL: [Self; 4] = [Self::Bulk, Self::SmallPackets, Self::PingPong, Self::Connections];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::SmallPackets => "bulk in small packets",
            Self::PingPong => "questions and answers",
            Self::Connections => "short connections",
        }
    }

    pub(crate) const fn unit(self) -> &'static str {
        match self {
            Self::Bulk | Self::SmallPackets => "Mb/s",
            Self::PingPong | Self::Connections => "1/s",
        }
    }

    /// The cable that it is for.
    pub(crate) const fn packets(self) -> Packets {
        match self {
            Self::SmallPackets => Packets::Small,
            Self::Bulk | Self::PingPong | Self::Connections => Packets::Offloaded,
        }
    }

    /// How much of it is done per second.
    pub(crate) fn measure(self, cable: &Cable, lasting: Duration) -> Result<f64> {
        let traffic = Traffic::default();
        let (ports, clients) = match self {
            Self::Bulk | Self::SmallPackets => (1, 1),
            Self::PingPong => (1, CLIENTS),
            Self::Connections => (PORTS, CLIENTS),
        };
        thread::scope(|scope| {
            let (opened, addresses) = mpsc::channel();
            let traffic = &traffic;
            let servers = scope.spawn(move || cable.in_container(|| self.serve(traffic, ports, &opened)));
            // Where no server could be opened, the servers say why.
            let addresses: Vec<SocketAddr> = addresses.recv().unwrap_or_default();
            for nth in 0..clients {
                let addresses = addresses.clone();
                scope.spawn(move || traffic.note(self.ask(traffic, &addresses, nth)));
            }
            thread::sleep(WARM_UP);
            let (started, before) = (Instant::now(), traffic.done.load(Relaxed));
            thread::sleep(lasting);
            let (elapsed, done) = (started.elapsed(), traffic.done.load(Relaxed) - before);
            traffic.over.store(true, Relaxed);
            servers.join().unwrap_or(Ok(()))?;
            let each = if self.unit() == "Mb/s" { 8e-6 } else { 1.0 };
            Ok(done as f64 * each / elapsed.as_secs_f64())
        })
        .and_then(|rate| match traffic.failed.into_inner() {
            Ok(Some(error)) => Err(error),
            Ok(None) | Err(_) => Ok(rate),
        })
        .with_context(|| format!("make the load of {}", self.name()))
    }

    /// The servers, each on a port and a thread of its own, until it is over.
    fn serve(self, traffic: &Traffic, ports: u16, opened: &mpsc::Sender<Vec<SocketAddr>>) -> Result<()> {
        let listeners = (0..ports).map(|_port| TcpListener::bind((CONTAINER, 0)));
        let listeners = listeners.collect::<Result<Vec<_>, _>>().context("listen")?;
        let addresses = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<Result<_, _>>();
        for listener in &listeners {
            set_socket_timeout(listener, Timeout::Recv, Some(PATIENCE)).context("limit the time to wait")?;
        }
        // Who waits for them is gone only when it is over.
        opened.send(addresses.context("ask for the address")?).ok();
        thread::scope(|scope| {
            for listener in &listeners {
                scope.spawn(move || {
                    while !traffic.over.load(Relaxed) {
                        match listener.accept() {
                            Ok((stream, _)) if self == Self::Connections => {
                                traffic.note(self.answer(traffic, stream));
                            }
                            Ok((stream, _)) => {
                                scope.spawn(move || traffic.note(self.answer(traffic, stream)));
                            }
                            Err(error) if is_late(&error) => {}
                            Err(error) => traffic.note(Err(error)),
                        }
                    }
                });
            }
        });
        Ok(())
    }

    /// One connection at the server's end, until it ends or all is over.
    fn answer(self, traffic: &Traffic, mut stream: TcpStream) -> std::io::Result<()> {
        prepare(&stream)?;
        let mut buffer = vec![0; if self.unit() == "Mb/s" { 2 * BULK } else { MESSAGE }];
        while !traffic.over.load(Relaxed) {
            let read = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if is_late(&error) => continue,
                Err(error) => return Err(error),
            };
            match self {
                Self::Bulk | Self::SmallPackets => traffic.add(read as u64),
                Self::PingPong | Self::Connections => stream.write_all(&buffer)?,
            }
        }
        Ok(())
    }

    /// One client, until it is over.
    fn ask(self, traffic: &Traffic, servers: &[SocketAddr], nth: usize) -> std::io::Result<()> {
        let mut next = servers.iter().cycle().skip(nth);
        let mut stream = None;
        let (bulk, mut message) = (vec![0; BULK], [0; MESSAGE]);
        while !traffic.over.load(Relaxed) {
            let Some(server) = next.next() else { break };
            let mut open = match stream.take() {
                Some(open) => open,
                None => TcpStream::connect(server).and_then(|open| prepare(&open).map(|()| open))?,
            };
            match self {
                Self::Bulk | Self::SmallPackets => match open.write(&bulk) {
                    Err(error) if !is_late(&error) => return Err(error),
                    Ok(_) | Err(_) => stream = Some(open),
                },
                Self::PingPong | Self::Connections => {
                    open.write_all(&message)?;
                    match open.read_exact(&mut message) {
                        // What has no answer in time does not count, and another connection is tried.
                        Err(error) if is_late(&error) => continue,
                        answered => answered?,
                    }
                    traffic.add(1);
                    stream = (self == Self::PingPong).then_some(open);
                }
            }
        }
        Ok(())
    }
}

/// What the threads of a load share.
#[derive(Default)]
struct Traffic {
    done: AtomicU64,
    over: AtomicBool,
    /// The first thing that went wrong before it was over.
    failed: Mutex<Option<anyhow::Error>>,
}

impl Traffic {
    fn add(&self, done: u64) {
        self.done.fetch_add(done, Relaxed);
    }

    fn note(&self, result: std::io::Result<()>) {
        if let (Err(error), false, Ok(mut failed)) = (result, self.over.load(Relaxed), self.failed.lock()) {
            failed.get_or_insert(error.into());
        }
    }
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

/// Whether nothing came in time.
fn is_late(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
