//! `verify`: loads every eBPF program and prints what the verifier made of it. The loading
//! and the table are an example of the daemon's crate; this only runs it with the rights it needs.

use anyhow::{Context as _, Result, bail};

use crate::privilege::{Access, DAEMON, Situation};

pub(crate) fn verify() -> Result<()> {
    let situation = Situation::now();
    match situation.decide(DAEMON) {
        access @ (Access::Own | Access::Sudo) => with(&access),
        Access::SudoAsks => bail!("cargo xtask verify: sudo wants a password; run `sudo -v` first"),
        Access::Denied(missing) => Err(situation.explain("verify", DAEMON, &missing)),
    }
}

pub(crate) fn with(access: &Access) -> Result<()> {
    access
        .cargo()?
        .args(["run", "--quiet", "--package", "tcpviewer", "--example", "verify"])
        .run()
        .context("verify the eBPF programs")
}
