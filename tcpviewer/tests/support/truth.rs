//! What a lossy line did, packet by packet, as it decided it: what each direction of each connection lost, and what
//! arrived in which order. It is known before any packet arrives, and owes nothing to what is tested.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write as _},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::Instant,
};

/// The numbers of a TCP segment that its header and its length tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) payload_bytes: u32,
}

impl Segment {
    const FIN: u8 = 1;
    const SYN: u8 = 2;

    /// The segment in a packet of IPv4; `None` for anything else.
    pub(crate) fn of(packet: &[u8]) -> Option<Self> {
        if packet.len() < 40 || packet[0] >> 4 != 4 || packet[9] != 6 {
            return None;
        }
        let (ip, tcp) = packet.split_at(usize::from(packet[0] & 15) * 4);
        let number = |at: usize| u32::from_be_bytes(tcp[at..at + 4].try_into().unwrap());
        let end = |address: usize, port: usize| {
            let address: [u8; 4] = ip[address..address + 4].try_into().unwrap();
            let port = u16::from_be_bytes([tcp[port], tcp[port + 1]]);
            SocketAddr::from((Ipv4Addr::from(address), port))
        };
        Some(Self {
            source: end(12, 0),
            destination: end(16, 2),
            seq: number(4),
            ack: number(8),
            flags: tcp[13],
            payload_bytes: (tcp.len() - usize::from(tcp[12] >> 4) * 4) as u32,
        })
    }

    /// Sequence numbers that it uses.
    pub(crate) fn sequence_length(&self) -> u32 {
        let of = |flag: u8| u32::from(self.flags & flag != 0);
        self.payload_bytes + of(Self::SYN) + of(Self::FIN)
    }
}

/// A packet that came to the line and what it did with it.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub(crate) segment: Option<Segment>,
    pub(crate) came: Instant,
    /// It was lost because the line was full.
    pub(crate) crowded_out: bool,
    pub(crate) held_back: bool,
    /// When it leaves; `None` where it was lost.
    pub(crate) due: Option<Instant>,
    /// How many of it arrive.
    pub(crate) copies: usize,
}

/// One direction of a line, or of a connection on it.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    /// In the order in which they came, with their number on the line.
    passages: Vec<(usize, Passage)>,
}

/// What a direction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    /// Packets that came.
    pub(crate) packets: u64,
    /// Packets that arrived, all copies counted.
    pub(crate) arrived: u64,
    /// Those that did not arrive.
    pub(crate) lost: u64,
    /// Those of the lost that found the line full.
    pub(crate) crowded_out: u64,
    /// Those that arrived twice.
    pub(crate) duplicated: u64,
    /// Those that were held back.
    pub(crate) held_back: u64,
    /// Those that a later packet overtook.
    pub(crate) overtaken: u64,
}

/// What the receiver of one direction of a connection is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) packets: u64,
    pub(crate) payload_bytes: u64,
    /// Bytes that had arrived before.
    pub(crate) repeated_bytes: u64,
    /// Packets with data, SYN or FIN that begin below the highest sequence number that arrived, and those without
    /// that begin just below it and so look like a keep-alive.
    pub(crate) behind: u64,
    /// Packets that begin beyond it.
    pub(crate) ahead: u64,
}

impl Truth {
    pub(crate) fn new(passages: Vec<Passage>) -> Self {
        let passages = passages.into_iter().enumerate().collect();
        Self { passages }
    }

    /// The part of one sender and receiver.
    pub(crate) fn of(&self, source: SocketAddr, destination: SocketAddr) -> Self {
        let is_of = |passage: &Passage| {
            passage
                .segment
                .is_some_and(|segment| (segment.source, segment.destination) == (source, destination))
        };
        let passages = self.passages.iter().filter(|(_, passage)| is_of(passage));
        let passages = passages.cloned().collect();
        Self { passages }
    }

    pub(crate) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        let mut earliest_behind = None;
        for (_, passage) in self.passages.iter().rev() {
            sum.packets += 1;
            sum.arrived += passage.copies as u64;
            sum.lost += u64::from(passage.copies == 0);
            sum.crowded_out += u64::from(passage.crowded_out);
            sum.duplicated += u64::from(passage.copies == 2);
            sum.held_back += u64::from(passage.held_back);
            if let Some(due) = passage.due {
                sum.overtaken += u64::from(earliest_behind.is_some_and(|behind| behind < due));
                earliest_behind = Some(earliest_behind.map_or(due, |behind| due.min(behind)));
            }
        }
        sum
    }

    /// What arrives of one direction of a connection.
    pub(crate) fn arrived(&self) -> Arrived {
        let mut arrived = Arrived::default();
        let mut seen = Ranges::default();
        let mut next: Option<u32> = None;
        for segment in self.arrivals() {
            let end = segment.seq.wrapping_add(segment.sequence_length());
            let ahead = |from: u32, of: u32| (of.wrapping_sub(from) as i32) > 0;
            let repeats = |segment: &Segment, next: u32| {
                let one_below = segment.seq.wrapping_add(1) == next;
                ahead(segment.seq, next) && (segment.sequence_length() > 0 || one_below)
            };
            arrived.packets += 1;
            arrived.payload_bytes += u64::from(segment.payload_bytes);
            if let Some(next) = next {
                arrived.ahead += u64::from(ahead(next, segment.seq));
                arrived.behind += u64::from(repeats(&segment, next));
            }
            if next.is_none_or(|next| ahead(next, end)) {
                next = Some(end);
            }
            if segment.payload_bytes > 0 {
                arrived.repeated_bytes += seen.insert(segment.seq, end);
            }
        }
        arrived
    }

    /// All segments that arrive, in the order in which they do.
    fn arrivals(&self) -> impl Iterator<Item = Segment> {
        let arrives = |(number, passage): &(usize, Passage)| {
            let (due, segment) = (passage.due?, passage.segment?);
            Some((due, *number, passage.copies, segment))
        };
        let mut arrivals: Vec<_> = self.passages.iter().filter_map(arrives).collect();
        arrivals.sort_by_key(|&(due, number, ..)| (due, number));
        arrivals
            .into_iter()
            .flat_map(|(.., copies, segment)| vec![segment; copies])
    }

    /// Writes a line for each packet: times are microseconds since the first came.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(
            file,
            "number,came_us,source,destination,flags,seq,ack,payload_bytes,copies,due_us,held_back,crowded_out"
        )?;
        let start = self.passages.first().map(|(_, passage)| passage.came);
        let micros = |time: Instant| time.duration_since(start.unwrap_or(time)).as_micros();
        for (number, passage) in &self.passages {
            let segment = passage.segment.map_or_else(
                || ",,,,,".to_owned(),
                |segment| {
                    format!(
                        "{},{},{:#04x},{},{},{}",
                        segment.source,
                        segment.destination,
                        segment.flags,
                        segment.seq,
                        segment.ack,
                        segment.payload_bytes
                    )
                },
            );
            let due = passage
                .due
                .map_or_else(String::new, |due| micros(due).to_string());
            writeln!(
                file,
                "{number},{},{segment},{},{due},{},{}",
                micros(passage.came),
                passage.copies,
                passage.held_back,
                passage.crowded_out
            )?;
        }
        file.flush()
    }
}

/// Sequence numbers of a connection that were seen: ranges that do not touch, by their distance from the first.
#[derive(Default)]
struct Ranges {
    origin: Option<u32>,
    /// End by start.
    ranges: BTreeMap<i64, i64>,
}

impl Ranges {
    /// Adds a range and returns how much of it was there.
    fn insert(&mut self, start: u32, end: u32) -> u64 {
        let origin = *self.origin.get_or_insert(start);
        // No connection of a test is longer than half of all sequence numbers.
        let distance = |number: u32| i64::from(number.wrapping_sub(origin) as i32);
        let (start, end) = (distance(start), distance(end));
        let (mut whole, mut known) = ((start, end), 0);
        while let Some((&from, &to)) = self.ranges.range(..=end).next_back()
            && to >= start
        {
            self.ranges.remove(&from);
            known += to.min(end) - from.max(start);
            whole = (whole.0.min(from), whole.1.max(to));
        }
        self.ranges.insert(whole.0, whole.1);
        known as u64
    }
}
