//! A TCP socket of this host in the kernel's own words: what its numbers are, where they come from, and which of them
//! are known only when the kernel was asked.

use std::{fmt, sync::Arc, time::SystemTime};

use tcpviewer_common::{
    connection::{ConnectionKey, Place, Side},
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
    /// What became of its segments; `None` where procfs alone tells of it.
    pub segments: Option<SocketSegments>,
    /// Newest delivery rate, payload bytes per second; `None` before the first measurement.
    pub delivery_rate_bytes_per_second: Option<u64>,
    /// What the kernel says only when it is asked; `None` until it was.
    pub details: Option<Arc<SocketDetails>>,
}

/// What became of the segments that a socket sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSegments {
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
}

/// How a socket was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketSource {
    /// In the kernel, as it sent a packet.
    Egress,
    /// By asking the kernel (sock_diag).
    SockDiag,
    /// In the kernel's table of all sockets (/proc/net/tcp and tcp6).
    Procfs,
}

/// What the kernel says of a socket when it is asked (`struct tcp_info`). What this kernel, or procfs, does not tell is
/// `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketDetails {
    /// When it was asked.
    pub looked_at: SystemTime,
    /// How it was asked.
    pub source: SocketSource,
    /// The socket's state.
    pub state: TcpState,
    /// Smoothed mean deviation of the RTT, microseconds; `None` before the first sample.
    pub rttvar_us: Option<u32>,
    /// Time after which what was not acknowledged is sent again, microseconds, backoff included.
    pub rto_us: Option<u32>,
    /// How often that time was doubled since the last acknowledgement.
    pub backoff: Option<u32>,
    /// Times that the retransmission timer ran out since the last acknowledgement.
    pub unanswered_timeouts: Option<u32>,
    /// How fast segments are let go, bytes per second; `None` where nothing slows them.
    pub pacing_rate_bytes_per_second: Option<u64>,
    /// Time with data to send or not acknowledged, since the beginning, microseconds.
    pub busy_us: Option<u64>,
    /// Part of it in which the other end's window was full.
    pub receive_window_limited_us: Option<u64>,
    /// Part of it in which the send buffer was too small.
    pub send_buffer_limited_us: Option<u64>,
    /// Segments that may overtake each other before one is taken for lost.
    pub reordering: Option<u32>,
    /// Bytes that the other end acknowledged, SYN and FIN with one each.
    pub bytes_acked: Option<u64>,
    /// Payload bytes received in order.
    pub bytes_received: Option<u64>,
    /// Payload bytes sent again.
    pub bytes_retransmitted: Option<u64>,
    /// Segments sent, retransmitted ones included.
    pub segments_sent: Option<u32>,
    /// Segments received.
    pub segments_received: Option<u32>,
    /// Bytes that the application wrote and that were not sent yet.
    pub not_sent_bytes: Option<u32>,
    /// Bytes that came and that the application has not read.
    pub receive_queue_bytes: Option<u32>,
    /// Bytes that the application wrote and that were not acknowledged.
    pub send_queue_bytes: Option<u32>,
    /// What the application reads per RTT, by which the receive buffer grows.
    pub receive_space_bytes: Option<u32>,
    /// RTT as the receiver estimates it, microseconds; `None` before the first estimate.
    pub receive_rtt_us: Option<u32>,
    /// Most memory that what came may take.
    pub receive_buffer_bytes: Option<u32>,
    /// Most memory that what was written may take.
    pub send_buffer_bytes: Option<u32>,
    /// Window that the other end offered last.
    pub send_window_bytes: Option<u32>,
    /// Segments that the other end says came twice (D-SACK).
    pub duplicate_segments: Option<u32>,
    /// Times that segments overtook each other on the way to the other end.
    pub reorderings: Option<u32>,
    /// Times that the retransmission timer ran out.
    pub timeouts: Option<u32>,
    /// Name of the congestion control.
    pub congestion_control: Option<CongestionControl>,
    /// Whether the newest delivery rate says what the application sent and not what the path could carry.
    pub is_app_limited: Option<bool>,
    /// What congestion control is at.
    pub congestion_state: CongestionState,
    /// Whether an application has the socket; it has not while the connection waits in the accept queue.
    pub is_accepted: Option<bool>,
}

impl SocketDetails {
    /// Nothing but its state.
    pub const fn unknown(looked_at: SystemTime, source: SocketSource, state: TcpState) -> Self {
        Self {
            looked_at,
            source,
            state,
            rttvar_us: None,
            rto_us: None,
            backoff: None,
            unanswered_timeouts: None,
            pacing_rate_bytes_per_second: None,
            busy_us: None,
            receive_window_limited_us: None,
            send_buffer_limited_us: None,
            reordering: None,
            bytes_acked: None,
            bytes_received: None,
            bytes_retransmitted: None,
            segments_sent: None,
            segments_received: None,
            not_sent_bytes: None,
            receive_queue_bytes: None,
            send_queue_bytes: None,
            receive_space_bytes: None,
            receive_rtt_us: None,
            receive_buffer_bytes: None,
            send_buffer_bytes: None,
            send_window_bytes: None,
            duplicate_segments: None,
            reorderings: None,
            timeouts: None,
            congestion_control: None,
            is_app_limited: None,
            congestion_state: CongestionState::Unknown,
            is_accepted: None,
        }
    }
}

/// Name of a congestion control: `TCP_CA_NAME_MAX` bytes at most (Linux, include/net/tcp.h), padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CongestionControl([u8; 16]);

impl CongestionControl {
    /// The name as far as there is room.
    pub fn new(name: &str) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        Self(bytes)
    }

    /// The name.
    pub fn name(&self) -> String {
        let used = self.0.split(|&byte| byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(used).into_owned()
    }
}

impl fmt::Debug for CongestionControl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name().fmt(formatter)
    }
}

/// What the congestion control of a socket is at (Linux, include/uapi/linux/tcp.h, tcp_ca_state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CongestionState {
    /// A state that this program does not know.
    Unknown,
    /// Nothing is wrong.
    Open,
    /// Duplicate or selective acknowledgements come.
    Disorder,
    /// The window is made smaller after a mark or a local drop.
    Reduction,
    /// Lost segments are sent again.
    Recovery,
    /// The retransmission timer ran out.
    Loss,
}

/// What a look at a socket of this host showed.
#[derive(Clone, Debug)]
pub struct SocketLook {
    /// The endpoints of its connection.
    pub key: ConnectionKey,
    /// Which of them is the socket's own.
    pub side: Side,
    /// The kernel's number of the socket; 0 where that is not known.
    pub cookie: u64,
    /// Where what it sends comes in, of one in another network namespace; `None` of one in that of this process.
    pub comes_in: Option<Place>,
    /// What was said.
    pub socket: Socket,
    /// Whether somebody watches the connection and waits for it.
    pub is_awaited: bool,
}
