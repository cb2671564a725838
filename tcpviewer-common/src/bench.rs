//! What the programs for the benchmark and who loads them agree upon: how the packets of one run differ.

/// Each packet carries the data that follows what the last one carried.
pub const NEXT_DATA: u32 = 1;
/// Each packet acknowledges more than the last one.
pub const NEXT_ACK: u32 = 2;
/// Each packet answers the last one, and acknowledges it.
pub const ANSWERS: u32 = 3;
/// Each packet carries the next data of another connection, all of them in turn.
pub const CONNECTIONS: u32 = 4;
/// Each packet is of a connection that was not there before.
pub const OPENS: u32 = 5;

/// TCP payload of a packet.
pub const PAYLOAD_BYTES: u32 = 1_448;

/// Who is asked.
pub const SERVER: [u8; 4] = [192, 0, 2, 1];
/// Where.
pub const SERVER_PORT: u16 = 80;
/// Whence.
pub const CLIENT_PORT: u16 = 40_000;
