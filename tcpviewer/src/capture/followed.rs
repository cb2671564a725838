//! Which connections are in the kernel's map and when each is to be looked at next. A connection that reports
//! is active and is looked at once it has been quiet for an update interval; one that is quiet, or ended with the last
//! packet that was reported, is looked at when it may be dead. So the work follows activity, not the size of the map.

mod checks;

use std::time::Duration;

use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, Place, Side},
    state::TcpState,
};

use self::checks::{Checks, Wait};
use crate::model::{ByEnds, OpenSocket, Tracked};

/// A record stays this long after its connection ended, so that late packets find it and count where they
/// belong.
const LINGER: Duration = Duration::from_secs(15);
/// A handshake that goes nowhere is given up after this silence: longer than the longest pause between SYNs
/// of Linux (64 s with the default of six retries).
const HANDSHAKE_SILENCE: Duration = Duration::from_secs(75);
/// A connection is taken for dead after this silence: keep-alive probes begin after two hours and take eleven
/// minutes (tcp(7): tcp_keepalive_time, tcp_keepalive_intvl, tcp_keepalive_probes).
const ESTABLISHED_SILENCE: Duration = Duration::from_secs(8_100);
/// The kernel's times are those of its last tick, mostly no more than 10 ms ago: so long after the interval it is past for
/// the kernel as well.
const SLACK: Duration = Duration::from_millis(15);

/// What looking at a connection showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Nothing since the last report.
    Unchanged,
    /// The same, and that was known before.
    AtRest,
    /// Something that was not reported.
    Changed,
    /// The same, and it has been quiet since then.
    Settled,
    /// It ended, or has been silent for so long that it must have.
    Dead,
}

/// Which connections are in the map.
pub struct Followed {
    quiet_after_ns: u64,
    connections: ByEnds<Entry>,
    checks: Checks,
    /// Where packets of an end in another network namespace are expected to come in, of the lower and the higher end.
    expected: ByEnds<[Option<Place>; 2]>,
}

struct Entry {
    /// When its record was reported or looked at, boot time.
    known_ns: u64,
    /// The newest packet of that record, boot time.
    last_seen_ns: u64,
    /// Packets so far. The time alone does not tell of a change: it is rough.
    packets: u64,
    check_ns: u64,
    /// How it waits for that.
    wait: Wait,
    is_active: bool,
    /// Whether a look at all sockets showed one of it: then it lives, however long it is silent.
    has_socket: bool,
    /// Whether those who look at sockets have heard of it.
    is_told: bool,
}

impl Followed {
    /// Nothing yet.
    pub fn new(update_interval: Duration) -> Self {
        Self {
            quiet_after_ns: quiet_after_ns(update_interval),
            connections: ByEnds::default(),
            checks: Checks::default(),
            expected: ByEnds::default(),
        }
    }

    /// From now on a connection that changes is reported once per this time. Where that is longer than before, what comes
    /// next over one that rests may be too soon after its last report.
    pub fn set_update_interval(&mut self, update_interval: Duration, now_ns: u64) {
        let quiet_after_ns = quiet_after_ns(update_interval);
        let before = std::mem::replace(&mut self.quiet_after_ns, quiet_after_ns);
        if quiet_after_ns > before {
            self.look_again(now_ns, |entry| entry.known_ns + quiet_after_ns > now_ns);
        }
    }

    /// Reports were lost, so that nobody may have heard of what came over those that rest, not even of their end.
    pub fn doubt(&mut self, now_ns: u64) {
        self.look_again(now_ns, |_entry| true);
    }

    /// Lets those that rest be looked at again when the update interval has passed; ended ones are soon anyway.
    fn look_again(&mut self, now_ns: u64, is_meant: impl Fn(&Entry) -> bool) {
        let check_ns = now_ns + self.quiet_after_ns;
        for (key, entry) in &mut self.connections {
            if !entry.is_active && entry.wait != Wait::Ended && entry.check_ns > check_ns && is_meant(entry) {
                self.checks.remove(entry.check_ns, *key, entry.wait);
                entry.check_ns = check_ns;
                entry.wait = self.checks.insert(check_ns, *key, Wait::Quiet);
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Whether this one has been heard of.
    pub fn knows(&self, key: &ConnectionKey) -> bool {
        self.connections.contains_key(key)
    }

    /// Whether this record is the one that is known.
    pub fn is_known(&self, key: &ConnectionKey, record: &ConnectionRecord) -> bool {
        self.connections.get(key).is_some_and(|entry| {
            (entry.last_seen_ns, entry.packets) == (record.last_seen_ns(), record.packets())
        })
    }

    /// Takes note of a report. Returns whether it is worth a word to those who look at sockets: not the first one, for most
    /// connections end before anybody would look, and then their end is not either.
    pub fn reported(&mut self, tracked: &Tracked, now_ns: u64) -> bool {
        let last_seen_ns = tracked.record.last_seen_ns();
        let entry = self.connections.entry(tracked.key).or_insert(Entry {
            known_ns: 0,
            last_seen_ns: 0,
            packets: 0,
            check_ns: 0,
            wait: Wait::AsLong,
            is_active: false,
            has_socket: false,
            is_told: false,
        });
        entry.is_told |= entry.known_ns != 0 && tracked.record.closed_ns == 0;
        entry.known_ns = now_ns;
        entry.last_seen_ns = last_seen_ns;
        entry.packets = tracked.record.packets();
        let closed_ns = tracked.record.closed_ns;
        if closed_ns != 0 && last_seen_ns <= closed_ns {
            // Should more come, the kernel tells of it at once.
            entry.is_active = false;
            let dead_ns = last_seen_ns + LINGER.as_nanos() as u64;
            // Two packets at the same rough time are two reports; it stands in line once.
            if (entry.wait, entry.check_ns) != (Wait::Ended, dead_ns) {
                self.checks.remove(entry.check_ns, tracked.key, entry.wait);
                entry.check_ns = dead_ns;
                entry.wait = self.checks.insert(dead_ns, tracked.key, Wait::Ended);
            }
        } else if !entry.is_active {
            // While it is active its check stands; when that comes, it looks at the time of the last report.
            entry.is_active = true;
            let quiet_ns = now_ns + self.quiet_after_ns;
            self.checks.remove(entry.check_ns, tracked.key, entry.wait);
            entry.check_ns = quiet_ns;
            entry.wait = self.checks.insert(quiet_ns, tracked.key, Wait::Quiet);
        }
        entry.is_told
    }

    /// Takes note of a connection that is in the map and quiet.
    pub fn found(&mut self, tracked: &Tracked, now_ns: u64) {
        let check_ns = now_ns + ESTABLISHED_SILENCE.as_nanos() as u64;
        let entry = Entry {
            known_ns: now_ns,
            last_seen_ns: tracked.record.last_seen_ns(),
            packets: tracked.record.packets(),
            check_ns,
            wait: Wait::AsLong,
            is_active: false,
            has_socket: true,
            is_told: false,
        };
        if let Some(before) = self.connections.insert(tracked.key, entry) {
            self.checks.remove(before.check_ns, tracked.key, before.wait);
        }
        self.checks.insert(check_ns, tracked.key, Wait::AsLong);
    }

    /// Takes note of whether a connection has a socket on this host.
    pub fn set_socket(&mut self, key: &ConnectionKey, has_socket: bool) {
        if let Some(entry) = self.connections.get_mut(key) {
            entry.has_socket = has_socket;
        }
    }

    /// Where packets of this end are expected to come in: where the first socket on these endpoints said so of which
    /// that is known.
    pub fn expected(&mut self, open: &OpenSocket) -> Option<Place> {
        let key = open.look.key;
        let place = open.place.filter(|_place| self.knows(&key))?;
        let [low, high] = self.expected.entry(key).or_default();
        let own = match open.look.side {
            Side::Low => low,
            Side::High => high,
        };
        Some(*own.get_or_insert(place))
    }

    /// When the next connection is to be looked at, boot time.
    pub fn next_check_ns(&self) -> Option<u64> {
        self.checks.next_ns()
    }

    /// Up to `limit` connections that are to be looked at now.
    pub fn due(&mut self, now_ns: u64, limit: usize) -> Vec<ConnectionKey> {
        let mut due = Vec::new();
        while due.len() < limit
            && let Some((at_ns, key)) = self.checks.pop(now_ns)
        {
            let Some(entry) = self.connections.get_mut(&key) else {
                continue;
            };
            if entry.check_ns != at_ns {
                continue;
            }
            let quiet_ns = entry.known_ns + self.quiet_after_ns;
            if entry.is_active && quiet_ns > now_ns {
                entry.check_ns = quiet_ns;
                entry.wait = self.checks.insert(quiet_ns, key, Wait::AsLong);
            } else {
                due.push(key);
            }
        }
        due
    }

    /// Takes note of what a look at a due connection showed, and decides when to look again.
    pub fn check(&mut self, tracked: &Tracked, now_ns: u64) -> Check {
        let Some(entry) = self.connections.get_mut(&tracked.key) else {
            return Check::Unchanged;
        };
        let last_seen_ns = tracked.record.last_seen_ns();
        let packets = tracked.record.packets();
        let changed = (last_seen_ns, packets) != (entry.last_seen_ns, entry.packets);
        let mut dead_ns = last_seen_ns + patience(&tracked.record).as_nanos() as u64;
        if !changed && dead_ns <= now_ns {
            if !entry.has_socket || tracked.record.closed_ns != 0 {
                return Check::Dead;
            }
            dead_ns = now_ns + ESTABLISHED_SILENCE.as_nanos() as u64;
        }
        let was_active = entry.is_active;
        // The last report is an update interval ago: whatever comes from now on, the kernel reports at once.
        let is_quiet = now_ns.saturating_sub(last_seen_ns) >= self.quiet_after_ns / 2;
        entry.known_ns = now_ns;
        entry.last_seen_ns = last_seen_ns;
        entry.packets = packets;
        entry.is_active = changed && !is_quiet;
        entry.is_told = true;
        let (check_ns, wait) = if entry.is_active {
            (now_ns + self.quiet_after_ns, Wait::Quiet)
        } else if tracked.record.closed_ns != 0 {
            (dead_ns, Wait::Ended)
        } else {
            (dead_ns, Wait::AsLong)
        };
        entry.check_ns = check_ns;
        entry.wait = self.checks.insert(check_ns, tracked.key, wait);
        match (changed, is_quiet) {
            (false, _) if was_active => Check::Unchanged,
            (false, _) => Check::AtRest,
            (true, false) => Check::Changed,
            (true, true) => Check::Settled,
        }
    }

    /// Forgets a connection that is no longer in the map.
    pub fn forget(&mut self, key: &ConnectionKey) {
        if let Some(entry) = self.connections.remove(key) {
            self.checks.remove(entry.check_ns, *key, entry.wait);
        }
        self.expected.remove(key);
    }
}

fn quiet_after_ns(update_interval: Duration) -> u64 {
    (update_interval + SLACK).as_nanos() as u64
}

/// How long a connection in this state may be silent before its record goes.
fn patience(record: &ConnectionRecord) -> Duration {
    if record.closed_ns != 0 {
        return LINGER;
    }
    let (sent, received) = record.oriented();
    let opening = |state| {
        matches!(
            state,
            TcpState::SynSent | TcpState::SynReceived | TcpState::Listen
        )
    };
    if opening(sent.state(received)) || opening(received.state(sent)) {
        HANDSHAKE_SILENCE
    } else {
        ESTABLISHED_SILENCE
    }
}

#[cfg(test)]
mod tests;
