//! The other network namespaces of this host, containers above all: found through the processes in them, entered by
//! threads that are for nothing else. In: wishes to look into them. Out: which there are, as of a while ago, and what was
//! found inside. None of them is held but while it is looked into: then a namespace ends with its last process as if nobody
//! had looked.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::model::Work;

/// Namespaces that are looked into.
const MOST: usize = 1_024;
/// A walk through all processes is followed by a pause of so many times its CPU time.
const PAUSE: u32 = 50;

/// A network namespace, and a process in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its inode, which no other one has as long as it is there.
    pub inode: u64,
    pid: u32,
}

/// The other namespaces, as the last walk through the processes showed them.
#[derive(Debug, Default)]
pub struct Namespaces {
    known: Vec<Namespace>,
    walked: Option<Instant>,
    rest_until: Option<Instant>,
    /// How often all processes were walked through.
    walks: u64,
}

impl Namespaces {
    /// Those that there are, as of so long ago at most, or longer where a walk takes long.
    pub fn of_late(&mut self, age: Duration) -> &[Namespace] {
        let now = Instant::now();
        let is_old = self.walked.is_none_or(|walked| now - walked > age);
        if is_old && self.rest_until.is_none_or(|until| until <= now) {
            let work = Work::begun();
            let (known, is_whole) = walk();
            self.known = known;
            self.walked = Some(now);
            self.rest_until = Some(Instant::now() + work.done() * PAUSE);
            self.walks += u64::from(is_whole);
        }
        &self.known
    }

    /// How often all of them were looked for: what such a walk does not show may be gone.
    pub(super) const fn walks(&self) -> u64 {
        self.walks
    }
}

impl Namespace {
    /// Runs this inside, on a thread that ends with it.
    ///
    /// # Errors
    ///
    /// When the namespace is gone, as far as its process tells, or must not be entered.
    pub fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> io::Result<T> {
        let namespace = File::open(format!("/proc/{}/ns/net", self.pid))?;
        // The number may have passed to another process.
        if namespace.metadata()?.ino() != self.inode {
            return Err(io::ErrorKind::NotFound.into());
        }
        inside(&namespace, action)
    }

    /// Where its tables of sockets are.
    pub fn tables(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/net", self.pid))
    }

    /// Whether its process is still there, and in it: what was opened by the process's number before is of this
    /// namespace.
    pub fn is_there(&self) -> bool {
        inode_of(self.pid) == Some(self.inode)
    }
}

/// The namespaces of all processes but that of this one, and whether that are all there are.
fn walk() -> (Vec<Namespace>, bool) {
    let mut seen: HashSet<_> = own().into_iter().collect();
    let mut found = Vec::new();
    let entries = match fs::read_dir("/proc") {
        Ok(entries) => entries.flatten(),
        Err(error) => {
            tracing::debug!(%error, "walk through the processes for their network namespaces");
            return (found, false);
        }
    };
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()) {
        if found.len() >= MOST {
            tracing::debug!(
                most = MOST,
                "there are more network namespaces than are looked into"
            );
            return (found, false);
        }
        if let Some(inode) = inode_of(pid)
            && seen.insert(inode)
        {
            found.push(Namespace { inode, pid });
        }
    }
    (found, true)
}

/// Tries whether namespaces can be entered, with the own one.
///
/// # Errors
///
/// When this process may not do that, or the kernel or a filter of system calls has no such call. Any other error says
/// nothing of other namespaces.
pub(super) fn try_entry() -> io::Result<()> {
    let own = File::open("/proc/thread-self/ns/net");
    match own.and_then(|own| inside(&own, || ())) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
            ) =>
        {
            Err(error)
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Runs this inside a namespace, on a thread that ends with it.
fn inside<T: Send>(namespace: &File, action: impl FnOnce() -> T + Send) -> io::Result<T> {
    let inside = move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(action())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("tcpviewer-inside".into());
        let entered = thread.spawn_scoped(scope, inside)?.join();
        entered.unwrap_or_else(|_panic| Err(io::Error::other("the thread inside panicked")))
    })
}

/// Inode of the network namespace of this thread.
pub(super) fn own() -> Option<u64> {
    Some(fs::metadata("/proc/thread-self/ns/net").ok()?.ino())
}

/// Inode of a process's network namespace; `None` where it is gone, or hides it.
pub fn inode_of(pid: u32) -> Option<u64> {
    let link = fs::read_link(format!("/proc/{pid}/ns/net")).ok()?;
    let text = link.to_str()?.strip_prefix("net:[")?.strip_suffix(']')?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn the_own_namespace_is_none_of_the_others_and_they_are_looked_for_when_what_is_known_is_old() {
        let mut namespaces = Namespaces::default();
        let own = own().unwrap();
        assert_eq!(inode_of(process::id()), Some(own));
        for (age, walks) in [(60, 1), (60, 1)] {
            let known = namespaces.of_late(Duration::from_secs(age));
            assert!(known.iter().all(|each| each.inode != own), "{known:?}");
            assert_eq!(namespaces.walks(), walks);
        }
    }

    #[test]
    fn a_process_that_is_in_another_namespace_leads_nowhere() {
        let elsewhere = Namespace {
            inode: own().unwrap() + 1,
            pid: process::id(),
        };
        assert!(!elsewhere.is_there());
        assert_eq!(
            elsewhere.enter(|| ()).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }
}
