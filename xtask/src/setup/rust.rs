//! The Rust side: the components that the eBPF build and `lint` need, and the linker for eBPF objects.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::exec::{Run, find};

/// 0.11 wants LLVM 23; this one uses the LLVM that comes with the compiler.
const LINKER: &str = "0.10.3";

/// `rust-src` (core is compiled for the kernel's target), rustfmt and clippy.
pub(super) fn components() -> Result<()> {
    let sysroot = Run::new("rustc").args(["--print", "sysroot"]).output()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core/Cargo.toml");
    let parts = [
        ("rust-src", source.is_file()),
        ("rustfmt", Run::new("rustfmt").args(["--version"]).succeeds()),
        ("clippy", Run::new("cargo-clippy").args(["--version"]).succeeds()),
    ];
    let missing: Vec<_> = parts
        .iter()
        .filter(|(_, present)| !present)
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        println!("setup: rust-src, rustfmt and clippy are there");
        return Ok(());
    }
    println!("setup: adding {}", missing.join(", "));
    if find("rustup").is_none() {
        bail!(
            "add {}: rustup is missing; install it or these parts of the compiler",
            missing.join(", ")
        );
    }
    Run::new("rustup").args(["component", "add"]).args(missing).run()
}

/// `bpf-linker` in exactly the version that is known to work.
pub(super) fn linker() -> Result<()> {
    let installed = Run::new("bpf-linker")
        .args(["--version"])
        .output()
        .unwrap_or_default();
    if version(&installed) == Some(LINKER) {
        println!("setup: bpf-linker {LINKER} is there");
        return Ok(());
    }
    match version(&installed) {
        Some(other) => println!("setup: replacing bpf-linker {other} by {LINKER} (about a minute)"),
        None => println!("setup: installing bpf-linker {LINKER} (about a minute)"),
    }
    Run::new("cargo")
        .args([
            "install",
            "bpf-linker",
            "--version",
            LINKER,
            "--locked",
            "--force",
        ])
        .run()
        .context("install bpf-linker")
}

fn version(output: &str) -> Option<&str> {
    output
        .trim()
        .strip_prefix("bpf-linker ")?
        .split_whitespace()
        .next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_second_word() {
        assert_eq!(version("bpf-linker 0.10.3\n"), Some("0.10.3"));
        assert_eq!(version("bpf-linker 0.11.0 (LLVM 23)"), Some("0.11.0"));
        assert_eq!(version(""), None);
    }
}
