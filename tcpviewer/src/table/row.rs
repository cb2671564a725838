//! A row of the table. While its connection moves, all of it is at hand; while it rests, it is what readers have as well,
//! in a part of the memory. Whoever changes what is published of a row that rests takes it up again.

use std::{borrow::Cow, sync::Arc, time::SystemTime};

use tcpviewer_common::connection::{ConnectionKey, ConnectionRecord};
use tokio::time::Instant;

use super::{
    convert,
    failures::Failures,
    packed::{Known, Packed},
    rates::Rates,
};
use crate::{
    model::{Clock, Closed, Connection, EvidenceList, Listed, Owner, Socket},
    verdict::{Facts, Judgement, Outlook, Payload},
};

/// A row.
#[derive(Debug)]
pub(super) enum Row {
    Moving(Box<Moving>),
    Resting(Resting),
}

/// What was said of a connection besides what its packets told.
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
}

/// A row that changes.
#[derive(Debug)]
pub(super) struct Moving {
    pub(super) said: Said,
    pub(super) record: ConnectionRecord,
    pub(super) closed: Option<Closed>,
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
    rested: Arc<Rested>,
    /// `None` where time alone does not change its verdict.
    waiting: Option<Box<Waiting>>,
}

/// What is needed for the next verdict.
#[derive(Debug)]
struct Waiting {
    outlook: Outlook,
    /// The newest numbers of its cause, if it has one that was looked at since it was published.
    evidence: Option<Box<EvidenceList>>,
    is_to_judge: bool,
}

/// A connection that rests, as it was published.
#[derive(Debug)]
struct Rested {
    revision: u64,
    said: Said,
    packed: Packed,
    clock: Clock,
}

// With the counts of an `Arc` it fits memory of 192 bytes, and what waits fits 80: an allocator has sizes of which the next
// is a quarter more.
const _: () = assert!(size_of::<Rested>() <= 176 && size_of::<Waiting>() <= 80);

impl Moving {
    /// A connection of which nothing else is known yet.
    pub(super) fn new(said: Said, record: ConnectionRecord) -> Self {
        Self {
            said,
            record,
            closed: None,
            judgement: Judgement::default(),
            is_to_judge: false,
            rates: Rates::default(),
            moved: None,
            is_changed: false,
        }
    }

    /// The connection as it is, but for its revision and its verdict.
    pub(super) fn connection(&self, clock: Clock) -> Connection {
        convert::connection(&self.said, &self.record, self.closed, self.rates, clock)
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
        let Judgement { verdict, outlook } = std::mem::take(&mut row.judgement);
        let known = Known {
            record: row.record,
            closed: row.closed,
            verdict,
        };
        let rested = Arc::new(Rested {
            revision,
            said: row.said.clone(),
            packed: Packed::new(&known, clock),
            clock,
        });
        let is_to_judge = row.is_to_judge;
        let is_waiting = is_to_judge || !outlook.is_done();
        let waiting = is_waiting.then(|| {
            Box::new(Waiting {
                outlook,
                evidence: None,
                is_to_judge,
            })
        });
        let listed: Arc<dyn Listed> = rested.clone();
        *self = Self::Resting(Resting { rested, waiting });
        listed
    }

    pub(super) fn id(&self) -> u64 {
        match self {
            Self::Moving(moving) => moving.record.id,
            Self::Resting(resting) => resting.rested.id(),
        }
    }

    pub(super) fn key(&self) -> &ConnectionKey {
        &self.said().key
    }

    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::Moving(moving) => moving.closed.is_some(),
            Self::Resting(resting) => resting.rested.has_ended(),
        }
    }

    /// The record; of one that rests, without what only the tracker goes by.
    pub(super) fn record(&self) -> Cow<'_, ConnectionRecord> {
        match self {
            Self::Moving(moving) => Cow::Borrowed(&moving.record),
            Self::Resting(resting) => Cow::Owned(resting.rested.known().record),
        }
    }

    /// Whether a look may show something at this time: one that changed is judged as it is published.
    pub(super) fn is_judged_by_looking(&self, now: SystemTime) -> bool {
        match self {
            Self::Moving(moving) => !moving.is_changed && !moving.judgement.outlook.holds(now),
            Self::Resting(resting) => resting
                .waiting
                .as_ref()
                .is_some_and(|waiting| !waiting.outlook.holds(now)),
        }
    }

    /// The connection as it is, but for its revision and the verdict of one that moves, and its newest payload.
    pub(super) fn look(&self, clock: Clock) -> (Connection, Option<Payload>) {
        match self {
            Self::Moving(moving) => {
                let connection = moving.connection(clock);
                (connection, convert::payload(&moving.record, clock))
            }
            Self::Resting(resting) => {
                let known = resting.known();
                let connection = resting.rested.connection_of(&known);
                (connection, convert::payload(&known.record, clock))
            }
        }
    }

    /// Judges by these facts, of this [`look`](Self::look); whether the verdict is another one than before.
    pub(super) fn judge(&mut self, facts: &Facts<'_>, now: SystemTime) -> bool {
        match self {
            Self::Moving(moving) => moving.judgement.update(facts, now),
            Self::Resting(resting) => {
                let Some(waiting) = &mut resting.waiting else {
                    return false;
                };
                let mut judgement = Judgement {
                    verdict: facts.connection.verdict,
                    outlook: std::mem::take(&mut waiting.outlook),
                };
                let is_another = judgement.update(facts, now);
                if is_another {
                    self.moving().judgement = judgement;
                    return true;
                }
                waiting.outlook = judgement.outlook;
                let cause = judgement.verdict.filter(|verdict| verdict.cause.is_some());
                waiting.evidence = cause.map(|verdict| Box::new(verdict.evidence));
                false
            }
        }
    }

    /// Whether it stays among those to judge, after its turn.
    pub(super) fn goes_on_waiting(&mut self) -> bool {
        match self {
            Self::Moving(moving) => {
                moving.is_to_judge = !moving.judgement.outlook.is_settled();
                moving.is_to_judge
            }
            Self::Resting(resting) => {
                resting.waiting.take_if(|waiting| {
                    waiting.is_to_judge = !waiting.outlook.is_settled();
                    waiting.outlook.is_done() && waiting.evidence.is_none()
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
            Self::Resting(resting) => &resting.rested.said,
        }
    }
}

impl Resting {
    /// What is known, with the newest numbers of its cause.
    fn known(&self) -> Known {
        let mut known = self.rested.known();
        let newer = self
            .waiting
            .as_ref()
            .and_then(|waiting| waiting.evidence.as_ref());
        if let (Some(verdict), Some(newer)) = (&mut known.verdict, newer) {
            verdict.evidence = **newer;
        }
        known
    }

    fn take_up(&mut self) -> Moving {
        let Known {
            record,
            closed,
            verdict,
        } = self.known();
        let (judgement, is_to_judge) = match self.waiting.take() {
            Some(waiting) => {
                let outlook = waiting.outlook;
                (Judgement { verdict, outlook }, waiting.is_to_judge)
            }
            None => (Judgement::done(verdict, closed.is_some()), false),
        };
        Moving {
            closed,
            judgement,
            is_to_judge,
            ..Moving::new(self.rested.said.clone(), record)
        }
    }
}

impl Rested {
    fn known(&self) -> Known {
        self.packed.unpack(self.clock)
    }

    /// The connection, of which this is known.
    fn connection_of(&self, known: &Known) -> Connection {
        let Self { said, clock, .. } = self;
        Connection {
            revision: self.revision,
            verdict: known.verdict,
            ..convert::connection(said, &known.record, known.closed, Rates::default(), *clock)
        }
    }
}

impl Listed for Rested {
    fn id(&self) -> u64 {
        self.packed.id()
    }

    fn revision(&self) -> u64 {
        self.revision
    }

    fn has_ended(&self) -> bool {
        self.packed.has_ended()
    }

    fn connection(&self) -> Cow<'_, Connection> {
        Cow::Owned(self.connection_of(&self.known()))
    }
}
