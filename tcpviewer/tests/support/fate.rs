//! What a line does to each packet, drawn from a seed: a pure function of the conditions, the seed, the direction
//! and the packet's number in it. The same four give the same fate, whatever came before and however fast.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::ChaCha8Rng};

use super::relay::Way;

/// One direction of a line. Probabilities are from 0 to 1 and apply to each packet by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Conditions {
    /// What every packet needs at least.
    pub(crate) delay: Duration,
    /// What it needs in addition at most. It delays those behind it as well and so keeps their order.
    pub(crate) jitter: Duration,
    /// What can pass, bits of IP packets per second; `None` for as fast as they come.
    pub(crate) bits_per_second: Option<u64>,
    /// Packets that can be on the line at once; one that finds it full is lost.
    pub(crate) capacity: usize,
    pub(crate) loss: f64,
    /// How often a packet is held back, so that those behind it may overtake.
    pub(crate) reordering: f64,
    /// How long it is held back at most.
    pub(crate) held_back: Duration,
    pub(crate) duplication: f64,
}

impl Conditions {
    /// A line that passes everything at once.
    pub(crate) const PERFECT: Self = Self {
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        bits_per_second: None,
        capacity: usize::MAX,
        loss: 0.0,
        reordering: 0.0,
        held_back: Duration::ZERO,
        duplication: 0.0,
    };
}

/// What becomes of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    /// It does not arrive, whatever else is said here.
    pub(crate) lost: bool,
    /// It arrives twice.
    pub(crate) duplicated: bool,
    /// How much later than its turn it leaves, where it is held back.
    pub(crate) held_back: Option<Duration>,
    pub(crate) jitter: Duration,
}

impl Fate {
    /// The fate of the packet with this number.
    pub(crate) fn of(conditions: &Conditions, seed: u64, way: Way, number: u64) -> Self {
        /// A block of the generator: more than the draws below need.
        const WORDS_PER_PACKET: u128 = 16;
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(way as u64);
        random.set_word_pos(u128::from(number) * WORDS_PER_PACKET);
        // All are drawn, and in this order, so that no condition changes what another does.
        let [loss, duplication, reordering, held_back, jitter] = [(); 5].map(|()| random.random::<f64>());
        Self {
            lost: loss < conditions.loss,
            duplicated: duplication < conditions.duplication,
            held_back: (reordering < conditions.reordering).then(|| conditions.held_back.mul_f64(held_back)),
            jitter: conditions.jitter.mul_f64(jitter),
        }
    }
}
