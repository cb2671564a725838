//! The kernel's own tables of sockets, /proc/net/tcp and tcp6 (Linux, Documentation/networking/proc_net_tcp.rst), for
//! where it answers no questions about them. In: the folder they are in, that of this network namespace or of a process
//! in another one. Out: a line for each socket, read one after the other, in the words of the model. Who reads them is
//! not told of a socket that comes or goes meanwhile, and may miss one that stands beside it.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Lines},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use procfs::{
    FromBufReadSI as _, current_system_info,
    net::{TcpNetEntries, TcpNetEntry, TcpState as EntryState},
};
use tcpviewer_common::{
    connection::{ConnectionKey, Side},
    state::TcpState,
};

use super::{
    known::{Known, News, Said},
    listeners::{Handshakes, completed},
    namespaces::Namespace,
    tcp_info,
};
use crate::model::{CongestionState, Listener, Socket, SocketDetails, SocketLook, SocketSource, key_between};

/// The table of each family.
const FILES: [&str; 2] = ["tcp", "tcp6"];
/// At most so many lines are read before other work gets its turn.
const BATCH: usize = 1_024;

/// The tables of one network namespace.
pub(super) struct Tables {
    folder: PathBuf,
    /// Whose they are; `None` where they are those of this process.
    namespace: Option<Namespace>,
    /// Those that are still to be read, last one first.
    files: Vec<&'static str>,
    lines: Option<Lines<BufReader<File>>>,
}

/// A socket as its line has it.
#[derive(Debug)]
pub(super) struct Line {
    entry: TcpNetEntry,
    /// `None` of what is no whole socket: of a handshake, and of what lingers after the end.
    more: Option<More>,
}

/// Columns that `procfs` leaves out.
#[derive(Clone, Copy, Debug)]
struct More {
    unanswered_timeouts: u32,
    rto_us: u32,
    congestion_window: u32,
    slow_start_threshold: Option<u32>,
}

impl Tables {
    /// Those in this folder, such as `/proc/thread-self/net`.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            namespace: None,
            files: Vec::new(),
            lines: None,
        }
    }

    /// Those of another network namespace.
    pub(super) fn of(namespace: Namespace) -> Self {
        Self {
            namespace: Some(namespace),
            ..Self::new(namespace.tables())
        }
    }

    /// The listening sockets: they stand before all others.
    ///
    /// # Errors
    ///
    /// When there is no table.
    pub(super) fn listeners(&self) -> io::Result<Vec<Listener>> {
        let mut listeners = Vec::new();
        for file in FILES {
            let listening = self.open(file)?.map_while(|line| {
                let line = line.ok()?;
                Line::parse(&line)?.listener()
            });
            listeners.extend(listening);
        }
        Ok(listeners)
    }

    /// The listening sockets with the handshakes that are on their way to them, by address.
    ///
    /// # Errors
    ///
    /// When there is no table.
    pub(super) fn listeners_with_handshakes(&self) -> io::Result<Vec<Listener>> {
        let (mut listeners, mut handshakes) = (Vec::new(), Handshakes::new());
        for file in FILES {
            for line in self.open(file)? {
                let line = line?;
                // Of very many others, nothing is read.
                let state = Columns::of(&line).0[STATE];
                if !matches!(state, LISTEN | SYN_RECEIVED | NEW_SYN_RECEIVED) {
                    continue;
                }
                let Some(line) = Line::parse(&line) else { continue };
                match line.listener() {
                    Some(listener) => listeners.push(listener),
                    None => *handshakes.entry(canonical(line.entry.local_address)).or_default() += 1,
                }
            }
        }
        Ok(completed(listeners, handshakes))
    }

    /// Begins to read all sockets.
    pub(super) fn begin(&mut self) {
        self.files = FILES.into_iter().rev().collect();
        self.lines = None;
    }

    /// What the next lines say that is new; `None` after the last.
    ///
    /// # Errors
    ///
    /// When a table cannot be read.
    pub(super) fn part(&mut self, known: &mut Known) -> io::Result<Option<Vec<News>>> {
        if self.lines.is_none() {
            let Some(file) = self.files.pop() else {
                return Ok(None);
            };
            self.lines = Some(self.open(file)?);
        }
        let mut news = Vec::new();
        for _line in 0..BATCH {
            let Some(line) = self.lines.as_mut().and_then(Iterator::next) else {
                self.lines = None;
                break;
            };
            news.extend(noted(&line?, known));
        }
        Ok(Some(news))
    }

    /// The lines of a table, its head aside. Without IPv6 there is no second one.
    fn open(&self, file: &str) -> io::Result<Lines<BufReader<File>>> {
        let mut lines = match File::open(self.folder.join(file)) {
            Ok(file) => BufReader::new(file).lines(),
            Err(error) if error.kind() == io::ErrorKind::NotFound && file != FILES[0] => {
                BufReader::new(File::open(Path::new("/dev/null"))?).lines()
            }
            Err(error) => return Err(error),
        };
        lines.next().transpose()?;
        if self.namespace.is_some_and(|namespace| !namespace.is_there()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(lines)
    }
}

impl Line {
    /// `None` where it is not understood.
    fn parse(text: &str) -> Option<Self> {
        // In front of the sockets stands a head, which is not read.
        let table = format!("\n{text}");
        let entries = TcpNetEntries::from_buf_read(table.as_bytes(), current_system_info()).ok()?;
        Some(Self {
            entry: entries.0.into_iter().next()?,
            more: More::of(&Columns::of(text)),
        })
    }

    fn state(&self) -> TcpState {
        tcp_info::state(self.entry.state.to_u8())
    }

    fn listener(&self) -> Option<Listener> {
        let entry = &self.entry;
        (entry.state == EntryState::Listen).then(|| Listener {
            address: canonical(entry.local_address),
            is_dual_stack: None,
            accept_queue: entry.rx_queue,
            accept_queue_limit: None,
            syn_queue: Some(0),
            drops: None,
            user_id: entry.uid,
            cookie: 0,
            inode: entry.inode,
            network_namespace: None,
            owner: None,
        })
    }

    /// What it says of the socket at this end of a connection.
    pub(super) fn look(&self, key: ConnectionKey, side: Side, looked_at: SystemTime) -> Option<SocketLook> {
        let more = self.more?;
        let details = SocketDetails {
            rto_us: Some(more.rto_us),
            unanswered_timeouts: Some(more.unanswered_timeouts),
            receive_queue_bytes: Some(self.entry.rx_queue),
            send_queue_bytes: Some(self.entry.tx_queue),
            congestion_state: CongestionState::Unknown,
            // The inode is that of the file, which a process gets when it accepts.
            is_accepted: Some(self.entry.inode != 0),
            ..SocketDetails::unknown(looked_at, SocketSource::Procfs, self.state())
        };
        let socket = Socket {
            sampled_at: looked_at,
            source: SocketSource::Procfs,
            srtt_us: None,
            min_rtt_us: None,
            congestion_window: more.congestion_window,
            slow_start_threshold: more.slow_start_threshold,
            segments: None,
            delivery_rate_bytes_per_second: None,
            details: Some(Arc::new(details)),
        };
        Some(SocketLook {
            key,
            side,
            cookie: 0,
            comes_in: None,
            socket,
            is_awaited: false,
        })
    }
}

/// Takes note of a connection; `None` where its line says nothing new. What lingers after the end is there, and says
/// nothing; of what only waits for late packets, packets told the end.
fn noted(text: &str, known: &mut Known) -> Option<News> {
    let columns = Columns::of(text);
    let id = known.hash_of(&columns.ends());
    match columns.0[STATE] {
        TIME_WAIT => {
            known.forget(id);
            return None;
        }
        CLOSED | LISTEN | SYN_SENT | SYN_RECEIVED | NEW_SYN_RECEIVED => return None,
        _ if columns.0[SLOW_START_THRESHOLD].is_empty() => {
            known.is_there(id);
            return None;
        }
        _ => {}
    }
    let hash = known.hash_of(&columns.said());
    if known.is_said(id, hash) {
        return None;
    }
    let line = Line::parse(text)?;
    let (local, remote) = (
        canonical(line.entry.local_address),
        canonical(line.entry.remote_address),
    );
    let (key, side) = key_between(local, remote);
    let is_new = known.note(id, hash, || (key, side))?;
    Some(News {
        id,
        key,
        side,
        said: Said::Line(Box::new(line)),
        is_new,
    })
}

/// A line cut into columns; those that it has not are empty.
struct Columns<'a>([&'a str; SLOW_START_THRESHOLD + 1]);

/// Columns by their number: those with a name in the head, and those behind them that are read.
const LOCAL: usize = 1;
const REMOTE: usize = 2;
const STATE: usize = 3;
const QUEUES: usize = 4;
const TIMEOUTS: usize = 6;
const INODE: usize = 9;
const RTO: usize = 12;
const CONGESTION_WINDOW: usize = 15;
const SLOW_START_THRESHOLD: usize = 16;

/// States that are no connections (Linux, include/net/tcp_states.h).
const SYN_SENT: &str = "02";
const SYN_RECEIVED: &str = "03";
const TIME_WAIT: &str = "06";
const CLOSED: &str = "07";
const LISTEN: &str = "0A";
const NEW_SYN_RECEIVED: &str = "0C";

impl<'a> Columns<'a> {
    fn of(line: &'a str) -> Self {
        let mut columns = [""; SLOW_START_THRESHOLD + 1];
        for (to, from) in columns.iter_mut().zip(line.split_ascii_whitespace()) {
            *to = from;
        }
        Self(columns)
    }

    fn ends(&self) -> [&'a str; 2] {
        [self.0[LOCAL], self.0[REMOTE]]
    }

    /// What is read of it, and is the same while nothing happens.
    fn said(&self) -> [&'a str; 7] {
        [
            STATE,
            QUEUES,
            TIMEOUTS,
            INODE,
            RTO,
            CONGESTION_WINDOW,
            SLOW_START_THRESHOLD,
        ]
        .map(|column| self.0[column])
    }
}

impl More {
    /// `None` where the line ends before them.
    fn of(columns: &Columns<'_>) -> Option<Self> {
        let Columns(columns) = columns;
        let ticks: u64 = columns[RTO].parse().ok()?;
        let threshold: i64 = columns[SLOW_START_THRESHOLD].parse().ok()?;
        Some(Self {
            unanswered_timeouts: u32::from_str_radix(columns[TIMEOUTS], 16).ok()?,
            rto_us: u32::try_from(ticks.saturating_mul(1_000_000) / procfs::ticks_per_second()).ok()?,
            congestion_window: columns[CONGESTION_WINDOW].parse().ok()?,
            // Less than nothing before the first loss.
            slow_start_threshold: u32::try_from(threshold).ok(),
        })
    }
}

fn canonical(end: SocketAddr) -> SocketAddr {
    SocketAddr::new(end.ip().to_canonical(), end.port())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;

    /// As Linux 6.18 writes it: a listener with three that wait, a handshake at it, open connections, one of them with
    /// something unanswered, one in its last minute, and something that is none.
    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0
   1: 0100007F:1F90 0200007F:C001 03 00000000:00000000 01:00000064 00000000     0        0 0 1 0
   2: 0100007F:1F90 0200007F:C000 01 00000000:00000007 00:00000000 00000000  1000        0 4243 1 0 20 4 30 10 -1
   3: 0100007F:1F90 0200007F:C002 08 0000002A:00000000 01:00000064 00000002  1000        0 0 1 0 80 4 30 1 7
   4: 0100007F:1F90 0200007F:C003 06 00000000:00000000 03:00000064 00000000     0        0 0 3 0
   5: rubbish
";

    fn tables(text: &str) -> (TempDir, Tables) {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("tcp"), text).unwrap();
        let tables = Tables::new(folder.path().to_owned());
        (folder, tables)
    }

    fn all(tables: &mut Tables, known: &mut Known) -> Vec<News> {
        known.begin(false, false);
        tables.begin();
        let mut news = Vec::new();
        while let Some(part) = tables.part(known).unwrap() {
            news.extend(part);
        }
        news
    }

    #[test]
    fn a_listener_is_read_with_what_waits_for_it() {
        let (_folder, tables) = tables(TABLE);

        let found = tables.listeners_with_handshakes().unwrap();

        let [listener] = &found[..] else {
            unreachable!("{found:?}")
        };
        assert_eq!(listener.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(
            (
                listener.accept_queue,
                listener.syn_queue,
                listener.user_id,
                listener.inode
            ),
            (3, Some(1), 1000, 4242)
        );
        assert_eq!((listener.accept_queue_limit, listener.drops), (None, None));
        assert_eq!(tables.listeners().unwrap().len(), 1);
    }

    #[test]
    fn of_a_connection_is_told_what_its_line_has_and_nothing_else() {
        let (_folder, mut tables) = tables(TABLE);

        let news = all(&mut tables, &mut Known::default());

        let looks: Vec<_> = news
            .iter()
            .map(|news| {
                news.said
                    .look(news.key, news.side, SystemTime::UNIX_EPOCH)
                    .unwrap()
                    .socket
            })
            .collect();
        let [open, unanswered] = &looks[..] else {
            unreachable!("{looks:?}")
        };
        assert_eq!(
            (
                open.source,
                open.srtt_us,
                open.segments,
                open.slow_start_threshold,
                open.congestion_window
            ),
            (SocketSource::Procfs, None, None, None, 10)
        );
        let details = open.details.as_deref().unwrap();
        assert_eq!(
            *details,
            SocketDetails {
                rto_us: Some(200_000),
                unanswered_timeouts: Some(0),
                receive_queue_bytes: Some(7),
                send_queue_bytes: Some(0),
                is_accepted: Some(true),
                ..SocketDetails::unknown(
                    SystemTime::UNIX_EPOCH,
                    SocketSource::Procfs,
                    TcpState::Established
                )
            }
        );
        let details = unanswered.details.as_deref().unwrap();
        assert_eq!(
            (
                details.state,
                details.unanswered_timeouts,
                details.send_queue_bytes,
                details.is_accepted
            ),
            (TcpState::CloseWait, Some(2), Some(42), Some(false))
        );
        assert_eq!(unanswered.slow_start_threshold, Some(7));
    }

    #[test]
    fn a_line_that_says_the_same_again_is_no_news_and_one_that_is_gone_twice_is_gone() {
        let (folder, mut tables) = tables(TABLE);
        let mut known = Known::default();
        assert_eq!(all(&mut tables, &mut known).len(), 2);
        assert!(all(&mut tables, &mut known).is_empty());

        let less: Vec<_> = TABLE.lines().filter(|line| !line.contains("C000")).collect();
        fs::write(folder.path().join("tcp"), less.join("\n")).unwrap();

        for expected in [0, 1] {
            assert!(all(&mut tables, &mut known).is_empty());
            assert_eq!(known.missing(2).len(), expected);
        }
    }
}
