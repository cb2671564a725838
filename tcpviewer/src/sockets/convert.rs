//! What the kernel answers about a socket in the words of the model: what was not measured becomes absent.

use std::{sync::Arc, time::SystemTime};

use netlink_packet_sock_diag::inet::{InetResponse, nlas::Nla};
use tcpviewer_common::connection::{ConnectionKey, Side, SocketSample};

use super::{
    diag::cookie_of,
    tcp_info::{self, TcpInfo},
};
use crate::model::{
    CongestionControl, CongestionState, Socket, SocketDetails, SocketLook, SocketSegments, SocketSource,
};

/// What was said of the socket at this end of a connection; `None` where it is mostly gone (TIME-WAIT) or only half
/// made, so that the kernel has no numbers of it.
pub(super) fn look(
    key: ConnectionKey,
    side: Side,
    answer: &InetResponse,
    looked_at: SystemTime,
) -> Option<SocketLook> {
    let info = TcpInfo::new(tcp_info_of(answer)?)?;
    let measured = info.rtt_us != 0;
    let socket = Socket {
        sampled_at: looked_at,
        source: SocketSource::SockDiag,
        srtt_us: measured.then_some(info.rtt_us),
        min_rtt_us: info.min_rtt_us.filter(|&min| measured && min != u32::MAX),
        congestion_window: info.congestion_window,
        slow_start_threshold: (info.slow_start_threshold < SocketSample::NO_THRESHOLD)
            .then_some(info.slow_start_threshold),
        segments: Some(SocketSegments {
            mss_bytes: info.mss_bytes,
            in_flight: info.in_flight,
            retransmitted: info.retransmitted,
            lost: info.lost,
            sacked: info.sacked,
            retransmissions: info.retransmissions.into(),
        }),
        delivery_rate_bytes_per_second: info.delivery_rate.filter(|&rate| rate != 0),
        details: Some(Arc::new(details(answer, &info, looked_at))),
    };
    let cookie = cookie_of(answer.header.socket_id.cookie);
    Some(SocketLook {
        key,
        side,
        cookie,
        comes_in: None,
        socket,
        is_awaited: false,
    })
}

fn details(answer: &InetResponse, info: &TcpInfo, looked_at: SystemTime) -> SocketDetails {
    let measured = info.rtt_us != 0;
    let memory = answer.nlas.iter().find_map(|attribute| {
        let Nla::MemInfo(memory) = attribute else {
            return None;
        };
        Some(memory)
    });
    let congestion_control = answer.nlas.iter().find_map(|attribute| {
        let Nla::Congestion(name) = attribute else {
            return None;
        };
        Some(CongestionControl::new(name))
    });
    SocketDetails {
        looked_at,
        source: SocketSource::SockDiag,
        state: tcp_info::state(answer.header.state),
        rttvar_us: measured.then_some(info.rttvar_us),
        rto_us: Some(info.rto_us),
        backoff: Some(info.backoff.into()),
        unanswered_timeouts: Some(info.unanswered_timeouts.into()),
        pacing_rate_bytes_per_second: info.pacing_rate.filter(|&rate| !UNPACED.contains(&rate)),
        busy_us: info.busy_us,
        receive_window_limited_us: info.receive_window_limited_us,
        send_buffer_limited_us: info.send_buffer_limited_us,
        reordering: Some(info.reordering),
        bytes_acked: info.bytes_acked,
        bytes_received: info.bytes_received,
        bytes_retransmitted: info.bytes_retransmitted,
        segments_sent: info.segments_sent,
        segments_received: info.segments_received,
        not_sent_bytes: info.not_sent_bytes,
        receive_queue_bytes: Some(answer.header.recv_queue),
        send_queue_bytes: Some(answer.header.send_queue),
        receive_space_bytes: Some(info.receive_space_bytes),
        receive_rtt_us: (info.receive_rtt_us != 0).then_some(info.receive_rtt_us),
        receive_buffer_bytes: memory.map(|memory| memory.receive_queue_max),
        send_buffer_bytes: memory.map(|memory| memory.send_queue_max),
        send_window_bytes: info.send_window_bytes,
        duplicate_segments: info.duplicate_segments,
        reorderings: info.reorderings,
        timeouts: info.timeouts.map(u32::from),
        congestion_control,
        is_app_limited: info
            .delivery_rate
            .filter(|&rate| rate != 0)
            .map(|_rate| info.is_app_limited),
        congestion_state: congestion_state(info.congestion_state),
        // The inode is that of the file, which a process gets when it accepts.
        is_accepted: Some(answer.header.inode != 0),
    }
}

/// Pacing rates that slow nothing: all ones in 64 bits, and in the 32 of older kernels.
const UNPACED: [u64; 2] = [u64::MAX, u32::MAX as u64];

const fn congestion_state(number: u8) -> CongestionState {
    match number {
        0 => CongestionState::Open,
        1 => CongestionState::Disorder,
        2 => CongestionState::Reduction,
        3 => CongestionState::Recovery,
        4 => CongestionState::Loss,
        _ => CongestionState::Unknown,
    }
}

/// How long ago, in nanoseconds, the socket sent data last and received anything.
pub(super) fn ages_ns(answer: &InetResponse) -> Option<(u64, u64)> {
    let (sent, received) = tcp_info::ages_ms(tcp_info_of(answer)?)?;
    Some((u64::from(sent) * 1_000_000, u64::from(received) * 1_000_000))
}

fn tcp_info_of(answer: &InetResponse) -> Option<&[u8]> {
    answer.nlas.iter().find_map(|attribute| {
        let Nla::TcpInfo(bytes) = attribute else {
            return None;
        };
        Some(bytes.as_slice())
    })
}
