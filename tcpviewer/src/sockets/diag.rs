//! The conversation with the kernel about its sockets (NETLINK_SOCK_DIAG, man 7 sock_diag): a request goes out, the
//! answer is there when the request returns, and comes out in the words of `netlink-packet-sock-diag`.

use std::{io, net::SocketAddr, ops::Range};

use netlink_packet_core::{
    DecodeError, ErrorMessage, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer,
    NetlinkHeader, NetlinkMessage, NetlinkPayload, Parseable as _,
};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_SOCK_DIAG};
use tcpviewer_common::connection::{ConnectionKey, Side};
use thiserror::Error;

use super::namespaces::Namespace;
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
    /// Whether answers to a request for many sockets are still to come.
    is_dumping: bool,
}

/// Some of the answers to a request for many sockets.
pub struct Part<'a> {
    room: &'a [u8],
    answers: Vec<Range<usize>>,
}

impl Part<'_> {
    /// The answers as they came.
    pub fn answers(&self) -> impl Iterator<Item = &[u8]> {
        self.answers
            .iter()
            .filter_map(|range| self.room.get(range.clone()))
    }

    /// Those that can be read.
    pub fn parsed(&self) -> impl Iterator<Item = InetResponse> {
        self.answers()
            .filter_map(|answer| InetResponse::parse(answer).ok())
    }
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
            is_dumping: false,
        })
    }

    /// Opens it in another namespace, which it holds until it is dropped.
    ///
    /// # Errors
    ///
    /// When that is gone or must not be entered, or the kernel does not talk.
    pub fn inside(namespace: &Namespace) -> Result<Self, DiagError> {
        namespace.enter(Self::open).map_err(DiagError::Open)?
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

    /// Begins to ask for all sockets of a family (`AF_INET` or `AF_INET6`) that are in one of these states. The answers
    /// are fetched by [`Diag::part`]; until the last one is, nothing else can be asked here.
    ///
    /// # Errors
    ///
    /// When the request does not arrive.
    pub fn dump(
        &mut self,
        family: u8,
        states: StateFlags,
        extensions: ExtensionFlags,
    ) -> Result<(), DiagError> {
        let any = if family == AF_INET {
            SocketId::new_v4()
        } else {
            SocketId::new_v6()
        };
        let request = InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions,
            states,
            socket_id: any,
        };
        self.send(request, NLM_F_REQUEST | NLM_F_DUMP)?;
        self.is_dumping = true;
        Ok(())
    }

    /// The next answers to a request for many sockets; `None` after the last.
    ///
    /// # Errors
    ///
    /// When the kernel refuses the request or is not understood.
    pub fn part(&mut self) -> Result<Option<Part<'_>>, DiagError> {
        if !self.is_dumping {
            return Ok(None);
        }
        // Whatever is wrong with this part, there is no other.
        self.is_dumping = false;
        let length = self.socket.recv(&mut &mut self.room[..], libc::MSG_DONTWAIT)?;
        let (mut answers, mut at, mut is_last) = (Vec::new(), 0, false);
        while at < length {
            let message = NetlinkBuffer::new_checked(&self.room[at..length])?;
            let payload = message.payload();
            match message.message_type() {
                _ if message.sequence_number() != self.sequence => {}
                NLMSG_DONE => is_last = true,
                NLMSG_ERROR => return Err(refusal(payload).into()),
                _ => {
                    let end = at + message.length() as usize;
                    answers.push(end - payload.len()..end);
                }
            }
            at += (message.length() as usize).next_multiple_of(ALIGNMENT);
        }
        self.is_dumping = !is_last;
        Ok(Some(Part {
            room: &self.room,
            answers,
        }))
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

/// Messages begin at multiples of this (`NLMSG_ALIGNTO`).
const ALIGNMENT: usize = 4;

/// The error that a message of the kernel names: a negative number in front.
fn refusal(payload: &[u8]) -> io::Error {
    let code = payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
    io::Error::from_raw_os_error(-code)
}

/// The cookie in the form that eBPF and SO_COOKIE have.
pub(super) fn cookie_of(bytes: [u8; 8]) -> u64 {
    let [a, b, c, d, e, f, g, h] = bytes;
    let (low, high) = (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]));
    u64::from(low) | u64::from(high) << 32
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

            let cookie = cookie_of(found.header.socket_id.cookie);
            assert_eq!(
                diag.ask(&key, own, cookie).unwrap().unwrap().header.inode,
                found.header.inode
            );
            assert_eq!(diag.ask(&key, own, cookie + 1).unwrap(), None);

            let (key, own) = key_between(SocketAddr::new(local.ip(), 1), remote);
            assert_eq!(diag.ask(&key, own, 0).unwrap(), None);
        }
    }

    #[test]
    fn all_sockets_of_this_host_are_told_and_the_answer_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let open = [(); 300].map(|()| (TcpStream::connect(address).unwrap(), listener.accept().unwrap()));
        let mut diag = Diag::open().unwrap();

        let mut found = 0;
        for _twice in 0..2 {
            found = 0;
            diag.dump(AF_INET, StateFlags::ESTABLISHED, ExtensionFlags::INFO)
                .unwrap();
            while let Some(part) = diag.part().unwrap() {
                let ours = |answer: &InetResponse| answer.header.socket_id.destination_port == address.port();
                found += part.parsed().filter(ours).count();
            }
        }

        assert_eq!(found, open.len());
    }
}
