//! The older form of a capture: one header, then packets of one interface with a short header each
//! (draft-ietf-opsawg-pcap), in either byte order, in microseconds or nanoseconds, and with the longer packet
//! headers of "modified" pcap.

use std::io::Read;

use super::{
    CapturedPacket,
    input::{ByteOrder, Fault, Input, PACKET_BYTES_HELD, check_length},
};

/// A capture of this form.
#[derive(Debug)]
pub(super) struct Pcap {
    order: ByteOrder,
    /// What the fraction of a timestamp counts, nanoseconds.
    fraction_ns: u64,
    packet_header_bytes: usize,
    link_type: u16,
}

/// The rest of the file's header, after the magic number.
const HEADER_BYTES: usize = 20;
const PACKET_HEADER_BYTES: usize = 16;
/// With interface, protocol and packet type, which libpcap of some distributions wrote around the year 2000.
const MODIFIED_PACKET_HEADER_BYTES: usize = 24;

impl Pcap {
    /// Reads the header that follows these first four bytes; `None` where they belong to something else.
    pub(super) fn begin(magic: [u8; 4], input: &mut Input<impl Read>) -> Result<Option<Self>, Fault> {
        let recognize = |number| match number {
            0xa1b2_c3d4_u32 => Some((1_000, PACKET_HEADER_BYTES)),
            0xa1b2_3c4d => Some((1, PACKET_HEADER_BYTES)),
            0xa1b2_cd34 => Some((1_000, MODIFIED_PACKET_HEADER_BYTES)),
            _ => None,
        };
        let little = recognize(u32::from_le_bytes(magic)).map(|form| (ByteOrder::Little, form));
        let big = || recognize(u32::from_be_bytes(magic)).map(|form| (ByteOrder::Big, form));
        let Some((order, (fraction_ns, packet_header_bytes))) = little.or_else(big) else {
            return Ok(None);
        };
        let mut header = [0; HEADER_BYTES];
        input.fill(&mut header)?;
        let network = order.u32_at(&header, 16).ok_or(Fault::Cut)?;
        Ok(Some(Self {
            order,
            fraction_ns,
            packet_header_bytes,
            // The upper half is for the length of the checksum and the like.
            link_type: network as u16,
        }))
    }

    /// Reads the next packet. Returns whether there was one.
    pub(super) fn next(
        &self,
        input: &mut Input<impl Read>,
        packet: &mut CapturedPacket,
    ) -> Result<bool, Fault> {
        let mut header = [0; MODIFIED_PACKET_HEADER_BYTES];
        let (header, _unused) = header.split_at_mut(self.packet_header_bytes);
        if !input.begin_record(header)? {
            return Ok(false);
        }
        let number = |offset| self.order.u32_at(header, offset).ok_or(Fault::Cut);
        let (seconds, fraction, captured, original) = (number(0)?, number(4)?, number(8)?, number(12)?);
        check_length(captured)?;
        input.hold(captured.into(), PACKET_BYTES_HELD, &mut packet.bytes)?;
        let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * self.fraction_ns;
        packet.time_ns = time_ns.max(1);
        packet.interface = 0;
        packet.link_type = Some(self.link_type);
        packet.length = original.max(captured) as usize;
        Ok(true)
    }
}
