//! `fuzz`: lets libFuzzer look for input that breaks the parser, the tracker, the reader of captures or the
//! filter language. The stable compiler does it: the instrumentation is a pass of LLVM that any rustc can run. What is found grows beside the
//! corpus and is not committed; an input that breaks something is kept in `artifacts`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use crate::{
    exec::{Run, root},
    setup,
};

const FOLDER: &str = "tcpviewer-common/fuzz";
const TARGETS: [&str; 4] = ["parse", "track", "replay", "filter"];
/// Those that need the daemon's crate.
const OF_DAEMON: [&str; 2] = ["replay", "filter"];

/// Coverage of edges and comparisons, as libFuzzer reads it. No sanitizer, which would take a nightly compiler: memory
/// is safe where there is no unsafe code, and these crates have next to none.
const INSTRUMENTATION: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 --cfg fuzzing";

pub(crate) fn fuzz(target: Option<&str>, seconds: u32) -> Result<()> {
    let targets: Vec<&str> = match target {
        Some(target) => vec![target],
        None => TARGETS.to_vec(),
    };
    if let Some(unknown) = targets.iter().find(|target| !TARGETS.contains(target)) {
        bail!("fuzz {unknown}: no such target; there are {}", TARGETS.join(", "));
    }
    // The daemon's crate carries the programs for the kernel.
    setup::rust_tools()?;
    for target in targets {
        run(target, seconds).with_context(|| format!("fuzz {target}"))?;
    }
    Ok(())
}

fn run(target: &str, seconds: u32) -> Result<()> {
    let folder = root().join(FOLDER);
    let corpus = folder.join("corpus").join(target);
    let grown = folder.join("grown").join(target);
    let artifacts = folder.join("artifacts").join(target);
    for folder in [&grown, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    }
    let features: &[&str] = if OF_DAEMON.contains(&target) {
        &["--features", "daemon"]
    } else {
        &[]
    };
    let argument = |name: &str, value: &Path| format!("-{name}={}/", value.display());
    Run::new("cargo")
        .dir(FOLDER)
        .env("RUSTFLAGS", INSTRUMENTATION)
        .args(["run", "--release", "--target", &format!("{}-unknown-linux-gnu", std::env::consts::ARCH)])
        .args(features)
        .args(["--bin", target, "--"])
        // What is new goes into the first folder.
        .args([&grown, &corpus])
        .args([argument("artifact_prefix", &artifacts)])
        .args([format!("-max_total_time={seconds}")])
        .args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"])
        .run()
}
