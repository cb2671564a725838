//! Makes another packet of the one that the kernel hands to a program over and over: the next segment of its
//! connection, the answer to the last one, or a packet of another connection. In: a running number. So a benchmark
//! is of what packets do to a connection, and not of one packet that is sent again without end.
#![expect(unsafe_code, reason = "packet bytes and map values are behind raw pointers")]

use aya_ebpf::{Global, btf_maps::Array, macros::btf_map, programs::TcContext};
use tcpviewer_common::bench::{
    ANSWERS, CLIENT_PORT, CONNECTIONS, NEXT_ACK, NEXT_DATA, OPENS, PAYLOAD_BYTES, SERVER, SERVER_PORT,
};

/// How packets differ. Frozen before the programs are loaded, so that each has in it what it needs.
#[unsafe(no_mangle)]
static VARIATION: Global<u32> = Global::new(0);

/// Binary logarithm of the number of connections.
#[unsafe(no_mangle)]
static CONNECTIONS_SHIFT: Global<u32> = Global::new(0);

/// Packets so far, by program.
#[btf_map]
static PACKETS: Array<u64, 4> = Array::new();

/// A packet of TCP over IPv4 over Ethernet.
#[repr(C)]
struct Headers {
    ethernet: [u8; 14],
    ip: [u8; 12],
    source: [u8; 4],
    destination: [u8; 4],
    source_port: [u8; 2],
    destination_port: [u8; 2],
    seq: [u8; 4],
    ack: [u8; 4],
    rest: [u8; 8],
}

/// Changes the packet into the next one of this program. `None` where it is too short for that: it must not be followed
/// then, for the kernel's verifier would follow it a second time.
#[inline(always)]
pub(crate) fn vary(context: &TcContext, program: u32) -> Option<()> {
    let variation = VARIATION.load();
    if variation == 0 {
        return Some(());
    }
    let start = context.data();
    if start + size_of::<Headers>() > context.data_end() {
        return None;
    }
    let packets = PACKETS.get_ptr_mut(program)?;
    // SAFETY: an entry of a map that one program uses, on one CPU; the bytes of the packet lie before `data_end`, as
    // was just checked and as the verifier checks again, and are arrays of bytes, which need no alignment.
    let (number, headers) = unsafe {
        let number = *packets;
        *packets = number + 1;
        (number, &mut *(start as *mut Headers))
    };
    match variation {
        NEXT_DATA => headers.seq = (number as u32).wrapping_mul(PAYLOAD_BYTES).to_be_bytes(),
        NEXT_ACK => headers.ack = (number as u32).wrapping_mul(PAYLOAD_BYTES).to_be_bytes(),
        ANSWERS => {
            let sent = ((number / 2) as u32).wrapping_mul(PAYLOAD_BYTES);
            let asks = number & 1 == 0;
            let client = ((10 << 24 | program).to_be_bytes(), CLIENT_PORT.to_be_bytes());
            let server = (SERVER, SERVER_PORT.to_be_bytes());
            let (from, to) = if asks { (client, server) } else { (server, client) };
            (headers.source, headers.source_port) = from;
            (headers.destination, headers.destination_port) = to;
            headers.seq = sent.to_be_bytes();
            // The answer acknowledges the question, the next question the answer.
            let received = if asks {
                sent
            } else {
                sent.wrapping_add(PAYLOAD_BYTES)
            };
            headers.ack = received.to_be_bytes();
        }
        CONNECTIONS => {
            let shift = CONNECTIONS_SHIFT.load();
            let (round, place) = ((number >> shift) as u32, number as u32 & ((1 << shift) - 1));
            // First in order, then in another one: what was made one after the other lies side by side.
            let connection = if round == 0 {
                place
            } else {
                scattered(place, shift)
            };
            headers.source = (10 << 24 | connection).to_be_bytes();
            headers.seq = round.wrapping_mul(PAYLOAD_BYTES).to_be_bytes();
        }
        OPENS => headers.source = (10 << 24 | number as u32 & 0x00ff_ffff).to_be_bytes(),
        _ => {}
    }
    Some(())
}

/// Another number of so many bits for each.
#[inline(always)]
const fn scattered(place: u32, bits: u32) -> u32 {
    let mask = (1 << bits) - 1;
    let mixed = place.wrapping_mul(0x9e37_79b1) & mask;
    (mixed ^ mixed >> (bits / 2)).wrapping_mul(0x85eb_ca6b) & mask
}
