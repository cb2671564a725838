//! Builds what the daemon carries in it: the eBPF object, the Rust side of the API contract, and the folder
//! the dashboard is embedded from.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};
use prost::Message as _;

fn main() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    ebpf()?;
    protobuf(&out)?;
    dashboard()
}

/// The programs for the kernel, as `$OUT_DIR/tcpviewer`. Building `core` for the target needs an unstable
/// flag, which RUSTC_BOOTSTRAP unlocks on a stable compiler; it is set for this build alone. Compiled piece by piece, as
/// CARGO_INCREMENTAL asks for, the programs would take more stack than the kernel has.
#[expect(
    unsafe_code,
    reason = "setting a variable is the interface that aya-build offers"
)]
fn ebpf() -> Result<()> {
    // SAFETY: a build script has one thread.
    unsafe { env::set_var("RUSTC_BOOTSTRAP", "1") };
    // SAFETY: as above.
    unsafe { env::set_var("CARGO_INCREMENTAL", "0") };
    println!("cargo:rerun-if-changed=../tcpviewer-common/src");
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_unset| String::from("stable"));
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tcpviewer-ebpf");
    let package = Package {
        name: "tcpviewer-ebpf",
        root_dir: root,
        ..Package::default()
    };
    let built = aya_build::build_ebpf([package], Toolchain::Custom(&toolchain));
    // SAFETY: as above.
    unsafe { env::remove_var("RUSTC_BOOTSTRAP") };
    built
}

/// Messages and client of the contract, the descriptor set for reflection and JSON, and in a folder of its own the
/// service, whose answers with many connections are put together from encoded ones.
fn protobuf(out: &Path) -> Result<()> {
    println!("cargo:rerun-if-changed=../proto");
    let mut compiler = protox::Compiler::new(["../proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("tcpviewer/v1/service.proto")?;
    let descriptors = compiler.file_descriptor_set();
    fs::write(out.join("descriptor.bin"), descriptors.encode_to_vec()).context("write descriptor.bin")?;
    tonic_prost_build::configure()
        .build_server(false)
        // Much larger than the other messages of a bundle.
        .boxed(".tcpviewer.v1.WatchBundleResponse.message.connection")
        .compile_fds(descriptors.clone())
        .context("generate messages and client from ../proto")?;
    let service = out.join("service");
    fs::create_dir_all(&service).context("create the folder of the service")?;
    tonic_prost_build::configure()
        .build_client(false)
        .codec_path("crate::api::codec::RoomFirst")
        .out_dir(service)
        .extern_path(
            ".tcpviewer.v1.WatchConnectionsResponse",
            "crate::api::streamed::WatchConnectionsResponse",
        )
        .extern_path(
            ".tcpviewer.v1.WatchBundleResponse",
            "crate::api::streamed::WatchBundleResponse",
        )
        .extern_path(".tcpviewer.v1", "crate::proto")
        .compile_fds(descriptors)
        .context("generate the service from ../proto")
}

/// `rust-embed` needs the folder; without the page in it the daemon says how to build it.
fn dashboard() -> Result<()> {
    println!("cargo:rerun-if-changed=../web/dist");
    fs::create_dir_all("../web/dist").context("create ../web/dist")
}
