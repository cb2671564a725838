//! What comes and goes: connections of which each asks once or stays for a while, and interfaces.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::cable::{CONTAINER, Cable, ip};

/// Ports of the servers, so that a client's ports last.
const PORTS: usize = 8;
/// Of so many connections one stays.
const STAYS: u64 = 20;
/// Those that stay, for each client, oldest out first.
const STAYING: usize = 100;
/// How long an interface is there, and how long it is not.
const INTERFACE: Duration = Duration::from_secs(1);

/// Answers in the container.
pub(crate) struct Server(Vec<SocketAddr>);

impl Server {
    /// Starts it. Its threads end with the process.
    pub(crate) fn start(cable: &Cable) -> Result<Self> {
        let mut addresses = Vec::new();
        for _port in 0..PORTS {
            let listener = cable.in_container(|| TcpListener::bind((CONTAINER, 0)).context("listen"))?;
            addresses.push(listener.local_addr()?);
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    thread::spawn(move || answer(stream));
                }
            });
        }
        Ok(Self(addresses))
    }
}

/// Sends back what comes, until the client closes.
fn answer(mut stream: TcpStream) {
    let mut buffer = [0; 512];
    while let Ok(read @ 1..) = stream.read(&mut buffer)
        && let Some(part) = buffer.get(..read)
        && stream.write_all(part).is_ok()
    {}
}

/// Opens connections and ends them, with a pause between, until it is over. Some stay for a while and ask now and then.
pub(crate) fn come_and_go(server: &Server, client: u64, pause: Duration, over: &AtomicBool) -> Result<()> {
    let mut staying = Vec::new();
    let mut due = Instant::now();
    for (number, address) in (0_u64..).zip(server.0.iter().cycle()) {
        if over.load(Relaxed) {
            break;
        }
        let mut stream = TcpStream::connect(address).context("connect")?;
        stream.set_nodelay(true)?;
        ask(&mut stream)?;
        if number % STAYS == client {
            staying.push(stream);
        }
        if staying.len() > STAYING {
            drop(staying.remove(0));
        }
        let asking = number as usize % STAYING;
        if let Some(stays) = staying.get_mut(asking) {
            ask(stays)?;
        }
        due = (due + pause).max(Instant::now());
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

fn ask(stream: &mut TcpStream) -> Result<()> {
    let mut message = [7; 100];
    stream.write_all(&message).context("ask")?;
    stream.read_exact(&mut message).context("be answered")
}

/// Makes an interface and takes it away again, until it is over.
pub(crate) fn interfaces(over: &AtomicBool) -> Result<()> {
    for number in 0.. {
        if over.load(Relaxed) {
            break;
        }
        let (near, far) = (format!("near{number}"), format!("far{number}"));
        ip(&format!("link add {near} type veth peer name {far}"))?;
        ip(&format!("link set {near} up"))?;
        ip(&format!("link set {far} up"))?;
        thread::sleep(INTERFACE);
        ip(&format!("link delete {near}"))?;
        thread::sleep(INTERFACE);
    }
    Ok(())
}
