//! A row of the table. While its connection moves, all of it is at hand; while it rests, it is what readers have as well,
//! in a part of the memory. Whoever changes what is published of a row that rests takes it up again.

use std::{borrow::Cow, sync::Arc, time::SystemTime};

use tcpviewer_common::connection::{ConnectionKey, ConnectionRecord};
use tokio::time::Instant;

use super::{convert, failures::Failures, packed::PackedRecord, rates::Rates};
use crate::{
    model::{Clock, Closed, Connection, Listed, Owner, Socket, Verdict},
    verdict::{Facts, Judgement, Payload},
};

/// A row.
#[derive(Debug)]
pub(super) enum Row {
    Moving(Box<Moving>),
    Resting(Resting),
}

/// What is known of a connection besides its record and what follows from that.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) key: ConnectionKey,
    pub(super) interface: Arc<str>,
    /// What was said of the sockets at the lower and the higher end when the kernel was asked.
    pub(super) sockets: [Option<Arc<Socket>>; 2],
    /// Of the lower and the higher end.
    pub(super) owners: [Option<Owner>; 2],
    /// Nothing where it did not fail.
    pub(super) failures: Option<Arc<Failures>>,
    pub(super) closed: Option<Closed>,
}

/// A row that changes.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) said: Said,
    pub(super) record: ConnectionRecord,
    pub(super) judgement: Judgement,
    /// Whether it is among those to judge.
    pub(super) is_to_judge: bool,
    pub(super) rates: Rates,
    /// When something passed last; `None` where its rates are 0.
    pub(super) moved: Option<Instant>,
    /// Whether it is among those that changed since the last delta.
    pub(super) is_changed: bool,
}

/// A row over whose connection nothing passes.
#[derive(Debug)]
pub(super) struct Resting {
    packed: Arc<Packed>,
    /// `None` where time alone does not change its verdict.
    waiting: Option<Box<Waiting>>,
}

/// What is needed for the next verdict.
#[derive(Debug)]
struct Waiting {
    judgement: Judgement,
    is_to_judge: bool,
}

/// A connection that rests, as it was published.
#[derive(Debug)]
struct Packed {
    id: u64,
    revision: u64,
    said: Said,
    record: PackedRecord,
    verdict: Option<Verdict>,
    clock: Clock,
}

// With the counts of an `Arc` it fits memory of 256 bytes: an allocator has sizes of which the next is a quarter more.
const _: () = assert!(size_of::<Packed>() <= 240);

impl Moving {
    /// A connection of which nothing else is known yet.
    pub(super) fn new(said: Said, record: ConnectionRecord) -> Self {
        Self {
            said,
            record,
            judgement: Judgement::default(),
            is_to_judge: false,
            rates: Rates::default(),
            moved: None,
            is_changed: false,
        }
    }

    /// The connection as it is, but for its revision and its verdict.
    pub(super) fn connection(&self, clock: Clock) -> Connection {
        convert::connection(&self.said, &self.record, self.rates, clock)
    }
}

impl Said {
    /// Of a connection of which nothing else is known yet.
    pub(super) fn new(key: ConnectionKey, interface: Arc<str>) -> Self {
        Self {
            key,
            interface,
            sockets: [None, None],
            owners: [None, None],
            failures: None,
            closed: None,
        }
    }
}

impl Row {
    /// The row to be changed.
    pub(super) fn moving(&mut self) -> &mut Moving {
        match self {
            Self::Moving(moving) => moving,
            Self::Resting(resting) => {
                *self = Self::Moving(Box::new(resting.take_up()));
                self.moving()
            }
        }
    }

    /// Lets the row rest: the form that readers share, of this revision.
    pub(super) fn rest(&mut self, revision: u64, clock: Clock) -> Arc<dyn Listed> {
        let row = self.moving();
        let judgement = std::mem::take(&mut row.judgement);
        let packed = Arc::new(Packed {
            revision,
            said: row.said.clone(),
            record: PackedRecord::new(&row.record),
            verdict: judgement.verdict(),
            clock,
            id: row.record.id,
        });
        let is_to_judge = row.is_to_judge;
        let is_waiting = is_to_judge || !judgement.is_done();
        let waiting = is_waiting.then(|| {
            Box::new(Waiting {
                judgement,
                is_to_judge,
            })
        });
        let listed: Arc<dyn Listed> = packed.clone();
        *self = Self::Resting(Resting { packed, waiting });
        listed
    }

    pub(super) fn key(&self) -> &ConnectionKey {
        &self.said().key
    }

    pub(super) fn has_ended(&self) -> bool {
        self.said().closed.is_some()
    }

    /// The record; of one that rests, without what only the tracker goes by.
    pub(super) fn record(&self) -> Cow<'_, ConnectionRecord> {
        match self {
            Self::Moving(moving) => Cow::Borrowed(&moving.record),
            Self::Resting(resting) => Cow::Owned(resting.packed.record.record()),
        }
    }

    /// The connection as it is, but for its revision and its verdict, and its newest payload.
    pub(super) fn look(&self, clock: Clock) -> (Connection, Option<Payload>) {
        let record = self.record();
        let rates = match self {
            Self::Moving(moving) => moving.rates,
            Self::Resting(_) => Rates::default(),
        };
        let connection = convert::connection(self.said(), &record, rates, clock);
        (connection, convert::payload(&record, clock))
    }

    /// Whether a look may show something at this time: one that changed is judged as it is published.
    pub(super) fn is_judged_by_looking(&self, now: SystemTime) -> bool {
        match self {
            Self::Moving(moving) => !moving.is_changed && !moving.judgement.holds(now),
            Self::Resting(resting) => resting
                .waiting
                .as_ref()
                .is_some_and(|waiting| !waiting.judgement.holds(now)),
        }
    }

    /// Judges by these facts; whether the verdict is another one than before.
    pub(super) fn judge(&mut self, facts: &Facts<'_>, now: SystemTime) -> bool {
        match self {
            Self::Moving(moving) => moving.judgement.update(facts, now),
            Self::Resting(resting) => resting
                .waiting
                .as_mut()
                .is_some_and(|waiting| waiting.judgement.update(facts, now)),
        }
    }

    /// Whether it stays among those to judge, after its turn.
    pub(super) fn goes_on_waiting(&mut self) -> bool {
        match self {
            Self::Moving(moving) => {
                moving.is_to_judge = !moving.judgement.is_settled();
                moving.is_to_judge
            }
            Self::Resting(resting) => {
                resting.waiting.take_if(|waiting| {
                    waiting.is_to_judge = !waiting.judgement.is_settled();
                    waiting.judgement.is_done()
                });
                resting
                    .waiting
                    .as_ref()
                    .is_some_and(|waiting| waiting.is_to_judge)
            }
        }
    }

    fn said(&self) -> &Said {
        match self {
            Self::Moving(moving) => &moving.said,
            Self::Resting(resting) => &resting.packed.said,
        }
    }
}

impl Resting {
    fn take_up(&mut self) -> Moving {
        let Packed {
            said,
            record,
            verdict,
            ..
        } = &*self.packed;
        let has_ended = said.closed.is_some();
        let waiting = self.waiting.take().map_or_else(
            || Waiting {
                judgement: Judgement::done(*verdict, has_ended),
                is_to_judge: false,
            },
            |waiting| *waiting,
        );
        Moving {
            judgement: waiting.judgement,
            is_to_judge: waiting.is_to_judge,
            ..Moving::new(said.clone(), record.record())
        }
    }
}

impl Listed for Packed {
    fn id(&self) -> u64 {
        self.id
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn has_ended(&self) -> bool {
        self.said.closed.is_some()
    }

    fn connection(&self) -> Cow<'_, Connection> {
        let connection = convert::connection(&self.said, &self.record.record(), Rates::default(), self.clock);
        Cow::Owned(Connection {
            revision: self.revision,
            verdict: self.verdict,
            ..connection
        })
    }
}
