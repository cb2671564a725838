//! A connection's record, whole while it changes and after that in a quarter of the memory: most of its numbers are 0, and
//! most of the others small. The record is taken as words of 32 bits, of each of which only the bytes up to the highest
//! that is not 0 are kept.
//!
//! Four words share a byte that says how long they are, as in Stream VByte (arxiv.org/abs/1709.08990), the variant with
//! lengths of 0, 1, 2 and 4 bytes.

use tcpviewer_common::{abi::Plain as _, connection::ConnectionRecord};

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
/// written as four bytes.
const ROOM: usize = BYTES + BYTES / GROUP + WORD;

const _: () = assert!(BYTES.is_multiple_of(GROUP));

/// A record as it is kept.
#[derive(Debug)]
pub(super) enum Kept {
    Whole(Box<ConnectionRecord>),
    Packed(Box<[u8]>),
}

impl Kept {
    /// A record that may soon change.
    pub(super) fn new(record: &ConnectionRecord) -> Self {
        Self::Whole(Box::new(*record))
    }

    /// Keeps another one in its place.
    pub(super) fn replace(&mut self, record: &ConnectionRecord) {
        match self {
            Self::Whole(whole) => **whole = *record,
            Self::Packed(_) => *self = Self::new(record),
        }
    }

    /// From now on it is read seldom.
    pub(super) fn pack(&mut self) {
        if let Self::Whole(record) = self {
            *self = Self::Packed(packed(record));
        }
    }

    /// The record.
    pub(super) fn record(&self) -> ConnectionRecord {
        match self {
            Self::Whole(record) => **record,
            // There are as many bytes as a record has.
            Self::Packed(packed) => unpacked(packed).unwrap_or(ConnectionRecord::VACANT),
        }
    }
}

fn packed(record: &ConnectionRecord) -> Box<[u8]> {
    let mut room = [0; ROOM];
    let mut at = 0;
    for group in record.as_bytes().chunks_exact(GROUP) {
        let said_at = at;
        at += 1;
        let mut said = 0;
        for (place, word) in group.as_chunks::<WORD>().0.iter().enumerate() {
            let length = match u32::from_le_bytes(*word) {
                0 => 0,
                1..=0xff => 1,
                0x100..=0xffff => 2,
                _ => 3,
            };
            said |= length << (2 * place);
            // All of the word, of which the next one overwrites what is not used.
            room[at..at + WORD].copy_from_slice(word);
            at += LENGTHS[usize::from(length)];
        }
        room[said_at] = said;
    }
    room[..at + WORD].into()
}

fn unpacked(packed: &[u8]) -> Option<ConnectionRecord> {
    let mut bytes = [0; BYTES];
    let mut rest = packed;
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn of_a_record_without_anything_little_is_kept() {
        let packed = packed(&ConnectionRecord::VACANT);

        assert!(packed.len() < 100, "{}", packed.len());
        assert_eq!(unpacked(&packed), Some(ConnectionRecord::VACANT));
    }

    proptest! {
        #[test]
        fn every_record_comes_out_as_it_went_in(
            words in prop::collection::vec((0_u32..5, any::<u32>()), BYTES / 4)
        ) {
            let bytes: Vec<u8> = words
                .iter()
                .flat_map(|&(length, word)| {
                    let kept = u32::MAX.checked_shl(length * 8).map_or(u32::MAX, |above| !above);
                    (word & kept).to_le_bytes()
                })
                .collect();
            let record = ConnectionRecord::from_bytes(&bytes).unwrap();

            let mut kept = Kept::new(&record);
            prop_assert_eq!(kept.record(), record);
            kept.pack();
            prop_assert_eq!(kept.record(), record);
        }
    }
}
