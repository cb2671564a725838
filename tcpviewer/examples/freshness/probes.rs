//! What happens: connections that open and close, and connections that are used, at moments that have nothing to do
//! with the daemon's own. In: a server in the container. Out: what happened, and when.

use std::{
    collections::HashMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::cable::{CONTAINER, Cable};

/// Connections that are used.
const LONG: u64 = 40;
/// Time from one use to the next, of all connections together.
const STEP: Duration = Duration::from_millis(5);

/// A connection, and what happened to it.
pub(crate) struct Probe {
    /// The client's port.
    pub(crate) port: u16,
    /// Just before its SYN left.
    pub(crate) opened: Instant,
    /// Bytes sent in all, and just before the last of them left.
    pub(crate) sent: Vec<(u64, Instant)>,
    /// Just before the FIN that ended it.
    pub(crate) closed: Option<Instant>,
}

/// Reads what comes, and closes after the client did.
pub(crate) struct Server {
    address: SocketAddr,
    /// By the client's port: just before the server's FIN.
    ends: Arc<Mutex<HashMap<u16, Instant>>>,
}

impl Server {
    /// Starts it. Its threads end with the process.
    pub(crate) fn start(cable: &Cable) -> Result<Self> {
        let listener = cable.in_container(|| TcpListener::bind((CONTAINER, 0)).context("listen"))?;
        let server = Self {
            address: listener.local_addr()?,
            ends: Arc::default(),
        };
        let ends = Arc::clone(&server.ends);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let ends = Arc::clone(&ends);
                thread::spawn(move || read(stream, &ends));
            }
        });
        Ok(server)
    }

    /// Adds the ends to those that were closed.
    pub(crate) fn take_ends(&self, probes: &mut [Probe]) -> Result<()> {
        let ends = self.ends.lock().ok().context("the server panicked")?;
        for probe in probes {
            probe.closed = ends.get(&probe.port).copied();
        }
        Ok(())
    }
}

fn read(mut stream: TcpStream, ends: &Mutex<HashMap<u16, Instant>>) {
    let mut buffer = [0; 1_024];
    while stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
    if let (Ok(peer), Ok(mut ends)) = (stream.peer_addr(), ends.lock()) {
        ends.insert(peer.port(), Instant::now());
    }
}

/// Connections that open, and close soon after, one after the other.
pub(crate) fn short(server: &Server, lasting: Duration) -> Result<Vec<Probe>> {
    let mut probes = Vec::new();
    let started = Instant::now();
    while started.elapsed() < lasting {
        let (stream, probe) = open(server)?;
        pause(probes.len() as u64);
        drop(stream);
        probes.push(probe);
        pause(probes.len() as u64 + 77);
    }
    Ok(probes)
}

/// Connections that stay, and are used now and then.
pub(crate) fn long(server: &Server, lasting: Duration) -> Result<Vec<Probe>> {
    let opened = (0..LONG).map(|_nth| open(server));
    let mut opened = opened.collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    for nth in 0.. {
        if started.elapsed() >= lasting {
            break;
        }
        thread::sleep(STEP);
        let Some((stream, probe)) = opened.get_mut((scattered(nth) % LONG) as usize) else {
            continue;
        };
        let before = probe.sent.last().map_or(0, |(bytes, _)| *bytes);
        probe.sent.push((before + 4, Instant::now()));
        stream.write_all(b"used").context("write")?;
    }
    // They are closed when all is told that was to be told of their use.
    thread::sleep(Duration::from_secs(1));
    Ok(opened.into_iter().map(|(_stream, probe)| probe).collect())
}

fn open(server: &Server) -> Result<(TcpStream, Probe)> {
    let opened = Instant::now();
    let stream = TcpStream::connect(server.address).context("connect")?;
    stream.set_nodelay(true)?;
    let probe = Probe {
        port: stream.local_addr()?.port(),
        opened,
        sent: Vec::new(),
        closed: None,
    };
    Ok((stream, probe))
}

/// Some milliseconds, each time others.
fn pause(nth: u64) {
    thread::sleep(Duration::from_micros(2_000 + scattered(nth) % 30_000));
}

/// A number that looks like chance and is the same for the same number (the finaliser of MurmurHash3).
const fn scattered(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}
