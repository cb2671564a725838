//! What connections were like before: a line of points for each, and the packets worth remembering. In: the table's
//! deltas. Out: for whoever watches a connection, all that is at hand and then what is new. Written by one task, read by
//! any number of watchers. Memory is bounded: where connections are many, each has fewer points and packets.
//!
//! Times are those of packets and of looks at sockets, so a capture that is played has the history of its own time.

mod series;
mod stored;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tcpviewer_common::connection::ConnectionKey;
use tokio::sync::{mpsc, watch};

use self::series::Series;
pub use self::stored::{HalfPoint, Point};
use crate::model::{ById, Command, Delta, NotablePacket};

/// Memory of all points and packets, bytes.
const BUDGET_BYTES: usize = 32 << 20;
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
    /// What the points and packets of all of them take.
    bytes: usize,
    /// What they may take.
    budget: usize,
    /// How often the room of each was halved.
    level: u32,
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
        let mut past = self.past();
        let past = &mut *past;
        let room = series::Room::at(past.level);
        for connection in &delta.changed {
            let series = past.series.entry(connection.id);
            let series = series.or_insert_with(|| Box::new(Series::new(connection)));
            past.bytes -= series.bytes();
            series.take(connection, self.update_interval, room);
            past.bytes += series.bytes();
        }
        for notable in &delta.notable {
            if let Some(series) = past.series.get_mut(&notable.connection_id) {
                past.bytes -= series.bytes();
                series.remember(notable, room);
                past.bytes += series.bytes();
            }
        }
        for id in &delta.quiet {
            if let Some(series) = past.series.get_mut(id) {
                past.bytes -= series.bytes();
                series.goes_quiet(self.update_interval, room);
                past.bytes += series.bytes();
            }
        }
        for removal in &delta.removed {
            if let Some(series) = past.series.remove(&removal.id) {
                past.bytes -= series.bytes();
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

    /// Begins to watch the connection between these endpoints: from now on it has points at full resolution.
    ///
    /// # Errors
    ///
    /// When it is not listed, or too many are watched.
    pub fn watch(self: &Arc<Self>, id: u64, ends: ConnectionKey) -> Result<Watcher, WatchError> {
        let mut past = self.past();
        let past = &mut *past;
        let series = past.series.get_mut(&id).ok_or(WatchError::NotListed(id))?;
        if !series.is_watched() && past.watched.len() >= MAX_WATCHED {
            return Err(WatchError::TooMany);
        }
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
            watched: ById::default(),
        }
    }
}

impl Past {
    /// Halves the room of all where they need more than there is, and gives it back when they need much less.
    fn keep_within(&mut self) {
        while self.bytes > self.budget && series::Room::at(self.level) != series::Room::at(self.level + 1) {
            self.level += 1;
            let room = series::Room::at(self.level);
            for series in self.series.values_mut() {
                series.shrink(room);
            }
            self.bytes = self.series.values().map(|series| series.bytes()).sum();
        }
        if self.bytes < self.budget / 4 {
            self.level = self.level.saturating_sub(1);
        }
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
        if let Some(series) = past.series.get_mut(&self.id)
            && series.end_watch()
        {
            past.watched.remove(&self.id);
            self.history.tell_watched(&past);
        }
    }
}

#[cfg(test)]
mod tests;
