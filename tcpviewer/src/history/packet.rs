//! A packet worth remembering, as it is kept: in little more than half of the memory, as every connection has some.

use std::time::{Duration, SystemTime};

use crate::model::NotablePacket;

const FROM_SOURCE: u8 = 1;
const HANDSHAKE: u8 = 1 << 1;
const RETRANSMISSION: u8 = 1 << 2;
const ZERO_WINDOW: u8 = 1 << 3;

/// The packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoredPacket {
    /// Nanoseconds since the epoch.
    at_ns: u64,
    seq: u32,
    ack: u32,
    payload_bytes: u32,
    window: u16,
    flags: u8,
    marks: u8,
}

impl StoredPacket {
    pub(super) fn of(packet: &NotablePacket) -> Self {
        let since_epoch = packet.timestamp.duration_since(SystemTime::UNIX_EPOCH);
        let marks = [
            (packet.from_source, FROM_SOURCE),
            (packet.handshake, HANDSHAKE),
            (packet.retransmission, RETRANSMISSION),
            (packet.zero_window, ZERO_WINDOW),
        ];
        Self {
            at_ns: since_epoch.unwrap_or_default().as_nanos() as u64,
            seq: packet.seq,
            ack: packet.ack,
            payload_bytes: packet.payload_bytes,
            window: packet.window,
            flags: packet.flags,
            marks: marks
                .into_iter()
                .filter(|(has, _)| *has)
                .fold(0, |marks, (_, mark)| marks | mark),
        }
    }

    pub(super) fn packet(&self) -> NotablePacket {
        let has = |mark: u8| self.marks & mark != 0;
        NotablePacket {
            timestamp: SystemTime::UNIX_EPOCH + Duration::from_nanos(self.at_ns),
            from_source: has(FROM_SOURCE),
            handshake: has(HANDSHAKE),
            retransmission: has(RETRANSMISSION),
            zero_window: has(ZERO_WINDOW),
            flags: self.flags,
            window: self.window,
            seq: self.seq,
            ack: self.ack,
            payload_bytes: self.payload_bytes,
        }
    }
}
