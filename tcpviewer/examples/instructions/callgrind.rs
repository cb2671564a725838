//! Counts instructions: this program once more, under callgrind, which looks at one function alone. In: the name of a
//! path. Out: how many instructions it took.

use std::{env, process::Command};

use anyhow::{Context as _, Result, ensure};

/// What is counted. In its name is the one that callgrind is told.
#[inline(never)]
pub(crate) fn counted_work<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Goes this way once, and counts the instructions of [`counted_work`].
pub(crate) fn count(path: &str) -> Result<u64> {
    let itself = env::current_exe().context("find this program")?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*counted_work*")
        .arg(itself)
        .args(["--path", path])
        .output()
        .context("start valgrind; `cargo xtask setup --test` installs it")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "count {path}: {}\n{said}", output.status);
    let count = collected(&said).with_context(|| format!("count {path}: valgrind tells no count\n{said}"))?;
    ensure!(count > 0, "count {path}: valgrind found nothing to count\n{said}");
    Ok(count)
}

/// The sum that callgrind tells at its end: `==7== Collected : 12345`.
fn collected(said: &str) -> Option<u64> {
    let mut lines = said.lines();
    let line = lines.find_map(|line| line.split_once("Collected : "))?;
    line.1.trim().parse().ok()
}
