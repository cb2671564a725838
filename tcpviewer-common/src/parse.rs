//! From bytes to a [`Segment`]: Ethernet with up to two VLAN tags, or bare IP; IPv4 with options; IPv6 with
//! extension headers; TCP with the options of a SYN. The bytes come through [`PacketBytes`], so the kernel
//! reads them in place with its own bounds check and user space reads a slice. Payload is never touched.

use crate::segment::{Address, Ecn, Flags, Segment, SynOptions, mapped};

/// The bytes of one packet.
pub trait PacketBytes {
    /// `N` bytes from `offset`, where the packet has them at hand. `N` is at least 2: a check for one byte
    /// compiles to a comparison that the kernel's verifier does not take for a bounds check.
    fn bytes<const N: usize>(&self, offset: usize) -> Option<&[u8; N]>;

    /// Length of the packet, bytes; more than is at hand where it is cut or not linear.
    fn length(&self) -> usize;

    /// The same offset, which is at most [`MAX_OFFSET`]. The kernel's verifier follows every way an offset can
    /// come about; here its implementation makes all ways look alike, so that what follows is checked once.
    #[inline(always)]
    fn joined(&self, offset: usize) -> usize {
        offset
    }
}

/// What the packet begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// The IP header: tun, WireGuard, PPP and other devices without a link layer.
    None,
}

/// Why a packet gives no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Neither IPv4 nor IPv6.
    NotIp,
    /// IP, but not TCP.
    NotTcp,
    /// A fragment after the first: it has no TCP header.
    Fragment,
    /// It ends before the TCP header does.
    Truncated,
    /// Its headers contradict themselves.
    Malformed,
}

/// Headers that reach further than this are not followed. One less than a power of two.
pub const MAX_OFFSET: usize = 1023;

const ETHERNET_BYTES: usize = 14;
const VLAN_BYTES: usize = 4;
const IPV4_BYTES: usize = 20;
const IPV6_BYTES: usize = 40;
const TCP_BYTES: usize = 20;
/// No chain of this length is seen outside attacks; each costs the kernel's verifier a round.
const MAX_EXTENSION_HEADERS: usize = 6;
/// The options of a SYN that are looked at, padding included. No known system sends more than ten.
const MAX_OPTIONS: usize = 12;

/// The segment in this packet. Its `wire_packets` is 1: only the caller knows of offloads.
///
/// # Errors
///
/// The reason why there is none.
#[inline(always)]
pub fn parse<P: PacketBytes>(packet: &P, link: Link) -> Result<Segment, Skip> {
    let network = match link {
        Link::Ethernet => packet.joined(ethernet_payload(packet)?),
        Link::None => 0,
    };
    // No IP header is shorter.
    let header = packet.bytes::<IPV4_BYTES>(network).ok_or(Skip::Truncated)?;
    let payload = match header[0] >> 4 {
        4 => ipv4(packet, network, header)?,
        6 => ipv6(packet, network)?,
        _ => return Err(Skip::NotIp),
    };
    if payload.offset > MAX_OFFSET {
        return Err(Skip::Truncated);
    }
    // A packet that ends before its IP header says holds no more than what is there.
    let end = if payload.end < packet.length() {
        payload.end
    } else {
        packet.length()
    };
    tcp(
        packet,
        packet.joined(payload.offset),
        IpPayload { end, ..payload },
        network,
    )
}

/// What an IP header says of the TCP segment behind it.
struct IpPayload {
    source: Address,
    destination: Address,
    /// Where it begins.
    offset: usize,
    /// Where it ends.
    end: usize,
    ecn: Ecn,
}

/// Offset of the IP header in an Ethernet frame.
#[inline(always)]
fn ethernet_payload<P: PacketBytes>(packet: &P) -> Result<usize, Skip> {
    let header = packet.bytes::<ETHERNET_BYTES>(0).ok_or(Skip::Truncated)?;
    let mut kind = u16::from_be_bytes([header[12], header[13]]);
    let mut offset = ETHERNET_BYTES;
    for _ in 0..2 {
        // 802.1Q, 802.1ad and the tag that came before it.
        if !matches!(kind, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        let tag = packet.bytes::<VLAN_BYTES>(offset).ok_or(Skip::Truncated)?;
        kind = u16::from_be_bytes([tag[2], tag[3]]);
        offset += VLAN_BYTES;
    }
    match kind {
        0x0800 | 0x86dd => Ok(offset),
        _ => Err(Skip::NotIp),
    }
}

#[inline(always)]
fn ipv4<P: PacketBytes>(packet: &P, network: usize, header: &[u8; IPV4_BYTES]) -> Result<IpPayload, Skip> {
    let header_bytes = usize::from(header[0] & 0x0f) * 4;
    if header_bytes < IPV4_BYTES {
        return Err(Skip::Malformed);
    }
    if header[9] != 6 {
        return Err(Skip::NotTcp);
    }
    if u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0 {
        return Err(Skip::Fragment);
    }
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    Ok(IpPayload {
        source: mapped([header[12], header[13], header[14], header[15]]),
        destination: mapped([header[16], header[17], header[18], header[19]]),
        offset: network + header_bytes,
        // 0 where the packet is longer than the field can say, or is yet to be cut by the device.
        end: if total == 0 {
            packet.length()
        } else {
            network + total
        },
        ecn: Ecn(header[1] & 3),
    })
}

#[inline(always)]
fn ipv6<P: PacketBytes>(packet: &P, network: usize) -> Result<IpPayload, Skip> {
    let header = packet.bytes::<IPV6_BYTES>(network).ok_or(Skip::Truncated)?;
    let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let mut next = header[6];
    let mut offset = network + IPV6_BYTES;
    for _ in 0..MAX_EXTENSION_HEADERS {
        if next == 6 {
            break;
        }
        let extension = packet.bytes::<8>(offset).ok_or(Skip::Truncated)?;
        offset += match next {
            // Hop-by-hop, routing, destination options, mobility: all of one form (RFC 6564).
            0 | 43 | 60 | 135 => (usize::from(extension[1]) + 1) * 8,
            // Fragment.
            44 if u16::from_be_bytes([extension[2], extension[3]]) & 0xfff8 == 0 => 8,
            44 => return Err(Skip::Fragment),
            // Authentication: its length counts words of four bytes, less two.
            51 => (usize::from(extension[1]) + 2) * 4,
            _ => return Err(Skip::NotTcp),
        };
        if offset > MAX_OFFSET {
            return Err(Skip::Truncated);
        }
        offset = packet.joined(offset);
        next = extension[0];
    }
    if next != 6 {
        return Err(Skip::NotTcp);
    }
    Ok(IpPayload {
        source: address::<8>(header),
        destination: address::<24>(header),
        offset,
        // 0 in a jumbogram (RFC 2675): its true length is the packet's.
        end: if payload == 0 {
            packet.length()
        } else {
            network + IPV6_BYTES + payload
        },
        ecn: Ecn(header[1] >> 4 & 3),
    })
}

/// The address at this place of an IPv6 header. The place is known when this is compiled: a copy of unknown length is a
/// loop over bytes in the kernel.
#[inline(always)]
fn address<const AT: usize>(header: &[u8; IPV6_BYTES]) -> Address {
    const { assert!(AT + size_of::<Address>() <= IPV6_BYTES) };
    header.split_at(AT).1.first_chunk().copied().unwrap_or_default()
}

/// The segment whose IP header begins at `network` and whose TCP header begins at `offset`.
#[inline(always)]
fn tcp<P: PacketBytes>(
    packet: &P,
    offset: usize,
    payload: IpPayload,
    network: usize,
) -> Result<Segment, Skip> {
    let header = packet.bytes::<TCP_BYTES>(offset).ok_or(Skip::Truncated)?;
    let data_offset = usize::from(header[12] >> 4) * 4;
    if data_offset < TCP_BYTES || offset + data_offset > payload.end {
        return Err(Skip::Malformed);
    }
    let flags = Flags(header[13]);
    let options = if flags.has(Flags::SYN) {
        syn_options(packet, offset + TCP_BYTES, offset + data_offset)
    } else {
        SynOptions::default()
    };
    Ok(Segment {
        source: payload.source,
        destination: payload.destination,
        source_port: [header[0], header[1]],
        destination_port: [header[2], header[3]],
        seq: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        ack: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        payload_bytes: (payload.end - offset - data_offset) as u32,
        link_bytes: network as u32,
        header_bytes: (offset + data_offset) as u32,
        wire_bytes: packet.length() as u32,
        wire_packets: 1,
        window: u16::from_be_bytes([header[14], header[15]]),
        flags,
        ecn: payload.ecn,
        options,
    })
}

/// The options between two offsets, as far as they can be read.
#[inline(always)]
fn syn_options<P: PacketBytes>(packet: &P, start: usize, end: usize) -> SynOptions {
    let mut options = SynOptions::default();
    let mut offset = start;
    for _ in 0..MAX_OPTIONS {
        // A last option of one byte is not worth reading: it says nothing.
        let Some(&[kind, length]) = packet.bytes::<2>(offset) else {
            break;
        };
        // An option that says it reaches into the payload says nothing else.
        if offset + 1 >= end || kind == 0 || kind > 1 && (length < 2 || offset + usize::from(length) > end) {
            break;
        }
        match (kind, length) {
            (2, 4) => {
                if let Some(option) = packet.bytes::<4>(offset) {
                    options.mss_bytes = u16::from_be_bytes([option[2], option[3]]);
                }
            }
            (3, 3) => {
                if let Some(&[_, _, shift]) = packet.bytes::<3>(offset) {
                    // RFC 7323, section 2.3: a shift above 14 is used as 14.
                    options.window_scale_plus_1 = if shift > 14 { 15 } else { shift + 1 };
                }
            }
            (4, 2) => options.flags |= SynOptions::SACK_PERMITTED,
            (8, 10) => options.flags |= SynOptions::TIMESTAMPS,
            // No cookie, or one of four to sixteen bytes.
            (34, 2 | 6..=18) => options.flags |= SynOptions::FAST_OPEN,
            _ => {}
        }
        offset += if kind == 1 { 1 } else { usize::from(length) };
        if offset > MAX_OFFSET {
            break;
        }
        offset = packet.joined(offset);
    }
    options
}

/// A packet in memory, for user space and tests: what was kept of it and how long it was.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// The bytes at hand.
    pub bytes: &'a [u8],
    /// Its length on the wire, bytes.
    pub length: usize,
}

impl PacketBytes for Captured<'_> {
    fn bytes<const N: usize>(&self, offset: usize) -> Option<&[u8; N]> {
        self.bytes.get(offset..)?.first_chunk()
    }

    fn length(&self) -> usize {
        self.length
    }
}

#[cfg(test)]
mod tests;
