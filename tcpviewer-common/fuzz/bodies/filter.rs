//! What holds for any text that claims to be a filter or an order.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, SystemTime},
};

use tcpviewer::{
    filter::{Filter, FilterError, InHeaders, MAX_TEXT_BYTES, Order, explain, pushdown},
    model::{Connection, Direction, Half, Handshake, LocalEnd, Orientation, Packet},
};
use tcpviewer_common::state::TcpState;

/// Reads the bytes as a filter of either kind and as an order, if they are a text.
pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let one = is_filter(text, &connection());
    let other = is_filter(text, &packet());
    assert_eq!(explain(text).is_ok(), one || other);
    if let Err(error) = Order::<Connection>::parse(text) {
        check_error(text, &error);
    }
}

/// Whether it is a filter; written out it is the same one, also to the one it is asked of.
fn is_filter<T: InHeaders>(text: &str, subject: &T) -> bool {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    let filter = match Filter::<T>::parse(text) {
        Ok(filter) => filter,
        Err(error) => {
            check_error(text, &error);
            return false;
        }
    };
    let (passes, whole) = (filter.matches(subject, now), filter.to_string());
    assert!(text.len() <= MAX_TEXT_BYTES);
    if whole.len() <= MAX_TEXT_BYTES {
        let again = match Filter::<T>::parse(&whole) {
            Ok(again) => again,
            Err(error) => unreachable!("{text:?} is written {whole:?}: {error}"),
        };
        assert_eq!(again.to_string(), whole);
        assert_eq!(again.matches(subject, now), passes);
        assert_eq!(pushdown(&again), pushdown(&filter));
        assert_eq!(again.depends_on_time(), filter.depends_on_time());
    }
    true
}

/// It has a place within the text, says what was expected there and what was found, and is not long.
fn check_error(text: &str, error: &FilterError) {
    let said = error.to_string();
    assert!((1..=text.chars().count() + 1).contains(&error.column()), "{said}");
    assert!(
        said.contains(": expected ") && said.contains(", found "),
        "{said}"
    );
    assert!(said.chars().count() < 1_000, "{said}");
    assert!(error.pointer(text).ends_with('^'));
}

fn ends() -> (SocketAddr, SocketAddr) {
    let end = |host, port| SocketAddr::from((Ipv4Addr::new(10, 0, 0, host), port));
    (end(1, 40_000), end(2, 443))
}

fn connection() -> Connection {
    let (source, destination) = ends();
    Connection {
        id: 7,
        revision: 1,
        source,
        destination,
        orientation: Orientation::Handshake,
        local_end: Some(LocalEnd::Source),
        source_owner: None,
        destination_owner: None,
        verdict: None,
        failure: None,
        notable_packets: 0,
        source_state: TcpState::Established,
        destination_state: TcpState::Unknown,
        interface: "eth0".into(),
        sent: Half {
            packets: 10,
            payload_bytes: 1_000,
            ..Half::default()
        },
        received: Half::default(),
        handshake: Handshake::default(),
        first_seen: SystemTime::UNIX_EPOCH,
        last_seen: SystemTime::UNIX_EPOCH,
        closed: None,
        ecn: None,
    }
}

fn packet() -> Packet {
    let (source, destination) = ends();
    Packet {
        timestamp: SystemTime::UNIX_EPOCH,
        connection_id: 7,
        source,
        destination,
        interface: "eth0".into(),
        direction: Direction::Egress,
        flags: 0x12,
        seq: 17,
        ack: None,
        window: 1_000,
        payload_bytes: 100,
        wire_packets: 1,
        retransmission: false,
        headers: None,
    }
}
