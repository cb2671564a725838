//! The source of samples that needs no kernel: reads a capture file, pcap or pcapng, through the very parser and
//! tracker that run in the kernel. In: bytes, from a file or a pipe, in one pass. Out: one [`Tracked`] for each
//! connection, in order of their first packets, and what became of every packet.
//!
//! Of a packet no more than its headers is held, 4 KiB at most, and of any other block 64 KiB. Connections are
//! held until the input ends, for their order and for what may still come: 600 bytes each here, 1.5 KiB with what
//! the table and the answer add. How many, the caller says.

mod input;
mod link;
mod pcap;
mod pcapng;

pub mod connections;

use std::{
    collections::BTreeMap,
    io::{self, Read},
    sync::Arc,
};

use thiserror::Error;

pub use self::input::Fault;
use self::{connections::Connections, input::Input, pcap::Pcap, pcapng::PcapNg};
use crate::model::{InterfaceNames, Ledger, Tracked};

/// What a capture file held.
#[derive(Debug)]
pub struct Replay {
    /// The connections, in order of their first packets.
    pub connections: Vec<Tracked>,
    /// What became of every packet that could be read.
    pub ledger: Ledger,
    /// Packets of link layers that are not supported, by link type; not in the ledger.
    pub unsupported: BTreeMap<u16, u64>,
    /// Time of the newest packet, nanoseconds since the epoch; 0 where there was none.
    pub newest_ns: u64,
    /// Packets that were read.
    pub packets: u64,
    /// Where the file broke off, if it did not end between two packets.
    pub broken_off: Option<BrokenOff>,
}

/// Where and why the reading of a capture ended early.
#[derive(Debug)]
pub struct BrokenOff {
    /// The first byte that could not be read as part of the capture.
    pub byte: u64,
    /// What is wrong there.
    pub fault: Fault,
}

/// Why a capture cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// It is something else.
    #[error("not a capture: {0}")]
    NotACapture(&'static str),
    /// It does not let itself be read.
    #[error("read: {0}")]
    Read(io::Error),
}

/// Replays a capture, holding at most so many connections; packets of further ones are counted in the ledger.
///
/// # Errors
///
/// When the input is no capture or its beginning cannot be read. One that breaks off, is damaged or cannot be
/// read further on is reported as far as it goes.
pub fn replay(reader: impl Read, max_connections: u32) -> Result<Replay, ReplayError> {
    let mut capture = Capture::open(reader)?;
    let mut connections = Connections::new(max_connections);
    while let Some(packet) = capture.next_packet() {
        connections.take(packet);
    }
    let Capture {
        names,
        packets,
        broken_off,
        ..
    } = capture;
    Ok(connections.finish(&names, packets, broken_off))
}

/// A capture that is being read.
#[derive(Debug)]
pub struct Capture<R> {
    input: Input<R>,
    source: Source,
    names: Arc<InterfaceNames>,
    packet: CapturedPacket,
    packets: u64,
    broken_off: Option<BrokenOff>,
}

impl<R: Read> Capture<R> {
    /// Reads the beginning, by which the form is recognized.
    ///
    /// # Errors
    ///
    /// When the input is no capture or cannot be read.
    pub fn open(reader: R) -> Result<Self, ReplayError> {
        let mut input = Input::new(reader);
        let names = InterfaceNames::default();
        // Only the newer form names its interfaces.
        names.set(1, "".into());
        Ok(Self {
            source: Source::begin(&mut input)?,
            input,
            names: Arc::new(names),
            packet: CapturedPacket::default(),
            packets: 0,
            broken_off: None,
        })
    }

    /// The next packet; `None` at the end, and where the capture breaks off.
    pub fn next_packet(&mut self) -> Option<&CapturedPacket> {
        if self.broken_off.is_some() {
            return None;
        }
        match self.source.next(&mut self.input, &self.names, &mut self.packet) {
            Ok(true) => {
                self.packets += 1;
                Some(&self.packet)
            }
            Ok(false) => None,
            Err(fault) => {
                self.broken_off = Some(BrokenOff {
                    byte: self.input.record_start(),
                    fault,
                });
                None
            }
        }
    }

    /// Names of the interfaces, by number plus one.
    pub fn names(&self) -> &Arc<InterfaceNames> {
        &self.names
    }

    /// How many packets were read.
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Where the capture broke off, if it did.
    pub fn broken_off(&self) -> Option<&BrokenOff> {
        self.broken_off.as_ref()
    }
}

/// A packet of a capture.
#[derive(Clone, Debug, Default)]
pub struct CapturedPacket {
    /// When it was captured, nanoseconds since the epoch; never 0.
    pub time_ns: u64,
    /// Number of the interface in its section, from 0.
    pub interface: u32,
    /// What it begins with (tcpdump.org/linktypes.html); `None` where the capture does not describe the interface.
    pub link_type: Option<u16>,
    /// Its length on the wire, bytes.
    pub length: usize,
    /// Its beginning, as far as it is of use.
    pub bytes: Vec<u8>,
}

/// The forms of a capture.
#[derive(Debug)]
enum Source {
    Pcap(Pcap),
    PcapNg(PcapNg),
}

impl Source {
    /// Recognizes the form by the first bytes and reads the header.
    fn begin(input: &mut Input<impl Read>) -> Result<Self, ReplayError> {
        let begun = Self::recognize(input);
        begun.map_err(|fault| match fault {
            Fault::Read(error) => ReplayError::Read(error),
            Fault::Cut if input.position() == 0 => ReplayError::NotACapture("it is empty"),
            Fault::Cut => ReplayError::NotACapture("it ends within its header"),
            Fault::Damaged(_) => ReplayError::NotACapture("its header contradicts itself"),
        })?
    }

    fn recognize(input: &mut Input<impl Read>) -> Result<Result<Self, ReplayError>, Fault> {
        let mut magic = [0; 4];
        input.fill(&mut magic)?;
        if magic == pcapng::SECTION_HEADER {
            return Ok(Ok(Self::PcapNg(PcapNg::begin(input)?)));
        }
        if let Some(pcap) = Pcap::begin(magic, input)? {
            return Ok(Ok(Self::Pcap(pcap)));
        }
        Ok(Err(ReplayError::NotACapture(match magic {
            [0x1f, 0x8b, ..] => {
                "it is compressed; unpack it first, as in `gunzip -c FILE | tcpviewer replay -`"
            }
            [0x28, 0xb5, 0x2f, 0xfd] => {
                "it is compressed; unpack it first, as in `zstd -dc FILE | tcpviewer replay -`"
            }
            _ => "it begins like neither pcap nor pcapng",
        })))
    }

    /// Reads the next packet. Returns whether there was one.
    fn next(
        &mut self,
        input: &mut Input<impl Read>,
        names: &InterfaceNames,
        packet: &mut CapturedPacket,
    ) -> Result<bool, Fault> {
        match self {
            Self::Pcap(pcap) => pcap.next(input, packet),
            Self::PcapNg(pcapng) => pcapng.next(input, names, packet),
        }
    }
}
