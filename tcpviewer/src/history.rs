//! What connections were like before: a line of points for each, and the packets worth remembering. In: the table's
//! deltas. Out: for whoever watches a connection, all that is at hand and then what is new. Told by one task, read by
//! any number of watchers. Memory is bounded: where connections are many, each has fewer points and packets; where
//! they are too many for that, those that rest have none until something passes.
//!
//! Times are those of packets and of looks at sockets, so a capture that is played has the history of its own time.

mod line;
mod packet;
mod series;
mod stored;

use std::{
    collections::hash_map::Entry,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tcpviewer_common::connection::ConnectionKey;
use tokio::sync::{mpsc, watch};

use self::series::Series;
pub use self::stored::{HalfPoint, Point};
use crate::model::{ById, Command, Connection, Delta, Ids, NotablePacket, key_between};

/// Memory of all that is kept, but for points at full resolution, bytes.
const BUDGET_BYTES: usize = 20 << 20;
/// Changes that are taken in before readers get their turn.
const CHUNK: usize = 256;
/// Connections that can be watched at a time: each has points at full resolution, 130 KiB.
const MAX_WATCHED: usize = 128;

/// The past of all connections that are listed.
#[derive(Debug)]
pub struct History {
    update_interval: Duration,
    past: Mutex<Past>,
    /// Endpoints of the connections that are watched.
    watched: watch::Sender<Vec<ConnectionKey>>,
}

#[derive(Debug)]
struct Past {
    /// Boxed, so that the map's own memory stays small when it doubles.
    series: ById<Box<Series>>,
    /// What they take.
    bytes: usize,
    /// What they may take, with the map they stand in.
    budget: usize,
    /// How often the room of each was halved.
    level: u32,
    /// Whether some were given up, so that one that comes may be known from before.
    has_forgotten: bool,
    /// Those that are there only because they are watched.
    guests: Ids,
    /// The connections that are watched, with their endpoints.
    watched: ById<ConnectionKey>,
}

/// Why a connection cannot be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// It is not listed.
    #[error("connection {0} is not listed")]
    NotListed(u64),
    /// Too many others are.
    #[error("{MAX_WATCHED} connections are watched in detail, no more are allowed")]
    TooMany,
}

/// What is new of a connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    /// Points, oldest first.
    pub points: Vec<Point>,
    /// Packets worth remembering, oldest first.
    pub packets: Vec<NotablePacket>,
    /// How many of those there were since the connection was first seen that the watcher never gets: they came too fast
    /// one after the other, or were forgotten before it read.
    pub missed_packets: u64,
}

impl History {
    /// Nothing has happened yet; a moving connection changes once per `update_interval`.
    pub fn new(update_interval: Duration) -> Self {
        Self {
            update_interval,
            past: Mutex::default(),
            watched: watch::Sender::default(),
        }
    }

    /// Takes in what changed.
    pub fn apply(&self, delta: &Delta) {
        for changed in delta.changed.chunks(CHUNK) {
            let connections: Vec<_> = changed.iter().map(|listed| listed.connection()).collect();
            let mut past = self.past();
            let room = series::Room::at(past.level);
            for connection in &connections {
                past.begin(connection, self.update_interval);
                past.change(connection.id, |series| {
                    series.take(connection, self.update_interval, room);
                });
                // Whoever moves is kept like all others.
                past.guests.remove(connection.id);
            }
        }
        let mut past = self.past();
        let past = &mut *past;
        let room = series::Room::at(past.level);
        for notable in &delta.notable {
            past.change(notable.connection_id, |series| series.remember(notable, room));
        }
        for &id in &delta.quiet {
            past.change(id, |series| series.goes_quiet(self.update_interval, room));
        }
        for removal in &delta.removed {
            if let Some(series) = past.series.remove(&removal.id) {
                past.bytes -= series.bytes();
                past.guests.remove(removal.id);
                if past.watched.remove(&removal.id).is_some() {
                    self.tell_watched(past);
                }
            }
        }
        past.keep_within();
    }

    /// From now on points and packets may take so much of the memory that they have else, per cent.
    pub fn keep_percent(&self, percent: u32) {
        let mut past = self.past();
        past.budget = BUDGET_BYTES * percent as usize / 100;
        past.keep_within();
    }

    /// Begins to watch a connection in its newest form: from now on it has points at full resolution.
    ///
    /// # Errors
    ///
    /// When it is not listed, or too many are watched.
    pub fn watch(self: &Arc<Self>, connection: &Connection) -> Result<Watcher, WatchError> {
        let id = connection.id;
        let (ends, _side) = key_between(connection.source, connection.destination);
        let mut past = self.past();
        let past = &mut *past;
        if !past.watched.contains_key(&id) && past.watched.len() >= MAX_WATCHED {
            return Err(WatchError::TooMany);
        }
        let series = match past.series.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) if past.has_forgotten => {
                let mut series = Series::late(connection);
                series.take(connection, self.update_interval, series::Room::at(past.level));
                past.bytes += series.bytes();
                past.guests.insert(id);
                place.insert(Box::new(series))
            }
            Entry::Vacant(_) => return Err(WatchError::NotListed(id)),
        };
        series.begin_watch();
        past.watched.insert(id, ends);
        self.tell_watched(past);
        Ok(Watcher {
            history: Arc::clone(self),
            id,
            place: None,
        })
    }

    /// Asks for more word of the sockets of those that are watched, until `commands` is closed. One task of the API does
    /// this for as long as it serves.
    pub async fn follow_watchers(&self, commands: mpsc::Sender<Command>) {
        let mut watched = self.watched.subscribe();
        // It fails when nobody takes commands any more.
        while watched.changed().await.is_ok() {
            let ends = watched.borrow_and_update().clone();
            if commands.send(Command::WatchSockets(ends)).await.is_err() {
                return;
            }
        }
    }

    fn tell_watched(&self, past: &Past) {
        self.watched
            .send_replace(past.watched.values().copied().collect());
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Past {
    fn default() -> Self {
        Self {
            series: ById::default(),
            bytes: 0,
            budget: BUDGET_BYTES,
            level: 0,
            has_forgotten: false,
            guests: Ids::default(),
            watched: ById::default(),
        }
    }
}

impl Past {
    /// Begins to keep the past of a connection, unless it is kept.
    fn begin(&mut self, connection: &Connection, update_interval: Duration) {
        if let Entry::Vacant(place) = self.series.entry(connection.id) {
            let lived = connection.last_seen.duration_since(connection.first_seen);
            let was_there = lived.is_ok_and(|lived| lived > 2 * update_interval);
            let series = if self.has_forgotten && was_there {
                Series::late(connection)
            } else {
                Series::new(connection)
            };
            self.bytes += series.bytes();
            place.insert(Box::new(series));
        }
    }

    /// Changes the past of a connection, if it is kept.
    fn change(&mut self, id: u64, change: impl FnOnce(&mut Series)) {
        if let Some(series) = self.series.get_mut(&id) {
            self.bytes -= series.bytes();
            change(series);
            self.bytes += series.bytes();
        }
    }

    /// Halves the room of all where they need more than there is. Where each has few points left, those that have rested
    /// since the last time go first, and at last every second one. Room is given back when they need much less.
    fn keep_within(&mut self) {
        let mut may_forget = true;
        while self.taken() > self.budget {
            let room = series::Room::at(self.level);
            if may_forget && room.is_small() {
                may_forget = false;
                self.forget(|_nth, series| series.is_stale());
            } else if room != series::Room::at(self.level + 1) {
                self.level += 1;
                let room = series::Room::at(self.level);
                for series in self.series.values_mut() {
                    series.shrink(room);
                }
                self.count_bytes();
            } else {
                self.forget(|nth, series| nth % 2 == 0 && !series.is_watched());
                break;
            }
        }
        if self.taken() < self.budget / 2 {
            self.level = self.level.saturating_sub(1);
        }
    }

    /// Gives up those that are to go.
    fn forget(&mut self, goes: impl Fn(usize, &mut Series) -> bool) {
        let before = self.series.len();
        let mut nth = 0;
        self.series.retain(|_id, series| {
            nth += 1;
            !goes(nth, series)
        });
        self.has_forgotten |= self.series.len() < before;
        self.series.shrink_to_fit();
        self.count_bytes();
    }

    /// All memory that counts, bytes.
    fn taken(&self) -> usize {
        self.bytes + self.series.capacity() * size_of::<(u64, Box<Series>)>()
    }

    fn count_bytes(&mut self) {
        self.bytes = self.series.values().map(|series| series.bytes()).sum();
    }
}

/// A reader of one connection's history.
#[derive(Debug)]
pub struct Watcher {
    history: Arc<History>,
    id: u64,
    /// How far it has read; `None` before it has read at all.
    place: Option<series::Place>,
}

impl Watcher {
    /// What is new since the last call, all that is at hand at the first. `None` when the connection is no longer listed.
    pub fn news(&mut self) -> Option<News> {
        let past = self.history.past();
        let series = past.series.get(&self.id)?;
        let (news, place) = series.news(self.place, self.history.update_interval);
        drop(past);
        self.place = Some(place);
        Some(news)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut past = self.history.past();
        let past = &mut *past;
        if let Some(series) = past.series.get_mut(&self.id)
            && series.end_watch()
        {
            if past.guests.remove(self.id) {
                past.bytes -= series.bytes();
                past.series.remove(&self.id);
            }
            past.watched.remove(&self.id);
            self.history.tell_watched(past);
        }
    }
}

#[cfg(test)]
mod tests;
