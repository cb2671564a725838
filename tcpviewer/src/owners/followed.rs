//! What is known of the ends of each connection that has none, or not the best owner yet, and when it is worth looking
//! again. Pure bookkeeping.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tcpviewer_common::connection::{ConnectionKey, ConnectionRecord, Half, Place, Side};
use tokio::time::Instant;

use crate::model::{OwnerSource, Tracked};

/// When to look again where a socket of this host has no owner: `accept` comes after the connection is made.
const LOOKS: [Duration; 3] = [
    Duration::from_millis(30),
    Duration::from_millis(200),
    Duration::from_secs(1),
];
/// How often it is looked whether an end is a socket of another network namespace.
const LOOKS_ELSEWHERE: u8 = 3;

/// The two sides in the order of the record's halves.
pub(super) const SIDES: [Side; 2] = [Side::Low, Side::High];

/// The connections.
#[derive(Default)]
pub(super) struct Followed {
    connections: HashMap<ConnectionKey, Ends>,
    due: BTreeSet<(Instant, ConnectionKey)>,
}

/// The ends of one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) id: u64,
    pub(super) first_seen_ns: u64,
    /// Whether its beginning was seen.
    pub(super) by_handshake: bool,
    pub(super) source: Side,
    /// Whether somebody can hold its sockets.
    pub(super) is_established: bool,
    pub(super) ends: [End; 2],
    due: Option<Instant>,
    looks: u8,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    /// Its socket; 0 where it is not known.
    pub(super) cookie: u64,
    /// Whether it is a socket that is known, or one of this network namespace.
    pub(super) is_local: bool,
    /// Whether its packets leave this host, or come in; `None` before one was seen.
    pub(super) is_here: Option<bool>,
    /// How its owner is known, if it is.
    pub(super) named: Option<OwnerSource>,
    /// The socket whose owner that is; 0 where it was found otherwise.
    pub(super) named_cookie: u64,
    /// How often processes were searched for it.
    pub(super) scans: u8,
    /// Whether they are being searched.
    pub(super) is_wanted: bool,
}

impl End {
    /// Whether another look may bring more.
    pub(super) fn is_open(&self) -> bool {
        self.named.is_none_or(|source| !source.is_certain())
    }
}

impl Followed {
    /// Takes note of a sample. Returns the ends of its connection when it is worth looking for their owners.
    pub(super) fn take(&mut self, tracked: &Tracked) -> Option<&mut Ends> {
        let record = &tracked.record;
        if tracked.is_last {
            // There may be an end that has no owner yet; it gets none any more.
            self.forget(&tracked.key);
            return None;
        }
        if self
            .connections
            .get(&tracked.key)
            .is_some_and(|known| known.id != record.id)
        {
            self.forget(&tracked.key);
        }
        let ends = self.connections.entry(tracked.key).or_insert(Ends {
            id: record.id,
            first_seen_ns: record.first_seen_ns,
            by_handshake: record.has(ConnectionRecord::BY_HANDSHAKE),
            source: record.source_side(),
            is_established: false,
            ends: [End::default(); 2],
            due: None,
            looks: 0,
        });
        let is_complete = record.established_ns != 0 || !ends.by_handshake;
        ends.is_established = is_complete && record.closed_ns == 0;
        for (end, half) in ends.ends.iter_mut().zip(&record.halves) {
            if half.socket_cookie != 0 {
                end.cookie = half.socket_cookie;
            }
            // It was another socket that was found by its endpoints.
            if end.cookie != 0 && end.named_cookie != 0 && end.named_cookie != end.cookie {
                end.named = None;
            }
            end.is_here = (half.place != 0).then(|| Place(half.place).is_egress());
            end.is_local = half.socket_cookie != 0 || half.has(Half::SEEN) && Place(half.place).is_egress();
        }
        let local = ends.ends.iter().any(|end| end.is_local && end.is_open());
        let elsewhere = ends.looks < LOOKS_ELSEWHERE && ends.ends.iter().any(End::is_open);
        (local || elsewhere).then_some(ends)
    }

    /// What is known of a connection, should it be this one.
    pub(super) fn get(&mut self, key: &ConnectionKey, id: u64) -> Option<&mut Ends> {
        self.connections.get_mut(key).filter(|ends| ends.id == id)
    }

    /// Takes note of the socket at an end; 0 says nothing, and what is known stays. The connection's id where that is news.
    pub(super) fn set_cookie(&mut self, key: &ConnectionKey, side: Side, cookie: u64) -> Option<u64> {
        let ends = self.connections.get_mut(key)?;
        let [low, high] = &mut ends.ends;
        let end = match side {
            Side::Low => low,
            Side::High => high,
        };
        if end.cookie != 0 || cookie == 0 {
            return None;
        }
        end.cookie = cookie;
        Some(ends.id)
    }

    /// Forgets a connection.
    pub(super) fn forget(&mut self, key: &ConnectionKey) {
        if let Some(due) = self.connections.remove(key).and_then(|ends| ends.due) {
            self.due.remove(&(due, *key));
        }
    }

    /// Takes note of a look at the ends, and when to look again. Returns whether nothing more will come of looking.
    pub(super) fn looked(&mut self, key: &ConnectionKey, now: Instant) -> bool {
        let Some(ends) = self.connections.get_mut(key) else {
            return false;
        };
        ends.looks = ends.looks.saturating_add(1);
        // The next look stands, or is not due by itself. Of a connection whose beginning nobody saw, what there is to be
        // seen is there already.
        if ends.due.is_some()
            || !ends.by_handshake
            || !ends.ends.iter().any(|end| end.is_local && end.is_open())
        {
            return false;
        }
        match LOOKS.get(usize::from(ends.looks) - 1) {
            Some(pause) => {
                ends.due = Some(now + *pause);
                self.due.insert((now + *pause, *key));
                false
            }
            None => true,
        }
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _key)| *at)
    }

    /// Connections at which a look is due.
    pub(super) fn due(&mut self, now: Instant) -> Vec<(ConnectionKey, Ends)> {
        let mut due = Vec::new();
        while let Some(&(at, key)) = self.due.first()
            && at <= now
        {
            self.due.pop_first();
            if let Some(ends) = self.connections.get_mut(&key) {
                ends.due = None;
                due.push((key, *ends));
            }
        }
        due
    }
}
