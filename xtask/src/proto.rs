//! `proto`: the contract and what is generated from it. Lints `proto/`, compares it with an earlier commit for changes
//! that would break clients, and generates `web/src/gen` and the reference or, with `--check`, compares them.

mod reference;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::exec::{Run, find, root, target_dir};

const GENERATED: &str = "web/src/gen";
const REFERENCE: &str = "tcpviewer/docs/reference.md";

pub(crate) fn proto(check: bool) -> Result<()> {
    buf()?.args(["lint"]).run()?;
    breaking()?;
    let reference = reference::page()?;
    if check {
        compare_reference(&reference)?;
        return compare();
    }
    fs::write(root().join(REFERENCE), reference).with_context(|| format!("write {REFERENCE}"))?;
    buf()?.args(["generate"]).run()
}

fn compare_reference(made: &str) -> Result<()> {
    let committed = fs::read_to_string(root().join(REFERENCE)).unwrap_or_default();
    if committed != made {
        bail!("compare {REFERENCE} with proto/: run `cargo xtask proto` and commit");
    }
    println!("proto: {REFERENCE} is what proto/ generates");
    Ok(())
}

fn buf() -> Result<Run> {
    let buf = root().join("web/node_modules/.bin/buf");
    if find(&buf).is_none() {
        bail!("start buf: {} is missing; run `cargo xtask setup`", buf.display());
    }
    Ok(Run::new(buf).dir("proto"))
}

/// Generates into a scratch folder and names every file that differs from the committed ones.
fn compare() -> Result<()> {
    let scratch = scratch("generated")?;
    // The output folder in buf.gen.yaml is relative to this one.
    let base = scratch.join("proto");
    fs::create_dir_all(&base).with_context(|| format!("create {}", base.display()))?;
    buf()?.args(["generate", "--output"]).args([&base]).run()?;
    let differing = differing(
        &files(&scratch.join(GENERATED))?,
        &files(&root().join(GENERATED))?,
    );
    if differing.is_empty() {
        println!("proto: {GENERATED} is what proto/ generates");
        return Ok(());
    }
    bail!(
        "compare {GENERATED} with proto/: run `cargo xtask proto` and commit; differing:\n  {}",
        differing.join("\n  ")
    )
}

/// Compares the contract with the one clients may have, unless there is no earlier one to be had.
fn breaking() -> Result<()> {
    let earlier = match earlier() {
        Ok(earlier) => earlier,
        Err(reason) => {
            println!("proto: comparison with an earlier contract skipped: {reason:#}");
            return Ok(());
        }
    };
    let scratch = scratch("earlier")?;
    let archive = scratch.join("proto.tar");
    Run::new("git")
        .args(["archive", "--output"])
        .args([&archive])
        .args([&earlier, "proto"])
        .run()?;
    Run::new("tar")
        .args(["-xf"])
        .args([&archive])
        .args(["-C"])
        .args([&scratch])
        .run()?;
    buf()?
        .args(["breaking", "--against"])
        .args([scratch.join("proto")])
        .run()
        .with_context(|| {
            format!("compare proto/ with commit {earlier:.12}: clients of that commit would break")
        })
}

/// The commit to compare with: where this branch left the main one; on the main branch itself the last commit,
/// or the one before that when nothing has been changed since. An error says why there is none.
fn earlier() -> Result<String> {
    let git = |args: &[&str]| {
        let output = Run::new("git").args(args).output()?;
        anyhow::Ok(output.trim().to_owned())
    };
    if git(&["rev-parse", "--is-shallow-repository"])? == "true" {
        bail!("the clone is shallow");
    }
    let head = git(&["rev-parse", "--verify", "--quiet", "HEAD"]).context("there is no commit yet")?;
    let base = ["origin/main", "main"]
        .iter()
        .find_map(|branch| git(&["merge-base", "HEAD", branch]).ok())
        .unwrap_or_else(|| head.clone());
    let unchanged = git(&["status", "--porcelain", "--", "proto"])?.is_empty();
    let earlier = if base == head && unchanged {
        git(&["rev-parse", "--verify", "--quiet", "HEAD^"]).context("there is no earlier commit")?
    } else {
        base
    };
    git(&["cat-file", "-e", &format!("{earlier}:proto/buf.yaml")])
        .with_context(|| format!("commit {earlier:.12} has no contract"))?;
    Ok(earlier)
}

/// An empty folder beside cargo's own.
fn scratch(name: &str) -> Result<PathBuf> {
    let folder = target_dir().join("proto").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("empty {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Every file below a folder by its relative path; none when there is no folder.
fn files(folder: &Path) -> Result<Files> {
    fn collect(top: &Path, folder: &Path, found: &mut Files) -> Result<()> {
        for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                collect(top, &path, found)?;
            } else {
                let content = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
                found.insert(path.strip_prefix(top)?.to_owned(), content);
            }
        }
        Ok(())
    }
    let mut found = Files::new();
    if folder.exists() {
        collect(folder, folder, &mut found)?;
    }
    Ok(found)
}

fn differing(generated: &Files, committed: &Files) -> Vec<String> {
    let describe = |path: &PathBuf| {
        let what = match (generated.get(path), committed.get(path)) {
            (Some(new), Some(old)) if new == old => return None,
            (Some(_), Some(_)) => "differs",
            (Some(_), None) => "is missing",
            (None, _) => "is not generated any more",
        };
        Some(format!("{} {what}", Path::new(GENERATED).join(path).display()))
    };
    let mut paths: Vec<_> = generated.keys().chain(committed.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().filter_map(describe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(entries: &[(&str, &str)]) -> Files {
        entries
            .iter()
            .map(|(path, content)| (path.into(), content.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn changed_missing_and_superfluous_files_are_named() {
        let generated = files(&[("a_pb.ts", "1"), ("b_pb.ts", "2"), ("c_pb.ts", "3")]);
        let committed = files(&[("a_pb.ts", "1"), ("b_pb.ts", "0"), ("d_pb.ts", "4")]);

        assert_eq!(
            differing(&generated, &committed),
            [
                "web/src/gen/b_pb.ts differs",
                "web/src/gen/c_pb.ts is missing",
                "web/src/gen/d_pb.ts is not generated any more",
            ]
        );
    }
}
