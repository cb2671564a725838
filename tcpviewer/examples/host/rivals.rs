//! Monitors of others, at work on one end of the cable, where nobody keeps what they say. One has begun once its socket
//! for packets is at that interface, and has ended once that is gone.

use std::{
    env, fs,
    net::{Ipv4Addr, UdpSocket},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use rustix::{
    net::netdevice::name_to_index,
    process::{Pid, Signal, kill_process},
};

use crate::cable::ENDS;

/// None takes longer to begin, or to end.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// After its beginning, until a monitor has shown something for the first time.
const SETTLE: Duration = Duration::from_millis(500);

/// What Scapy is made to do: bytes by connection.
const SCAPY: &str = "
import sys
from scapy.all import IP, TCP, sniff
octets = {}
def count(packet):
    if IP in packet and TCP in packet:
        ends = packet[IP].src, packet[TCP].sport, packet[IP].dst, packet[TCP].dport
        octets[ends] = octets.get(ends, 0) + len(packet)
sniff(iface=sys.argv[1], store=False, prn=count)
";

/// A monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    /// `tcpdump -w /dev/null`.
    Tcpdump,
    /// bandwhich, which writes connections and processes.
    Bandwhich,
    /// RustNet, which draws on a terminal.
    Rustnet,
    /// A few lines of Python.
    Scapy,
}

impl Rival {
    pub(crate) const ALL: [Self; 4] = [Self::Tcpdump, Self::Bandwhich, Self::Rustnet, Self::Scapy];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tcpdump => "tcpdump",
            Self::Bandwhich => "bandwhich",
            Self::Rustnet => "rustnet",
            Self::Scapy => "scapy",
        }
    }

    /// Whether this host has it.
    pub(crate) fn is_present(self) -> bool {
        match self {
            Self::Tcpdump | Self::Bandwhich => is_in_path(self.name()),
            // script(1) is its terminal.
            Self::Rustnet => is_in_path(self.name()) && is_in_path("script"),
            Self::Scapy => quiet(Command::new("python3").args(["-c", "import scapy"]))
                .status()
                .is_ok_and(|status| status.success()),
        }
    }

    /// Begins.
    pub(crate) fn begin(self) -> Result<Child> {
        let [end, _] = ENDS;
        let mut command = match self {
            Self::Tcpdump => command("tcpdump", &["-n", "-i", end, "-w", "/dev/null"]),
            Self::Bandwhich => command("bandwhich", &["--raw", "--no-resolve", "--interface", end]),
            Self::Rustnet => {
                let inside = format!("rustnet --no-resolve-dns --interface {end}");
                command("script", &["--quiet", "--command", &inside, "/dev/null"])
            }
            Self::Scapy => command("python3", &["-c", SCAPY, end]),
        };
        let mut child = quiet(&mut command).spawn()?;
        if let Err(error) = wait_until(end, true) {
            // It may have ended by itself.
            child.kill().ok();
            child.wait().ok();
            return Err(error);
        }
        thread::sleep(SETTLE);
        Ok(child)
    }
}

/// Ends a monitor.
pub(crate) fn end(mut child: Child) -> Result<()> {
    let [end, _] = ENDS;
    kill_process(Pid::from_child(&child), Signal::TERM)?;
    child.wait()?;
    wait_until(end, false)
}

/// Waits until a monitor is at the interface, or is there no more.
fn wait_until(interface: &str, is_there: bool) -> Result<()> {
    let started = Instant::now();
    while is_listened_at(interface)? != is_there {
        let state = if is_there { "not yet" } else { "still" };
        ensure!(started.elapsed() < PATIENCE, "it is {state} at {interface}");
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// What it reads never ends, and what it says is not kept.
fn quiet(command: &mut Command) -> &mut Command {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
}

fn is_in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Whether a socket for packets is at the interface (packet(7)); nothing else on the cable has one.
fn is_listened_at(interface: &str) -> Result<bool> {
    /// The interface's number, in each line but the first, which names the columns.
    const INTERFACE: usize = 4;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let number = name_to_index(&socket, interface).context("look for the interface")?;
    let path = "/proc/thread-self/net/packet";
    let sockets = fs::read_to_string(path).context(path)?;
    Ok(sockets
        .lines()
        .skip(1)
        .any(|line| line.split_whitespace().nth(INTERFACE) == Some(&number.to_string())))
}
