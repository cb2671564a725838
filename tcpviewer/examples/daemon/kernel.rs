//! The daemon at work in the kernel, with the default settings: on a quiet host, and with connections that pass a cable
//! whose both ends it sees.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _, stdin, stdout},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    MEBIBYTE,
    cable::{CONTAINER, Cable, Packets},
    daemon::{Daemon, program},
    grouped, observe,
    rows::Row,
};

/// After the start, until what it left to do is done.
const SETTLE: Duration = Duration::from_secs(3);
/// Changes are made in so many steps per second.
const STEPS: u32 = 100;
/// Listening ports, so that a client's ports last.
const PORTS: u16 = 4;
/// Open files of a process that are no connections, at most.
const OTHER_FILES: u32 = 200;

/// The daemon on a host on which nothing happens, its start and its end.
pub(crate) fn quiet_host(lasting: Duration) -> Result<Vec<Row>> {
    let _cable = Cable::lay(Packets::Offloaded)?;
    let row = |name: &str, value, unit| Row::new("daemon", name, value, unit);
    let started = Instant::now();
    let daemon = Daemon::start(&[])?;
    daemon.status()?;
    let answered = started.elapsed().as_secs_f64();
    thread::sleep(SETTLE);
    let (cpu, resident) = daemon.observe(lasting * 2)?;
    let resources = daemon
        .status()?
        .resources
        .context("the status tells what the daemon costs")?;
    let maps = resources
        .kernel_map_bytes
        .context("the kernel tells the size of its maps")?;
    let stopped = daemon.stop()?.as_secs_f64();
    let bytes = fs::metadata(program()?)
        .context("look at the daemon's program")?
        .len();
    Ok(vec![
        row("program", bytes as f64 / MEBIBYTE, "MiB").at_most(20.0),
        row("from start to first answer", answered, "s").below(1.0),
        row("from signal to end", stopped, "s").below(1.0),
        row("work, quiet host", cpu, "%").below(0.3),
        row("memory, quiet host", resident as f64 / MEBIBYTE, "MiB"),
        row("kernel maps, quiet host", maps as f64 / MEBIBYTE, "MiB"),
    ])
}

/// How many connections this process may hold at one end; the other end is another process's.
pub(crate) fn most_connections() -> u32 {
    let files = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::from(u32::MAX));
    u32::try_from(files)
        .unwrap_or(u32::MAX)
        .saturating_sub(OTHER_FILES)
}

/// So many connections, of which so many change per second.
pub(crate) fn connections(connections: u32, changes: u32, lasting: Duration) -> Result<Vec<Row>> {
    let cable = Cable::lay(Packets::Offloaded)?;
    cable.set("ipv4/ip_local_port_range", "1024 65535")?;
    raise_limit()?;
    let daemon = Daemon::start(&[])?;
    let servers = Servers::start(&cable, connections)?;
    let mut streams = open(connections, &servers.addresses)?;
    let over = AtomicBool::new(false);
    let (rows, subscriber) = thread::scope(|scope| {
        let change = scope.spawn(|| keep_changing(&mut streams, changes, &over));
        thread::sleep(SETTLE);
        let rows = rows(&daemon, connections, changes, lasting);
        over.store(true, Relaxed);
        change.join().map_err(|_panic| anyhow!("the client panicked"))??;
        rows
    })?;
    daemon.stop()?;
    subscriber.end()?;
    Ok(rows)
}

/// As many open files as the process may have.
fn raise_limit() -> Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, limit).context("raise the limit of open files")
}

fn rows(
    daemon: &Daemon,
    connections: u32,
    changes: u32,
    lasting: Duration,
) -> Result<(Vec<Row>, crate::daemon::Subscriber)> {
    let what = format!(
        "{} connections, {} changes/s",
        grouped(connections),
        grouped(changes)
    );
    let (rows, subscriber) = observe(daemon, &what, lasting)?;
    let status = daemon.status()?;
    let tracked = status.connections.unwrap_or_default().tracked;
    ensure!(
        tracked >= u64::from(connections),
        "{tracked} connections are tracked of {connections}"
    );
    let maps = status.resources.and_then(|resources| resources.kernel_map_bytes);
    let limits = if connections == 10_000 {
        (2.0, None)
    } else {
        (15.0, Some(120.0))
    };
    let mut numbered = Vec::new();
    for (nth, row) in rows.into_iter().enumerate() {
        numbered.push(match (nth % 2, limits.1) {
            (0, _) => row.below(limits.0),
            (_, Some(limit)) => row.below(limit),
            _ => row,
        });
    }
    let maps = maps.context("the kernel tells the size of its maps")? as f64 / MEBIBYTE;
    numbered.push(Row::new("daemon", format!("kernel maps, {what}"), maps, "MiB"));
    Ok((numbered, subscriber))
}

/// The servers, in a process of their own, which ends with this value.
struct Servers {
    child: Child,
    addresses: Vec<SocketAddr>,
}

impl Servers {
    fn start(cable: &Cable, connections: u32) -> Result<Self> {
        let mut child = cable.in_container(|| {
            Command::new(env::current_exe()?)
                .args(["--hold", &connections.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .context("start the servers")
        })?;
        let output = child.stdout.take().context("the output of the servers")?;
        let mut servers = Self {
            child,
            addresses: Vec::new(),
        };
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .context("read the servers' addresses")?;
        for address in line.split_whitespace() {
            servers
                .addresses
                .push(address.parse().context("read an address of the servers")?);
        }
        Ok(servers)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // One that has ended already is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What the process of the servers does: takes the connections and holds them until its input ends, and reads nothing
/// of what little comes.
pub(crate) fn hold(connections: u32) -> Result<()> {
    raise_limit()?;
    let listeners = (0..PORTS).map(|_port| TcpListener::bind((CONTAINER, 0)));
    let listeners = listeners.collect::<Result<Vec<_>, _>>().context("listen")?;
    let mut line = String::new();
    for listener in &listeners {
        line += &format!("{} ", listener.local_addr()?);
    }
    writeln!(stdout(), "{line}").context("tell the addresses")?;
    let mut held = Vec::with_capacity(connections as usize);
    for listener in listeners.iter().cycle().take(connections as usize) {
        held.push(listener.accept().context("accept")?);
    }
    stdin()
        .read_to_end(&mut Vec::new())
        .context("wait for the end of the input")?;
    Ok(())
}

/// The clients of all connections, one port of the servers after the other.
fn open(connections: u32, addresses: &[SocketAddr]) -> Result<Vec<TcpStream>> {
    let servers = addresses.iter().cycle().take(connections as usize);
    servers
        .map(|server| {
            let stream = TcpStream::connect(server).context("connect")?;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
        .collect()
}

/// Lets so many connections per second say a word, one after the other, until it is over.
fn keep_changing(streams: &mut [TcpStream], changes: u32, over: &AtomicBool) -> Result<()> {
    let mut next = (0..streams.len()).cycle();
    let mut due = Instant::now();
    while !over.load(Relaxed) {
        for place in next.by_ref().take((changes / STEPS) as usize) {
            if let Some(stream) = streams.get_mut(place) {
                stream.write_all(b"changed").context("write")?;
            }
        }
        due += Duration::from_secs(1) / STEPS;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}
