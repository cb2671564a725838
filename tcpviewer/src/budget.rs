//! What the daemon may cost, and what it does less of when it costs more. In: what was measured and the step that is in
//! force. Out: the next step, what it means for the stages, and how that is told. Who measures, and who does less, is
//! elsewhere: everything here is a function of its arguments.

mod meter;
mod steps;
mod words;

use self::steps::{CPU, MEMORY};
pub use self::{meter::Meter, words::degradations};
use crate::model::{Budgets, Economy};

/// Decisions that a step of CPU time is in force at least: as many as the mean is of that they are made by.
pub const SETTLE: u32 = 10;
/// After so many, a step that may be needed no more is tried without, though it is not known what that will cost.
pub const TRY_WITHOUT: u32 = 240;
/// Share of the budget of CPU time below which that is tried.
const TRY_BELOW: f64 = 0.8;

/// What the daemon costs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Resident memory of the process and kernel maps together, bytes.
    pub memory_bytes: u64,
    /// CPU time of the process, mean over [`SETTLE`] decisions, per cent of one core; `None` before there were so many.
    pub cpu_percent: Option<f64>,
}

/// The steps in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// For CPU time.
    pub cpu: Step,
    /// For memory.
    pub memory: Step,
}

/// A step of a ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Its place; 0 where nothing is done less of.
    pub place: usize,
    /// Decisions since it was taken.
    pub held: u32,
}

impl Step {
    /// This step or another one, one decision later.
    fn to(self, place: usize) -> Self {
        let held = if place == self.place {
            self.held.saturating_add(1)
        } else {
            0
        };
        Self { place, held }
    }
}

impl Steps {
    /// What is done less of.
    pub fn economy(self) -> Economy {
        let (cpu, memory) = (&CPU[self.cpu.place], &MEMORY[self.memory.place]);
        Economy {
            stretch: cpu.stretch,
            packet_sampling: cpu.packet_sampling,
            history_percent: memory.history_percent,
            keep_closed_percent: memory.keep_closed_percent,
            takes_new: memory.takes_new,
        }
    }
}

/// The steps after these, when this is what the daemon costs. The more that is, the higher they are.
pub fn next(present: Steps, usage: &Usage, budgets: &Budgets) -> Steps {
    let cpu = match (budgets.cpu_percent, usage.cpu_percent) {
        (Some(budget), Some(percent)) => next_cpu(present.cpu, percent / budget),
        (Some(_), None) => present.cpu.place,
        (None, _) => 0,
    };
    let memory = budgets.memory_bytes.map_or(0, |budget| {
        next_memory(present.memory, usage.memory_bytes as f64 / budget as f64)
    });
    Steps {
        cpu: present.cpu.to(cpu),
        memory: present.memory.to(memory),
    }
}

/// By the share of the budget that is used. Up by as many steps as it is over, for most of them halve what is used; down
/// by one where what that may cost is within the budget, and now and then where it may not be.
fn next_cpu(present: Step, share: f64) -> usize {
    let Step { place, held } = present;
    if held < SETTLE {
        return place;
    }
    if share > 1.0 {
        let steps = 1 + usize::from(share >= 2.0) + usize::from(share >= 4.0);
        return (place + steps).min(CPU.len() - 1);
    }
    let is_calm = share < CPU[place].back_below || (held >= TRY_WITHOUT && share < TRY_BELOW);
    if is_calm { place.saturating_sub(1) } else { place }
}

/// By the share of the budget that is used. Up at once, for memory may grow fast.
fn next_memory(present: Step, share: f64) -> usize {
    let Step { place, held } = present;
    let needed = MEMORY.iter().rposition(|step| share >= step.from).unwrap_or(0);
    if needed > place {
        needed
    } else if held >= SETTLE && share < MEMORY[place].back_below {
        place.saturating_sub(1)
    } else {
        place
    }
}

#[cfg(test)]
mod tests;
