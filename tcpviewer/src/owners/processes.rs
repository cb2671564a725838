//! Processes that were at work on sockets: each is kept once, however many connections it has, and completed once by
//! what /proc tells.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use tcpviewer_common::{
    connection::{ConnectionKey, Side},
    owner::SocketOwner,
};

use super::read::{Line, seen};
use crate::model::{Clock, OwnerSource, Process};

/// Processes that are remembered; the first that came gives way.
const PROCESSES: usize = 16_384;

/// Ends that wait for one process; those behind them keep what the kernel said.
const WAITING: usize = 4_096;

/// What tells a process, as the program it was, from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct ProcessKey {
    pid: u32,
    started_ns: u64,
    command: [u8; 16],
}

impl ProcessKey {
    pub(super) const fn of(owner: &SocketOwner) -> Self {
        Self {
            pid: owner.process_id,
            started_ns: owner.started_ns,
            command: owner.command,
        }
    }
}

/// An end of a connection that has this process, and is to hear when more is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) key: ConnectionKey,
    pub(super) id: u64,
    pub(super) side: Side,
    pub(super) source: OwnerSource,
}

/// The processes.
pub(super) struct Processes {
    clock: Clock,
    known: HashMap<ProcessKey, Known>,
    order: VecDeque<ProcessKey>,
}

struct Known {
    process: Arc<Process>,
    state: State,
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Only what the kernel said.
    Seen,
    /// Its completion was asked for.
    Asked,
    /// All that will be known.
    Complete,
}

impl Processes {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: HashMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Takes note of a process that was at work. Returns whether its completion is to be asked for.
    pub(super) fn meet(&mut self, owner: &SocketOwner, line: &Line) -> bool {
        let key = ProcessKey::of(owner);
        if let Some(known) = self.known.get(&key) {
            return known.state == State::Seen;
        }
        if self.order.len() >= PROCESSES
            && let Some(first) = self.order.pop_front()
        {
            self.known.remove(&first);
        }
        self.order.push_back(key);
        let known = Known {
            process: seen(owner, line.text.clone(), self.clock).into(),
            state: State::Seen,
            waiting: Vec::new(),
        };
        self.known.insert(key, known);
        true
    }

    /// Takes note that the completion was asked for.
    pub(super) fn asked(&mut self, owner: &SocketOwner) {
        if let Some(known) = self.known.get_mut(&ProcessKey::of(owner)) {
            known.state = State::Asked;
        }
    }

    /// The process as it is known now, for an end that wants to hear of more; `None` for one that nobody met.
    pub(super) fn get(&mut self, owner: &SocketOwner, end: Waiting) -> Option<Arc<Process>> {
        let known = self.known.get_mut(&ProcessKey::of(owner))?;
        if known.state != State::Complete && known.waiting.len() < WAITING && !known.waiting.contains(&end) {
            known.waiting.push(end);
        }
        Some(Arc::clone(&known.process))
    }

    /// Takes what was read of a process. Returns the ends that are to hear of it.
    pub(super) fn complete(&mut self, key: &ProcessKey, process: &Arc<Process>) -> Vec<Waiting> {
        let Some(known) = self.known.get_mut(key) else {
            return Vec::new();
        };
        known.process = Arc::clone(process);
        known.state = State::Complete;
        std::mem::take(&mut known.waiting)
    }
}
