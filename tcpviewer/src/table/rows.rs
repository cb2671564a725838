//! All rows, by the ids of their connections, which stand in the rows and are not kept twice.

use std::hash::{BuildHasher as _, BuildHasherDefault};

use hashbrown::{HashTable, hash_table::Entry};

use super::row::Row;
use crate::model::IdHasher;

/// The rows.
#[derive(Default)]
pub(super) struct Rows(HashTable<Row>);

impl Rows {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Row> {
        self.0.find(hash(id), |row| row.id() == id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Row> {
        self.0.find_mut(hash(id), |row| row.id() == id)
    }

    /// The place of this row, where it is or can be put.
    pub(super) fn entry(&mut self, id: u64) -> Entry<'_, Row> {
        self.0.entry(hash(id), |row| row.id() == id, |row| hash(row.id()))
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Row> {
        let place = self.0.find_entry(hash(id), |row| row.id() == id).ok()?;
        Some(place.remove().0)
    }
}

fn hash(id: u64) -> u64 {
    BuildHasherDefault::<IdHasher>::default().hash_one(id)
}
