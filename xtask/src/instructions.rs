//! `instructions`: counts the instructions of the daemon's busiest paths and compares them with what they were. The paths,
//! the counting and the known counts are an example of the daemon's crate; this builds it as the counts want it.

use anyhow::{Context as _, Result};

use crate::exec::{Run, target_dir};

/// Only what is counted is optimised: the dependencies are those of the tests, and need not be built again. Much of them
/// is generic and becomes part of what is counted.
const OPTIMISED: [&str; 2] = [
    "profile.dev.package.tcpviewer.opt-level=2",
    "profile.dev.package.tcpviewer-common.opt-level=2",
];

pub(crate) fn instructions(record: bool) -> Result<()> {
    let build = Run::new("cargo").args([
        "build",
        "--quiet",
        "--package",
        "tcpviewer",
        "--example",
        "instructions",
    ]);
    let options = OPTIMISED.iter().flat_map(|option| ["--config", option]);
    // The script of the build has nothing to say but what it builds.
    build.args(options).output()?;
    let program = target_dir().join("debug/examples/instructions");
    let arguments = record.then_some("--record");
    Run::new(program)
        .args(arguments)
        .run()
        .context("count the instructions of the busiest paths")
}
