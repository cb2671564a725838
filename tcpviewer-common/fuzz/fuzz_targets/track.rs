//! The tracker, under libFuzzer. What must hold is in `bodies/track.rs`, which the tests run over the corpus.
#![no_main]

#[path = "../bodies/track.rs"]
mod body;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| body::check(data));
