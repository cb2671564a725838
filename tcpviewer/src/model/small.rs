//! Numbers of which most are 0 or small, in as few bytes as they need. They are taken as words of 32 bits, of each of which
//! only the bytes up to the highest that is not 0 are kept, and nothing of the last words that are 0.
//!
//! Four words share a byte that says how long they are, as in Stream VByte (arxiv.org/abs/1709.08990), the variant with
//! lengths of 0, 1, 2 and 4 bytes. Behind one that says 0 stands how often that is so in a row.

/// Words that share a byte.
const GROUP: usize = 4;
/// Bytes of a word.
const WORD: usize = 4;
/// How many bytes of a word there are, by what is said of its length.
const LENGTHS: [usize; 4] = [0, 1, 2, 4];
/// Those bytes of a word.
const MASKS: [u32; 4] = [0, 0xff, 0xffff, u32::MAX];
/// A group takes so many bytes at most, with a word behind it: each is read and written as four bytes.
const LONGEST: usize = 1 + GROUP * WORD + WORD;
/// Bytes in which behind fewer than that there are as many again.
const END: usize = 2 * LONGEST;
/// Where words are packed.
pub(crate) type Scratch = [u8; SCRATCH];
const SCRATCH: usize = 1_024;

/// So many bytes are needed at most of so many words, which are whole groups.
pub(crate) const fn most_bytes(words: usize) -> usize {
    words / GROUP * (1 + GROUP * WORD)
}

/// Whether so many words are whole groups that can be packed.
const fn fits(words: usize) -> bool {
    words.is_multiple_of(GROUP) && most_bytes(words) + WORD <= SCRATCH
}

/// A number in two words, the lower one first.
pub(crate) const fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> u32::BITS) as u32]
}

/// The opposite of [`halves`].
pub(crate) const fn whole([low, high]: [u32; 2]) -> u64 {
    (high as u64) << u32::BITS | low as u64
}

/// These words in few bytes.
pub(crate) fn packed<const WORDS: usize>(words: &[u32; WORDS]) -> Box<[u8]> {
    packed_in(&mut [0; SCRATCH], words).into()
}

/// The same in this one, whatever was there before.
pub(crate) fn packed_in<'scratch, const WORDS: usize>(
    scratch: &'scratch mut Scratch,
    words: &[u32; WORDS],
) -> &'scratch [u8] {
    const { assert!(fits(WORDS)) }
    let (mut at, mut end) = (0, 0);
    let mut groups = words.as_chunks::<GROUP>().0;
    while let Some((group, rest)) = groups.split_first() {
        groups = rest;
        if *group == [0; GROUP] {
            let more = groups.iter().take(usize::from(u8::MAX) - 1);
            let run = more.take_while(|group| **group == [0; GROUP]).count();
            groups = &groups[run..];
            scratch[at..at + 2].copy_from_slice(&[0, run as u8 + 1]);
            at += 2;
            continue;
        }
        let (said_at, mut said) = (at, 0);
        at += 1;
        for (place, word) in group.iter().enumerate() {
            let bits = u32::BITS - word.leading_zeros();
            let length = u8::from(bits > 0) + u8::from(bits > 8) + u8::from(bits > 16);
            said |= length << (2 * place);
            // All of the word, of which the next one overwrites what is not used.
            scratch[at..at + WORD].copy_from_slice(&word.to_le_bytes());
            at += LENGTHS[usize::from(length)];
        }
        scratch[said_at] = said;
        end = at;
    }
    let kept = scratch[..end].iter().rposition(|&byte| byte != 0);
    &scratch[..kept.map_or(0, |last| last + 1)]
}

/// The words that were packed, which were so many.
pub(crate) fn unpacked<const WORDS: usize>(packed: &[u8]) -> [u32; WORDS] {
    const { assert!(fits(WORDS)) }
    let mut words = [0; WORDS];
    let mut groups = words.as_chunks_mut::<GROUP>().0;
    let rest = unpack(packed, &mut groups);
    let mut end = [0; END];
    end[..rest.len()].copy_from_slice(rest);
    unpack(&end, &mut groups);
    words
}

/// Unpacks groups for as long as there is one for sure. Returns what is left, fewer bytes than the longest takes.
fn unpack<'packed>(mut packed: &'packed [u8], groups: &mut &mut [[u32; GROUP]]) -> &'packed [u8] {
    while let Some(window) = packed.first_chunk::<LONGEST>() {
        let said = window[0];
        if said == 0 {
            let run = usize::from(window[1]);
            // No run is of none: this is behind the end.
            if run == 0 || groups.split_off_mut(..run).is_none() {
                return &[];
            }
            packed = &packed[2..];
            continue;
        }
        let Some(group) = groups.split_off_first_mut() else {
            return &[];
        };
        let mut at = 1;
        for (place, word) in group.iter_mut().enumerate() {
            let length = usize::from(said >> (2 * place) & 3);
            let number = window[at..].first_chunk().copied().unwrap_or_default();
            *word = u32::from_le_bytes(number) & MASKS[length];
            at += LENGTHS[length];
        }
        packed = &packed[at..];
    }
    packed
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words, of which many are small, and many in a row are 0.
    pub(crate) fn words<const WORDS: usize>() -> impl Strategy<Value = [u32; WORDS]> {
        let word = (0_u32..5, any::<u32>()).prop_map(|(length, word)| {
            let kept = u32::MAX.checked_shl(length * 8).map_or(u32::MAX, |above| !above);
            word & kept
        });
        let group = prop_oneof![Just([0; GROUP]), prop::array::uniform4(word)];
        prop::collection::vec(group, WORDS.div_ceil(GROUP)).prop_map(|groups| {
            let words = groups.as_flattened();
            *words.first_chunk().unwrap()
        })
    }

    #[test]
    fn of_nothing_but_zeros_nothing_is_kept() {
        assert!(packed(&[0; 160]).is_empty());
        assert_eq!(unpacked(&[]), [0; 160]);
    }

    #[test]
    fn few_bytes_are_kept_of_few() {
        let mut words = [0; 160];
        words[150] = 7;
        assert_eq!(*packed(&words), [0, 37, 1 << 4, 7]);
        assert_eq!(unpacked(&packed(&words)), words);
    }

    proptest! {
        #[test]
        fn all_words_come_out_as_they_went_in(words in words::<160>(), before in any::<u8>()) {
            let mut scratch = [before; _];

            prop_assert_eq!(unpacked(packed_in(&mut scratch, &words)), words);
        }

        #[test]
        fn whatever_is_unpacked_does_no_harm(packed in prop::collection::vec(any::<u8>(), 0..2_000)) {
            let _words = unpacked::<160>(&packed);
        }
    }
}
