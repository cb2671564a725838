//! `setup`: installs what is missing and says so. Three parts, in the order the build needs them: the Rust tool
//! chain, the dashboard's packages, and with `--test` the system's programs. Looking costs under two seconds.

use anyhow::Result;

mod packages;
mod rust;
mod web;

pub(crate) fn setup(with_tests: bool) -> Result<()> {
    rust_tools()?;
    web::node()?;
    web::packages()?;
    if with_tests {
        packages::install()?;
    }
    Ok(())
}

/// What the Rust crates need to be built.
pub(crate) fn rust_tools() -> Result<()> {
    rust::components()?;
    rust::linker()
}
