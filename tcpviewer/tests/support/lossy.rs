//! A line between two namespaces that delays, loses, reorders and duplicates packets as its [`Fate`]s say, and
//! keeps the truth of what it did. The sender sees nothing of that: its packets leave the device all the same.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use super::{
    fate::{Conditions, Fate},
    namespaces::Pair,
    relay::{Departure, Kind, Relay, Way},
    truth::{Passage, Segment, Truth},
};

/// The line; cut when it is dropped.
pub(crate) struct LossyLink<'a> {
    _relay: Relay<'a>,
    directions: Arc<[Mutex<Direction>; 2]>,
}

impl<'a> LossyLink<'a> {
    /// Makes a TUN device of this name at both ends with addresses of this network, and a line of these
    /// conditions both ways.
    pub(crate) fn start(pair: &'a Pair, name: &str, network: u8, seed: u64, conditions: Conditions) -> Self {
        let direction = |way| Mutex::new(Direction::new(conditions, seed, way));
        let directions = Arc::new([direction(Way::ToTheRight), direction(Way::ToTheLeft)]);
        let shared = Arc::clone(&directions);
        let relay = Relay::start(pair, name, Kind::Tun, network, move |way, packet| {
            shared[way as usize].lock().unwrap().pass(packet, Instant::now())
        });
        Self {
            _relay: relay,
            directions,
        }
    }

    /// What was done to the packets of a direction until now.
    pub(crate) fn truth(&self, way: Way) -> Truth {
        self.directions[way as usize].lock().unwrap().truth()
    }
}

/// What the line knows of one direction.
pub(crate) struct Direction {
    conditions: Conditions,
    seed: u64,
    way: Way,
    /// When the line has sent the last bit of all that came.
    idle: Option<Instant>,
    /// When it was the newest packet's turn to leave.
    newest: Option<Instant>,
    /// When those leave that are on the line.
    leaving: BinaryHeap<Reverse<Instant>>,
    passages: Vec<Passage>,
}

impl Direction {
    pub(crate) fn new(conditions: Conditions, seed: u64, way: Way) -> Self {
        Self {
            conditions,
            seed,
            way,
            idle: None,
            newest: None,
            leaving: BinaryHeap::new(),
            passages: Vec::new(),
        }
    }

    pub(crate) fn truth(&self) -> Truth {
        Truth::new(self.passages.clone())
    }

    /// Decides and notes what becomes of the packet. Returns its copies.
    pub(crate) fn pass(&mut self, packet: Vec<u8>, now: Instant) -> Vec<Departure> {
        let fate = Fate::of(&self.conditions, self.seed, self.way, self.passages.len() as u64);
        while self.leaving.peek().is_some_and(|Reverse(due)| *due <= now) {
            self.leaving.pop();
        }
        let crowded_out = !fate.lost && self.leaving.len() >= self.conditions.capacity;
        let copies = match (fate.lost || crowded_out, fate.duplicated) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => 2,
        };
        let due = (copies > 0).then(|| self.due(packet.len(), fate, now));
        self.leaving.extend(due.map(Reverse));
        self.passages.push(Passage {
            segment: Segment::of(&packet),
            came: now,
            crowded_out,
            held_back: due.is_some() && fate.held_back.is_some(),
            due,
            copies,
        });
        let departure = |due| Departure { due, packet };
        due.map_or_else(Vec::new, |due| vec![departure(due); copies])
    }

    /// When a packet leaves that came now.
    fn due(&mut self, bytes: usize, fate: Fate, now: Instant) -> Instant {
        let sending = match self.conditions.bits_per_second {
            Some(rate) => Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64),
            None => Duration::ZERO,
        };
        let sent = self.idle.map_or(now, |idle| idle.max(now)) + sending;
        self.idle = Some(sent);
        let due = sent + self.conditions.delay + fate.jitter;
        let turn = self.newest.map_or(due, |newest| newest.max(due));
        self.newest = Some(turn);
        turn + fate.held_back.unwrap_or_default()
    }
}
