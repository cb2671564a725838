//! Network namespaces with names of their own, and a pair of them joined by a cable. A namespace is deleted with
//! its guard; what was started inside is ended by its own guards, which therefore must go first.

use std::{
    ffi::OsStr,
    fs::{self, File},
    net::{Ipv4Addr, Ipv6Addr},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace whose loopback is up.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "tcpviewer-{}-{}",
            process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        output(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.ip("link set lo up");
        namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs inside. Not by `ip netns exec`: that hides cgroup2.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path()))
            .arg("--")
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    /// Runs `ip` inside and returns what it prints.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        output(self.command("ip").args(arguments.split(' ')))
    }

    /// Runs the action on a thread inside. Sockets it makes stay inside wherever they are used.
    pub(crate) fn enter<T: Send>(&self, action: impl FnOnce() -> T + Send) -> T {
        let namespace = File::open(self.path()).unwrap();
        let inside = move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            action()
        };
        thread::scope(|scope| scope.spawn(inside).join()).unwrap()
    }

    /// Sets a kernel parameter of the network.
    pub(crate) fn set(&self, parameter: &str, value: &str) {
        self.enter(|| fs::write(format!("/proc/sys/net/{parameter}"), value).unwrap());
    }

    /// Its inode.
    pub(crate) fn inode(&self) -> u64 {
        fs::metadata(self.path()).unwrap().ino()
    }

    fn path(&self) -> String {
        format!("/run/netns/{}", self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A test that fails says why by itself.
        Command::new("ip")
            .args(["netns", "delete", &self.name])
            .status()
            .ok();
    }
}

/// Two namespaces joined by `veth0` on each side.
pub(crate) struct Pair {
    pub(crate) left: Namespace,
    pub(crate) right: Namespace,
}

impl Pair {
    pub(crate) const LEFT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    pub(crate) const RIGHT: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
    pub(crate) const RIGHT_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);

    pub(crate) fn new() -> Self {
        let pair = Self {
            left: Namespace::new(),
            right: Namespace::new(),
        };
        pair.connect("veth0", 0);
        pair
    }

    /// Adds a cable whose ends have this name, and addresses of this network: 10.77.n.1 and .2, fd77:n::1 and 2.
    pub(crate) fn connect(&self, name: &str, network: u8) {
        let (left, right) = (self.left.name(), self.right.name());
        let link = format!("link add {name} netns {left} type veth peer name {name} netns {right}");
        output(Command::new("ip").args(link.split(' ')));
        for (namespace, host) in [(&self.left, 1), (&self.right, 2)] {
            assign(namespace, name, network, host);
        }
    }
}

/// Two namespaces whose cables end in a bridge of a third.
pub(crate) struct Bridged {
    /// Its `veth0` ends in the bridge.
    pub(crate) left: Namespace,
    /// Has the bridge `bridge0` with the ports `left0` and `right0`, and the third address of the network.
    pub(crate) middle: Namespace,
    /// Its `veth0` ends in the bridge.
    pub(crate) right: Namespace,
}

impl Bridged {
    pub(crate) const MIDDLE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 3);

    pub(crate) fn new() -> Self {
        let bridged = Self {
            left: Namespace::new(),
            middle: Namespace::new(),
            right: Namespace::new(),
        };
        let middle = &bridged.middle;
        middle.ip("link add bridge0 type bridge");
        assign(middle, "bridge0", 0, 3);
        for (namespace, port, host) in [(&bridged.left, "left0", 1), (&bridged.right, "right0", 2)] {
            let (inside, outside) = (namespace.name(), middle.name());
            let link = format!("link add veth0 netns {inside} type veth peer name {port} netns {outside}");
            output(Command::new("ip").args(link.split(' ')));
            middle.ip(&format!("link set {port} master bridge0 up"));
            assign(namespace, "veth0", 0, host);
        }
        bridged
    }
}

/// Gives a device its addresses and takes it up.
pub(crate) fn assign(namespace: &Namespace, device: &str, network: u8, host: u8) {
    let network_v6 = if network == 0 {
        String::new()
    } else {
        format!(":{network}")
    };
    namespace.ip(&format!("address add 10.77.{network}.{host}/24 dev {device}"));
    namespace.ip(&format!(
        "address add fd77{network_v6}::{host}/64 dev {device} nodad"
    ));
    namespace.ip(&format!("link set {device} up"));
}

/// Runs a command to its good end and returns what it prints.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{complaint}",
        output.status
    );
    String::from_utf8(output.stdout).unwrap()
}
