//! What this process may not, or this kernel does not tell, and what that costs whoever wants to know the owners of
//! sockets.

use crate::model::Degradation;

/// Capabilities by their bits in `CapEff` (include/uapi/linux/capability.h): each stands in for those behind it.
const NEEDED: [(&[u32], &str); 2] = [(&[19], "CAP_SYS_PTRACE"), (&[2, 1], "CAP_DAC_READ_SEARCH")];

/// What is missing. `unknown_layout` says why the programs cannot tell all of a process.
pub(super) fn degradations(unknown_layout: Option<&str>) -> Vec<Degradation> {
    let effective = procfs::process::Process::myself()
        .and_then(|process| process.status())
        .map_or(u64::MAX, |status| status.capeff);
    let capabilities = lacking(effective).map(|missing| Degradation {
        feature: String::from("owner"),
        reason: format!("this process lacks {missing}"),
        effect: String::from(
            "of processes of other users, those that hold older connections are not found, and no network namespace is known",
        ),
    });
    let layout = unknown_layout.map(|reason| Degradation {
        feature: String::from("owner"),
        reason: reason.to_owned(),
        effect: String::from("processes that end at once have no command line"),
    });
    capabilities.into_iter().chain(layout).collect()
}

/// Names of the capabilities that a process with these effective ones lacks.
fn lacking(effective: u64) -> Option<String> {
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(bits, _name)| bits.iter().all(|bit| effective >> bit & 1 == 0))
        .map(|(_bits, name)| *name)
        .collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_lacks_is_named() {
        assert_eq!(lacking(u64::MAX), None);
        assert_eq!(lacking(1 << 19 | 1 << 1), None);
        assert_eq!(lacking(1 << 2).as_deref(), Some("CAP_SYS_PTRACE"));
        assert_eq!(lacking(0).as_deref(), Some("CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH"));
        let told = degradations(Some("no types"));
        assert_eq!(told.last().map(|last| last.reason.as_str()), Some("no types"));
    }
}
