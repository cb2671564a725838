//! The process at an end of a connection, and how it is known.

use std::{sync::Arc, time::SystemTime};

use tcpviewer_common::connection::{ConnectionKey, Side};

/// A process of this host, as it was when it was found at its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number, in the initial PID namespace.
    pub pid: u32,
    /// When it started; with its number this tells it from a later process with the same number. `None` where that
    /// is not known.
    pub started_at: Option<SystemTime>,
    /// Its name: the first 15 bytes of the program's, unless it gave itself another.
    pub command: Arc<str>,
    /// Its command line, with blanks between the arguments; `None` where it could not be read in time, and for the
    /// kernel's own threads.
    pub command_line: Option<Arc<str>>,
    /// Its effective user.
    pub user_id: u32,
    /// That user's name on this host; `None` where it has none, or is not known yet.
    pub user: Option<Arc<str>>,
    /// Where it belongs; `None` where that is not known (yet).
    pub group: Option<Arc<ControlGroup>>,
    /// Inode of its network namespace; `None` where that is not known (yet).
    pub network_namespace: Option<u64>,
}

/// A control group, and what its path tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ControlGroup {
    /// Its path below the root of its hierarchy.
    pub path: Box<str>,
    /// The systemd unit, such as `nginx.service`.
    pub unit: Option<Box<str>>,
    /// Id of the container, as its runtime gave it.
    pub container: Option<Box<str>>,
    /// Uid of the Kubernetes pod.
    pub pod: Option<Box<str>>,
}

/// Who owns a socket, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The process.
    pub process: Arc<Process>,
    /// How it was found.
    pub source: OwnerSource,
}

/// How the owner of a socket was found, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnerSource {
    /// It owns the listener that the connection came to; another process may have accepted it.
    Listener,
    /// Among the processes that hold the socket it is the oldest (procfs).
    SharedDescriptor,
    /// No other process holds the socket (procfs).
    Descriptor,
    /// The kernel saw it accept the connection.
    Accept,
    /// The kernel saw it connect.
    Connect,
}

impl OwnerSource {
    /// Whether the process had the socket for certain.
    pub fn is_certain(self) -> bool {
        self > Self::Listener
    }
}

/// What was learned of the owner of one end of a connection.
#[derive(Clone, Debug)]
pub struct OwnerLook {
    /// The endpoints of the connection.
    pub key: ConnectionKey,
    /// The connection's id.
    pub id: u64,
    /// Which end.
    pub side: Side,
    /// Whose it is; `None` where what was said of it was about another socket.
    pub owner: Option<Owner>,
}
