//! How the sockets of one network namespace are looked at: by asking the kernel (sock_diag), or, where it does not
//! answer, in its tables in procfs. Both say what is new, and whether a socket that they did not show is gone.

use std::io;

use netlink_packet_sock_diag::{
    constants::{AF_INET, AF_INET6},
    inet::{ExtensionFlags, StateFlags},
};
use tcpviewer_common::state::TcpState;
use thiserror::Error;

use super::{
    diag::{Diag, DiagError},
    known::{Known, News},
    listeners::listening,
    procfs::Tables,
    tcp_info,
};
use crate::model::{GoneSocket, Listener};

/// Families that are still to be asked for, last one first.
const FAMILIES: [u8; 2] = [AF_INET6, AF_INET];

/// Why sockets could not be looked at.
#[derive(Debug, Error)]
pub(super) enum LookError {
    /// The kernel does not answer.
    #[error(transparent)]
    Diag(#[from] DiagError),
    /// What is around them is not told, or their namespace must not be entered.
    #[error("read the addresses of a network namespace: {0}")]
    Surroundings(io::Error),
    /// Its tables cannot be read.
    #[error("read the tables of sockets in procfs: {0}")]
    Tables(io::Error),
}

/// The way to the sockets of a namespace.
pub(super) enum Source {
    /// The kernel, and the families that are still to be asked for.
    Diag(Diag, Vec<u8>),
    /// Its tables.
    Procfs(Tables),
}

/// What became of a socket that was not among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It has ended and lingers: the kernel keeps something smaller in its place, with another cookie, until the other
    /// end has closed as well or for a minute.
    Lingers,
    /// Packets told of its end.
    Ended,
    /// It is gone.
    Gone,
}

impl Source {
    pub(super) const fn of_diag(diag: Diag) -> Self {
        Self::Diag(diag, Vec::new())
    }

    /// The listening sockets.
    ///
    /// # Errors
    ///
    /// When they are not told.
    pub(super) fn listening(&mut self) -> Result<Vec<Listener>, LookError> {
        match self {
            Self::Diag(diag, _families) => Ok(listening(diag)?),
            Self::Procfs(tables) => tables.listeners().map_err(LookError::Tables),
        }
    }

    /// Begins to look at all sockets.
    ///
    /// # Errors
    ///
    /// When they are not told.
    pub(super) fn begin(&mut self) -> Result<(), LookError> {
        match self {
            Self::Diag(diag, families) => {
                *families = FAMILIES.to_vec();
                Ok(dump_next(diag, families)?)
            }
            Self::Procfs(tables) => {
                tables.begin();
                Ok(())
            }
        }
    }

    /// What the next of them say that is new; `None` after the last.
    ///
    /// # Errors
    ///
    /// When they are not told.
    pub(super) fn part(&mut self, known: &mut Known) -> Result<Option<Vec<News>>, LookError> {
        match self {
            Self::Diag(diag, families) => {
                if let Some(part) = diag.part()? {
                    return Ok(Some(
                        part.answers().filter_map(|answer| known.take(answer)).collect(),
                    ));
                }
                if families.is_empty() {
                    return Ok(None);
                }
                dump_next(diag, families)?;
                Ok(Some(Vec::new()))
            }
            Self::Procfs(tables) => tables.part(known).map_err(LookError::Tables),
        }
    }

    /// Those that were not among all. A table can leave one out once.
    pub(super) fn missing(&self, known: &Known) -> Vec<(u64, GoneSocket)> {
        known.missing(match self {
            Self::Diag(..) => 1,
            Self::Procfs(_) => 2,
        })
    }

    /// What became of one of them.
    ///
    /// # Errors
    ///
    /// When it is not told.
    pub(super) fn fate(&mut self, missing: &GoneSocket) -> Result<Fate, LookError> {
        let Self::Diag(diag, _families) = self else {
            return Ok(Fate::Gone);
        };
        let left = diag.ask(&missing.key, missing.side, 0)?;
        Ok(match left.map(|answer| tcp_info::state(answer.header.state)) {
            Some(TcpState::FinWait2) => Fate::Lingers,
            Some(_) => Fate::Ended,
            None => Fate::Gone,
        })
    }

    /// Whether sockets are known by their cookies, else by their endpoints.
    pub(super) const fn has_cookies(&self) -> bool {
        matches!(self, Self::Diag(..))
    }
}

fn dump_next(diag: &mut Diag, families: &mut Vec<u8>) -> Result<(), DiagError> {
    // Requests at a listener, and what lingers after the end, are no sockets yet or any more.
    let states = StateFlags::all()
        - StateFlags::LISTEN
        - StateFlags::SYN_RECV
        - StateFlags::SYN_SENT
        - StateFlags::TIME_WAIT
        - StateFlags::CLOSE;
    let extensions = ExtensionFlags::INFO | ExtensionFlags::CONG | ExtensionFlags::SKMEMINFO;
    match families.pop() {
        Some(family) => diag.dump(family, states, extensions),
        None => Ok(()),
    }
}
