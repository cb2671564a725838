//! The kernel's number of a socket in the record of its connection, compared with what the socket itself says of
//! it: for both ends on the loopback, for the near end on a cable, and for nobody where no socket sends.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and says where it skips"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use rustix::net::sockopt::{set_socket_linger, socket_cookie};
use support::{
    PATIENCE,
    namespaces::{Bridged, Namespace, Pair},
    require_root, share_machine,
    traffic::Open,
    wait_for,
};
use tcpviewer::{
    attach::{
        KernelMaps,
        links::{Attachment, Framing, Seen, attach_tcx},
        load,
    },
    config::{AttachConfig, HookChoice, IngressHook},
    model::endpoint,
};
use tcpviewer_common::connection::{ConnectionRecord, Side};

/// The programs at one device of a namespace, until they are dropped.
struct Attached {
    maps: KernelMaps,
    _links: Attachment,
    _ebpf: aya::Ebpf,
}

impl Attached {
    fn new(namespace: &Namespace, device: &str) -> Self {
        let config = AttachConfig {
            interfaces: Vec::new(),
            hook: HookChoice::Tcx,
            ingress_hook: IngressHook::Tc,
            max_connections: 1_024,
        };
        let (programs, maps, _owners) = load::load(&config, 250_000_000).unwrap();
        let mut ebpf = programs.ebpf;
        let links = namespace.enter(|| attach_tcx(&mut ebpf, device, Framing::Ethernet, Seen::Both).unwrap());
        Self {
            maps,
            _links: links,
            _ebpf: ebpf,
        }
    }

    /// The record of the connection between these two, and the cookies of the first and the second.
    fn look(&self, (first, second): (SocketAddr, SocketAddr)) -> Option<(ConnectionRecord, [u64; 2])> {
        for key in self.maps.connections.keys() {
            let key = key.unwrap();
            let (low, high) = (endpoint(key.low, key.low_port), endpoint(key.high, key.high_port));
            let is_first_low = match (low, high) {
                ends if ends == (first, second) => true,
                ends if ends == (second, first) => false,
                _ => continue,
            };
            let record = self.maps.connections.get(&key, 0).ok()?.record;
            let [low, high] = record.halves.map(|half| half.socket_cookie);
            return Some((record, if is_first_low { [low, high] } else { [high, low] }));
        }
        None
    }

    fn cookies(&self, ends: (SocketAddr, SocketAddr)) -> [u64; 2] {
        wait_for(PATIENCE, "record", || self.look(ends)).1
    }
}

#[test]
fn each_end_of_the_loopback_has_the_number_its_socket_says() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let alone = Namespace::new();
    let attached = Attached::new(&alone, "lo");
    for address in [
        Ipv4Addr::LOCALHOST.into(),
        std::net::IpAddr::from(Ipv6Addr::LOCALHOST),
    ] {
        let open = Open::new(&alone, &alone, address);
        open.exchange_in_turn(100, 100);
        let said = [&open.source, &open.destination].map(|end| socket_cookie(end).unwrap());
        assert_eq!(attached.cookies(open.ends()), said);
    }
}

#[test]
fn only_the_near_end_of_a_cable_is_known() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let attached = Attached::new(&pair.left, "veth0");
    let out = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    let into = Open::new(&pair.right, &pair.left, Pair::LEFT);
    for open in [&out, &into] {
        open.exchange_in_turn(100, 100);
    }
    assert_eq!(
        attached.cookies(out.ends()),
        [socket_cookie(&out.source).unwrap(), 0]
    );
    assert_eq!(
        attached.cookies(into.ends()),
        [0, socket_cookie(&into.destination).unwrap()]
    );
}

#[test]
fn who_passes_packets_on_has_no_socket() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let bridged = Bridged::new();
    let attached = Attached::new(&bridged.middle, "right0");
    let open = Open::new(&bridged.left, &bridged.right, Pair::RIGHT);
    open.exchange_in_turn(100, 100);
    assert_eq!(attached.cookies(open.ends()), [0, 0]);
}

#[test]
fn a_refusal_has_no_socket_and_who_was_refused_has_one() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let alone = Namespace::new();
    let attached = Attached::new(&alone, "lo");
    alone.enter(|| {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let nobody = taken.local_addr().unwrap();
        drop(taken);
        TcpStream::connect(nobody).unwrap_err();
        let [refused, refusing] = attached
            .maps
            .connections
            .keys()
            .find_map(|key| {
                let key = key.unwrap();
                let record = attached.maps.connections.get(&key, 0).ok()?.record;
                let [low, high] = record.halves.map(|half| half.socket_cookie);
                Some(match record.source_side() {
                    Side::Low => [low, high],
                    Side::High => [high, low],
                })
            })
            .unwrap();
        assert_ne!(refused, 0);
        assert_eq!(refusing, 0);
    });
}

#[test]
fn another_connection_on_the_same_endpoints_has_its_own_number() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let alone = Namespace::new();
    let attached = Attached::new(&alone, "lo");
    alone.enter(|| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let there = listener.local_addr().unwrap();
        // The reset at its end leaves no TIME_WAIT that would keep the port.
        let connect = |from: Option<u16>| {
            let end = match from {
                None => TcpStream::connect(there).unwrap(),
                Some(port) => connect_from(port, there),
            };
            let mut accepted = listener.accept().unwrap().0;
            (&end).write_all(&[1]).unwrap();
            accepted.read_exact(&mut [0]).unwrap();
            set_socket_linger(&end, Some(Duration::ZERO)).unwrap();
            (end, accepted)
        };
        let (first, accepted) = connect(None);
        let ends = (first.local_addr().unwrap(), there);
        let known = [&first, &accepted].map(|end| socket_cookie(end).unwrap());
        assert_eq!(attached.cookies(ends), known);
        let (before, _) = attached.look(ends).unwrap();
        drop(first);
        accepted.shutdown(Shutdown::Both).ok();
        drop(accepted);

        let (second, accepted) = connect(Some(ends.0.port()));

        let (after, cookies) = attached.look(ends).unwrap();
        assert_ne!(after.id, before.id);
        assert_eq!(
            cookies,
            [&second, &accepted].map(|end| socket_cookie(end).unwrap())
        );
    });
}

/// Connects from a port that is free.
fn connect_from(port: u16, to: SocketAddr) -> TcpStream {
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    let end = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&end, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
    connect(&end, &to).unwrap();
    end.into()
}
