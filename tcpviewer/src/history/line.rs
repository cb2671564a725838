//! Moments of one connection, oldest first, packed one behind the other.

use super::stored::{MOST_BYTES, Stored};
use crate::model::small::Scratch;

// How many bytes a moment takes fits a byte.
const _: () = assert!(MOST_BYTES <= u8::MAX as usize);

/// The moments. Those who ask say when the connection was first seen, always the same.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Of each moment, how many bytes it takes, and those.
    bytes: Vec<u8>,
    length: usize,
    /// When the last one was, microseconds since the epoch; 0 where there is none.
    last_at_us: u64,
}

impl Line {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// When the last one was, microseconds since the epoch; `None` where there is none.
    pub(super) fn last_at_us(&self) -> Option<u64> {
        (self.length > 0).then_some(self.last_at_us)
    }

    /// Bytes for which there is room.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// One more. Room is made for little more than that: most connections have one or none.
    pub(super) fn push(&mut self, moment: &Stored, first_seen_us: u64) {
        let mut scratch: Scratch = [0; _];
        let packed = moment.packed(first_seen_us, &mut scratch);
        let needed = 1 + packed.len();
        if self.bytes.capacity() - self.bytes.len() < needed {
            self.bytes.reserve_exact(needed + self.bytes.len() / 4);
        }
        self.bytes.push(packed.len() as u8);
        self.bytes.extend_from_slice(packed);
        self.length += 1;
        self.last_at_us = moment.at_us;
    }

    /// All of them.
    pub(super) fn iter(&self, first_seen_us: u64) -> impl Iterator<Item = Stored> {
        self.packed()
            .map(move |packed| Stored::unpacked(packed, first_seen_us))
    }

    /// Leaves out every second one, the first of all with them.
    pub(super) fn thin(&mut self, first_seen_us: u64) {
        let mut kept = Vec::with_capacity(self.bytes.len());
        let mut last = None;
        for packed in self.packed().skip(1).step_by(2) {
            kept.push(packed.len() as u8);
            kept.extend_from_slice(packed);
            last = Some(packed);
        }
        let last = last.map(|packed| Stored::unpacked(packed, first_seen_us));
        self.last_at_us = last.map_or(0, |last| last.at_us);
        self.length /= 2;
        self.bytes = kept;
    }

    /// Gives the room back that is not needed.
    pub(super) fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    fn packed(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let length = *rest.split_off_first()?;
            rest.split_off(..length.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::stored::tests::moments, *};

    proptest! {
        #[test]
        fn a_line_is_like_a_list(moments in prop::collection::vec(moments(), 0..40), thinned in 0..4) {
            let mut list = moments;
            let mut line = Line::default();
            for moment in &list {
                line.push(moment, 5);
            }
            for _time in 0..thinned {
                line.thin(5);
                let mut nth = 0;
                list.retain(|_moment| {
                    nth += 1;
                    nth % 2 == 0
                });
            }

            prop_assert_eq!(line.len(), list.len());
            prop_assert_eq!(line.last_at_us(), list.last().map(|last| last.at_us));
            prop_assert_eq!(line.iter(5).collect::<Vec<_>>(), list);
        }
    }
}
