//! The history of one connection. At low resolution it covers the whole of its life: when there is no room for a further
//! point, every second one goes, and those that follow are twice as far apart. At full resolution it covers the last
//! minutes, while somebody watches.

use std::{collections::VecDeque, mem::size_of, time::Duration};

use super::{
    News,
    line::Line,
    packet::StoredPacket,
    stored::{Point, Stored, since_epoch},
};
use crate::model::{Connection, NotablePackets};

/// Points at low resolution are this far apart at first, microseconds.
const FIRST_RESOLUTION_US: u64 = 5_000_000;
/// The time between two points is doubled so often at most: 150 years.
const MOST_DOUBLINGS: u8 = 30;
/// Points at full resolution: five minutes of an update interval of 250 ms.
const FULL_POINTS: usize = 1_200;
/// Packets of the handshake that are kept whatever follows: SYN, SYN-ACK, ACK, and some of them sent again.
const HANDSHAKE_PACKETS: u8 = 6;
/// A line of no more points says little.
const FEW_POINTS: usize = 8;
/// Room is made for so many at a time, at most.
const STEP: usize = 4;

/// How much may be kept of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    points: usize,
    packets: usize,
}

impl Room {
    /// Whether it is little more than nothing.
    pub(super) fn is_small(self) -> bool {
        self.points <= FEW_POINTS
    }

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
    first_seen_us: u64,
    /// At low resolution, oldest first.
    points: Line,
    /// `None` before it was told anything. Packed.
    newest: Option<Box<[u8]>>,
    /// At full resolution, while somebody watches.
    full: Option<Box<Full>>,
    /// Those of the handshake, which are kept whatever follows, and then the newest others, oldest first.
    packets: Vec<StoredPacket>,
    /// How many of them are of the handshake.
    handshake: u8,
    /// How often the time between two points was doubled.
    doublings: u8,
    /// Whether what was before its first point is not known.
    begins_late: bool,
    /// Whether something was taken since it was last asked whether it is stale.
    is_fresh: bool,
    /// Packets worth remembering that there were, whether they were kept or not.
    packets_seen: u32,
    /// How many came into `packets`; begins anew after 2³².
    packets_taken: u32,
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
    packets: u32,
    handshake: usize,
    /// How many of them the watcher got.
    packets_sent: u32,
}

impl Series {
    /// The past of a connection of which nothing is known yet.
    pub(super) fn new(connection: &Connection) -> Self {
        Self {
            first_seen_us: since_epoch(connection.first_seen),
            points: Line::default(),
            newest: None,
            full: None,
            packets: Vec::new(),
            handshake: 0,
            doublings: 0,
            begins_late: false,
            is_fresh: false,
            packets_seen: 0,
            packets_taken: 0,
        }
    }

    /// The past of a connection whose past until now is not known any more.
    pub(super) fn late(connection: &Connection) -> Self {
        Self {
            begins_late: true,
            ..Self::new(connection)
        }
    }

    /// The memory that it takes, bytes; points at full resolution have their own limit.
    pub(super) fn bytes(&self) -> usize {
        let parts = [
            size_of::<Self>(),
            self.newest.as_ref().map_or(0, |newest| newest.len()),
            self.points.capacity(),
            self.packets.capacity() * size_of::<StoredPacket>(),
        ];
        parts.map(allocated).into_iter().sum()
    }

    /// Whether nothing was taken since the last time this was asked or it was shrunk, and nobody watches.
    pub(super) fn is_stale(&mut self) -> bool {
        !std::mem::take(&mut self.is_fresh) && !self.is_watched()
    }

    /// Takes the newest form of the connection.
    pub(super) fn take(&mut self, connection: &Connection, update_interval: Duration, room: Room) {
        self.packets_seen = connection.notable_packets;
        let mut stored = Stored::of(connection);
        let newest = self.newest();
        if let Some(newest) = newest
            && stored.at_us <= newest.at_us
            && stored.has_packets_of(&newest)
        {
            // It has gone quiet: nothing passed in the time over which rates are measured.
            stored.at_us = newest.at_us + update_interval.as_micros() as u64;
        }
        self.goes_on(newest, stored, room);
    }

    /// Takes note that nothing passed in the time over which rates are measured.
    pub(super) fn goes_quiet(&mut self, update_interval: Duration, room: Room) {
        if let Some(newest) = self.newest() {
            let mut stored = newest;
            stored.at_us += update_interval.as_micros() as u64;
            self.goes_on(Some(newest), stored, room);
        }
    }

    fn goes_on(&mut self, newest: Option<Stored>, stored: Stored, room: Room) {
        self.is_fresh = true;
        if let Some(newest) = newest {
            self.keep(&newest, room);
        }
        let packed = stored.packed(self.first_seen_us, &mut [0; _]).into();
        self.newest = Some(packed);
        if let Some(full) = &mut self.full {
            if full.points.len() == FULL_POINTS {
                full.points.pop_front();
                full.gone += 1;
            }
            full.points.push_back(stored);
        }
    }

    /// The newest point.
    fn newest(&self) -> Option<Stored> {
        let packed = self.newest.as_ref()?;
        Some(Stored::unpacked(packed, self.first_seen_us))
    }

    /// Keeps a point at low resolution, if it is time for one.
    fn keep(&mut self, point: &Stored, room: Room) {
        let due = self.points.last_at_us().map_or(0, |last_at_us| {
            last_at_us + (FIRST_RESOLUTION_US << self.doublings)
        });
        if point.at_us < due || room.points == 0 {
            return;
        }
        if self.points.len() >= room.points {
            self.thin();
        }
        self.points.push(point, self.first_seen_us);
    }

    /// Takes packets that are worth remembering.
    pub(super) fn remember(&mut self, notable: &NotablePackets, room: Room) {
        for packet in &notable.packets {
            self.packets_taken = self.packets_taken.wrapping_add(1);
            // One that comes after others stays in its order behind them.
            let is_first = self.others().is_empty();
            if packet.handshake && self.handshake < HANDSHAKE_PACKETS && is_first {
                self.handshake += 1;
            } else {
                self.keep_others(room.packets.saturating_sub(1));
            }
            if self.packets.len() == self.packets.capacity() {
                self.packets.reserve_exact(step(self.packets.len()));
            }
            self.packets.push(StoredPacket::of(packet));
        }
    }

    /// Gives up what there is no room for.
    pub(super) fn shrink(&mut self, room: Room) {
        while self.points.len() > room.points {
            self.thin();
        }
        self.keep_others(room.packets);
        self.is_fresh = false;
        self.points.shrink_to_fit();
        self.packets.shrink_to_fit();
    }

    /// Leaves out every second point.
    fn thin(&mut self) {
        self.points.thin(self.first_seen_us);
        // Where nothing is left, it begins anew.
        self.doublings = if self.points.len() == 0 {
            0
        } else {
            (self.doublings + 1).min(MOST_DOUBLINGS)
        };
    }

    /// The packets that are not of the handshake.
    fn others(&self) -> &[StoredPacket] {
        &self.packets[self.handshake.into()..]
    }

    /// Gives up the oldest of those, down to so many.
    fn keep_others(&mut self, most: usize) {
        let handshake = usize::from(self.handshake);
        let left_out = self.others().len().saturating_sub(most);
        self.packets.drain(handshake..handshake + left_out);
    }

    /// Whether somebody watches.
    pub(super) fn is_watched(&self) -> bool {
        self.full.is_some()
    }

    /// One watcher more.
    pub(super) fn begin_watch(&mut self) {
        let newest = self.newest();
        let full = self.full.get_or_insert_with(|| {
            let mut points = VecDeque::with_capacity(FULL_POINTS);
            points.extend(newest);
            Box::new(Full {
                watchers: 0,
                points,
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
        let (of_handshake, kept) = self.packets.split_at(self.handshake.into());
        let of_handshake = of_handshake.iter().skip(handshake_known);
        let others = (self.packets_taken.wrapping_sub(known) as usize).saturating_sub(of_handshake.len());
        let forgotten = kept.len().saturating_sub(others);
        let packets: Vec<_> = of_handshake
            .chain(kept.iter().skip(forgotten))
            .map(StoredPacket::packet)
            .collect();
        let packets_sent = sent.wrapping_add(packets.len() as u32);
        let place = Place {
            points: reached,
            last,
            packets: self.packets_taken,
            handshake: self.handshake.into(),
            packets_sent,
        };
        let news = News {
            points,
            packets,
            missed_packets: self.packets_seen.saturating_sub(packets_sent).into(),
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
            .iter(self.first_seen_us)
            .take_while(|point| point.at_us < until);
        let fine = full.into_iter().flat_map(|full| full.points.iter().copied());
        let mut moments = coarse.chain(fine);
        let first = self.begins_late.then(|| moments.next()).flatten();
        let before = first.unwrap_or_else(|| Stored::nothing(self.first_seen_us));
        let (points, last) = line(before, moments, shortest);
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

/// What jemalloc gives out where so many bytes are asked for, 9 or more (jemalloc(3), size classes): multiples of 16, from
/// 128 on of a quarter of the power of two below.
fn allocated(bytes: usize) -> usize {
    let below = bytes.saturating_sub(1).checked_ilog2().unwrap_or_default();
    bytes.next_multiple_of((1 << below >> 2).max(16))
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
