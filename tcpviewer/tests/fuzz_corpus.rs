//! The fuzzer's targets for the reader of captures and the filter language over their corpus, without the fuzzer.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and shows which file it was at"
)]

#[path = "../../tcpviewer-common/fuzz/bodies/filter.rs"]
mod filter;
#[path = "../../tcpviewer-common/fuzz/bodies/replay.rs"]
mod replay;

use std::{fs, path::Path};

fn over_corpus(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tcpviewer-common/fuzz/corpus")
        .join(target);
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        check(&fs::read(path).unwrap());
        files += 1;
    }
    assert!(files >= 10, "{files} files in {}", folder.display());
}

#[test]
fn what_holds_for_the_reader_holds_over_the_corpus() {
    over_corpus("replay", replay::check);
}

#[test]
fn what_holds_for_filters_holds_over_the_corpus() {
    over_corpus("filter", filter::check);
}
