//! A line between two namespaces that the test controls: a TUN or TAP device at each end, and a thread each way
//! that hands every packet to the test before it goes on, changed or not at all.
#![expect(unsafe_code, reason = "a TUN device is made by an ioctl")]

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::AsRawFd as _,
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::namespaces::{Pair, assign};

/// What the packets begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The IP header.
    Tun,
    /// An Ethernet header.
    Tap,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToTheRight,
    ToTheLeft,
}

/// The line; cut when it is dropped.
pub(crate) struct Relay<'a> {
    pair: &'a Pair,
    name: &'static str,
    threads: Vec<JoinHandle<()>>,
}

impl<'a> Relay<'a> {
    /// Makes a device of this name at both ends with addresses of this network. `pass` returns what goes on.
    pub(crate) fn start(
        pair: &'a Pair,
        name: &'static str,
        kind: Kind,
        network: u8,
        pass: impl Fn(Way, Vec<u8>) -> Option<Vec<u8>> + Send + Sync + 'static,
    ) -> Self {
        let [left, right] = [(&pair.left, 1), (&pair.right, 2)].map(|(namespace, host)| {
            let device = namespace.enter(|| open(name, kind).unwrap());
            assign(namespace, name, network, host);
            device
        });
        let pass = Arc::new(pass);
        let way = |from: &File, to: &File, way| {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let pass = Arc::clone(&pass);
            thread::spawn(move || carry(from, to, |packet| pass(way, packet)))
        };
        let threads = vec![
            way(&left, &right, Way::ToTheRight),
            way(&right, &left, Way::ToTheLeft),
        ];
        Self { pair, name, threads }
    }
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        // A read from a device that is gone ends with an error, and its thread with it.
        for namespace in [&self.pair.left, &self.pair.right] {
            namespace
                .command("ip")
                .args(["link", "delete", self.name])
                .status()
                .ok();
        }
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

fn carry(mut from: File, mut to: File, pass: impl Fn(Vec<u8>) -> Option<Vec<u8>>) {
    let mut buffer = [0; 4096];
    while let Ok(length) = from.read(&mut buffer) {
        if let Some(packet) = pass(buffer[..length].to_vec()) {
            // A device that is full or down loses packets, as lines do.
            to.write_all(&packet).ok();
        }
    }
}

/// Makes a device where the calling thread is.
fn open(name: &str, kind: Kind) -> io::Result<File> {
    let device = File::options().read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: a structure of integers, pointers and arrays of them, for which zero is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    let kind = match kind {
        Kind::Tun => libc::IFF_TUN,
        Kind::Tap => libc::IFF_TAP,
    };
    request.ifr_ifru.ifru_flags = (kind | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF takes an `ifreq` (Linux, Documentation/networking/tuntap.rst); both it and the
    // descriptor live longer than the call.
    let made = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    if made < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(device)
}
