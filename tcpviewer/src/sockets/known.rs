//! The sockets that the last full look showed, so that the next one tells what is new, what changed and what is gone.
//! What an unchanged socket says is recognized before it is read, so an idle one costs next to nothing.

use std::{
    hash::{BuildHasher as _, Hash, Hasher},
    time::SystemTime,
};

use netlink_packet_core::{NlasIterator, Parseable as _};
use netlink_packet_sock_diag::{
    constants::INET_DIAG_INFO,
    inet::{InetResponse, InetResponseHeader},
};
use tcpviewer_common::connection::{ConnectionKey, Place, Side};

use super::{convert, diag::cookie_of, procfs::Line, tcp_info};
use crate::model::{ById, GoneSocket, SecretHash, SocketLook, key_between};

/// Sockets of one network namespace.
#[derive(Default)]
pub(super) struct Known {
    /// By cookie, or, where that is not known, by a hash of the endpoints.
    sockets: ById<Entry>,
    /// Number of the look that is under way.
    round: u32,
    /// When its newest part was, boot time.
    now_ns: u64,
    hasher: SecretHash,
    /// Whether they are known by their cookies.
    by_cookie: bool,
    /// Whether they are in another network namespace than this process.
    is_elsewhere: bool,
}

struct Entry {
    key: ConnectionKey,
    side: Side,
    /// Of what was said.
    hash: u64,
    round: u32,
    /// When it was seen first, boot time.
    since_ns: u64,
    /// Where what it sends comes in, of one in another network namespace.
    place: Option<Place>,
}

/// A socket that is new or changed.
pub(super) struct News {
    pub(super) id: u64,
    pub(super) key: ConnectionKey,
    pub(super) side: Side,
    pub(super) said: Said,
    /// Whether it was not known before.
    pub(super) is_new: bool,
}

/// What was said of a socket.
pub(super) enum Said {
    /// By sock_diag.
    Answer(Box<InetResponse>),
    /// By procfs.
    Line(Box<Line>),
}

impl Said {
    /// The same in the words of the model; `None` where it is no whole socket.
    pub(super) fn look(&self, key: ConnectionKey, side: Side, looked_at: SystemTime) -> Option<SocketLook> {
        match self {
            Self::Answer(answer) => convert::look(key, side, answer, looked_at),
            Self::Line(line) => line.look(key, side, looked_at),
        }
    }

    /// How long ago, in nanoseconds, the socket sent data last and received anything, where that is told.
    pub(super) fn ages_ns(&self) -> Option<(u64, u64)> {
        match self {
            Self::Answer(answer) => convert::ages_ns(answer),
            Self::Line(_) => None,
        }
    }
}

impl Known {
    /// Begins a look at all sockets.
    pub(super) fn begin(&mut self, by_cookie: bool, is_elsewhere: bool) {
        self.round = self.round.wrapping_add(1);
        self.by_cookie = by_cookie;
        self.is_elsewhere = is_elsewhere;
    }

    /// What is shown from now on is of this moment, boot time.
    pub(super) fn is_at(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
    }

    /// Takes back a look that did not come to its end: what it did not show is not gone.
    pub(super) fn take_back(&mut self) {
        self.round = self.round.wrapping_sub(1);
    }

    /// Takes an answer of the kernel; `None` where it says nothing new or is not understood.
    pub(super) fn take(&mut self, answer: &[u8]) -> Option<News> {
        let header = InetResponseHeader::parse(answer).ok()?;
        let hash = hash(self.hasher.build_hasher(), answer)?;
        let id = &header.socket_id;
        let end = |address: std::net::IpAddr, port| (address.to_canonical(), port).into();
        let ends = || {
            key_between(
                end(id.source_address, id.source_port),
                end(id.destination_address, id.destination_port),
            )
        };
        let cookie = cookie_of(id.cookie);
        let is_new = self.note(cookie, hash, ends)?;
        let (key, side) = ends();
        Some(News {
            id: cookie,
            key,
            side,
            said: Said::Answer(Box::new(InetResponse::parse(answer).ok()?)),
            is_new,
        })
    }

    /// Whether a socket is known and this was said of it before; then it is there.
    pub(super) fn is_said(&mut self, id: u64, hash: u64) -> bool {
        let known = self.sockets.get_mut(&id).filter(|entry| entry.hash == hash);
        if let Some(entry) = known {
            entry.round = self.round;
            return true;
        }
        false
    }

    /// Takes note of a socket and a hash of what was said of it. Whether it is new; `None` where that was said before.
    pub(super) fn note(
        &mut self,
        id: u64,
        hash: u64,
        ends: impl FnOnce() -> (ConnectionKey, Side),
    ) -> Option<bool> {
        if let Some(entry) = self.sockets.get_mut(&id) {
            entry.round = self.round;
            return (std::mem::replace(&mut entry.hash, hash) != hash).then_some(false);
        }
        let (key, side) = ends();
        let entry = Entry {
            key,
            side,
            hash,
            round: self.round,
            since_ns: self.now_ns,
            place: None,
        };
        self.sockets.insert(id, entry);
        Some(true)
    }

    /// Takes note that a socket is there and says nothing.
    pub(super) fn is_there(&mut self, id: u64) {
        if let Some(entry) = self.sockets.get_mut(&id) {
            entry.round = self.round;
        }
    }

    /// Takes note of where what a socket in another namespace sends comes in. Returns whether that was not known before.
    pub(super) fn comes_in(&mut self, id: u64, place: Place) -> bool {
        let entry = self.sockets.get_mut(&id);
        entry.is_some_and(|entry| entry.place.replace(place).is_none())
    }

    /// Where what they send comes in may be another place from now on: what those say of which that was not known is news.
    pub(super) fn places_change(&mut self) {
        for entry in self.sockets.values_mut().filter(|entry| entry.place.is_none()) {
            entry.hash = !entry.hash;
        }
    }

    /// A hash that nobody else can tell.
    pub(super) fn hash_of(&self, value: &impl Hash) -> u64 {
        self.hasher.hash_one(value)
    }

    /// Those that so many looks at all sockets have not shown, the last one included.
    pub(super) fn missing(&self, looks: u32) -> Vec<(u64, GoneSocket)> {
        let missing = self
            .sockets
            .iter()
            .filter(|(_id, entry)| self.round.wrapping_sub(entry.round) as i32 >= looks as i32);
        missing.map(|(&id, entry)| (id, self.gone(id, entry))).collect()
    }

    /// All of them: their namespace is gone.
    pub(super) fn all(&self) -> impl Iterator<Item = GoneSocket> {
        self.sockets.iter().map(|(&id, entry)| self.gone(id, entry))
    }

    fn gone(&self, id: u64, entry: &Entry) -> GoneSocket {
        GoneSocket {
            key: entry.key,
            side: entry.side,
            cookie: if self.by_cookie { id } else { 0 },
            since_ns: entry.since_ns,
            is_elsewhere: self.is_elsewhere,
            place: entry.place,
        }
    }

    /// Forgets one that is gone.
    pub(super) fn forget(&mut self, id: u64) {
        self.sockets.remove(&id);
    }
}

/// Where the header of an answer ends and its attributes begin (`struct inet_diag_msg`).
const HEADER: usize = 72;
/// `idiag_expires`: runs while nothing happens.
const EXPIRES: std::ops::Range<usize> = 52..56;

/// Of all that is said but what runs while nothing happens.
fn hash(mut hasher: impl Hasher, answer: &[u8]) -> Option<u64> {
    hasher.write(answer.get(..EXPIRES.start)?);
    hasher.write(answer.get(EXPIRES.end..HEADER)?);
    for attribute in NlasIterator::new(answer.get(HEADER..)?) {
        let attribute = attribute.ok()?;
        let value = attribute.value();
        if attribute.kind() == INET_DIAG_INFO {
            hasher.write(value.get(..tcp_info::AGES.start)?);
            hasher.write(value.get(tcp_info::AGES.end..)?);
        } else {
            hasher.write(value);
        }
    }
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_whose_place_becomes_known_later_is_news_then_and_not_before() {
        let mut known = Known::default();
        let ends = || key_between(([10, 0, 0, 1], 1).into(), ([10, 0, 0, 2], 2).into());
        known.begin(true, true);
        assert_eq!(known.note(7, 1, ends), Some(true));
        known.begin(true, true);
        assert_eq!(known.note(7, 1, ends), None);

        known.places_change();
        known.begin(true, true);
        assert_eq!(known.note(7, 1, ends), Some(false));
        assert!(known.comes_in(7, Place::new(3, false)));
        assert!(!known.comes_in(7, Place::new(3, false)));

        known.places_change();
        known.begin(true, true);
        assert_eq!(known.note(7, 1, ends), None);
        assert_eq!(known.all().next().unwrap().place, Some(Place::new(3, false)));
    }
}
