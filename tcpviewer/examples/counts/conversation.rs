//! Two ends that speak by TCP, as a router between them sees it: Ethernet, IPv4, TCP, and payload of zeros. Neither is of
//! this host (RFC 2544, appendix C.2.2: 198.18.0.0/15 is for benchmarks).

use anyhow::Result;
use tcpviewer_common::segment::Flags;

use crate::program::Program;

const SERVER: ([u8; 4], u16) = ([198, 19, 0, 1], 443);
/// Clients at one address.
const PORTS: u32 = 50_000;
const FIRST_PORT: u16 = 10_000;
const QUESTION_BYTES: u32 = 100;
const ANSWER_BYTES: u32 = 1_000;
const TCP: u8 = 6;

#[derive(Clone, Copy)]
enum End {
    Client,
    Server,
}

/// One connection, and what each end has sent so far.
pub(crate) struct Conversation {
    client: ([u8; 4], u16),
    /// The next sequence numbers of the client and the server.
    next: [u32; 2],
}

impl Conversation {
    /// That of the client with this number.
    pub(crate) fn new(number: u32) -> Self {
        let [_, _, high, low] = (number / PORTS).to_be_bytes();
        Self {
            client: ([198, 18, high, low], FIRST_PORT + (number % PORTS) as u16),
            next: [0; 2],
        }
    }

    /// The handshake.
    pub(crate) fn open(&mut self, program: &Program) -> Result<()> {
        self.say(program, End::Client, Flags::SYN, 0)?;
        self.say(program, End::Server, Flags(Flags::SYN.0 | Flags::ACK.0), 0)?;
        self.say(program, End::Client, Flags::ACK, 0)
    }

    /// A question and its answer.
    pub(crate) fn ask(&mut self, program: &Program) -> Result<()> {
        self.say(program, End::Client, Flags::ACK, QUESTION_BYTES)?;
        self.say(program, End::Server, Flags::ACK, ANSWER_BYTES)
    }

    /// An answer to no question, which is acknowledged so many times.
    pub(crate) fn send(&mut self, program: &Program, acknowledged: u32) -> Result<()> {
        self.say(program, End::Server, Flags::ACK, ANSWER_BYTES)?;
        program.run(&self.segment(End::Client, Flags::ACK, 0), acknowledged)
    }

    /// Both ends are done.
    pub(crate) fn close(&mut self, program: &Program) -> Result<()> {
        let end = Flags(Flags::FIN.0 | Flags::ACK.0);
        self.say(program, End::Client, end, 0)?;
        self.say(program, End::Server, end, 0)?;
        self.say(program, End::Client, Flags::ACK, 0)
    }

    fn say(&mut self, program: &Program, from: End, flags: Flags, payload_bytes: u32) -> Result<()> {
        program.run(&self.segment(from, flags, payload_bytes), 1)?;
        // SYN and FIN have a number of their own (RFC 9293, section 3.4).
        let is_numbered = flags.0 & (Flags::SYN.0 | Flags::FIN.0) != 0;
        self.next[from as usize] += payload_bytes + u32::from(is_numbered);
        Ok(())
    }

    fn segment(&self, from: End, flags: Flags, payload_bytes: u32) -> Vec<u8> {
        let [client, server] = self.next;
        let (source, destination, seq, ack) = match from {
            End::Client => (self.client, SERVER, client, server),
            End::Server => (SERVER, self.client, server, client),
        };
        let mut packet = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00];
        packet.extend([0x45, 0]);
        packet.extend((40 + payload_bytes as u16).to_be_bytes());
        packet.extend([0, 0, 0x40, 0, 64, TCP, 0, 0]);
        packet.extend(source.0);
        packet.extend(destination.0);
        packet.extend(source.1.to_be_bytes());
        packet.extend(destination.1.to_be_bytes());
        packet.extend(seq.to_be_bytes());
        packet.extend(ack.to_be_bytes());
        packet.extend([5 << 4, flags.0]);
        packet.extend(u16::MAX.to_be_bytes());
        packet.resize(packet.len() + 4 + payload_bytes as usize, 0);
        packet
    }
}
