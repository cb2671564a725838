//! From a captured packet to its segment, whatever link layer it was captured on. Ethernet and bare IP are read by
//! the parser that runs in the kernel; what lies before the IP header otherwise is stepped over here and counts
//! as part of the packet's header.

use tcpviewer_common::{
    parse::{Captured, Link, Skip, parse},
    segment::Segment,
};

/// The link types that are supported (tcpdump.org/linktypes.html).
const NULL: u16 = 0;
const ETHERNET: u16 = 1;
const PPP: u16 = 9;
const RAW_BSD: u16 = 12;
const RAW_OPENBSD: u16 = 14;
const PPP_HDLC: u16 = 50;
const RAW: u16 = 101;
const C_HDLC: u16 = 104;
const LOOP: u16 = 108;
const LINUX_SLL: u16 = 113;
const IPV4: u16 = 228;
const IPV6: u16 = 229;
const LINUX_SLL2: u16 = 276;

/// Tags before an IP header; longer chains are not seen outside attacks.
const MAX_TAGS: usize = 16;

/// Whether packets of this link type can be read.
pub(super) fn is_supported(link_type: u16) -> bool {
    matches!(
        link_type,
        NULL | ETHERNET
            | PPP
            | RAW_BSD
            | RAW_OPENBSD
            | PPP_HDLC
            | RAW
            | C_HDLC
            | LOOP
            | LINUX_SLL
            | IPV4
            | IPV6
            | LINUX_SLL2
    )
}

/// The segment in a packet that was `length` bytes long and begins with these.
pub(super) fn segment(link_type: u16, bytes: &[u8], length: usize) -> Result<Segment, Skip> {
    if link_type == ETHERNET {
        let plain = parse(&Captured { bytes, length }, Link::Ethernet);
        if plain != Err(Skip::NotIp) {
            return plain;
        }
    }
    let Network { offset, end } = network(link_type, bytes)?;
    let packet = Captured {
        bytes: bytes.get(offset..).ok_or(Skip::Truncated)?,
        length: end.min(length).checked_sub(offset).ok_or(Skip::Malformed)?,
    };
    let mut segment = parse(&packet, Link::None)?;
    segment.header_bytes += offset as u32;
    segment.wire_bytes = length as u32;
    Ok(segment)
}

/// Where the IP packet is.
struct Network {
    offset: usize,
    /// Where it ends at the latest.
    end: usize,
}

impl Network {
    /// At this offset; how long it is, its own header says.
    fn at(offset: usize) -> Self {
        Self {
            offset,
            end: usize::MAX,
        }
    }
}

/// Finds the IP header.
fn network(link_type: u16, bytes: &[u8]) -> Result<Network, Skip> {
    match link_type {
        ETHERNET => ethertype(bytes, 12),
        // The kind of the link, then an Ethernet type.
        C_HDLC => ethertype(bytes, 2),
        LINUX_SLL => ethertype(bytes, 14),
        LINUX_SLL2 => tagged(bytes, number(bytes, 0)?, 20),
        PPP | PPP_HDLC => ppp(bytes, 0).map(Network::at),
        NULL | LOOP => family(bytes).map(Network::at),
        _ => Ok(Network::at(0)),
    }
}

/// The IP header behind the Ethernet type at `offset`, and behind tags.
fn ethertype(bytes: &[u8], offset: usize) -> Result<Network, Skip> {
    tagged(bytes, number(bytes, offset)?, offset + 2)
}

/// The same where what follows at `offset` is of this kind.
fn tagged(bytes: &[u8], mut kind: u16, mut offset: usize) -> Result<Network, Skip> {
    for _ in 0..MAX_TAGS {
        match kind {
            0x0800 | 0x86dd => return Ok(Network::at(offset)),
            // 802.1Q, 802.1ad and the tag that came before it; VN-tag.
            0x8100 | 0x88a8 | 0x9100 => {
                kind = number(bytes, offset + 2)?;
                offset += 4;
            }
            0x8926 => {
                kind = number(bytes, offset + 4)?;
                offset += 6;
            }
            0x8864 => return pppoe(bytes, offset),
            _ => return Err(Skip::NotIp),
        }
    }
    Err(Skip::NotIp)
}

/// Behind the header of PPPoE in its session stage (RFC 2516), which says how long the PPP packet is.
fn pppoe(bytes: &[u8], offset: usize) -> Result<Network, Skip> {
    const HEADER_BYTES: usize = 6;
    let start = offset + HEADER_BYTES;
    let length = number(bytes, start - 2)?;
    Ok(Network {
        offset: ppp(bytes, start)?,
        end: start + usize::from(length),
    })
}

/// Behind the header of PPP (RFC 1661), with or without address and control, which may be left out, as may the
/// first byte of the protocol.
fn ppp(bytes: &[u8], mut offset: usize) -> Result<usize, Skip> {
    let at = |offset: usize| bytes.get(offset).copied().ok_or(Skip::Truncated);
    if (at(offset)?, at(offset + 1)?) == (0xff, 0x03) {
        offset += 2;
    }
    let protocol = if at(offset)? & 1 == 1 {
        u16::from(at(offset)?)
    } else {
        offset += 1;
        u16::from_be_bytes([at(offset - 1)?, at(offset)?])
    };
    match protocol {
        0x0021 | 0x0057 => Ok(offset + 1),
        _ => Err(Skip::NotIp),
    }
}

/// Behind the address family of a BSD loopback, in the byte order of whatever system wrote it. Each has its own
/// number for IPv6.
fn family(bytes: &[u8]) -> Result<usize, Skip> {
    let family = *bytes.first_chunk::<4>().ok_or(Skip::Truncated)?;
    let is_ip = |number| matches!(number, 2 | 10 | 24 | 28 | 30);
    if is_ip(u32::from_le_bytes(family)) || is_ip(u32::from_be_bytes(family)) {
        Ok(4)
    } else {
        Err(Skip::NotIp)
    }
}

/// The number of two bytes at `offset`.
fn number(bytes: &[u8], offset: usize) -> Result<u16, Skip> {
    let number = bytes.get(offset..).and_then(<[u8]>::first_chunk);
    Ok(u16::from_be_bytes(*number.ok_or(Skip::Truncated)?))
}
