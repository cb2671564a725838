//! The ways to the sockets of this host, and what is missing where the kernel answers no questions about them: then its
//! tables in procfs have to do.

use std::path::PathBuf;

use super::{
    diag::{Diag, DiagError},
    listeners,
    procfs::Tables,
    source::{LookError, Source},
};
use crate::model::{Degradation, Listener};

/// How sockets are looked at on this host.
pub(super) struct Ways {
    /// To ask for single sockets; or why that cannot be.
    diag: Result<Diag, DiagError>,
}

impl Ways {
    /// Tries whether the kernel answers.
    pub(super) fn open() -> Self {
        Self { diag: Diag::open() }
    }

    /// The kernel, where it answers questions about single sockets.
    pub(super) fn diag(&mut self) -> Option<&mut Diag> {
        self.diag.as_mut().ok()
    }

    /// The way to all sockets of this network namespace.
    ///
    /// # Errors
    ///
    /// When the kernel does not answer any more.
    pub(super) fn own(&self) -> Result<Source, DiagError> {
        match &self.diag {
            Ok(_) => Ok(Source::of_diag(Diag::open()?)),
            Err(_) => Ok(Source::Procfs(own_tables())),
        }
    }

    /// The listening sockets, by address.
    ///
    /// # Errors
    ///
    /// When they are not told.
    pub(super) fn listeners(&mut self) -> Result<Vec<Listener>, LookError> {
        match &mut self.diag {
            Ok(diag) => Ok(listeners::listeners(diag)?),
            Err(_) => own_tables()
                .listeners_with_handshakes()
                .map_err(LookError::Tables),
        }
    }

    /// What does not work here, and what that costs.
    pub(super) fn degradations(&self) -> Vec<Degradation> {
        let error = self.diag.as_ref().err();
        let without_diag = error.map(|error| Degradation {
            feature: "sockets".into(),
            reason: format!("procfs only: {error}"),
            effect: "of connections that are older than the daemon, and of all that do not send, only states, queues, \
                     windows and timeouts are known, as of the last look at all sockets; of those that send, what \
                     they say as they do; listeners have neither limits nor drops"
                .into(),
        });
        without_diag.into_iter().collect()
    }
}

fn own_tables() -> Tables {
    Tables::new(PathBuf::from("/proc/thread-self/net"))
}
