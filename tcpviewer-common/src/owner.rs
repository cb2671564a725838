//! Whose a socket is, as the kernel learns it while a process works on the socket: what is kept per socket, what is
//! told of a process that user space may not have met yet, and under which endpoints a socket of another network
//! namespace is found. Where the fields of the kernel's own structures are, the loader says.

use crate::segment::Address;

/// Sockets whose owner is remembered until user space has read it, each at the place that the low bits of its cookie say:
/// a power of two. Cookies rise, in blocks of 4,096 for each CPU (Linux, include/linux/cookie.h), so with 16 CPUs and
/// fewer it is the oldest that gives way.
pub const OWNED_SOCKETS: usize = 65_536;

/// Sockets of other network namespaces that are remembered by their endpoints. The one that was not used for longest gives
/// way.
pub const SOCKETS: usize = 32_768;

/// Processes of which it is remembered that user space has been told.
pub const TOLD_PROCESSES: usize = 4_096;

/// Size of the ring buffer for processes, bytes: about 1,300 of them.
pub const OWNER_RING_BYTES: u32 = 512 << 10;

/// User space is told of the same process at most once per this time, unless its command changes.
pub const TELL_AGAIN_NS: u64 = 1_000_000_000;

/// Bytes of a command line that the kernel hands over; a power of two.
pub const ARGUMENT_BYTES: usize = 256;

/// Who worked on a socket.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOwner {
    /// When, boot time.
    pub time_ns: u64,
    /// When the process started, boot time; 0 where the kernel does not say where it keeps that. With its number this
    /// tells a process from a later one with the same number.
    pub started_ns: u64,
    /// The process's cgroup, in the unified hierarchy.
    pub cgroup_id: u64,
    /// The kernel's number of the socket's network namespace (SO_NETNS_COOKIE); 0 where it has none to tell.
    pub network_cookie: u64,
    /// The process, in the initial PID namespace.
    pub process_id: u32,
    /// Its effective user.
    pub user_id: u32,
    /// What it did: [`SocketOwner::CONNECTED`] and the like.
    pub act: u32,
    /// Room to the next multiple of eight.
    pub padding: u32,
    /// Name of the process, ended by a zero.
    pub command: [u8; 16],
}

impl SocketOwner {
    /// It connected the socket.
    pub const CONNECTED: u32 = 1;
    /// It bound the socket to an address.
    pub const BOUND: u32 = 2;
    /// It asked for the other end of the socket, as `accept` does for its caller.
    pub const ASKED_FOR_PEER: u32 = 3;
    /// The socket that it bound listens.
    pub const LISTENS: u32 = 4;
}

/// A socket, and who worked on it. Written while user space may be reading: what it reads is of one moment where both times
/// are the same.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedSocket {
    /// Who. The time, which comes first, is written behind all the rest.
    pub owner: SocketOwner,
    /// The socket; 0 where there is none.
    pub cookie: u64,
    /// The same time, written after it; 0 while the rest is written.
    pub noted_ns: u64,
}

impl OwnedSocket {
    /// The place of a socket among those whose owner is remembered.
    #[inline(always)]
    pub const fn place(cookie: u64) -> u32 {
        const { assert!(OWNED_SOCKETS.is_power_of_two()) };
        cookie as u32 & (OWNED_SOCKETS as u32 - 1)
    }

    /// Who worked on this socket, if this is the one.
    #[inline(always)]
    pub fn owner_of(&self, cookie: u64) -> Option<&SocketOwner> {
        (cookie != 0 && self.cookie == cookie && self.noted_ns == self.owner.time_ns).then_some(&self.owner)
    }
}

/// A process at work on a socket, and a socket that begins to listen.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct OwnerEvent {
    /// The socket.
    pub cookie: u64,
    /// Who works on it.
    pub owner: SocketOwner,
    /// Where it listens; zero with other acts.
    pub address: Address,
    /// The port, network order.
    pub port: [u8; 2],
    /// How many bytes of `arguments` are the process's command line; 0 where it could not be read.
    pub argument_bytes: u16,
    /// The length of the whole command line, bytes.
    pub all_argument_bytes: u32,
    /// The beginning of the command line, with a zero after each argument.
    pub arguments: [u8; ARGUMENT_BYTES],
}

/// The endpoints of a socket as itself sees them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SocketEnds {
    /// Its own address.
    pub local: Address,
    /// The other end's.
    pub remote: Address,
    /// Its own port, network order.
    pub local_port: [u8; 2],
    /// The other end's port, network order. The type of the next field gives the structure its alignment.
    pub remote_port: [u8; 2],
    #[doc(hidden)]
    pub alignment: [u32; 0],
}

/// The socket on some endpoints.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundSocket {
    /// The socket.
    pub cookie: u64,
    /// Its network namespace.
    pub network_cookie: u64,
    /// When it was connected, boot time.
    pub time_ns: u64,
    /// When a socket of another namespace had the same endpoints last, boot time; 0 where none had.
    pub rival_ns: u64,
}

/// Where fields of the kernel's own structures are, bytes from their beginning. All are 0 where that is unknown: then
/// what they would tell stays unknown as well.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskLayout {
    /// `task_struct.group_leader`: the first thread of the process.
    pub group_leader: u32,
    /// `task_struct.start_boottime` (Linux 5.5; `real_start_time` before).
    pub start_boottime: u32,
    /// `task_struct.comm`.
    pub comm: u32,
    /// `task_struct.mm`.
    pub mm: u32,
    /// `mm_struct.arg_start`.
    pub arg_start: u32,
    /// `mm_struct.arg_end`.
    pub arg_end: u32,
}
