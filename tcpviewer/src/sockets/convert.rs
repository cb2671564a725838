//! What the kernel answers about a socket in the words of the model: what was not measured becomes absent.

use std::{sync::Arc, time::SystemTime};

use netlink_packet_sock_diag::inet::{InetResponse, nlas::Nla};
use tcpviewer_common::connection::{ConnectionKey, Side, SocketSample};

use super::tcp_info::{self, TcpInfo};
use crate::model::{Socket, SocketDetails, SocketLook, SocketSource};

/// What was said of the socket at this end of a connection; `None` where it is mostly gone (TIME-WAIT) or only half
/// made, so that the kernel has no numbers of it.
pub(super) fn look(
    key: ConnectionKey,
    side: Side,
    answer: &InetResponse,
    looked_at: SystemTime,
) -> Option<SocketLook> {
    let info = answer.nlas.iter().find_map(|attribute| {
        let Nla::TcpInfo(bytes) = attribute else {
            return None;
        };
        TcpInfo::new(bytes)
    })?;
    let measured = info.rtt_us != 0;
    let socket = Socket {
        sampled_at: looked_at,
        source: SocketSource::SockDiag,
        srtt_us: measured.then_some(info.rtt_us),
        min_rtt_us: info.min_rtt_us.filter(|&min| measured && min != u32::MAX),
        congestion_window: info.congestion_window,
        slow_start_threshold: (info.slow_start_threshold < SocketSample::NO_THRESHOLD)
            .then_some(info.slow_start_threshold),
        mss_bytes: info.mss_bytes,
        in_flight: info.in_flight,
        retransmitted: info.retransmitted,
        lost: info.lost,
        sacked: info.sacked,
        retransmissions: info.retransmissions.into(),
        delivery_rate_bytes_per_second: info.delivery_rate.filter(|&rate| rate != 0),
        details: Some(Arc::new(SocketDetails {
            looked_at,
            state: tcp_info::state(answer.header.state),
            rttvar_us: measured.then_some(info.rttvar_us),
        })),
    };
    Some(SocketLook { key, side, socket })
}
