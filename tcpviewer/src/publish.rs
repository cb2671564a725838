//! The published state, between the table stage that writes it and any number of readers. A reader is a
//! cursor over revisions (connections) or sequence numbers (packets): it takes what is newer than its place
//! whenever it gets to it. Nothing queues per reader, so a slow one costs nothing and holds up nobody.

mod connections;
mod ranking;
mod runs;
mod selection;
mod packets;
mod stats;

pub use connections::{Board, Cursor, Event, ResumePoint, RevisionAhead, SnapshotReason};
pub use packets::{KeptPackets, PacketBatch, PacketBoard, PacketCursor, PacketSelection};
pub use selection::{Reader, Selection, SelectionError, Step, Top, first_of};
pub use stats::{Gathering, Group, GroupBy, RttDistribution, Stats};
