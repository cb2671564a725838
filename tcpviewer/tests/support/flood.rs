//! A flood of SYNs from invented addresses. It comes in through a TUN device, so that each is one write; the answers
//! leave by the same device and go nowhere.

use std::{
    fs::File,
    io::Write as _,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    thread,
    time::{Duration, Instant},
};

use super::{
    namespaces::{Namespace, assign},
    relay::{Kind, open},
};

/// SYNs between two looks at the clock.
const BATCH: usize = 500;

/// The device the flood comes through.
pub(crate) struct Flood {
    device: File,
}

impl Flood {
    /// Makes the device in a namespace, which then answers everybody through it.
    pub(crate) fn new(namespace: &Namespace) -> Self {
        let device = namespace.enter(|| open("flood0", Kind::Tun).unwrap());
        assign(namespace, "flood0", 9, 1);
        namespace.ip("route add default dev flood0");
        Self { device }
    }

    /// Sends so many SYNs, spread over this time or as fast as it goes, each from another end.
    pub(crate) fn send(&mut self, to: SocketAddrV4, count: usize, duration: Duration) {
        let started = Instant::now();
        let mut random = 0x9e37_79b9_7f4a_7c15;
        for number in 0..count {
            if number % BATCH == 0 {
                let due = started + duration.mul_f64(number as f64 / count as f64);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            self.device.write_all(&syn(next(&mut random), to)).unwrap();
        }
    }
}

/// What a flood goes to: a listener that does not accept, and where it is. The kernel's own patience with half-open
/// connections would outlast a test's, so it answers each SYN once.
pub(crate) fn target(namespace: &Namespace, address: Ipv4Addr) -> (TcpListener, SocketAddrV4) {
    namespace.set("ipv4/tcp_synack_retries", "0");
    let listener = namespace.enter(|| TcpListener::bind((address, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    (listener, SocketAddrV4::new(address, port))
}

/// The next of Marsaglia's xorshift numbers: none comes twice.
fn next(random: &mut u64) -> u64 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    *random
}

/// A SYN from an end made of a random number: an address from 11.0.0.0 to 126.255.255.255, any port.
fn syn(random: u64, to: SocketAddrV4) -> [u8; 40] {
    let bytes = random.to_be_bytes();
    let address = [11 + bytes[0] % 116, bytes[1], bytes[2], bytes[3]];
    let mut packet = [0; 40];
    packet[..4].copy_from_slice(&[0x45, 0, 0, 40]);
    packet[8..10].copy_from_slice(&[64, 6]);
    packet[12..16].copy_from_slice(&address);
    packet[16..20].copy_from_slice(&to.ip().octets());
    packet[20..22].copy_from_slice(&[bytes[4], bytes[5] | 1]);
    packet[22..24].copy_from_slice(&to.port().to_be_bytes());
    packet[24..28].copy_from_slice(&bytes[2..6]);
    packet[32..36].copy_from_slice(&[0x50, 0x02, 0x20, 0]);
    let header = checksum(sum(&packet[..20]));
    packet[10..12].copy_from_slice(&header);
    // The pseudo-header: both addresses, the protocol, the length of the segment (RFC 9293, section 3.1).
    let segment = checksum(sum(&packet[12..]) + 6 + 20);
    packet[36..38].copy_from_slice(&segment);
    packet
}

fn sum(bytes: &[u8]) -> u32 {
    bytes
        .chunks_exact(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum()
}

fn checksum(sum: u32) -> [u8; 2] {
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!(folded as u16)).to_be_bytes()
}
