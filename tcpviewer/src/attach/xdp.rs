//! Attaches the program that sees packets before the kernel's stack has them: in the driver of the device where that can
//! run it, else by the kernel in its place, which is hardly earlier than TC. In: the loaded object and an interface. Out: a
//! link, which ends with the process, and what is lesser about it.

use aya::{
    Ebpf,
    programs::{
        ProgramError, Xdp,
        xdp::{self, XdpLink},
    },
};

use super::{
    links::{Framing, cause},
    load::LoadError,
};
use crate::model::{Degradation, XdpMode};

/// The program.
const ETHERNET_XDP: &str = "ethernet_xdp";

/// A program that sees what comes in on an interface; it ends when this is dropped.
pub(super) struct Incoming {
    /// Who runs it.
    pub(super) mode: XdpMode,
    _link: XdpLink,
}

/// Attaches the program as early as can be. What is lesser than it could be is said of `interface`; without a link, its
/// packets are to be seen otherwise.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    interface: &str,
    framing: Framing,
) -> (Option<Incoming>, Option<Degradation>) {
    let lesser = |reason: String, effect: &str| Degradation {
        feature: format!("XDP on {interface}"),
        reason,
        effect: effect.to_owned(),
    };
    let without = |reason: String| {
        let effect = "packets that are dropped before the kernel's stack has them are not seen";
        (
            None,
            Some(lesser(format!("TC in place of XDP: {reason}"), effect)),
        )
    };
    if framing != Framing::Ethernet {
        return without(String::from("its packets have no Ethernet header"));
    }
    let native = match attach_one(ebpf, interface, XdpMode::Native) {
        Ok(incoming) => return (Some(incoming), None),
        Err(reason) => reason,
    };
    match attach_one(ebpf, interface, XdpMode::Generic) {
        Ok(incoming) => {
            let effect = "packets that come in are seen later, and cost more";
            let reason = format!("by the kernel in place of the driver: {native}");
            (Some(incoming), Some(lesser(reason, effect)))
        }
        Err(generic) => without(format!("by the driver: {native}; by the kernel: {generic}")),
    }
}

fn attach_one(ebpf: &mut Ebpf, interface: &str, mode: XdpMode) -> Result<Incoming, String> {
    let program = ebpf
        .program_mut(ETHERNET_XDP)
        .ok_or_else(|| LoadError::Missing(ETHERNET_XDP).to_string())?;
    link(program, interface, mode)
        .map(|link| Incoming { mode, _link: link })
        .map_err(|error| cause(&error))
}

fn link(
    program: &mut aya::programs::Program,
    interface: &str,
    mode: XdpMode,
) -> Result<XdpLink, ProgramError> {
    let program: &mut Xdp = program.try_into()?;
    if program.fd().is_err() {
        program.load()?;
    }
    let mode = match mode {
        XdpMode::Native => xdp::XdpMode::Driver,
        XdpMode::Generic => xdp::XdpMode::Skb,
    };
    let link = program.attach(interface, mode)?;
    program.take_link(link)
}
