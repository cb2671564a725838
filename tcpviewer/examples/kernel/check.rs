//! Whether the packet path became slower: how many times as long as the floor it takes, in the best of many short
//! rounds by turns, which what else the machine does leaves alone. Where programs and maps come to lie in memory makes
//! one or the other slower for as long as they are loaded, so they are loaded several times. Times do not matter; ratios
//! differ little from machine to machine.

use anyhow::{Result, ensure};
use tcpviewer_common::bench::{ANSWERS, NEXT_ACK, NEXT_DATA};

use crate::{
    packets::{acknowledgement, data},
    programs::{EMPTY, FLOOR, Programs, TRACKER_IN, VARIED},
    series::{Plan, Series},
};

/// What may be added before it is a regression.
const TOLERANCE: f64 = 1.1;

/// How often programs and maps are loaded.
const LOADS: u32 = 5;

/// What packets do to a connection, and how many times as long as the floor that took when it was measured last.
const KNOWN: [(&str, u32, f64); 3] = [
    ("data", NEXT_DATA, 1.18),
    ("acknowledgements", NEXT_ACK, 1.15),
    ("questions and answers", ANSWERS, 1.62),
];

/// Prints the ratios. Fails where one has grown by more than [`TOLERANCE`].
pub(crate) fn check() -> Result<()> {
    for (what, variation, known) in KNOWN {
        let packet = if variation == NEXT_DATA {
            data
        } else {
            acknowledgement
        };
        let (of_floor, of_tracker) = (packet(1), packet(2));
        let plan = Plan {
            subjects: &[
                (EMPTY, &of_floor),
                (VARIED, &of_floor),
                (FLOOR, &of_floor),
                (TRACKER_IN, &of_tracker),
            ],
            packets: 5_000,
            rounds: 41,
        };
        let mut series = Series::default();
        for _load in 0..LOADS {
            series.extend(Series::measure(&mut Programs::load(variation, 0)?, &plan)?);
        }
        let ratio = series.best_ratio(TRACKER_IN, FLOOR);
        println!("{what}: {ratio:.2} times the floor, {known:.2} when it was measured last");
        ensure!(
            ratio <= known * TOLERANCE,
            "{what}: the packet path takes {ratio:.2} times as long as the floor, it took {known:.2}; make it as fast \
             again, or say why not and change what is known"
        );
    }
    Ok(())
}
