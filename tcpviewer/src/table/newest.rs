//! The newest connection on each pair of endpoints, until its source gives it up. In a table of numbers alone: the
//! endpoints of what is listed stand in its row, and need not be kept twice.

use hashbrown::HashTable;
use tcpviewer_common::connection::ConnectionKey;

use super::rows::Rows;
use crate::model::{ByEnds, SecretHash};

/// The newest connections.
#[derive(Default)]
pub(super) struct Newest {
    hasher: SecretHash,
    /// Ids of those that have a row.
    listed: HashTable<u64>,
    /// Those that are listed no more.
    others: ByEnds<u64>,
}

impl Newest {
    /// The newest connection on these endpoints.
    pub(super) fn get(&self, key: &ConnectionKey, rows: &Rows) -> Option<u64> {
        let listed = self.listed.find(self.hasher.hash_one(key), is_on(key, rows));
        listed.or_else(|| self.others.get(key)).copied()
    }

    /// Takes the connection `id` for the newest from now on. If it is listed, its row is there, or is made before anything
    /// else is asked.
    pub(super) fn replace(&mut self, key: &ConnectionKey, id: u64, rows: &Rows) {
        self.others.remove(key);
        let hasher = &self.hasher;
        let hash_of = |id: &u64| rows.get(*id).map_or(0, |row| hasher.hash_one(row.key()));
        *self
            .listed
            .entry(hasher.hash_one(key), is_on(key, rows), hash_of)
            .or_insert(id)
            .get_mut() = id;
    }

    /// The row of the connection `id` is gone; it may be the newest all the same.
    pub(super) fn unlist(&mut self, key: &ConnectionKey, id: u64) {
        let hash = self.hasher.hash_one(key);
        if let Ok(place) = self.listed.find_entry(hash, |listed| *listed == id) {
            place.remove();
            self.others.insert(*key, id);
        }
    }

    /// The source has given up the connection `id`, which may not be the newest any more.
    pub(super) fn give_up(&mut self, key: &ConnectionKey, id: u64) {
        let hash = self.hasher.hash_one(key);
        if let Ok(place) = self.listed.find_entry(hash, |listed| *listed == id) {
            place.remove();
        } else if self.others.get(key) == Some(&id) {
            self.others.remove(key);
        }
    }

    /// The source has given up the newest connection on these endpoints.
    pub(super) fn remove(&mut self, key: &ConnectionKey, rows: &Rows) -> Option<u64> {
        let hash = self.hasher.hash_one(key);
        match self.listed.find_entry(hash, is_on(key, rows)) {
            Ok(place) => Some(place.remove().0),
            Err(_) => self.others.remove(key),
        }
    }
}

/// Whether a listed connection is on these endpoints.
fn is_on(key: &ConnectionKey, rows: &Rows) -> impl Fn(&u64) -> bool {
    move |id| rows.get(*id).is_some_and(|row| row.key() == key)
}
