//! What a connection did in the last seconds: two marks of its counters, five to ten seconds back, and what has been the
//! case since when. In: the connection each time it is judged. Out: differences.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use super::Facts;
use crate::model::{Connection, End, Half, SocketDetails};

/// A mark is moved on after this time, so differences reach back once to twice as far.
const MARK_EVERY: Duration = Duration::from_secs(5);
/// Payload of one end that is so much of all, in packets that are so many, is a stream.
const STREAM_SHARE: f64 = 0.95;
const STREAM_PACKETS: u64 = 20;

/// What a connection did lately.
#[derive(Debug)]
pub(super) struct Recent {
    older: Mark,
    newer: Mark,
    /// Nothing while both ends offer a window.
    stuck: Option<Box<[Option<Stuck>; 2]>>,
    /// The end that had nearly all to say the last time that payload passed.
    stream: Option<End>,
}

/// An end that offers no window while nothing comes through.
#[derive(Clone, Copy, Debug)]
struct Stuck {
    since: SystemTime,
    /// How much payload had come by then.
    payload_bytes: u64,
}

/// Counters at one moment, of what the source and what the destination sent. Kept for each connection that moves, so
/// they are small; those that begin anew after 2³² do so no more than once between two marks.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: SystemTime,
    halves: [Counters; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Counters {
    payload_bytes: u64,
    packets: u32,
    retransmissions: u32,
    /// Retransmissions that were none of the network's.
    needless: u32,
    zero_windows: u32,
    window_full: u32,
    /// One more than the window is, bytes.
    window_plus_1: Option<NonZeroU32>,
    times: Option<Times>,
}

/// Where the time of a socket that sends went until it was looked at, milliseconds since the connection was first seen.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// One more than that time.
    looked_at_plus_1: NonZeroU32,
    busy: u32,
    window_limited: u32,
    buffer_limited: u32,
}

/// What a connection did lately, up to now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lately<'a> {
    recent: &'a Recent,
    now: Mark,
}

/// How the counters of what one end sent grew lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    pub(super) packets: u64,
    pub(super) payload_bytes: u64,
    /// Without those that the other end says it had.
    pub(super) retransmissions: u64,
    pub(super) zero_windows: u64,
    pub(super) window_full: u64,
    /// The largest window offered.
    pub(super) window_bytes: Option<u32>,
    /// Where the time of its socket went; `None` where it was not looked at twice.
    pub(super) shares: Option<Shares>,
}

/// Parts of the time between two looks at a socket, 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shares {
    /// With something to send.
    pub(super) busy: f64,
    /// Held back by the other end's window.
    pub(super) window_limited: f64,
    /// Held back by its own buffer.
    pub(super) buffer_limited: f64,
}

impl Recent {
    /// Of a connection that was not judged before, or was idle.
    pub(super) fn new(connection: &Connection, now: SystemTime) -> Self {
        let mark = Mark::of(connection, now);
        // All that a new connection did is recent.
        let is_new = connection.first_seen + MARK_EVERY > now;
        let older = if is_new {
            Mark::begin(connection.first_seen)
        } else {
            mark
        };
        Self {
            older,
            newer: older,
            stuck: None,
            stream: None,
        }
    }

    /// Takes the newest form in.
    pub(super) fn advance(&mut self, facts: &Facts<'_>, now: SystemTime) -> Lately<'_> {
        let newest = Mark::of(facts.connection, now);
        if self.newer.at + MARK_EVERY <= now {
            self.older = std::mem::replace(&mut self.newer, newest);
        }
        for end in [End::Source, End::Destination] {
            self.watch_window(facts.connection, end, now);
        }
        self.stream = self.until(newest).watch_stream(facts).unwrap_or(self.stream);
        self.until(newest)
    }

    fn until(&self, now: Mark) -> Lately<'_> {
        Lately { recent: self, now }
    }

    fn watch_window(&mut self, connection: &Connection, end: End, now: SystemTime) {
        let offers_none = half(connection, end).window_bytes == Some(0);
        let came = net_payload(half(connection, end.other()));
        if !offers_none && self.stuck.is_none() {
            return;
        }
        let stuck = self.stuck.get_or_insert_default();
        let place = &mut stuck[end as usize];
        let goes_on = place.filter(|stuck| stuck.payload_bytes == came);
        let begins = Stuck {
            since: now,
            payload_bytes: came,
        };
        *place = offers_none.then(|| goes_on.unwrap_or(begins));
        self.stuck.take_if(|stuck| stuck.iter().all(Option::is_none));
    }
}

impl Lately<'_> {
    /// What an end sent.
    pub(super) fn change(&self, end: End) -> Change {
        let Recent { older, newer, .. } = self.recent;
        let marks = [older, newer, &self.now];
        let [older, newer, newest] = marks.map(|mark| &mark.halves[end as usize]);
        let grown = |value: fn(&Counters) -> u32| u64::from(value(newest).wrapping_sub(value(older)));
        let windows = [older, newer, newest].map(|counters| counters.window_plus_1);
        Change {
            packets: grown(|counters| counters.packets),
            payload_bytes: newest.payload_bytes.saturating_sub(older.payload_bytes),
            retransmissions: grown(|counters| counters.retransmissions)
                .saturating_sub(grown(|counters| counters.needless)),
            zero_windows: grown(|counters| counters.zero_windows),
            window_full: grown(|counters| counters.window_full),
            window_bytes: windows.into_iter().flatten().max().map(|plus_1| plus_1.get() - 1),
            shares: older
                .times
                .zip(newest.times)
                .and_then(|(older, newest)| Shares::between(older, newest)),
        }
    }

    /// How long that took.
    pub(super) fn elapsed(&self) -> Duration {
        self.now
            .at
            .duration_since(self.recent.older.at)
            .unwrap_or_default()
    }

    /// For how long an end has offered no window while nothing came through to it.
    pub(super) fn stuck(&self, end: End) -> Option<Duration> {
        let stuck = self.recent.stuck.as_ref()?[end as usize]?;
        self.now.at.duration_since(stuck.since).ok()
    }

    /// The end that had nearly all to say the last time that payload passed.
    pub(super) fn stream(&self) -> Option<End> {
        self.recent.stream
    }

    /// The same as of now; `None` where no payload passed lately.
    fn watch_stream(&self, facts: &Facts<'_>) -> Option<Option<End>> {
        let moved_lately = facts
            .payload
            .is_some_and(|payload| payload.at + MARK_EVERY / 2 > self.now.at);
        let [source, destination] = [End::Source, End::Destination].map(|end| self.change(end));
        let all = source.payload_bytes + destination.payload_bytes;
        let streams = |change: &Change| {
            change.payload_bytes as f64 >= STREAM_SHARE * all as f64 && change.packets >= STREAM_PACKETS
        };
        let stream = if streams(&source) {
            Some(End::Source)
        } else {
            streams(&destination).then_some(End::Destination)
        };
        (moved_lately && all > 0).then_some(stream)
    }
}

/// What an end sent.
pub(super) fn half(connection: &Connection, end: End) -> &Half {
    match end {
        End::Source => &connection.sent,
        End::Destination => &connection.received,
    }
}

fn net_payload(half: &Half) -> u64 {
    half.payload_bytes.saturating_sub(half.retransmitted_bytes)
}

impl Mark {
    fn of(connection: &Connection, at: SystemTime) -> Self {
        let counters = |half| Counters::of(half, connection.first_seen);
        Self {
            at,
            halves: [&connection.sent, &connection.received].map(counters),
        }
    }

    /// Of a connection that begins.
    fn begin(at: SystemTime) -> Self {
        let counters = Counters {
            times: Some(Times::BEGIN),
            ..Counters::default()
        };
        Self {
            at,
            halves: [counters; 2],
        }
    }
}

impl Counters {
    fn of(half: &Half, first_seen: SystemTime) -> Self {
        let details = half.socket.as_ref().and_then(|socket| socket.details.as_deref());
        let duplicates = details.and_then(|details| details.duplicate_segments);
        let needless = half.spurious_retransmissions.max(duplicates.unwrap_or(0));
        let milliseconds = |microseconds: u64| (microseconds / 1_000) as u32;
        let times = |details: &SocketDetails| {
            let looked_at = details.looked_at.duration_since(first_seen).ok()?;
            Some(Times {
                looked_at_plus_1: one_more(looked_at.as_millis() as u32),
                busy: milliseconds(details.busy_us?),
                window_limited: milliseconds(details.receive_window_limited_us?),
                buffer_limited: milliseconds(details.send_buffer_limited_us?),
            })
        };
        Self {
            payload_bytes: net_payload(half),
            packets: half.packets as u32,
            retransmissions: half.retransmissions.saturating_sub(half.syn_retransmissions),
            needless,
            zero_windows: half.zero_windows,
            window_full: half.window_full,
            window_plus_1: half.window_bytes.map(one_more),
            times: details.and_then(times),
        }
    }
}

impl Times {
    /// Nothing was done yet.
    const BEGIN: Self = Self {
        looked_at_plus_1: NonZeroU32::MIN,
        busy: 0,
        window_limited: 0,
        buffer_limited: 0,
    };
}

/// A number that is kept as one more than it is, so that none at all takes no memory; the highest one as it is.
fn one_more(number: u32) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(number)
}

impl Shares {
    /// Between two looks; the first may have been the beginning of the connection.
    fn between(older: Times, newest: Times) -> Option<Self> {
        let elapsed = newest
            .looked_at_plus_1
            .get()
            .wrapping_sub(older.looked_at_plus_1.get());
        let share = |older: u32, newest: u32| f64::from(newest.wrapping_sub(older)) / f64::from(elapsed);
        (elapsed > 0).then(|| Self {
            busy: share(older.busy, newest.busy),
            window_limited: share(older.window_limited, newest.window_limited),
            buffer_limited: share(older.buffer_limited, newest.buffer_limited),
        })
    }
}
