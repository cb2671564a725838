//! `lint`: what can be said about the sources without running them. The project's own checks come first because
//! they take no time: order of imports, leftovers; then rustfmt, clippy for the host and for the kernel's target.

use anyhow::{Result, bail};

use crate::exec::{Run, find, target_dir};

mod imports;
mod leftovers;

pub(crate) fn lint() -> Result<()> {
    findings("order of imports", &imports::check()?)?;
    findings("leftovers", &leftovers::check()?)?;
    Run::new("cargo").args(["fmt", "--all", "--check"]).run()?;
    host_clippy()?;
    kernel_clippy()?;
    licences()
}

/// The default members, which are all crates but the kernel's.
fn host_clippy() -> Result<()> {
    Run::new("cargo")
        .args([
            "clippy",
            "--all-targets",
            "--all-features",
            "--",
            "--deny",
            "warnings",
        ])
        .run()
}

/// Has a target folder of its own: `RUSTC_BOOTSTRAP` would make cargo build the host's crates again each time.
fn kernel_clippy() -> Result<()> {
    let architecture = std::env::consts::ARCH;
    Run::new("cargo")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", format!("--cfg=bpf_target_arch=\"{architecture}\""))
        .args([
            "clippy",
            "--package",
            "tcpviewer-ebpf",
            "--target",
            "bpfel-unknown-none",
        ])
        .args(["-Z", "build-std=core", "--target-dir"])
        .args([target_dir().join("ebpf-lint")])
        .args(["--", "--deny", "warnings"])
        .run()
}

/// Advisories are left out: their list comes from the network, and a check of the sources needs none.
fn licences() -> Result<()> {
    if find("cargo-deny").is_none() {
        println!("lint: licences of dependencies skipped, cargo-deny is not installed");
        return Ok(());
    }
    Run::new("cargo")
        .args(["deny", "--all-features", "check", "bans", "licenses", "sources"])
        .run()
}

fn findings(check: &str, findings: &[String]) -> Result<()> {
    if findings.is_empty() {
        println!("lint: {check}: ok");
        return Ok(());
    }
    for finding in findings {
        println!("{finding}");
    }
    bail!("check {check}: {} found", findings.len())
}
