//! Generates the Rust side of the API contract from `../proto`, and makes sure that the folder the dashboard
//! is embedded from exists.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use prost::Message as _;

fn main() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    protobuf(&out)?;
    dashboard()
}

/// Messages, service and client of the contract, and the descriptor set for reflection and JSON.
fn protobuf(out: &std::path::Path) -> Result<()> {
    println!("cargo:rerun-if-changed=../proto");
    let mut compiler = protox::Compiler::new(["../proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_file("tcpviewer/v1/service.proto")?;
    let descriptors = compiler.file_descriptor_set();
    fs::write(out.join("descriptor.bin"), descriptors.encode_to_vec()).context("write descriptor.bin")?;
    tonic_prost_build::configure()
        .compile_fds(descriptors)
        .context("generate code from ../proto")
}

/// `rust-embed` needs the folder; without the page in it the daemon says how to build it.
fn dashboard() -> Result<()> {
    println!("cargo:rerun-if-changed=../web/dist");
    fs::create_dir_all("../web/dist").context("create ../web/dist")
}
