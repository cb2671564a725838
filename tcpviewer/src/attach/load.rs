//! Loads the programs into the kernel: checks what the process may do, sets capacities, fills in the settings,
//! and takes the maps out for `capture`.

use std::{
    num::TryFromIntError,
    os::fd::{AsFd as _, OwnedFd},
    thread,
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::{Array, HashMap, IterableMap as _, MapData, MapError, PerCpuArray, RingBuf},
    programs::{Program, ProgramError, SchedClassifier},
    util::nr_cpus,
};
use aya_log::EbpfLogger;
use rustix::process::{Resource, Rlimit, setrlimit};
use tcpviewer_common::{
    connection::{ConnectionKey, ConnectionSlot},
    event::Settings,
    half_open::{self, HalfOpen, HalfOpenCursor},
    ledger::LedgerCounters,
    owner::{FoundSocket, OwnedSocket, SocketEnds},
    packet_filter::PacketFilter,
};
use thiserror::Error;

use super::{
    layout::{Layouts, ResetReasons},
    network::network_cookie,
};
use crate::config::AttachConfig;

/// The object that the build carried in.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tcpviewer"));

/// The program for packets that come in with Ethernet headers.
pub const ETHERNET_IN: &str = "ethernet_in";
/// The program for those that go out.
pub const ETHERNET_OUT: &str = "ethernet_out";

/// Capabilities by their bit in `CapEff` (include/uapi/linux/capability.h).
const NEEDED_CAPABILITIES: [(u32, &str); 3] = [(12, "CAP_NET_ADMIN"), (38, "CAP_PERFMON"), (39, "CAP_BPF")];
const CAP_SYS_ADMIN: u32 = 21;

/// What `capture` reads from and writes to.
pub struct KernelMaps {
    /// One record per connection.
    pub connections: HashMap<MapData, ConnectionKey, ConnectionSlot>,
    /// The ring of connections that were not confirmed when they began.
    pub half_open: Array<MapData, HalfOpen>,
    /// How far that ring is.
    pub half_open_cursor: Array<MapData, HalfOpenCursor>,
    /// Connections that opened, changed or closed.
    pub connection_events: RingBuf<MapData>,
    /// Packets, while somebody watches.
    pub packet_events: RingBuf<MapData>,
    /// Which packets are sent: two filters, one of them in force.
    pub packet_filter: Array<MapData, PacketFilter>,
    /// What became of every packet.
    pub ledger: PerCpuArray<MapData, LedgerCounters>,
    /// Sockets that reported an error, and resets that were sent.
    pub failure_events: RingBuf<MapData>,
    /// The kernel's names of the reasons for resets.
    pub reset_reasons: ResetReasons,
    /// What the programs are told.
    pub settings: Array<MapData, Settings>,
    /// The maps of `owners`, whose memory counts as well.
    pub others: Vec<OwnedFd>,
    /// The programs' own diagnostics.
    pub log: Option<EbpfLogger<&'static dyn log::Log>>,
    /// CPUs this kernel can have.
    pub possible_cpus: u32,
}

/// What `owners` reads from.
pub struct OwnerMaps {
    /// Whose each socket is, see [`OwnedSocket::place`].
    pub owners: Array<MapData, OwnedSocket>,
    /// This process's network namespace, by its cookie; `None` where the kernel has none to tell.
    pub own_network: Option<u64>,
    /// Which socket is on which endpoints, in all other ones.
    pub ends: HashMap<MapData, SocketEnds, FoundSocket>,
    /// Processes at work on sockets, and sockets that listen.
    pub events: RingBuf<MapData>,
    /// Why the programs cannot tell all that they could of a process; `None` where they can.
    pub unknown_layout: Option<String>,
}

/// The loaded object.
pub struct Programs {
    /// The programs.
    pub ebpf: Ebpf,
    /// Why programs would find nothing, for each that learns why connections fail.
    pub unknown_failures: [Option<String>; 2],
}

/// Why the programs are not in the kernel.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The process lacks capabilities.
    #[error(
        "load programs into the kernel: this process lacks {missing}; run it as root, or give the binary \
         the capabilities: setcap cap_bpf,cap_net_admin,cap_perfmon+ep FILE"
    )]
    Capabilities {
        /// Which.
        missing: String,
    },
    /// The state of the process cannot be read.
    #[error("read capabilities of this process: {0}")]
    Process(#[from] procfs::ProcError),
    /// The object was not taken.
    #[error("load programs into the kernel: {0}")]
    Object(#[from] EbpfError),
    /// The object lacks a part.
    #[error("load programs into the kernel: the object has no {0}")]
    Missing(&'static str),
    /// A map was not taken.
    #[error("open kernel map: {0}")]
    Map(#[from] MapError),
    /// The verifier, or the kernel's policy, turned a program down.
    #[error("load program {name} into the kernel: {error}")]
    Program {
        /// Which.
        name: &'static str,
        /// Why.
        error: Box<ProgramError>,
    },
    /// The number of CPUs is unknown.
    #[error("count CPUs: {0}")]
    Cpus(String),
}

impl From<TryFromIntError> for LoadError {
    fn from(error: TryFromIntError) -> Self {
        Self::Cpus(error.to_string())
    }
}

/// Loads the object and takes its maps out.
///
/// # Errors
///
/// When the process may not, or the kernel will not.
pub fn load(
    config: &AttachConfig,
    update_interval_ns: u64,
) -> Result<(Programs, KernelMaps, OwnerMaps), LoadError> {
    check_capabilities()?;
    // Before Linux 5.11 maps count against this limit. Where it cannot be raised the load tells.
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if let Err(error) = setrlimit(Resource::Memlock, unlimited) {
        tracing::debug!(%error, "cannot raise the limit of locked memory");
    }
    let half_open_places = half_open::places(config.max_connections);
    let Layouts {
        task,
        socket,
        reset_reasons,
    } = Layouts::of_kernel();
    let own_network = network_cookie()
        .inspect_err(|error| tracing::debug!(%error, "the network namespace has no cookie"))
        .ok();
    let unknown_socket = socket.as_ref().err().cloned();
    let unknown_reasons = reset_reasons.as_ref().err().cloned();
    let mut ebpf = EbpfLoader::new()
        .override_global("TASK_LAYOUT", &task.as_ref().copied().unwrap_or_default(), true)
        .override_global("SOCKET_LAYOUT", &socket.unwrap_or_default(), true)
        .override_global("OWN_NETWORK", &own_network.unwrap_or_default(), true)
        .map_max_entries("CONNECTIONS", config.max_connections)
        .map_max_entries("HALF_OPEN", half_open_places)
        .load(OBJECT)?;
    load_at_once(&mut ebpf);
    let log = EbpfLogger::init(&mut ebpf)
        .inspect_err(|error| tracing::debug!(%error, "the programs' diagnostics are not available"))
        .ok();
    let possible_cpus =
        u32::try_from(nr_cpus().map_err(|(file, error)| LoadError::Cpus(format!("{file}: {error}")))?)?;
    let owners = OwnerMaps {
        owners: Array::try_from(take(&mut ebpf, "OWNERS")?)?,
        own_network,
        ends: HashMap::try_from(take(&mut ebpf, "SOCKET_ENDS")?)?,
        events: RingBuf::try_from(take(&mut ebpf, "OWNER_EVENTS")?)?,
        unknown_layout: task.err(),
    };
    let others = [
        owners.owners.map().fd().as_fd(),
        owners.ends.map().fd().as_fd(),
        owners.events.as_fd(),
    ];
    let others = others.map(|map| map.try_clone_to_owned());
    let mut maps = KernelMaps {
        connections: HashMap::try_from(take(&mut ebpf, "CONNECTIONS")?)?,
        half_open: Array::try_from(take(&mut ebpf, "HALF_OPEN")?)?,
        half_open_cursor: Array::try_from(take(&mut ebpf, "HALF_OPEN_CURSOR")?)?,
        connection_events: RingBuf::try_from(take(&mut ebpf, "CONNECTION_EVENTS")?)?,
        packet_events: RingBuf::try_from(take(&mut ebpf, "PACKET_EVENTS")?)?,
        packet_filter: Array::try_from(take(&mut ebpf, "PACKET_FILTER")?)?,
        ledger: PerCpuArray::try_from(take(&mut ebpf, "LEDGER")?)?,
        failure_events: RingBuf::try_from(take(&mut ebpf, "FAILURE_EVENTS")?)?,
        reset_reasons: reset_reasons.unwrap_or_default(),
        settings: Array::try_from(take(&mut ebpf, "SETTINGS")?)?,
        // What cannot be asked is not counted.
        others: others.into_iter().flatten().collect(),
        log,
        possible_cpus,
    };
    maps.settings.set(
        0,
        Settings {
            update_interval_ns,
            watch_packets: 0,
            id_step: possible_cpus + 1,
            half_open_mask: half_open_places - 1,
            packet_filter: 0,
            packet_sampling_mask: 0,
            refuses_new: 0,
        },
        0,
    )?;
    let programs = Programs {
        ebpf,
        unknown_failures: [unknown_socket.clone(), unknown_socket.or(unknown_reasons)],
    };
    Ok((programs, maps, owners))
}

/// Loads the programs for Ethernet side by side, for the kernel's verifier takes most of the time of a start. Every host
/// needs them, as its loopback has such headers. Of one that is turned down [`program`] tells why.
fn load_at_once(ebpf: &mut Ebpf) {
    thread::scope(|scope| {
        for (name, program) in ebpf.programs_mut() {
            if let (ETHERNET_IN | ETHERNET_OUT, Program::SchedClassifier(program)) = (name, program) {
                scope.spawn(|| {
                    program
                        .load()
                        .inspect_err(|error| tracing::debug!(%error, "not loaded at once"))
                        .ok()
                });
            }
        }
    });
}

/// A program, loaded when it is first asked for: few hosts have devices of every kind.
///
/// # Errors
///
/// When the object lacks it or the kernel turns it down.
pub fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut SchedClassifier, LoadError> {
    let failed = |error| LoadError::Program {
        name,
        error: Box::new(error),
    };
    let program: &mut SchedClassifier = ebpf
        .program_mut(name)
        .ok_or(LoadError::Missing(name))?
        .try_into()
        .map_err(failed)?;
    if program.fd().is_err() {
        program.load().map_err(failed)?;
    }
    Ok(program)
}

fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::Missing(name))
}

fn check_capabilities() -> Result<(), LoadError> {
    let effective = procfs::process::Process::myself()?.status()?.capeff;
    let missing = missing_capabilities(effective);
    if missing.is_empty() {
        Ok(())
    } else {
        Err(LoadError::Capabilities {
            missing: missing.join(", "),
        })
    }
}

/// Names of the needed capabilities that a process with these effective ones lacks. CAP_SYS_ADMIN stands for
/// the two that were split off from it in Linux 5.8.
fn missing_capabilities(effective: u64) -> Vec<&'static str> {
    let has = |bit: u32| effective & (1 << bit) != 0;
    NEEDED_CAPABILITIES
        .iter()
        .filter(|(bit, _)| !has(*bit) && (*bit == 12 || !has(CAP_SYS_ADMIN)))
        .map(|(_, name)| *name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_are_named() {
        assert_eq!(
            missing_capabilities(0),
            ["CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF"]
        );
        assert_eq!(missing_capabilities(1 << 21), ["CAP_NET_ADMIN"]);
        assert!(missing_capabilities(1 << 12 | 1 << 38 | 1 << 39).is_empty());
    }
}
