//! The kernel's side of ownership: whose a socket is by its cookie, which socket is on which endpoints, and what the
//! programs tell as it happens.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya::maps::MapError;
use tcpviewer_common::{
    abi::Plain as _,
    connection::{ConnectionKey, Side},
    owner::{FoundSocket, OwnedSocket, OwnerEvent, SocketEnds, SocketOwner},
};
use tokio::io::{Interest, unix::AsyncFd};

use crate::attach::OwnerMaps;

/// The maps, and the way they wake the reader.
pub(super) struct Kernel {
    maps: OwnerMaps,
    /// Waits on a descriptor of its own, so that the ring can be read meanwhile.
    wake_up: AsyncFd<OwnedFd>,
}

impl Kernel {
    /// Wraps the maps.
    ///
    /// # Errors
    ///
    /// When the ring buffer cannot be waited for.
    #[expect(unsafe_code, reason = "tokio asks for a promise about the descriptor")]
    pub(super) fn new(maps: OwnerMaps) -> io::Result<Self> {
        let descriptor = maps.events.as_fd().try_clone_to_owned()?;
        // SAFETY: an `OwnedFd` names one open descriptor until it is dropped, and `AsyncFd` owns it.
        let wake_up = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        let wake_up = wake_up.map_err(io::Error::from)?;
        Ok(Self { maps, wake_up })
    }

    /// Waits until the kernel wakes the reader.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.wake_up.readable().await?.clear_ready();
        Ok(())
    }

    /// The next that the programs told.
    pub(super) fn next(&mut self) -> Option<OwnerEvent> {
        OwnerEvent::from_bytes(&self.maps.events.next()?)
    }

    /// Whose the socket is, where a program saw somebody at work on it.
    pub(super) fn owner(&self, cookie: u64) -> Option<SocketOwner> {
        let socket = answer(self.maps.owners.get(&OwnedSocket::place(cookie), 0))?;
        socket.owner_of(cookie).copied()
    }

    /// The network namespace of a socket at one end of a connection, by its cookie.
    pub(super) fn network(&self, key: &ConnectionKey, own: Side, cookie: u64) -> Option<u64> {
        match self.socket(key, own) {
            Some(found) => (found.cookie == cookie).then_some(found.network_cookie),
            None => self.maps.own_network,
        }
    }

    /// The socket at one end of a connection, in whatever network namespace but this process's.
    pub(super) fn socket(&self, key: &ConnectionKey, own: Side) -> Option<FoundSocket> {
        let (low, high) = ((key.low, key.low_port), (key.high, key.high_port));
        let (local, remote) = match own {
            Side::Low => (low, high),
            Side::High => (high, low),
        };
        let ends = SocketEnds {
            local: local.0,
            remote: remote.0,
            local_port: local.1,
            remote_port: remote.1,
            alignment: [],
        };
        answer(self.maps.ends.get(&ends, 0))
    }
}

/// What is not there, and a map that does not answer, leave a connection without an owner.
fn answer<T>(result: Result<T, MapError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(MapError::KeyNotFound) => None,
        Err(error) => {
            tracing::debug!(%error, "read kernel map");
            None
        }
    }
}
