//! `struct tcp_info` as the kernel sends it (Linux, include/uapi/linux/tcp.h). It grew with the kernel's versions, and
//! only at its end, so a field is there when the bytes reach that far.

use tcpviewer_common::state::TcpState;

/// Numbers of one socket. Those that were added after Linux 4.1 may be `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TcpInfo {
    pub(super) congestion_state: u8,
    /// `tcpi_retransmits`.
    pub(super) unanswered_timeouts: u8,
    pub(super) backoff: u8,
    /// Whether the newest measurement of the delivery rate had too little to send.
    pub(super) is_app_limited: bool,
    pub(super) rto_us: u32,
    pub(super) mss_bytes: u32,
    pub(super) in_flight: u32,
    pub(super) sacked: u32,
    pub(super) lost: u32,
    pub(super) retransmitted: u32,
    pub(super) rtt_us: u32,
    pub(super) rttvar_us: u32,
    pub(super) slow_start_threshold: u32,
    pub(super) congestion_window: u32,
    pub(super) reordering: u32,
    pub(super) receive_rtt_us: u32,
    pub(super) receive_space_bytes: u32,
    pub(super) retransmissions: u32,
    /// Bytes per second; all ones where nothing slows the sender.
    pub(super) pacing_rate: Option<u64>,
    pub(super) bytes_acked: Option<u64>,
    pub(super) bytes_received: Option<u64>,
    pub(super) segments_sent: Option<u32>,
    pub(super) segments_received: Option<u32>,
    pub(super) not_sent_bytes: Option<u32>,
    /// All ones before the first sample.
    pub(super) min_rtt_us: Option<u32>,
    /// Bytes per second; 0 before the first measurement.
    pub(super) delivery_rate: Option<u64>,
    pub(super) busy_us: Option<u64>,
    pub(super) receive_window_limited_us: Option<u64>,
    pub(super) send_buffer_limited_us: Option<u64>,
    pub(super) bytes_retransmitted: Option<u64>,
    pub(super) duplicate_segments: Option<u32>,
    pub(super) reorderings: Option<u32>,
    pub(super) send_window_bytes: Option<u32>,
    pub(super) timeouts: Option<u16>,
}

impl TcpInfo {
    /// Reads it; `None` where there is less than the oldest form of it, or where there is no congestion window, as
    /// that of a socket that is only half made.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let info = Self {
            congestion_state: *bytes.get(1)?,
            unanswered_timeouts: *bytes.get(2)?,
            backoff: *bytes.get(4)?,
            is_app_limited: bytes.get(7)? & APP_LIMITED != 0,
            rto_us: u32_at(bytes, 8)?,
            mss_bytes: u32_at(bytes, 16)?,
            in_flight: u32_at(bytes, 24)?,
            sacked: u32_at(bytes, 28)?,
            lost: u32_at(bytes, 32)?,
            retransmitted: u32_at(bytes, 36)?,
            rtt_us: u32_at(bytes, 68)?,
            rttvar_us: u32_at(bytes, 72)?,
            slow_start_threshold: u32_at(bytes, 76)?,
            congestion_window: u32_at(bytes, 80)?,
            reordering: u32_at(bytes, 88)?,
            receive_rtt_us: u32_at(bytes, 92)?,
            receive_space_bytes: u32_at(bytes, 96)?,
            retransmissions: u32_at(bytes, 100)?,
            pacing_rate: u64_at(bytes, 104),
            bytes_acked: u64_at(bytes, 120),
            bytes_received: u64_at(bytes, 128),
            segments_sent: u32_at(bytes, 136),
            segments_received: u32_at(bytes, 140),
            not_sent_bytes: u32_at(bytes, 144),
            min_rtt_us: u32_at(bytes, 148),
            delivery_rate: u64_at(bytes, 160),
            busy_us: u64_at(bytes, 168),
            receive_window_limited_us: u64_at(bytes, 176),
            send_buffer_limited_us: u64_at(bytes, 184),
            bytes_retransmitted: u64_at(bytes, 208),
            duplicate_segments: u32_at(bytes, 216),
            reorderings: u32_at(bytes, 220),
            send_window_bytes: u32_at(bytes, 228),
            timeouts: u16_at(bytes, 240),
        };
        (info.congestion_window != 0).then_some(info)
    }
}

/// Times since something happened, milliseconds: they run while nothing does.
pub(super) const AGES: std::ops::Range<usize> = 44..60;

/// How long ago, in milliseconds, data was sent last, and anything was received.
pub(super) fn ages_ms(bytes: &[u8]) -> Option<(u32, u32)> {
    let (data_sent, data_received, ack_received) =
        (u32_at(bytes, 44)?, u32_at(bytes, 52)?, u32_at(bytes, 56)?);
    Some((data_sent, data_received.min(ack_received)))
}

/// `tcpi_delivery_rate_app_limited`, the first bit of its byte.
const APP_LIMITED: u8 = if cfg!(target_endian = "little") { 1 } else { 1 << 7 };

/// A state in the kernel's numbers (include/net/tcp_states.h).
pub(super) const fn state(number: u8) -> TcpState {
    match number {
        1 => TcpState::Established,
        2 => TcpState::SynSent,
        // The other one is that of a request at a listener.
        3 | 12 => TcpState::SynReceived,
        4 => TcpState::FinWait1,
        5 => TcpState::FinWait2,
        6 => TcpState::TimeWait,
        7 => TcpState::Closed,
        8 => TcpState::CloseWait,
        9 => TcpState::LastAck,
        10 => TcpState::Listen,
        11 => TcpState::Closing,
        _ => TcpState::Unknown,
    }
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*field))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*field))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    let field = bytes.get(offset..)?.first_chunk()?;
    Some(u64::from_ne_bytes(*field))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte tells its offset, so that a field read at a wrong place has a wrong number.
    fn bytes(length: usize) -> Vec<u8> {
        (0..length).map(|offset| offset as u8).collect()
    }

    fn at(offset: u8) -> u32 {
        u32::from_ne_bytes([offset, offset + 1, offset + 2, offset + 3])
    }

    fn long_at(offset: u8) -> u64 {
        u64::from(at(offset)) | u64::from(at(offset + 4)) << 32
    }

    #[test]
    fn fields_are_read_where_the_kernel_writes_them() {
        let info = TcpInfo::new(&bytes(248)).unwrap();
        assert_eq!(
            (
                info.congestion_state,
                info.unanswered_timeouts,
                info.backoff,
                info.is_app_limited
            ),
            (1, 2, 4, true)
        );
        assert_eq!(
            [
                info.rto_us,
                info.mss_bytes,
                info.in_flight,
                info.sacked,
                info.lost,
                info.retransmitted
            ],
            [8, 16, 24, 28, 32, 36].map(at)
        );
        assert_eq!(
            [
                info.rtt_us,
                info.rttvar_us,
                info.slow_start_threshold,
                info.congestion_window
            ],
            [68, 72, 76, 80].map(at)
        );
        assert_eq!(
            [
                info.reordering,
                info.receive_rtt_us,
                info.receive_space_bytes,
                info.retransmissions
            ],
            [88, 92, 96, 100].map(at)
        );
        assert_eq!(
            [
                info.segments_sent,
                info.segments_received,
                info.not_sent_bytes,
                info.min_rtt_us
            ],
            [136, 140, 144, 148].map(|offset| Some(at(offset)))
        );
        assert_eq!(
            [info.duplicate_segments, info.reorderings, info.send_window_bytes],
            [216, 220, 228].map(|offset| Some(at(offset)))
        );
        assert_eq!(
            [
                info.pacing_rate,
                info.bytes_acked,
                info.bytes_received,
                info.delivery_rate,
                info.bytes_retransmitted
            ],
            [104, 120, 128, 160, 208].map(|offset| Some(long_at(offset)))
        );
        assert_eq!(
            [
                info.busy_us,
                info.receive_window_limited_us,
                info.send_buffer_limited_us
            ],
            [168, 176, 184].map(|offset| Some(long_at(offset)))
        );
        assert_eq!(info.timeouts, Some(u16::from_ne_bytes([240, 241])));
    }

    #[test]
    fn what_a_kernel_does_not_send_is_absent_and_what_is_too_short_is_nothing() {
        for length in 0..=248 {
            let Some(info) = TcpInfo::new(&bytes(length)) else {
                assert!(length < 104, "{length}");
                continue;
            };
            assert_eq!(info.pacing_rate.is_some(), length >= 112);
            assert_eq!(info.min_rtt_us.is_some(), length >= 152);
            assert_eq!(info.delivery_rate.is_some(), length >= 168);
            assert_eq!(info.send_buffer_limited_us.is_some(), length >= 192);
            assert_eq!(info.timeouts.is_some(), length >= 242);
        }
        assert_eq!(
            TcpInfo::new(&[0; 248]),
            None,
            "that of a socket which is only half made"
        );
    }
}
