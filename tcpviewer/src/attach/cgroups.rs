//! Attaches the programs that learn whose a socket is to the root of the cgroup hierarchy, where they see every
//! process of the host. Each of them is optional: in: the loaded object. Out: what is missing, and what that costs.
//! The links end with the process.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use aya::{
    Ebpf,
    programs::{CgroupAttachMode, CgroupSock, CgroupSockAddr, Program, ProgramError, SockOps},
};
use procfs::process::{MountInfo, Process};

use super::links::cause;
use crate::model::Degradation;

/// Programs, and what is not known without them.
const PROGRAMS: [(&str, &str); 7] = [
    ("connect4", NO_CONNECTING),
    ("connect6", NO_CONNECTING),
    ("post_bind4", NO_LISTENING),
    ("post_bind6", NO_LISTENING),
    ("getpeername4", NO_ACCEPTING),
    ("getpeername6", NO_ACCEPTING),
    ("socket_event", NO_CONTAINERS),
];
const NO_CONNECTING: &str = "processes that connect and end at once are not named";
const NO_LISTENING: &str =
    "servers that started before their first connection was looked for are found later";
const NO_ACCEPTING: &str = "which process of a server accepted is found later, or not";
const NO_CONTAINERS: &str = "connections of other network namespaces are named later, or not";

/// Attaches what can be attached.
pub(super) fn attach(ebpf: &mut Ebpf) -> Vec<Degradation> {
    let root = match find_root() {
        Ok(root) => root,
        Err(reason) => return vec![procfs_only(reason)],
    };
    let directory = match File::open(&root) {
        Ok(directory) => directory,
        Err(error) => return vec![procfs_only(format!("open {}: {error}", root.display()))],
    };
    let mut degradations: Vec<Degradation> = Vec::new();
    for (name, effect) in PROGRAMS {
        if let Err(reason) = attach_one(ebpf, name, &directory) {
            degradations.push(Degradation {
                feature: format!("owner: {name}"),
                reason,
                effect: effect.to_owned(),
            });
        }
    }
    degradations
}

fn procfs_only(reason: String) -> Degradation {
    Degradation {
        feature: String::from("owner"),
        reason: format!("procfs only: {reason}"),
        effect: String::from("processes that live shorter than a second are not named, the others later"),
    }
}

/// Where the whole unified hierarchy is mounted: at /sys/fs/cgroup, or beside the older ones.
///
/// # Errors
///
/// When it is not, or the mounts cannot be read.
pub fn find_root() -> Result<PathBuf, String> {
    let mounts = Process::myself()
        .and_then(|process| process.mountinfo())
        .map_err(|error| format!("read /proc/self/mountinfo: {error}"))?;
    root_of(mounts).ok_or_else(|| String::from("no cgroup2 mount"))
}

fn root_of(mounts: impl IntoIterator<Item = MountInfo>) -> Option<PathBuf> {
    mounts
        .into_iter()
        .find(|mount| mount.fs_type == "cgroup2" && Path::new(&mount.root) == Path::new("/"))
        .map(|mount| mount.mount_point)
}

fn attach_one(ebpf: &mut Ebpf, name: &str, directory: &File) -> Result<(), String> {
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| String::from("the object lacks it"))?;
    load_and_attach(program, directory).map_err(|error| cause(&error))
}

fn load_and_attach(program: &mut Program, directory: &File) -> Result<(), ProgramError> {
    // Links of this kind stand beside those of others whatever the mode says.
    let mode = CgroupAttachMode::Single;
    if let Ok(program) = <&mut CgroupSockAddr>::try_from(&mut *program) {
        program.load()?;
        program.attach(directory, mode)?;
    } else if let Ok(program) = <&mut CgroupSock>::try_from(&mut *program) {
        program.load()?;
        program.attach(directory, mode)?;
    } else {
        let program = <&mut SockOps>::try_from(program)?;
        program.load()?;
        program.attach(directory, mode)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use procfs::{FromRead as _, process::MountInfos};

    use super::*;

    fn root(mounts: &str) -> Option<PathBuf> {
        root_of(MountInfos::from_read(Cursor::new(mounts)).unwrap())
    }

    #[test]
    fn the_root_of_the_hierarchy_is_found_wherever_it_is_mounted() {
        let tmpfs = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n";
        let older = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";
        let unified = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
        let alone = "30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let part = "30 23 0:27 /machine/one /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
        assert_eq!(
            root(&format!("{tmpfs}{older}{unified}")),
            Some("/sys/fs/cgroup/unified".into())
        );
        assert_eq!(root(alone), Some("/sys/fs/cgroup".into()));
        assert_eq!(root(&format!("{tmpfs}{older}")), None);
        assert_eq!(root(part), None);
    }
}
