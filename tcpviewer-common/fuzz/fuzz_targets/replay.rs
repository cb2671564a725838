//! The reader of captures, and what follows it, under libFuzzer. What must hold is in `bodies/replay.rs`, which the tests run over the corpus.
#![no_main]

#[path = "../bodies/replay.rs"]
mod body;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| body::check(data));
