//! Builds what the daemon carries in it: the eBPF object.

use std::env;

use aya_build::{Package, Toolchain};

fn main() -> anyhow::Result<()> {
    ebpf()
}

/// The programs for the kernel, as `$OUT_DIR/tcpviewer`. Building `core` for the target needs an unstable
/// flag, which RUSTC_BOOTSTRAP unlocks on a stable compiler; it is set for this build alone.
#[expect(unsafe_code, reason = "setting a variable is the interface that aya-build offers")]
fn ebpf() -> anyhow::Result<()> {
    // SAFETY: a build script has one thread.
    unsafe { env::set_var("RUSTC_BOOTSTRAP", "1") };
    println!("cargo:rerun-if-changed=../tcpviewer-common/src");
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_unset| String::from("stable"));
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tcpviewer-ebpf");
    let package = Package { name: "tcpviewer-ebpf", root_dir: root, ..Package::default() };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
}
