//! The connections of a capture: the map and the packet path of the kernel's programs, in memory. Takes one packet
//! after the other and tells what each did; at the end, all there is.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    mem,
};

use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, Place},
    ledger::LedgerCounters,
    parse::Skip,
    segment::Segment,
    tracker::{self, Outcome, Sighting},
};

use super::{BrokenOff, CapturedPacket, Replay, link};
use crate::{
    capture::convert,
    model::{InterfaceNames, Ledger, Tracked},
};

/// The connections so far.
#[derive(Debug)]
pub struct Connections {
    live: HashMap<ConnectionKey, ConnectionRecord>,
    /// Those whose endpoints a newer connection has taken over.
    replaced: Vec<(ConnectionKey, ConnectionRecord)>,
    max_connections: usize,
    opened: u64,
    counters: LedgerCounters,
    unsupported: BTreeMap<u16, u64>,
    newest_ns: u64,
}

/// What a packet did that was counted for a connection.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// The connection.
    pub key: ConnectionKey,
    /// Its id.
    pub id: u64,
    /// The packet.
    pub segment: Segment,
    /// Its circumstances.
    pub seen: Sighting,
    /// What it did.
    pub outcome: Outcome,
}

impl Connections {
    /// None yet, and room for this many.
    pub fn new(max_connections: u32) -> Self {
        Self {
            live: HashMap::new(),
            replaced: Vec::new(),
            max_connections: max_connections as usize,
            opened: 0,
            counters: LedgerCounters::default(),
            unsupported: BTreeMap::new(),
            newest_ns: 0,
        }
    }

    /// Takes a packet into its connection; `None` where it is counted for none.
    pub fn take(&mut self, packet: &CapturedPacket) -> Option<Taken> {
        self.newest_ns = self.newest_ns.max(packet.time_ns);
        let read = match packet.link_type {
            Some(link_type) if !link::is_supported(link_type) => {
                *self.unsupported.entry(link_type).or_default() += 1;
                return None;
            }
            Some(link_type) => link::segment(link_type, &packet.bytes, packet.length),
            None => Err(Skip::Malformed),
        };
        self.counters.packets_seen += 1;
        match read {
            Ok(segment) => self.track(segment, packet),
            Err(reason) => {
                *self.counters.skipped(reason) += 1;
                None
            }
        }
    }

    fn track(&mut self, segment: Segment, packet: &CapturedPacket) -> Option<Taken> {
        let (key, side) = ConnectionKey::of(&segment);
        let held = self.live.len() + self.replaced.len();
        let record = match self.live.entry(key) {
            Entry::Occupied(entry) if !tracker::replaces(entry.get(), &segment, side) => entry.into_mut(),
            // The one that is replaced stays as it was, so the new one needs room of its own.
            Entry::Occupied(mut entry) if held < self.max_connections => {
                let before = mem::replace(entry.get_mut(), ConnectionRecord::VACANT);
                self.replaced.push((key, before));
                entry.into_mut()
            }
            Entry::Vacant(entry) if held < self.max_connections => entry.insert(ConnectionRecord::VACANT),
            Entry::Occupied(entry) => {
                self.replaced.push(entry.remove_entry());
                self.counters.packets_table_full += 1;
                return None;
            }
            Entry::Vacant(_) => {
                self.counters.packets_table_full += 1;
                return None;
            }
        };
        let seen = Sighting {
            side,
            place: Place::new(packet.interface + 1, false),
            now_ns: packet.time_ns,
            new_id: self.opened + 1,
        };
        let outcome = tracker::observe(record, &segment, seen);
        self.opened += u64::from(outcome.opened);
        if !outcome.counted {
            self.counters.packets_seen_elsewhere += 1;
            return None;
        }
        self.counters.packets_tracked += 1;
        Some(Taken {
            key,
            id: record.id,
            segment,
            seen,
            outcome,
        })
    }

    /// A connection as it is now.
    pub fn tracked(&self, key: &ConnectionKey, names: &InterfaceNames) -> Option<Tracked> {
        self.live.get(key).map(|record| tracked((*key, *record), names))
    }

    /// The connections whose endpoints newer ones have taken over, after the first so many of them.
    pub fn replaced_since(&self, count: usize, names: &InterfaceNames) -> impl Iterator<Item = Tracked> {
        self.replaced
            .iter()
            .skip(count)
            .map(|entry| tracked(*entry, names))
    }

    /// How many of those there are.
    pub const fn replaced(&self) -> usize {
        self.replaced.len()
    }

    /// How many connections are held.
    pub fn len(&self) -> usize {
        self.live.len() + self.replaced.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What became of every packet so far.
    pub fn ledger(&self) -> Ledger {
        convert::ledger(&[self.counters])
    }

    /// The records so far, in order of their first packets.
    pub fn records(self) -> Vec<(ConnectionKey, ConnectionRecord)> {
        let mut records: Vec<_> = self.replaced.into_iter().chain(self.live).collect();
        records.sort_unstable_by_key(|(_, record)| record.id);
        records
    }

    /// All there is.
    pub(super) fn finish(
        mut self,
        names: &InterfaceNames,
        packets: u64,
        broken_off: Option<BrokenOff>,
    ) -> Replay {
        let (ledger, newest_ns) = (self.ledger(), self.newest_ns);
        let unsupported = mem::take(&mut self.unsupported);
        let connections = self
            .records()
            .into_iter()
            .map(|entry| tracked(entry, names))
            .collect();
        Replay {
            connections,
            ledger,
            unsupported,
            newest_ns,
            packets,
            broken_off,
        }
    }
}

fn tracked((key, record): (ConnectionKey, ConnectionRecord), names: &InterfaceNames) -> Tracked {
    Tracked {
        key,
        interface: convert::interface(&record, names),
        record,
        is_last: false,
    }
}
