//! Connections that somebody watches: their sockets are looked at ten times per second for as long as he does, whether
//! packets pass or not, and what such a look shows is told when it is something else than before.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tcpviewer_common::connection::{ConnectionKey, Side};
use tokio::time::Instant;

use super::lately::Wish;
use crate::model::{Sample, Socket, SocketDetails};

/// The time between two looks.
const EVERY: Duration = Duration::from_millis(100);

/// The connections that are watched.
#[derive(Default)]
pub(super) struct Watched {
    /// What was told last of the lower and the higher end.
    connections: HashMap<ConnectionKey, [Option<Socket>; 2]>,
    due: Option<Instant>,
}

impl Watched {
    /// Watches these, and no others any more.
    pub(super) fn set(&mut self, connections: Vec<ConnectionKey>, now: Instant) {
        let mut before = std::mem::take(&mut self.connections);
        let entries = connections.into_iter().map(|key| {
            let told = before.remove(&key);
            (key, told.unwrap_or_default())
        });
        self.connections = entries.collect();
        self.due = (!self.connections.is_empty()).then(|| self.due.unwrap_or(now));
    }

    /// When the next look is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due
    }

    /// All of them, to be looked at now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Wish> {
        self.due = self.due.map(|_due| now + EVERY);
        self.connections.keys().copied().map(Wish::any).collect()
    }

    /// Whether a look showed something else than the last one, its time aside.
    pub(super) fn is_news(&mut self, sample: &Sample) -> bool {
        let Sample::Socket(look) = sample else { return true };
        let Some([low, high]) = self.connections.get_mut(&look.key) else {
            return true;
        };
        let told = match look.side {
            Side::Low => low,
            Side::High => high,
        };
        if told.as_ref().is_some_and(|told| is_same(told, &look.socket)) {
            return false;
        }
        *told = Some(look.socket.clone());
        true
    }
}

/// Whether both say the same, whenever they did.
fn is_same(one: &Socket, other: &Socket) -> bool {
    let details = |socket: &Socket| {
        let details = socket.details.as_deref()?;
        Some(Arc::new(SocketDetails {
            looked_at: one.sampled_at,
            ..details.clone()
        }))
    };
    let at_once = |socket: &Socket| Socket {
        sampled_at: one.sampled_at,
        details: details(socket),
        ..socket.clone()
    };
    at_once(one) == at_once(other)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tcpviewer_common::state::TcpState;

    use super::*;
    use crate::model::{SocketLook, SocketSource};

    fn key(port: u8) -> ConnectionKey {
        ConnectionKey {
            low: [1; 16],
            high: [2; 16],
            low_port: [0x80, port],
            high_port: [0, 80],
            alignment: [],
        }
    }

    fn look(port: u8, at: u64, congestion_window: u32) -> Sample {
        let sampled_at = SystemTime::UNIX_EPOCH + Duration::from_secs(at);
        Sample::Socket(Box::new(SocketLook {
            key: key(port),
            side: Side::Low,
            cookie: 0,
            comes_in: None,
            socket: Socket {
                sampled_at,
                source: SocketSource::SockDiag,
                srtt_us: None,
                min_rtt_us: None,
                congestion_window,
                slow_start_threshold: None,
                segments: None,
                delivery_rate_bytes_per_second: None,
                details: Some(Arc::new(SocketDetails::unknown(
                    sampled_at,
                    SocketSource::SockDiag,
                    TcpState::Established,
                ))),
            },
            is_awaited: false,
        }))
    }

    #[test]
    fn those_that_are_watched_are_looked_at_ten_times_per_second() {
        let (mut watched, start) = (Watched::default(), Instant::now());
        assert_eq!(watched.next(), None);
        watched.set(vec![key(1), key(2)], start);
        assert_eq!(watched.next(), Some(start));

        assert_eq!(watched.due(start).len(), 2);
        watched.set(vec![key(2)], start);

        assert_eq!(watched.next(), Some(start + EVERY));
        assert_eq!(watched.due(start + EVERY), [Wish::any(key(2))]);
        watched.set(vec![], start);
        assert_eq!(watched.next(), None);
    }

    #[test]
    fn what_a_look_shows_is_news_when_it_is_something_else_than_before() {
        let mut watched = Watched::default();
        watched.set(vec![key(1)], Instant::now());
        let news = [
            look(1, 1, 10),
            look(1, 2, 10),
            look(1, 3, 11),
            look(1, 4, 11),
            look(2, 5, 11),
        ];
        let news: Vec<_> = news.iter().map(|look| watched.is_news(look)).collect();
        assert_eq!(news, [true, false, true, false, true]);
    }
}
