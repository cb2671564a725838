//! The looks at all sockets of this host, again and again: at those of its own network namespace, and, less often, at those
//! of the others, one after the other. Each begins where the last one has ended; what cannot be looked at is left out
//! until the next one.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{
    namespaces::Namespace,
    places::{Places, Surroundings},
    source::LookError,
    sweep::{Found, Sweep},
    ways::Ways,
};
use crate::model::{Clock, InterfaceNames, SocketNews};

/// Other namespaces are looked for as often as this at most. What begins in a new one is told by packets.
const NAMESPACES_EVERY: Duration = Duration::from_secs(10);
/// A namespace that is not found so many times in a row is gone: a walk through processes can miss one.
const MISSED: u64 = 2;
/// Namespaces that are tried in one go; those that are gone or not to be entered are passed over.
const TRIES: usize = 16;

/// Looks at the sockets of the own namespace.
#[derive(Default)]
pub(super) struct Own {
    sweep: Sweep,
    is_under_way: bool,
}

/// Looks at the sockets of the other namespaces.
#[derive(Default)]
pub(super) struct Others {
    /// By inode.
    known: HashMap<u64, Other>,
    /// Those that are still to be looked into, in the look that is under way.
    queue: Vec<Namespace>,
    /// The one that is looked into.
    inside: Option<u64>,
    /// How often they were found out here. Others let them be searched for as well.
    searches: u64,
    /// The number of the newest search.
    newest: u64,
}

/// Another namespace.
#[derive(Default)]
struct Other {
    sweep: Sweep,
    /// The one of `searches` that found it last.
    found_in: u64,
}

impl Own {
    /// Goes on with the look that is under way, or begins one.
    pub(super) fn step(&mut self, ways: &Ways, names: &InterfaceNames, clock: Clock) -> Found {
        let stepped = if self.is_under_way {
            self.sweep.step(clock)
        } else {
            self.begin(ways, names)
        };
        let found = or_nothing(stepped);
        self.is_under_way = !found.is_over;
        found
    }

    fn begin(&mut self, ways: &Ways, names: &InterfaceNames) -> Result<Found, LookError> {
        let mut source = ways.own()?;
        let listeners = source.listening()?;
        let surroundings = Surroundings::own(names).map_err(LookError::Surroundings)?;
        self.sweep.begin(source, Places::new(surroundings, listeners))
    }
}

impl Others {
    /// Likewise.
    pub(super) fn step(&mut self, ways: &mut Ways, names: &InterfaceNames, clock: Clock) -> Found {
        let mut found = match self.inside.and_then(|inode| self.known.get_mut(&inode)) {
            Some(other) => or_nothing(other.sweep.step(clock)),
            None => Found {
                news: if self.queue.is_empty() {
                    self.find(ways)
                } else {
                    Vec::new()
                },
                is_over: true,
                ..Found::default()
            },
        };
        if found.is_over {
            self.inside = self.begin_next(ways, names);
            found.is_over = self.inside.is_none() && self.queue.is_empty();
        }
        found
    }

    /// Finds out which there are. Of one that is gone the sockets are gone.
    fn find(&mut self, ways: &mut Ways) -> Vec<SocketNews> {
        let (found, number) = ways.others_within_reach(NAMESPACES_EVERY);
        self.queue = found;
        if std::mem::replace(&mut self.newest, number) != number {
            self.searches += 1;
        }
        let there: HashSet<_> = self.queue.iter().map(|namespace| namespace.inode).collect();
        for &inode in &there {
            self.known.entry(inode).or_default().found_in = self.searches;
        }
        let mut news = Vec::new();
        self.known.retain(|_inode, other| {
            let is_there = self.searches - other.found_in < MISSED;
            if !is_there {
                news.extend(other.sweep.all_gone());
            }
            is_there
        });
        news
    }

    /// Begins the look into the next one that lets itself be looked into, if one of the next few does.
    fn begin_next(&mut self, ways: &Ways, names: &InterfaceNames) -> Option<u64> {
        for _try in 0..TRIES {
            let namespace = self.queue.pop()?;
            let other = self.known.entry(namespace.inode).or_default();
            match begin(&mut other.sweep, &namespace, ways, names) {
                Ok(()) => return Some(namespace.inode),
                Err(error) => {
                    tracing::debug!(%error, inode = namespace.inode, "look into a network namespace");
                }
            }
        }
        None
    }
}

fn begin(
    sweep: &mut Sweep,
    namespace: &Namespace,
    ways: &Ways,
    names: &InterfaceNames,
) -> Result<(), LookError> {
    let (mut source, surroundings) = ways.inside(namespace, names)?;
    let listeners = source.listening()?;
    sweep.begin(source, Places::new(surroundings, listeners))?;
    Ok(())
}

fn or_nothing(stepped: Result<Found, LookError>) -> Found {
    stepped.unwrap_or_else(|error| {
        tracing::debug!(%error, "sockets could not be looked at");
        Found {
            is_over: true,
            ..Found::default()
        }
    })
}
