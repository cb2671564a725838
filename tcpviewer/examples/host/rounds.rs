//! What was measured by turns: in each round each subject once, so that what the machine does meanwhile meets all of
//! them. Figures are medians; ratios are taken within a round.

use crate::{attached::Kind, rows::middle};

/// The figures of one load.
pub(crate) struct Rounds {
    kinds: Vec<Kind>,
    rates: Vec<Vec<f64>>,
}

impl Rounds {
    /// No round yet.
    pub(crate) fn of(kinds: Vec<Kind>) -> Self {
        let rates = kinds.iter().map(|_kind| Vec::new()).collect();
        Self { kinds, rates }
    }

    /// Their order in this round: every other one is the other way round.
    pub(crate) fn order(&self, round: usize) -> Vec<Kind> {
        let mut kinds = self.kinds.clone();
        if round % 2 == 1 {
            kinds.reverse();
        }
        kinds
    }

    pub(crate) fn add(&mut self, kind: Kind, rate: f64) {
        for (each, rates) in self.kinds.iter().zip(&mut self.rates) {
            if *each == kind {
                rates.push(rate);
            }
        }
    }

    /// The rate of one in the middle, and how far from it half of all lie.
    pub(crate) fn rate(&self, kind: Kind) -> (f64, f64) {
        middle(self.of_kind(kind).to_vec())
    }

    /// How many times as much is done with one as with another, in the middle of the rounds.
    pub(crate) fn ratio(&self, kind: Kind, to: Kind) -> f64 {
        let pairs = self.of_kind(kind).iter().zip(self.of_kind(to));
        middle(pairs.map(|(these, those)| these / those).collect()).0
    }

    fn of_kind(&self, kind: Kind) -> &[f64] {
        let mut rates = self.kinds.iter().zip(&self.rates);
        rates
            .find(|(each, _)| **each == kind)
            .map_or(&[], |(_, rates)| rates)
    }
}
