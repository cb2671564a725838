//! Who owns the sockets: a stage that the capture's samples pass on their way to the table, and to which it adds what it
//! knows of the processes at their ends. In: samples, what the kernel's programs saw, and /proc, read by threads that
//! may block. Out: the same samples, with owners behind them, and owners that were found later. The answer names how
//! it was found; where it is not known for sure that a process had the socket, none is named.

mod abilities;

mod group;

mod read;

mod scan;

mod kernel;

mod processes;

mod listeners;

mod listening;

mod followed;

use std::{io, sync::Arc, time::Duration};

use tcpviewer_common::{
    connection::{ConnectionKey, Side},
    owner::{FoundSocket, OwnerEvent, SocketOwner},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

pub use self::listening::ListenerOwners;
use self::{
    followed::{Ends, Followed, SIDES},
    kernel::Kernel,
    listeners::Listeners,
    processes::{ProcessKey, Processes, Waiting},
    read::{Line, Reader},
    scan::{Scanner, Wanted},
};
use crate::{
    attach::OwnerMaps,
    model::{
        Clock, Degradation, Owner, OwnerLook, OwnerSource, Process, Sample, SampleBatch, Tracked, boot_ns,
        endpoint,
    },
};

/// Processes that may wait to be read.
const READS: usize = 4_096;
/// Sockets that may wait to be looked for, all of them at once.
const WANTED: usize = 524_288;
/// When no more sockets came for so long, they are looked for, ...
const GATHER: Duration = Duration::from_millis(100);
/// ... and also while more come, so long after the first one.
const GATHER_AT_MOST: Duration = Duration::from_secs(2);
/// How often the processes are searched for the holder of one socket. The last time is for one that gets a holder later:
/// by then something has passed.
const SCANS: u8 = 3;
/// A socket of another network namespace was connected no longer than this before its first packet was seen, or after.
const NEARBY_NS: u64 = 10_000_000_000;

/// The stage.
pub struct Owners {
    kernel: Kernel,
    processes: Processes,
    listeners: Listeners,
    followed: Followed,
    wanted: Vec<Wanted>,
    /// When the first of them was wanted.
    wanted_since: Instant,
    /// When they have gathered.
    gathered_at: Instant,
    /// When sockets may be looked for; `None` while they are.
    free_at: Option<Instant>,
    reads: mpsc::Sender<Read>,
    scans: mpsc::Sender<Vec<Wanted>>,
    answers: mpsc::Receiver<Answer>,
}

/// What does not work here, and what that costs.
pub fn degradations(maps: &OwnerMaps) -> Vec<Degradation> {
    abilities::degradations(maps.unknown_layout.as_deref())
}

/// The threads that read /proc, to be run wherever blocking is allowed.
pub struct Threads {
    clock: Clock,
    reads: mpsc::Receiver<Read>,
    scans: mpsc::Receiver<Vec<Wanted>>,
    answers: mpsc::Sender<Answer>,
}

/// A process to be read.
struct Read {
    owner: SocketOwner,
    line: Line,
}

/// What a thread found.
enum Answer {
    Process(ProcessKey, Arc<Process>),
    Scanned {
        asked: Vec<Wanted>,
        found: Vec<(Wanted, Owner)>,
        free_at: Option<std::time::Instant>,
    },
}

impl Owners {
    /// Prepares the stage and its threads.
    ///
    /// # Errors
    ///
    /// When the kernel's ring buffer cannot be waited for.
    pub fn new(maps: OwnerMaps, clock: Clock) -> io::Result<(Self, Threads)> {
        let (reads, reads_in) = mpsc::channel(READS);
        let (scans, scans_in) = mpsc::channel(1);
        let (answers, answers_in) = mpsc::channel(READS);
        let owners = Self {
            kernel: Kernel::new(maps)?,
            processes: Processes::new(clock),
            listeners: Listeners::default(),
            followed: Followed::default(),
            wanted: Vec::new(),
            wanted_since: Instant::now(),
            gathered_at: Instant::now(),
            free_at: Some(Instant::now()),
            reads,
            scans,
            answers: answers_in,
        };
        let threads = Threads {
            clock,
            reads: reads_in,
            scans: scans_in,
            answers,
        };
        Ok((owners, threads))
    }

    /// Passes samples on until they end.
    ///
    /// # Errors
    ///
    /// When the kernel's ring buffer cannot be waited for any more.
    pub async fn run(
        mut self,
        mut samples_in: mpsc::Receiver<SampleBatch>,
        samples: mpsc::Sender<SampleBatch>,
    ) -> io::Result<()> {
        loop {
            let next = self.followed.next().into_iter().chain(self.scan_at()).min();
            let mut looks = Vec::new();
            tokio::select! {
                batch = samples_in.recv() => {
                    let Some(mut batch) = batch else { return Ok(()) };
                    self.listen();
                    self.take(&mut batch.samples);
                    // The receiver is gone only when the daemon stops.
                    samples.send(batch).await.ok();
                    continue;
                }
                woken = self.kernel.readable() => {
                    woken?;
                    self.listen();
                    continue;
                }
                Some(answer) = self.answers.recv() => self.hear(answer, &mut looks),
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    self.listen();
                    let now = Instant::now();
                    for (key, ends) in self.followed.due(now) {
                        self.look(&key, ends, now, &mut looks);
                    }
                    if self.scan_at().is_some_and(|at| at <= now) {
                        self.scan();
                    }
                }
            }
            if !looks.is_empty() {
                let batch = SampleBatch {
                    at: Instant::now(),
                    samples: looks,
                };
                samples.send(batch).await.ok();
            }
        }
    }

    /// Takes what the programs told since the last time.
    fn listen(&mut self) {
        while let Some(event) = self.kernel.next() {
            if event.owner.act == SocketOwner::LISTENS {
                self.listeners.take(&event);
            } else {
                let line = line(&event);
                self.meet(&event.owner, line);
            }
        }
    }

    /// Takes note of a process, and asks for what /proc tells of it. Where too many wait, it is asked for when it is met
    /// again.
    fn meet(&mut self, owner: &SocketOwner, line: Line) {
        if self.processes.meet(owner, &line) && self.reads.try_send(Read { owner: *owner, line }).is_ok() {
            self.processes.asked(owner);
        }
    }

    /// Adds what is known of owners to the samples.
    fn take(&mut self, samples: &mut Vec<Sample>) {
        let now = Instant::now();
        let mut looks = Vec::new();
        for sample in &*samples {
            match sample {
                Sample::Tracked(tracked) => self.take_tracked(tracked, now, &mut looks),
                Sample::Gone(key, _reason) => self.followed.forget(key),
                // Whoever looked at a socket knows which one it is.
                Sample::Socket(look) => {
                    let known = look
                        .comes_in
                        .and_then(|place| self.followed.set_cookie(&look.key, look.side, look.cookie, place));
                    if let Some(id) = known {
                        self.take_back(&mut looks);
                        self.want(&look.key, id, now);
                    }
                }
                Sample::Owner(_) | Sample::Failure(_) | Sample::Backlogs(_) => {}
            }
        }
        samples.append(&mut looks);
    }

    fn take_tracked(&mut self, tracked: &Tracked, now: Instant, looks: &mut Vec<Sample>) {
        let ends = self.followed.take(tracked).map(|ends| *ends);
        self.take_back(looks);
        if let Some(ends) = ends {
            self.look(&tracked.key, ends, now, looks);
        }
    }

    /// Takes back what was told of other sockets.
    fn take_back(&mut self, looks: &mut Vec<Sample>) {
        let mistaken = self.followed.mistaken().into_iter();
        looks.extend(mistaken.map(|(key, id, side)| unknown(key, id, side)));
    }

    /// Looks for the owners of both ends.
    fn look(&mut self, key: &ConnectionKey, mut ends: Ends, now: Instant, looks: &mut Vec<Sample>) {
        for (index, side) in SIDES.into_iter().enumerate() {
            let end = ends.ends[index];
            if !end.is_open() {
                continue;
            }
            let Some((owner, source, cookie)) = self.find(key, &ends, index) else {
                continue;
            };
            if end.named.is_some_and(|named| named >= source) {
                continue;
            }
            self.meet(&owner, Line::default());
            let waiting = Waiting {
                key: *key,
                id: ends.id,
                side,
                source,
            };
            if let Some(process) = self.processes.get(&owner, waiting) {
                ends.ends[index].name(source, cookie);
                looks.push(named(waiting, process));
            }
        }
        if let Some(known) = self.followed.get(key, ends.id) {
            known.ends = ends.ends;
        }
        let has_looked_enough = self.followed.looked(key, now);
        // Of a connection whose beginning nobody saw, nobody saw who connected or accepted it.
        if has_looked_enough || !ends.by_handshake {
            self.want(key, ends.id, now);
        }
    }

    /// Who owns one end, by what the programs saw, how that is known, and the socket's cookie.
    fn find(
        &mut self,
        key: &ConnectionKey,
        ends: &Ends,
        index: usize,
    ) -> Option<(SocketOwner, OwnerSource, u64)> {
        let (side, end) = (SIDES[index], ends.ends[index]);
        let cookie = match end.cookie {
            0 if is_loopback(key) => return None,
            0 => {
                let found = self.kernel.socket(key, side);
                found.filter(|found| is_unmistakable(found, ends))?.cookie
            }
            cookie => cookie,
        };
        if let Some(owner) = self.kernel.owner(cookie) {
            let source = if owner.act == SocketOwner::ASKED_FOR_PEER {
                OwnerSource::Accept
            } else {
                OwnerSource::Connect
            };
            return Some((owner, source, cookie));
        }
        if side == ends.source || !ends.by_handshake {
            return None;
        }
        let network = self.kernel.network(key, side, cookie)?;
        let (address, port) = match side {
            Side::Low => (key.low, key.low_port),
            Side::High => (key.high, key.high_port),
        };
        let owner = self
            .listeners
            .owner(network, address, port, boot_ns(), read::is_alive)?;
        Some((owner, OwnerSource::Listener, cookie))
    }

    /// Lets the processes be searched for the holders of these sockets.
    fn want(&mut self, key: &ConnectionKey, id: u64, now: Instant) {
        let Some(ends) = self.followed.get(key, id) else {
            return;
        };
        if !ends.is_established {
            return;
        }
        let is_new = !ends.by_handshake;
        for (side, end) in SIDES.into_iter().zip(&mut ends.ends) {
            let is_worth_it = end.is_local || is_new;
            if !is_worth_it || !end.is_open() || end.is_wanted || end.scans >= SCANS {
                continue;
            }
            // What finds no room is wanted again with the next sample.
            if self.wanted.len() >= WANTED {
                return;
            }
            if self.wanted.is_empty() {
                self.wanted_since = now;
            }
            self.gathered_at = (now + GATHER).min(self.wanted_since + GATHER_AT_MOST);
            end.is_wanted = true;
            self.wanted.push(Wanted {
                key: *key,
                id,
                side,
                cookie: end.cookie,
                is_here: end.is_here,
            });
        }
    }

    /// When the processes are to be searched; `None` while they are, and where nothing is wanted.
    fn scan_at(&self) -> Option<Instant> {
        let free_at = self.free_at.filter(|_at| !self.wanted.is_empty())?;
        Some(free_at.max(self.gathered_at))
    }

    fn scan(&mut self) {
        // Meanwhile more may be known of them.
        for wanted in &mut self.wanted {
            let ends = self.followed.get(&wanted.key, wanted.id);
            if let Some(end) = ends.map(|ends| ends.ends[usize::from(wanted.side == Side::High)]) {
                (wanted.cookie, wanted.is_here) = (end.cookie, end.is_here);
            }
        }
        // The thread waits for it: it has answered the last one.
        if self.scans.try_send(std::mem::take(&mut self.wanted)).is_ok() {
            self.free_at = None;
        }
    }

    /// Takes what a thread found.
    fn hear(&mut self, answer: Answer, looks: &mut Vec<Sample>) {
        match answer {
            Answer::Process(key, process) => {
                for end in self.processes.complete(&key, &process) {
                    // Another one may have been found meanwhile, or this one have been taken back.
                    let known = self.followed.get(&end.key, end.id);
                    let index = usize::from(end.side == Side::High);
                    if known.is_none_or(|ends| ends.ends[index].named == Some(end.source)) {
                        looks.push(named(end, Arc::clone(&process)));
                    }
                }
            }
            Answer::Scanned {
                asked,
                found,
                free_at,
            } => {
                self.free_at = Some(free_at.map_or_else(Instant::now, Instant::from_std));
                for (wanted, owner) in found {
                    self.take_found(&wanted, owner, looks);
                }
                for wanted in asked {
                    if let Some(end) = self.end(&wanted) {
                        end.is_wanted = false;
                        let is_same = end.cookie == wanted.cookie;
                        end.scans += u8::from(is_same);
                        // It has become known meanwhile which socket it is, or it is here and was missed: a table can
                        // leave a socket out, and of one that stays silent no sample asks again.
                        let is_again = !is_same || end.scans == 1 && end.is_missing();
                        // The name that was found by the endpoints is not that of this socket.
                        if is_same
                            && end.cookie != 0
                            && end.named.is_none()
                            && std::mem::take(&mut end.is_told)
                        {
                            looks.push(unknown(wanted.key, wanted.id, wanted.side));
                        }
                        if is_again {
                            self.want(&wanted.key, wanted.id, Instant::now());
                        }
                    }
                }
            }
        }
    }

    fn take_found(&mut self, wanted: &Wanted, owner: Owner, looks: &mut Vec<Sample>) {
        if let Some(end) = self.end(wanted)
            && end.named.is_none_or(|named| named < owner.source)
        {
            end.name(owner.source, wanted.cookie);
            looks.push(Sample::Owner(Box::new(OwnerLook {
                key: wanted.key,
                id: wanted.id,
                side: wanted.side,
                owner: Some(owner),
            })));
        }
    }

    fn end(&mut self, wanted: &Wanted) -> Option<&mut followed::End> {
        let [low, high] = &mut self.followed.get(&wanted.key, wanted.id)?.ends;
        Some(match wanted.side {
            Side::Low => low,
            Side::High => high,
        })
    }
}

impl Threads {
    /// Two bodies of threads: one reads single processes, the other one searches all of them, which takes longer. Both
    /// end with the stage.
    pub fn bodies(self) -> [Box<dyn FnOnce() + Send>; 2] {
        let Self {
            clock,
            mut reads,
            mut scans,
            answers,
        } = self;
        let scanned = answers.clone();
        let read = move || {
            let mut reader = Reader::new(clock);
            while let Some(Read { owner, line }) = reads.blocking_recv() {
                let process = reader.complete(&owner, line);
                let answer = Answer::Process(ProcessKey::of(&owner), process.into());
                if answers.blocking_send(answer).is_err() {
                    return;
                }
            }
        };
        let scan = move || {
            let mut reader = Reader::new(clock);
            let mut scanner = Scanner::new();
            while let Some(asked) = scans.blocking_recv() {
                let found = scanner.scan(&asked, &mut reader);
                let free_at = scanner.free_at();
                let answer = Answer::Scanned {
                    asked,
                    found,
                    free_at,
                };
                if scanned.blocking_send(answer).is_err() {
                    return;
                }
            }
        };
        [Box::new(read), Box::new(scan)]
    }
}

fn named(end: Waiting, process: Arc<Process>) -> Sample {
    Sample::Owner(Box::new(OwnerLook {
        key: end.key,
        id: end.id,
        side: end.side,
        owner: Some(Owner {
            process,
            source: end.source,
        }),
    }))
}

/// Nothing is known of the owner of this end, and what was said is taken back.
fn unknown(key: ConnectionKey, id: u64, side: Side) -> Sample {
    Sample::Owner(Box::new(OwnerLook {
        key,
        id,
        side,
        owner: None,
    }))
}

fn line(event: &OwnerEvent) -> Line {
    let bytes = event.arguments.get(..usize::from(event.argument_bytes));
    Line::of(bytes.unwrap_or_default(), event.all_argument_bytes)
}

/// Whether the connection stays within its namespace: every one has such addresses of its own.
fn is_loopback(key: &ConnectionKey) -> bool {
    [(key.low, key.low_port), (key.high, key.high_port)]
        .into_iter()
        .any(|(address, port)| endpoint(address, port).ip().is_loopback())
}

/// Whether a socket that was found by its endpoints alone is that of the connection: it was connected when the connection
/// began, and no other network namespace has had the same endpoints since.
fn is_unmistakable(found: &FoundSocket, ends: &Ends) -> bool {
    ends.by_handshake
        && found.time_ns.abs_diff(ends.first_seen_ns) <= NEARBY_NS
        && (found.rival_ns == 0 || found.rival_ns.saturating_add(NEARBY_NS) < ends.first_seen_ns)
        && found.time_ns <= boot_ns()
}
