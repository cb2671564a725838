//! The edge to the outside: gRPC, gRPC-Web and the dashboard on one port. In: the published table and packets.
//! Out: messages of `tcpviewer.v1`, and the users' wishes as commands. The modules stand in the order a request
//! passes them.

mod server;
mod guard;
mod routes;
mod page;
mod service;
mod streams;
mod selection;
mod connections;
mod packets;
mod stats;
mod status;
mod convert;

use std::{io, net::SocketAddr, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    model::{Command, Identity},
    publish::{Board, PacketBoard},
};

pub(crate) use convert::connection;
pub use server::{bind, serve};

/// What the API serves.
#[derive(Clone, Debug)]
pub struct ApiContext {
    /// What never changes while the daemon runs.
    pub identity: Arc<Identity>,
    /// The published table.
    pub board: Arc<Board>,
    /// The last packets.
    pub packets: Arc<PacketBoard>,
    /// The way back to the daemon.
    pub commands: mpsc::Sender<Command>,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address is taken.
    #[error(
        "listen on {address}: address already in use; is tcpviewer running already? stop it, or choose another \
         address with --listen"
    )]
    AddressInUse {
        /// The address.
        address: SocketAddr,
    },
    /// The address cannot be listened on.
    #[error("listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The socket does not tell its address.
    #[error("read the address of the listening socket: {0}")]
    LocalAddress(io::Error),
    /// The descriptors of the contract do not fit the reflection service.
    #[error("prepare the reflection service: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}
