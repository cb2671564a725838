//! Who may do what: the one place that decides. In: what is known of a peer, the head of its request, and the
//! access file, if there is one. Out: an identity whose role covers the path, or a refusal that tells nobody which
//! tokens, certificates or users exist. Pure: sockets, files and logs are left to others.

mod file;
mod methods;

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, header::AUTHORIZATION};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

pub use file::AccessError;
pub(super) use file::read;
pub(super) use methods::{Need, needed};

/// What somebody may do; each role includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See the connections and the status.
    Connections,
    /// See the headers of packets as well.
    Packets,
    /// Change what the daemon does as well.
    Control,
}

/// SHA-256 of a token. Looking it up takes as long whatever the token is: nobody can choose the hash of a guess.
pub(crate) type TokenHash = [u8; 32];

/// Who is let in.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// Without an access file: everybody who reaches a port, and root and the daemon's own user on a Unix socket.
    Open {
        /// User of the daemon.
        own_uid: u32,
    },
    /// Those whom the access file names.
    Listed(Listed),
}

/// The access file as it is looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    tokens: HashMap<TokenHash, Entry>,
    /// By DNS name of the certificate's subject, in lower case.
    certificates: BTreeMap<String, Entry>,
    users: BTreeMap<u32, Entry>,
}

/// Somebody whom the access file names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    name: String,
    role: Role,
    /// From when on it does not count; `None`: it always does.
    expires: Option<SystemTime>,
}

impl Entry {
    fn is_valid(&self, now: SystemTime) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

/// What is known of a peer before it says a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// It came over TCP.
    Network {
        /// Where from.
        address: SocketAddr,
        /// What its certificate proves, which a trusted authority signed; `None` without one.
        certified: Option<Certified>,
    },
    /// It came over a Unix socket.
    Local {
        /// The kernel's word for who it is.
        uid: u32,
    },
}

/// What a certificate proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certified {
    /// Its DNS names.
    pub(super) names: Vec<String>,
    /// The last moment at which it is good.
    pub(super) until: SystemTime,
}

impl fmt::Display for Peer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network { address, .. } => write!(formatter, "{address}"),
            Self::Local { uid } => write!(formatter, "user {uid}"),
        }
    }
}

/// Who asks, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Name in the access file; `None` for those who need none.
    pub(super) name: Option<String>,
    /// What it may do; `None`: only what needs no role.
    pub(super) role: Option<Role>,
    /// When that ends; `None`: when the access file says so.
    pub(super) until: Option<SystemTime>,
}

/// Why somebody is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The same for a token that is missing, wrong, malformed, expired or withdrawn, and for unknown certificates and users.
    #[error("a valid token or client certificate is needed")]
    Unauthenticated,
    /// Not root, nor the daemon's own user, on a Unix socket without an access file.
    #[error(
        "only root and the daemon's own user may ask on this socket; others need an access file, \
         see `tcpviewer run --help`"
    )]
    OtherUser,
    /// Known, but not for this.
    #[error("this needs the role {needed}; yours is {given}")]
    Role {
        /// What would do.
        needed: Role,
        /// What is there.
        given: Role,
    },
}

impl Access {
    /// Whether this peer may send a request with these headers to `path`, and as whom.
    pub(super) fn decide(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
        path: &str,
        now: SystemTime,
    ) -> Result<Identity, Refusal> {
        let Need::Role(needed) = needed(path) else {
            return Ok(Identity {
                name: None,
                role: None,
                until: None,
            });
        };
        let identity = match self {
            Self::Open { own_uid } => open(*own_uid, peer)?,
            Self::Listed(listed) => listed.identify(peer, headers, now)?,
        };
        match identity.role {
            Some(given) if given < needed => Err(Refusal::Role { needed, given }),
            _enough => Ok(identity),
        }
    }

    /// Whether anybody can come in over TCP; `with_certificates` says that client certificates are asked for.
    pub(super) fn lets_in_over_tcp(&self, with_certificates: bool, now: SystemTime) -> bool {
        match self {
            Self::Open { .. } => true,
            Self::Listed(listed) => {
                listed.tokens.values().any(|token| token.is_valid(now))
                    || (with_certificates && !listed.certificates.is_empty())
            }
        }
    }
}

fn open(own_uid: u32, peer: &Peer) -> Result<Identity, Refusal> {
    match *peer {
        Peer::Local { uid } if uid != 0 && uid != own_uid => Err(Refusal::OtherUser),
        Peer::Local { .. } | Peer::Network { .. } => Ok(Identity {
            name: None,
            role: Some(Role::Control),
            until: None,
        }),
    }
}

impl Listed {
    /// The strongest of what the peer can show. A token that is wrong is not made good by anything else.
    fn identify(&self, peer: &Peer, headers: &HeaderMap, now: SystemTime) -> Result<Identity, Refusal> {
        let by_token = match presented(headers) {
            Presented::Nothing => None,
            Presented::Token(hash) => {
                let known = self.tokens.get(&hash).filter(|token| token.is_valid(now));
                Some(known.ok_or(Refusal::Unauthenticated)?)
            }
            Presented::Nonsense => return Err(Refusal::Unauthenticated),
        };
        let certified = match peer {
            Peer::Network { certified, .. } => certified.as_ref().filter(|certified| now <= certified.until),
            Peer::Local { .. } => None,
        };
        let by_peer: Vec<&Entry> = match peer {
            Peer::Network { .. } => certified
                .iter()
                .flat_map(|certified| &certified.names)
                .filter_map(|name| self.certificates.get(&name.to_ascii_lowercase()))
                .collect(),
            Peer::Local { uid } => self.users.get(uid).into_iter().collect(),
        };
        let ends = [
            by_token.and_then(|token| token.expires),
            // The certificate is good at that moment, and no longer after it.
            certified
                .filter(|_certified| !by_peer.is_empty())
                .map(|certified| certified.until + Duration::from_nanos(1)),
        ];
        let strongest = by_token.into_iter().chain(by_peer).max_by_key(|entry| entry.role);
        let entry = strongest.ok_or(Refusal::Unauthenticated)?;
        Ok(Identity {
            name: Some(entry.name.clone()),
            role: Some(entry.role),
            until: ends.into_iter().flatten().min(),
        })
    }
}

/// The headers that a decision looks at.
pub(super) fn shown(headers: &HeaderMap) -> HeaderMap {
    let values = headers.get_all(AUTHORIZATION).iter();
    values.map(|value| (AUTHORIZATION, value.clone())).collect()
}

/// What the headers say about who asks.
enum Presented {
    Nothing,
    Token(TokenHash),
    Nonsense,
}

fn presented(headers: &HeaderMap) -> Presented {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, further) = (values.next(), values.next());
    match (value, further) {
        (None, _) => Presented::Nothing,
        (Some(value), None) => match value.as_bytes().split_at_checked(b"Bearer ".len()) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"Bearer ") => {
                Presented::Token(token_hash(token.trim_ascii()))
            }
            _other_scheme => Presented::Nonsense,
        },
        (Some(_), Some(_)) => Presented::Nonsense,
    }
}

/// Hash of a token as it is listed.
pub(crate) fn token_hash(token: &[u8]) -> TokenHash {
    Sha256::digest(token).into()
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Connections => "connections",
            Self::Packets => "packets",
            Self::Control => "control",
        })
    }
}

#[cfg(test)]
mod tests;
