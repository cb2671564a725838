//! A line between two namespaces that the test controls: a TUN or TAP device at each end, and a thread each way
//! that hands every packet to the test before it goes on, changed or not at all, at once or at a time that the
//! test names.
#![expect(
    unsafe_code,
    reason = "a TUN device is made by an ioctl, and threads are given a priority"
)]

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    fs::File,
    io::{self, Read as _, Write as _},
    num::NonZeroU64,
    os::fd::AsRawFd as _,
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    thread::set_current_timer_slack,
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

/// A packet that goes on, and when. Those of the same time keep their order.
#[derive(Clone)]
pub(crate) struct Departure {
    pub(crate) due: Instant,
    pub(crate) packet: Vec<u8>,
}

impl From<Vec<u8>> for Departure {
    fn from(packet: Vec<u8>) -> Self {
        let due = Instant::now();
        Self { due, packet }
    }
}

/// The line; cut when it is dropped.
pub(crate) struct Relay<'a> {
    pair: &'a Pair,
    name: String,
    threads: Vec<JoinHandle<()>>,
}

impl<'a> Relay<'a> {
    /// Makes a device of this name at both ends with addresses of this network. `pass` returns what goes on: a
    /// packet at once, or departures.
    pub(crate) fn start<T>(
        pair: &'a Pair,
        name: &str,
        kind: Kind,
        network: u8,
        pass: impl Fn(Way, Vec<u8>) -> T + Send + Sync + 'static,
    ) -> Self
    where
        T: IntoIterator<Item: Into<Departure>>,
    {
        let [left, right] = [(&pair.left, 1), (&pair.right, 2)].map(|(namespace, host)| {
            let device = namespace.enter(|| open(name, kind).unwrap());
            assign(namespace, name, network, host);
            // What is lost is for the test to say: the device has room for a thread that is late.
            namespace.ip(&format!("link set {name} txqueuelen 10000"));
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
        let name = name.to_owned();
        Self { pair, name, threads }
    }
}

impl Drop for Relay<'_> {
    fn drop(&mut self) {
        // A read from a device that is gone ends with an error, and its thread with it.
        for namespace in [&self.pair.left, &self.pair.right] {
            namespace
                .command("ip")
                .args(["link", "delete", &self.name])
                .status()
                .ok();
        }
        for thread in self.threads.drain(..) {
            thread.join().ok();
        }
    }
}

/// Departures that are not due yet, the next one on top.
#[derive(Default)]
struct Waiting {
    heap: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    count: u64,
}

impl Waiting {
    fn push(&mut self, departure: Departure) {
        let Departure { due, packet } = departure;
        self.heap.push(Reverse((due, self.count, packet)));
        self.count += 1;
    }

    /// The next departure, if its time has come.
    fn pop_due(&mut self) -> Option<Vec<u8>> {
        let next = self.heap.peek_mut()?;
        (next.0.0 <= Instant::now()).then(|| PeekMut::pop(next).0.2)
    }

    /// How long until the next departure.
    fn rest(&self) -> Option<Duration> {
        let Reverse((due, ..)) = self.heap.peek()?;
        Some(due.saturating_duration_since(Instant::now()))
    }
}

fn carry<T>(mut from: File, mut to: File, pass: impl Fn(Vec<u8>) -> T)
where
    T: IntoIterator<Item: Into<Departure>>,
{
    be_punctual();
    let mut waiting = Waiting::default();
    let mut buffer = [0; 4096];
    loop {
        while let Some(packet) = waiting.pop_due() {
            // A device that is full or down loses packets, as lines do.
            to.write_all(&packet).ok();
        }
        if !wait_for_packet(&from, waiting.rest()) {
            continue;
        }
        let Ok(length) = from.read(&mut buffer) else {
            return;
        };
        for departure in pass(buffer[..length].to_vec()) {
            waiting.push(departure.into());
        }
    }
}

/// Makes the calling thread run as soon as it is due, on a busy machine as well: before all others, and without
/// the 50 µs that the kernel may let a thread sleep longer than it asked. Where that is not allowed, packets are
/// as late as the machine is busy.
fn be_punctual() {
    set_current_timer_slack(NonZeroU64::new(1)).ok();
    // SAFETY: a structure of integers, for which zero is a value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = 1;
    // SAFETY: the structure lives longer than the call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
}

/// Whether the device has a packet, or is gone, before this time is over.
fn wait_for_packet(device: &File, patience: Option<Duration>) -> bool {
    let patience = patience.map(|patience| Timespec::try_from(patience).unwrap());
    let mut devices = [PollFd::new(device, PollFlags::IN)];
    poll(&mut devices, patience.as_ref()).is_ok_and(|ready| ready > 0)
}

/// Makes a device where the calling thread is.
pub(crate) fn open(name: &str, kind: Kind) -> io::Result<File> {
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
