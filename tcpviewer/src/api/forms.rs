//! Encoded connections, each form encoded once for all streams that send it soon after it was published. In:
//! connections of the published table. Out: their bytes. What was asked for longest ago gives way; it is encoded again
//! when somebody wants it after all.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use prost::Message as _;

use super::convert;
use crate::model::Connection;

/// Forms that are kept: revisions are numbered in a row, so the newest ones all have a place of their own. Some 450
/// bytes each.
const PLACES: usize = 16_384;

/// The newest encoded forms.
#[derive(Debug)]
pub(super) struct Forms {
    places: Box<[Mutex<Place>]>,
}

/// The form with the newest revision of those that share the place.
#[derive(Debug, Default)]
struct Place {
    /// 0 while it is empty.
    revision: u64,
    form: Bytes,
}

impl Forms {
    /// Nothing is encoded yet.
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| Mutex::default()).collect(),
        }
    }

    /// The connection as the contract has it.
    pub(super) fn encoded(&self, connection: &Connection) -> Bytes {
        let encode = || Bytes::from(convert::connection(connection).encode_to_vec());
        let Some(place) = self.places.get(connection.revision as usize % PLACES) else {
            return encode();
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.revision == connection.revision {
            return place.form.clone();
        }
        let form = encode();
        // An old form, as snapshots have them, does not push out a new one.
        if place.revision < connection.revision {
            *place = Place {
                revision: connection.revision,
                form: form.clone(),
            };
        }
        form
    }
}
