//! The counts that are known: a file beside this one, a line for each path.

use std::{
    fs,
    path::{Path as File, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::paths::Path;

/// How the counts are recorded.
pub(crate) const RECORD: &str = "cargo xtask instructions --record";

/// Known counts, by path.
pub(crate) struct Baseline(Vec<(String, u64)>);

impl Baseline {
    /// Those of now.
    pub(crate) fn of(counts: &[(&Path, u64)]) -> Self {
        Self(
            counts
                .iter()
                .map(|(path, count)| (path.name.into(), *count))
                .collect(),
        )
    }

    /// Those of the file.
    pub(crate) fn read() -> Result<Self> {
        let file = file();
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let line = |line: &str| {
            let (name, count) = line.split_once(' ').context("no space")?;
            Ok((name.to_owned(), count.trim().parse()?))
        };
        let counts: Result<Vec<_>> = text.lines().map(line).collect();
        Ok(Self(counts.with_context(|| {
            format!("read {}; record it anew: {RECORD}", file.display())
        })?))
    }

    /// What is known of this path.
    pub(crate) fn get(&self, name: &str) -> Result<u64> {
        let known = self.0.iter().find(|(known, _count)| known == name);
        known
            .map(|(_name, count)| *count)
            .with_context(|| format!("{name}: no count is known; record it: {RECORD}"))
    }

    /// Puts them into the file.
    pub(crate) fn write(&self) -> Result<()> {
        let lines: String = self
            .0
            .iter()
            .map(|(name, count)| format!("{name} {count}\n"))
            .collect();
        let file = file();
        fs::write(&file, &lines).with_context(|| format!("write {}", file.display()))?;
        print!("{lines}");
        Ok(())
    }
}

fn file() -> PathBuf {
    File::new(env!("CARGO_MANIFEST_DIR")).join("examples/instructions/baseline.txt")
}
