//! The fuzzer's target for the reader of captures over its corpus, without the fuzzer.

#[path = "../../tcpviewer-common/fuzz/bodies/replay.rs"]
mod replay;

use std::{fs, path::Path};

#[test]
fn what_holds_for_the_reader_holds_over_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tcpviewer-common/fuzz/corpus/replay");
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        replay::check(&fs::read(path).unwrap());
        files += 1;
    }
    assert!(files >= 10, "{files} files in {}", folder.display());
}
