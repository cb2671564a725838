//! A map by number for tables that mostly grow at their end: it is full there, where a B-tree leaves almost half of
//! each node free. With a million connections that is much of the published table.

use std::collections::VecDeque;

/// The most that are kept in one piece.
const RUN: usize = 64;
/// A run that lost so many since is put together with one beside it, if both fit into one.
const CHECKED_AFTER: usize = RUN / 8;

/// Values by number.
#[derive(Debug)]
pub(super) struct Runs<V> {
    /// Neighbours by rising number, none of them empty, each beside a number that is not above its first one and above all
    /// of the run before.
    runs: VecDeque<(u64, Vec<(u64, V)>)>,
    length: usize,
}

impl<V> Default for Runs<V> {
    fn default() -> Self {
        Self {
            runs: VecDeque::new(),
            length: 0,
        }
    }
}

impl<V> Runs<V> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The value with this number.
    pub(super) fn get(&self, number: u64) -> Option<&V> {
        let (_, run) = self.runs.get(self.after(number).checked_sub(1)?)?;
        run.get(place_of(run, number).ok()?).map(|(_, value)| value)
    }

    /// Those from this number on, by rising number.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = (u64, &V)> {
        self.runs
            .range(self.after(number).saturating_sub(1)..)
            .flat_map(move |(_, run)| &run[place_of(run, number).unwrap_or_else(|place| place)..])
            .map(|(number, value)| (*number, value))
    }

    /// Puts the value there, and returns the one that was there before.
    pub(super) fn insert(&mut self, number: u64, value: V) -> Option<V> {
        let after = self.after(number);
        if let Some((_, run)) = after.checked_sub(1).and_then(|at| self.runs.get_mut(at)) {
            match place_of(run, number) {
                Ok(place) => return Some(std::mem::replace(&mut run[place].1, value)),
                Err(place) if run.len() < RUN => {
                    run.insert(place, (number, value));
                    self.length += 1;
                    return None;
                }
                Err(RUN) => {}
                Err(_) => {
                    let upper = run.split_off(RUN / 2);
                    self.begin(after, upper[0].0, upper);
                    return self.insert(number, value);
                }
            }
        }
        match self.runs.get_mut(after) {
            Some((start, run)) if run.len() < RUN => {
                *start = number;
                run.insert(0, (number, value));
            }
            Some(_) | None => self.begin(after, number, [(number, value)]),
        }
        self.length += 1;
        None
    }

    /// Takes the value with this number out.
    pub(super) fn remove(&mut self, number: u64) -> Option<V> {
        let at = self.after(number).checked_sub(1)?;
        let (_, run) = self.runs.get_mut(at)?;
        let (_, value) = run.remove(place_of(run, number).ok()?);
        self.length -= 1;
        if run.is_empty() {
            self.runs.remove(at);
        } else if run.len().is_multiple_of(CHECKED_AFTER) {
            self.join(at);
        }
        Some(value)
    }

    /// The place of the run after the one to which this number belongs.
    fn after(&self, number: u64) -> usize {
        self.runs.partition_point(|(start, _)| *start <= number)
    }

    /// Begins a run with these, which has room for all that it may ever hold.
    fn begin(&mut self, at: usize, start: u64, entries: impl IntoIterator<Item = (u64, V)>) {
        let mut run = Vec::with_capacity(RUN);
        run.extend(entries);
        self.runs.insert(at, (start, run));
    }

    /// Puts a run together with one beside it, if both fit into one.
    fn join(&mut self, at: usize) {
        let length = |at| {
            self.runs
                .get(at)
                .map_or(RUN, |(_, run): &(u64, Vec<_>)| run.len())
        };
        let fit = |lower| length(lower) + length(lower + 1) <= RUN;
        let Some(lower) = [Some(at), at.checked_sub(1)]
            .into_iter()
            .flatten()
            .find(|lower| fit(*lower))
        else {
            return;
        };
        if let Some((_, mut upper)) = self.runs.remove(lower + 1)
            && let Some((_, run)) = self.runs.get_mut(lower)
        {
            run.append(&mut upper);
        }
    }
}

/// Where a number is in a run, or belongs.
fn place_of<V>(run: &[(u64, V)], number: u64) -> Result<usize, usize> {
    run.binary_search_by_key(&number, |(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        /// So many after the last one.
        Append(u64),
        /// So many before this one, from above.
        InsertBelow(u64, u64),
        Remove(u64),
        /// So many from this one on.
        RemoveFrom(u64, u64),
    }

    fn steps() -> impl Strategy<Value = Step> {
        let number = 0..2_000_u64;
        prop_oneof![
            6 => number.clone().prop_map(Step::Insert),
            1 => (1..200_u64).prop_map(Step::Append),
            1 => (number.clone(), 1..200_u64).prop_map(|(from, count)| Step::InsertBelow(from, count)),
            6 => number.clone().prop_map(Step::Remove),
            2 => (number, 1..200_u64).prop_map(|(from, count)| Step::RemoveFrom(from, count)),
        ]
    }

    /// Whether the runs are as they are said to be.
    fn check<V>(runs: &Runs<V>) -> Result<(), TestCaseError> {
        let mut above: Option<u64> = None;
        for (start, run) in &runs.runs {
            prop_assert!(!run.is_empty() && run.capacity() == RUN);
            prop_assert!(above < Some(*start) && *start <= run[0].0);
            prop_assert!(run.is_sorted_by(|(one, _), (next, _)| one < next));
            above = run.last().map(|(last, _)| *last);
        }
        let length = runs.runs.iter().map(|(_, run)| run.len()).sum::<usize>();
        prop_assert_eq!(runs.len(), length);
        Ok(())
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec(steps(), 0..100), asked in 0..2100_u64) {
            let mut map: BTreeMap<u64, usize> = BTreeMap::new();
            let mut runs = Runs::default();
            for (value, step) in steps.into_iter().enumerate() {
                let inserted: Vec<_> = match step {
                    Step::Insert(number) => vec![number],
                    Step::Append(count) => {
                        let next = map.last_key_value().map_or(0, |(number, _)| number + 1);
                        (next..next + count).collect()
                    }
                    Step::InsertBelow(from, count) => (from.saturating_sub(count)..from).rev().collect(),
                    Step::Remove(_) | Step::RemoveFrom(..) => Vec::new(),
                };
                for number in inserted {
                    prop_assert_eq!(runs.insert(number, value), map.insert(number, value));
                }
                let removed = match step {
                    Step::Remove(number) => number..number + 1,
                    Step::RemoveFrom(from, count) => from..from + count,
                    Step::Insert(_) | Step::Append(_) | Step::InsertBelow(..) => 0..0,
                };
                for number in removed {
                    prop_assert_eq!(runs.remove(number), map.remove(&number));
                }
                check(&runs)?;
            }

            prop_assert_eq!(runs.get(asked), map.get(&asked));
            let expected: Vec<_> = map.range(asked..).map(|(number, value)| (*number, value)).collect();
            prop_assert_eq!(runs.from(asked).collect::<Vec<_>>(), expected);
            let all: Vec<_> = map.iter().map(|(number, value)| (*number, value)).collect();
            prop_assert_eq!(runs.from(0).collect::<Vec<_>>(), all);
        }

        #[test]
        fn what_is_left_is_together(left in 1..100_u64, seed: u64) {
            let length = 50 * RUN as u64;
            let mut runs = appended(length);
            // From here on in an order that is anyhow.
            let mut numbers: Vec<_> = (0..length).collect();
            numbers.sort_unstable_by_key(|number| (number ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            for number in &numbers[..(length - length * left / 100) as usize] {
                runs.remove(*number);
            }

            check(&runs)?;
            let fewest = runs.len().div_ceil(RUN);
            prop_assert!(runs.runs.len() <= 3 * fewest, "{} in {} runs", runs.len(), runs.runs.len());
        }
    }

    fn appended(length: u64) -> Runs<()> {
        let mut runs = Runs::default();
        for number in 0..length {
            runs.insert(number, ());
        }
        runs
    }

    #[test]
    fn what_grows_at_its_end_is_full() {
        assert_eq!(appended(100 * RUN as u64).runs.len(), 100);
    }

    #[test]
    fn what_comes_before_others_one_by_one_is_together() {
        let mut runs = appended(RUN as u64);
        for number in (1_000..1_000 + 10 * RUN as u64).rev() {
            runs.insert(number, ());
        }

        assert_eq!(runs.runs.len(), 11);
    }

    #[test]
    fn neighbours_are_put_together_whichever_of_them_shrank_last() {
        for (first, second) in [(0, 1), (1, 0)] {
            let mut runs = appended(20 * RUN as u64);
            // One of two neighbours goes but for one entry, then a quarter of the other.
            for (place, removed) in [(first, RUN - 1), (second, RUN / 4)] {
                for pair in (0..20).step_by(2) {
                    let start = (pair + place) * RUN;
                    for number in start..start + removed {
                        runs.remove(number as u64);
                    }
                }
            }

            assert_eq!(runs.runs.len(), 10);
        }
    }
}
