//! The edge to the outside: gRPC, gRPC-Web, JSON and the dashboard on one port. In: the published table and packets.
//! Out: messages of `tcpviewer.v1`, and the users' wishes as commands. The modules stand in the order a request
//! passes them.

mod entrances;
mod listen;
mod tls;
mod reload;
mod server;
mod version;
mod guard;
mod routes;
mod gate;
mod access;
mod refusals;
mod revocable;
mod page;
mod service;
mod streams;
mod selection;
mod connections;
mod watch;
mod detail;
pub(crate) mod streamed;
pub(crate) mod codec;
mod forms;
mod mask;
mod packets;
mod capture;
mod pcapng;
mod stats;
mod bundle;
mod status;
mod traffic;
mod convert;

use std::{io, path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    config::Listen,
    history::History,
    model::{Command, Economies, Identity},
    publish::{Board, PacketBoard},
};

pub(crate) use access::token_hash;
pub use access::{AccessError, Role};
pub use convert::connection;
pub use entrances::{Entrances, bind};
pub use server::serve;
pub use tls::TlsError;

/// What the API serves.
#[derive(Clone, Debug)]
pub struct ApiContext {
    /// What never changes while the daemon runs.
    pub identity: Arc<Identity>,
    /// The published table.
    pub board: Arc<Board>,
    /// The past of the connections.
    pub history: Arc<History>,
    /// The last packets.
    pub packets: Arc<PacketBoard>,
    /// The way back to the daemon.
    pub commands: mpsc::Sender<Command>,
    /// What is done less of.
    pub economies: Economies,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is taken.
    #[error(
        "listen on {listen}: address already in use; is tcpviewer running already? stop it, or choose another \
         address with --listen"
    )]
    AddressInUse {
        /// Where.
        listen: Listen,
    },
    /// The address cannot be listened on.
    #[error("listen on {listen}: {error}")]
    Listen {
        /// Where.
        listen: Listen,
        /// Why.
        error: io::Error,
    },
    /// The files of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The access file cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The access file makes the port for other hosts useless.
    #[error(
        "listen to other hosts: access file {} lets none of them in; add a token (`tcpviewer token` makes one), \
         or a certificate and --client-ca",
        path.display()
    )]
    Nobody {
        /// The access file.
        path: PathBuf,
    },
    /// Changes of certificates or of the access file cannot be noticed.
    #[error("follow certificates and access file: {0}")]
    Follow(io::Error),
    /// The socket does not tell its address.
    #[error("read the address of the listening socket: {0}")]
    LocalAddress(io::Error),
    /// The descriptors of the contract do not fit the reflection service.
    #[error("prepare the reflection service: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}
