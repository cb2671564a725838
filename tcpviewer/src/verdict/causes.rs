//! The rules: which cause is the right one, the one that would have to be mended first. They are tried in the order
//! in which [`rules`] has them; the first that finds something wins.

use std::{
    ops::Range,
    time::{Duration, SystemTime},
};

use tcpviewer_common::state::TcpState;

use super::{
    Facts, Payload,
    recent::{Change, Lately, half},
};
use crate::model::{
    Cause, CloseReason, Connection, End, Evidence, EvidenceList, Half, LocalEnd, Measure, Rtt, SocketDetails,
    Verdict, VerdictKind,
};

/// A handshake without an answer is late after this time; a SYN is sent again after as long (RFC 6298, section 2).
const ANSWER_TO_SYN: Duration = Duration::from_secs(1);
/// One that came to this host has the time in which its listening sockets are looked at: they tell more.
const ANSWER_OF_OURS: Duration = Duration::from_secs(3);
/// A SYN that was sent again makes the connection's beginning late for this time.
const LATE_BEGINNING: Duration = Duration::from_secs(10);
/// An application that has not accepted, or has no window to offer, for this time does not read.
const PATIENCE: Duration = Duration::from_secs(2);
/// What came and was not read for this time is not being read.
const UNREAD: Duration = Duration::from_secs(5);
/// Lost packets of a direction are the cause from so many on, and from such a part of its packets on.
const LOST: u64 = 3;
const LOST_SHARE: f64 = 0.01;
/// When the retransmission timer was doubled so often, nothing gets through.
const BACKOFF: u32 = 2;
/// A sender that is held back for this part of the time, and of its busy time, is held back.
const HELD_BACK: f64 = 0.2;
const HELD_BACK_OF_BUSY: f64 = 1.0 / 3.0;
/// On the wire: this part of a direction's packets uses up the window.
const WINDOW_FULL_SHARE: f64 = 0.1;
/// Or such a part of the largest window comes in each round trip: Linux makes it twice as large as that, if it may.
const WINDOW_FILLED: f64 = 0.7;
/// A rate is one of a connection that does so for some time.
const RATE_NEEDS: Duration = Duration::from_secs(4);
/// An end that has no window, and gets nothing through, for this time has none at all and not a small one.
const STUCK: Duration = Duration::from_millis(300);
/// A window below this is small, whatever the path.
const SMALL_WINDOW_BYTES: u32 = 32 * 1024;
/// Round trips that take longer are the cause, where packets pass.
const LONG_ROUND_TRIP: Duration = Duration::from_millis(100);
/// So many times the smallest one: packets wait in a queue, if the sender sends so many.
const QUEUEING: u32 = 3;
const QUEUEING_PACKETS: u64 = 50;
/// An answer is late after this time, and after so many times the usual one.
const LATE_ANSWER: Duration = Duration::from_secs(2);
const LATE_ANSWER_TIMES: u32 = 3;
/// After this time nobody waits for it.
const GIVEN_UP_ANSWER: Duration = Duration::from_secs(300);
/// Payload of a source that was never answered is a question up to this length.
const QUESTION_BYTES: u64 = 64 * 1024;
/// A stream that stands still is idle after this time.
const GIVEN_UP_STREAM: Duration = Duration::from_secs(30);
/// A connection without payload is idle after this time.
const IDLE: Duration = Duration::from_secs(10);

/// A verdict that has no beginning yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: VerdictKind,
    pub(super) cause: Option<Cause>,
    pub(super) end: Option<End>,
    pub(super) evidence: EvidenceList,
}

impl Finding {
    /// Whether the verdict says the same, whatever its numbers.
    pub(super) fn is(&self, verdict: &Verdict) -> bool {
        (self.kind, self.cause, self.end) == (verdict.kind, verdict.cause, verdict.end)
    }

    /// The verdict that begins with this.
    pub(super) fn since(self, since: SystemTime) -> Verdict {
        let Self {
            kind,
            cause,
            end,
            evidence,
        } = self;
        Verdict {
            kind,
            cause,
            end,
            since,
            evidence,
        }
    }

    fn new(kind: VerdictKind, cause: Cause, numbers: &[Number]) -> Self {
        Self {
            kind,
            cause: Some(cause),
            end: None,
            evidence: evidence(numbers),
        }
    }

    /// What an end of the connection causes: this host's application where the end is local, else the peer.
    fn at(connection: &Connection, end: End, cause: Cause, numbers: &[Number]) -> Self {
        let kind = if is_local(connection, end) {
            VerdictKind::Application
        } else {
            VerdictKind::Peer
        };
        Self {
            end: Some(end),
            ..Self::new(kind, cause, numbers)
        }
    }
}

/// A number behind a verdict, where it was measured.
type Number = (Measure, Option<u64>);

fn evidence(numbers: &[Number]) -> EvidenceList {
    let measured = numbers.iter().filter_map(|&(measure, value)| {
        Some(Evidence {
            measure,
            value: value?,
        })
    });
    measured.collect()
}

/// What the rules look at.
struct Case<'a> {
    facts: &'a Facts<'a>,
    connection: &'a Connection,
    lately: Lately<'a>,
    now: SystemTime,
}

/// What is to be said of a connection that lives; `None` where too little is known.
pub(super) fn find(facts: &Facts<'_>, lately: Lately<'_>, now: SystemTime) -> Option<Finding> {
    let case = Case {
        facts,
        connection: facts.connection,
        lately,
        now,
    };
    rules().iter().find_map(|rule| rule(&case))
}

/// An end whose turn it is to send.
struct Turn {
    end: End,
    /// How long it takes to answer otherwise, where it owes an answer.
    usual: Option<Duration>,
    /// From which silence on it is late, and up to which one waits for it.
    late: Range<Duration>,
}

type Rule<'a> = fn(&Case<'a>) -> Option<Finding>;

/// In the order of what would have to be mended first.
fn rules<'a>() -> [Rule<'a>; 10] {
    [
        Case::handshake,
        Case::not_accepted,
        Case::not_reading,
        Case::loss,
        Case::small_window,
        Case::send_buffer,
        Case::long_round_trip,
        Case::not_closing,
        Case::not_sending,
        Case::nothing_wrong,
    ]
}

/// What is to be said of a connection because it ended; `None` where its last verdict holds. `is_first` says that
/// there is none.
pub(super) fn find_at_end(facts: &Facts<'_>, is_first: bool) -> Option<Finding> {
    let connection = facts.connection;
    let closed = connection.closed?;
    let waited = milliseconds(
        closed
            .at
            .duration_since(connection.first_seen)
            .unwrap_or_default(),
    );
    let syns = u64::from(connection.sent.syn_retransmissions) + 1;
    match closed.reason {
        CloseReason::Refused => Some(Finding {
            end: Some(End::Destination),
            ..Finding::new(
                VerdictKind::Handshake,
                Cause::Refused,
                &[
                    (Measure::Syns, Some(syns)),
                    (Measure::Waited, Some(waited).filter(|&waited| waited > 0)),
                ],
            )
        }),
        CloseReason::HandshakeTimeout => Some(unanswered(facts, waited)),
        CloseReason::SocketError if connection.received.packets == 0 && connection.sent.packets > 0 => {
            Some(unanswered(facts, waited))
        }
        CloseReason::Fin if is_first => {
            Some(late_handshake(connection).unwrap_or_else(|| healthy(connection)))
        }
        CloseReason::Fin
        | CloseReason::ResetBySource
        | CloseReason::ResetByDestination
        | CloseReason::IdleTimeout
        | CloseReason::Replaced
        | CloseReason::GivenUp
        | CloseReason::SocketGone
        | CloseReason::SocketError => None,
    }
}

impl Case<'_> {
    /// A handshake that finds no answer, or found it late.
    fn handshake(&self) -> Option<Finding> {
        let connection = self.connection;
        let (source, destination) = (connection.source_state, connection.destination_state);
        let waited = self.since(connection.first_seen);
        let is_open = !opening(source) && !opening(destination);
        if is_open {
            return late_handshake(connection).filter(|_finding| waited < LATE_BEGINNING);
        }
        let is_late = if connection.local_end == Some(LocalEnd::Source) {
            waited >= ANSWER_TO_SYN || was_repeated(connection)
        } else {
            waited >= ANSWER_OF_OURS
        };
        is_late.then(|| unanswered(self.facts, milliseconds(waited)))
    }

    /// An open connection that waits in the accept queue.
    fn not_accepted(&self) -> Option<Finding> {
        let end = End::Destination;
        let details = details(half(self.connection, end))?;
        let waits = details.is_accepted == Some(false)
            && matches!(details.state, TcpState::Established | TcpState::CloseWait);
        let waited = self.since(self.connection.first_seen);
        let looked_after = details
            .looked_at
            .duration_since(self.connection.first_seen)
            .unwrap_or_default();
        let backlog = self.facts.backlog;
        (waits && waited >= PATIENCE && (looked_after >= PATIENCE || backlog.is_some() || waited >= UNREAD))
            .then(|| Finding {
                end: Some(end),
                ..Finding::new(
                    VerdictKind::Backlog,
                    Cause::NotAccepted,
                    &[
                        (Measure::Waited, Some(milliseconds(waited))),
                        (
                            Measure::AcceptQueue,
                            backlog.map(|backlog| backlog.accept_queue.into()),
                        ),
                        (
                            Measure::AcceptQueueLimit,
                            backlog.map(|backlog| backlog.accept_queue_limit.into()),
                        ),
                        (Measure::ReceiveQueue, details.receive_queue_bytes.map(u64::from)),
                    ],
                )
            })
    }

    /// An end without a window to offer, or with something that it leaves unread.
    fn not_reading(&self) -> Option<Finding> {
        self.either_end(|end| self.no_window(end))
            .or_else(|| self.either_end(|end| self.unread(end)))
    }

    fn no_window(&self, end: End) -> Option<Finding> {
        let stuck = self.lately.stuck(end).filter(|stuck| *stuck >= PATIENCE)?;
        let (own, sender) = (half(self.connection, end), half(self.connection, end.other()));
        Some(Finding::at(
            self.connection,
            end,
            Cause::NotReading,
            &[
                (Measure::Window, Some(0)),
                (
                    Measure::ReceiveQueue,
                    details(own).and_then(|details| details.receive_queue_bytes.map(u64::from)),
                ),
                (
                    Measure::SendQueue,
                    details(sender).and_then(|details| details.send_queue_bytes.map(u64::from)),
                ),
                (Measure::Silence, Some(milliseconds(stuck))),
            ],
        ))
    }

    /// What is in the receive queue of a local socket was there when nothing came any more, and is still.
    fn unread(&self, end: End) -> Option<Finding> {
        let details = details(half(self.connection, end))?;
        let payload = self.facts.payload?;
        let queue = details.receive_queue_bytes.filter(|&bytes| bytes > 0)?;
        let silence = self.since(payload.at);
        (payload.from == end.other() && details.looked_at > payload.at && silence >= UNREAD).then(|| {
            Finding::at(
                self.connection,
                end,
                Cause::NotReading,
                &[
                    (Measure::ReceiveQueue, Some(queue.into())),
                    (Measure::Silence, Some(milliseconds(silence))),
                    (
                        Measure::Window,
                        half(self.connection, end).window_bytes.map(u64::from),
                    ),
                ],
            )
        })
    }

    fn loss(&self) -> Option<Finding> {
        self.either_end(|sender| self.loss_from(sender))
    }

    fn loss_from(&self, sender: End) -> Option<Finding> {
        let change = self.lately.change(sender);
        let share = change.retransmissions as f64 / change.packets.max(1) as f64;
        let backoff = details(half(self.connection, sender))
            .and_then(|details| details.backoff)
            .filter(|&backoff| backoff >= BACKOFF);
        let gets_nothing_through = backoff.is_some() && change.retransmissions > 0;
        (gets_nothing_through || change.retransmissions >= LOST && share >= LOST_SHARE).then(|| {
            Finding::new(
                VerdictKind::Network,
                Cause::Loss,
                &[
                    (Measure::Backoff, backoff.map(u64::from)),
                    (Measure::Retransmitted, Some((share * 1000.0).round() as u64)),
                    (Measure::Retransmissions, Some(change.retransmissions)),
                    (
                        Measure::RoundTrip,
                        self.round_trip().map(|rtt| rtt.srtt_us.into()),
                    ),
                ],
            )
        })
    }

    /// A sender that could send more, if the other end's window let it.
    fn small_window(&self) -> Option<Finding> {
        self.either_end(|end| {
            let (offers, sends) = (self.lately.change(end), self.lately.change(end.other()));
            let of_socket = sends.shares.map(|shares| (shares.window_limited, shares.busy));
            let is_held_back = match of_socket {
                Some((limited, busy)) => limited >= HELD_BACK && limited >= HELD_BACK_OF_BUSY * busy,
                None => self.is_full_on_the_wire(&offers, &sends),
            };
            let has_none = half(self.connection, end).window_bytes == Some(0);
            let is_stuck = has_none && self.since(self.facts.payload?.at) >= STUCK;
            if !is_held_back || is_stuck || sends.payload_bytes == 0 {
                return None;
            }
            let runs_out = offers.zero_windows > 0 && offers.window_bytes >= Some(SMALL_WINDOW_BYTES);
            let cause = if runs_out {
                Cause::NotReading
            } else {
                Cause::SmallWindow
            };
            let own = details(half(self.connection, end));
            let percent = of_socket.map(|(limited, _busy)| (limited * 100.0).round() as u64);
            Some(Finding::at(
                self.connection,
                end,
                cause,
                &[
                    (Measure::WindowLimited, percent),
                    (Measure::Window, offers.window_bytes.map(u64::from)),
                    (
                        Measure::ZeroWindows,
                        Some(offers.zero_windows).filter(|&count| count > 0),
                    ),
                    (
                        Measure::ReceiveBuffer,
                        own.and_then(|details| details.receive_buffer_bytes.map(u64::from)),
                    ),
                    (
                        Measure::WindowFull,
                        Some(sends.window_full).filter(|&count| count > 0),
                    ),
                ],
            ))
        })
    }

    /// Where the sender is no socket of this host, its packets tell.
    fn is_full_on_the_wire(&self, offers: &Change, sends: &Change) -> bool {
        let ran_out = sends.window_full.max(offers.zero_windows);
        if ran_out >= LOST && ran_out as f64 >= WINDOW_FULL_SHARE * sends.packets as f64 {
            return true;
        }
        let elapsed = self.lately.elapsed();
        let (Some(window), Some(rtt)) = (offers.window_bytes, self.round_trip()) else {
            return false;
        };
        let per_round_trip =
            sends.payload_bytes as f64 / elapsed.as_secs_f64() * microseconds(rtt.min_us).as_secs_f64();
        window > 0 && elapsed >= RATE_NEEDS && per_round_trip >= WINDOW_FILLED * f64::from(window)
    }

    fn send_buffer(&self) -> Option<Finding> {
        self.either_end(|end| {
            let shares = self.lately.change(end).shares?;
            let is_held_back = shares.buffer_limited >= HELD_BACK
                && shares.buffer_limited >= HELD_BACK_OF_BUSY * shares.busy;
            let details = details(half(self.connection, end))?;
            is_held_back.then(|| {
                Finding::at(
                    self.connection,
                    end,
                    Cause::SendBuffer,
                    &[
                        (
                            Measure::BufferLimited,
                            Some((shares.buffer_limited * 100.0).round() as u64),
                        ),
                        (Measure::SendBuffer, details.send_buffer_bytes.map(u64::from)),
                        (
                            Measure::RoundTrip,
                            self.round_trip().map(|rtt| rtt.srtt_us.into()),
                        ),
                    ],
                )
            })
        })
    }

    fn round_trip(&self) -> Option<Rtt> {
        round_trip(self.connection)
    }

    /// Long round trips while payload passes: a long way, or a queue on it.
    fn long_round_trip(&self) -> Option<Finding> {
        let rtt = self.round_trip()?;
        let (smoothed, least) = (microseconds(rtt.srtt_us), microseconds(rtt.min_us));
        let is_far = least >= LONG_ROUND_TRIP;
        let sends_much = [End::Source, End::Destination]
            .map(|end| self.lately.change(end).packets)
            .into_iter()
            .any(|packets| packets >= QUEUEING_PACKETS);
        let queues = smoothed >= LONG_ROUND_TRIP && smoothed >= least * QUEUEING && sends_much;
        let silence = self.since(self.facts.payload?.at);
        ((is_far || queues) && silence < PATIENCE + smoothed * 2).then(|| {
            Finding::new(
                VerdictKind::Network,
                Cause::RoundTrip,
                &[
                    (Measure::RoundTrip, Some(rtt.srtt_us.into())),
                    (Measure::LeastRoundTrip, Some(rtt.min_us.into())),
                    (Measure::Rate, self.rate()),
                ],
            )
        })
    }

    fn not_closing(&self) -> Option<Finding> {
        self.either_end(|end| {
            let silence = self.since(self.connection.last_seen);
            (is_to_close(self.connection, end) && silence >= IDLE).then(|| {
                Finding::at(
                    self.connection,
                    end,
                    Cause::NotClosing,
                    &[(Measure::Silence, Some(milliseconds(silence)))],
                )
            })
        })
    }

    /// An end that owes an answer, or whose stream stands still.
    fn not_sending(&self) -> Option<Finding> {
        let payload = self.facts.payload?;
        let silence = self.since(payload.at);
        let Turn { end, usual, late } = self.turn(payload)?;
        if !late.contains(&silence) {
            return None;
        }
        // What was written is on its way, however slowly; what waits to be read, or finds no window, is not missing.
        let is_unread = [end, end.other()]
            .into_iter()
            .any(|end| self.has_unread(end, payload));
        let (own, other) = (half(self.connection, end), half(self.connection, end.other()));
        let own = details(own).filter(|details| details.looked_at > payload.at);
        let queue = |value: fn(&SocketDetails) -> Option<u32>| own.and_then(value).map(u64::from);
        let is_sending = queue(|details| details.send_queue_bytes).is_some_and(|bytes| bytes > 0);
        if is_sending || is_unread || other.window_bytes == Some(0) {
            return None;
        }
        let usual = usual.filter(|usual| !usual.is_zero());
        Some(Finding::at(
            self.connection,
            end,
            Cause::NotSending,
            &[
                (Measure::Silence, Some(milliseconds(silence))),
                (
                    Measure::UsualResponse,
                    usual.map(|usual| usual.as_micros() as u64),
                ),
                (Measure::SendQueue, queue(|details| details.send_queue_bytes)),
                (
                    Measure::ReceiveQueue,
                    queue(|details| details.receive_queue_bytes),
                ),
            ],
        ))
    }

    /// Whose turn it is, and when it is late.
    fn turn(&self, payload: Payload) -> Option<Turn> {
        let round_trip = self
            .round_trip()
            .map_or(Duration::ZERO, |rtt| microseconds(rtt.srtt_us));
        if let Some(usual) = self.owed_answer(payload) {
            let late = LATE_ANSWER.max(usual * LATE_ANSWER_TIMES) + round_trip;
            return Some(Turn {
                end: End::Destination,
                usual: Some(usual),
                late: late..GIVEN_UP_ANSWER,
            });
        }
        Some(Turn {
            end: self.lately.stream()?,
            usual: None,
            late: PATIENCE + round_trip..GIVEN_UP_STREAM,
        })
    }

    /// Whether the application at an end left something unread of what came.
    fn has_unread(&self, end: End, payload: Payload) -> bool {
        let details = details(half(self.connection, end)).filter(|details| details.looked_at > payload.at);
        details
            .and_then(|details| details.receive_queue_bytes)
            .is_some_and(|bytes| bytes > 0)
    }

    /// How long the destination takes to answer otherwise, where it owes an answer: it gave some before, or what came
    /// can be a question.
    fn owed_answer(&self, payload: Payload) -> Option<Duration> {
        let (sent, received) = (&self.connection.sent, &self.connection.received);
        if payload.from != End::Source || self.lately.stream() == Some(End::Source) {
            return None;
        }
        match received.response {
            Some(response) => Some(Duration::from_micros(response.mean_us.into())),
            None if received.payload_bytes == 0 && sent.payload_bytes <= QUESTION_BYTES => {
                Some(Duration::ZERO)
            }
            None => None,
        }
    }

    fn nothing_wrong(&self) -> Option<Finding> {
        let connection = self.connection;
        if opening(connection.source_state) || opening(connection.destination_state) {
            return None;
        }
        let silence = self.since(silent_since(self.facts));
        if silence >= IDLE {
            return Some(Finding {
                kind: VerdictKind::Idle,
                cause: None,
                end: None,
                evidence: evidence(&[(Measure::Silence, Some(milliseconds(silence)))]),
            });
        }
        if !has_packets(connection) {
            return None;
        }
        let shares = [End::Source, End::Destination].map(|end| {
            let change = self.lately.change(end);
            (change.retransmissions * 1000).checked_div(change.packets)
        });
        Some(Finding {
            evidence: evidence(&[
                (
                    Measure::RoundTrip,
                    self.round_trip().map(|rtt| rtt.srtt_us.into()),
                ),
                (Measure::Retransmitted, shares.into_iter().flatten().max()),
                (Measure::Rate, self.rate()),
            ]),
            ..healthy(connection)
        })
    }

    /// Payload per second, both ways.
    fn rate(&self) -> Option<u64> {
        let bytes: u64 = [End::Source, End::Destination]
            .map(|end| self.lately.change(end).payload_bytes)
            .into_iter()
            .sum();
        let elapsed = self.lately.elapsed().as_secs_f64();
        (elapsed >= 0.5).then(|| (bytes as f64 / elapsed) as u64)
    }

    fn since(&self, moment: SystemTime) -> Duration {
        self.now.duration_since(moment).unwrap_or_default()
    }

    /// What the rule finds at either end; at a local one first, as that is where one can do something.
    fn either_end(&self, rule: impl Fn(End) -> Option<Finding>) -> Option<Finding> {
        let mut ends = [End::Source, End::Destination];
        if !is_local(self.connection, End::Source) {
            ends.reverse();
        }
        ends.into_iter().find_map(rule)
    }
}

/// Since when no payload passed.
fn silent_since(facts: &Facts<'_>) -> SystemTime {
    let connection = facts.connection;
    // Of one that is older than the daemon, the socket told when it had something to say.
    let otherwise = if has_packets(connection) {
        connection.first_seen
    } else {
        connection.last_seen
    };
    facts.payload.map_or(otherwise, |payload| payload.at)
}

/// Whether packets were seen of it, and not its socket alone.
pub(super) fn has_packets(connection: &Connection) -> bool {
    connection.sent.packets + connection.received.packets > 0
}

/// Whether it is a local end's turn to close.
fn is_to_close(connection: &Connection, end: End) -> bool {
    let state = match end {
        End::Source => connection.source_state,
        End::Destination => connection.destination_state,
    };
    state == TcpState::CloseWait && is_local(connection, end)
}

/// Whether time alone can still show something of a connection that is idle: that an end does not close, or that an answer
/// is late that takes long otherwise.
pub(super) fn may_find_more(facts: &Facts<'_>, lately: Lately<'_>, now: SystemTime) -> bool {
    let connection = facts.connection;
    let case = Case {
        facts,
        connection,
        lately,
        now,
    };
    let mut ends = [End::Source, End::Destination].into_iter();
    let may_not_close =
        ends.any(|end| is_to_close(connection, end)) && case.since(connection.last_seen) < IDLE;
    let may_not_send = facts.payload.is_some_and(|payload| {
        let turn = case.turn(payload);
        turn.is_some_and(|turn| !turn.late.is_empty() && case.since(payload.at) < turn.late.start)
    });
    may_not_close || may_not_send
}

/// Until when time alone changes nothing of a verdict that nothing is wrong; `None` where that is not known.
pub(super) fn holds_until(facts: &Facts<'_>, lately: Lately<'_>, now: SystemTime) -> Option<SystemTime> {
    let connection = facts.connection;
    let is_plain = |half: &Half| {
        details(half).is_none_or(|details| {
            details.is_accepted != Some(false) && details.receive_queue_bytes == Some(0)
        }) && half.window_bytes != Some(0)
    };
    let is_open = !opening(connection.source_state) && !opening(connection.destination_state);
    if !is_open || !is_plain(&connection.sent) || !is_plain(&connection.received) {
        return None;
    }
    let idle_at = silent_since(facts) + IDLE;
    // Nobody has anything to say, or to wait for.
    let Some(payload) = facts.payload else {
        return Some(idle_at);
    };
    let case = Case {
        facts,
        connection,
        lately,
        now,
    };
    let silence = case.since(payload.at);
    let turn = case.turn(payload).map(|turn| turn.late.start);
    let late_at = turn.filter(|late| silence < *late).map(|late| payload.at + late);
    // Until then how the counters grew stays as it is, and so does the rate of one that is too young to have one.
    let moves_on_at = now + case.lately.stays_for();
    let elapsed = case.lately.elapsed();
    let has_rate_at = (elapsed < RATE_NEEDS).then(|| now + (RATE_NEEDS - elapsed));
    let moments = [late_at, has_rate_at].into_iter().flatten();
    Some(moments.fold(idle_at.min(moves_on_at), SystemTime::min))
}

fn unanswered(facts: &Facts<'_>, waited: u64) -> Finding {
    let connection = facts.connection;
    let syns = u64::from(connection.sent.syn_retransmissions) + 1;
    let answers =
        (connection.received.packets > 0).then_some(u64::from(connection.received.syn_retransmissions) + 1);
    let Some(backlog) = facts.backlog else {
        return Finding::new(
            VerdictKind::Handshake,
            Cause::NoAnswer,
            &[
                (Measure::Syns, Some(syns)),
                (Measure::SynAnswers, answers),
                (Measure::Waited, Some(waited)),
            ],
        );
    };
    Finding {
        end: Some(End::Destination),
        ..Finding::new(
            VerdictKind::Backlog,
            Cause::QueueFull,
            &[
                (Measure::AcceptQueue, Some(backlog.accept_queue.into())),
                (Measure::AcceptQueueLimit, Some(backlog.accept_queue_limit.into())),
                (Measure::ListenerDrops, Some(backlog.drops.into())),
            ],
        )
    }
}

/// A handshake that needed more than one SYN or answer to it.
fn late_handshake(connection: &Connection) -> Option<Finding> {
    let syns = u64::from(connection.sent.syn_retransmissions) + 1;
    let answers = u64::from(connection.received.syn_retransmissions) + 1;
    was_repeated(connection).then(|| {
        Finding::new(
            VerdictKind::Handshake,
            Cause::NoAnswer,
            &[
                (Measure::Syns, Some(syns)),
                (Measure::SynAnswers, Some(answers).filter(|&count| count > 1)),
                (Measure::RoundTrip, connection.handshake.rtt_us),
            ],
        )
    })
}

fn was_repeated(connection: &Connection) -> bool {
    connection.sent.syn_retransmissions + connection.received.syn_retransmissions > 0
}

fn healthy(connection: &Connection) -> Finding {
    Finding {
        kind: VerdictKind::Healthy,
        cause: None,
        end: None,
        evidence: evidence(&[(
            Measure::RoundTrip,
            round_trip(connection).map(|rtt| rtt.srtt_us.into()),
        )]),
    }
}

/// Whether the end still waits for the handshake to go on.
fn opening(state: TcpState) -> bool {
    matches!(
        state,
        TcpState::SynSent | TcpState::SynReceived | TcpState::Listen
    )
}

fn is_local(connection: &Connection, end: End) -> bool {
    match connection.local_end {
        Some(LocalEnd::Both) => true,
        Some(LocalEnd::Source) => end == End::Source,
        Some(LocalEnd::Destination) => end == End::Destination,
        Some(LocalEnd::Neither) | None => false,
    }
}

/// On the wire, where it was measured: the kernel's own has the time in it that segments wait in this host.
fn round_trip(connection: &Connection) -> Option<Rtt> {
    let on_wire = match connection.local_end {
        Some(LocalEnd::Source | LocalEnd::Both) => connection.sent.rtt,
        Some(LocalEnd::Destination) => connection.received.rtt,
        Some(LocalEnd::Neither) | None => None,
    };
    on_wire.or_else(|| connection.rtt())
}

fn details(half: &Half) -> Option<&SocketDetails> {
    half.socket.as_ref()?.details.as_deref()
}

fn microseconds(time: u32) -> Duration {
    Duration::from_micros(time.into())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
