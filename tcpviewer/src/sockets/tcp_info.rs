//! `struct tcp_info` as the kernel sends it (Linux, include/uapi/linux/tcp.h). It grew with the kernel's versions, and
//! only at its end, so a field is there when the bytes reach that far.

use tcpviewer_common::state::TcpState;

/// Numbers of one socket. Those that kernels before 4.9 lack, or may lack, are `None` there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct TcpInfo {
    pub(super) mss_bytes: u32,
    pub(super) in_flight: u32,
    pub(super) sacked: u32,
    pub(super) lost: u32,
    pub(super) retransmitted: u32,
    pub(super) rtt_us: u32,
    pub(super) rttvar_us: u32,
    pub(super) slow_start_threshold: u32,
    pub(super) congestion_window: u32,
    pub(super) retransmissions: u32,
    pub(super) min_rtt_us: Option<u32>,
    /// Bytes per second; 0 before the first measurement.
    pub(super) delivery_rate: Option<u64>,
}

impl TcpInfo {
    /// Reads it; `None` where there is less than the oldest form of it, or where it is all zero, as that of a socket
    /// that is only half made.
    pub(super) fn new(bytes: &[u8]) -> Option<Self> {
        let info = Self {
            mss_bytes: u32_at(bytes, 16)?,
            in_flight: u32_at(bytes, 24)?,
            sacked: u32_at(bytes, 28)?,
            lost: u32_at(bytes, 32)?,
            retransmitted: u32_at(bytes, 36)?,
            rtt_us: u32_at(bytes, 68)?,
            rttvar_us: u32_at(bytes, 72)?,
            slow_start_threshold: u32_at(bytes, 76)?,
            congestion_window: u32_at(bytes, 80)?,
            retransmissions: u32_at(bytes, 100)?,
            min_rtt_us: u32_at(bytes, 148),
            delivery_rate: u64_at(bytes, 160),
        };
        (info.congestion_window != 0).then_some(info)
    }
}

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

    #[test]
    fn fields_are_read_where_the_kernel_writes_them() {
        let info = TcpInfo::new(&bytes(248)).unwrap();
        assert_eq!(
            (info.mss_bytes, info.in_flight, info.rtt_us),
            (at(16), at(24), at(68))
        );
        assert_eq!((info.rttvar_us, info.congestion_window), (at(72), at(80)));
        assert_eq!((info.retransmissions, info.min_rtt_us), (at(100), Some(at(148))));
        assert_eq!(
            info.delivery_rate,
            Some(u64::from_ne_bytes([160, 161, 162, 163, 164, 165, 166, 167]))
        );
    }

    #[test]
    fn what_a_kernel_does_not_send_is_absent_and_what_is_too_short_is_nothing() {
        let newest = TcpInfo::new(&bytes(248)).unwrap();
        for length in 0..=248 {
            match TcpInfo::new(&bytes(length)) {
                None => assert!(length < 104, "{length}"),
                Some(info) => {
                    assert_eq!(info.min_rtt_us, newest.min_rtt_us.filter(|_| length >= 152));
                    assert_eq!(info.delivery_rate, newest.delivery_rate.filter(|_| length >= 168));
                }
            }
        }
        assert_eq!(
            TcpInfo::new(&[0; 248]),
            None,
            "that of a socket which is only half made"
        );
    }
}
