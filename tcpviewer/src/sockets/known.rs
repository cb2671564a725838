//! The sockets that the last full look showed, so that the next one tells what is new, what changed and what is gone.
//! What an unchanged socket says is recognized before it is read, so an idle one costs next to nothing.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hasher as _},
};

use netlink_packet_core::{NlasIterator, Parseable as _};
use netlink_packet_sock_diag::{
    constants::INET_DIAG_INFO,
    inet::{InetResponse, InetResponseHeader},
};
use tcpviewer_common::connection::{ConnectionKey, Side};

use super::{diag::cookie_of, tcp_info};
use crate::model::key_between;

/// Sockets of this host.
#[derive(Default)]
pub(super) struct Known {
    sockets: HashMap<u64, Entry>,
    /// Number of the look that is under way.
    round: u32,
}

struct Entry {
    key: ConnectionKey,
    side: Side,
    /// Of what was said.
    hash: u64,
    round: u32,
}

/// A socket that is new or changed.
pub(super) struct News {
    pub(super) key: ConnectionKey,
    pub(super) side: Side,
    pub(super) answer: InetResponse,
    /// Whether it was not known before.
    pub(super) is_new: bool,
}

/// A socket that is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone {
    pub(super) key: ConnectionKey,
    pub(super) side: Side,
    pub(super) cookie: u64,
}

impl Known {
    /// Begins a look at all sockets.
    pub(super) fn begin(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Takes an answer of the kernel; `None` where it says nothing new or is not understood.
    pub(super) fn take(&mut self, answer: &[u8]) -> Option<News> {
        let header = InetResponseHeader::parse(answer).ok()?;
        let hash = hash(answer)?;
        let cookie = cookie_of(header.socket_id.cookie);
        let known = self.sockets.get_mut(&cookie);
        let is_new = known.is_none();
        if let Some(entry) = known {
            entry.round = self.round;
            if std::mem::replace(&mut entry.hash, hash) == hash {
                return None;
            }
        }
        let id = &header.socket_id;
        let end = |address: std::net::IpAddr, port| (address.to_canonical(), port).into();
        let (key, side) = key_between(
            end(id.source_address, id.source_port),
            end(id.destination_address, id.destination_port),
        );
        if is_new {
            let entry = Entry {
                key,
                side,
                hash,
                round: self.round,
            };
            self.sockets.insert(cookie, entry);
        }
        Some(News {
            key,
            side,
            answer: InetResponse::parse(answer).ok()?,
            is_new,
        })
    }

    /// After a look at all sockets: those that it did not show.
    pub(super) fn missing(&self) -> Vec<Gone> {
        let missing = self
            .sockets
            .iter()
            .filter(|(_cookie, entry)| entry.round != self.round);
        missing
            .map(|(&cookie, &Entry { key, side, .. })| Gone { key, side, cookie })
            .collect()
    }

    /// Forgets one that is gone.
    pub(super) fn forget(&mut self, cookie: u64) {
        self.sockets.remove(&cookie);
    }
}

/// Where the header of an answer ends and its attributes begin (`struct inet_diag_msg`).
const HEADER: usize = 72;
/// `idiag_expires`: runs while nothing happens.
const EXPIRES: std::ops::Range<usize> = 52..56;

/// Of all that is said but what runs while nothing happens.
fn hash(answer: &[u8]) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    hasher.write(answer.get(..EXPIRES.start)?);
    hasher.write(answer.get(EXPIRES.end..HEADER)?);
    for attribute in NlasIterator::new(answer.get(HEADER..)?) {
        let attribute = attribute.ok()?;
        let value = attribute.value();
        if attribute.kind() == INET_DIAG_INFO {
            hasher.write(value.get(..tcp_info::AGES.start)?);
            hasher.write(value.get(tcp_info::AGES.end..)?);
        } else {
            hasher.write(value);
        }
    }
    Some(hasher.finish())
}
