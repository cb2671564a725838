//! The look at all sockets of this host, part by part, so that other work gets its turn in between: what is new, what
//! changed and what is gone since the last one.

use netlink_packet_sock_diag::{
    constants::{AF_INET, AF_INET6},
    inet::{ExtensionFlags, StateFlags},
};
use tcpviewer_common::connection::Side;
use tokio::time::Instant;

use super::{
    backlogs::Backlogs,
    convert,
    diag::{Diag, DiagError},
    known::{Gone, Known, News},
    places::Places,
    tcp_info,
};
use crate::model::{Clock, InterfaceNames, OpenSocket, Sample, SocketNews, boot_ns, endpoint};
use tcpviewer_common::state::TcpState;

/// Families that are still to be asked for, last one first.
const FAMILIES: [u8; 2] = [AF_INET6, AF_INET];
/// At most so many vanished sockets are looked for at once.
const BATCH: usize = 256;

/// Looks at all sockets again and again.
pub(super) struct Sweep {
    diag: Diag,
    known: Known,
    backlogs: Backlogs,
    /// Of the look that is under way.
    places: Option<Places>,
    families: Vec<u8>,
    missing: Vec<Gone>,
}

/// What a part of the look showed.
#[derive(Default)]
pub(super) struct Found {
    /// Sockets that are new and sockets that are gone.
    pub(super) news: Vec<SocketNews>,
    /// What the others said that changed.
    pub(super) samples: Vec<Sample>,
    /// Whether this was the last part.
    pub(super) is_over: bool,
}

impl Sweep {
    /// Nothing is known yet.
    pub(super) fn new(diag: Diag) -> Self {
        Self {
            diag,
            known: Known::default(),
            backlogs: Backlogs::default(),
            places: None,
            families: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Goes on with the look that is under way, or begins one.
    ///
    /// # Errors
    ///
    /// When the kernel does not answer; the next call begins anew.
    pub(super) fn step(&mut self, names: &InterfaceNames, clock: Clock) -> Result<Found, DiagError> {
        let stepped = self.try_step(names, clock);
        if stepped.as_ref().is_ok_and(|found| !found.is_over) {
            return stepped;
        }
        self.places = None;
        self.missing.clear();
        stepped
    }

    fn try_step(&mut self, names: &InterfaceNames, clock: Clock) -> Result<Found, DiagError> {
        if self.places.is_none() {
            let places = Places::read(&mut self.diag, names)?;
            let (listeners, addresses) = (places.listeners(), places.addresses());
            let backlogs = self.backlogs.take(listeners, &addresses, Instant::now());
            self.places = Some(places);
            self.families = FAMILIES.to_vec();
            self.known.begin();
            self.dump_next()?;
            return Ok(Found {
                samples: backlogs.map(Sample::Backlogs).into_iter().collect(),
                ..Found::default()
            });
        }
        if !self.missing.is_empty() {
            return self.look_for_missing();
        }
        let mut found = Found::default();
        let looked_at_ns = boot_ns();
        let mut news = Vec::new();
        if let Some(part) = self.diag.part()? {
            news.extend(part.answers().filter_map(|answer| self.known.take(answer)));
        } else if !self.families.is_empty() {
            self.dump_next()?;
        } else {
            self.missing = self.known.missing();
            found.is_over = self.missing.is_empty();
        }
        for each in news {
            self.tell(each, looked_at_ns, clock, &mut found);
        }
        Ok(found)
    }

    fn dump_next(&mut self) -> Result<(), DiagError> {
        // Requests at a listener, and what lingers after the end, are no sockets yet or any more.
        let states = StateFlags::all()
            - StateFlags::LISTEN
            - StateFlags::SYN_RECV
            - StateFlags::SYN_SENT
            - StateFlags::TIME_WAIT
            - StateFlags::CLOSE;
        let extensions = ExtensionFlags::INFO | ExtensionFlags::CONG | ExtensionFlags::SKMEMINFO;
        match self.families.pop() {
            Some(family) => self.diag.dump(family, states, extensions),
            None => Ok(()),
        }
    }

    fn tell(&self, news: News, looked_at_ns: u64, clock: Clock, found: &mut Found) {
        let News {
            key,
            side,
            answer,
            is_new,
        } = news;
        let Some(look) = convert::look(key, side, &answer, clock.at(looked_at_ns)) else {
            return;
        };
        if !is_new {
            found.samples.push(Sample::Socket(Box::new(look)));
            return;
        }
        let (low, high) = (endpoint(key.low, key.low_port), endpoint(key.high, key.high_port));
        let (local, remote) = match side {
            Side::Low => (low, high),
            Side::High => (high, low),
        };
        let places = self.places.as_ref();
        let ages = convert::ages_ns(&answer).unwrap_or_default();
        found.news.push(SocketNews::Open(Box::new(OpenSocket {
            look,
            cookie: convert::cookie(&answer),
            interface: places.and_then(|places| places.interface(local, remote)),
            opened: places.and_then(|places| places.opened(local, remote)),
            seen_ns: looked_at_ns,
            sent_ns: looked_at_ns.saturating_sub(ages.0),
            received_ns: looked_at_ns.saturating_sub(ages.1),
        })));
    }

    /// A socket that was not among all is gone, unless it lingers: the kernel then keeps something smaller in its
    /// place, with another cookie, until the other end has closed as well or for a minute.
    fn look_for_missing(&mut self) -> Result<Found, DiagError> {
        let mut found = Found::default();
        let rest = self.missing.len().saturating_sub(BATCH);
        for gone in self.missing.split_off(rest) {
            let left = self.diag.ask(&gone.key, gone.side, 0)?;
            let state = left.map(|answer| tcp_info::state(answer.header.state));
            if state == Some(TcpState::FinWait2) {
                continue;
            }
            self.known.forget(gone.cookie);
            if state.is_none() {
                found.news.push(SocketNews::Gone {
                    key: gone.key,
                    cookie: gone.cookie,
                });
            }
        }
        found.is_over = self.missing.is_empty();
        Ok(found)
    }
}
