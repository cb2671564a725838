//! Which connections are to be looked at, and when: one that moves after a while, one that went quiet at once, one
//! that ended never. Each look is the last until packets pass again.

use std::{collections::BTreeSet, time::Duration};

use tcpviewer_common::connection::{ConnectionKey, Side};
use tokio::time::Instant;

use crate::model::{Activity, ByEnds, Pace};

/// How long a connection moves before it is looked at, and then looked at again.
const EVERY: Duration = Duration::from_secs(2);

/// Connections that moved lately.
#[derive(Default)]
pub(super) struct Lately {
    connections: ByEnds<Entry>,
    due: BTreeSet<(Instant, ConnectionKey)>,
}

struct Entry {
    sockets: [Option<u64>; 2],
    due: Instant,
}

/// A connection whose sockets are to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// Its endpoints.
    pub(super) key: ConnectionKey,
    /// Cookies of those that are sockets of this host.
    sockets: [Option<u64>; 2],
}

impl Wish {
    /// Whatever sockets of this host the connection has.
    pub(super) fn any(key: ConnectionKey) -> Self {
        Self {
            key,
            sockets: [Some(0); 2],
        }
    }

    /// Those sockets.
    pub(super) fn sockets(&self) -> impl Iterator<Item = (&Self, Side, u64)> {
        let sides = [Side::Low, Side::High].into_iter().zip(self.sockets);
        sides.filter_map(move |(side, cookie)| Some((self, side, cookie?)))
    }
}

impl Lately {
    /// Takes note of what a connection does.
    pub(super) fn take(&mut self, activity: &Activity, now: Instant) {
        let key = activity.key;
        let due = match activity.pace {
            Pace::Moves => self.connections.get(&key).map_or(now + EVERY, |entry| entry.due),
            Pace::Quiet => now,
            Pace::Ended => {
                if let Some(entry) = self.connections.remove(&key) {
                    self.due.remove(&(entry.due, key));
                }
                return;
            }
        };
        let entry = Entry {
            sockets: activity.sockets,
            due,
        };
        if let Some(before) = self.connections.insert(key, entry) {
            self.due.remove(&(before.due, key));
        }
        self.due.insert((due, key));
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(due, _key)| *due)
    }

    /// Up to `limit` connections that are to be looked at now, longest due first. They are forgotten.
    pub(super) fn due(&mut self, now: Instant, limit: usize) -> Vec<Wish> {
        let mut wishes = Vec::new();
        while wishes.len() < limit
            && let Some(&(due, key)) = self.due.first()
            && due <= now
        {
            self.due.pop_first();
            if let Some(Entry { sockets, .. }) = self.connections.remove(&key) {
                wishes.push(Wish { key, sockets });
            }
        }
        wishes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(port: u8) -> ConnectionKey {
        ConnectionKey {
            low: [1; 16],
            high: [2; 16],
            low_port: [0x80, port],
            high_port: [0, 80],
            alignment: [],
        }
    }

    fn activity(port: u8, pace: Pace) -> Activity {
        Activity {
            key: key(port),
            sockets: [None, Some(9)],
            pace,
        }
    }

    /// The ports that are due.
    fn due(lately: &mut Lately, now: Instant) -> Vec<u8> {
        let wishes = lately.due(now, 10);
        wishes.iter().map(|wish| wish.key.low_port[1]).collect()
    }

    #[test]
    fn a_connection_that_moves_is_looked_at_every_other_second_however_often_it_reports() {
        let (mut lately, start) = (Lately::default(), Instant::now());
        let mut looks = 0;
        for quarter in 0..40 {
            let now = start + Duration::from_millis(250) * quarter;
            lately.take(&activity(1, Pace::Moves), now);
            looks += due(&mut lately, now).len();
        }
        assert_eq!(looks, 4, "in ten seconds");
    }

    #[test]
    fn one_that_went_quiet_is_looked_at_at_once_and_then_left_alone() {
        let (mut lately, now) = (Lately::default(), Instant::now());
        lately.take(&activity(1, Pace::Moves), now);
        lately.take(&activity(1, Pace::Quiet), now);
        let wishes = lately.due(now, 10);
        let sockets: Vec<_> = wishes
            .iter()
            .flat_map(Wish::sockets)
            .map(|(wish, side, cookie)| (wish.key, side, cookie))
            .collect();
        assert_eq!(sockets, [(key(1), Side::High, 9)]);
        assert_eq!(lately.next(), None);
    }

    #[test]
    fn one_that_ended_is_not_looked_at() {
        let (mut lately, now) = (Lately::default(), Instant::now());
        lately.take(&activity(1, Pace::Moves), now);
        lately.take(&activity(1, Pace::Ended), now);
        assert!(due(&mut lately, now + EVERY).is_empty());
    }

    #[test]
    fn those_that_wait_longest_come_first() {
        let (mut lately, now) = (Lately::default(), Instant::now());
        lately.take(&activity(1, Pace::Moves), now + Duration::from_secs(1));
        lately.take(&activity(2, Pace::Moves), now);
        assert_eq!(lately.next(), Some(now + EVERY));
        assert_eq!(due(&mut lately, now + EVERY), [2]);
        assert_eq!(due(&mut lately, now + EVERY * 2), [1]);
    }
}
