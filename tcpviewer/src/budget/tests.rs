//! Every rule of the two ladders as a row of a table, and what must hold of any course of costs.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const BUDGETS: Budgets = Budgets {
    memory_bytes: Some(1_000),
    cpu_percent: Some(10.0),
};

fn cpu(place: usize, held: u32, percent: f64) -> usize {
    let present = Steps {
        cpu: Step { place, held },
        ..Steps::default()
    };
    let usage = Usage {
        cpu_percent: Some(percent),
        ..Usage::default()
    };
    next(present, &usage, &BUDGETS).cpu.place
}

fn memory(place: usize, held: u32, memory_bytes: u64) -> usize {
    let present = Steps {
        memory: Step { place, held },
        ..Steps::default()
    };
    let usage = Usage {
        memory_bytes,
        cpu_percent: None,
    };
    next(present, &usage, &BUDGETS).memory.place
}

#[test]
fn cpu_time_over_the_budget_goes_up_and_well_below_it_down() {
    for (place, held, percent, expected, why) in [
        (0, SETTLE, 9.9, 0, "within the budget"),
        (0, SETTLE, 10.1, 1, "over it"),
        (0, SETTLE, 20.0, 2, "twice"),
        (0, SETTLE, 45.0, 3, "four times"),
        (0, SETTLE - 1, 45.0, 0, "the mean is not of this step alone yet"),
        (6, SETTLE, 45.0, 7, "there are no more steps"),
        (7, SETTLE, 45.0, 7, "there are no more steps"),
        (2, SETTLE, 4.1, 2, "the step before may cost twice as much"),
        (2, SETTLE, 3.9, 1, "the step before fits with some to spare"),
        (5, SETTLE, 3.9, 5, "the step before may cost four times as much"),
        (5, SETTLE, 1.9, 4, "the step before fits with some to spare"),
        (5, SETTLE - 1, 1.9, 5, "too soon"),
        (5, TRY_WITHOUT - 1, 7.9, 5, "not long enough"),
        (5, TRY_WITHOUT, 7.9, 4, "it may be needed no more"),
        (5, TRY_WITHOUT, 8.1, 5, "it is needed"),
        (0, TRY_WITHOUT, 0.0, 0, "nothing is left to give back"),
    ] {
        assert_eq!(
            cpu(place, held, percent),
            expected,
            "{place} {held} {percent}: {why}"
        );
    }
}

#[test]
fn memory_goes_up_at_once_and_down_step_by_step() {
    for (place, held, bytes, expected, why) in [
        (0, 0, 749, 0, "enough is left"),
        (0, 0, 750, 1, "little is left"),
        (0, 0, 849, 1, "less is left"),
        (0, 0, 850, 2, "hardly any is left"),
        (0, 0, 951, 3, "at once, over all steps"),
        (1, 0, 2_000, 3, "at once, whatever it is"),
        (3, SETTLE, 850, 3, "not before there is some room"),
        (3, SETTLE, 849, 2, "there is some room"),
        (3, SETTLE - 1, 100, 3, "too soon"),
        (3, SETTLE, 100, 2, "one by one"),
        (1, SETTLE, 651, 1, "not before there is some room"),
        (1, SETTLE, 649, 0, "there is some room"),
    ] {
        assert_eq!(
            memory(place, held, bytes),
            expected,
            "{place} {held} {bytes}: {why}"
        );
    }
}

#[test]
fn without_a_budget_nothing_is_done_less_of() {
    let present = Steps {
        cpu: Step { place: 3, held: 0 },
        memory: Step { place: 3, held: 0 },
    };
    let usage = Usage {
        memory_bytes: u64::MAX,
        cpu_percent: Some(1e6),
    };
    let steps = next(present, &usage, &Budgets::default());
    assert_eq!(steps.economy(), Economy::NONE);
    assert_eq!(next(steps, &usage, &Budgets::default()).cpu.held, 1);
}

#[test]
fn each_step_does_less_than_the_one_before_and_is_told_by_name() {
    let at = |cpu, memory| Steps {
        cpu: Step { place: cpu, held: 0 },
        memory: Step {
            place: memory,
            held: 0,
        },
    };
    for (place, step) in CPU.iter().enumerate().skip(1) {
        let (before, now) = (at(place - 1, 0).economy(), at(place, 0).economy());
        assert!(now.stretch >= before.stretch && now.packet_sampling >= before.packet_sampling);
        assert!(now.packet_sampling.is_power_of_two());
        let saves = (now.stretch / before.stretch).max(now.packet_sampling / before.packet_sampling);
        assert!(saves > 1, "{place}");
        assert!(step.back_below * f64::from(saves) <= TRY_BELOW + 1e-9, "{place}");
    }
    let features = |steps| {
        let told = degradations(steps, &Usage::default(), &BUDGETS, Duration::from_millis(250));
        told.into_iter()
            .map(|each| each.feature.replace("budget: ", ""))
            .collect::<Vec<_>>()
    };
    for (cpu, memory, expected) in [
        (0, 0, vec![]),
        (1, 0, vec!["intervals"]),
        (4, 1, vec!["intervals", "packets", "history", "ended connections"]),
        (0, 3, vec!["history", "ended connections", "new connections"]),
    ] {
        assert_eq!(features(at(cpu, memory)), expected);
    }
    let told = degradations(
        at(3, 0),
        &Usage {
            memory_bytes: 0,
            cpu_percent: Some(42.0),
        },
        &BUDGETS,
        Duration::from_millis(250),
    );
    assert_eq!(
        told[0].reason,
        "CPU time is kept within --max-cpu 10: step 3 of 7, now at 42.0 % of one core"
    );
    assert!(told[0].effect.contains("once per 2s"), "{}", told[0].effect);
}

/// What a step costs where some is for reports, some for packets, and some is there anyway.
fn cost(place: usize, [reports, packets, rest]: [f64; 3]) -> f64 {
    let step = &CPU[place];
    reports / f64::from(step.stretch) + packets / f64::from(step.packet_sampling) + rest
}

proptest! {
    #[test]
    fn the_more_it_costs_the_higher_the_step(
        places in (0..CPU.len(), 0..MEMORY.len()),
        held in 0..2 * TRY_WITHOUT,
        costs in [0.0..100.0_f64, 0.0..100.0],
        bytes in [0..3_000_u64, 0..3_000],
    ) {
        let present = Steps {
            cpu: Step { place: places.0, held },
            memory: Step { place: places.1, held },
        };
        let at = |nth: usize| {
            let usage = Usage { memory_bytes: bytes[nth], cpu_percent: Some(costs[nth]) };
            next(present, &usage, &BUDGETS)
        };
        let (first, second) = (at(0), at(1));
        prop_assert!((costs[0] <= costs[1]) <= (first.cpu.place <= second.cpu.place));
        prop_assert!((bytes[0] <= bytes[1]) <= (first.memory.place <= second.memory.place));
    }

    #[test]
    fn whatever_it_costs_no_step_is_left_soon_after_it_was_taken(
        course in prop::collection::vec((0.0..100.0_f64, 0..3_000_u64), 1..400),
    ) {
        let (mut steps, mut taken) = (Steps::default(), [None; 2]);
        for (number, (percent, memory_bytes)) in course.into_iter().enumerate() {
            let before = steps;
            steps = next(steps, &Usage { memory_bytes, cpu_percent: Some(percent) }, &BUDGETS);
            let changes = [(before.cpu, steps.cpu), (before.memory, steps.memory)];
            for ((before, now), taken) in changes.into_iter().zip(&mut taken) {
                if now.place < before.place {
                    let soonest = taken.map_or(0, |taken| taken + SETTLE as usize);
                    prop_assert!(number >= soonest, "{number} {taken:?}");
                }
                if now.place != before.place {
                    *taken = Some(number);
                }
            }
        }
    }

    #[test]
    fn a_steady_load_is_kept_within_the_budget_but_for_a_try_now_and_then(
        load in [0.0..60.0_f64, 0.0..200.0, 0.0..5.0],
    ) {
        let mut steps = Steps::default();
        // As the mean is of one step alone when a decision is made by it, the cost of the step is that mean.
        let mut decide = || {
            let usage = Usage { memory_bytes: 0, cpu_percent: Some(cost(steps.cpu.place, load)) };
            steps = next(steps, &usage, &BUDGETS);
            steps.cpu.place
        };
        let settling = SETTLE as usize * 2 * CPU.len();
        let places: Vec<usize> = (0..settling + 4_000).map(|_| decide()).skip(settling).collect();
        let within = cost(CPU.len() - 1, load) <= 10.0;
        let over = places.iter().filter(|&&place| cost(place, load) > 10.0).count();
        let changes = places.windows(2).filter(|pair| pair[0] != pair[1]).count();
        prop_assert!(!within || over * 15 <= places.len(), "{over} of {}", places.len());
        // A try goes one step down; where that was wrong, three up at most, and as many down again.
        let tries = 4_000 / TRY_WITHOUT as usize + 1;
        prop_assert!(changes <= tries * 4, "{changes} changes");
    }

    #[test]
    fn when_the_load_is_over_everything_comes_back(place in 0..CPU.len(), memory_place in 0..MEMORY.len()) {
        let mut steps = Steps {
            cpu: Step { place, held: 0 },
            memory: Step { place: memory_place, held: 0 },
        };
        let usage = Usage { memory_bytes: 600, cpu_percent: Some(1.0) };
        for _ in 0..(SETTLE as usize + 1) * CPU.len() {
            steps = next(steps, &usage, &BUDGETS);
        }
        prop_assert_eq!(steps.economy(), Economy::NONE);
    }
}
