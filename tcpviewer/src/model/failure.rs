//! Why a connection failed, in the kernel's own words: the error that a socket of this host reported, and why this host
//! sent a reset.

use std::{sync::Arc, time::SystemTime};

use tcpviewer_common::connection::{ConnectionKey, Side};

use super::End;

/// What the kernel said of a connection that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The error that the source's socket reported last.
    pub source_error: Option<SocketError>,
    /// The error that the destination's socket reported last.
    pub destination_error: Option<SocketError>,
    /// The first reset that this host sent.
    pub reset: Option<Reset>,
}

/// An error that a socket reported to its application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketError {
    /// Its number (errno).
    pub number: u16,
    /// When.
    pub at: SystemTime,
}

impl SocketError {
    /// The name of the number; `None` where TCP has no use for it.
    pub fn name(self) -> Option<&'static str> {
        let number = i32::from(self.number);
        let mut known = ERRORS.iter();
        known
            .find(|(known, _name)| *known == number)
            .map(|(_known, name)| *name)
    }
}

/// Errors of TCP sockets (Linux: net/ipv4/icmp.c, icmp_err_convert; net/ipv6/icmp.c; net/ipv4/tcp_input.c, tcp_reset;
/// net/ipv4/tcp_timer.c).
pub const ERRORS: [(i32, &str); 21] = [
    (libc::EPERM, "EPERM"),
    (libc::EINTR, "EINTR"),
    (libc::ENOMEM, "ENOMEM"),
    (libc::EACCES, "EACCES"),
    (libc::EINVAL, "EINVAL"),
    (libc::EPIPE, "EPIPE"),
    (libc::EMSGSIZE, "EMSGSIZE"),
    (libc::EPROTO, "EPROTO"),
    (libc::ENOPROTOOPT, "ENOPROTOOPT"),
    (libc::EOPNOTSUPP, "EOPNOTSUPP"),
    (libc::EADDRNOTAVAIL, "EADDRNOTAVAIL"),
    (libc::ENETDOWN, "ENETDOWN"),
    (libc::ENETUNREACH, "ENETUNREACH"),
    (libc::ECONNABORTED, "ECONNABORTED"),
    (libc::ECONNRESET, "ECONNRESET"),
    (libc::ENOBUFS, "ENOBUFS"),
    (libc::ETIMEDOUT, "ETIMEDOUT"),
    (libc::ECONNREFUSED, "ECONNREFUSED"),
    (libc::EHOSTDOWN, "EHOSTDOWN"),
    (libc::EHOSTUNREACH, "EHOSTUNREACH"),
    (libc::ENONET, "ENONET"),
];

/// A reset that this host sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Which end sent it.
    pub by: End,
    /// The kernel's name of the reason, without what all of them begin with; its number where there is none.
    pub reason: Arc<str>,
    /// When.
    pub at: SystemTime,
}

/// What the kernel's programs saw fail at one end of a connection.
#[derive(Clone, Debug)]
pub struct FailureLook {
    /// The connection's endpoints.
    pub key: ConnectionKey,
    /// The end at this host.
    pub side: Side,
    /// What happened.
    pub what: FailureKind,
    /// When.
    pub at: SystemTime,
}

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The socket reported an error.
    Error {
        /// The error.
        number: u16,
        /// Whether the socket is closed by it.
        is_over: bool,
    },
    /// A reset was sent, for this reason.
    Reset(Arc<str>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_names_of_this_system() {
        for (number, name) in [
            (111, Some("ECONNREFUSED")),
            (110, Some("ETIMEDOUT")),
            (113, Some("EHOSTUNREACH")),
            (101, Some("ENETUNREACH")),
            (104, Some("ECONNRESET")),
            (4_000, None),
        ] {
            let at = SystemTime::UNIX_EPOCH;
            assert_eq!(SocketError { number, at }.name(), name, "{number}");
        }
    }
}
