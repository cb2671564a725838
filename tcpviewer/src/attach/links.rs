//! Attaches the programs to one interface, by TCX or by clsact. TCX links live and die with this process;
//! clsact filters outlive a killed one, so they are removed by name before new ones are added.

use std::{error::Error, io, iter};

use aya::{
    Ebpf,
    programs::{
        LinkOrder, ProgramError, TcAttachType,
        tc::{
            NlOptions, SchedClassifierLink, TcAttachOptions, TcError, qdisc_add_clsact, qdisc_detach_program,
        },
    },
    sys::SyscallError,
};
use rtnetlink::packet_route::link::LinkLayerType;
use thiserror::Error;

use super::load::{ETHERNET_IN, ETHERNET_OUT, LoadError, program};
use crate::model::Hook;

/// What packets of a device begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An Ethernet header.
    Ethernet,
    /// The IP header.
    Bare,
}

impl Framing {
    /// The framing of a kind of device; `None` for one whose packets are not understood.
    pub fn of(kind: LinkLayerType) -> Option<Self> {
        // One arm per framing; all the rest is not IP, or wrapped in a header of its own.
        if matches!(kind, LinkLayerType::Ether | LinkLayerType::Loopback) {
            Some(Self::Ethernet)
        } else if matches!(
            kind,
            LinkLayerType::None
                | LinkLayerType::Ppp
                | LinkLayerType::Rawip
                | LinkLayerType::Tunnel
                | LinkLayerType::Tunnel6
                | LinkLayerType::Sit
                | LinkLayerType::Ipgre
                | LinkLayerType::Ip6gre
        ) {
            Some(Self::Bare)
        } else {
            None
        }
    }

    /// Names of the programs for packets that come in and go out.
    const fn programs(self) -> [(&'static str, TcAttachType); 2] {
        match self {
            Self::Ethernet => [
                (ETHERNET_IN, TcAttachType::Ingress),
                (ETHERNET_OUT, TcAttachType::Egress),
            ],
            Self::Bare => [
                ("bare_in", TcAttachType::Ingress),
                ("bare_out", TcAttachType::Egress),
            ],
        }
    }

    /// Those of them that see these packets.
    fn programs_for(self, seen: Seen) -> impl Iterator<Item = (&'static str, TcAttachType)> {
        let programs = self.programs().into_iter();
        programs.filter(move |(_name, direction)| seen == Seen::Both || *direction == TcAttachType::Egress)
    }
}

/// Which packets are to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Those that come in and those that go out.
    Both,
    /// Those that go out: the others are seen otherwise.
    Outgoing,
}

/// Programs that listen on an interface; they end when it is dropped.
pub struct Attachment {
    /// By which hook.
    pub hook: Hook,
    /// One link for each direction.
    _links: Vec<SchedClassifierLink>,
}

/// Why programs were not attached.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The program is not in the kernel.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel turned the link down.
    #[error("attach {name} by {hook}: {}", cause(error))]
    Attach {
        /// Which program.
        name: &'static str,
        /// By which hook.
        hook: &'static str,
        /// Why.
        error: ProgramError,
    },
    /// The queueing discipline could not be made.
    #[error("add clsact: {0}")]
    Qdisc(TcError),
}

impl LinkError {
    /// Whether the kernel does not know of such links: an unknown attach type gives EINVAL.
    pub fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::Attach { error: ProgramError::SyscallError(SyscallError { io_error, .. }), .. }
                if matches!(io_error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP))
        )
    }
}

/// The innermost reason: what the system call said.
pub(super) fn cause(error: &ProgramError) -> String {
    if let ProgramError::SyscallError(SyscallError { call, io_error }) = error {
        format!("{call}: {io_error}")
    } else {
        error.to_string()
    }
}

/// Attaches the programs by TCX links.
///
/// # Errors
///
/// When a program does not load, or the kernel refuses the link.
pub fn attach_tcx(
    ebpf: &mut Ebpf,
    interface: &str,
    framing: Framing,
    seen: Seen,
) -> Result<Attachment, LinkError> {
    let options = || TcAttachOptions::TcxOrder(LinkOrder::default());
    let programs = framing.programs_for(seen);
    let links = programs.map(|program| attach(ebpf, interface, program, "tcx", options()));
    Ok(Attachment {
        hook: Hook::Tcx,
        _links: links.collect::<Result<_, _>>()?,
    })
}

/// Attaches the programs as filters of a clsact queueing discipline, which is made where it is missing and
/// left there for others who may use it by then.
///
/// # Errors
///
/// When a program does not load, or the kernel refuses the discipline or the filter.
pub fn attach_clsact(
    ebpf: &mut Ebpf,
    interface: &str,
    framing: Framing,
    seen: Seen,
) -> Result<Attachment, LinkError> {
    if let Err(error) = qdisc_add_clsact(interface)
        && !is_present(&error)
    {
        return Err(LinkError::Qdisc(error));
    }
    remove_filters(interface);
    let options = || TcAttachOptions::Netlink(NlOptions::default());
    let programs = framing.programs_for(seen);
    let links = programs.map(|program| attach(ebpf, interface, program, "clsact", options()));
    Ok(Attachment {
        hook: Hook::Clsact,
        _links: links.collect::<Result<_, _>>()?,
    })
}

fn attach(
    ebpf: &mut Ebpf,
    interface: &str,
    (name, direction): (&'static str, TcAttachType),
    hook: &'static str,
    options: TcAttachOptions,
) -> Result<SchedClassifierLink, LinkError> {
    let failed = |error| LinkError::Attach { name, hook, error };
    let program = program(ebpf, name)?;
    let id = program
        .attach_with_options(interface, direction, options)
        .map_err(failed)?;
    program.take_link(id).map_err(failed)
}

/// Removes filters of ours that are on the interface, be it from an earlier run.
fn remove_filters(interface: &str) {
    for framing in [Framing::Ethernet, Framing::Bare] {
        for (name, direction) in framing.programs() {
            match qdisc_detach_program(interface, direction, name) {
                Ok(()) => {}
                Err(TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::debug!(interface, name, %error, "cannot remove filter"),
            }
        }
    }
}

/// Whether a discipline could not be added because there is one.
fn is_present(error: &TcError) -> bool {
    iter::successors(Some(error as &dyn Error), |error| (*error).source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::AlreadyExists)
}
