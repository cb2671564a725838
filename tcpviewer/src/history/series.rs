//! The history of one connection. At low resolution it covers the whole of its life: when there is no room for a further
//! point, every second one goes, and those that follow are twice as far apart. At full resolution it covers the last
//! minutes, while somebody watches.

use std::{
    collections::VecDeque,
    mem::size_of,
    time::{Duration, SystemTime},
};

use super::{
    News,
    stored::{Point, Stored},
};
use crate::model::{Connection, NotablePacket, NotablePackets};

/// Points at low resolution are this far apart at first, microseconds.
const FIRST_RESOLUTION_US: u64 = 5_000_000;
/// Points at full resolution: five minutes of an update interval of 250 ms.
const FULL_POINTS: usize = 1_200;
/// Packets of the handshake that are kept whatever follows: SYN, SYN-ACK, ACK, and some of them sent again.
const HANDSHAKE_PACKETS: usize = 6;
/// Room is made for so many at a time, at most.
const STEP: usize = 4;

/// How much may be kept of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    points: usize,
    packets: usize,
}

impl Room {
    /// The room after it was halved so often.
    pub(super) fn at(level: u32) -> Self {
        let halved = |whole: usize| whole.checked_shr(level).unwrap_or(0);
        Self {
            points: halved(64),
            packets: halved(64).max(4),
        }
    }
}

/// The past of one connection.
#[derive(Debug)]
pub(super) struct Series {
    first_seen: SystemTime,
    /// At low resolution, oldest first.
    points: Vec<Stored>,
    /// How far they are apart.
    resolution_us: u64,
    /// `None` before it was told anything.
    newest: Option<Stored>,
    /// At full resolution, while somebody watches.
    full: Option<Box<Full>>,
    handshake: Vec<NotablePacket>,
    packets: VecDeque<NotablePacket>,
    /// Packets worth remembering since it was first seen.
    packets_seen: u64,
    /// How many of them came into `handshake` or `packets`.
    packets_taken: u64,
}

/// Points of the last minutes.
#[derive(Debug)]
struct Full {
    watchers: usize,
    points: VecDeque<Stored>,
    /// How many there were before the first of `points`.
    gone: u64,
}

/// How far a watcher has read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Points at full resolution.
    points: u64,
    /// The last of them.
    last: Stored,
    /// Packets that were taken, and how many of them are of the handshake.
    packets: u64,
    handshake: usize,
    /// How many of them the watcher got.
    packets_sent: u64,
}

impl Series {
    /// The past of a connection of which nothing is known yet.
    pub(super) fn new(connection: &Connection) -> Self {
        Self {
            first_seen: connection.first_seen,
            points: Vec::new(),
            resolution_us: FIRST_RESOLUTION_US,
            newest: None,
            full: None,
            handshake: Vec::new(),
            packets: VecDeque::new(),
            packets_seen: 0,
            packets_taken: 0,
        }
    }

    /// What points and packets take, bytes; those at full resolution have their own limit.
    pub(super) fn bytes(&self) -> usize {
        self.points.capacity() * size_of::<Stored>()
            + (self.handshake.capacity() + self.packets.capacity()) * size_of::<NotablePacket>()
    }

    /// Takes the newest form of the connection.
    pub(super) fn take(&mut self, connection: &Connection, update_interval: Duration, room: Room) {
        let mut stored = Stored::of(connection);
        if let Some(newest) = self.newest
            && stored.at_us <= newest.at_us
            && stored.has_packets_of(&newest)
        {
            // It has gone quiet: nothing passed in the time over which rates are measured.
            stored.at_us = newest.at_us + update_interval.as_micros() as u64;
        }
        self.goes_on(stored, room);
    }

    /// Takes note that nothing passed in the time over which rates are measured.
    pub(super) fn goes_quiet(&mut self, update_interval: Duration, room: Room) {
        if let Some(mut stored) = self.newest {
            stored.at_us += update_interval.as_micros() as u64;
            self.goes_on(stored, room);
        }
    }

    fn goes_on(&mut self, stored: Stored, room: Room) {
        if let Some(newest) = self.newest.replace(stored) {
            self.keep(newest, room);
        }
        if let Some(full) = &mut self.full {
            if full.points.len() == FULL_POINTS {
                full.points.pop_front();
                full.gone += 1;
            }
            full.points.push_back(stored);
        }
    }

    /// Keeps a point at low resolution, if it is time for one.
    fn keep(&mut self, point: Stored, room: Room) {
        let due = self
            .points
            .last()
            .map_or(0, |last| last.at_us + self.resolution_us);
        if point.at_us < due || room.points == 0 {
            return;
        }
        if self.points.len() >= room.points {
            self.thin();
        }
        if self.points.len() == self.points.capacity() {
            self.points.reserve_exact(step(self.points.len()));
        }
        self.points.push(point);
    }

    /// Takes packets that are worth remembering.
    pub(super) fn remember(&mut self, notable: &NotablePackets, room: Room) {
        self.packets_seen += u64::from(notable.missed);
        for packet in &notable.packets {
            self.packets_seen += 1;
            self.packets_taken += 1;
            // One that comes after others stays in its order behind them.
            if packet.handshake && self.handshake.len() < HANDSHAKE_PACKETS && self.packets.is_empty() {
                self.handshake.reserve_exact(1);
                self.handshake.push(*packet);
                continue;
            }
            while self.packets.len() >= room.packets {
                self.packets.pop_front();
            }
            if self.packets.len() == self.packets.capacity() {
                self.packets.reserve_exact(step(self.packets.len()));
            }
            self.packets.push_back(*packet);
        }
    }

    /// Gives up what there is no room for.
    pub(super) fn shrink(&mut self, room: Room) {
        while self.points.len() > room.points {
            self.thin();
        }
        while self.packets.len() > room.packets {
            self.packets.pop_front();
        }
        self.points.shrink_to_fit();
        self.packets.shrink_to_fit();
    }

    /// Leaves out every second point.
    fn thin(&mut self) {
        let mut nth = 0;
        self.points.retain(|_point| {
            nth += 1;
            nth % 2 == 0
        });
        self.resolution_us *= 2;
    }

    /// Whether somebody watches.
    pub(super) fn is_watched(&self) -> bool {
        self.full.is_some()
    }

    /// One watcher more.
    pub(super) fn begin_watch(&mut self) {
        let full = self.full.get_or_insert_with(|| {
            Box::new(Full {
                watchers: 0,
                points: self.newest.into_iter().collect(),
                gone: 0,
            })
        });
        full.watchers += 1;
    }

    /// One watcher less; `true` when it was the last.
    pub(super) fn end_watch(&mut self) -> bool {
        let Some(full) = &mut self.full else {
            return false;
        };
        full.watchers = full.watchers.saturating_sub(1);
        if full.watchers > 0 {
            return false;
        }
        self.full = None;
        true
    }

    /// What is new since `place`, or all there is, and how far that reaches.
    pub(super) fn news(&self, place: Option<Place>, shortest: Duration) -> (News, Place) {
        let (points, last, reached) = match place {
            None => self.all_points(shortest),
            Some(place) => self.points_since(&place, shortest),
        };
        // The handshake grows at its end as well, and only before there are others.
        let (known, handshake_known, sent) = place.map_or((0, 0, 0), |place| {
            (place.packets, place.handshake, place.packets_sent)
        });
        let of_handshake = self.handshake.iter().skip(handshake_known);
        let others = (self.packets_taken - known) as usize - of_handshake.len();
        let forgotten = self.packets.len().saturating_sub(others);
        let packets: Vec<_> = of_handshake
            .chain(self.packets.iter().skip(forgotten))
            .copied()
            .collect();
        let packets_sent = sent + packets.len() as u64;
        let place = Place {
            points: reached,
            last,
            packets: self.packets_taken,
            handshake: self.handshake.len(),
            packets_sent,
        };
        let news = News {
            points,
            packets,
            missed_packets: self.packets_seen - packets_sent,
        };
        (news, place)
    }

    /// All that is at hand: at low resolution as far as there is nothing better.
    fn all_points(&self, shortest: Duration) -> (Vec<Point>, Stored, u64) {
        let full = self.full.as_deref();
        let first = full.and_then(|full| full.points.front());
        let until = first.map_or(u64::MAX, |first| first.at_us);
        let coarse = self
            .points
            .iter()
            .copied()
            .take_while(|point| point.at_us < until);
        let fine = full.into_iter().flat_map(|full| full.points.iter().copied());
        let before = Stored::nothing(self.first_seen);
        let (points, last) = line(before, coarse.chain(fine), shortest);
        (points, last, full.map_or(0, Full::reached))
    }

    fn points_since(&self, place: &Place, shortest: Duration) -> (Vec<Point>, Stored, u64) {
        let Some(full) = &self.full else {
            return (Vec::new(), place.last, place.points);
        };
        let skipped = place.points.saturating_sub(full.gone) as usize;
        let (points, last) = line(place.last, full.points.iter().skip(skipped).copied(), shortest);
        (points, last, full.reached())
    }
}

impl Full {
    /// How many points there were.
    fn reached(&self) -> u64 {
        self.gone + self.points.len() as u64
    }
}

/// For how many more there is to be room behind so many: most connections have one or none.
fn step(length: usize) -> usize {
    length.clamp(1, STEP)
}

/// The points from one moment to the next, and the last moment.
fn line(
    mut before: Stored,
    moments: impl Iterator<Item = Stored>,
    shortest: Duration,
) -> (Vec<Point>, Stored) {
    let points = moments.map(|moment| {
        let point = moment.since(&before, shortest);
        before = moment;
        point
    });
    let points = points.collect();
    (points, before)
}
