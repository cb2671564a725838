//! Who listens where, as the kernel told when it began: for connections of which nobody saw who accepted them.

use std::collections::HashMap;

use tcpviewer_common::{
    owner::{OwnerEvent, SocketOwner},
    segment::{Address, mapped},
};

/// Endpoints that are remembered.
const LISTENERS: usize = 16_384;
/// Sockets on the same endpoint that are remembered.
const SHARING: usize = 64;
/// So long a process is believed to run since it was seen to. Should another one take its port meanwhile, the kernel
/// tells of that, and none is named.
const BELIEVED_NS: u64 = 1_000_000_000;

/// The listeners.
#[derive(Default)]
pub(super) struct Listeners(HashMap<Place, Vec<Listener>>);

struct Listener {
    owner: SocketOwner,
    /// When its process was seen to run, boot time.
    seen_ns: u64,
}

/// A network namespace, an address and a port.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    network_cookie: u64,
    address: Address,
    port: [u8; 2],
}

impl Listeners {
    /// Takes note of a socket that listens. Once there are too many, all are forgotten: what is older than the daemon
    /// is not known either.
    pub(super) fn take(&mut self, event: &OwnerEvent) {
        if self.0.len() >= LISTENERS {
            self.0.clear();
        }
        let place = Place {
            network_cookie: event.owner.network_cookie,
            address: event.address,
            port: event.port,
        };
        let owners = self.0.entry(place).or_default();
        owners.retain(|known| !is_same(&known.owner, &event.owner));
        if owners.len() < SHARING {
            owners.push(Listener {
                owner: event.owner,
                seen_ns: event.owner.time_ns,
            });
        }
    }

    /// Whose listener a connection to this endpoint came to; `None` where nobody is known, or several processes listen
    /// there. `is_alive` tells whether a process still runs.
    pub(super) fn owner(
        &mut self,
        network_cookie: u64,
        address: Address,
        port: [u8; 2],
        now_ns: u64,
        is_alive: impl Fn(&SocketOwner) -> bool,
    ) -> Option<SocketOwner> {
        // A socket on the very address comes before one on all of them, and the kernel's own family before IPv6 for all.
        for address in [address, mapped([0; 4]), [0; 16]] {
            let place = Place {
                network_cookie,
                address,
                port,
            };
            let Some(owners) = self.0.get_mut(&place) else {
                continue;
            };
            owners.retain_mut(|known| {
                let is_stale = now_ns.saturating_sub(known.seen_ns) > BELIEVED_NS;
                let runs = !is_stale || is_alive(&known.owner);
                if is_stale && runs {
                    known.seen_ns = now_ns;
                }
                runs
            });
            match owners.as_slice() {
                [known] => return Some(known.owner),
                [] => {
                    self.0.remove(&place);
                }
                _ => return None,
            }
        }
        None
    }
}

fn is_same(one: &SocketOwner, other: &SocketOwner) -> bool {
    (one.process_id, one.started_ns) == (other.process_id, other.started_ns)
}

#[cfg(test)]
mod tests {
    use tcpviewer_common::owner::ARGUMENT_BYTES;

    use super::*;

    const PORT: [u8; 2] = [0, 80];

    fn listens(process_id: u32, network_cookie: u64, address: Address) -> OwnerEvent {
        OwnerEvent {
            cookie: 1,
            owner: SocketOwner {
                time_ns: 2,
                started_ns: 1,
                cgroup_id: 0,
                network_cookie,
                process_id,
                user_id: 0,
                act: SocketOwner::LISTENS,
                padding: 0,
                command: [0; 16],
            },
            address,
            port: PORT,
            argument_bytes: 0,
            all_argument_bytes: 0,
            arguments: [0; ARGUMENT_BYTES],
        }
    }

    fn pid(listeners: &mut Listeners, network: u64, address: Address, dead: &[u32]) -> Option<u32> {
        let later = 2 * BELIEVED_NS;
        let owner = listeners.owner(network, address, PORT, later, |owner| {
            !dead.contains(&owner.process_id)
        });
        owner.map(|owner| owner.process_id)
    }

    #[test]
    fn the_nearest_listener_of_the_same_network_counts() {
        let one = mapped([10, 0, 0, 1]);
        let mut listeners = Listeners::default();
        listeners.take(&listens(1, 7, [0; 16]));
        listeners.take(&listens(2, 7, one));
        listeners.take(&listens(3, 8, one));
        assert_eq!(pid(&mut listeners, 7, one, &[]), Some(2));
        assert_eq!(pid(&mut listeners, 8, one, &[]), Some(3));
        assert_eq!(pid(&mut listeners, 7, mapped([10, 0, 0, 2]), &[]), Some(1));
        assert_eq!(pid(&mut listeners, 9, one, &[]), None);
    }

    #[test]
    fn of_several_processes_on_one_port_none_is_named() {
        let everywhere = mapped([0; 4]);
        let mut listeners = Listeners::default();
        listeners.take(&listens(1, 7, everywhere));
        listeners.take(&listens(1, 7, everywhere));
        assert_eq!(pid(&mut listeners, 7, mapped([10, 0, 0, 1]), &[]), Some(1));
        listeners.take(&listens(2, 7, everywhere));
        assert_eq!(pid(&mut listeners, 7, mapped([10, 0, 0, 1]), &[]), None);
        // Nor one that has ended.
        let mut later = Listeners::default();
        later.take(&listens(1, 7, everywhere));
        later.take(&listens(2, 7, everywhere));
        assert_eq!(pid(&mut later, 7, mapped([10, 0, 0, 1]), &[1]), Some(2));
    }
}
