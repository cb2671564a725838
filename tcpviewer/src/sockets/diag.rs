//! The conversation with the kernel about its sockets (NETLINK_SOCK_DIAG, man 7 sock_diag): a request goes out, the
//! answer is there when the request returns, and comes out in the words of `netlink-packet-sock-diag`.

use std::{io, net::SocketAddr};

use netlink_packet_core::{
    DecodeError, ErrorMessage, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_SOCK_DIAG};
use tcpviewer_common::connection::{ConnectionKey, Side};
use thiserror::Error;

use crate::model::endpoint;

/// Room for one datagram of answers: more than the kernel puts into one (Linux, net/netlink/af_netlink.c,
/// netlink_dump: 32 KiB).
const ROOM: usize = 64 * 1024;
/// `INET_DIAG_NOCOOKIE`: whichever socket it is.
const ANY_COOKIE: [u8; 8] = [0xff; 8];

/// Why the kernel gives no word of its sockets.
#[derive(Debug, Error)]
pub enum DiagError {
    /// It does not talk.
    #[error("open a netlink socket for sock_diag: {0}")]
    Open(io::Error),
    /// A request does not arrive, or is refused.
    #[error("ask sock_diag: {0}")]
    Ask(#[from] io::Error),
    /// The answer is not understood.
    #[error("read an answer of sock_diag: {0}")]
    Answer(#[from] DecodeError),
}

/// A netlink socket for questions about the sockets of one network namespace: the one it was opened in.
pub struct Diag {
    socket: Socket,
    room: Vec<u8>,
    /// Number of the newest request, by which its answers are known.
    sequence: u32,
}

impl Diag {
    /// Opens it in the namespace of this thread.
    ///
    /// # Errors
    ///
    /// When the kernel does not talk.
    pub fn open() -> Result<Self, DiagError> {
        let mut socket = Socket::new(NETLINK_SOCK_DIAG).map_err(DiagError::Open)?;
        socket.bind_auto().map_err(DiagError::Open)?;
        socket
            .connect(&NetlinkAddress::new(0, 0))
            .map_err(DiagError::Open)?;
        Ok(Self {
            socket,
            room: vec![0; ROOM],
            sequence: 0,
        })
    }

    /// The socket at one end of a connection, the one with this cookie unless that is 0; `None` where there is none.
    ///
    /// # Errors
    ///
    /// When the kernel does not answer.
    pub fn ask(
        &mut self,
        key: &ConnectionKey,
        own: Side,
        cookie: u64,
    ) -> Result<Option<InetResponse>, DiagError> {
        let (low, high) = (endpoint(key.low, key.low_port), endpoint(key.high, key.high_port));
        let (local, remote) = match own {
            Side::Low => (low, high),
            Side::High => (high, low),
        };
        let request = InetRequest {
            family: if local.is_ipv4() { AF_INET } else { AF_INET6 },
            protocol: IPPROTO_TCP,
            extensions: ExtensionFlags::INFO | ExtensionFlags::CONG | ExtensionFlags::SKMEMINFO,
            states: StateFlags::all(),
            socket_id: socket_id(local, remote, cookie),
        };
        self.send(request, NLM_F_REQUEST)?;
        let answer = self.receive()?.payload;
        if let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(answer)) = answer {
            Ok(Some(*answer))
        } else if let NetlinkPayload::Error(refusal) = answer {
            if is_absent(&refusal) {
                return Ok(None);
            }
            Err(refusal.to_io().into())
        } else {
            Err(DecodeError::from(format!("unexpected {answer:?}")).into())
        }
    }

    fn send(&mut self, request: InetRequest, flags: u16) -> Result<(), DiagError> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        Ok(())
    }

    /// The answer to the newest request. It is there already: the kernel writes it while the request is sent.
    fn receive(&mut self) -> Result<NetlinkMessage<SockDiagMessage>, DiagError> {
        loop {
            let length = self.socket.recv(&mut &mut self.room[..], libc::MSG_DONTWAIT)?;
            let message = NetlinkMessage::deserialize(&self.room[..length])?;
            // Of a request that was given up there may be more.
            if message.header.sequence_number == self.sequence {
                return Ok(message);
            }
        }
    }
}

fn socket_id(local: SocketAddr, remote: SocketAddr, cookie: u64) -> SocketId {
    SocketId {
        source_port: local.port(),
        destination_port: remote.port(),
        source_address: local.ip(),
        destination_address: remote.ip(),
        interface_id: 0,
        cookie: match cookie {
            0 => ANY_COOKIE,
            cookie => cookie_bytes(cookie),
        },
    }
}

/// Two numbers of 32 bits, the lower one first (Linux, net/core/sock_diag.c, sock_diag_save_cookie).
fn cookie_bytes(cookie: u64) -> [u8; 8] {
    let [low, high] = [cookie as u32, (cookie >> 32) as u32].map(u32::to_ne_bytes);
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&low);
    bytes[4..].copy_from_slice(&high);
    bytes
}

/// Whether there is no such socket, or another one in its place.
fn is_absent(refusal: &ErrorMessage) -> bool {
    matches!(refusal.raw_code(), code if code == -libc::ENOENT || code == -libc::ESTALE)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::model::key_between;

    #[test]
    fn a_socket_of_this_host_is_found_and_one_that_is_not_there_is_not() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let source = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (local, remote) = (source.local_addr().unwrap(), source.peer_addr().unwrap());
            let mut diag = Diag::open().unwrap();

            let (key, own) = key_between(local, remote);
            let found = diag.ask(&key, own, 0).unwrap().unwrap();
            assert_eq!(found.header.socket_id.source_port, local.port());
            assert_eq!(found.header.socket_id.destination_address, remote.ip());

            let cookie = u64::from_le_bytes(found.header.socket_id.cookie);
            assert_eq!(
                diag.ask(&key, own, cookie).unwrap().unwrap().header.inode,
                found.header.inode
            );
            assert_eq!(diag.ask(&key, own, cookie + 1).unwrap(), None);

            let (key, own) = key_between(SocketAddr::new(local.ip(), 1), remote);
            assert_eq!(diag.ask(&key, own, 0).unwrap(), None);
        }
    }
}
