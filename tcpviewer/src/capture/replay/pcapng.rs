//! The newer form of a capture: blocks, in sections of either byte order, with interfaces that have their own link
//! type and clock (draft-ietf-opsawg-pcapng). Interfaces and packets are read, all other blocks passed over.

use std::io::Read;

use super::{
    CapturedPacket,
    input::{ByteOrder, Fault, Input, PACKET_BYTES_HELD, check_length},
};
use crate::model::InterfaceNames;

/// Type of the block that begins a section; the same in either byte order.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// A longer block is a sign of damage; Wireshark has the same bound.
const MAX_BLOCK_BYTES: u32 = 16 << 20;
/// Of the description of an interface this much is held.
const DESCRIPTION_BYTES_HELD: usize = 64 * 1024;
/// Of the name of an interface this much is held: eight times what Linux allows.
const NAME_BYTES_HELD: usize = 128;
/// No capture has more interfaces.
const MAX_INTERFACES: usize = 1 << 16;
/// Type and the two lengths that each block has.
const BLOCK_FRAME_BYTES: u32 = 12;

/// A capture of this form.
#[derive(Debug)]
pub(super) struct PcapNg {
    order: ByteOrder,
    /// The interfaces of the section.
    interfaces: Vec<Interface>,
    /// For packets that have no time of their own.
    newest_ns: u64,
    /// The block that is being read.
    body: Vec<u8>,
}

/// An interface as the capture describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interface {
    link_type: u16,
    /// Longest part of a packet that was captured; 0 where there was no limit.
    snap_bytes: u32,
    clock: InterfaceClock,
}

/// How an interface counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InterfaceClock {
    /// A negative power of 10, or of 2 where the highest bit is set (`if_tsresol`).
    resolution: u8,
    /// Added to every time, seconds (`if_tsoffset`).
    offset_seconds: i64,
}

impl PcapNg {
    /// Reads the first section header, after its type.
    pub(super) fn begin(input: &mut Input<impl Read>) -> Result<Self, Fault> {
        let mut capture = Self {
            order: ByteOrder::Little,
            interfaces: Vec::new(),
            newest_ns: 1,
            body: Vec::new(),
        };
        let mut length = [0; 4];
        input.fill(&mut length)?;
        capture.section(length, input)?;
        Ok(capture)
    }

    /// Reads the next packet. Returns whether there was one.
    pub(super) fn next(
        &mut self,
        input: &mut Input<impl Read>,
        names: &InterfaceNames,
        packet: &mut CapturedPacket,
    ) -> Result<bool, Fault> {
        let mut start = [0; 8];
        while input.begin_record(&mut start)? {
            let [t0, t1, t2, t3, length @ ..] = start;
            let kind = [t0, t1, t2, t3];
            if kind == SECTION_HEADER {
                self.section(length, input)?;
                continue;
            }
            let total = self.order.u32_at(&length, 0).ok_or(Fault::Cut)?;
            match self.order.u32_at(&kind, 0) {
                Some(1) => {
                    self.block(total, DESCRIPTION_BYTES_HELD, input)?;
                    self.describe(names)?;
                }
                Some(2) => {
                    self.block(total, PACKET_BYTES_HELD, input)?;
                    let interface = self.order.u16_at(&self.body, 0).map(u32::from);
                    return self.packet(interface, total, packet).map(|()| true);
                }
                Some(3) => {
                    self.block(total, PACKET_BYTES_HELD, input)?;
                    return self.simple_packet(total, packet).map(|()| true);
                }
                Some(6) => {
                    self.block(total, PACKET_BYTES_HELD, input)?;
                    let interface = self.order.u32_at(&self.body, 0);
                    return self.packet(interface, total, packet).map(|()| true);
                }
                Some(_) | None => self.block(total, 0, input)?,
            }
        }
        Ok(false)
    }

    /// A section header, whose type and length were read: from here on the byte order is its own, and interfaces
    /// are counted anew.
    fn section(&mut self, length: [u8; 4], input: &mut Input<impl Read>) -> Result<(), Fault> {
        let mut order_mark = [0; 4];
        input.fill(&mut order_mark)?;
        self.order = match order_mark {
            [0x1a, 0x2b, 0x3c, 0x4d] => ByteOrder::Big,
            [0x4d, 0x3c, 0x2b, 0x1a] => ByteOrder::Little,
            _ => return Err(Fault::Damaged("a section of unknown byte order".into())),
        };
        self.interfaces.clear();
        let total = self.order.u32_at(&length, 0).ok_or(Fault::Cut)?;
        self.rest_of_block(total, order_mark.len() as u32, 0, input)
    }

    /// Reads the rest of a block whose type and length were read.
    fn block(&mut self, total: u32, held: usize, input: &mut Input<impl Read>) -> Result<(), Fault> {
        self.rest_of_block(total, 0, held, input)
    }

    /// The same, after `read` bytes of its body. The length is repeated at the end, or the block is damaged.
    fn rest_of_block(
        &mut self,
        total: u32,
        read: u32,
        held: usize,
        input: &mut Input<impl Read>,
    ) -> Result<(), Fault> {
        let body = total
            .checked_sub(BLOCK_FRAME_BYTES + read)
            .filter(|_body| total <= MAX_BLOCK_BYTES && total.is_multiple_of(4))
            .ok_or_else(|| Fault::Damaged(format!("a block of {total} bytes")))?;
        input.hold(body.into(), held, &mut self.body)?;
        let mut end = [0; 4];
        input.fill(&mut end)?;
        if self.order.u32_at(&end, 0) == Some(total) {
            Ok(())
        } else {
            Err(Fault::Damaged(format!(
                "a block of {total} bytes whose end gives another length"
            )))
        }
    }

    /// Takes the description of an interface from the body of its block.
    fn describe(&mut self, names: &InterfaceNames) -> Result<(), Fault> {
        let short = || Fault::Damaged("a description of an interface without its link type".into());
        let link_type = self.order.u16_at(&self.body, 0).ok_or_else(short)?;
        let snap_bytes = self.order.u32_at(&self.body, 4).ok_or_else(short)?;
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(Fault::Damaged(format!("more than {MAX_INTERFACES} interfaces")));
        }
        let mut clock = InterfaceClock {
            resolution: 6,
            offset_seconds: 0,
        };
        let number = self.interfaces.len();
        let mut name = format!("#{number}");
        let mut offset = 8;
        while let Some((code, value)) = option(self.order, &self.body, &mut offset) {
            match (code, value) {
                (2, value) => {
                    // Some writers count the terminating zero, too.
                    let text = String::from_utf8_lossy(value.get(..NAME_BYTES_HELD).unwrap_or(value));
                    text.trim_end_matches('\0').clone_into(&mut name);
                }
                (9, &[resolution]) => clock.resolution = resolution,
                (14, value) => clock.offset_seconds = self.order.i64_at(value, 0).unwrap_or_default(),
                _ => {}
            }
        }
        names.set(number as u32 + 1, name.into());
        self.interfaces.push(Interface {
            link_type,
            snap_bytes,
            clock,
        });
        Ok(())
    }

    /// An enhanced packet block, or the packet block of old: they differ in how the interface is written.
    fn packet(
        &mut self,
        interface: Option<u32>,
        total: u32,
        packet: &mut CapturedPacket,
    ) -> Result<(), Fault> {
        const HEADER_BYTES: u32 = 20;
        let number = |offset| {
            self.order
                .u32_at(&self.body, offset)
                .ok_or_else(|| Fault::Damaged("a packet without its header".into()))
        };
        let (high, low, captured, original) = (number(4)?, number(8)?, number(12)?, number(16)?);
        check_length(captured)?;
        if captured > total - BLOCK_FRAME_BYTES - HEADER_BYTES {
            return Err(Fault::Damaged(format!(
                "a packet of {captured} bytes in a block of {total}"
            )));
        }
        let interface = interface.unwrap_or_default();
        let described = self.interfaces.get(interface as usize).copied();
        if let Some(described) = described {
            let ticks = u64::from(high) << 32 | u64::from(low);
            self.newest_ns = described.clock.nanoseconds(ticks);
        }
        self.hand_on(
            interface,
            described,
            HEADER_BYTES as usize,
            captured,
            original,
            packet,
        );
        Ok(())
    }

    /// A simple packet block: of the first interface, and without a time, for which the last one stands in.
    fn simple_packet(&mut self, total: u32, packet: &mut CapturedPacket) -> Result<(), Fault> {
        const HEADER_BYTES: u32 = 4;
        let original = self
            .order
            .u32_at(&self.body, 0)
            .ok_or_else(|| Fault::Damaged("a packet without its header".into()))?;
        let described = self.interfaces.first().copied();
        let snap_bytes = described
            .map(|interface| interface.snap_bytes)
            .filter(|&snap_bytes| snap_bytes != 0)
            .unwrap_or(u32::MAX);
        let captured = original
            .min(snap_bytes)
            .min(total - BLOCK_FRAME_BYTES - HEADER_BYTES);
        check_length(captured)?;
        self.hand_on(0, described, HEADER_BYTES as usize, captured, original, packet);
        Ok(())
    }

    fn hand_on(
        &self,
        number: u32,
        interface: Option<Interface>,
        header_bytes: usize,
        captured: u32,
        original: u32,
        packet: &mut CapturedPacket,
    ) {
        let bytes = self.body.get(header_bytes..).unwrap_or_default();
        let held = bytes.len().min(captured as usize);
        packet.bytes.clear();
        packet.bytes.extend(bytes.iter().take(held));
        packet.time_ns = self.newest_ns;
        packet.interface = number;
        packet.link_type = interface.map(|interface| interface.link_type);
        packet.length = original.max(captured) as usize;
    }
}

impl InterfaceClock {
    /// Nanoseconds since the epoch; the nearest that can be told where it is out of range, and never 0.
    fn nanoseconds(self, ticks: u64) -> u64 {
        let exponent = self.resolution & 0x7f;
        let scaled = u128::from(ticks) * 1_000_000_000;
        let since_offset = if self.resolution & 0x80 == 0 {
            10_u128
                .checked_pow(exponent.into())
                .map_or(0, |unit| scaled / unit)
        } else {
            scaled >> exponent
        };
        let offset = i128::from(self.offset_seconds) * 1_000_000_000;
        let sum = i128::try_from(since_offset).map_or(i128::MAX, |since| since.saturating_add(offset));
        u64::try_from(sum.max(1)).unwrap_or(u64::MAX)
    }
}

/// The option at an offset, which moves on to the next; `None` at their end.
fn option<'a>(order: ByteOrder, options: &'a [u8], offset: &mut usize) -> Option<(u16, &'a [u8])> {
    let code = order.u16_at(options, *offset)?;
    let length = usize::from(order.u16_at(options, *offset + 2)?);
    let value = options.get(*offset + 4..)?.get(..length)?;
    *offset += 4 + length.next_multiple_of(4);
    (code != 0).then_some((code, value))
}
