//! The ways to the sockets of this host, and what is missing where the kernel answers no questions about them, or about
//! those of other network namespaces: then its tables in procfs have to do.

use std::{fs::File, io, os::fd::AsFd as _, path::PathBuf, time::Duration};

use super::{
    diag::{Diag, DiagError},
    listeners,
    namespaces::{self, Namespace, Namespaces},
    places::Surroundings,
    procfs::Tables,
    source::{LookError, Source},
};
use crate::model::{Degradation, InterfaceNames, Listener};

/// Other namespaces are looked for again when somebody asks for listeners after this time.
const NAMESPACES_FOR: Duration = Duration::from_secs(1);

/// How sockets are looked at on this host.
pub(super) struct Ways {
    /// To ask for single sockets; or why that cannot be.
    diag: Result<Diag, DiagError>,
    /// Whether other namespaces can be entered; or why not.
    entry: io::Result<()>,
    namespaces: Namespaces,
    own: Option<u64>,
}

impl Ways {
    /// Tries whether the kernel answers.
    pub(super) fn open() -> Self {
        Self {
            diag: Diag::open(),
            entry: namespaces::try_entry(),
            namespaces: Namespaces::default(),
            own: namespaces::own(),
        }
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

    /// The other namespaces that can be entered, as of so long ago at most, and the number of the last search
    /// that showed all of them.
    pub(super) fn others_within_reach(&mut self, age: Duration) -> (Vec<Namespace>, u64) {
        if self.entry.is_err() {
            return (Vec::new(), 0);
        }
        let found = self.namespaces.of_late(age).to_vec();
        (found, self.namespaces.walks())
    }

    /// The way to all sockets of another namespace, and what is around them.
    ///
    /// # Errors
    ///
    /// When it is gone or must not be entered, or the kernel does not answer there.
    pub(super) fn inside(
        &self,
        namespace: &Namespace,
        names: &InterfaceNames,
    ) -> Result<(Source, Surroundings), LookError> {
        let home = File::open("/proc/thread-self/ns/net").map_err(LookError::Surroundings)?;
        let entered = namespace.enter(|| {
            let source = match &self.diag {
                Ok(_) => Source::of_diag(Diag::open()?),
                Err(_) => Source::Procfs(Tables::of(*namespace)),
            };
            let surroundings = Surroundings::inside(home.as_fd(), names).map_err(LookError::Surroundings)?;
            Ok((source, surroundings))
        });
        entered.map_err(LookError::Surroundings)?
    }

    /// The listening sockets of all namespaces, by address. Of one that is gone meanwhile there are none.
    ///
    /// # Errors
    ///
    /// When those of the own one are not told.
    pub(super) fn listeners(&mut self) -> Result<Vec<Listener>, LookError> {
        let others = self.namespaces.of_late(NAMESPACES_FOR).to_vec();
        let mut all = match &mut self.diag {
            Ok(diag) => listeners::listeners(diag)?,
            Err(_) => own_tables()
                .listeners_with_handshakes()
                .map_err(LookError::Tables)?,
        };
        for listener in &mut all {
            listener.network_namespace = self.own;
        }
        for namespace in others {
            match self.listeners_inside(&namespace) {
                Ok(inside) => all.extend(inside),
                Err(error) => {
                    tracing::debug!(%error, inode = namespace.inode, "listeners of a network namespace")
                }
            }
        }
        all.sort_by_key(|each| (each.address.port(), each.address.ip(), each.network_namespace));
        Ok(all)
    }

    fn listeners_inside(&self, namespace: &Namespace) -> Result<Vec<Listener>, LookError> {
        let mut found = match &self.diag {
            Ok(_) if self.entry.is_ok() => listeners::listeners(&mut Diag::inside(namespace)?)?,
            Ok(_) | Err(_) => Tables::of(*namespace)
                .listeners_with_handshakes()
                .map_err(LookError::Tables)?,
        };
        for listener in &mut found {
            listener.network_namespace = Some(namespace.inode);
        }
        Ok(found)
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
        let without_entry = self.entry.as_ref().err().map(|error| Degradation {
            feature: "sockets: other network namespaces".into(),
            reason: format!("procfs only: they cannot be entered, which takes CAP_SYS_ADMIN: {error}"),
            effect: "in containers, listeners have neither limits nor drops, and connections that are older than the \
                     daemon are listed with their first packet"
                .into(),
        });
        without_diag.into_iter().chain(without_entry).collect()
    }
}

fn own_tables() -> Tables {
    Tables::new(PathBuf::from("/proc/thread-self/net"))
}
