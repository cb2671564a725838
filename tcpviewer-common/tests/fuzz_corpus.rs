//! The fuzzer's targets over its corpus, without the fuzzer: what was found once is not found again.
#![expect(clippy::print_stdout, reason = "a test that fails shows which file it was at")]

#[path = "../fuzz/bodies/parse.rs"]
mod parse;
#[path = "../fuzz/bodies/track.rs"]
mod track;

use std::{fs, path::Path};

fn over_corpus(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        let path = entry.expect("the folder can be read").path();
        println!("{}", path.display());
        check(&fs::read(path).expect("the file can be read"));
        files += 1;
    }
    assert!(files >= 10, "{files} files in {}", folder.display());
}

#[test]
fn what_holds_for_the_parser_holds_over_the_corpus() {
    over_corpus("parse", parse::check);
}

#[test]
fn what_holds_for_the_tracker_holds_over_the_corpus() {
    over_corpus("track", track::check);
}
