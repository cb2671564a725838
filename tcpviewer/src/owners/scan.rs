//! Finds who holds a socket, for sockets of which the kernel's programs did not tell: those older than the daemon above
//! all. The kernel says which inode a socket has (sock_diag where its cookie is known, /proc/PID/net/tcp elsewhere), and
//! the descriptors of all processes say who holds it. That walk is made for all wanted sockets at once.

use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use procfs::{
    FromReadSI as _, current_system_info,
    net::{TcpNetEntries, TcpNetEntry, TcpState, tcp, tcp6},
    process::{FDTarget, Process as Directory, all_processes},
};
use tcpviewer_common::connection::{ConnectionKey, Side};

use super::read::Reader;
use crate::{
    model::{Owner, OwnerSource, Process, Work, endpoint},
    sockets::{
        diag::Diag,
        namespaces::{Namespace, Namespaces},
    },
};

/// A walk through all processes is followed by a pause of so many times its CPU time, and no less than [`LEAST_PAUSE`].
const PAUSE: u32 = 50;
const LEAST_PAUSE: Duration = Duration::from_secs(1);

/// A socket whose owner is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its connection.
    pub(super) key: ConnectionKey,
    /// The connection's id.
    pub(super) id: u64,
    /// Which end it is.
    pub(super) side: Side,
    /// Its cookie; 0 where that is not known.
    pub(super) cookie: u64,
    /// Whether it is in this network namespace; `None` where that is not known.
    pub(super) is_here: Option<bool>,
}

/// Walks through processes, not too often.
pub(super) struct Scanner {
    /// `None` where the kernel does not answer.
    diag: Option<Diag>,
    namespaces: Namespaces,
    rest_until: Option<Instant>,
}

impl Scanner {
    pub(super) fn new() -> Self {
        let open =
            Diag::open().inspect_err(|error| tracing::debug!(%error, "sockets are looked up in procfs"));
        Self {
            diag: open.ok(),
            namespaces: Namespaces::default(),
            rest_until: None,
        }
    }

    /// When the next walk may be made.
    pub(super) fn free_at(&self) -> Option<Instant> {
        self.rest_until
    }

    /// The owners of these sockets, as far as they have one that can be seen.
    pub(super) fn scan(&mut self, wanted: &[Wanted], reader: &mut Reader) -> Vec<(Wanted, Owner)> {
        let work = Work::begun();
        let inodes = self.inodes(wanted);
        let holders = holders(&inodes.values().copied().collect(), reader);
        let found: Vec<_> = wanted
            .iter()
            .filter_map(|wanted| {
                let holders = holders.get(inodes.get(&place(wanted))?)?;
                Some((*wanted, oldest(holders)?))
            })
            .collect();
        let took = work.done();
        self.rest_until = Some(rest_after(took));
        tracing::debug!(
            wanted = wanted.len(),
            found = found.len(),
            ?took,
            "looked for the owners of sockets"
        );
        found
    }

    /// The inodes of these sockets.
    fn inodes(&mut self, wanted: &[Wanted]) -> HashMap<(ConnectionKey, bool), u64> {
        let mut inodes = HashMap::new();
        let (mut by_cookie, mut by_ends) = (Vec::new(), Vec::new());
        for wanted in wanted {
            match self.diag.as_mut().filter(|_diag| wanted.cookie != 0) {
                Some(diag) => {
                    if !ask(diag, wanted, &mut inodes) && wanted.is_here != Some(true) {
                        by_cookie.push(wanted);
                    }
                }
                None => by_ends.push(wanted),
            }
        }
        if !by_cookie.is_empty() {
            self.ask_inside(by_cookie, &mut inodes);
        }
        if !by_ends.is_empty() {
            self.look_for_ends(&by_ends, &mut inodes);
        }
        inodes
    }

    /// Asks for sockets in the other network namespaces, until all are found.
    fn ask_inside(&mut self, mut wanted: Vec<&Wanted>, inodes: &mut HashMap<(ConnectionKey, bool), u64>) {
        for namespace in self.namespaces.of_late(LEAST_PAUSE) {
            if wanted.is_empty() {
                return;
            }
            match Diag::inside(namespace) {
                Ok(mut diag) => wanted.retain(|wanted| !ask(&mut diag, wanted, inodes)),
                Err(error) => tracing::debug!(%error, "look into a network namespace"),
            }
        }
    }

    /// Looks for sockets by their endpoints in the tables of the network namespaces in which they can be. Endpoints that
    /// are taken in more than one of those belong to nobody: which of them was meant is not known.
    fn look_for_ends(&mut self, wanted: &[&Wanted], inodes: &mut HashMap<(ConnectionKey, bool), u64>) {
        let mut found = HashMap::new();
        let by_ends = |not_there: bool| -> HashMap<_, _> {
            let wanted = wanted.iter().filter(|wanted| wanted.is_here != Some(not_there));
            wanted.map(|wanted| (ends(wanted), place(wanted))).collect()
        };
        let (here, elsewhere) = (by_ends(false), by_ends(true));
        if !here.is_empty() {
            let tables = [tcp(), tcp6()].into_iter().flatten();
            tables.for_each(|entries| take(&entries, &here, &mut found));
        }
        if !elsewhere.is_empty() {
            for namespace in self.namespaces.of_late(LEAST_PAUSE) {
                for table in tables_inside(namespace) {
                    take(&table, &elsewhere, &mut found);
                }
            }
        }
        inodes.extend(
            found
                .into_iter()
                .filter_map(|(place, inode)| Some((place, inode?))),
        );
    }
}

/// Notes the inodes of sockets whose endpoints are wanted; none where another socket has the same endpoints. A table can
/// have one line twice: its end is read anew, and other sockets may have come since.
fn take(
    entries: &[TcpNetEntry],
    wanted: &HashMap<(SocketAddr, SocketAddr), (ConnectionKey, bool)>,
    found: &mut HashMap<(ConnectionKey, bool), Option<u64>>,
) {
    for entry in entries.iter().filter(|entry| is_connected(entry)) {
        let ends = (canonical(entry.local_address), canonical(entry.remote_address));
        if let Some(place) = wanted.get(&ends) {
            let inode = found.entry(*place).or_insert(Some(entry.inode));
            *inode = inode.filter(|inode| *inode == entry.inode);
        }
    }
}

/// Asks for a socket by its cookie. Returns whether it is in that namespace; it has an inode if somebody holds it.
fn ask(diag: &mut Diag, wanted: &Wanted, inodes: &mut HashMap<(ConnectionKey, bool), u64>) -> bool {
    match diag.ask(&wanted.key, wanted.side, wanted.cookie) {
        Ok(Some(answer)) => {
            if answer.header.inode != 0 {
                inodes.insert(place(wanted), answer.header.inode.into());
            }
            true
        }
        Ok(None) => false,
        Err(error) => {
            tracing::debug!(%error, "a socket could not be asked for");
            false
        }
    }
}

/// The sockets of another network namespace; none where that is gone.
fn tables_inside(namespace: &Namespace) -> Vec<Vec<TcpNetEntry>> {
    let tables = ["tcp", "tcp6"].map(|name| {
        let path = namespace.tables().join(name);
        TcpNetEntries::from_file(path, current_system_info()).map(|entries| entries.0)
    });
    let tables = tables.into_iter().flatten().collect();
    if namespace.is_there() { tables } else { Vec::new() }
}

fn place(wanted: &Wanted) -> (ConnectionKey, bool) {
    (wanted.key, wanted.side == Side::High)
}

/// Its own end and the other one.
fn ends(wanted: &Wanted) -> (SocketAddr, SocketAddr) {
    let key = &wanted.key;
    let (low, high) = (endpoint(key.low, key.low_port), endpoint(key.high, key.high_port));
    match wanted.side {
        Side::Low => (low, high),
        Side::High => (high, low),
    }
}

/// Whether somebody can hold the socket.
fn is_connected(entry: &TcpNetEntry) -> bool {
    entry.inode != 0 && entry.state != TcpState::Listen
}

fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

/// Until when there is to be no other walk after one of so much CPU time that has just ended.
pub(super) fn rest_after(took: Duration) -> Instant {
    Instant::now() + (took * PAUSE).max(LEAST_PAUSE)
}

/// A process that holds a socket.
pub(super) struct Holder {
    process: Arc<Process>,
    start_ticks: u64,
}

/// Which processes hold sockets of these inodes. Each that does is read, and counts with what it still holds after that:
/// else another process may have come to its number.
pub(super) fn holders(inodes: &HashSet<u64>, reader: &mut Reader) -> HashMap<u64, Vec<Arc<Holder>>> {
    let mut holders: HashMap<u64, Vec<Arc<Holder>>> = HashMap::new();
    if inodes.is_empty() {
        return holders;
    }
    let Ok(processes) = all_processes() else {
        return holders;
    };
    for directory in processes.flatten() {
        let Ok(pid) = u32::try_from(directory.pid()) else {
            continue;
        };
        if !sockets(&directory).any(|inode| inodes.contains(&inode)) {
            continue;
        }
        let Some(found) = reader.read(pid) else { continue };
        // A process can hold a socket by several descriptors. The directory is that of one process for good.
        let held: HashSet<u64> = sockets(&directory)
            .filter(|inode| inodes.contains(inode))
            .collect();
        if directory
            .stat()
            .is_ok_and(|stat| stat.starttime == found.start_ticks)
        {
            let holder = Arc::new(Holder {
                process: found.process.into(),
                start_ticks: found.start_ticks,
            });
            for inode in held {
                holders.entry(inode).or_default().push(Arc::clone(&holder));
            }
        }
    }
    holders
}

/// Inodes of the sockets that a process holds.
fn sockets(process: &Directory) -> impl Iterator<Item = u64> {
    let descriptors = process.fd().into_iter().flatten().flatten();
    descriptors.filter_map(|descriptor| {
        if let FDTarget::Socket(inode) = descriptor.target {
            Some(inode)
        } else {
            None
        }
    })
}

/// The oldest of the processes that hold a socket.
pub(super) fn oldest(holders: &[Arc<Holder>]) -> Option<Owner> {
    let source = if holders.len() == 1 {
        OwnerSource::Descriptor
    } else {
        OwnerSource::SharedDescriptor
    };
    let oldest = holders
        .iter()
        .min_by_key(|holder| (holder.start_ticks, holder.process.pid))?;
    Some(Owner {
        process: Arc::clone(&oldest.process),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::{
        fmt::Write as _,
        net::{TcpListener, TcpStream},
        process,
        time::SystemTime,
    };

    use rustix::net::sockopt::socket_cookie;

    use super::*;
    use crate::model::{Clock, key_between};

    fn wanted(end: &TcpStream) -> Wanted {
        let (key, side) = key_between(end.local_addr().unwrap(), end.peer_addr().unwrap());
        Wanted {
            key,
            id: 1,
            side,
            cookie: socket_cookie(end).unwrap(),
            is_here: Some(true),
        }
    }

    #[test]
    fn endpoints_belong_to_one_socket_however_often_its_line_is_read() {
        let lines = |inodes: &[u64]| {
            let mut table = "  sl  local_address rem_address   st\n".to_owned();
            for inode in inodes {
                writeln!(
                    table,
                    "   0: 0100007F:9C40 0100007F:01BB 01 00000000:00000000 00:00000000 00000000     0        0 {inode} 1"
                )
                .unwrap();
            }
            TcpNetEntries::from_read(table.as_bytes(), current_system_info())
                .unwrap()
                .0
        };
        let ends = [40_000, 443].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let (key, _side) = key_between(ends[0], ends[1]);
        let wanted = HashMap::from([((ends[0], ends[1]), (key, true))]);
        for (inodes, inode) in [
            (&[7][..], Some(7)),
            (&[7, 7], Some(7)),
            (&[7, 8], None),
            (&[7, 8, 7], None),
        ] {
            let mut found = HashMap::new();
            take(&lines(inodes), &wanted, &mut found);
            assert_eq!(found, HashMap::from([((key, true), inode)]), "{inodes:?}");
        }
    }

    #[test]
    fn who_holds_a_socket_is_found_by_its_cookie_and_by_its_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let source = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let mut reader = Reader::new(Clock::new(SystemTime::UNIX_EPOCH));
        let by_cookie = [wanted(&source), wanted(&accepted)];
        let by_ends = by_cookie.map(|wanted| Wanted { cookie: 0, ..wanted });
        let mut scanner = Scanner::new();
        for asked in [by_cookie, by_ends] {
            // Of the table in procfs a reader can miss a line while others open and close sockets.
            let looks = (0..5).map(|_look| scanner.scan(&asked, &mut reader));
            let found = looks.max_by_key(Vec::len).unwrap();
            assert_eq!(found.len(), 2, "{found:?}");
            for (wanted, owner) in found {
                assert!(asked.contains(&wanted));
                assert_eq!(owner.process.pid, process::id());
            }
        }
        assert!(scanner.free_at().unwrap() > Instant::now());
    }

    #[test]
    fn a_socket_that_is_gone_belongs_to_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let source = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let wanted = wanted(&source);
        drop(source);
        let mut reader = Reader::new(Clock::new(SystemTime::UNIX_EPOCH));
        assert!(Scanner::new().scan(&[wanted], &mut reader).is_empty());
        // Nor does another one in its place.
        let other = Wanted {
            cookie: wanted.cookie + 1_000_000,
            ..wanted
        };
        assert!(Scanner::new().scan(&[other], &mut reader).is_empty());
    }

    #[test]
    fn thousands_of_sockets_of_one_process_take_one_walk() {
        const CONNECTIONS: usize = 2_000;
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        if files.maximum.is_some_and(|most| most < 3 * CONNECTIONS as u64) {
            return;
        }
        let more = rustix::process::Rlimit {
            current: files.maximum,
            ..files
        };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, more).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let open: Vec<_> = (0..CONNECTIONS)
            .flat_map(|_| {
                let source = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                [source, listener.accept().unwrap().0]
            })
            .collect();
        let asked: Vec<_> = open.iter().map(wanted).collect();
        let mut reader = Reader::new(Clock::new(SystemTime::UNIX_EPOCH));
        let started = Instant::now();
        let found = Scanner::new().scan(&asked, &mut reader);
        let took = started.elapsed();
        assert_eq!(found.len(), 2 * CONNECTIONS);
        let first = &found[0].1.process;
        assert!(found.iter().all(|(_, owner)| Arc::ptr_eq(&owner.process, first)));
        // Looking at all its descriptors for each of its sockets would take many times as long.
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}
