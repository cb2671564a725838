//! `setup`: installs what is missing and says so. In the order the build needs it: the system's programs that the build
//! starts, the Rust tool chain, the dashboard's packages, and with `--test` the programs that tests start. Looking costs
//! under two seconds.

use anyhow::Result;

mod packages;
mod rust;
mod web;

pub(crate) fn setup(with_tests: bool) -> Result<()> {
    rust_tools()?;
    web::node()?;
    web::packages()?;
    if with_tests {
        packages::install(packages::OF_TESTS)?;
        println!("setup: every program the tests start is there");
    }
    Ok(())
}

/// What the Rust crates need to be built.
pub(crate) fn rust_tools() -> Result<()> {
    packages::install(packages::OF_BUILD)?;
    rust::components()?;
    rust::linker()
}
