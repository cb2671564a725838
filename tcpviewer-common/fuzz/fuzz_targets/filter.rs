//! The filter language under libFuzzer. What must hold is in `bodies/filter.rs`, which the tests run over the corpus.
#![no_main]

#[path = "../bodies/filter.rs"]
mod body;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| body::check(data));
