//! What the kernel said of why connections fail, joined to their rows by the endpoints. An error that closed a socket
//! ends its connection, whether a packet says so or not.

use std::sync::Arc;

use tcpviewer_common::connection::Side;
use tokio::time::Instant;

use super::{Table, convert};
use crate::model::{CloseReason, End, Failure, FailureKind, FailureLook, Reset, SocketError};

/// What is known of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Failures {
    /// What the sockets at the lower and the higher end reported last.
    errors: [Option<SocketError>; 2],
    /// The first reset, and the side that sent it. What follows one is about packets that were on their way.
    reset: Option<(Side, Reset)>,
}

impl Failures {
    fn take(&mut self, look: FailureLook) {
        let [low, high] = &mut self.errors;
        let error = match look.side {
            Side::Low => low,
            Side::High => high,
        };
        match look.what {
            FailureKind::Error { number, .. } => *error = Some(SocketError { number, at: look.at }),
            FailureKind::Reset(reason) => {
                let reset = Reset {
                    by: End::Source,
                    reason,
                    at: look.at,
                };
                self.reset.get_or_insert((look.side, reset));
            }
        }
    }

    /// The same by source and destination.
    pub(super) fn oriented(&self, source: Side) -> Failure {
        let [low, high] = self.errors;
        let (source_error, destination_error) = match source {
            Side::Low => (low, high),
            Side::High => (high, low),
        };
        let reset = self.reset.as_ref().map(|(side, reset)| Reset {
            by: if *side == source {
                End::Source
            } else {
                End::Destination
            },
            ..reset.clone()
        });
        Failure {
            source_error,
            destination_error,
            reset,
        }
    }
}

impl Table {
    /// Takes why a connection fails, if it is listed; one that ended may have done so for this reason.
    pub(super) fn take_failure(&mut self, look: FailureLook, now: Instant) {
        let Some(id) = self.newest.get(&look.key, &self.rows) else {
            return;
        };
        let Some(row) = self.rows.get_mut(id) else {
            return;
        };
        let (began, was_answered) = {
            let record = row.record();
            (
                self.clock.at(record.first_seen_ns),
                convert::was_answered(&record),
            )
        };
        // It was the one before on these endpoints.
        if look.at < began {
            return;
        }
        self.time.is_at_least(look.at);
        let (at, end) = (look.at, end_by(&look, was_answered));
        let row = row.moving();
        Arc::make_mut(row.said.failures.get_or_insert_default()).take(look);
        self.changed.mark(row);
        if let Some(reason) = end {
            self.end(id, reason, at, now);
        }
    }
}

/// How a connection ends by this, if it does and its packets do not say.
fn end_by(look: &FailureLook, was_answered: bool) -> Option<CloseReason> {
    let FailureKind::Error {
        number,
        is_over: true,
    } = look.what
    else {
        return None;
    };
    let is_late = i32::from(number) == libc::ETIMEDOUT;
    Some(if is_late && !was_answered {
        CloseReason::HandshakeTimeout
    } else {
        CloseReason::SocketError
    })
}
