//! What the kernel itself says: of a socket by `ss`, of an interface by its counters.

use std::net::{SocketAddr, UdpSocket};

use serde_json::Value;

use super::namespaces::{Namespace, output};

/// What the kernel knows of one socket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Socket {
    /// Segments sent, retransmitted ones included.
    pub(crate) segments_out: u64,
    /// Segments received.
    pub(crate) segments_in: u64,
    /// Segments sent again.
    pub(crate) retransmissions: u64,
    /// Payload bytes of those.
    pub(crate) retransmitted_bytes: u64,
    /// Segments sent and not acknowledged yet.
    pub(crate) unacknowledged: u64,
    pub(crate) rtt_us: f64,
    /// Segments; `None` where `ss` does not say.
    pub(crate) congestion_window: Option<u32>,
    /// Segments; `None` until the first loss.
    pub(crate) slow_start_threshold: Option<u32>,
    pub(crate) mss_bytes: u32,
    /// All that `ss` says, as it says it.
    pub(crate) words: Vec<String>,
}

/// All sockets of a namespace, by local and remote end.
pub(crate) fn sockets(namespace: &Namespace) -> Vec<((SocketAddr, SocketAddr), Socket)> {
    let text = output(namespace.command("ss").args(["-tinmoOH"]));
    text.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<((SocketAddr, SocketAddr), Socket)> {
    let mut words = line.split_ascii_whitespace();
    let ends = (words.nth(3)?.parse().ok()?, words.next()?.parse().ok()?);
    let mut socket = Socket::default();
    for word in words {
        socket.words.push(word.to_owned());
        let Some((name, value)) = word.split_once(':') else {
            continue;
        };
        match name {
            "segs_out" => socket.segments_out = value.parse().unwrap(),
            "segs_in" => socket.segments_in = value.parse().unwrap(),
            // Those in flight, then all there ever were. Absent when there were none.
            "retrans" => socket.retransmissions = value.split_once('/').unwrap().1.parse().unwrap(),
            "cwnd" => socket.congestion_window = value.parse().ok(),
            "ssthresh" => socket.slow_start_threshold = value.parse().ok(),
            "mss" => socket.mss_bytes = value.parse().unwrap(),
            "bytes_retrans" => socket.retransmitted_bytes = value.parse().unwrap(),
            "unacked" => socket.unacknowledged = value.parse().unwrap(),
            "rtt" => socket.rtt_us = value.split_once('/').unwrap().0.parse::<f64>().unwrap() * 1000.0,
            _ => {}
        }
    }
    Some((ends, socket))
}

/// The socket with this local and remote end.
pub(crate) fn socket(namespace: &Namespace, ends: (SocketAddr, SocketAddr)) -> Socket {
    let all = sockets(namespace);
    let found = all.iter().find(|(each, _)| *each == ends);
    found
        .unwrap_or_else(|| panic!("no {ends:?} in {all:?}"))
        .1
        .clone()
}

/// Packets of a connection, sent and received, as its socket in this namespace counted them.
///
/// A socket that accepts is made by the ACK that completes the handshake. Its count of what came in starts at one,
/// for the SYN, but the SYN-ACK is not among those it sent: that belongs to the request that waited at the
/// listener (Linux, net/ipv4/tcp_minisocks.c, tcp_create_openreq_child).
pub(crate) fn segments(namespace: &Namespace, (source, destination): (SocketAddr, SocketAddr)) -> (u64, u64) {
    let is_source = namespace.enter(|| UdpSocket::bind((source.ip(), 0)).is_ok());
    if is_source {
        let socket = socket(namespace, (source, destination));
        (socket.segments_out, socket.segments_in)
    } else {
        let socket = socket(namespace, (destination, source));
        (socket.segments_in, socket.segments_out + 1)
    }
}

/// Packets and bytes of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) packets_out: u64,
    pub(crate) bytes_out: u64,
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
}

/// The counters of an interface.
pub(crate) fn traffic(namespace: &Namespace, interface: &str) -> Traffic {
    let text = namespace.ip(&format!("-json -statistics link show dev {interface}"));
    let links: Value = serde_json::from_str(&text).unwrap();
    let count = |way: &str, what: &str| links[0]["stats64"][way][what].as_u64().unwrap();
    Traffic {
        packets_out: count("tx", "packets"),
        bytes_out: count("tx", "bytes"),
        packets_in: count("rx", "packets"),
        bytes_in: count("rx", "bytes"),
    }
}
