//! Which listening sockets turn connections away: those whose accept queue is full or that dropped something lately. In:
//! all listening sockets, whenever all sockets are looked at. Out: the ones in trouble by the addresses that they take
//! connections to, whenever that is something else than nothing.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::time::Instant;

use crate::model::{Backlog, Listener};

/// A listening socket stays in trouble for so long after it was last: clients send a SYN again after 1, 2 and 4 seconds.
const LATELY: Duration = Duration::from_secs(10);

/// What is known of the listening sockets, by cookie.
#[derive(Default)]
pub(super) struct Backlogs {
    known: HashMap<u64, Known>,
    /// Whether some were in trouble the last time.
    were_told: bool,
}

struct Known {
    drops: u32,
    /// When it was full or dropped something.
    troubled: Option<Instant>,
}

impl Backlogs {
    /// Takes all listening sockets in, with the addresses of this host. `None` where nobody is in trouble, as before.
    pub(super) fn take(
        &mut self,
        listeners: &[Listener],
        addresses: &[IpAddr],
        now: Instant,
    ) -> Option<HashMap<SocketAddr, Backlog>> {
        let mut before = std::mem::take(&mut self.known);
        let mut backlogs = HashMap::new();
        for listener in listeners {
            let limit = listener.accept_queue_limit.unwrap_or(u32::MAX);
            let drops = listener.drops.unwrap_or_default();
            let known = before.remove(&listener.cookie);
            // What was dropped before the first look may be long ago.
            let dropped = known.as_ref().is_some_and(|known| known.drops != drops);
            let troubled = if dropped || listener.accept_queue > limit {
                Some(now)
            } else {
                known.and_then(|known| known.troubled)
            };
            self.known.insert(listener.cookie, Known { drops, troubled });
            if troubled.is_some_and(|troubled| now < troubled + LATELY) {
                let backlog = Backlog {
                    accept_queue: listener.accept_queue,
                    accept_queue_limit: limit,
                    drops,
                };
                backlogs.extend(taken(listener, addresses).map(|address| (address, backlog)));
            }
        }
        let is_news = self.were_told || !backlogs.is_empty();
        self.were_told = !backlogs.is_empty();
        is_news.then_some(backlogs)
    }
}

/// The addresses that a listening socket takes connections to.
fn taken<'a>(listener: &Listener, addresses: &'a [IpAddr]) -> impl Iterator<Item = SocketAddr> + 'a {
    let (own, port) = (listener.address.ip(), listener.address.port());
    let takes_both = listener.is_dual_stack == Some(true);
    let any = addresses.iter().copied();
    let any =
        any.filter(move |address| own.is_unspecified() && (takes_both || address.is_ipv4() == own.is_ipv4()));
    any.chain((!own.is_unspecified()).then_some(own))
        .map(move |address| SocketAddr::new(address, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(address: &str, accept_queue: u32, drops: u32) -> Listener {
        let address: SocketAddr = address.parse().unwrap();
        Listener {
            address,
            is_dual_stack: address.is_ipv6().then_some(true),
            accept_queue,
            accept_queue_limit: Some(8),
            syn_queue: Some(0),
            drops: Some(drops),
            user_id: 0,
            cookie: u64::from(address.port()),
            inode: 0,
            network_namespace: None,
            owner: None,
        }
    }

    fn told(backlogs: &mut Backlogs, listeners: &[Listener], now: Instant) -> Option<Vec<String>> {
        let addresses = ["10.0.0.1", "127.0.0.1", "fd00::1"].map(|address| address.parse().unwrap());
        let found = backlogs.take(listeners, &addresses, now)?;
        let mut found: Vec<_> = found.keys().map(ToString::to_string).collect();
        found.sort_unstable();
        Some(found)
    }

    #[test]
    fn a_listener_is_in_trouble_while_it_is_full_and_for_a_while_after_it_dropped_something() {
        let (mut backlogs, start) = (Backlogs::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let at = "10.0.0.1:80";
        for (seconds, queue, drops, expected) in [
            (0, 8, 5, None),
            (2, 9, 5, Some(vec![at.to_owned()])),
            (4, 3, 6, Some(vec![at.to_owned()])),
            (13, 3, 6, Some(vec![at.to_owned()])),
            (15, 3, 6, Some(vec![])),
            (17, 3, 6, None),
        ] {
            let found = told(&mut backlogs, &[listener(at, queue, drops)], after(seconds));
            assert_eq!(found, expected, "after {seconds} s");
        }
    }

    #[test]
    fn one_that_listens_everywhere_takes_connections_to_all_addresses_of_its_family() {
        let now = Instant::now();
        for (address, expected) in [
            ("0.0.0.0:80", vec!["10.0.0.1:80", "127.0.0.1:80"]),
            ("[::]:80", vec!["10.0.0.1:80", "127.0.0.1:80", "[fd00::1]:80"]),
            ("[fd00::1]:80", vec!["[fd00::1]:80"]),
        ] {
            let found = told(&mut Backlogs::default(), &[listener(address, 9, 0)], now);
            assert_eq!(found.unwrap(), expected, "{address}");
        }
    }
}
