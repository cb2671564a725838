//! The dashboard's side: Node.js in a version that its tools accept, and the packages of the lock file. Whether
//! those are current is told by a copy of the lock file that is kept inside `node_modules`.

use std::{fs, path::Path, time::SystemTime};

use anyhow::{Context as _, Result, bail};

use crate::exec::{Run, find, root};

/// The oldest Node.js that the build tools of the dashboard accept.
const NODE: (u32, u32) = (20, 19);

pub(super) fn node() -> Result<()> {
    let wanted = format!("Node.js {}.{} or newer with npm", NODE.0, NODE.1);
    if find("node").is_none() || find("npm").is_none() {
        bail!("build the dashboard: needs {wanted}, found none; see https://nodejs.org/en/download");
    }
    let output = Run::new("node").args(["--version"]).output()?;
    match version(&output) {
        Some(found) if found >= NODE => {
            println!("setup: Node.js {} is there", output.trim());
            Ok(())
        }
        _ => bail!("build the dashboard: needs {wanted}, found {}", output.trim()),
    }
}

pub(super) fn packages() -> Result<()> {
    let web = root().join("web");
    let lock = fs::read(web.join("package-lock.json")).context("read web/package-lock.json")?;
    let stamp = web.join("node_modules/.tcpviewer-lock");
    if current(&web, &lock, &stamp) {
        println!("setup: web/node_modules is current");
    } else {
        println!("setup: installing the dashboard's packages");
        install()?;
    }
    fs::write(&stamp, &lock).with_context(|| format!("write {}", stamp.display()))
}

/// `npm ci` insists on optional packages of every platform; a registry or lock file that has only those of
/// Linux is served by `npm install`, which takes the same locked versions and leaves out what is not there.
fn install() -> Result<()> {
    let strict = npm("ci");
    strict.announce();
    let Err(error) = strict.output() else {
        return Ok(());
    };
    if !only_foreign_platforms_missing(&format!("{error:#}")) {
        return Err(error);
    }
    println!(
        "setup: the lock file or the registry lacks optional packages of other platforms, going on without"
    );
    npm("install").args(["--no-save"]).run()
}

fn npm(command: &str) -> Run {
    Run::new("npm")
        .args([command, "--no-audit", "--no-fund"])
        .dir("web")
}

/// Tells npm's complaint about a package it found no version of, which it accepts from optional packages only,
/// from a lock file that does not fit `package.json`.
fn only_foreign_platforms_missing(complaint: &str) -> bool {
    let problems = complaint.lines().filter_map(|line| {
        let line = line.strip_prefix("npm error ")?;
        (line.starts_with("Missing: ") || line.starts_with("Invalid: ")).then_some(line)
    });
    let mut problems = problems.peekable();
    problems.peek().is_some() && problems.all(|line| line.ends_with("@ from lock file"))
}

/// Without a copy of the lock file, npm's own record must be newer than the lock file.
fn current(web: &Path, lock: &[u8], stamp: &Path) -> bool {
    let modified = |file: &str| web.join(file).metadata().and_then(|file| file.modified()).ok();
    match fs::read(stamp) {
        Ok(installed) => installed == lock,
        Err(_) => {
            let installed = modified("node_modules/.package-lock.json").unwrap_or(SystemTime::UNIX_EPOCH);
            modified("package-lock.json").is_some_and(|lock| installed >= lock)
        }
    }
}

fn version(output: &str) -> Option<(u32, u32)> {
    let mut parts = output
        .trim()
        .strip_prefix('v')?
        .split('.')
        .map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number_and_not_by_letter() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert!(version("v9.11.2") < Some(NODE));
        assert!(version("v22.1.0") > Some(NODE));
        assert_eq!(version("unknown"), None);
    }

    #[test]
    fn a_lock_file_that_lacks_foreign_platforms_is_told_from_one_that_does_not_fit() {
        let foreign = "npm error Missing: @bufbuild/buf-darwin-x64@ from lock file";
        let outdated = "npm error Missing: react@19.3.1 from lock file";
        let invalid = "npm error Invalid: lock file's react@18.0.0 does not satisfy react@19.3.1";

        assert!(only_foreign_platforms_missing(&format!(
            "npm error code EUSAGE\n{foreign}\n{foreign}"
        )));
        assert!(!only_foreign_platforms_missing(&format!("{foreign}\n{outdated}")));
        assert!(!only_foreign_platforms_missing(&format!("{foreign}\n{invalid}")));
        assert!(!only_foreign_platforms_missing("npm error network timeout"));
    }
}
