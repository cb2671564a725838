//! What is ready before the API serves: the sockets are open, certificates and access file are read. In: the
//! configuration. Out: the entrances, or what is wrong with them, before anything is attached to the kernel.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustix::process::geteuid;
use rustls::ServerConfig;
use tokio::sync::watch;

use super::{
    ApiError,
    access::{self, Access, AccessError},
    guard::Hosts,
    listen::Listener,
    reload::{FromFiles, Reloaded},
    tls::{self, TlsError},
};
use crate::config::{ApiConfig, TlsConfig};

/// Sockets that listen, and what decides who may come in.
pub struct Entrances {
    pub(super) list: Vec<Entrance>,
    pub(super) access: watch::Receiver<Arc<Access>>,
    pub(super) access_file: Option<Reloaded<AccessFile>>,
    pub(super) certificates: Option<Reloaded<TlsConfig>>,
}

/// One socket that listens.
pub(super) struct Entrance {
    pub(super) listener: Listener,
    /// The address, for people.
    pub(super) url: String,
    /// The hosts that its requests may name.
    pub(super) hosts: Arc<Hosts>,
    /// What handshakes need; `None` without TLS.
    pub(super) tls: Option<watch::Receiver<Arc<ServerConfig>>>,
}

/// Opens all that the configuration asks for.
pub async fn bind(config: &ApiConfig) -> Result<Entrances, ApiError> {
    let certificates = config.tls.clone().map(Reloaded::new).transpose()?;
    let access_file = config
        .access
        .clone()
        .map(AccessFile)
        .map(Reloaded::new)
        .transpose()?;
    let access = match &access_file {
        Some(file) => file.newest(),
        // Nobody writes into it any more.
        None => {
            watch::channel(Arc::new(Access::Open {
                own_uid: geteuid().as_raw(),
            }))
            .1
        }
    };
    check_that_somebody_can_come(config, &access.borrow())?;
    let mut list = Vec::with_capacity(config.listen.len());
    for listen in &config.listen {
        let listener = Listener::bind(listen).await?;
        let address = listener.address().map_err(ApiError::LocalAddress)?;
        let tls = address.and(certificates.as_ref()).map(Reloaded::newest);
        let url = match (address, &tls) {
            (Some(address), Some(_)) => format!("https://{address}"),
            (Some(address), None) => format!("http://{address}"),
            (None, _) => listen.to_string(),
        };
        let hosts = Arc::new(Hosts::new(address, config.hosts.clone(), tls.is_some()));
        list.push(Entrance {
            listener,
            url,
            hosts,
            tls,
        });
    }
    Ok(Entrances {
        list,
        access,
        access_file,
        certificates,
    })
}

/// A port for other hosts that nobody can use is a mistake. Later it may be meant: the last token was withdrawn.
fn check_that_somebody_can_come(config: &ApiConfig, access: &Access) -> Result<(), ApiError> {
    let with_certificates = config.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let for_others = config.listen.iter().any(|listen| !listen.is_local());
    match &config.access {
        Some(path) if for_others && !access.lets_in_over_tcp(with_certificates, SystemTime::now()) => {
            Err(ApiError::Nobody { path: path.clone() })
        }
        Some(_) | None => Ok(()),
    }
}

impl Entrances {
    /// Where clients find the API, in the order of the configuration.
    pub fn urls(&self) -> Vec<String> {
        self.list.iter().map(|entrance| entrance.url.clone()).collect()
    }

    /// The addresses of the TCP ports, in the order of the configuration.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let addresses = self.list.iter().map(|entrance| entrance.listener.address());
        addresses.filter_map(Result::transpose).collect()
    }
}

/// The access file.
pub(super) struct AccessFile(PathBuf);

impl FromFiles for AccessFile {
    type Made = Arc<Access>;
    type Error = AccessError;

    const WHAT: &'static str = "the access file";

    fn files(&self) -> Vec<&Path> {
        vec![&self.0]
    }

    fn private(&self) -> &Path {
        &self.0
    }

    fn make(&self) -> Result<Self::Made, Self::Error> {
        access::read(&self.0).map(Access::Listed).map(Arc::new)
    }
}

impl FromFiles for TlsConfig {
    type Made = Arc<ServerConfig>;
    type Error = TlsError;

    const WHAT: &'static str = "the certificate";

    fn files(&self) -> Vec<&Path> {
        let always = [self.certificate.as_path(), self.key.as_path()];
        always.into_iter().chain(self.client_ca.as_deref()).collect()
    }

    fn private(&self) -> &Path {
        &self.key
    }

    fn make(&self) -> Result<Self::Made, Self::Error> {
        tls::read(self)
    }
}
