//! Sets and maps of connections' ids, and maps of their endpoints. The daemon numbers connections in a row: a set is a
//! bit or two for each of them, as every reader of the table has one and asks it for every change; and in a map nobody
//! can choose ids that collide, so that a product spreads them well enough.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use tcpviewer_common::connection::ConnectionKey;

/// A set of ids.
pub type Ids = roaring::RoaringTreemap;

/// What there is for an id.
pub type ById<T> = HashMap<u64, T, BuildHasherDefault<IdHasher>>;

/// What there is between two endpoints. Whoever connects chooses those, so what they hash to is a secret of this run.
pub type ByEnds<T> = HashMap<ConnectionKey, T, SecretHash>;

/// Hashes what others choose, in a quarter of the time that the standard library's takes.
pub type SecretHash = ahash::RandomState;

/// 2⁶⁴ divided by the golden ratio: multiples of it lie far apart.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Hashes one number.
#[derive(Debug, Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        let product = (self.0 ^ number).wrapping_mul(SPREAD);
        // The upper bits know most of the number, and the map looks at the lower ones as well.
        self.0 = product ^ (product >> 32);
    }
}
