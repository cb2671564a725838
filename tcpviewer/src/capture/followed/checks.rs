//! When to look at which connection. Many come and go between two looks, and all of them wait equally long: those stand
//! in line, where joining costs next to nothing. Who leaves a line before his time is passed over when it comes.

use std::collections::{BTreeSet, VecDeque};

use tcpviewer_common::connection::ConnectionKey;

/// How a connection waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// For an update interval to pass, as all others that have just become active.
    Quiet,
    /// For its record to go, as all others that have just ended.
    Ended,
    /// For a time of its own.
    AsLong,
}

/// Times of boot time, and connections to be looked at then.
#[derive(Default)]
pub(super) struct Checks {
    quiet: VecDeque<(u64, ConnectionKey)>,
    ended: VecDeque<(u64, ConnectionKey)>,
    others: BTreeSet<(u64, ConnectionKey)>,
}

impl Checks {
    /// Lets a connection wait until this time. Returns how it waits: one that would have to overtake others in line, as when
    /// the update interval has become shorter, waits by itself.
    pub(super) fn insert(&mut self, at_ns: u64, key: ConnectionKey, wait: Wait) -> Wait {
        let line = match wait {
            Wait::Quiet => Some(&mut self.quiet),
            Wait::Ended => Some(&mut self.ended),
            Wait::AsLong => None,
        };
        if let Some(line) = line
            && line.back().is_none_or(|(last_ns, _key)| *last_ns <= at_ns)
        {
            line.push_back((at_ns, key));
            return wait;
        }
        self.others.insert((at_ns, key));
        Wait::AsLong
    }

    /// Lets a connection wait no longer, unless it stands in line: there it is left to whoever calls it up.
    pub(super) fn remove(&mut self, at_ns: u64, key: ConnectionKey, wait: Wait) {
        if wait == Wait::AsLong {
            self.others.remove(&(at_ns, key));
        }
    }

    /// When the next one is to be looked at.
    pub(super) fn next_ns(&self) -> Option<u64> {
        let lines = self.quiet.front().into_iter().chain(self.ended.front());
        lines.chain(self.others.first()).map(|(at_ns, _key)| *at_ns).min()
    }

    /// One whose time has come, and when that was. It may have left, or wait for another time by now.
    pub(super) fn pop(&mut self, now_ns: u64) -> Option<(u64, ConnectionKey)> {
        let is_due = |next: &(u64, ConnectionKey)| next.0 <= now_ns;
        if self.quiet.front().is_some_and(is_due) {
            self.quiet.pop_front()
        } else if self.others.first().is_some_and(is_due) {
            self.others.pop_first()
        } else if self.ended.front().is_some_and(is_due) {
            self.ended.pop_front()
        } else {
            None
        }
    }

    /// How many wait for a time of their own.
    #[cfg(test)]
    pub(super) fn others(&self) -> usize {
        self.others.len()
    }
}
