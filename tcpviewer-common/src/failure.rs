//! What the kernel tells of sockets that fail: which error a socket reports to its application, and why a reset is sent.
//! Programs at its trace points send a [`FailureEvent`] for each; where the fields of the kernel's own structures are,
//! the loader tells them.

use crate::segment::Address;

/// Size of the ring buffer for failures, bytes: 4,096 of them.
pub const FAILURE_RING_BYTES: usize = 1 << 18;

/// Each CPU tells of so many failures in one window at most, lest a flood costs more than its packets do.
pub const FAILURES_PER_WINDOW: u64 = 128;

/// How long such a window lasts.
pub const FAILURE_WINDOW_NS: u64 = 50_000_000;

/// A socket reports an error, or a reset is sent.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureEvent {
    /// When, boot time.
    pub time_ns: u64,
    /// The address at this host: of the socket, or that the reset comes from.
    pub local: Address,
    /// The other end's.
    pub remote: Address,
    /// The port at this host, network order.
    pub local_port: [u8; 2],
    /// The other end's port, network order.
    pub remote_port: [u8; 2],
    /// [`FailureEvent::ERROR`] or [`FailureEvent::RESET`].
    pub what: u32,
    /// The error's number (errno), or that of the reset's reason (`enum sk_rst_reason`).
    pub number: u32,
    /// 1 where the socket that reports the error is closed by it; else 0.
    pub is_over: u32,
}

impl FailureEvent {
    /// A socket reports an error.
    pub const ERROR: u32 = 1;
    /// A reset is sent.
    pub const RESET: u32 = 2;
}

/// Where fields of the kernel's structures for sockets and packets are, bytes from their beginning.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketLayout {
    /// `sock_common.skc_family`.
    pub family: u32,
    /// `sock_common.skc_state`.
    pub state: u32,
    /// `sock_common.skc_daddr`.
    pub remote_v4: u32,
    /// `sock_common.skc_rcv_saddr`.
    pub local_v4: u32,
    /// `sock_common.skc_v6_daddr`.
    pub remote_v6: u32,
    /// `sock_common.skc_v6_rcv_saddr`.
    pub local_v6: u32,
    /// `sock_common.skc_dport`.
    pub remote_port: u32,
    /// `inet_sock.inet_sport`, which stays when the port is given back.
    pub local_port: u32,
    /// `sock.sk_protocol` (a field of its own since Linux 5.6).
    pub protocol: u32,
    /// `sock.sk_err`.
    pub error: u32,
    /// `sk_buff.head`.
    pub packet_head: u32,
    /// `sk_buff.network_header`.
    pub network_header: u32,
    /// `sk_buff.transport_header`.
    pub transport_header: u32,
}
