//! The few numbers of one TCP packet that matter. A [`Segment`] is what `parse` makes of the bytes and all
//! that the tracker ever sees of a packet. Addresses and ports stay in network order, as they came.

/// An IP address in network order; IPv4 as an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2).
pub type Address = [u8; 16];

/// The IPv4-mapped form of an IPv4 address.
#[inline(always)]
pub const fn mapped(v4: [u8; 4]) -> Address {
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4[0], v4[1], v4[2], v4[3],
    ]
}

/// One TCP packet as the kernel handles it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sender's address.
    pub source: Address,
    /// Receiver's address.
    pub destination: Address,
    /// Sender's port, network order.
    pub source_port: [u8; 2],
    /// Receiver's port, network order.
    pub destination_port: [u8; 2],
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; meaningful with [`Flags::ACK`].
    pub ack: u32,
    /// TCP payload, bytes.
    pub payload_bytes: u32,
    /// Bytes before the IP header; 0 where there is no link layer.
    pub link_bytes: u32,
    /// Bytes before the payload, link-layer header included.
    pub header_bytes: u32,
    /// Bytes on the wire, link-layer header included.
    pub wire_bytes: u32,
    /// Packets on the wire that this one stands for (GSO, GRO); at least 1.
    pub wire_packets: u32,
    /// The window field, not scaled.
    pub window: u16,
    /// Control bits.
    pub flags: Flags,
    /// The ECN field of the IP header (RFC 3168, section 5).
    pub ecn: Ecn,
    /// Options; read on SYN only.
    pub options: SynOptions,
}

/// A VLAN tag (IEEE 802.1Q, 9.3).
const VLAN_TAG_BYTES: u32 = 4;

impl Segment {
    /// Sequence space the segment takes: payload, SYN and FIN count (RFC 9293, section 3.4).
    #[inline(always)]
    pub const fn sequence_length(&self) -> u32 {
        self.payload_bytes + self.flags.has(Flags::SYN) as u32 + self.flags.has(Flags::FIN) as u32
    }

    /// Adds the VLAN tag that the kernel keeps beside the frame: on the wire it is part of it.
    #[inline(always)]
    pub const fn tag(&mut self) {
        self.header_bytes += VLAN_TAG_BYTES;
        self.wire_bytes += VLAN_TAG_BYTES;
    }

    /// Makes the segment stand for several packets on the wire. `segments` is what the kernel says
    /// (`gso_segs`), 0 or 1 without offload; `segment_bytes` is the payload of each (`gso_size`). The
    /// headers that the network will see in each of them are added to the wire bytes.
    #[inline(always)]
    pub fn split(&mut self, segments: u32, segment_bytes: u32) {
        let count = if segments > 1 {
            segments
        } else if segment_bytes > 0 && self.payload_bytes > segment_bytes {
            // A device that hands over unchecked GSO packets leaves the count to the reader.
            self.payload_bytes.div_ceil(segment_bytes)
        } else {
            1
        };
        self.wire_packets = count;
        self.wire_bytes = self
            .wire_bytes
            .saturating_add((count - 1).saturating_mul(self.header_bytes));
    }
}

/// The control bits of the TCP header (RFC 9293, section 3.1), as in its 14th byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from the sender.
    pub const FIN: Self = Self(1);
    /// Synchronize sequence numbers.
    pub const SYN: Self = Self(2);
    /// Reset the connection.
    pub const RST: Self = Self(4);
    /// Push.
    pub const PSH: Self = Self(8);
    /// The acknowledgement number is significant.
    pub const ACK: Self = Self(16);
    /// A packet came with a mark of congestion (RFC 3168, section 6.1).
    pub const ECE: Self = Self(64);
    /// The congestion window was reduced.
    pub const CWR: Self = Self(128);

    /// Whether all bits of `other` are set.
    #[inline(always)]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether this begins a connection: SYN without ACK.
    #[inline(always)]
    pub const fn opens(self) -> bool {
        self.0 & (Self::SYN.0 | Self::ACK.0) == Self::SYN.0
    }
}

/// The two bits of the IP header that tell of congestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ecn(pub u8);

impl Ecn {
    /// Congestion was experienced on the way.
    pub const CE: Self = Self(3);
}

/// What a SYN announces. Each is 0 when it does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SynOptions {
    /// Maximum segment size, bytes (RFC 9293, section 3.7.1).
    pub mss_bytes: u16,
    /// Window scale plus one, so that a scale of 0 differs from none (RFC 7323, section 2).
    pub window_scale_plus_1: u8,
    /// Bits of [`SynOptions::SACK_PERMITTED`] and the like.
    pub flags: u8,
}

impl SynOptions {
    /// Selective acknowledgements are permitted (RFC 2018, section 2).
    pub const SACK_PERMITTED: u8 = 1;
    /// Timestamps are offered (RFC 7323, section 3.2).
    pub const TIMESTAMPS: u8 = 2;
    /// A Fast Open cookie is asked for or carried (RFC 7413, section 4.1.1).
    pub const FAST_OPEN: u8 = 4;

    /// Whether the bit is set.
    #[inline(always)]
    pub const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}
