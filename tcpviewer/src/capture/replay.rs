//! The source of samples that needs no kernel: reads a capture file, pcap or pcapng, through the very parser and
//! tracker that run in the kernel. In: bytes, from a file or a pipe, in one pass. Out: one [`Sample`] for each
//! connection, in order of their first packets, and what became of every packet.
//!
//! Of a packet no more than its headers is held, 4 KiB at most, and of any other block 64 KiB. All connections
//! are held until the input ends, for their order and for what may still come: 600 bytes each here, 1.5 KiB with
//! what the table and the answer add.

mod input;
mod link;
mod pcap;
mod pcapng;

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read},
};

use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionRecord, Place},
    ledger::LedgerCounters,
    parse::Skip,
    segment::Segment,
    tracker::{self, Sighting},
};
use thiserror::Error;

use self::{
    input::{Fault, Input},
    pcap::Pcap,
    pcapng::PcapNg,
};
use super::convert;
use crate::model::{InterfaceNames, Ledger, Sample};

/// What a capture file held.
#[derive(Debug)]
pub struct Replay {
    /// The connections, in order of their first packets.
    pub samples: Vec<Sample>,
    /// What became of every packet that could be read.
    pub ledger: Ledger,
    /// Packets of link layers that are not supported, by link type; not in the ledger.
    pub unsupported: BTreeMap<u16, u64>,
    /// Time of the newest packet, nanoseconds since the epoch; 0 where there was none.
    pub newest_ns: u64,
    /// Where the file broke off, if it did not end between two packets.
    pub broken_off: Option<BrokenOff>,
}

/// Where and why the reading of a capture ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokenOff {
    /// The first byte that could not be read as part of the capture.
    pub byte: u64,
    /// Packets that were read before.
    pub packets: u64,
    /// What is wrong there; `None` where the file just ends.
    pub damage: Option<String>,
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

/// Replays a capture.
///
/// # Errors
///
/// When the input is no capture or cannot be read. One that breaks off or is damaged further on is reported as
/// far as it goes.
pub fn replay(reader: impl Read) -> Result<Replay, ReplayError> {
    let mut input = Input::new(reader);
    let names = InterfaceNames::default();
    // Only the newer form names its interfaces.
    names.set(1, "".into());
    let mut source = Source::begin(&mut input)?;
    let mut connections = Connections::default();
    let mut packet = CapturedPacket::default();
    let broken_off = loop {
        match source.next(&mut input, &names, &mut packet) {
            Ok(true) => connections.take(&packet),
            Ok(false) => break None,
            Err(Fault::Read(error)) => return Err(ReplayError::Read(error)),
            Err(fault) => {
                break Some(BrokenOff {
                    byte: input.record_start(),
                    packets: connections.packets,
                    damage: fault.damage(),
                });
            }
        }
    };
    Ok(connections.finish(&names, broken_off))
}

/// A packet of a capture.
#[derive(Debug, Default)]
struct CapturedPacket {
    /// When it was captured, nanoseconds since the epoch; never 0.
    time_ns: u64,
    /// Number of the interface in its section, from 0.
    interface: u32,
    /// What it begins with; `None` where the capture does not describe the interface.
    link_type: Option<u16>,
    /// Its length on the wire.
    length: usize,
    /// Its beginning, as far as it is of use.
    bytes: Vec<u8>,
}

/// The forms of a capture.
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

/// The connections so far.
#[derive(Default)]
struct Connections {
    live: HashMap<ConnectionKey, ConnectionRecord>,
    /// Those whose endpoints a newer connection has taken over.
    replaced: Vec<(ConnectionKey, ConnectionRecord)>,
    opened: u64,
    /// Packets read, of whatever link type.
    packets: u64,
    counters: LedgerCounters,
    unsupported: BTreeMap<u16, u64>,
    newest_ns: u64,
}

impl Connections {
    fn take(&mut self, packet: &CapturedPacket) {
        self.packets += 1;
        self.newest_ns = self.newest_ns.max(packet.time_ns);
        let read = match packet.link_type {
            Some(link_type) if !link::is_supported(link_type) => {
                *self.unsupported.entry(link_type).or_default() += 1;
                return;
            }
            Some(link_type) => link::segment(link_type, &packet.bytes, packet.length),
            None => Err(Skip::Malformed),
        };
        self.counters.packets_seen += 1;
        match read {
            Ok(segment) => self.track(&segment, packet),
            Err(reason) => *self.counters.skipped(reason) += 1,
        }
    }

    fn track(&mut self, segment: &Segment, packet: &CapturedPacket) {
        let (key, side) = ConnectionKey::of(segment);
        let record = self.live.entry(key).or_insert(ConnectionRecord::VACANT);
        if tracker::replaces(record, segment, side) {
            let before = std::mem::replace(record, ConnectionRecord::VACANT);
            self.replaced.push((key, before));
        }
        let seen = Sighting {
            side,
            place: Place::new(packet.interface + 1, false),
            now_ns: packet.time_ns,
            new_id: self.opened + 1,
        };
        let outcome = tracker::observe(record, segment, seen);
        self.opened += u64::from(outcome.opened);
        *(if outcome.counted {
            &mut self.counters.packets_tracked
        } else {
            &mut self.counters.packets_seen_elsewhere
        }) += 1;
    }

    fn finish(self, names: &InterfaceNames, broken_off: Option<BrokenOff>) -> Replay {
        let mut samples: Vec<_> = self
            .replaced
            .into_iter()
            .chain(self.live)
            .map(|(key, record)| Sample {
                key,
                interface: convert::interface(&record, names),
                record,
                is_last: false,
            })
            .collect();
        samples.sort_unstable_by_key(|sample| sample.record.id);
        Replay {
            samples,
            ledger: convert::ledger(&[self.counters]),
            unsupported: self.unsupported,
            newest_ns: self.newest_ns,
            broken_off,
        }
    }
}
