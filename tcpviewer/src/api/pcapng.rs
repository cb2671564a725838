//! Packets as a pcapng file: the headers byte for byte, times in nanoseconds, the names of interfaces, and the
//! connection and its processes as a comment. In: packets one by one, with their connections. Out: the bytes of the
//! file, as they come about.

use std::{
    borrow::Cow,
    collections::HashMap,
    mem,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pcap_file::{
    DataLink, Endianness, PcapError,
    pcapng::{
        PcapNgWriter,
        blocks::{
            enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption},
            interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
            section_header::{SectionHeaderBlock, SectionHeaderOption},
        },
    },
};
use tcpviewer_common::limits::HEADER_BYTES;

use crate::model::{Connection, Direction, Owner, Packet};

/// Times are in units of 10⁻⁹ seconds.
const NANOSECONDS: u8 = 9;
/// Bits of the flags of a packet: which way it went (pcapng, section 4.3.1).
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// Bytes of a packet that are kept at most: its headers and a VLAN tag.
const SNAP_BYTES: u32 = HEADER_BYTES as u32 + 4;

/// More than a packet and the description of its interface take in the file.
pub(super) const MOST_BYTES: u64 = 640;

/// Writes the file, part by part.
pub(super) struct Pcapng {
    writer: PcapNgWriter<Vec<u8>>,
    /// Numbers of the interfaces in the file, by their names and whether they have a link layer.
    interfaces: HashMap<(Arc<str>, bool), u32>,
}

impl Pcapng {
    /// A file that was made on this system.
    pub(super) fn new(system: &str) -> Result<Self, PcapError> {
        let section = SectionHeaderBlock {
            endianness: Endianness::native(),
            major_version: 1,
            minor_version: 0,
            section_length: -1,
            options: vec![
                SectionHeaderOption::OS(Cow::Owned(system.to_owned())),
                SectionHeaderOption::UserApplication(Cow::Borrowed(concat!(
                    "tcpviewer ",
                    env!("CARGO_PKG_VERSION")
                ))),
            ],
        };
        Ok(Self {
            writer: PcapNgWriter::with_section_header(Vec::new(), section)?,
            interfaces: HashMap::new(),
        })
    }

    /// Appends a packet, if its headers are known. Returns whether they are. `connection` is the one it belongs to, if it
    /// is listed.
    pub(super) fn write(
        &mut self,
        packet: &Packet,
        connection: Option<&Connection>,
    ) -> Result<bool, PcapError> {
        let Some(headers) = &packet.headers else {
            return Ok(false);
        };
        let interface_id = self.interface(&packet.interface, headers.ethernet)?;
        let direction = match packet.direction {
            Direction::Ingress => INBOUND,
            Direction::Egress => OUTBOUND,
        };
        self.writer.write_pcapng_block(EnhancedPacketBlock {
            interface_id,
            timestamp: packet
                .timestamp
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or(Duration::ZERO),
            original_len: headers.length,
            data: Cow::Borrowed(&headers.bytes),
            options: vec![
                EnhancedPacketOption::Comment(Cow::Owned(comment(packet, connection))),
                EnhancedPacketOption::Flags(direction),
            ],
        })?;
        Ok(true)
    }

    /// What was written since the last call.
    pub(super) fn take(&mut self) -> Vec<u8> {
        mem::take(self.writer.get_mut())
    }

    /// How many bytes the next [`Pcapng::take`] returns.
    pub(super) fn len(&self) -> usize {
        self.writer.get_ref().len()
    }

    /// The number of an interface, described when it comes up first.
    fn interface(&mut self, name: &Arc<str>, ethernet: bool) -> Result<u32, PcapError> {
        let next = self.interfaces.len() as u32;
        let key = (Arc::clone(name), ethernet);
        if let Some(&number) = self.interfaces.get(&key) {
            return Ok(number);
        }
        self.writer.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: if ethernet {
                DataLink::ETHERNET
            } else {
                DataLink::RAW
            },
            snaplen: SNAP_BYTES,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        })?;
        self.interfaces.insert(key, next);
        Ok(next)
    }
}

/// What the file says of a packet beside its headers: its connection, the processes that opened and accepted that, as
/// far as they are known, and whether it was sent before.
fn comment(packet: &Packet, connection: Option<&Connection>) -> String {
    let mut text = format!("connection {}", packet.connection_id);
    let source = connection.and_then(|connection| connection.source_owner.as_ref());
    let destination = connection.and_then(|connection| connection.destination_owner.as_ref());
    if let Some(owner) = source {
        text.push_str(&format!(", {}", named(owner)));
    }
    if let Some(owner) = destination {
        let before = if source.is_some() { " " } else { ", " };
        text.push_str(&format!("{before}→ {}", named(owner)));
    }
    if packet.retransmission {
        text.push_str(", retransmission");
    }
    text
}

/// A process by name and number; control characters of the name are replaced.
fn named(owner: &Owner) -> String {
    let command: String = owner
        .process
        .command
        .chars()
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect();
    format!("{command} ({})", owner.process.pid)
}
