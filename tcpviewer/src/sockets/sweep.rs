//! The look at all sockets of one network namespace, part by part, so that other work gets its turn in between: what is
//! new, what changed and what is gone since the last one.

use std::{collections::HashMap, net::IpAddr};

use tcpviewer_common::connection::Side;
use tokio::time::Instant;

use super::{
    backlogs::Backlogs,
    known::{Known, News},
    places::Places,
    source::{Fate, LookError, Source},
};
use crate::model::{Clock, GoneSocket, OpenSocket, Sample, SocketNews, boot_ns, endpoint};

/// At most so many vanished sockets are looked for at once.
const BATCH: usize = 256;

/// Looks at all sockets of a namespace again and again.
#[derive(Default)]
pub(super) struct Sweep {
    known: Known,
    backlogs: Backlogs,
    /// By address, as of the last look.
    interfaces: HashMap<IpAddr, u32>,
    /// What is under way.
    look: Option<Look>,
}

/// One look.
struct Look {
    source: Source,
    places: Places,
    missing: Vec<(u64, GoneSocket)>,
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
    /// Begins a look.
    ///
    /// # Errors
    ///
    /// When the kernel does not answer.
    pub(super) fn begin(&mut self, mut source: Source, places: Places) -> Result<Found, LookError> {
        source.begin()?;
        // What is known of listeners goes by address alone, and others may have the same.
        let backlogs = places.is_own().then(|| {
            let (listeners, addresses) = (places.listeners(), places.addresses());
            self.backlogs.take(listeners, &addresses, Instant::now())
        });
        self.known.begin(source.has_cookies(), !places.is_own());
        if !places.is_own() && self.interfaces != *places.interfaces() {
            self.known.places_change();
            self.interfaces.clone_from(places.interfaces());
        }
        self.look = Some(Look {
            source,
            places,
            missing: Vec::new(),
        });
        Ok(Found {
            samples: backlogs.flatten().map(Sample::Backlogs).into_iter().collect(),
            ..Found::default()
        })
    }

    /// All that are known: their namespace is gone.
    pub(super) fn all_gone(&self) -> impl Iterator<Item = SocketNews> {
        self.known.all().filter(is_told_apart).map(SocketNews::Gone)
    }

    /// Goes on with the look that is under way.
    ///
    /// # Errors
    ///
    /// When the kernel does not answer any more; then it is over.
    pub(super) fn step(&mut self, clock: Clock) -> Result<Found, LookError> {
        let Some(mut look) = self.look.take() else {
            return Ok(Found {
                is_over: true,
                ..Found::default()
            });
        };
        let is_whole = !look.missing.is_empty();
        let stepped = look.step(&mut self.known, clock);
        match &stepped {
            Ok(found) if found.is_over => {}
            Ok(_) => self.look = Some(look),
            Err(_) if is_whole => {}
            Err(_) => self.known.take_back(),
        }
        stepped
    }
}

impl Look {
    fn step(&mut self, known: &mut Known, clock: Clock) -> Result<Found, LookError> {
        if !self.missing.is_empty() {
            return self.look_for_missing(known);
        }
        let mut found = Found::default();
        let looked_at_ns = boot_ns();
        known.is_at(looked_at_ns);
        match self.source.part(known)? {
            Some(news) => {
                for each in news {
                    self.tell(each, known, looked_at_ns, clock, &mut found);
                }
            }
            None => {
                self.missing = self.source.missing(known);
                found.is_over = self.missing.is_empty();
            }
        }
        Ok(found)
    }

    fn tell(&self, news: News, known: &mut Known, looked_at_ns: u64, clock: Clock, found: &mut Found) {
        let News {
            id,
            key,
            side,
            said,
            is_new,
        } = news;
        let (low, high) = (endpoint(key.low, key.low_port), endpoint(key.high, key.high_port));
        let (local, remote) = match side {
            Side::Low => (low, high),
            Side::High => (high, low),
        };
        let is_own = self.places.is_own();
        let place = self.places.place(local, remote);
        // Of what does not come here, nothing is said.
        if !is_own && place.is_none() {
            return;
        }
        let Some(mut look) = said.look(key, side, clock.at(looked_at_ns)) else {
            return;
        };
        look.comes_in = place.filter(|_place| !is_own);
        let is_new = match place {
            Some(place) if !is_own => known.comes_in(id, place),
            Some(_) | None => is_new,
        };
        if is_own && !is_new {
            found.samples.push(Sample::Socket(Box::new(look)));
            return;
        }
        let ages = said.ages_ns().unwrap_or_default();
        let open = OpenSocket {
            look,
            place,
            opened: self.places.opened(local, remote),
            is_new,
            seen_ns: looked_at_ns,
            sent_ns: looked_at_ns.saturating_sub(ages.0),
            received_ns: looked_at_ns.saturating_sub(ages.1),
        };
        found.news.push(if is_own {
            SocketNews::Open(Box::new(open))
        } else {
            SocketNews::Elsewhere(Box::new(open))
        });
    }

    fn look_for_missing(&mut self, known: &mut Known) -> Result<Found, LookError> {
        let mut found = Found::default();
        let rest = self.missing.len().saturating_sub(BATCH);
        for (id, gone) in self.missing.split_off(rest) {
            let fate = self.source.fate(&gone)?;
            if fate == Fate::Lingers {
                continue;
            }
            known.forget(id);
            if fate == Fate::Gone && is_told_apart(&gone) {
                found.news.push(SocketNews::Gone(gone));
            }
        }
        found.is_over = self.missing.is_empty();
        Ok(found)
    }
}

/// Whether the end of a socket can be that of a connection which passes here: one in another namespace may have the
/// endpoints of another.
fn is_told_apart(gone: &GoneSocket) -> bool {
    !gone.is_elsewhere || gone.place.is_some()
}
