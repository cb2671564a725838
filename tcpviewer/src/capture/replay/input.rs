//! Bytes of a capture, read once from front to end: it knows where it stands, and passes over what nobody needs
//! without holding it. Whether an end is one between two packets is for its callers to say.

use std::io::{self, ErrorKind, Read};

/// Of a packet this much is held: more than the longest chain of headers that is followed.
pub(super) const PACKET_BYTES_HELD: usize = 4096;
/// A packet that claims to be longer is a sign of damage. Twice the longest that Linux makes (BIG TCP).
const MAX_PACKET_BYTES: u32 = 1 << 20;

/// Why a record of the capture cannot be read.
#[derive(Debug)]
pub enum Fault {
    /// The input ends within it.
    Cut,
    /// It contradicts itself; says how.
    Damaged(String),
    /// Reading fails.
    Read(io::Error),
}

/// The input.
#[derive(Debug)]
pub(super) struct Input<R> {
    reader: io::BufReader<R>,
    position: u64,
    record_start: u64,
}

impl<R: Read> Input<R> {
    /// An input that nothing was read of.
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader: io::BufReader::with_capacity(256 * 1024, reader),
            position: 0,
            record_start: 0,
        }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Where the record begins that was read last.
    pub(super) fn record_start(&self) -> u64 {
        self.record_start
    }

    /// Fills the buffer with the beginning of a record. Returns whether there is one.
    pub(super) fn begin_record(&mut self, buffer: &mut [u8]) -> Result<bool, Fault> {
        self.record_start = self.position;
        match self.read(buffer)? {
            0 => Ok(false),
            filled if filled == buffer.len() => Ok(true),
            _part => Err(Fault::Cut),
        }
    }

    /// Fills the buffer.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Fault> {
        if self.read(buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(Fault::Cut)
        }
    }

    /// Takes `length` bytes, of which the first `most` are held in `held`.
    pub(super) fn hold(&mut self, length: u64, most: usize, held: &mut Vec<u8>) -> Result<(), Fault> {
        let kept = usize::try_from(length).map_or(most, |length| length.min(most));
        held.resize(kept, 0);
        self.fill(held)?;
        self.pass(length - kept as u64)
    }

    /// Passes over `length` bytes.
    pub(super) fn pass(&mut self, length: u64) -> Result<(), Fault> {
        let passed = io::copy(&mut (&mut self.reader).take(length), &mut io::sink()).map_err(Fault::Read)?;
        self.position += passed;
        if passed == length { Ok(()) } else { Err(Fault::Cut) }
    }

    /// Fills as much of the buffer as there is input.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.reader.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Read(error)),
            }
        }
        self.position += filled as u64;
        Ok(filled)
    }
}

/// Refuses a packet of an impossible length.
pub(super) fn check_length(captured: u32) -> Result<(), Fault> {
    if captured > MAX_PACKET_BYTES {
        return Err(Fault::Damaged(format!("a packet of {captured} bytes")));
    }
    Ok(())
}

/// Order of the bytes in a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The number of two bytes at an offset.
    pub(super) fn u16_at(self, bytes: &[u8], offset: usize) -> Option<u16> {
        let bytes = *bytes.get(offset..)?.first_chunk()?;
        Some(match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        })
    }

    /// The number of four bytes at an offset.
    pub(super) fn u32_at(self, bytes: &[u8], offset: usize) -> Option<u32> {
        let bytes = *bytes.get(offset..)?.first_chunk()?;
        Some(match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        })
    }

    /// The number of eight bytes at an offset, which may be negative.
    pub(super) fn i64_at(self, bytes: &[u8], offset: usize) -> Option<i64> {
        let bytes = *bytes.get(offset..)?.first_chunk()?;
        Some(match self {
            Self::Little => i64::from_le_bytes(bytes),
            Self::Big => i64::from_be_bytes(bytes),
        })
    }
}
