//! What a connection did in the last seconds: two marks of its counters, five to ten seconds back, and what has been the
//! case since when. In: the connection each time it is judged. Out: differences.

use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

use super::{Facts, stamp::Stamp};
use crate::model::{Connection, End, Half, SocketDetails, small};

/// A mark is moved on after this time, so differences reach back once to twice as far.
const MARK_EVERY: Duration = Duration::from_secs(5);
/// Payload of one end that is so much of all, in packets that are so many, is a stream.
const STREAM_SHARE: f64 = 0.95;
const STREAM_PACKETS: u64 = 20;

/// What a connection did lately. Kept for each connection that moved in the last seconds, so it is packed.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Recent {
    marks: Box<[u8]>,
    /// Nothing while both ends offer a window.
    stuck: Option<Box<[Option<Stuck>; 2]>>,
}

/// The two marks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Marks {
    older: Mark,
    newer: Mark,
    /// The end that had nearly all to say the last time that payload passed.
    stream: Option<End>,
}

/// An end that offers no window while nothing comes through.
#[derive(Clone, Copy, Debug)]
struct Stuck {
    since: Stamp,
    /// How much payload had come by then.
    payload_bytes: u64,
}

/// Counters at one moment, of what the source and what the destination sent. Those that begin anew after 2³² do so no
/// more than once between two marks.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    at: Stamp,
    halves: [Counters; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
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
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Of what the source and what the destination sent.
    changes: [Change; 2],
    /// How long that took.
    elapsed: Duration,
    /// For how long they begin where they do.
    stays_for: Duration,
    now: Stamp,
    stuck: Option<&'a [Option<Stuck>; 2]>,
    stream: Option<End>,
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
    /// Takes the newest form in; there is nothing before that of a connection that was not judged, or was idle for good.
    pub(super) fn advance<'a>(
        recent: &'a mut Option<Self>,
        facts: &Facts<'_>,
        now: SystemTime,
    ) -> Lately<'a> {
        let newest = Mark::of(facts.connection, now);
        let mut is_news = recent.is_none();
        let known = recent.as_ref().map(|recent| Marks::unpacked(&recent.marks));
        let mut marks = known.unwrap_or_else(|| Marks::begin(facts.connection, newest, now));
        if !marks.newer.at.is_within(MARK_EVERY, newest.at) {
            marks.older = std::mem::replace(&mut marks.newer, newest);
            is_news = true;
        }
        let recent = recent.get_or_insert_with(|| Self {
            marks: Box::default(),
            stuck: None,
        });
        for end in [End::Source, End::Destination] {
            recent.watch_window(facts.connection, end, newest.at);
        }
        let changes = [End::Source, End::Destination].map(|end| marks.change(&newest, end));
        if let Some(stream) = watch_stream(&changes, facts, newest.at) {
            is_news |= stream != marks.stream;
            marks.stream = stream;
        }
        if is_news {
            recent.marks = marks.packed();
        }
        Lately {
            changes,
            elapsed: marks.older.at.until(newest.at),
            stays_for: MARK_EVERY.saturating_sub(marks.newer.at.until(newest.at)),
            now: newest.at,
            stuck: recent.stuck.as_deref(),
            stream: marks.stream,
        }
    }

    fn watch_window(&mut self, connection: &Connection, end: End, now: Stamp) {
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
        self.changes[end as usize]
    }

    /// How long that took.
    pub(super) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// For how long from now on changes are seen from the same moment on.
    pub(super) fn stays_for(&self) -> Duration {
        self.stays_for
    }

    /// For how long an end has offered no window while nothing came through to it.
    pub(super) fn stuck(&self, end: End) -> Option<Duration> {
        let stuck = self.stuck?[end as usize]?;
        Some(stuck.since.until(self.now))
    }

    /// The end that had nearly all to say the last time that payload passed.
    pub(super) fn stream(&self) -> Option<End> {
        self.stream
    }
}

/// The end that has nearly all to say; `None` where no payload passed lately.
fn watch_stream(changes: &[Change; 2], facts: &Facts<'_>, now: Stamp) -> Option<Option<End>> {
    let moved_lately = facts
        .payload
        .is_some_and(|payload| Stamp::of(payload.at).until(now) < MARK_EVERY / 2);
    let [source, destination] = changes;
    let all = source.payload_bytes + destination.payload_bytes;
    let streams = |change: &Change| {
        change.payload_bytes as f64 >= STREAM_SHARE * all as f64 && change.packets >= STREAM_PACKETS
    };
    let stream = if streams(source) {
        Some(End::Source)
    } else {
        streams(destination).then_some(End::Destination)
    };
    (moved_lately && all > 0).then_some(stream)
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

/// Words of a mark: its time and twice its counters.
const MARK: usize = 2 + 2 * COUNTERS;
/// Words of counters.
const COUNTERS: usize = 12;
/// Words of both marks, and one for the stream.
const WORDS: usize = (2 * MARK + 1).next_multiple_of(4);

impl Marks {
    /// Of a connection of which this is the first mark.
    fn begin(connection: &Connection, mark: Mark, now: SystemTime) -> Self {
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
            stream: None,
        }
    }

    /// How the counters of what an end sent grew until now.
    fn change(&self, newest: &Mark, end: End) -> Change {
        let marks = [&self.older, &self.newer, newest];
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

    /// In words, of the newer mark by how much more it has.
    fn packed(&self) -> Box<[u8]> {
        let (older, newer) = (self.older.words(), self.newer.words());
        let mut words = [0; WORDS];
        words[..MARK].copy_from_slice(&older);
        for (place, (newer, older)) in words[MARK..].iter_mut().zip(newer.iter().zip(older)) {
            *place = newer.wrapping_sub(older);
        }
        words[2 * MARK] = self.stream.map_or(0, |end| end as u32 + 1);
        small::packed(&words)
    }

    /// The opposite of [`packed`](Self::packed).
    fn unpacked(packed: &[u8]) -> Self {
        let mut words = small::unpacked::<WORDS>(packed).into_iter();
        let mut next = || words.next().unwrap_or_default();
        let older: [u32; MARK] = std::array::from_fn(|_word| next());
        let newer = older.map(|older| older.wrapping_add(next()));
        Self {
            older: Mark::of_words(older),
            newer: Mark::of_words(newer),
            stream: match next() {
                0 => None,
                1 => Some(End::Source),
                _ => Some(End::Destination),
            },
        }
    }
}

impl Mark {
    fn words(&self) -> [u32; MARK] {
        let mut words = [0; MARK];
        words[..2].copy_from_slice(&self.at.words());
        for (place, counters) in words[2..].as_chunks_mut().0.iter_mut().zip(&self.halves) {
            *place = counters.words();
        }
        words
    }

    fn of_words(words: [u32; MARK]) -> Self {
        let [low, high, halves @ ..] = words;
        let (sent, received) = halves.split_at(COUNTERS);
        let counters = |words: &[u32]| {
            words
                .first_chunk()
                .copied()
                .map_or_else(Counters::default, Counters::of_words)
        };
        Self {
            at: Stamp::of_words([low, high]),
            halves: [counters(sent), counters(received)],
        }
    }

    fn of(connection: &Connection, at: SystemTime) -> Self {
        let counters = |half| Counters::of(half, connection.first_seen);
        Self {
            at: Stamp::of(at),
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
            at: Stamp::of(at),
            halves: [counters; 2],
        }
    }
}

impl Counters {
    fn words(&self) -> [u32; COUNTERS] {
        let or_0 = |number: Option<NonZeroU32>| number.map_or(0, NonZeroU32::get);
        let [low, high] = small::halves(self.payload_bytes);
        let times = self.times;
        let time = |which: fn(Times) -> u32| times.map_or(0, which);
        [
            low,
            high,
            self.packets,
            self.retransmissions,
            self.needless,
            self.zero_windows,
            self.window_full,
            or_0(self.window_plus_1),
            or_0(times.map(|times| times.looked_at_plus_1)),
            time(|times| times.busy),
            time(|times| times.window_limited),
            time(|times| times.buffer_limited),
        ]
    }

    /// The opposite of [`words`](Self::words).
    fn of_words(words: [u32; COUNTERS]) -> Self {
        let [
            low,
            high,
            packets,
            retransmissions,
            needless,
            zero_windows,
            window_full,
            window_plus_1,
            looked_at_plus_1,
            busy,
            window_limited,
            buffer_limited,
        ] = words;
        let times = |looked_at_plus_1| Times {
            looked_at_plus_1,
            busy,
            window_limited,
            buffer_limited,
        };
        Self {
            payload_bytes: small::whole([low, high]),
            packets,
            retransmissions,
            needless,
            zero_windows,
            window_full,
            window_plus_1: NonZeroU32::new(window_plus_1),
            times: NonZeroU32::new(looked_at_plus_1).map(times),
        }
    }

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::small::tests::words;

    fn mark() -> impl Strategy<Value = Mark> {
        words().prop_map(Mark::of_words)
    }

    proptest! {
        #[test]
        fn marks_come_out_as_they_went_in(
            older in mark(),
            newer in mark(),
            stream in prop::sample::select(vec![None, Some(End::Source), Some(End::Destination)]),
        ) {
            let marks = Marks { older, newer, stream };

            prop_assert_eq!(Marks::unpacked(&marks.packed()), marks);
        }
    }
}
