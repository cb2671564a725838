//! The states of RFC 9293 as an observer of the packets can know them, one for each end of a connection,
//! and how they follow from the segments. In: both ends' states and what a segment does. Out: their new
//! states. Whether a FIN was acknowledged is the tracker's business.

use crate::connection::Half;

/// A state of RFC 9293, section 3.3.2, of one end. The numbers are those of `tcpviewer.v1.TcpState`.
#[repr(u8)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum TcpState {
    /// Not known from the packets seen.
    #[default]
    Unknown = 0,
    /// Nothing is left of the connection at this end.
    Closed = 1,
    /// Waits for a SYN.
    Listen = 2,
    /// Has sent a SYN.
    SynSent = 3,
    /// Has answered a SYN with its own.
    SynReceived = 4,
    /// Both SYNs were acknowledged.
    Established = 5,
    /// Has sent a FIN that is not acknowledged yet.
    FinWait1 = 6,
    /// Its FIN was acknowledged, the other end may still send.
    FinWait2 = 7,
    /// Has received the other end's FIN.
    CloseWait = 8,
    /// Both ends sent a FIN before either was acknowledged.
    Closing = 9,
    /// Has sent its FIN after the other's.
    LastAck = 10,
    /// Both FINs were acknowledged, this end closed first.
    TimeWait = 11,
}

impl TcpState {
    /// How many there are, the unknown one included; their numbers are below it.
    pub const COUNT: usize = 12;

    /// State of the end that sent `own`, given what the other end sent. Whatever was acknowledged counts as
    /// received; what was sent and not yet acknowledged does not.
    pub const fn of(own: &Half, other: &Half) -> Self {
        if own.has(Half::RST) || other.has(Half::RST) {
            return Self::Closed;
        }
        if own.has(Half::FIN) {
            return match (
                own.has(Half::FIN_ACKED),
                other.has(Half::FIN_ACKED),
                own.has(Half::FIN_SECOND),
            ) {
                (false, false, _) => Self::FinWait1,
                (true, false, _) => Self::FinWait2,
                (false, true, true) => Self::LastAck,
                (false, true, false) => Self::Closing,
                (true, true, true) => Self::Closed,
                (true, true, false) => Self::TimeWait,
            };
        }
        if other.has(Half::FIN_ACKED) {
            return Self::CloseWait;
        }
        match (own.has(Half::SYN), other.has(Half::SYN)) {
            (true, _)
                if own.has(Half::SYN_ACKED) && (!other.has(Half::SYN) || other.has(Half::SYN_ACKED)) =>
            {
                Self::Established
            }
            // Its own SYN acknowledges the other's: it is the one that was called.
            (true, true) if other.has(Half::SYN_ACKED) => Self::SynReceived,
            (true, _) => Self::SynSent,
            (false, true) if !own.has(Half::SEEN) => Self::Listen,
            // First seen in mid-life.
            (false, _) => Self::Established,
        }
    }

    /// The state with this number, `Unknown` for a number that is none.
    #[inline(always)]
    pub const fn from_u8(number: u8) -> Self {
        match number {
            1 => Self::Closed,
            2 => Self::Listen,
            3 => Self::SynSent,
            4 => Self::SynReceived,
            5 => Self::Established,
            6 => Self::FinWait1,
            7 => Self::FinWait2,
            8 => Self::CloseWait,
            9 => Self::Closing,
            10 => Self::LastAck,
            11 => Self::TimeWait,
            _ => Self::Unknown,
        }
    }

    /// The name that RFC 9293 gives it, `UNKNOWN` where it is not known.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Closed => "CLOSED",
            Self::Listen => "LISTEN",
            Self::SynSent => "SYN-SENT",
            Self::SynReceived => "SYN-RECEIVED",
            Self::Established => "ESTABLISHED",
            Self::FinWait1 => "FIN-WAIT-1",
            Self::FinWait2 => "FIN-WAIT-2",
            Self::CloseWait => "CLOSE-WAIT",
            Self::Closing => "CLOSING",
            Self::LastAck => "LAST-ACK",
            Self::TimeWait => "TIME-WAIT",
        }
    }
}
