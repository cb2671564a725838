//! A connection for tests, which say what matters to them.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::SystemTime,
};

use tcpviewer_common::state::TcpState;

use super::{Connection, Half, Handshake, Orientation};

/// An open one over the loopback, of which nothing is known besides.
pub(crate) fn connection() -> Connection {
    Connection {
        id: 1,
        revision: 1,
        source: SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)),
        destination: SocketAddr::from((Ipv4Addr::LOCALHOST, 443)),
        orientation: Orientation::Handshake,
        local_end: None,
        source_state: TcpState::Established,
        destination_state: TcpState::Established,
        interface: "lo".into(),
        sent: Half::default(),
        received: Half::default(),
        handshake: Handshake::default(),
        first_seen: SystemTime::UNIX_EPOCH,
        last_seen: SystemTime::UNIX_EPOCH,
        closed: None,
        ecn: None,
        source_owner: None,
        destination_owner: None,
        verdict: None,
        failure: None,
        notable_packets: 0,
    }
}
