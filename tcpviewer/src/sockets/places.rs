//! Where sockets of a network namespace are: the interface here that their packets pass, by their addresses, and whether
//! they opened their connections, by the ports that are listened on. Read when all sockets are looked at.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    os::fd::BorrowedFd,
};

use nix::ifaddrs::getifaddrs;
use tcpviewer_common::connection::Place;

use super::links;
use crate::model::{InterfaceNames, Listener};

/// The kernel's own default (Linux, net/ipv4/af_inet.c, inet_init_net).
const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// The addresses of a namespace, and what else is read inside.
pub(super) struct Surroundings {
    /// The interface of each address, or the one here to which its device leads; 0 where no programs are attached.
    interfaces: HashMap<IpAddr, u32>,
    /// The loopback, if it is that of this namespace; 0 where no programs are attached.
    loopback: u32,
    ephemeral: RangeInclusive<u16>,
    /// Whether it is the namespace of this process.
    pub(super) is_own: bool,
}

/// The same and the listened ports.
pub(super) struct Places {
    surroundings: Surroundings,
    listened: HashSet<u16>,
    listeners: Vec<Listener>,
}

impl Surroundings {
    /// Those of the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell its addresses.
    pub(super) fn own(names: &InterfaceNames) -> io::Result<Self> {
        Ok(Self {
            interfaces: addresses(|name| names.attached(name))?,
            loopback: names.attached("lo").unwrap_or_default(),
            ephemeral: ephemeral_ports(),
            is_own: true,
        })
    }

    /// Those of another one, which this thread has entered from `home`. What its sockets send comes in there, where a
    /// cable leads there.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell its links or addresses.
    pub(super) fn inside(home: BorrowedFd<'_>, names: &InterfaceNames) -> io::Result<Self> {
        let leading = links::leading_to(home)?;
        let attached = |name: &str| {
            let index = leading.get(name).copied()?;
            names.is_attached(index).then_some(index)
        };
        Ok(Self {
            interfaces: addresses(attached)?,
            loopback: 0,
            ephemeral: ephemeral_ports(),
            is_own: false,
        })
    }

    fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.interfaces.contains_key(&address)
    }
}

/// The addresses of the namespace of this thread with the interfaces that they have by their names; 0 where those have
/// none.
fn addresses(interface: impl Fn(&str) -> Option<u32>) -> io::Result<HashMap<IpAddr, u32>> {
    let mut interfaces = HashMap::new();
    for each in getifaddrs()? {
        let v4 = each
            .address
            .as_ref()
            .and_then(|address| Some(address.as_sockaddr_in()?.ip().into()));
        let v6 = each
            .address
            .as_ref()
            .and_then(|address| Some(address.as_sockaddr_in6()?.ip().into()));
        if let Some(address) = v4.or(v6) {
            interfaces.insert(address, interface(&each.interface_name).unwrap_or_default());
        }
    }
    Ok(interfaces)
}

impl Places {
    /// Those of a namespace with these surroundings and listening sockets.
    pub(super) fn new(surroundings: Surroundings, listeners: Vec<Listener>) -> Self {
        Self {
            surroundings,
            listened: listeners.iter().map(|listener| listener.address.port()).collect(),
            listeners,
        }
    }

    /// Whether it is the namespace of this process.
    pub(super) const fn is_own(&self) -> bool {
        self.surroundings.is_own
    }

    /// The interface of each address; 0 where no programs are attached.
    pub(super) const fn interfaces(&self) -> &HashMap<IpAddr, u32> {
        &self.surroundings.interfaces
    }

    /// Where what a socket sends is seen first, of a connection between these ends, the first of them its own; `None`
    /// where no programs are attached there.
    pub(super) fn place(&self, local: SocketAddr, remote: SocketAddr) -> Option<Place> {
        let surroundings = &self.surroundings;
        let index = if surroundings.is_local(remote.ip()) {
            surroundings.loopback
        } else {
            surroundings
                .interfaces
                .get(&local.ip())
                .copied()
                .unwrap_or_default()
        };
        (index != 0).then(|| Place::new(index, surroundings.is_own))
    }

    /// Whether the socket at `local` opened its connection; `None` where that is not certain: where nobody listens any
    /// more, and both ends have ports as clients get them.
    pub(super) fn opened(&self, local: SocketAddr, remote: SocketAddr) -> Option<bool> {
        let listens = |end: SocketAddr| self.listened.contains(&end.port());
        let is_clients = |end: SocketAddr| self.surroundings.ephemeral.contains(&end.port());
        if self.surroundings.is_local(remote.ip()) {
            (listens(local) != listens(remote)).then(|| listens(remote))
        } else if listens(local) {
            Some(false)
        } else {
            (is_clients(local) && !is_clients(remote)).then_some(true)
        }
    }

    /// The listening sockets.
    pub(super) fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The addresses of the namespace.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.surroundings.interfaces.keys().copied().collect()
    }
}

/// Ports that sockets get which did not ask for one.
fn ephemeral_ports() -> RangeInclusive<u16> {
    let read = || {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        let mut ports = text.split_ascii_whitespace().map(str::parse);
        Some(ports.next()?.ok()?..=ports.next()?.ok()?)
    };
    read().unwrap_or(EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(is_own: bool) -> Places {
        let address = |text: &str| text.parse().unwrap();
        Places {
            surroundings: Surroundings {
                interfaces: [
                    (address("10.0.0.1"), 2),
                    (address("10.9.0.1"), 0),
                    (address("127.0.0.1"), u32::from(is_own)),
                ]
                .into(),
                loopback: u32::from(is_own),
                ephemeral: EPHEMERAL,
                is_own,
            },
            listened: [80, 40_000].into(),
            listeners: Vec::new(),
        }
    }

    #[test]
    fn packets_of_a_socket_pass_the_interface_with_its_address_or_the_loopback() {
        for (local, remote, expected) in [
            ("10.0.0.1:80", "10.0.0.2:50000", Some(2)),
            ("10.9.0.1:80", "10.0.0.2:50000", None),
            ("10.7.0.1:80", "10.0.0.2:50000", None),
            ("10.0.0.1:80", "10.9.0.1:50000", Some(1)),
            ("127.0.0.5:80", "127.0.0.6:50000", Some(1)),
        ] {
            let found = places(true).place(local.parse().unwrap(), remote.parse().unwrap());
            let expected = expected.map(|index| Place::new(index, true));
            assert_eq!(
                found.map(|place| place.0),
                expected.map(|place| place.0),
                "{local} {remote}"
            );
        }
    }

    #[test]
    fn packets_of_a_socket_in_another_namespace_come_in_where_a_cable_leads_there() {
        for (local, remote, expected) in [
            ("10.0.0.1:80", "10.0.0.2:50000", Some(2)),
            ("10.9.0.1:80", "10.0.0.2:50000", None),
            ("10.0.0.1:80", "10.9.0.1:50000", None),
            ("127.0.0.5:80", "127.0.0.6:50000", None),
        ] {
            let found = places(false).place(local.parse().unwrap(), remote.parse().unwrap());
            let expected = expected.map(|index| Place::new(index, false));
            assert_eq!(
                found.map(|place| place.0),
                expected.map(|place| place.0),
                "{local} {remote}"
            );
        }
    }

    #[test]
    fn who_opened_a_connection_is_told_by_the_ports_that_are_listened_on() {
        for (local, remote, expected) in [
            ("10.0.0.1:80", "10.0.0.2:50000", Some(false)),
            ("10.0.0.1:40000", "10.0.0.2:50000", Some(false)),
            ("10.0.0.1:50000", "10.0.0.2:80", Some(true)),
            ("10.0.0.1:50000", "10.0.0.2:40000", None),
            ("10.0.0.1:22", "10.0.0.2:50000", None),
            ("127.0.0.1:50000", "127.0.0.1:40000", Some(true)),
            ("127.0.0.1:40000", "127.0.0.1:50000", Some(false)),
            ("127.0.0.1:50000", "127.0.0.1:50001", None),
        ] {
            let opened = places(true).opened(local.parse().unwrap(), remote.parse().unwrap());
            assert_eq!(opened, expected, "{local} {remote}");
        }
    }
}
