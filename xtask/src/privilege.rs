//! Decides how a command gets the rights it needs in the kernel: from the effective capabilities of this
//! process, through `sudo` without or with a password, or not at all and then says what is missing.
//! `decide` sees data only; `Situation::now` reads the machine.

use std::{
    env, fs,
    io::{IsTerminal as _, stdin},
};

use anyhow::{Result, anyhow};

use crate::exec::{Run, find, search_path};

/// A right that a command needs, by its bit in `/proc/self/status`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Capability {
    name: &'static str,
    bit: u32,
}

const NET_ADMIN: Capability = Capability {
    name: "CAP_NET_ADMIN",
    bit: 12,
};
const SYS_ADMIN: Capability = Capability {
    name: "CAP_SYS_ADMIN",
    bit: 21,
};
const PERFMON: Capability = Capability {
    name: "CAP_PERFMON",
    bit: 38,
};
const BPF: Capability = Capability {
    name: "CAP_BPF",
    bit: 39,
};

/// What the daemon needs to load its programs and attach them.
pub(crate) const DAEMON: &[Capability] = &[BPF, NET_ADMIN, PERFMON];
/// The tests also make network namespaces and mount.
pub(crate) const TESTS: &[Capability] = &[BPF, NET_ADMIN, PERFMON, SYS_ADMIN];

/// What is known about the process and the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation {
    effective: u64,
    root: bool,
    sudo: Sudo,
    terminal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Sudo {
    Absent,
    WantsPassword,
    Free,
}

/// How a command gets its rights.
#[derive(Debug, PartialEq)]
pub(crate) enum Access {
    /// This process has them.
    Own,
    /// `sudo -n` gives them without a question.
    Sudo,
    /// `sudo` gives them after asking at the terminal.
    SudoAsks,
    /// They are out of reach; the capabilities that are missing.
    Denied(Vec<&'static str>),
}

impl Situation {
    /// Reads `/proc/self/status` and tries `sudo` when there is something to gain.
    pub(crate) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let root = effective_user(&status) == Some(0);
        let sudo = match find("sudo") {
            None => Sudo::Absent,
            Some(_) if root => Sudo::WantsPassword,
            Some(_) if Run::new("sudo").args(["-n", "true"]).succeeds() => Sudo::Free,
            Some(_) => Sudo::WantsPassword,
        };
        Self {
            effective: effective_capabilities(&status),
            root,
            sudo,
            terminal: stdin().is_terminal(),
        }
    }

    /// Whether files of the system may be changed.
    pub(crate) fn is_root(self) -> bool {
        self.root
    }

    /// Whether `sudo` works without a question.
    pub(crate) fn has_free_sudo(self) -> bool {
        self.sudo == Sudo::Free
    }

    pub(crate) fn decide(self, needs: &[Capability]) -> Access {
        let missing: Vec<_> = needs
            .iter()
            .filter(|need| self.effective >> need.bit & 1 == 0)
            .map(|need| need.name)
            .collect();
        match self.sudo {
            _ if missing.is_empty() => Access::Own,
            // Root without capabilities is root of a container: sudo has nothing to add.
            _ if self.root => Access::Denied(missing),
            Sudo::Free => Access::Sudo,
            Sudo::WantsPassword if self.terminal => Access::SudoAsks,
            Sudo::WantsPassword | Sudo::Absent => Access::Denied(missing),
        }
    }

    /// Explains why `cargo xtask COMMAND` cannot go on and how it could.
    pub(crate) fn explain(self, command: &str, needs: &[Capability], missing: &[&str]) -> anyhow::Error {
        let names: Vec<_> = needs.iter().map(|need| need.name).collect();
        // The tool chain is the user's, so root is told where it is.
        let advice = if self.root {
            "this is root without these capabilities, as in a container: start it with --privileged"
                .to_owned()
        } else if self.sudo == Sudo::Absent {
            format!("use: su -c \"env PATH='$PATH' HOME='$HOME' cargo xtask {command}\"")
        } else {
            format!("use: sudo env \"PATH=$PATH\" \"HOME=$HOME\" cargo xtask {command}")
        };
        anyhow!(
            "cargo xtask {command}: needs root or {}\n  missing: {}\n  {advice}",
            names.join(", "),
            missing.join(", ")
        )
    }
}

impl Access {
    /// A cargo command that builds as this user and runs what it built with the rights it needs.
    pub(crate) fn cargo(&self) -> Result<Run> {
        match self {
            Self::Own => Ok(Run::new("cargo").env("TCPVIEWER_REQUIRE_ROOT", "1")),
            Self::Sudo => {
                let runner = sudo_runner(env::vars());
                Ok(Run::new("cargo").args(["--config", &format!("target.'cfg(all())'.runner = {runner}")]))
            }
            Self::SudoAsks | Self::Denied(_) => Err(anyhow!("run as root: sudo wants a password")),
        }
    }
}

/// The list, as TOML, that puts `sudo` before a program and carries over the environment tests look at.
fn sudo_runner(variables: impl Iterator<Item = (String, String)>) -> String {
    let mut words = vec!["sudo".to_owned(), "-n".to_owned(), "env".to_owned()];
    words.push(format!("PATH={}", search_path().display()));
    words.push("TCPVIEWER_REQUIRE_ROOT=1".to_owned());
    let wanted =
        |name: &str| name.starts_with("TCPVIEWER_") || ["RUST_LOG", "RUST_BACKTRACE"].contains(&name);
    words.extend(
        variables
            .filter(|(name, _)| wanted(name) && name != "TCPVIEWER_REQUIRE_ROOT")
            .map(|(name, value)| format!("{name}={value}")),
    );
    let quoted: Vec<_> = words
        .iter()
        .map(|word| format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"")))
        .collect();
    format!("[{}]", quoted.join(", "))
}

fn effective_capabilities(status: &str) -> u64 {
    field(status, "CapEff:")
        .and_then(|value| u64::from_str_radix(value, 16).ok())
        .unwrap_or_default()
}

/// The second of real, effective, saved and file-system user.
fn effective_user(status: &str) -> Option<u32> {
    field(status, "Uid:")?.split_whitespace().nth(1)?.parse().ok()
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = 0x1ff_ffff_ffff;
    const USER: Situation = Situation {
        effective: 0,
        root: false,
        sudo: Sudo::Absent,
        terminal: false,
    };

    #[test]
    fn root_needs_no_help() {
        let situation = Situation {
            effective: ALL,
            root: true,
            ..USER
        };

        assert_eq!(situation.decide(DAEMON), Access::Own);
        assert_eq!(situation.decide(TESTS), Access::Own);
    }

    #[test]
    fn three_capabilities_are_enough_for_the_daemon_but_not_for_the_tests() {
        let situation = Situation {
            effective: 1 << 12 | 1 << 38 | 1 << 39,
            ..USER
        };

        assert_eq!(situation.decide(DAEMON), Access::Own);
        assert_eq!(situation.decide(TESTS), Access::Denied(vec!["CAP_SYS_ADMIN"]));
    }

    #[test]
    fn sudo_is_used_silently_when_it_is_free_and_asked_only_at_a_terminal() {
        let free = Situation {
            sudo: Sudo::Free,
            ..USER
        };
        let at_terminal = Situation {
            sudo: Sudo::WantsPassword,
            terminal: true,
            ..USER
        };
        let in_background = Situation {
            sudo: Sudo::WantsPassword,
            ..USER
        };

        assert_eq!(free.decide(DAEMON), Access::Sudo);
        assert_eq!(at_terminal.decide(DAEMON), Access::SudoAsks);
        assert_eq!(
            in_background.decide(DAEMON),
            Access::Denied(vec!["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"])
        );
    }

    #[test]
    fn root_of_a_container_is_told_to_get_capabilities_and_not_sudo() {
        let situation = Situation {
            root: true,
            sudo: Sudo::Free,
            ..USER
        };

        let Access::Denied(missing) = situation.decide(DAEMON) else {
            panic!("has no capability")
        };

        let text = situation.explain("run", DAEMON, &missing).to_string();
        assert!(text.contains("--privileged"), "{text}");
    }

    #[test]
    fn a_refusal_names_the_rights_and_the_command_to_use() {
        let text = USER.explain("run", DAEMON, &["CAP_BPF"]).to_string();

        assert_eq!(
            text,
            "cargo xtask run: needs root or CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON\n  missing: CAP_BPF\n  \
             use: su -c \"env PATH='$PATH' HOME='$HOME' cargo xtask run\""
        );
    }

    #[test]
    fn capabilities_and_user_are_read_from_the_status_file() {
        let status =
            "Name:\txtask\nUid:\t1000\t0\t0\t0\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n";

        assert_eq!(effective_capabilities(status), ALL);
        assert_eq!(effective_user(status), Some(0));
        assert_eq!(effective_capabilities(""), 0);
        assert_eq!(effective_user("Uid:\tx"), None);
    }

    #[test]
    fn the_runner_carries_the_project_s_variables_only() {
        let variables = [
            ("TCPVIEWER_CAPTURES", "/a \"b\""),
            ("SECRET", "x"),
            ("TCPVIEWER_REQUIRE_ROOT", "0"),
        ];

        let runner = sudo_runner(variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())));

        assert!(runner.starts_with(r#"["sudo", "-n", "env", "PATH="#), "{runner}");
        assert!(
            runner.ends_with(r#""TCPVIEWER_REQUIRE_ROOT=1", "TCPVIEWER_CAPTURES=/a \"b\""]"#),
            "{runner}"
        );
    }
}
