//! What is known of the ends of each connection that has none, or not the best owner yet, and when it is worth looking
//! again. Pure bookkeeping.

use std::{collections::BTreeSet, time::Duration};

use tcpviewer_common::connection::{ConnectionKey, ConnectionRecord, Half, Place, Side};
use tokio::time::Instant;

use crate::model::{ByEnds, OwnerSource, Tracked};

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
    connections: ByEnds<Ends>,
    due: BTreeSet<(Instant, ConnectionKey)>,
    /// Ends of which it was said whose they are, and it was another socket.
    mistaken: Vec<(ConnectionKey, u64, Side)>,
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
    /// Where its packets come in if that is its socket, as long as none has.
    expected: Option<Place>,
    /// Whether it is a socket that is known, or one of this network namespace.
    pub(super) is_local: bool,
    /// Whether its packets leave this host, or come in; `None` before one was seen.
    pub(super) is_here: Option<bool>,
    /// How its owner is known, if it is.
    pub(super) named: Option<OwnerSource>,
    /// The socket whose owner that is; 0 where it was found by its endpoints alone.
    pub(super) named_cookie: u64,
    /// Whether a name was told, right or wrong.
    pub(super) is_told: bool,
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

    /// Whether it is a socket within reach that nobody was found to hold.
    pub(super) fn is_missing(&self) -> bool {
        self.named.is_none() && (self.is_local || self.is_here == Some(true))
    }

    /// Takes note of whose it is, by this socket.
    pub(super) fn name(&mut self, source: OwnerSource, cookie: u64) {
        self.named = Some(source);
        self.named_cookie = cookie;
        self.is_told = true;
    }

    /// Takes note of its socket. Returns whether it was another one that was taken for it. A name that was found by the
    /// endpoints is looked for again, and stays meanwhile.
    fn is_socket(&mut self, cookie: u64) -> bool {
        if std::mem::replace(&mut self.cookie, cookie) == cookie || self.named_cookie == cookie {
            return false;
        }
        self.named = None;
        self.scans = 0;
        std::mem::take(&mut self.named_cookie) != 0
    }

    /// Takes note of where its packets come in. Returns whether it is another socket for that.
    fn comes_in(&mut self, place: Place) -> bool {
        let is_another = self.expected.take().is_some_and(|expected| expected != place);
        if is_another {
            self.cookie = 0;
            self.named = None;
            self.named_cookie = 0;
            self.scans = 0;
        }
        is_another
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
        for (side, (end, half)) in SIDES.into_iter().zip(ends.ends.iter_mut().zip(&record.halves)) {
            let place = Place(half.place);
            let is_seen = half.has(Half::SEEN);
            let comes_elsewhere = is_seen && end.comes_in(place);
            if !is_seen && half.place != 0 && half.socket_cookie != 0 && !place.is_egress() {
                end.expected = Some(place);
            }
            let is_another = half.socket_cookie != 0 && end.is_socket(half.socket_cookie);
            if comes_elsewhere || is_another {
                end.is_told = false;
                self.mistaken.push((tracked.key, ends.id, side));
            }
            end.is_here = (half.place != 0).then(|| place.is_egress());
            end.is_local = half.socket_cookie != 0 || is_seen && place.is_egress();
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
    /// Before packets of this end were seen, that they come in at this place is only expected.
    pub(super) fn set_cookie(
        &mut self,
        key: &ConnectionKey,
        side: Side,
        cookie: u64,
        place: Place,
    ) -> Option<u64> {
        let ends = self.connections.get_mut(key)?;
        let [low, high] = &mut ends.ends;
        let end = match side {
            Side::Low => low,
            Side::High => high,
        };
        if end.cookie != 0 || cookie == 0 {
            return None;
        }
        end.expected = end.is_here.is_none().then_some(place);
        if end.is_socket(cookie) {
            end.is_told = false;
            self.mistaken.push((*key, ends.id, side));
        }
        Some(ends.id)
    }

    /// Ends of which it has become known that it was another socket whose owner was told.
    pub(super) fn mistaken(&mut self) -> Vec<(ConnectionKey, u64, Side)> {
        std::mem::take(&mut self.mistaken)
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

#[cfg(test)]
mod tests {
    use tcpviewer_common::connection::ConnectionRecord;

    use super::*;

    const HERE: Place = Place::new(3, false);
    const ELSEWHERE: Place = Place::new(4, false);

    fn key() -> ConnectionKey {
        ConnectionKey {
            low: [1; 16],
            high: [2; 16],
            low_port: [0, 1],
            high_port: [0, 2],
            alignment: [],
        }
    }

    /// What is told of a connection; its lower end has sent something at this place, or nothing.
    fn tracked(place: Option<Place>, socket_cookie: u64) -> Tracked {
        let mut record = ConnectionRecord {
            id: 1,
            ..ConnectionRecord::VACANT
        };
        record.halves[0].socket_cookie = socket_cookie;
        if let Some(place) = place {
            record.halves[0].place = place.0;
            record.halves[0].flags = Half::SEEN;
        }
        Tracked {
            key: key(),
            record,
            interface: "eth0".into(),
            is_last: false,
        }
    }

    fn name(followed: &mut Followed, source: OwnerSource, cookie: u64) {
        let ends = followed.get(&key(), 1).unwrap();
        ends.ends[0].name(source, cookie);
    }

    fn low(followed: &mut Followed) -> End {
        followed.get(&key(), 1).unwrap().ends[0]
    }

    #[test]
    fn a_socket_whose_packets_come_in_elsewhere_than_expected_is_another_one() {
        for (place, is_mistaken) in [(HERE, false), (ELSEWHERE, true)] {
            let mut followed = Followed::default();
            followed.take(&tracked(None, 0));
            assert_eq!(followed.set_cookie(&key(), Side::Low, 7, HERE), Some(1));
            name(&mut followed, OwnerSource::Descriptor, 7);

            followed.take(&tracked(Some(place), 0));

            let mistaken = followed.mistaken();
            assert_eq!(mistaken, vec![(key(), 1, Side::Low); usize::from(is_mistaken)]);
            let end = low(&mut followed);
            assert_eq!((end.cookie == 0, end.named.is_none()), (is_mistaken, is_mistaken));
            // Its path may move later on.
            followed.take(&tracked(Some(ELSEWHERE), 0));
            assert!(followed.mistaken().is_empty());
        }
    }

    #[test]
    fn an_end_within_reach_is_missing_until_it_has_a_name() {
        let mut record = tracked(None, 0);
        let egress = Place::new(3, true);
        for (place, flags, cookie, is_missing) in [
            (Place(0), 0, 0, false),
            (HERE, Half::SEEN, 0, false),
            (HERE, Half::SEEN, 7, true),
            (egress, 0, 0, true),
            (egress, Half::SEEN, 0, true),
        ] {
            let mut followed = Followed::default();
            let half = &mut record.record.halves[0];
            (half.place, half.flags, half.socket_cookie) = (place.0, flags, cookie);
            followed.take(&record);
            assert_eq!(
                low(&mut followed).is_missing(),
                is_missing,
                "{place:?} {flags} {cookie}"
            );
            name(&mut followed, OwnerSource::Descriptor, cookie);
            assert!(!low(&mut followed).is_missing());
        }
    }

    #[test]
    fn the_name_of_another_socket_is_taken_back_and_one_found_by_endpoints_looked_for_again() {
        let mut followed = Followed::default();
        followed.take(&tracked(Some(HERE), 0));
        name(&mut followed, OwnerSource::Descriptor, 0);
        followed.take(&tracked(Some(HERE), 7));
        assert!(followed.mistaken().is_empty());
        let end = low(&mut followed);
        assert!(
            end.is_open() && end.is_told,
            "the name stays until it is known better"
        );

        name(&mut followed, OwnerSource::Descriptor, 7);
        followed.take(&tracked(Some(HERE), 7));
        assert!(followed.mistaken().is_empty() && !low(&mut followed).is_open());
        followed.take(&tracked(Some(HERE), 8));
        assert_eq!(followed.mistaken(), [(key(), 1, Side::Low)]);
        assert!(low(&mut followed).is_open());
    }
}
