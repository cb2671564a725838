//! The last packets and the cursors that read them. In: batches of packets with the kernel's loss counter. Out:
//! per cursor the packets it has not seen, and how many it missed. While nobody reads, the ring is off: a
//! command tells the daemon, and the ring is empty.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tcpviewer_common::packet_filter::PacketFilter;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use crate::{
    filter::{Filter, intersection, of_connection, pushdown, union},
    model::{Command, Packet, PacketWish, Unsent},
};

/// Packets that are kept for readers.
const CAPACITY: usize = 16_384;

/// Packets that a reader's filter is asked of in one go: no more can come in meanwhile.
const LOOKED_AT: usize = 1_024;

/// How long the packets keep coming after the last reader left, so that a reconnect finds them.
const LINGER: Duration = Duration::from_secs(2);

/// The last packets: written by one task, read by any number of cursors.
#[derive(Debug)]
pub struct PacketBoard {
    capacity: usize,
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
    /// What all readers together want; `None` where there is no reader.
    wish: watch::Sender<Option<PacketWish>>,
}

/// What the lock of a board protects.
#[derive(Debug, Default)]
struct Ring {
    on: bool,
    packets: VecDeque<Arc<Packet>>,
    /// Sequence number of the packet that comes next; the ring holds those right below it.
    next: u64,
    /// What the kernel did not send.
    unsent: Unsent,
    /// Readers of one connection, by its id: what they miss is counted as it is overwritten, since it cannot
    /// be told later which packets were theirs.
    filtered: HashMap<u64, Vec<Filtered>>,
    /// What each reader wants, by its number.
    wishes: BTreeMap<u64, PacketWish>,
    last_reader: u64,
}

/// A reader of one connection's packets.
#[derive(Debug)]
struct Filtered {
    reader: u64,
    next: u64,
    lost: u64,
}

/// Which packets a reader wants.
#[derive(Debug, Default)]
pub struct PacketSelection {
    /// Only those of this connection.
    pub connection_id: Option<u64>,
    /// Only those that pass the filter.
    pub filter: Option<Filter<Packet>>,
    /// With their headers, byte for byte.
    pub headers: bool,
}

impl PacketSelection {
    fn matches(&self, packet: &Packet) -> bool {
        self.connection_id.is_none_or(|id| id == packet.connection_id)
            && self
                .filter
                .as_ref()
                // No field of a packet changes as time passes.
                .is_none_or(|filter| filter.matches(packet, packet.timestamp))
    }

    /// What the kernel is asked for.
    fn wish(&self) -> PacketWish {
        let filter = self.filter.as_ref().map_or(PacketFilter::ALL, pushdown);
        PacketWish {
            filter: self
                .connection_id
                .map_or(filter, |id| intersection(&of_connection(id), &filter)),
            headers: self.headers,
        }
    }
}

impl PacketBoard {
    /// An empty ring, off until somebody reads.
    pub fn new() -> Self {
        Self::with_capacity(CAPACITY)
    }

    /// An empty ring for this many packets.
    fn with_capacity(capacity: usize) -> Self {
        Self {
            capacity,
            ring: Mutex::default(),
            newest: watch::Sender::new(0),
            wish: watch::Sender::new(None),
        }
    }

    /// Appends packets, oldest first, with what the kernel did not send. What comes while nobody reads is dropped.
    pub fn push(&self, batch: Vec<Packet>, unsent: Unsent) {
        let next = {
            let mut ring = self.lock();
            ring.unsent = unsent;
            if !ring.on || batch.is_empty() {
                return;
            }
            for packet in batch {
                ring.push(Arc::new(packet), self.capacity);
            }
            ring.next
        };
        self.newest.send_replace(next);
    }

    /// A new reader that starts with the last `last` packets of those it wants.
    pub fn cursor(self: &Arc<Self>, last: usize, selection: PacketSelection) -> PacketCursor {
        let connection_id = selection.connection_id;
        let newest = self.newest.subscribe();
        let mut ring = self.lock();
        let next = ring.place_of_last(last, &selection);
        let reader = self.wish_for(&mut ring, selection.wish());
        if let Some(id) = connection_id {
            ring.filtered.entry(id).or_default().push(Filtered {
                reader,
                next,
                lost: 0,
            });
        }
        let unsent_at_start = ring.unsent;
        drop(ring);
        PacketCursor {
            board: Arc::clone(self),
            newest,
            reader,
            selection,
            next,
            unsent_at_start,
            lost: 0,
        }
    }

    /// The newest packets at hand, at most `limit`, oldest first.
    pub fn newest(&self, limit: usize) -> Vec<Arc<Packet>> {
        let ring = self.lock();
        let from = ring.packets.len().saturating_sub(limit);
        ring.packets.range(from..).cloned().collect()
    }

    /// Watches packets without reading them, so that they are at hand for whoever asks next.
    pub fn keep(self: &Arc<Self>, wish: PacketWish) -> KeptPackets {
        KeptPackets {
            reader: self.wish_for(&mut self.lock(), wish),
            board: Arc::clone(self),
        }
    }

    /// Notes the wish of a new reader, whose number it returns.
    fn wish_for(&self, ring: &mut Ring, wish: PacketWish) -> u64 {
        ring.last_reader += 1;
        ring.wishes.insert(ring.last_reader, wish);
        self.wish.send_replace(ring.wish());
        ring.last_reader
    }

    /// Forgets the wish of a reader.
    fn forget_wish(&self, ring: &mut Ring, reader: u64) {
        ring.wishes.remove(&reader);
        self.wish.send_replace(ring.wish());
    }

    /// Asks for the packets that readers want, from the first reader until a while after the last one left, until
    /// `commands` is closed. One task of the API does this for as long as it serves.
    pub async fn follow_readers(&self, commands: mpsc::Sender<Command>) {
        let mut wishes = self.wish.subscribe();
        let mut asked = None;
        loop {
            // It fails when the board is gone, or nobody takes commands any more.
            let Ok(wish) = wishes.wait_for(|wish| *wish != asked).await.map(|wish| *wish) else {
                return;
            };
            if wish.is_none() && timeout(LINGER, wishes.wait_for(Option::is_some)).await.is_ok() {
                continue;
            }
            {
                let mut ring = self.lock();
                ring.on = wish.is_some();
                if wish.is_none() {
                    ring.packets = VecDeque::new();
                }
            }
            if commands
                .send(Command::WatchPackets(wish.map(Box::new)))
                .await
                .is_err()
            {
                return;
            }
            asked = wish;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for PacketBoard {
    fn default() -> Self {
        Self::new()
    }
}

impl Ring {
    fn push(&mut self, packet: Arc<Packet>, capacity: usize) {
        while self.packets.len() >= capacity {
            let overwritten = self.oldest();
            let Some(packet) = self.packets.pop_front() else {
                break;
            };
            for filtered in self.filtered.get_mut(&packet.connection_id).into_iter().flatten() {
                filtered.lost += u64::from(filtered.next <= overwritten);
            }
        }
        self.packets.push_back(packet);
        self.next += 1;
    }

    /// Sequence number of the oldest packet in the ring.
    fn oldest(&self) -> u64 {
        self.next - self.packets.len() as u64
    }

    /// What all readers together want.
    fn wish(&self) -> Option<PacketWish> {
        let filters: Vec<_> = self.wishes.values().map(|wish| wish.filter).collect();
        (!filters.is_empty()).then(|| PacketWish {
            filter: union(&filters),
            headers: self.wishes.values().any(|wish| wish.headers),
        })
    }

    fn place_of_last(&self, last: usize, selection: &PacketSelection) -> u64 {
        let mut remaining = last;
        let mut place = self.next;
        let mut sequence = self.next;
        for packet in self.packets.iter().rev() {
            if remaining == 0 {
                break;
            }
            sequence -= 1;
            if selection.matches(packet) {
                remaining -= 1;
                place = sequence;
            }
        }
        place
    }

    fn filtered(&mut self, connection_id: Option<u64>, reader: u64) -> Option<&mut Filtered> {
        self.filtered
            .get_mut(&connection_id?)?
            .iter_mut()
            .find(|filtered| filtered.reader == reader)
    }
}

/// Some packets, and what the reader missed since it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketBatch {
    /// The packets, oldest first.
    pub packets: Vec<Arc<Packet>>,
    /// Packets that the kernel could not hand over.
    pub lost_in_kernel: u64,
    /// Packets that it left out.
    pub left_out: u64,
    /// Of so many it sends one.
    pub sampling: u32,
    /// Packets that were overwritten before the reader took them, whether they would have passed its filter or
    /// not.
    pub lost_in_stream: u64,
}

/// A reader's place in the ring. As long as it lives, packets are watched.
#[derive(Debug)]
pub struct PacketCursor {
    board: Arc<PacketBoard>,
    newest: watch::Receiver<u64>,
    reader: u64,
    selection: PacketSelection,
    next: u64,
    unsent_at_start: Unsent,
    lost: u64,
}

impl PacketCursor {
    /// The next packets, at most `limit`, and what was missed by now. There are none when the reader has everything, or
    /// when none of many pass its filter.
    pub fn next(&mut self, limit: usize) -> PacketBatch {
        let mut ring = self.board.lock();
        let oldest = ring.oldest();
        if self.selection.connection_id.is_none() {
            self.lost += oldest.saturating_sub(self.next);
        }
        self.next = self.next.max(oldest);
        let mut packets = Vec::new();
        for packet in ring
            .packets
            .range((self.next - oldest) as usize..)
            .take(LOOKED_AT)
        {
            if packets.len() == limit {
                break;
            }
            self.next += 1;
            if self.selection.matches(packet) {
                packets.push(Arc::clone(packet));
            }
        }
        if let Some(filtered) = ring.filtered(self.selection.connection_id, self.reader) {
            filtered.next = self.next;
            self.lost = filtered.lost;
        }
        PacketBatch {
            packets,
            lost_in_kernel: ring.unsent.lost.saturating_sub(self.unsent_at_start.lost),
            left_out: ring.unsent.left_out.saturating_sub(self.unsent_at_start.left_out),
            sampling: ring.unsent.sampling,
            lost_in_stream: self.lost,
        }
    }

    /// Waits until there may be something for [`PacketCursor::next`].
    pub async fn changed(&mut self) {
        // It fails only when the board is gone, and this cursor holds the board.
        self.newest.wait_for(|newest| *newest > self.next).await.ok();
    }
}

impl Drop for PacketCursor {
    fn drop(&mut self) {
        let mut ring = self.board.lock();
        if let Some(id) = self.selection.connection_id {
            let readers = ring.filtered.entry(id).or_default();
            readers.retain(|filtered| filtered.reader != self.reader);
            if readers.is_empty() {
                ring.filtered.remove(&id);
            }
        }
        self.board.forget_wish(&mut ring, self.reader);
    }
}

/// A wish without a reader. As long as it lives, packets are watched.
#[derive(Debug)]
pub struct KeptPackets {
    board: Arc<PacketBoard>,
    reader: u64,
}

impl Drop for KeptPackets {
    fn drop(&mut self) {
        self.board.forget_wish(&mut self.board.lock(), self.reader);
    }
}

#[cfg(test)]
mod tests;
