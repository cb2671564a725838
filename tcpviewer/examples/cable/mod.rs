//! A cable between two network namespaces: that of the host, in which the benchmark lives and whose two interfaces are
//! the cable's ends, and that of a container, which reaches the farther end. So one daemon sees both ends, and the
//! client's sockets are of its host. The namespaces have no names and vanish with the process, however it ends.

use std::{
    fs::File,
    net::{IpAddr, Ipv4Addr},
    os::fd::{AsFd as _, AsRawFd as _},
    process::{self, Command},
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// The ends of the cable, both in the host.
pub(crate) const ENDS: [&str; 2] = ["cable0", "cable1"];
/// The address of the host.
pub(crate) const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1));
/// The address of the container.
pub(crate) const CONTAINER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2));

/// Bytes of the largest packet where packets are small.
const SMALL_PACKET: &str = "576";

/// The two namespaces, joined.
pub(crate) struct Cable {
    container: File,
}

/// What the cable does to packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packets {
    /// It leaves their segmentation to whoever needs it, as fast network cards do.
    Offloaded,
    /// Each is one on the wire, and small.
    Small,
}

impl Cable {
    /// Lays it. The calling thread, and those that it starts from now on, are in the host.
    pub(crate) fn lay(packets: Packets) -> Result<Self> {
        enter_new()?;
        let container = thread::spawn(|| {
            enter_new()?;
            ip("link set lo up")?;
            own()
        });
        let container = container
            .join()
            .map_err(|_panic| anyhow!("make a network namespace: the thread panicked"))??;
        let inside = format!("/proc/{}/fd/{}", process::id(), container.as_raw_fd());
        ip("link set lo up")?;
        let [near, far] = ENDS;
        ip(&format!("link add {near} type veth peer name {far}"))?;
        if packets == Packets::Small {
            for end in ENDS {
                run("ethtool", &format!("-K {end} tso off gso off gro off"))?;
            }
            ip(&format!("link set {near} mtu {SMALL_PACKET}"))?;
        }
        ip(&format!(
            "link add inner0 netns {inside} link {far} type macvlan mode private"
        ))?;
        ip(&format!("address add {HOST}/24 dev {near}"))?;
        ip(&format!("link set {near} up"))?;
        ip(&format!("link set {far} up"))?;
        let cable = Self { container };
        cable.in_container(|| {
            ip(&format!("address add {CONTAINER}/24 dev inner0"))?;
            ip("link set inner0 up")
        })?;
        Ok(cable)
    }

    /// Runs the action on a thread in the container, and those that it starts.
    pub(crate) fn in_container<T: Send>(&self, action: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let inside = || {
            move_into_link_name_space(self.container.as_fd(), Some(LinkNameSpaceType::Network))
                .context("enter the container")?;
            action()
        };
        thread::scope(|scope| scope.spawn(inside).join())
            .map_err(|_panic| anyhow!("a thread in the container panicked"))?
    }

    /// Sets a kernel parameter of the network, on both sides.
    pub(crate) fn set(&self, parameter: &str, value: &str) -> Result<()> {
        let write = || {
            let file = format!("/proc/sys/net/{parameter}");
            std::fs::write(&file, value).with_context(|| format!("write {value} to {file}"))
        };
        write()?;
        self.in_container(write)
    }
}

/// Moves the calling thread into a network namespace of its own.
#[expect(
    unsafe_code,
    reason = "other things that threads share must not be unshared so lightly"
)]
fn enter_new() -> Result<()> {
    // SAFETY: the network alone is unshared, and no descriptor depends on it.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.context("make a network namespace")
}

/// The network namespace of the calling thread; it lasts as long as this.
fn own() -> Result<File> {
    File::open("/proc/thread-self/ns/net").context("open a network namespace")
}

/// Runs `ip` with these arguments.
pub(crate) fn ip(arguments: &str) -> Result<()> {
    run("ip", arguments)
}

fn run(program: &str, arguments: &str) -> Result<()> {
    let output = Command::new(program)
        .args(arguments.split(' '))
        .output()
        .with_context(|| format!("start {program}; `cargo xtask setup --test` installs it"))?;
    ensure!(
        output.status.success(),
        "{program} {arguments}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}
