//! Reads what /proc tells of a process, and makes sure that it is the process that was meant: its number may have
//! passed to another one, and it may have become another program since. Reading can block, so this is for a thread
//! that may.

use std::{collections::HashMap, fs, io, os::unix::fs::MetadataExt as _, path::PathBuf, sync::Arc};

use nix::unistd::{Uid, User};
use procfs::process::Process as Directory;
use tcpviewer_common::owner::SocketOwner;

use super::group;
use crate::{
    attach::cgroups::find_root,
    model::{Clock, ControlGroup, Process},
    sockets::namespaces,
};

/// Users whose names are remembered.
const USERS: usize = 4_096;
/// Control groups that are remembered.
const GROUPS: usize = 4_096;
/// Bytes of a command line that are kept.
const COMMAND_LINE_BYTES: usize = 4_096;

/// Reads processes, and remembers what they share.
pub(super) struct Reader {
    clock: Clock,
    users: HashMap<u32, Option<Arc<str>>>,
    /// Groups of the unified hierarchy by the kernel's number of them, so that processes which are gone already find
    /// theirs.
    groups: HashMap<u64, Arc<ControlGroup>>,
    /// Where that hierarchy is mounted, if it is.
    root: Option<PathBuf>,
}

/// A process with its time of start as /proc has it, in ticks.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) process: Process,
    pub(super) start_ticks: u64,
    /// Whether its group is one of the unified hierarchy.
    is_unified: bool,
}

impl Reader {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            users: HashMap::new(),
            groups: HashMap::new(),
            root: find_root().ok(),
        }
    }

    /// Completes what the kernel said of a process that was at work on a socket.
    pub(super) fn complete(&mut self, owner: &SocketOwner, line: Line) -> Process {
        let is_whole = line.is_whole;
        let mut process = seen(owner, line.text, self.clock);
        process.user = self.user(owner.user_id);
        if let Some(found) = self.read(owner.process_id)
            && is_same(&found, owner)
        {
            let found_process = found.process;
            if !is_whole && found_process.command == process.command {
                process.command_line = found_process.command_line;
            }
            process.network_namespace = found_process.network_namespace;
            process.group = found_process.group;
            // The kernel's number is that of the unified hierarchy. In older ones, processes of the same number differ.
            if found.is_unified
                && let Some(group) = &process.group
            {
                self.remember(owner.cgroup_id, group);
            }
        }
        if process.group.is_none() {
            process.group = self.groups.get(&owner.cgroup_id).cloned();
        }
        process
    }

    /// Remembers a group, if it has this number: the process may have come to another one since it was seen.
    fn remember(&mut self, id: u64, group: &Arc<ControlGroup>) {
        let is_it = || {
            let path = self.root.as_ref()?.join(group.path.trim_start_matches('/'));
            Some(fs::metadata(path).ok()?.ino() == id)
        };
        if self.groups.contains_key(&id) || is_it() != Some(true) {
            return;
        }
        if self.groups.len() >= GROUPS {
            self.groups.clear();
        }
        self.groups.insert(id, Arc::clone(group));
    }

    /// The process that has this number now. `None` where there is none, or it ended meanwhile.
    pub(super) fn read(&mut self, pid: u32) -> Option<Found> {
        let directory = Directory::new(i32::try_from(pid).ok()?).ok()?;
        let start_ticks = directory.stat().ok()?.starttime;
        let arguments = directory.cmdline().unwrap_or_default();
        let user_id = directory.uid().ok()?;
        let group = directory.open_relative("cgroup").ok();
        let group = group.and_then(|file| io::read_to_string(file).ok());
        let (group, is_unified) = group
            .and_then(|text| group::of_process(&text))
            .map_or((None, false), |(group, is_unified)| (Some(group), is_unified));
        let network_namespace = namespaces::inode_of(pid);
        // The directory is that of one process for good, and that must not have gone while it was read. Should it
        // have become another program since its command line was read, the names will differ.
        let after = directory.stat().ok()?;
        if after.starttime != start_ticks {
            return None;
        }
        let started_ns = start_ticks.saturating_mul(1_000_000_000) / procfs::ticks_per_second();
        let process = Process {
            pid,
            started_at: Some(self.clock.at(started_ns)),
            command: after.comm.into(),
            command_line: command_line(&arguments),
            user_id,
            user: self.user(user_id),
            group: group.map(Arc::new),
            network_namespace,
        };
        Some(Found {
            process,
            start_ticks,
            is_unified,
        })
    }

    fn user(&mut self, id: u32) -> Option<Arc<str>> {
        if self.users.len() >= USERS {
            self.users.clear();
        }
        let look_up = |id: u32| {
            let user = User::from_uid(Uid::from_raw(id)).ok().flatten()?;
            Some(Arc::from(user.name))
        };
        self.users.entry(id).or_insert_with_key(|id| look_up(*id)).clone()
    }
}

/// A process as the kernel alone tells of it.
pub(super) fn seen(owner: &SocketOwner, command_line: Option<Arc<str>>, clock: Clock) -> Process {
    let command = owner.command.split(|&byte| byte == 0).next().unwrap_or_default();
    Process {
        pid: owner.process_id,
        started_at: (owner.started_ns != 0).then(|| clock.at(owner.started_ns)),
        command: String::from_utf8_lossy(command).into(),
        command_line,
        user_id: owner.user_id,
        user: None,
        group: None,
        network_namespace: None,
    }
}

/// A command line as far as the kernel handed it over.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    pub(super) text: Option<Arc<str>>,
    pub(super) is_whole: bool,
}

impl Line {
    /// What the event has of it: with a zero after each argument, and so many bytes when it is whole.
    pub(super) fn of(bytes: &[u8], all_bytes: u32) -> Self {
        let arguments = bytes.strip_suffix(&[0]).unwrap_or(bytes).split(|&byte| byte == 0);
        let arguments: Vec<String> = arguments
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect();
        Self {
            text: command_line(&arguments),
            is_whole: !bytes.is_empty() && bytes.len() == all_bytes as usize,
        }
    }
}

/// Arguments with blanks between them, cut where they are too many.
fn command_line(arguments: &[String]) -> Option<Arc<str>> {
    let mut line = arguments.join(" ");
    if line.len() > COMMAND_LINE_BYTES {
        let end = (0..=COMMAND_LINE_BYTES)
            .rev()
            .find(|&end| line.is_char_boundary(end))?;
        line.truncate(end);
    }
    (!line.is_empty()).then(|| line.into())
}

/// Whether the process that was found is the one that the kernel saw.
fn is_same(found: &Found, owner: &SocketOwner) -> bool {
    let tick_ns = 1_000_000_000 / procfs::ticks_per_second();
    if owner.started_ns == 0 {
        // A later process with the same number started after this one was seen.
        return found.start_ticks * tick_ns <= owner.time_ns;
    }
    found.start_ticks == owner.started_ns / tick_ns
}

/// Whether the process still runs.
pub(super) fn is_alive(owner: &SocketOwner) -> bool {
    let tick_ns = 1_000_000_000 / procfs::ticks_per_second();
    let start_ticks = i32::try_from(owner.process_id)
        .ok()
        .and_then(|pid| Directory::new(pid).ok()?.stat().ok())
        .map(|stat| stat.starttime);
    start_ticks.is_some_and(|ticks| owner.started_ns == 0 || ticks == owner.started_ns / tick_ns)
}

#[cfg(test)]
mod tests {
    use std::{
        process::{self, Command, Stdio},
        time::SystemTime,
    };

    use super::*;

    fn reader() -> Reader {
        Reader::new(Clock::new(SystemTime::UNIX_EPOCH))
    }

    /// What the kernel would say of a process that is there.
    fn owner(pid: u32) -> SocketOwner {
        let found = reader().read(pid).unwrap();
        let mut command = [0; 16];
        let name = found.process.command.as_bytes();
        command[..name.len()].copy_from_slice(name);
        let started_ns = found.start_ticks * (1_000_000_000 / procfs::ticks_per_second());
        SocketOwner {
            time_ns: started_ns + 1,
            started_ns,
            cgroup_id: 0,
            network_cookie: 0,
            process_id: pid,
            user_id: found.process.user_id,
            act: SocketOwner::CONNECTED,
            padding: 0,
            command,
        }
    }

    fn sleeper() -> process::Child {
        Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[test]
    fn a_process_that_is_there_is_completed() {
        let mut child = sleeper();
        // Until the child has become the other program.
        let owner = loop {
            let owner = owner(child.id());
            if owner.command.starts_with(b"sleep") {
                break owner;
            }
        };
        let process = reader().complete(&owner, Line::default());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(&*process.command, "sleep");
        assert_eq!(process.command_line.as_deref(), Some("sleep 60"));
        assert_eq!(process.network_namespace, namespaces::inode_of(process::id()));
        assert!(process.group.is_some());
    }

    #[test]
    fn of_a_later_process_with_the_same_number_nothing_is_taken() {
        let mut earlier = owner(process::id());
        earlier.started_ns -= 1_000_000_000;
        earlier.command = *b"earlier\0\0\0\0\0\0\0\0\0";
        let process = reader().complete(&earlier, Line::default());
        assert_eq!(&*process.command, "earlier");
        assert_eq!(process.command_line, None);
        assert_eq!(process.network_namespace, None);

        // The same where the kernel does not say when the process started.
        earlier.time_ns = earlier.started_ns;
        earlier.started_ns = 0;
        assert_eq!(
            reader().complete(&earlier, Line::default()).network_namespace,
            None
        );
    }

    #[test]
    fn of_a_process_that_became_another_program_the_command_line_is_not_taken() {
        let mut before = owner(process::id());
        before.command = *b"before\0\0\0\0\0\0\0\0\0\0";
        let process = reader().complete(&before, Line::default());
        assert_eq!(&*process.command, "before");
        assert_eq!(process.command_line, None);
        assert!(process.group.is_some());
    }

    #[test]
    fn a_process_that_is_gone_is_what_the_kernel_said() {
        let mut child = sleeper();
        let owner = owner(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        let process = reader().complete(&owner, Line::of(b"sleep\x0060\0", 9));
        assert_eq!(process.command_line.as_deref(), Some("sleep 60"));
        assert_eq!(process.network_namespace, None);
    }

    #[test]
    fn a_process_that_is_gone_has_the_group_that_has_its_number() {
        let mut reader = reader();
        let Some(root) = reader.root.clone() else { return };
        let id = fs::metadata(root).unwrap().ino();
        let group = Arc::new(group::of_path("/"));
        // One that came to another group meanwhile says nothing of the first.
        for number in [id, id + 1] {
            reader.remember(number, &group);
        }
        let mut child = sleeper();
        let gone = owner(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        for (cgroup_id, expected) in [(id, Some(group)), (id + 1, None)] {
            let gone = SocketOwner { cgroup_id, ..gone };
            assert_eq!(reader.complete(&gone, Line::default()).group, expected);
        }
    }

    #[test]
    fn arguments_are_joined_and_long_ones_cut_between_letters() {
        let line = Line::of(b"nginx\0-g\0daemon off;\0", 21);
        assert_eq!(line.text.as_deref(), Some("nginx -g daemon off;"));
        assert!(line.is_whole);
        assert!(!Line::of(b"nginx\0-g\0daemon", 21).is_whole);
        assert_eq!(Line::of(b"", 0).text, None);
        let long = "ä".repeat(3_000);
        let line = Line::of(long.as_bytes(), 6_000).text.unwrap();
        assert_eq!(line.len(), COMMAND_LINE_BYTES);
        assert!(long.starts_with(&*line));
    }
}
