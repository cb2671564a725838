//! Programs measured by turns, so that what else the machine does meets all of them alike, and what comes of it:
//! medians, how far the rounds lie apart, and ratios within a round.

use anyhow::Result;

use crate::{
    programs::{EMPTY, Programs, VARIED},
    rows::{Row, middle},
};

/// What is measured by turns.
pub(crate) struct Plan<'a> {
    /// Programs and the packets they are given.
    pub(crate) subjects: &'a [(&'static str, &'a [u8])],
    /// Packets of each in a round.
    pub(crate) packets: u32,
    pub(crate) rounds: usize,
}

/// Nanoseconds of each subject in each round.
#[derive(Default)]
pub(crate) struct Series {
    subjects: Vec<(&'static str, Vec<f64>)>,
}

impl Series {
    pub(crate) fn measure(programs: &mut Programs, plan: &Plan<'_>) -> Result<Self> {
        let mut subjects: Vec<_> = plan
            .subjects
            .iter()
            .map(|(name, _)| (*name, Vec::new()))
            .collect();
        // The first round fills caches and maps and does not count.
        for round in 0..=plan.rounds {
            for ((name, times), (_, packet)) in subjects.iter_mut().zip(plan.subjects) {
                let time = programs.run(name, packet, plan.packets)?;
                if round > 0 {
                    times.push(time);
                }
            }
        }
        Ok(Self { subjects })
    }

    /// Goes on with the rounds of another measurement of the same plan.
    pub(crate) fn extend(&mut self, more: Self) {
        for (name, times) in more.subjects {
            match self.subjects.iter_mut().find(|(each, _)| *each == name) {
                Some((_, before)) => before.extend(times),
                None => self.subjects.push((name, times)),
            }
        }
    }

    fn rounds(&self, name: &str) -> &[f64] {
        self.subjects
            .iter()
            .find(|(each, _)| *each == name)
            .map_or(&[], |(_, times)| times)
    }

    /// What a program takes, the change to the packet taken off: nanoseconds of each round.
    fn net(&self, name: &str) -> Vec<f64> {
        let (varied, empty) = (self.rounds(VARIED), self.rounds(EMPTY));
        if name == EMPTY {
            return empty.to_vec();
        }
        let change = |round: usize| match (varied.get(round), empty.get(round)) {
            (Some(varied), Some(empty)) => varied - empty,
            _ => 0.0,
        };
        let times = self.rounds(name).iter().enumerate();
        times.map(|(round, time)| time - change(round)).collect()
    }

    /// What a program takes in the middle, nanoseconds.
    pub(crate) fn median(&self, name: &str) -> f64 {
        middle(self.net(name)).0
    }

    /// The row of a program.
    pub(crate) fn row(&self, what: impl Into<String>, name: &str) -> Row {
        let (value, spread) = middle(self.net(name));
        Row::new("kernel", what, value, "ns").spread(spread)
    }

    /// The row of a program that is compared with another one.
    pub(crate) fn compared(&self, what: impl Into<String>, name: &str, to: &'static str) -> Row {
        self.row(what, name).ratio(to, middle(self.ratios(name, to)).0)
    }

    /// How many times as long one takes as the other at best.
    pub(crate) fn best_ratio(&self, name: &str, to: &str) -> f64 {
        let best = |name: &str| self.rounds(name).iter().copied().fold(f64::INFINITY, f64::min);
        let change = best(VARIED) - best(EMPTY);
        (best(name) - change) / (best(to) - change)
    }

    /// How many times as long one takes as the other, in each round.
    fn ratios(&self, name: &str, to: &str) -> Vec<f64> {
        let (these, those) = (self.net(name), self.net(to));
        these.iter().zip(&those).map(|(this, that)| this / that).collect()
    }
}
