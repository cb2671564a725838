//! Where the programs listen: attaches them to every selected interface, follows interfaces as they come and
//! go, and keeps the links. In: the loaded object and the kernel's link messages. Out: names of interfaces,
//! and the state of each for the status. All links end with the process.

pub mod layout;

mod network;

pub mod load;

pub mod links;

mod xdp;

pub mod cgroups;

pub mod failures;

use std::{collections::BTreeMap, sync::Arc};

use aya::Ebpf;
use futures_util::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use rtnetlink::{
    MulticastGroup, new_multicast_connection,
    packet_core::{NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage},
    },
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

pub use self::{
    layout::ResetReasons,
    load::{KernelMaps, LoadError, OwnerMaps, Programs},
};
use self::{
    links::{Attachment, Framing, LinkError, Seen},
    xdp::Incoming,
};
use crate::{
    config::{AttachConfig, HookChoice, IngressHook, InterfaceSelector},
    model::{Degradation, Interface, InterfaceNames},
};

/// Why interfaces cannot be followed.
#[derive(Debug, Error)]
pub enum AttachError {
    /// The programs are not in the kernel.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The kernel's link messages cannot be had.
    #[error("open netlink socket: {0}")]
    Netlink(#[from] std::io::Error),
    /// The interfaces cannot be listed.
    #[error("list interfaces: {0}")]
    List(#[from] rtnetlink::Error),
    /// An interface that was named does not exist.
    #[error("attach to interface {name}: no such interface; this host has {present}")]
    Unknown {
        /// The name.
        name: String,
        /// Those that exist.
        present: String,
    },
    /// No selected interface took the programs.
    #[error("attach to interface {name}: {reason}")]
    Refused {
        /// The first of them.
        name: Arc<str>,
        /// Why.
        reason: String,
    },
}

/// Asks for the state of the interfaces.
pub type StatusRequest = oneshot::Sender<AttachStatus>;

/// The state of the interfaces.
#[derive(Clone, Debug, Default)]
pub struct AttachStatus {
    /// Selected interfaces.
    pub interfaces: Vec<Interface>,
    /// What works in a lesser way.
    pub degradations: Vec<Degradation>,
}

/// Holds the programs and their links.
pub struct Attach {
    ebpf: Ebpf,
    selectors: Vec<InterfaceSelector>,
    hook: HookChoice,
    ingress_hook: IngressHook,
    names: Arc<InterfaceNames>,
    attached: BTreeMap<u32, Attached>,
    messages: BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>,
    /// Why clsact had to stand in for TCX.
    fallback: Option<String>,
    /// Which of the programs that no packet passes do not work.
    beside: Vec<Degradation>,
}

struct Attached {
    name: Arc<str>,
    state: Result<Listening, String>,
}

/// How packets of an interface are seen.
struct Listening {
    by_tc: Attachment,
    by_xdp: Option<Incoming>,
    /// What is lesser about XDP where that was wanted.
    lesser: Option<Degradation>,
}

impl Attach {
    /// Attaches to all selected interfaces that are there and up.
    ///
    /// # Errors
    ///
    /// When interfaces cannot be followed, one that was named does not exist, or none took the programs.
    pub async fn start(
        programs: Programs,
        config: &AttachConfig,
        names: Arc<InterfaceNames>,
    ) -> Result<Self, AttachError> {
        // Listen before listing, so that no change falls between the two.
        let (connection, handle, messages) = new_multicast_connection(&[MulticastGroup::Link])?;
        tokio::spawn(connection);
        let present: Vec<LinkMessage> = handle.link().get().execute().try_collect().await?;
        check_names(&config.interfaces, &present)?;
        let Programs {
            mut ebpf,
            unknown_failures,
        } = programs;
        let mut beside = cgroups::attach(&mut ebpf);
        beside.extend(failures::attach(&mut ebpf, &unknown_failures));
        let mut attach = Self {
            ebpf,
            selectors: config.interfaces.clone(),
            hook: config.hook,
            ingress_hook: config.ingress_hook,
            names,
            attached: BTreeMap::new(),
            messages: messages.map(|(message, _sender)| message).boxed(),
            fallback: None,
            beside,
        };
        for link in &present {
            attach.link_present(link);
        }
        attach.refuse_if_none_took()?;
        Ok(attach)
    }

    /// Follows interfaces and answers status requests until the requests end.
    pub async fn run(mut self, mut requests: mpsc::Receiver<StatusRequest>) {
        loop {
            tokio::select! {
                Some(message) = self.messages.next() => self.take_message(message),
                request = requests.recv() => match request {
                    // Who asked may have gone; then nobody misses the answer.
                    Some(reply) => {
                        reply.send(self.status()).ok();
                    }
                    None => return,
                },
            }
        }
    }

    fn take_message(&mut self, message: NetlinkMessage<RouteNetlinkMessage>) {
        let NetlinkPayload::InnerMessage(message) = message.payload else {
            return;
        };
        if let RouteNetlinkMessage::NewLink(link) = message {
            self.link_present(&link);
        } else if let RouteNetlinkMessage::DelLink(link) = message {
            self.link_gone(link.header.index);
        }
    }

    /// Attaches to an interface that is selected and up, once. An interface that goes down keeps its links:
    /// nothing passes it.
    fn link_present(&mut self, link: &LinkMessage) {
        let index = link.header.index;
        let Some(name) = interface_name(link) else { return };
        self.names.set(index, Arc::clone(&name));
        if let Some(attached) = self.attached.get_mut(&index) {
            attached.name = name;
            return;
        }
        let selected = self.selectors.iter().any(|selector| selector.matches(&name));
        if !selected || !link.header.flags.contains(LinkFlags::Up) {
            return;
        }
        let state = self.attach(&name, link.header.link_layer_type);
        match &state {
            Ok(Listening { by_tc, by_xdp, .. }) => {
                self.names.set_attached(index);
                let xdp = by_xdp.as_ref().map(|incoming| incoming.mode);
                tracing::info!(interface = %name, hook = ?by_tc.hook, ?xdp, "attached");
            }
            Err(reason) => tracing::warn!(interface = %name, reason, "not attached"),
        }
        self.attached.insert(index, Attached { name, state });
    }

    fn link_gone(&mut self, index: u32) {
        if let Some(gone) = self.attached.remove(&index) {
            tracing::info!(interface = %gone.name, "interface is gone");
        }
    }

    fn attach(&mut self, name: &str, kind: LinkLayerType) -> Result<Listening, String> {
        let framing = Framing::of(kind).ok_or_else(|| format!("link type {kind:?} is not supported"))?;
        let (by_xdp, lesser) = match self.ingress_hook {
            IngressHook::Tc => (None, None),
            IngressHook::Xdp => xdp::attach(&mut self.ebpf, name, framing),
        };
        let seen = if by_xdp.is_some() {
            Seen::Outgoing
        } else {
            Seen::Both
        };
        let by_tc = self.attach_tc(name, framing, seen);
        Ok(Listening {
            by_tc: by_tc.map_err(|reason| reason.to_string())?,
            by_xdp,
            lesser,
        })
    }

    fn attach_tc(&mut self, name: &str, framing: Framing, seen: Seen) -> Result<Attachment, LinkError> {
        if self.hook != HookChoice::Clsact && self.fallback.is_none() {
            match links::attach_tcx(&mut self.ebpf, name, framing, seen) {
                Ok(attachment) => return Ok(attachment),
                Err(reason) if self.hook == HookChoice::Tcx || !reason.is_unsupported() => {
                    return Err(reason);
                }
                Err(reason) => self.fallback = Some(reason.to_string()),
            }
        }
        links::attach_clsact(&mut self.ebpf, name, framing, seen)
    }

    fn refuse_if_none_took(&self) -> Result<(), AttachError> {
        let mut refusals = self.attached.values().filter_map(|attached| {
            attached
                .state
                .as_ref()
                .err()
                .map(|reason| (Arc::clone(&attached.name), reason.clone()))
        });
        let took = self.attached.values().any(|attached| attached.state.is_ok());
        match refusals.next() {
            Some((name, reason)) if !took => Err(AttachError::Refused { name, reason }),
            Some(_) | None => Ok(()),
        }
    }

    fn status(&self) -> AttachStatus {
        let interfaces = self.attached.iter().map(|(index, attached)| Interface {
            name: Arc::clone(&attached.name),
            index: *index,
            hook: attached
                .state
                .as_ref()
                .map(|listening| listening.by_tc.hook)
                .map_err(Clone::clone),
            xdp: attached
                .state
                .as_ref()
                .ok()
                .and_then(|listening| Some(listening.by_xdp.as_ref()?.mode)),
        });
        let refused = self.attached.values().filter_map(|attached| {
            attached.state.as_ref().err().map(|reason| Degradation {
                feature: format!("interface {}", attached.name),
                reason: reason.clone(),
                effect: String::from("its packets are not seen"),
            })
        });
        let lesser = self
            .attached
            .values()
            .filter_map(|attached| attached.state.as_ref().ok()?.lesser.clone());
        let fallback = self.fallback.iter().map(|reason| Degradation {
            feature: String::from("hook"),
            reason: format!("clsact in place of TCX: {reason}"),
            effect: String::from("filters of a killed daemon stay attached until the next start"),
        });
        let forced = (self.hook == HookChoice::Clsact).then(|| Degradation {
            feature: String::from("hook"),
            reason: String::from("clsact in place of TCX: so configured"),
            effect: String::from("filters of a killed daemon stay attached until the next start"),
        });
        AttachStatus {
            interfaces: interfaces.collect(),
            degradations: refused
                .chain(lesser)
                .chain(fallback)
                .chain(forced)
                .chain(self.beside.iter().cloned())
                .collect(),
        }
    }
}

fn interface_name(link: &LinkMessage) -> Option<Arc<str>> {
    link.attributes.iter().find_map(|attribute| {
        if let LinkAttribute::IfName(name) = attribute {
            Some(name.as_str().into())
        } else {
            None
        }
    })
}

/// Every interface that was named, and not just described, must be there.
fn check_names(selectors: &[InterfaceSelector], present: &[LinkMessage]) -> Result<(), AttachError> {
    let names: Vec<Arc<str>> = present.iter().filter_map(interface_name).collect();
    for selector in selectors {
        if let InterfaceSelector::Name(name) = selector
            && !names.iter().any(|present| **present == **name)
        {
            return Err(AttachError::Unknown {
                name: name.clone(),
                present: names.join(", "),
            });
        }
    }
    Ok(())
}
