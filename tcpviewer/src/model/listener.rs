//! A socket that waits for connections, and a counter of the host's TCP.

use std::net::SocketAddr;

use super::process::Owner;

/// A listening socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether an IPv6 socket takes connections over IPv4 as well; `None` where that is not known.
    pub is_dual_stack: Option<bool>,
    /// Connections that wait for the application.
    pub accept_queue: u32,
    /// How many may, less one.
    pub accept_queue_limit: Option<u32>,
    /// Handshakes that are not complete.
    pub syn_queue: Option<u32>,
    /// What was dropped here since it was made.
    pub drops: Option<u32>,
    /// Who made it.
    pub user_id: u32,
    /// The kernel's number of it; 0 where that is not known.
    pub cookie: u64,
    /// Its inode, by which those who hold it are found; 0 where that is not known.
    pub inode: u64,
    /// Inode of its network namespace; `None` where that is not known.
    pub network_namespace: Option<u64>,
    /// Who holds it; `None` where that is not known.
    pub owner: Option<Owner>,
}

/// A counter that the kernel keeps of all of its TCP in one network namespace.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostCounter {
    /// The kernel's name of it.
    pub name: &'static str,
    /// What it counts.
    pub meaning: &'static str,
    /// Since the start of the host, or of the namespace.
    pub total: u64,
    /// How fast it grows; `None` until it was read twice.
    pub per_second: Option<f64>,
}
