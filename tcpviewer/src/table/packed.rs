//! A record in a fraction of the memory, for as long as nothing passes: without what only the tracker goes by, with times
//! since the first packet, and of those numbers, most of which are 0 or small, only the bytes that are needed. The record
//! is taken as words of 32 bits, of each of which only the bytes up to the highest that is not 0 are kept, and nothing of
//! the last words that are 0.
//!
//! Four words share a byte that says how long they are, as in Stream VByte (arxiv.org/abs/1709.08990), the variant with
//! lengths of 0, 1, 2 and 4 bytes.

use tcpviewer_common::{
    abi::Plain as _,
    connection::{ConnectionRecord, Half, Hole, Notable, TimedSegment},
};

/// Bytes of a record.
const BYTES: usize = size_of::<ConnectionRecord>();
/// Bytes of a word.
const WORD: usize = 4;
/// Bytes of four words.
const GROUP: usize = 4 * WORD;
/// How many bytes of a word there are, by what is said of its length.
const LENGTHS: [usize; 4] = [0, 1, 2, 4];
/// Those bytes of a word.
const MASKS: [u32; 4] = [0, 0xff, 0xffff, u32::MAX];
/// A packed record takes so many bytes at most, and behind the last one there is a word, so that each can be read and
/// written as four bytes while it is packed and unpacked.
const ROOM: usize = BYTES + BYTES / GROUP + WORD;

const _: () = assert!(BYTES.is_multiple_of(GROUP));

/// A record at rest.
#[derive(Debug)]
pub(super) struct PackedRecord(Box<[u8]>);

impl PackedRecord {
    pub(super) fn new(record: &ConnectionRecord) -> Self {
        let mut record = without_trackers_own(record);
        let begin_ns = record.first_seen_ns;
        for time_ns in times(&mut record) {
            if *time_ns != 0 {
                *time_ns = since(*time_ns, begin_ns);
            }
        }
        for half in &mut record.halves {
            half.last_seq = half.next_seq.wrapping_sub(half.last_seq);
        }
        Self(packed(&record))
    }

    /// The record [without what only the tracker goes by](without_trackers_own).
    pub(super) fn record(&self) -> ConnectionRecord {
        // There are as many bytes as a record has.
        let mut record = unpacked(&self.0).unwrap_or(ConnectionRecord::VACANT);
        let begin_ns = record.first_seen_ns;
        for time_ns in times(&mut record) {
            if *time_ns != 0 {
                *time_ns = at(*time_ns, begin_ns);
            }
        }
        for half in &mut record.halves {
            half.last_seq = half.next_seq.wrapping_sub(half.last_seq);
        }
        record
    }
}

/// The record without what means something to the tracker alone: it goes on with its own, in the kernel.
pub(super) fn without_trackers_own(record: &ConnectionRecord) -> ConnectionRecord {
    let half = |half: &Half| Half {
        socket_cookie: 0,
        forgotten_bytes: 0,
        next_time: 0,
        ack_time: 0,
        initial_seq: 0,
        highest_ack: 0,
        later_places: 0,
        fin_end: 0,
        timed_head: 0,
        timed_count: 0,
        duplicate_run: 0,
        holes: [Hole::default(); _],
        timed: [TimedSegment::default(); _],
        ..*half
    };
    ConnectionRecord {
        emitted_ns: 0,
        halves: record.halves.each_ref().map(half),
        notable: [Notable::NONE; _],
        ..*record
    }
}

/// All times but that of the first packet.
fn times(record: &mut ConnectionRecord) -> [&mut u64; 10] {
    let [low, high] = &mut record.halves;
    [
        &mut record.syn_ns,
        &mut record.syn_ack_ns,
        &mut record.answered_ns,
        &mut record.established_ns,
        &mut record.closed_ns,
        &mut record.payload_ns,
        &mut low.last_seen_ns,
        &mut low.socket.time_ns,
        &mut high.last_seen_ns,
        &mut high.socket.time_ns,
    ]
}

/// The time since the beginning, never 0, which stands for none; small whether it is after the beginning or before.
fn since(time_ns: u64, begin_ns: u64) -> u64 {
    let after = time_ns.wrapping_sub(begin_ns).cast_signed();
    let folded = ((after << 1) ^ (after >> 63)).cast_unsigned();
    folded.wrapping_add(1)
}

/// The opposite of [`since`].
fn at(since: u64, begin_ns: u64) -> u64 {
    let folded = since.wrapping_sub(1);
    let after = (folded >> 1) ^ (folded & 1).wrapping_neg();
    begin_ns.wrapping_add(after)
}

fn packed(record: &ConnectionRecord) -> Box<[u8]> {
    let mut room = [0; ROOM];
    let mut at = 0;
    for group in record.as_bytes().as_chunks::<GROUP>().0 {
        let said_at = at;
        at += 1;
        // So it is with most of them, and what is said of them stands there.
        if *group == [0; GROUP] {
            continue;
        }
        let mut said = 0;
        for (place, word) in group.as_chunks::<WORD>().0.iter().enumerate() {
            let bits = u32::BITS - u32::from_le_bytes(*word).leading_zeros();
            let length = u8::from(bits > 0) + u8::from(bits > 8) + u8::from(bits > 16);
            said |= length << (2 * place);
            // All of the word, of which the next one overwrites what is not used.
            room[at..at + WORD].copy_from_slice(word);
            at += LENGTHS[usize::from(length)];
        }
        room[said_at] = said;
    }
    let kept = room[..at].iter().rposition(|&byte| byte != 0);
    room[..kept.map_or(0, |last| last + 1)].into()
}

fn unpacked(packed: &[u8]) -> Option<ConnectionRecord> {
    let mut room = [0; ROOM];
    room.get_mut(..packed.len())?.copy_from_slice(packed);
    let mut bytes = [0; BYTES];
    let mut rest = &room[..];
    for group in bytes.chunks_exact_mut(GROUP) {
        let (&said, after) = rest.split_first()?;
        rest = after;
        if said == 0 {
            continue;
        }
        for (place, word) in group.as_chunks_mut::<WORD>().0.iter_mut().enumerate() {
            let length = usize::from(said >> (2 * place) & 3);
            *word = (u32::from_le_bytes(*rest.first_chunk()?) & MASKS[length]).to_le_bytes();
            rest = rest.get(LENGTHS[length]..)?;
        }
    }
    ConnectionRecord::from_bytes(&bytes)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::{
        super::{convert, rates::Rates, row::Said},
        *,
    };
    use crate::model::{Clock, Connection, key_between};

    #[test]
    fn of_a_record_without_anything_little_is_kept() {
        let packed = packed(&ConnectionRecord::VACANT);

        assert!(packed.len() < 100, "{}", packed.len());
        assert_eq!(unpacked(&packed), Some(ConnectionRecord::VACANT));
    }

    /// Any record that packets may lead to, and others; many of their words are small.
    fn records() -> impl Strategy<Value = ConnectionRecord> {
        let words = prop::collection::vec((0_u32..5, any::<u32>()), BYTES / 4);
        words.prop_map(|words| {
            let word = |(length, word): (u32, u32)| {
                let kept = u32::MAX.checked_shl(length * 8).map_or(u32::MAX, |above| !above);
                (word & kept).to_le_bytes()
            };
            let bytes: Vec<u8> = words.into_iter().flat_map(word).collect();
            let mut record = ConnectionRecord::from_bytes(&bytes).unwrap();
            for half in &mut record.halves {
                // A larger one is not taken from a packet (RFC 7323, section 2.3).
                half.window_scale_plus_1 %= 16;
            }
            record
        })
    }

    /// What is published of a record.
    fn published(record: &ConnectionRecord) -> Connection {
        let key = key_between(([127, 0, 0, 1], 40_000).into(), ([127, 0, 0, 1], 80).into());
        let said = Said::new(key.0, "lo".into());
        convert::connection(
            &said,
            record,
            Rates::default(),
            Clock::new(SystemTime::UNIX_EPOCH),
        )
    }

    proptest! {
        #[test]
        fn every_record_comes_out_as_it_went_in(record in records()) {
            prop_assert_eq!(unpacked(&packed(&record)), Some(record));
        }

        #[test]
        fn a_record_at_rest_says_all_that_is_published(record in records()) {
            let rested = PackedRecord::new(&record).record();

            prop_assert_eq!(rested, without_trackers_own(&record));
            prop_assert_eq!(published(&rested), published(&record));
        }
    }
}
