//! The fields of a connection.

use std::{net::SocketAddr, time::SystemTime};

use tcpviewer_common::state::TcpState;

use super::field::{
    Field, Level,
    Read::{Addresses, Choice, Elapsed, Flag, Leveled, Name, Names, Number, Numbers, Ports, Share},
    Subject,
    Unit::{Bytes, BytesPerSecond, Count, Microseconds},
};
use crate::model::{
    Cause, CloseReason, Connection, ControlGroup, End, Half, LocalEnd, Orientation, Process, SocketDetails,
    SocketError, VerdictKind,
};

const STATES: &[&str] = &[
    "closed",
    "listen",
    "syn-sent",
    "syn-received",
    "established",
    "fin-wait-1",
    "fin-wait-2",
    "close-wait",
    "closing",
    "last-ack",
    "time-wait",
];
const CLOSE_REASONS: &[&str] = &[
    "fin",
    "reset-by-source",
    "reset-by-destination",
    "refused",
    "idle-timeout",
    "handshake-timeout",
    "replaced",
    "given-up",
    "socket-gone",
    "socket-error",
];
const ORIENTATIONS: &[&str] = &["handshake", "ports", "listener"];
const ENDS: &[&str] = &["source", "destination"];
const LOCAL_ENDS: &[&str] = &["source", "destination", "both", "neither"];

impl Subject for Connection {
    const NOUN: &'static str = "connections";
    const FIELDS: &'static [&'static [Field<Self>]] = &[SHARED, PROCESSES, COUNTERS, HALVES, RTTS];
}

/// A table of fields, one to a line: name, how it is read, meaning.
macro_rules! fields {
    ($($name:literal, $read:expr, $about:literal;)*) => {
        &[$(Field { name: $name, about: $about, read: $read }),*]
    };
}

/// A table of counters, one to a line: both directions together, and each on its own.
macro_rules! counters {
    ($($name:literal, $unit:expr, $member:ident, $about:literal;)*) => {
        &[$(
            Field {
                name: $name,
                about: concat!($about, ", both directions"),
                read: Number($unit, |c| Some(u64::from(c.sent.$member).saturating_add(c.received.$member.into()))),
            },
            Field {
                name: concat!("sent.", $name),
                about: concat!($about, ", source to destination"),
                read: Number($unit, |c| Some(c.sent.$member.into())),
            },
            Field {
                name: concat!("received.", $name),
                about: concat!($about, ", destination to source"),
                read: Number($unit, |c| Some(c.received.$member.into())),
            },
        )*]
    };
}

/// A table of what only a direction has and may be absent, one to a line.
macro_rules! halves {
    ($($name:literal, $unit:expr, $value:expr, $about:literal;)*) => {
        &[$(
            Field {
                name: concat!("sent.", $name),
                about: concat!($about, ", source to destination"),
                read: Number($unit, |c| of_half(&c.sent, $value)),
            },
            Field {
                name: concat!("received.", $name),
                about: concat!($about, ", destination to source"),
                read: Number($unit, |c| of_half(&c.received, $value)),
            },
        )*]
    };
}

/// A table of round-trip times, one to a line: of the connection, and of each direction's data.
macro_rules! rtts {
    ($($name:literal, $unit:expr, $value:expr, $about:literal;)*) => {
        &[$(
            Field {
                name: $name,
                about: concat!($about, ", this host to the far end"),
                read: Number($unit, |c| c.rtt().and_then($value)),
            },
            Field {
                name: concat!("sent.", $name),
                about: concat!($about, ", this host to the destination"),
                read: Number($unit, |c| c.sent.rtt.and_then($value)),
            },
            Field {
                name: concat!("received.", $name),
                about: concat!($about, ", this host to the source"),
                read: Number($unit, |c| c.received.rtt.and_then($value)),
            },
        )*]
    };
}

/// A table of what is known of the process at an end and may be absent, one to a line: of either end, and of each.
macro_rules! processes {
    ($($name:literal, $read:ident, $value:expr, $about:literal;)*) => {
        &[$(
            Field {
                name: $name,
                about: concat!($about, ", at either end"),
                read: $read(|c| [source(c).and_then($value), destination(c).and_then($value)]),
            },
            Field {
                name: concat!("source.", $name),
                about: concat!($about, ", at the source's end"),
                read: $read(|c| [source(c).and_then($value), None]),
            },
            Field {
                name: concat!("destination.", $name),
                about: concat!($about, ", at the destination's end"),
                read: $read(|c| [destination(c).and_then($value), None]),
            },
        )*]
    };
}

const SHARED: &[Field<Connection>] = fields! {
    "id", Number(Count, |c| Some(c.id)), "number of the connection within one run of the daemon";
    "host", Addresses(|c| [Some(c.source.ip()), Some(c.destination.ip())]), "address of either end";
    "port", Ports(|c| [Some(c.source.port()), Some(c.destination.port())]), "port of either end";
    "source.host", Addresses(|c| [Some(c.source.ip()), None]), "address of the end that opened the connection";
    "source.port", Ports(|c| [Some(c.source.port()), None]), "port of the end that opened the connection";
    "destination.host", Addresses(|c| [Some(c.destination.ip()), None]), "address of the end that was connected to";
    "destination.port", Ports(|c| [Some(c.destination.port()), None]), "port of the end that was connected to";
    "local.host", Addresses(|c| [local(c).map(|end| end.ip()), None]), "address of this host's end; absent where it has both or neither";
    "local.port", Ports(|c| [local(c).map(|end| end.port()), None]), "port of this host's end; absent where it has both or neither";
    "remote.host", Addresses(|c| [remote(c).map(|end| end.ip()), None]), "address of the far end; absent where this host has both ends or neither";
    "remote.port", Ports(|c| [remote(c).map(|end| end.port()), None]), "port of the far end; absent where this host has both ends or neither";
    "local_end", Choice(LOCAL_ENDS, local_end), "which end is this host's; absent until enough packets were seen";
    "orientation", Choice(ORIENTATIONS, orientation), "how source and destination were told apart";
    "ip", Flag(|c| c.source.is_ipv4()), "runs over IPv4";
    "ip6", Flag(|c| c.source.is_ipv6()), "runs over IPv6";
    "tcp", Flag(|_| true), "is TCP, as every connection is";
    "interface", Name(|c| &c.interface), "interface on which the connection is counted";
    "state", Choice(STATES, |c| state(c.state())), "state of this host's end, of the source where neither or both are local; absent where no packet told it";
    "source.state", Choice(STATES, |c| state(c.source_state)), "state of the source's end";
    "destination.state", Choice(STATES, |c| state(c.destination_state)), "state of the destination's end";
    "open", Flag(|c| c.closed.is_none()), "has not ended";
    "closed", Flag(|c| c.closed.is_some()), "has ended";
    "close_reason", Choice(CLOSE_REASONS, close_reason), "how it ended; absent while it lives";
    "error", Names(|c| errors(c).map(|error| error.and_then(|error| error.name()))), "error that the socket at either end reported; absent where none did, and where it is not this host's";
    "source.error", Names(|c| [errors(c)[0].and_then(|error| error.name()), None]), "error that the source's socket reported; absent likewise";
    "destination.error", Names(|c| [errors(c)[1].and_then(|error| error.name()), None]), "error that the destination's socket reported; absent likewise";
    "errno", Numbers(|c| errors(c).map(|error| Some(error?.number.into()))), "number of the error that the socket at either end reported; absent likewise";
    "reset.reason", Names(|c| [c.failure.as_ref().and_then(|failure| Some(&*failure.reset.as_ref()?.reason)), None]), "why this host sent a reset, in the kernel's words; absent where it sent none";
    "reset.by", Choice(ENDS, |c| Some(end(c.failure.as_ref()?.reset.as_ref()?.by))), "the end that sent it; absent likewise";
    "verdict", Choice(VerdictKind::NAMES, |c| Some(c.verdict?.kind.name())), "where the cause lies of how it is; absent until enough was seen";
    "verdict.cause", Choice(Cause::NAMES, |c| Some(c.verdict?.cause?.name())), "what that cause is; absent where nothing is wrong";
    "verdict.severity", Leveled(severity), "how grave that is, 0 where nothing is wrong and else 1 to 5; in an order, what has been so for longer is graver; absent until enough was seen";
    "age", Elapsed(|c, now| since(c.first_seen, c.closed.map_or(now, |closed| closed.at))), "time since the first packet, until the end where it has ended";
    "idle", Elapsed(|c, now| since(c.last_seen, now)), "time since the newest packet";
    "retransmission_rate", Share(|c| share(u64::from(c.sent.retransmissions) + u64::from(c.received.retransmissions), c.sent.packets.saturating_add(c.received.packets))), "retransmissions in all packets, both directions; absent without packets";
    "sent.retransmission_rate", Share(|c| share(c.sent.retransmissions.into(), c.sent.packets)), "retransmissions in all packets, source to destination; absent without packets";
    "received.retransmission_rate", Share(|c| share(c.received.retransmissions.into(), c.received.packets)), "retransmissions in all packets, destination to source; absent without packets";
    "ecn", Flag(|c| c.ecn == Some(true)), "both ends agreed to explicit congestion notification";
    "handshake.rtt", Number(Microseconds, |c| c.handshake.rtt_us), "the newest SYN to the first ACK after it; absent when not seen";
    "handshake.syn_to_syn_ack", Number(Microseconds, |c| c.handshake.syn_to_syn_ack_us), "SYN to SYN-ACK; absent when not seen";
    "handshake.syn_ack_to_ack", Number(Microseconds, |c| c.handshake.syn_ack_to_ack_us), "SYN-ACK to ACK; absent when not seen";
};

const PROCESSES: &[Field<Connection>] = processes! {
    "process", Names, |process| Some(&*process.command), "name of the process; absent where it is not known";
    "pid", Numbers, |process| Some(process.pid.into()), "number of the process";
    "command", Names, |process| process.command_line.as_deref(), "command line of the process";
    "user", Names, |process| process.user.as_deref(), "name of the process's user";
    "uid", Numbers, |process| Some(process.user_id.into()), "number of the process's user";
    "unit", Names, |process| group(process)?.unit.as_deref(), "systemd unit of the process";
    "container", Names, |process| group(process)?.container.as_deref(), "id of the process's container";
    "pod", Names, |process| group(process)?.pod.as_deref(), "uid of the process's Kubernetes pod";
};

const COUNTERS: &[Field<Connection>] = counters! {
    "rate", BytesPerSecond, payload_bytes_per_second, "TCP payload per second over the last update interval; 0 once it has ended";
    "packet_rate", Count, packets_per_second, "packets per second over the last update interval; 0 once it has ended";
    "bytes", Bytes, payload_bytes, "TCP payload on the wire, retransmitted included";
    "wire_bytes", Bytes, wire_bytes, "bytes of all packets, link-layer headers included";
    "packets", Count, packets, "packets on the wire";
    "retransmitted_bytes", Bytes, retransmitted_bytes, "TCP payload seen before";
    "retransmissions", Count, retransmissions, "packets at or below what was already sent";
    "fast_retransmissions", Count, fast_retransmissions, "retransmissions that duplicate ACKs asked for";
    "spurious_retransmissions", Count, spurious_retransmissions, "retransmissions of what was already acknowledged";
    "syn_retransmissions", Count, syn_retransmissions, "retransmissions that carry a SYN";
    "out_of_order", Count, out_of_order, "packets that were overtaken on the way";
    "duplicate_acks", Count, duplicate_acks, "ACKs that say again what the last one said";
    "zero_windows", Count, zero_windows, "packets that offer no receive window";
    "window_full", Count, window_full, "packets that use up the window of the other side";
    "keep_alives", Count, keep_alives, "probes of a silent connection";
    "lost_segments", Count, lost_segments, "packets that begin beyond the next sequence number";
    "resets", Count, resets, "packets with RST";
    "ecn_marked", Count, ecn_marked, "packets that a router marked for congestion";
    "ecn_echoed", Count, ecn_echoed, "packets that tell the other end of such marks";
};

const HALVES: &[Field<Connection>] = halves! {
    "window", Bytes, |half| half.window_bytes.map(u64::from), "receive window offered last; absent until one was";
    "mss", Bytes, |half| half.mss_bytes.map(u64::from), "maximum segment size of the SYN; absent when not seen";
    "window_scale", Count, |half| half.window_scale.map(u64::from), "window scale of the SYN, shift count; absent when not seen";
    "last_seq", Count, |half| half.last_seq.map(u64::from), "sequence number of the newest packet; absent until one was seen";
    "last_ack", Count, |half| half.last_ack.map(u64::from), "acknowledgement number of the newest packet with ACK; absent until one was seen";
    "in_flight", Bytes, |half| half.in_flight_bytes.map(u64::from), "sequence space sent and not acknowledged; absent until an acknowledgement was seen";
    "usable_window", Bytes, |half| half.usable_window_bytes.map(u64::from), "what may still be sent into the other end's window; absent until an acknowledgement was seen";
    "response", Microseconds, |half| half.response.map(|response| response.mean_us.into()), "mean time until this direction answers the other; absent until it did";
    "response.last", Microseconds, |half| half.response.map(|response| response.last_us.into()), "newest time until this direction answers the other; absent until it did";
    "response.max", Microseconds, |half| half.response.map(|response| response.max_us.into()), "longest time until this direction answers the other; absent until it did";
    "cwnd", Count, |half| half.socket.as_ref().map(|socket| socket.congestion_window.into()), "congestion window of the socket that sends, segments; absent where that is not this host's";
    "ssthresh", Count, |half| half.socket.as_ref()?.slow_start_threshold.map(u64::from), "slow start threshold of the socket that sends, segments; absent until the first loss, and where it is not this host's";
    "delivery_rate", BytesPerSecond, |half| half.socket.as_ref()?.delivery_rate_bytes_per_second, "newest delivery rate of the socket that sends; absent until it was measured, and where it is not this host's";
    "pacing_rate", BytesPerSecond, |half| of_details(half, |details| details.pacing_rate_bytes_per_second), "how fast the socket that sends lets segments go; absent until the kernel was asked, and where nothing slows it";
    "rto", Microseconds, |half| of_details(half, |details| details.rto_us.map(u64::from)), "time after which the socket that sends does so again; absent until the kernel was asked";
    "timeouts", Count, |half| of_details(half, |details| details.timeouts.map(u64::from)), "times that this ran out; absent until the kernel was asked";
    "not_sent", Bytes, |half| of_details(half, |details| details.not_sent_bytes.map(u64::from)), "what the application wrote and the socket has not sent; absent until the kernel was asked";
    "send_queue", Bytes, |half| of_details(half, |details| details.send_queue_bytes.map(u64::from)), "what the application wrote and the other end has not acknowledged; absent until the kernel was asked";
    "receive_queue", Bytes, |half| of_details(half, |details| details.receive_queue_bytes.map(u64::from)), "what came to the socket that sends and its application has not read; absent until the kernel was asked";
    "busy", Microseconds, |half| of_details(half, |details| details.busy_us), "time with data to send or in flight; absent until the kernel was asked";
    "receive_window_limited", Microseconds, |half| of_details(half, |details| details.receive_window_limited_us), "part of it in which the other end's window held the socket back; absent until the kernel was asked";
    "send_buffer_limited", Microseconds, |half| of_details(half, |details| details.send_buffer_limited_us), "part of it in which the sender's own buffer was too small; absent until the kernel was asked";
};

const RTTS: &[Field<Connection>] = rtts! {
    "rtt", Microseconds, |rtt| Some(rtt.srtt_us.into()), "smoothed round-trip time; absent without a sample";
    "rtt.deviation", Microseconds, |rtt| rtt.rttvar_us.map(u64::from), "mean deviation of the round-trip time; absent without a sample";
    "rtt.min", Microseconds, |rtt| Some(rtt.min_us.into()), "smallest round-trip time; absent without a sample";
    "rtt.max", Microseconds, |rtt| rtt.max_us.map(u64::from), "largest round-trip time; absent without a sample";
    "rtt.last", Microseconds, |rtt| rtt.last_us.map(u64::from), "newest round-trip time; absent without a sample";
    "rtt.samples", Count, |rtt| rtt.samples.map(u64::from), "number of round-trip times; absent without a sample";
};

/// For the tables above: tells the compiler what the value is taken from.
fn of_half(half: &Half, value: fn(&Half) -> Option<u64>) -> Option<u64> {
    value(half)
}

fn source(connection: &Connection) -> Option<&Process> {
    Some(&*connection.source_owner.as_ref()?.process)
}

fn destination(connection: &Connection) -> Option<&Process> {
    Some(&*connection.destination_owner.as_ref()?.process)
}

fn group(process: &Process) -> Option<&ControlGroup> {
    process.group.as_deref()
}

fn of_details(half: &Half, value: fn(&SocketDetails) -> Option<u64>) -> Option<u64> {
    value(half.socket.as_ref()?.details.as_deref()?)
}

fn local(connection: &Connection) -> Option<SocketAddr> {
    match connection.local_end? {
        LocalEnd::Source => Some(connection.source),
        LocalEnd::Destination => Some(connection.destination),
        LocalEnd::Both | LocalEnd::Neither => None,
    }
}

fn remote(connection: &Connection) -> Option<SocketAddr> {
    match connection.local_end? {
        LocalEnd::Source => Some(connection.destination),
        LocalEnd::Destination => Some(connection.source),
        LocalEnd::Both | LocalEnd::Neither => None,
    }
}

fn local_end(connection: &Connection) -> Option<&'static str> {
    Some(match connection.local_end? {
        LocalEnd::Source => "source",
        LocalEnd::Destination => "destination",
        LocalEnd::Both => "both",
        LocalEnd::Neither => "neither",
    })
}

fn orientation(connection: &Connection) -> Option<&'static str> {
    Some(match connection.orientation {
        Orientation::Handshake => "handshake",
        Orientation::Ports => "ports",
        Orientation::Listener => "listener",
    })
}

/// The numbers of the states are those of RFC 9293's order, without what is not known.
fn state(state: TcpState) -> Option<&'static str> {
    STATES.get((state as usize).checked_sub(1)?).copied()
}

fn close_reason(connection: &Connection) -> Option<&'static str> {
    Some(match connection.closed?.reason {
        CloseReason::Fin => "fin",
        CloseReason::ResetBySource => "reset-by-source",
        CloseReason::ResetByDestination => "reset-by-destination",
        CloseReason::Refused => "refused",
        CloseReason::IdleTimeout => "idle-timeout",
        CloseReason::HandshakeTimeout => "handshake-timeout",
        CloseReason::Replaced => "replaced",
        CloseReason::GivenUp => "given-up",
        CloseReason::SocketGone => "socket-gone",
        CloseReason::SocketError => "socket-error",
    })
}

fn severity(connection: &Connection) -> Option<Level> {
    let verdict = connection.verdict?;
    Some(Level {
        level: verdict.severity(),
        since: verdict.since,
    })
}

/// What the sockets of source and destination reported.
fn errors(connection: &Connection) -> [Option<SocketError>; 2] {
    let failure = connection.failure.as_deref();
    failure.map_or([None; 2], |failure| {
        [failure.source_error, failure.destination_error]
    })
}

fn end(end: End) -> &'static str {
    match end {
        End::Source => "source",
        End::Destination => "destination",
    }
}

fn since(start: SystemTime, end: SystemTime) -> std::time::Duration {
    end.duration_since(start).unwrap_or_default()
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_states_are_their_names() {
        for number in 1..=11 {
            let of_number = TcpState::from_u8(number);
            let letters = |name: &str| name.to_ascii_lowercase().replace('-', "");
            assert_eq!(state(of_number).map(letters), Some(letters(of_number.name())));
        }
        assert_eq!(state(TcpState::Unknown), None);
    }
}
