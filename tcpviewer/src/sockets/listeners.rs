//! The listening sockets of this host: each with its queues, the handshakes that are on their way to it, and what was
//! dropped there. Asked for when somebody wants to know.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use netlink_packet_sock_diag::{
    constants::{AF_INET, AF_INET6},
    inet::{ExtensionFlags, InetResponse, StateFlags, nlas::Nla},
};

use super::diag::{Diag, DiagError, cookie_of};
use crate::model::Listener;

/// How many handshakes are on their way to an address.
pub(super) type Handshakes = HashMap<SocketAddr, u32>;

/// All of them, by address.
pub(super) fn listeners(diag: &mut Diag) -> Result<Vec<Listener>, DiagError> {
    let (listeners, mut handshakes) = (listening(diag)?, Handshakes::new());
    for family in [AF_INET, AF_INET6] {
        diag.dump(family, StateFlags::SYN_RECV, ExtensionFlags::empty())?;
        while let Some(part) = diag.part()? {
            for answer in part.parsed() {
                *handshakes.entry(local(&answer)).or_default() += 1;
            }
        }
    }
    Ok(completed(listeners, handshakes))
}

/// The listening sockets alone.
pub(super) fn listening(diag: &mut Diag) -> Result<Vec<Listener>, DiagError> {
    let mut listeners = Vec::new();
    for family in [AF_INET, AF_INET6] {
        diag.dump(family, StateFlags::LISTEN, ExtensionFlags::SKMEMINFO)?;
        while let Some(part) = diag.part()? {
            listeners.extend(part.parsed().map(|answer| listener(&answer)));
        }
    }
    Ok(listeners)
}

/// The listening sockets with the handshakes that are on their way to them, by address.
pub(super) fn completed(mut listeners: Vec<Listener>, handshakes: Handshakes) -> Vec<Listener> {
    for (address, count) in handshakes {
        if let Some(listener) = taker(&mut listeners, address) {
            listener.syn_queue = Some(listener.syn_queue.unwrap_or_default() + count);
        }
    }
    listeners.sort_by_key(|listener| (listener.address.port(), listener.address.ip()));
    listeners
}

/// What was said of a listening socket.
fn listener(answer: &InetResponse) -> Listener {
    let header = &answer.header;
    let is_v6_only = answer.nlas.iter().find_map(|attribute| {
        let Nla::SkV6Only(only) = attribute else {
            return None;
        };
        Some(*only)
    });
    let drops = answer.nlas.iter().find_map(|attribute| {
        let Nla::MemInfo(memory) = attribute else {
            return None;
        };
        Some(memory.drops)
    });
    Listener {
        address: local(answer),
        is_dual_stack: is_v6_only
            .filter(|_only| header.family == AF_INET6)
            .map(|only| !only),
        accept_queue: header.recv_queue,
        accept_queue_limit: Some(header.send_queue),
        syn_queue: Some(0),
        drops,
        user_id: header.uid,
        cookie: cookie_of(header.socket_id.cookie),
        inode: header.inode.into(),
        network_namespace: None,
        owner: None,
    }
}

fn local(answer: &InetResponse) -> SocketAddr {
    let id = &answer.header.socket_id;
    SocketAddr::new(id.source_address.to_canonical(), id.source_port)
}

/// The listener that takes connections to this address: the one that listens there, else at any of its family, else
/// at any address at all. Of several that share it (SO_REUSEPORT) the first: the kernel does not say which.
fn taker(listeners: &mut [Listener], address: SocketAddr) -> Option<&mut Listener> {
    let any_v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let any_v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let any_of_family = if address.is_ipv4() { any_v4 } else { any_v6 };
    let listens = |listener: &Listener, at| listener.address == SocketAddr::new(at, address.port());
    let place = [address.ip(), any_of_family, any_v6].into_iter().find_map(|at| {
        let mut all = listeners.iter();
        all.position(|listener| listens(listener, at))
    })?;
    listeners.get_mut(place)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_listener_tells_how_many_wait_for_it_and_how_many_may() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let _waiting = [(); 3].map(|()| TcpStream::connect(address).unwrap());

        let all = listeners(&mut Diag::open().unwrap()).unwrap();

        let found = all.iter().find(|listener| listener.address == address).unwrap();
        assert_eq!(
            (found.accept_queue, found.syn_queue, found.drops),
            (3, Some(0), Some(0))
        );
        assert!(
            found.accept_queue_limit.unwrap() >= 3 && found.cookie != 0,
            "{found:?}"
        );
    }

    #[test]
    fn a_handshake_belongs_to_the_listener_that_is_nearest_to_its_address() {
        let listener = |address: &str| Listener {
            address: address.parse().unwrap(),
            is_dual_stack: None,
            accept_queue: 0,
            accept_queue_limit: None,
            syn_queue: None,
            drops: None,
            user_id: 0,
            cookie: 0,
            inode: 0,
            network_namespace: None,
            owner: None,
        };
        let mut all = ["0.0.0.0:80", "10.0.0.1:80", "[::]:80", "[::]:443"].map(listener);
        for (address, expected) in [
            ("10.0.0.1:80", Some("10.0.0.1:80")),
            ("10.0.0.2:80", Some("0.0.0.0:80")),
            ("[fd00::1]:80", Some("[::]:80")),
            ("10.0.0.1:443", Some("[::]:443")),
            ("10.0.0.1:22", None),
        ] {
            let taker = taker(&mut all, address.parse().unwrap());
            assert_eq!(
                taker.map(|listener| listener.address),
                expected.map(|address| address.parse().unwrap()),
                "{address}"
            );
        }
    }
}
