//! Connections as they are found, moment by moment, and what is said of them.

use std::{net::Ipv4Addr, sync::Arc};

use proptest::prelude::*;
use tcpviewer_common::state::TcpState;

use super::*;
use crate::model::{
    Cause, CloseReason, Closed, Half, LocalEnd, Measure, Response, Rtt, RttSource, Socket, SocketDetails,
    SocketSource, sample,
};

/// A connection and its verdict as time passes.
struct Scene {
    connection: Connection,
    payload: Option<Payload>,
    backlog: Option<Backlog>,
    judgement: Judgement,
    now: SystemTime,
}

fn start() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

impl Scene {
    /// A connection that this host opened, with a round trip of 2 ms; its handshake is over.
    fn new() -> Self {
        let rtt = Rtt {
            source: RttSource::Wire,
            srtt_us: 2_000,
            rttvar_us: Some(100),
            min_us: 1_000,
            max_us: Some(3_000),
            last_us: Some(2_000),
            samples: Some(3),
        };
        let half = Half {
            packets: 2,
            window_bytes: Some(65_536),
            ..Half::default()
        };
        let connection = Connection {
            id: 7,
            source: (Ipv4Addr::new(10, 0, 0, 1), 40_000).into(),
            destination: (Ipv4Addr::new(10, 0, 0, 2), 443).into(),
            local_end: Some(LocalEnd::Source),
            interface: "eth0".into(),
            sent: Half {
                rtt: Some(rtt),
                ..half.clone()
            },
            received: half,
            first_seen: start(),
            last_seen: start(),
            ..sample::connection()
        };
        Self {
            connection,
            payload: None,
            backlog: None,
            judgement: Judgement::default(),
            now: start(),
        }
    }

    /// One that was opened to this host.
    fn accepted() -> Self {
        let mut scene = Self::new();
        let connection = &mut scene.connection;
        connection.local_end = Some(LocalEnd::Destination);
        connection.received.rtt = connection.sent.rtt.take();
        scene
    }

    fn half(&mut self, end: End) -> &mut Half {
        match end {
            End::Source => &mut self.connection.sent,
            End::Destination => &mut self.connection.received,
        }
    }

    /// Packets of payload pass, so many of them again.
    fn sends(&mut self, end: End, packets: u64, again: u64) {
        let now = self.now;
        let half = self.half(end);
        half.packets += packets;
        half.payload_bytes += packets * 1_000;
        half.retransmissions += again as u32;
        half.retransmitted_bytes += again * 1_000;
        self.payload = Some(Payload { at: now, from: end });
        self.connection.last_seen = now;
        self.half(end.other()).packets += packets / 2;
    }

    /// The kernel is asked for the socket at an end.
    fn look(&mut self, end: End, change: impl FnOnce(&mut SocketDetails)) {
        let now = self.now;
        let half = self.half(end);
        let before = half.socket.as_ref().and_then(|socket| socket.details.as_deref());
        let mut details = before.cloned().unwrap_or_else(|| SocketDetails {
            busy_us: Some(0),
            receive_window_limited_us: Some(0),
            send_buffer_limited_us: Some(0),
            ..SocketDetails::unknown(now, SocketSource::SockDiag, TcpState::Established)
        });
        details.looked_at = now;
        change(&mut details);
        half.socket = Some(Arc::new(Socket {
            sampled_at: now,
            source: SocketSource::SockDiag,
            srtt_us: None,
            min_rtt_us: None,
            congestion_window: 10,
            slow_start_threshold: None,
            segments: None,
            delivery_rate_bytes_per_second: None,
            details: Some(Arc::new(details)),
        }));
    }

    /// So many seconds pass, and in each of them something happens.
    fn passes(&mut self, seconds: u32, mut happens: impl FnMut(&mut Self)) {
        for _second in 0..seconds {
            self.now += Duration::from_secs(1);
            happens(self);
            self.judge();
        }
    }

    fn judge(&mut self) {
        let facts = Facts {
            connection: &self.connection,
            payload: self.payload,
            backlog: self.backlog,
        };
        self.judgement.update(&facts, self.now);
    }

    fn ends(&mut self, reason: CloseReason) {
        let at = self.now;
        self.connection.closed = Some(Closed { at, reason });
        self.judge();
    }

    fn verdict(&self) -> Option<(VerdictKind, Option<Cause>, Option<End>)> {
        let verdict = self.judgement.verdict?;
        Some((verdict.kind, verdict.cause, verdict.end))
    }

    fn measured(&self, measure: Measure) -> Option<u64> {
        let evidence = self.judgement.verdict?.evidence;
        let mut all = evidence.iter();
        Some(all.find(|evidence| evidence.measure == measure)?.value)
    }
}

type Expected = (VerdictKind, Option<Cause>, Option<End>);

const HEALTHY: Expected = (VerdictKind::Healthy, None, None);
const IDLE: Expected = (VerdictKind::Idle, None, None);
const LOSS: Expected = (VerdictKind::Network, Some(Cause::Loss), None);
const FAR: Expected = (VerdictKind::Network, Some(Cause::RoundTrip), None);
const NO_ANSWER: Expected = (VerdictKind::Handshake, Some(Cause::NoAnswer), None);

fn peer(cause: Cause, end: End) -> Expected {
    (VerdictKind::Peer, Some(cause), Some(end))
}

fn application(cause: Cause, end: End) -> Expected {
    (VerdictKind::Application, Some(cause), Some(end))
}

fn backlog(cause: Cause) -> Expected {
    (VerdictKind::Backlog, Some(cause), Some(End::Destination))
}

/// A name, what happens, and what is said of it.
type Row = (&'static str, fn() -> Scene, Expected);

#[test]
fn each_cause_has_its_verdict() {
    use End::{Destination, Source};
    let rows: [Row; 35] = [
        (
            "data passes",
            || with(Scene::new(), |s| s.passes(8, |s| s.sends(Source, 100, 0))),
            HEALTHY,
        ),
        (
            "one in a thousand is lost",
            || with(Scene::new(), |s| s.passes(20, |s| s.sends(Source, 1_000, 1))),
            HEALTHY,
        ),
        (
            "three in a hundred are lost on the way there",
            || with(Scene::new(), |s| s.passes(8, |s| s.sends(Source, 100, 3))),
            LOSS,
        ),
        (
            "three in a hundred are lost on the way here",
            || with(Scene::new(), |s| s.passes(8, |s| s.sends(Destination, 100, 3))),
            LOSS,
        ),
        (
            "the other end had all that was sent again",
            || {
                with(Scene::new(), |s| {
                    s.passes(8, |s| {
                        s.sends(Source, 100, 3);
                        s.half(Source).spurious_retransmissions += 3;
                    })
                })
            },
            HEALTHY,
        ),
        (
            "it was lost long ago",
            || {
                with(Scene::new(), |s| {
                    s.passes(8, |s| s.sends(Source, 100, 5));
                    s.passes(16, |s| s.sends(Source, 100, 0));
                })
            },
            HEALTHY,
        ),
        (
            "nothing gets through any more",
            || {
                with(Scene::new(), |s| {
                    s.passes(3, |s| s.sends(Source, 100, 0));
                    s.passes(6, |s| {
                        s.half(Source).packets += 1;
                        s.half(Source).retransmissions += 1;
                        s.look(Source, |details| {
                            details.backoff = Some(details.backoff.unwrap_or(0) + 1)
                        });
                    });
                })
            },
            LOSS,
        ),
        (
            "the way is long",
            || with(far(200), |s| s.passes(8, |s| s.sends(Source, 10, 0))),
            FAR,
        ),
        (
            "the way is long and nothing passes",
            || {
                with(far(200), |s| {
                    s.passes(3, |s| {
                        s.sends(Source, 1, 0);
                        s.sends(Destination, 1, 0);
                    });
                    s.passes(15, |_| {});
                })
            },
            IDLE,
        ),
        (
            "packets wait in a queue on the way",
            || {
                with(Scene::new(), |s| {
                    s.half(Source).rtt.as_mut().unwrap().srtt_us = 150_000;
                    s.passes(8, |s| s.sends(Source, 100, 0));
                })
            },
            FAR,
        ),
        (
            "a few acknowledgements are late",
            || {
                with(Scene::new(), |s| {
                    s.half(Source).rtt.as_mut().unwrap().srtt_us = 150_000;
                    s.passes(8, |s| s.sends(Source, 2, 0));
                })
            },
            HEALTHY,
        ),
        (
            "the peer has no window",
            || {
                with(Scene::new(), |s| {
                    s.passes(2, |s| s.sends(Source, 100, 0));
                    s.half(Destination).window_bytes = Some(0);
                    s.passes(40, |_| {});
                })
            },
            peer(Cause::NotReading, Destination),
        ),
        (
            "the peer has no window for moments",
            || {
                with(Scene::new(), |s| {
                    s.passes(8, |s| {
                        s.sends(Source, 100, 0);
                        s.half(Destination).window_bytes = Some(0);
                    })
                })
            },
            HEALTHY,
        ),
        (
            "we have no window",
            || {
                with(Scene::new(), |s| {
                    s.passes(2, |s| s.sends(Destination, 100, 0));
                    s.half(Source).window_bytes = Some(0);
                    s.look(Source, |details| details.receive_queue_bytes = Some(90_000));
                    s.passes(40, |_| {});
                })
            },
            application(Cause::NotReading, Source),
        ),
        (
            "we leave a little unread",
            || {
                with(Scene::accepted(), |s| {
                    s.passes(2, |s| s.sends(Source, 1, 0));
                    s.passes(1, |s| {
                        s.look(Destination, |details| details.receive_queue_bytes = Some(900))
                    });
                    s.passes(8, |_| {});
                })
            },
            application(Cause::NotReading, Destination),
        ),
        (
            "both ends are ours, and one does not read",
            || {
                with(Scene::new(), |s| {
                    s.connection.local_end = Some(LocalEnd::Both);
                    s.passes(2, |s| s.sends(Source, 100, 0));
                    s.half(Destination).window_bytes = Some(0);
                    s.passes(5, |_| {});
                })
            },
            application(Cause::NotReading, Destination),
        ),
        (
            "it passes through, and one end does not read",
            || {
                with(Scene::new(), |s| {
                    s.connection.local_end = Some(LocalEnd::Neither);
                    s.passes(2, |s| s.sends(Destination, 100, 0));
                    s.half(Source).window_bytes = Some(0);
                    s.passes(5, |_| {});
                })
            },
            peer(Cause::NotReading, Source),
        ),
        (
            "the peer's window is small",
            || with(limited(2_000, 0), |_| {}),
            peer(Cause::SmallWindow, Destination),
        ),
        (
            "the peer reads slowly",
            || with(limited(90_000, 5), |_| {}),
            peer(Cause::NotReading, Destination),
        ),
        (
            "our receive buffer is small",
            || {
                with(Scene::new(), |s| {
                    s.passes(8, |s| {
                        s.sends(Destination, 100, 0);
                        s.half(Destination).window_full += 40;
                        s.half(Source).window_bytes = Some(2_000);
                    })
                })
            },
            application(Cause::SmallWindow, Source),
        ),
        (
            "what comes fills our receive buffer in each round trip",
            || {
                with(far(20), |s| {
                    s.passes(8, |s| {
                        s.sends(Destination, 100, 0);
                        s.half(Source).window_bytes = Some(2_500);
                    })
                })
            },
            application(Cause::SmallWindow, Source),
        ),
        (
            "our send buffer is small",
            || {
                with(Scene::new(), |s| {
                    s.passes(8, |s| {
                        s.sends(Source, 100, 0);
                        s.look(Source, |details| {
                            grow(&mut details.busy_us, 900_000);
                            grow(&mut details.send_buffer_limited_us, 800_000);
                        });
                    })
                })
            },
            application(Cause::SendBuffer, Source),
        ),
        (
            "our stream stands still",
            || {
                with(Scene::new(), |s| {
                    s.passes(6, |s| s.sends(Source, 100, 0));
                    s.passes(4, |s| {
                        s.look(Source, |details| details.send_queue_bytes = Some(0))
                    });
                })
            },
            application(Cause::NotSending, Source),
        ),
        (
            "the peer's stream stands still",
            || {
                with(Scene::new(), |s| {
                    s.passes(6, |s| s.sends(Destination, 100, 0));
                    s.passes(4, |_| {});
                })
            },
            peer(Cause::NotSending, Destination),
        ),
        (
            "the peer's stream finds no window, moments ago",
            || {
                with(Scene::new(), |s| {
                    s.passes(6, |s| s.sends(Destination, 100, 0));
                    s.half(Source).window_bytes = Some(0);
                    s.passes(2, |_| {});
                })
            },
            HEALTHY,
        ),
        (
            "our application has not read the question, moments ago",
            || {
                with(Scene::accepted(), |s| {
                    answers(s, 20_000);
                    s.passes(1, |s| s.sends(Source, 1, 0));
                    s.passes(1, |s| {
                        s.look(Destination, |details| {
                            details.receive_queue_bytes = Some(900);
                        })
                    });
                    s.passes(2, |_| {});
                })
            },
            HEALTHY,
        ),
        (
            "a stream stood still long ago",
            || {
                with(Scene::new(), |s| {
                    s.passes(6, |s| s.sends(Source, 100, 0));
                    s.passes(40, |_| {});
                })
            },
            IDLE,
        ),
        (
            "we do not answer",
            || {
                with(Scene::accepted(), |s| {
                    s.passes(3, |s| {
                        s.sends(Source, 1, 0);
                        s.sends(Destination, 1, 0);
                    });
                    answers(s, 20_000);
                    s.passes(1, |s| s.sends(Source, 1, 0));
                    s.passes(20, |_| {});
                })
            },
            application(Cause::NotSending, Destination),
        ),
        (
            "the peer takes its time, as always",
            || {
                with(Scene::new(), |s| {
                    answers(s, 4_000_000);
                    s.passes(1, |s| s.sends(Source, 1, 0));
                    s.passes(6, |_| {});
                })
            },
            HEALTHY,
        ),
        (
            "all was answered",
            || {
                with(Scene::new(), |s| {
                    s.passes(3, |s| {
                        s.sends(Source, 1, 0);
                        s.sends(Destination, 1, 0);
                    });
                    answers(s, 20_000);
                    s.passes(12, |_| {});
                })
            },
            IDLE,
        ),
        (
            "the peer has closed and we have not",
            || {
                with(Scene::new(), |s| {
                    s.connection.source_state = TcpState::CloseWait;
                    s.connection.destination_state = TcpState::FinWait2;
                    s.passes(14, |_| {});
                })
            },
            application(Cause::NotClosing, Source),
        ),
        (
            "a SYN has no answer",
            || {
                with(half_open(), |s| {
                    s.passes(3, |s| s.half(Source).syn_retransmissions += 1)
                })
            },
            NO_ANSWER,
        ),
        (
            "a SYN has no answer of a full listener",
            || {
                with(half_open(), |s| {
                    s.backlog = Some(Backlog {
                        accept_queue: 9,
                        accept_queue_limit: 8,
                        drops: 91,
                    });
                    s.passes(3, |s| s.half(Source).syn_retransmissions += 1);
                })
            },
            backlog(Cause::QueueFull),
        ),
        (
            "a SYN was lost and the next one was not",
            || {
                with(Scene::new(), |s| {
                    s.half(Source).syn_retransmissions = 1;
                    s.passes(3, |s| s.sends(Source, 1, 0));
                })
            },
            NO_ANSWER,
        ),
        (
            "nobody accepts",
            || {
                with(Scene::accepted(), |s| {
                    s.passes(4, |s| {
                        s.look(Destination, |details| {
                            details.is_accepted = Some(false);
                        })
                    })
                })
            },
            backlog(Cause::NotAccepted),
        ),
    ];
    for (name, scene, expected) in rows {
        let scene = scene();
        let told = scene.judgement.verdict.map(|verdict| text(&verdict, None));
        assert_eq!(scene.verdict(), Some(expected), "{name}: {told:?}");
        assert!(
            scene.judgement.verdict.unwrap().evidence.iter().next().is_some(),
            "{name}: without a number"
        );
    }
}

fn with(mut scene: Scene, happens: impl FnOnce(&mut Scene)) -> Scene {
    happens(&mut scene);
    scene
}

fn far(milliseconds: u32) -> Scene {
    with(Scene::new(), |scene| {
        let rtt = scene.half(End::Source).rtt.as_mut().unwrap();
        (rtt.srtt_us, rtt.min_us) = (milliseconds * 1_000, milliseconds * 1_000);
    })
}

fn half_open() -> Scene {
    with(Scene::new(), |scene| {
        scene.connection.source_state = TcpState::SynSent;
        scene.connection.destination_state = TcpState::Listen;
        *scene.half(End::Destination) = Half::default();
    })
}

/// The window of the destination holds our sender back.
fn limited(window_bytes: u32, zero_windows: u32) -> Scene {
    with(Scene::new(), |scene| {
        scene.passes(8, |scene| {
            scene.sends(End::Source, 100, 0);
            scene.half(End::Destination).window_bytes = Some(window_bytes);
            scene.half(End::Destination).zero_windows += zero_windows;
            scene.look(End::Source, |details| {
                grow(&mut details.busy_us, 900_000);
                grow(&mut details.receive_window_limited_us, 800_000);
            });
        });
    })
}

fn answers(scene: &mut Scene, mean_us: u32) {
    scene.half(End::Destination).response = Some(Response {
        count: 3,
        last_us: mean_us,
        mean_us,
        max_us: mean_us,
    });
}

fn grow(counter: &mut Option<u64>, by: u64) {
    *counter = counter.map(|counter| counter + by);
}

#[test]
fn what_is_not_known_has_no_verdict() {
    let mut scene = Scene::new();
    *scene.half(End::Source) = Half::default();
    *scene.half(End::Destination) = Half::default();
    scene.passes(3, |_| {});
    assert_eq!(
        scene.verdict(),
        None,
        "its socket said something moments ago, and no packet passed"
    );
    let after = |seconds| start() + Duration::from_secs(seconds);
    assert!(scene.judgement.outlook.holds(after(9)) && !scene.judgement.outlook.holds(after(10)));

    let mut scene = half_open();
    scene.judge();
    assert_eq!(scene.verdict(), None, "the answer is not late yet");
}

#[test]
fn a_cause_stays_for_a_moment_and_does_not_flap() {
    let mut scene = Scene::new();
    scene.passes(8, |scene| scene.sends(End::Source, 100, 3));
    let since = scene.judgement.verdict.unwrap().since;
    let mut changes = 0;
    // About the limit: one in a hundred, now more, now less.
    for second in 0..60 {
        let before = scene.verdict();
        scene.passes(1, |scene| {
            scene.sends(End::Source, 100, if second % 2 == 0 { 2 } else { 0 })
        });
        changes += u32::from(scene.verdict() != before);
    }
    assert!(changes <= 1, "{changes} changes");
    assert_eq!(scene.verdict(), Some(LOSS));
    assert_eq!(scene.judgement.verdict.unwrap().since, since);
}

#[test]
fn the_numbers_are_those_of_the_last_seconds() {
    let mut scene = Scene::new();
    scene.passes(60, |scene| scene.sends(End::Source, 100, 0));
    scene.passes(8, |scene| scene.sends(End::Source, 100, 4));
    let share = scene.measured(Measure::Retransmitted).unwrap();
    assert!(
        (20..=40).contains(&share),
        "{share}: over the whole life it would be 5 in a thousand"
    );
    assert!(text(&scene.judgement.verdict.unwrap(), None).starts_with("packets are lost: "));
}

#[test]
fn how_it_ended_counts_at_once_and_else_the_last_word_stays() {
    let mut scene = half_open();
    scene.passes(1, |_| {});
    scene.ends(CloseReason::Refused);
    assert_eq!(
        scene.verdict(),
        Some((
            VerdictKind::Handshake,
            Some(Cause::Refused),
            Some(End::Destination)
        ))
    );

    for reason in [CloseReason::HandshakeTimeout, CloseReason::SocketError] {
        let mut scene = half_open();
        scene.ends(reason);
        assert_eq!(scene.verdict(), Some(NO_ANSWER), "{reason:?}");
    }

    for reason in [
        CloseReason::Fin,
        CloseReason::ResetByDestination,
        CloseReason::SocketGone,
        CloseReason::SocketError,
    ] {
        let mut scene = Scene::new();
        scene.passes(8, |scene| scene.sends(End::Source, 100, 3));
        scene.ends(reason);
        assert_eq!(scene.verdict(), Some(LOSS), "{reason:?}");
        assert!(scene.judgement.outlook.is_settled());
    }

    let mut scene = Scene::new();
    scene.ends(CloseReason::Fin);
    assert_eq!(
        scene.verdict(),
        Some(HEALTHY),
        "one that was over within one report"
    );
    let mut scene = Scene::new();
    scene.ends(CloseReason::ResetByDestination);
    assert_eq!(scene.verdict(), None);
}

#[test]
fn an_idle_connection_is_settled_and_wakes_up() {
    let mut scene = Scene::new();
    scene.passes(2, |scene| {
        scene.sends(End::Source, 1, 0);
        scene.sends(End::Destination, 1, 0);
    });
    assert!(!scene.judgement.outlook.is_settled(), "time will make it idle");
    scene.passes(12, |_| {});
    assert_eq!(scene.verdict(), Some(IDLE));
    assert!(scene.judgement.outlook.is_settled());
    assert!(scene.measured(Measure::Silence).unwrap() >= 10_000);

    scene.passes(1, |scene| scene.sends(End::Source, 1, 0));
    assert_eq!(scene.verdict(), Some(HEALTHY), "at once");
}

#[test]
fn a_question_just_after_the_first_verdict_is_not_overlooked() {
    let mut scene = Scene::new();
    scene.judge();
    scene.now += Duration::from_millis(100);
    scene.sends(End::Source, 1, 0);
    scene.judge();
    scene.now += Duration::from_secs(3);
    assert!(!scene.judgement.outlook.holds(scene.now));
    scene.judge();
    assert_eq!(
        scene.verdict(),
        Some((VerdictKind::Peer, Some(Cause::NotSending), Some(End::Destination)))
    );
}

#[test]
fn an_idle_connection_of_which_time_can_show_more_is_not_settled() {
    let mut scene = Scene::new();
    scene.passes(1, |scene| {
        scene.sends(End::Source, 1, 0);
        scene.sends(End::Destination, 1, 0);
    });
    scene.passes(5, |_| {});
    scene.connection.source_state = TcpState::CloseWait;
    scene.connection.last_seen = scene.now;
    scene.passes(7, |_| {});
    assert_eq!(scene.verdict(), Some(IDLE));
    assert!(!scene.judgement.outlook.is_settled());
    scene.passes(4, |_| {});
    let verdict = scene.judgement.verdict.unwrap();
    assert_eq!(verdict.cause, Some(Cause::NotClosing));

    // The other end closes, and a moment later it is known that this was acknowledged.
    let mut scene = Scene::new();
    scene.passes(12, |_| {});
    assert!(scene.judgement.outlook.is_settled());
    scene.connection.last_seen = scene.now;
    scene.passes(1, |_| {});
    scene.now += Duration::from_millis(300);
    scene.connection.source_state = TcpState::CloseWait;
    scene.judge();
    assert!(!scene.judgement.outlook.is_settled());
    scene.passes(12, |_| {});
    let verdict = scene.judgement.verdict.unwrap();
    assert_eq!(verdict.cause, Some(Cause::NotClosing));

    let mut scene = Scene::new();
    answers(&mut scene, 5_000_000);
    scene.passes(1, |scene| scene.sends(End::Source, 1, 0));
    scene.passes(12, |_| {});
    assert_eq!(scene.verdict(), Some(IDLE));
    assert!(!scene.judgement.outlook.is_settled());
    scene.passes(5, |_| {});
    let verdict = scene.judgement.verdict.unwrap();
    assert_eq!(
        verdict.cause,
        Some(Cause::NotSending),
        "an answer takes 5 s otherwise"
    );
}

/// Something that happens to a connection.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Sends { end: End, packets: u64, again: u64 },
    Looked { end: End, queue: u32, limited_us: u64 },
    Window { end: End, bytes: u32 },
    RoundTrip { us: u32 },
    Answers { usual_us: u32 },
    Closes { end: End },
}

fn happenings() -> impl Strategy<Value = Vec<(u64, Happening)>> {
    let end = || prop_oneof![Just(End::Source), Just(End::Destination)];
    let happening = prop_oneof![
        4 => (end(), 1_u64..300, prop_oneof![Just(0), 0_u64..6])
            .prop_map(|(end, packets, again)| Happening::Sends { end, packets, again }),
        1 => (end(), prop_oneof![Just(0), 1_u32..9], 0_u64..900_000)
            .prop_map(|(end, queue, limited_us)| Happening::Looked { end, queue, limited_us }),
        1 => (end(), prop_oneof![Just(0), 1_u32..90_000])
            .prop_map(|(end, bytes)| Happening::Window { end, bytes }),
        1 => (1_u32..300_000).prop_map(|us| Happening::RoundTrip { us }),
        1 => (1_u32..3_000_000).prop_map(|usual_us| Happening::Answers { usual_us }),
        1 => end().prop_map(|end| Happening::Closes { end }),
    ];
    prop::collection::vec((1_u64..4_000, happening), 1..12)
}

fn happen(scene: &mut Scene, happening: Happening) {
    match happening {
        Happening::Sends { end, packets, again } => scene.sends(end, packets, again),
        Happening::Looked {
            end,
            queue,
            limited_us,
        } => scene.look(end, |details| {
            details.receive_queue_bytes = Some(queue);
            grow(&mut details.busy_us, limited_us + 50_000);
            grow(&mut details.receive_window_limited_us, limited_us);
        }),
        Happening::Window { end, bytes } => scene.half(end).window_bytes = Some(bytes),
        Happening::RoundTrip { us } => {
            if let Some(rtt) = &mut scene.connection.sent.rtt {
                (rtt.srtt_us, rtt.min_us) = (us, rtt.min_us.min(us));
            }
        }
        Happening::Answers { usual_us } => answers(scene, usual_us),
        Happening::Closes { end } => {
            scene.connection.last_seen = scene.now;
            match end.other() {
                End::Source => scene.connection.source_state = TcpState::CloseWait,
                End::Destination => scene.connection.destination_state = TcpState::CloseWait,
            }
        }
    }
}

proptest! {
    #[test]
    fn what_is_said_to_hold_does(happenings in happenings()) {
        let mut scene = Scene::new();
        for (milliseconds, happening) in happenings {
            scene.now += Duration::from_millis(milliseconds);
            happen(&mut scene, happening);
            scene.judge();
        }
        for _tenth_of_a_second in 0..400 {
            scene.now += Duration::from_millis(100);
            let outlook = &scene.judgement.outlook;
            if !outlook.holds(scene.now) {
                scene.judge();
            } else if !outlook.is_early(Stamp::of(scene.now)) {
                let (said, before) = (scene.judgement.clone(), scene.verdict());
                scene.judge();
                prop_assert_eq!(scene.verdict(), before);
                scene.judgement = said;
            }
        }
    }
}
