//! What the kernel says of the socket that sends a packet. It can be asked where the packet leaves, on whatever
//! device that is, as long as the packet still belongs to its socket.
#![expect(
    unsafe_code,
    reason = "sockets are behind raw pointers that the kernel's verifier checks"
)]

use aya_ebpf::{
    bindings::bpf_tcp_sock,
    helpers::{bpf_get_socket_cookie, bpf_sk_fullsock, bpf_tcp_sock as tcp_socket_of},
    programs::TcContext,
};
use tcpviewer_common::{
    connection::{ConnectionRecord, Side, SocketSample},
    limits::SOCKET_PAUSE_NS,
    segment::{Flags, Segment},
    tracker::{self, Sighting},
};

/// Whether to look at the socket that sent this: once in a while, before it is gone, and until its number is known.
#[inline(always)]
pub(crate) fn is_due(record: &ConnectionRecord, segment: &Segment, seen: &Sighting) -> bool {
    let [low, high] = &record.halves;
    let own = match seen.side {
        Side::Low => low,
        Side::High => high,
    };
    own.socket_cookie == 0
        || segment.flags.has(Flags::FIN)
        || seen.now_ns.saturating_sub(own.socket.time_ns) >= SOCKET_PAUSE_NS
}

/// Whether the packet belongs to a socket of its own connection, also to one that is only half made or mostly gone. It
/// does not where it is passed on, and what the kernel sends without a connection, such as a reset, belongs to a socket
/// of its own that has no ports. So one of the ports must agree; the other may have been translated on the way.
#[inline(always)]
pub(crate) fn sends(context: &TcContext, segment: &Segment) -> bool {
    // SAFETY: the context is valid while the program runs; the fields of a socket that is not null can be read
    // whatever state it is in (Linux 5.1). The source port is in host order, the other one in network order.
    unsafe {
        let socket = (*context.skb.skb).__bindgen_anon_2.sk;
        if socket.is_null() {
            return false;
        }
        let source = (*socket).src_port ^ u32::from(u16::from_be_bytes(segment.source_port));
        let destination = (*socket).dst_port ^ u16::from_ne_bytes(segment.destination_port);
        // One branch in place of two: the verifier follows each combination.
        u64::from(source) * u64::from(destination) == 0
    }
}

/// Writes into the record what the socket that sends says now. A function of its own, as it is seldom called.
#[inline(never)]
pub(crate) fn look(context: &TcContext, record: &mut ConnectionRecord, seen: &Sighting) {
    // SAFETY: a helper that takes the context it was called with. Where there is no socket it returns 0.
    let cookie = unsafe { bpf_get_socket_cookie(context.skb.skb.cast()) };
    tracker::take_cookie(record, seen.side, cookie);
    if let Some(socket) = TcpSocket::of(context) {
        tracker::take_socket(record, seen.side, socket.sample(seen.now_ns));
    }
}

/// A TCP socket of this host; never null.
#[derive(Clone, Copy)]
struct TcpSocket(*const bpf_tcp_sock);

impl TcpSocket {
    /// The socket the packet belongs to. `None` for packets that are passed on, and for sockets that are only
    /// half made or mostly gone.
    #[inline(always)]
    fn of(context: &TcContext) -> Option<Self> {
        // SAFETY: the context is valid while the program runs; the helpers take what is not null, which is
        // checked before each (Linux 5.1, man 7 bpf-helpers). What they return needs no release.
        unsafe {
            let socket = (*context.skb.skb).__bindgen_anon_2.sk;
            if socket.is_null() {
                return None;
            }
            let full = bpf_sk_fullsock(socket);
            if full.is_null() {
                return None;
            }
            let tcp = tcp_socket_of(full);
            (!tcp.is_null()).then_some(Self(tcp))
        }
    }

    /// What it says now.
    #[inline(always)]
    fn sample(self, now_ns: u64) -> SocketSample {
        // SAFETY: not null, and valid while the program runs, for the packet holds its socket.
        let socket = unsafe { &*self.0 };
        SocketSample {
            time_ns: now_ns,
            srtt_8_us: socket.srtt_us,
            rtt_min_us: socket.rtt_min,
            congestion_window: socket.snd_cwnd,
            slow_start_threshold: socket.snd_ssthresh,
            mss_bytes: socket.mss_cache,
            in_flight: socket.packets_out,
            retransmitted: socket.retrans_out,
            lost: socket.lost_out,
            sacked: socket.sacked_out,
            retransmissions: socket.total_retrans,
            rate_delivered: socket.rate_delivered,
            rate_interval_us: socket.rate_interval_us,
        }
    }
}
