//! Where on this host a socket is: the interface that its packets pass, by its addresses, and whether it opened its
//! connection, by the ports that are listened on. Read when all sockets are looked at.

use std::{
    collections::{HashMap, HashSet},
    fs,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
};

use nix::ifaddrs::getifaddrs;

use super::{
    diag::DiagError,
    source::{LookError, Source},
};
use crate::model::{InterfaceNames, Listener};

/// The kernel's own default (Linux, net/ipv4/af_inet.c, inet_init_net).
const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// The addresses and the listened ports of this host.
pub(super) struct Places {
    /// The interface of each address; 0 where no programs are attached.
    interfaces: HashMap<IpAddr, u32>,
    /// The loopback; 0 where no programs are attached.
    loopback: u32,
    listened: HashSet<u16>,
    listeners: Vec<Listener>,
    ephemeral: RangeInclusive<u16>,
}

impl Places {
    /// Those of the network namespace of this thread.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell which ports are listened on.
    pub(super) fn read(source: &mut Source, names: &InterfaceNames) -> Result<Self, LookError> {
        let listeners = source.listening()?;
        let mut interfaces = HashMap::new();
        for each in getifaddrs().map_err(|error| DiagError::Ask(error.into()))? {
            let v4 = each
                .address
                .as_ref()
                .and_then(|address| Some(address.as_sockaddr_in()?.ip().into()));
            let v6 = each
                .address
                .as_ref()
                .and_then(|address| Some(address.as_sockaddr_in6()?.ip().into()));
            if let Some(address) = v4.or(v6) {
                interfaces.insert(address, names.attached(&each.interface_name).unwrap_or_default());
            }
        }
        Ok(Self {
            interfaces,
            loopback: names.attached("lo").unwrap_or_default(),
            listened: listeners.iter().map(|listener| listener.address.port()).collect(),
            listeners,
            ephemeral: ephemeral_ports(),
        })
    }

    /// The interface that packets between these ends pass, the first of them a socket of this host; `None` where no
    /// programs are attached to it.
    pub(super) fn interface(&self, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
        let index = if self.is_local(remote.ip()) {
            self.loopback
        } else {
            self.interfaces.get(&local.ip()).copied().unwrap_or_default()
        };
        (index != 0).then_some(index)
    }

    /// Whether the socket at `local` opened its connection; `None` where that is not certain: where nobody listens any
    /// more, and both ends have ports as clients get them.
    pub(super) fn opened(&self, local: SocketAddr, remote: SocketAddr) -> Option<bool> {
        let listens = |end: SocketAddr| self.listened.contains(&end.port());
        let is_clients = |end: SocketAddr| self.ephemeral.contains(&end.port());
        if self.is_local(remote.ip()) {
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

    /// The addresses of this host.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.interfaces.keys().copied().collect()
    }

    fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.interfaces.contains_key(&address)
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

    fn places() -> Places {
        let address = |text: &str| text.parse().unwrap();
        Places {
            interfaces: [
                (address("10.0.0.1"), 2),
                (address("10.9.0.1"), 0),
                (address("127.0.0.1"), 1),
            ]
            .into(),
            loopback: 1,
            listened: [80, 40_000].into(),
            listeners: Vec::new(),
            ephemeral: EPHEMERAL,
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
            let found = places().interface(local.parse().unwrap(), remote.parse().unwrap());
            assert_eq!(found, expected, "{local} {remote}");
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
            let opened = places().opened(local.parse().unwrap(), remote.parse().unwrap());
            assert_eq!(opened, expected, "{local} {remote}");
        }
    }
}
