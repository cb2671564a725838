//! A verdict in plain words: a sentence for people, and names for its numbers.

use crate::model::{Cause, End, Evidence, Failure, Measure, SocketError, Verdict, VerdictKind};

/// What is the case, and what says so: numbers, and the kernel's word for a failure. `packets are lost: 3.1 % sent again,
/// round trip 40.2 ms`.
pub fn text(verdict: &Verdict, failure: Option<&Failure>) -> String {
    let numbers = verdict.evidence.iter().map(evidence_text);
    let numbers: Vec<_> = numbers
        .chain(failure.into_iter().flat_map(failure_texts))
        .collect();
    let what = sentence(verdict);
    if numbers.is_empty() {
        what
    } else {
        format!("{what}: {}", numbers.join(", "))
    }
}

fn sentence(verdict: &Verdict) -> String {
    let who = match (verdict.kind, verdict.end) {
        (VerdictKind::Application, Some(End::Source)) => "our application at the source",
        (VerdictKind::Application, _) => "our application at the destination",
        (_, Some(End::Source)) => "the peer, the source,",
        (_, _) => "the peer, the destination,",
    };
    let Some(cause) = verdict.cause else {
        let is_idle = verdict.kind == VerdictKind::Idle;
        return if is_idle {
            "nothing is sent"
        } else {
            "nothing is wrong"
        }
        .into();
    };
    match cause {
        Cause::Loss => "packets are lost".into(),
        Cause::RoundTrip => "round trips take long".into(),
        Cause::NotReading => format!("{who} does not read what comes"),
        Cause::SmallWindow => format!("{who} has a small receive window"),
        Cause::NotSending => format!("{who} does not send"),
        Cause::SendBuffer => format!("{who} has a small send buffer"),
        Cause::NotClosing => format!("{who} does not close, the other end has"),
        Cause::NoAnswer => "the handshake got no answer at first, or none at all".into(),
        Cause::Refused => "the destination refused".into(),
        Cause::QueueFull => "the accept queue of the listening socket is full".into(),
        Cause::NotAccepted => "the application that listens has not accepted it".into(),
    }
}

/// What the kernel said of a connection that failed, in a few words each.
fn failure_texts(failure: &Failure) -> impl Iterator<Item = String> {
    let error = |end: End, error: SocketError| {
        let name = error
            .name()
            .map_or_else(|| format!("error {}", error.number), str::to_owned);
        format!("{name} at {}", place(end))
    };
    let source = failure.source_error.map(|each| error(End::Source, each));
    let destination = failure
        .destination_error
        .map(|each| error(End::Destination, each));
    let reset = failure.reset.as_ref();
    let reset = reset.map(|reset| format!("reset by {} for {}", place(reset.by), reset.reason));
    reset.into_iter().chain(source).chain(destination)
}

const fn place(end: End) -> &'static str {
    match end {
        End::Source => "the source",
        End::Destination => "the destination",
    }
}

/// The name of a number, its unit included.
pub fn evidence_name(measure: Measure) -> &'static str {
    match measure {
        Measure::Retransmitted => "retransmitted_percent",
        Measure::Retransmissions => "retransmissions",
        Measure::Backoff => "backoff",
        Measure::RoundTrip => "rtt_us",
        Measure::LeastRoundTrip => "min_rtt_us",
        Measure::Rate => "payload_bytes_per_second",
        Measure::Silence => "silence_ms",
        Measure::Window => "window_bytes",
        Measure::ZeroWindows => "zero_windows",
        Measure::WindowFull => "window_full",
        Measure::WindowLimited => "window_limited_percent",
        Measure::BufferLimited => "send_buffer_limited_percent",
        Measure::ReceiveQueue => "receive_queue_bytes",
        Measure::SendQueue => "send_queue_bytes",
        Measure::ReceiveBuffer => "receive_buffer_bytes",
        Measure::SendBuffer => "send_buffer_bytes",
        Measure::Syns => "syns",
        Measure::SynAnswers => "syn_acks",
        Measure::Waited => "waited_ms",
        Measure::AcceptQueue => "accept_queue",
        Measure::AcceptQueueLimit => "accept_queue_limit",
        Measure::ListenerDrops => "listener_drops",
        Measure::UsualResponse => "usual_response_us",
    }
}

/// The number in the unit of its name.
pub fn evidence_value(evidence: Evidence) -> f64 {
    let value = evidence.value as f64;
    if evidence.measure == Measure::Retransmitted {
        value / 10.0
    } else {
        value
    }
}

/// The number in a few words.
pub fn evidence_text(evidence: Evidence) -> String {
    let value = evidence.value;
    match evidence.measure {
        Measure::Retransmitted => format!("{}.{} % sent again", value / 10, value % 10),
        Measure::Retransmissions => format!("{value} packets sent again"),
        Measure::Backoff => format!("retransmission timer doubled {value} times"),
        Measure::RoundTrip => format!("round trip {}", time(value)),
        Measure::LeastRoundTrip => format!("at least {}", time(value)),
        Measure::Rate => format!("{}/s", bytes(value)),
        // It may have been judged long ago.
        Measure::Silence => format!("no payload for more than {}", time(value.saturating_mul(1_000))),
        Measure::Window => format!("window {}", bytes(value)),
        Measure::ZeroWindows => format!("{value} times no window"),
        Measure::WindowFull => format!("{value} times window used up"),
        Measure::WindowLimited => format!("sender held back {value} % of the time"),
        Measure::BufferLimited => format!("held back {value} % of the time"),
        Measure::ReceiveQueue => format!("{} not read", bytes(value)),
        Measure::SendQueue => format!("{} not acknowledged", bytes(value)),
        Measure::ReceiveBuffer => format!("receive buffer {}", bytes(value)),
        Measure::SendBuffer => format!("send buffer {}", bytes(value)),
        Measure::Syns => format!("SYN sent {}", times(value)),
        Measure::SynAnswers => format!("SYN-ACK sent {}", times(value)),
        Measure::Waited => format!("waited {}", time(value.saturating_mul(1_000))),
        Measure::AcceptQueue => format!("{value} in the accept queue"),
        Measure::AcceptQueueLimit => format!("limit {value}"),
        Measure::ListenerDrops => format!("{value} dropped there"),
        Measure::UsualResponse => format!("answers usually take {}", time(value)),
    }
}

fn times(count: u64) -> String {
    if count == 1 {
        "once".into()
    } else {
        format!("{count} times")
    }
}

fn time(microseconds: u64) -> String {
    let value = microseconds as f64;
    match microseconds {
        0..1_000 => format!("{microseconds} µs"),
        1_000..1_000_000 => format!("{:.1} ms", value / 1e3),
        _ => format!("{:.1} s", value / 1e6),
    }
}

fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.iter().find(|(_unit, size)| bytes >= *size);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(unit, size)| format!("{:.1} {unit}", bytes as f64 / *size as f64),
    )
}
