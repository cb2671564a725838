//! The kernel's number of the network namespace that this process is in.
#![expect(unsafe_code, reason = "no crate has this option of sockets")]

use std::{io, mem::size_of, net::UdpSocket, os::fd::AsRawFd as _};

/// `SO_NETNS_COOKIE` (Linux 5.14, include/uapi/asm-generic/socket.h).
const COOKIE: libc::c_int = 71;

/// The cookie of the namespace in which this thread makes sockets.
pub(super) fn network_cookie() -> io::Result<u64> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the descriptor is open, and the kernel writes no more than `length` bytes.
    let code = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if code == 0 {
        Ok(cookie)
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_namespace_of_a_thread_has_one_cookie() {
        let cookie = super::network_cookie().unwrap();
        assert_ne!(cookie, 0);
        assert_eq!(super::network_cookie().unwrap(), cookie);
    }
}
