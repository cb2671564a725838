//! Capture files for tests: the frames of one that was recorded, written in every form there is.

/// A frame and when it was captured.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) time_ns: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Loopback traffic of one second: over IPv4 and then IPv6, a request with its answer of 2,041 bytes on port 8080,
/// and a refused connection to port 8081. In nanoseconds.
pub(crate) const EXCHANGE: &[u8] = include_bytes!("../data/exchange.pcapng");

/// The packets of the two complete connections and of the two refused ones.
pub(crate) const EXCHANGE_PACKETS: [u64; 4] = [10, 2, 10, 2];

/// The frames of the recorded capture.
pub(crate) fn exchange() -> Vec<Frame> {
    let number =
        |offset: usize| u32::from_le_bytes(EXCHANGE[offset..offset + 4].try_into().unwrap()) as usize;
    let mut frames = Vec::new();
    let mut block = 0;
    while block < EXCHANGE.len() {
        if number(block) == 6 {
            let (data, length) = (block + 28, number(block + 20));
            frames.push(Frame {
                time_ns: (number(block + 12) as u64) << 32 | number(block + 16) as u64,
                bytes: EXCHANGE[data..data + length].to_vec(),
            });
        }
        block += number(block + 4);
    }
    frames
}

/// How a pcap file is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) big_endian: bool,
    pub(crate) magic: u32,
    pub(crate) link_type: u16,
    /// Longest part of a frame that is kept.
    pub(crate) snap_bytes: usize,
}

impl Form {
    pub(crate) const MICROSECONDS: u32 = 0xa1b2_c3d4;
    pub(crate) const NANOSECONDS: u32 = 0xa1b2_3c4d;
    pub(crate) const MODIFIED: u32 = 0xa1b2_cd34;

    pub(crate) const PLAIN: Self = Self {
        big_endian: false,
        magic: Self::NANOSECONDS,
        link_type: 1,
        snap_bytes: 65_535,
    };
}

/// The frames as a pcap file.
pub(crate) fn pcap(form: Form, frames: &[Frame]) -> Vec<u8> {
    let mut file = Vec::new();
    let number = |value: u32| {
        if form.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    // Magic number, version, which nobody looks at, time zone, accuracy, snap length, link type.
    for value in [
        form.magic,
        0x0004_0002,
        0,
        0,
        form.snap_bytes as u32,
        form.link_type.into(),
    ] {
        file.extend(number(value));
    }
    for frame in frames {
        let kept = frame.bytes.len().min(form.snap_bytes);
        let fraction = frame.time_ns % 1_000_000_000;
        let unit = if form.magic == Form::NANOSECONDS { 1 } else { 1_000 };
        for value in [
            (frame.time_ns / 1_000_000_000) as u32,
            (fraction / unit) as u32,
            kept as u32,
            frame.bytes.len() as u32,
        ] {
            file.extend(number(value));
        }
        if form.magic == Form::MODIFIED {
            file.extend([0; 8]);
        }
        file.extend(&frame.bytes[..kept]);
    }
    file
}

/// A writer of pcapng, block by block.
pub(crate) struct PcapNg {
    pub(crate) big_endian: bool,
    pub(crate) file: Vec<u8>,
}

impl PcapNg {
    /// A capture that begins with its section header.
    pub(crate) fn new(big_endian: bool) -> Self {
        let mut capture = Self {
            big_endian,
            file: Vec::new(),
        };
        capture.section();
        capture
    }

    pub(crate) fn number(&self, value: u32) -> [u8; 4] {
        if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    pub(crate) fn section(&mut self) {
        let mut body = self.number(0x1a2b_3c4d).to_vec();
        body.extend([0; 4]);
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body);
    }

    pub(crate) fn block(&mut self, kind: u32, body: &[u8]) {
        let padding = body.len().next_multiple_of(4) - body.len();
        let length = (body.len() + padding + 12) as u32;
        for part in [
            &self.number(kind)[..],
            &self.number(length),
            body,
            &[0; 3][..padding],
            &self.number(length),
        ] {
            self.file.extend(part);
        }
    }

    /// An interface of Ethernet, with its options: code and value.
    pub(crate) fn interface(&mut self, options: &[(u16, &[u8])]) {
        let short = |value: u16| {
            if self.big_endian {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            }
        };
        let mut body = [short(1), [0; 2], [0; 2], [0; 2]].concat();
        for (code, value) in options {
            body.extend(short(*code));
            body.extend(short(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        body.extend([0; 4]);
        self.block(1, &body);
    }

    /// An enhanced packet block.
    pub(crate) fn packet(&mut self, interface: u32, ticks: u64, bytes: &[u8]) {
        let length = bytes.len() as u32;
        let header = [interface, (ticks >> 32) as u32, ticks as u32, length, length];
        let mut body: Vec<u8> = header.iter().flat_map(|&value| self.number(value)).collect();
        body.extend(bytes);
        self.block(6, &body);
    }
}
