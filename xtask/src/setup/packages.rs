//! The system's programs that the build and the tests start. Looks for the program and not for the package, so any
//! distribution will do; installs with apt where there is apt and the right to use it, otherwise says what to run.

use anyhow::{Context as _, Result, bail};

use crate::{
    exec::{Run, find},
    privilege::Situation,
};

/// Programs of which one must be there, and Debian's package that brings the first.
pub(super) struct Tool {
    programs: &'static [&'static str],
    package: &'static str,
}

/// What the build starts besides Rust's own tools.
pub(super) const OF_BUILD: &[Tool] = &[Tool {
    // Of the memory allocator, which is in C.
    programs: &["make"],
    package: "make",
}];

/// What the tests start.
pub(super) const OF_TESTS: &[Tool] = &[
    Tool {
        programs: &["ip"],
        package: "iproute2",
    },
    Tool {
        programs: &["tc"],
        package: "iproute2",
    },
    Tool {
        programs: &["ss"],
        package: "iproute2",
    },
    Tool {
        programs: &["iperf3"],
        package: "iperf3",
    },
    Tool {
        programs: &["ethtool"],
        package: "ethtool",
    },
    Tool {
        programs: &["tcpdump"],
        package: "tcpdump",
    },
    // Brings capinfos as well.
    Tool {
        programs: &["tshark"],
        package: "tshark",
    },
    // The commands of the documentation are run as they stand there.
    Tool {
        programs: &["curl"],
        package: "curl",
    },
    Tool {
        programs: &["jq"],
        package: "jq",
    },
    Tool {
        programs: &["nsenter"],
        package: "util-linux",
    },
    Tool {
        programs: &["valgrind"],
        package: "valgrind",
    },
    Tool {
        programs: &["chromium"],
        package: "chromium",
    },
];

const APT: &[&str] = &["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=3"];

/// Installs those that are missing.
pub(super) fn install(tools: &[Tool]) -> Result<()> {
    let packages = missing(tools, |program| find(program).is_some());
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    println!("setup: installing {names}");
    if find("apt-get").is_none() {
        bail!("install {names}: there is no apt-get; install these with the system's package manager");
    }
    let situation = Situation::now();
    if !situation.is_root() && !situation.has_free_sudo() {
        bail!(
            "install {names}: not root, and sudo is missing or wants a password\n  \
             as root: apt-get update && apt-get install -y --no-install-recommends {names}"
        );
    }
    // One mirror that is out of reach must not stop what the others can bring.
    if let Err(error) = apt(situation, &["update"]) {
        println!("setup: the list of packages may be old: {error:#}");
    }
    let install = ["install", "-y", "--no-install-recommends"];
    apt(situation, &[&install[..], &packages].concat()).with_context(|| format!("install {names}"))?;
    match missing(tools, |program| find(program).is_some()).as_slice() {
        [] => Ok(()),
        still => bail!("install {names}: {} brought no program", still.join(" ")),
    }
}

/// The packages to install, each once.
fn missing(tools: &[Tool], is_there: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let absent = tools
        .iter()
        .filter(|tool| !tool.programs.iter().any(|program| is_there(program)));
    let mut packages: Vec<_> = absent.map(|tool| tool.package).collect();
    packages.dedup();
    packages
}

fn apt(situation: Situation, arguments: &[&str]) -> Result<()> {
    let run = if situation.is_root() {
        Run::new("env")
    } else {
        Run::new("sudo").args(["-n", "env"])
    };
    // A service that wants a restart or a file that changed must not ask.
    run.args(["DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_MODE=a", "apt-get"])
        .args(APT)
        .args(arguments)
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_installed_when_every_program_is_there() {
        assert!(missing(OF_TESTS, |_| true).is_empty());
    }

    #[test]
    fn a_package_of_several_programs_is_named_once() {
        let packages = missing(OF_TESTS, |program| program == "nsenter");

        assert_eq!(
            packages,
            [
                "iproute2", "iperf3", "ethtool", "tcpdump", "tshark", "curl", "jq", "valgrind", "chromium"
            ]
        );
    }
}
