//! A TCP socket of this host in the kernel's own words: what its numbers are, where they come from, and which of them
//! are known only when the kernel was asked.

use std::{sync::Arc, time::SystemTime};

use tcpviewer_common::{
    connection::{ConnectionKey, Side},
    state::TcpState,
};

/// What the kernel says of a TCP socket. Segments are of `mss_bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socket {
    /// When it was looked at.
    pub sampled_at: SystemTime,
    /// How it was looked at.
    pub source: SocketSource,
    /// Smoothed RTT, microseconds; `None` before the first sample.
    pub srtt_us: Option<u32>,
    /// Smallest RTT of the last minutes, microseconds; `None` before the first sample.
    pub min_rtt_us: Option<u32>,
    /// Congestion window, segments.
    pub congestion_window: u32,
    /// Slow start threshold, segments; `None` until the first loss.
    pub slow_start_threshold: Option<u32>,
    /// Maximum segment size in use, bytes.
    pub mss_bytes: u32,
    /// Segments in flight.
    pub in_flight: u32,
    /// Segments in flight that were sent again.
    pub retransmitted: u32,
    /// Segments in flight that are taken for lost.
    pub lost: u32,
    /// Segments in flight that the other end has, out of order.
    pub sacked: u32,
    /// Segments sent again since the connection began.
    pub retransmissions: u64,
    /// Newest delivery rate, payload bytes per second; `None` before the first measurement.
    pub delivery_rate_bytes_per_second: Option<u64>,
    /// What the kernel says only when it is asked; `None` until it was.
    pub details: Option<Arc<SocketDetails>>,
}

/// How a socket was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketSource {
    /// In the kernel, as it sent a packet.
    Egress,
    /// By asking the kernel (sock_diag).
    SockDiag,
}

/// What the kernel says of a socket when it is asked (`struct tcp_info`). What this kernel does not tell is `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketDetails {
    /// When it was asked.
    pub looked_at: SystemTime,
    /// The socket's state.
    pub state: TcpState,
    /// Smoothed mean deviation of the RTT, microseconds; `None` before the first sample.
    pub rttvar_us: Option<u32>,
}

/// What a look at a socket of this host showed.
#[derive(Clone, Debug)]
pub struct SocketLook {
    /// The endpoints of its connection.
    pub key: ConnectionKey,
    /// Which of them is the socket's own.
    pub side: Side,
    /// What was said.
    pub socket: Socket,
}
