//! The way from a subcommand to the daemon, and what can go wrong on it. In: the address from the command line.
//! Out: a client of the service, or an error that says what to do.

use std::{error::Error as _, io, time::Duration};

use clap::{Args, ValueEnum};
use tonic::{
    Code, Status,
    service::interceptor::InterceptedService,
    transport::{self, Channel},
};

use super::server::{CredentialArgs, Server, Token};
use crate::proto::tcp_viewer_service_client::TcpViewerServiceClient;

/// Time to reach the daemon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A quiet connection is pinged this often, and given up when no answer comes as long again.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// A page of 10,000 connections fits several times.
const MAX_MESSAGE_BYTES: usize = 32 * 1024 * 1024;

/// A client of the daemon.
pub(super) type Client = TcpViewerServiceClient<InterceptedService<Channel, Token>>;

/// Which daemon is asked.
#[derive(Args, Clone, Debug)]
pub struct ServerArgs {
    /// Where the daemon listens: http://, https:// or unix: and the path of a socket.
    #[arg(
        long,
        value_name = "URL",
        env = "TCPVIEWER_SERVER",
        default_value = "http://127.0.0.1:50051"
    )]
    pub server: Server,
    /// What is shown to be let in.
    #[command(flatten)]
    pub credentials: CredentialArgs,
}

/// Options of most subcommands that ask a daemon.
#[derive(Args, Clone, Debug)]
pub struct ClientArgs {
    /// Which one.
    #[command(flatten)]
    pub server: ServerArgs,
    /// How to write the answer.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = OutputForm::Table)]
    pub output: OutputForm,
}

impl ClientArgs {
    /// The daemon's address.
    pub(super) fn server_name(&self) -> String {
        self.server.server.to_string()
    }
}

impl AsRef<ServerArgs> for ClientArgs {
    fn as_ref(&self) -> &ServerArgs {
        &self.server
    }
}

impl AsRef<Self> for ServerArgs {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// How a subcommand writes its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OutputForm {
    /// For people.
    Table,
    /// One JSON object per line, with the field names of the API.
    Json,
    /// A head and one line of comma-separated values for each thing (RFC 4180).
    Csv,
}

/// Why a subcommand failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers at the address.
    #[error("connect to {server}: {reason}; is the daemon running? start it with `tcpviewer run`")]
    Unreachable {
        /// The address.
        server: String,
        /// Why.
        reason: String,
    },
    /// Somebody answers, but the two cannot agree on TLS.
    #[error("connect to {server}: {reason}; name the authority of the daemon's certificate with --ca")]
    Tls {
        /// The address.
        server: String,
        /// Why.
        reason: String,
    },
    /// What the options name cannot be used.
    #[error("{0}")]
    Options(String),
    /// The daemon went away during a call.
    #[error("{what}: {reason}; is the daemon running? start it with `tcpviewer run`")]
    Lost {
        /// What was being done.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The daemon refused, or answered with an error.
    #[error("{what}: {reason}")]
    Call {
        /// What was being done.
        what: &'static str,
        /// What the daemon said.
        reason: String,
    },
    /// The answer cannot be written.
    #[error("write to the standard output: {}", io_reason(.0))]
    Output(#[from] io::Error),
    /// The answer does not fit the contract this program was built with.
    #[error("read the answer: {0}")]
    Answer(String),
}

impl ClientError {
    /// The exit status of the program: 3 when there is no daemon to talk to, 2 for wrong options, else 1.
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } => 3,
            Self::Options(_) => 2,
            Self::Tls { .. } | Self::Call { .. } | Self::Output(_) | Self::Answer(_) => 1,
        }
    }

    /// From the status that ended a call.
    pub(super) fn call(what: &'static str, status: &Status) -> Self {
        if status.code() == Code::Unavailable || status.source().is_some() {
            return Self::Lost {
                what,
                reason: reason(status),
            };
        }
        let name = status.code().description();
        let reason = if status.message().is_empty() {
            name.to_owned()
        } else {
            status.message().to_owned()
        };
        let reason = if status.code() == Code::Unauthenticated {
            format!("{reason}; give a token with --token-file or TCPVIEWER_TOKEN, or --certificate and --key")
        } else {
            reason
        };
        Self::Call { what, reason }
    }

    /// Whether it only says that nobody reads the output any more.
    fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// A client of the daemon that the options name.
pub(super) async fn connect(args: &impl AsRef<ServerArgs>) -> Result<Client, ClientError> {
    let args = args.as_ref();
    let token = args.credentials.token(&args.server)?;
    let endpoint = args
        .server
        .endpoint(&args.credentials)?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    let channel = endpoint.connect().await.map_err(|error| {
        let server = args.server.to_string();
        match tls_reason(&error) {
            Some(reason) => ClientError::Tls { server, reason },
            None => ClientError::Unreachable {
                server,
                reason: transport_reason(&error),
            },
        }
    })?;
    Ok(TcpViewerServiceClient::with_interceptor(channel, token).max_decoding_message_size(MAX_MESSAGE_BYTES))
}

/// A reader of the output that has seen enough, `head` for instance, is no failure.
pub(super) fn unless_output_is_closed(outcome: Result<(), ClientError>) -> Result<(), ClientError> {
    match outcome {
        Err(error) if error.is_closed_output() => Ok(()),
        other => other,
    }
}

/// Why a status came about, in as few words as there are.
pub(super) fn reason(status: &Status) -> String {
    match innermost(status) {
        Some(cause) => cause,
        None if status.message().is_empty() => status.code().description().to_owned(),
        None => status.message().to_owned(),
    }
}

fn transport_reason(error: &transport::Error) -> String {
    innermost(error).unwrap_or_else(|| error.to_string())
}

/// What TLS has against it, if that is the cause.
fn tls_reason(error: &transport::Error) -> Option<String> {
    let mut cause: &dyn std::error::Error = error;
    loop {
        // An I/O error does not count what it carries among its causes.
        let carried = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let carried = carried.and_then(|carried| carried.downcast_ref::<rustls::Error>());
        if let Some(error) = carried.or_else(|| cause.downcast_ref()) {
            return Some(error.to_string());
        }
        cause = cause.source()?;
    }
}

/// The innermost cause: the layers around it only repeat that something failed.
fn innermost(error: &dyn std::error::Error) -> Option<String> {
    let mut cause = error.source()?;
    while let Some(source) = cause.source() {
        cause = source;
    }
    Some(match cause.downcast_ref::<io::Error>() {
        Some(error) => io_reason(error),
        None => cause.to_string(),
    })
}

/// Without the number of the error.
pub(super) fn io_reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error")
        .map_or(text.as_str(), |(text, _number)| text)
        .to_lowercase()
}
