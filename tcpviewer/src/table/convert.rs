//! A row of the table in the words of the model: flags become states, ticks become microseconds, and what was
//! not measured becomes absent.

use std::sync::Arc;

use tcpviewer_common::{
    connection::{self, ConnectionRecord, Place, RttTicks, SocketSample},
    state::TcpState,
};

use super::{
    rates::{HalfRates, Rates},
    row::Said,
};
use crate::{
    model::{
        Clock, CloseReason, Closed, Connection, End, Half, Handshake, LocalEnd, Orientation, Response, Rtt,
        RttSource, Socket, SocketLook, SocketSegments, SocketSource, endpoint,
    },
    verdict::Payload,
};

/// The connection as it is published, but for its revision and its verdict.
pub(super) fn connection(
    said: &Said,
    record: &ConnectionRecord,
    closed: Option<Closed>,
    rates: Rates,
    clock: Clock,
) -> Connection {
    let key = &said.key;
    let (sent, received) = record.oriented();
    let (low, high) = (endpoint(key.low, key.low_port), endpoint(key.high, key.high_port));
    let [low_socket, high_socket] = said.sockets.each_ref().map(Option::as_ref);
    let [low_owner, high_owner] = &said.owners;
    let low = (low, low_socket, low_owner);
    let high = (high, high_socket, high_owner);
    let ((source, source_socket, source_owner), (destination, destination_socket, destination_owner)) =
        match record.source_side() {
            connection::Side::Low => (low, high),
            connection::Side::High => (high, low),
        };
    let by_handshake = record.flags & ConnectionRecord::BY_HANDSHAKE != 0;
    // What has ended moves no more, though what it moved last still counts in the sums.
    let rates = if closed.is_some() { Rates::default() } else { rates };
    Connection {
        id: record.id,
        revision: 0,
        source,
        destination,
        orientation: if by_handshake {
            Orientation::Handshake
        } else if record.has(ConnectionRecord::BY_LISTENER) {
            Orientation::Listener
        } else {
            Orientation::Ports
        },
        local_end: local_end(sent, received),
        source_state: state(sent, received, source_socket),
        destination_state: state(received, sent, destination_socket),
        interface: said.interface.clone(),
        sent: Half {
            socket: newest(&sent.socket, source_socket, clock),
            ..half(sent, received, rates.sent)
        },
        received: Half {
            socket: newest(&received.socket, destination_socket, clock),
            ..half(received, sent, rates.received)
        },
        handshake: handshake(record),
        first_seen: clock.at(record.first_seen_ns),
        last_seen: clock.at(record.last_seen_ns()),
        closed,
        ecn: ecn(sent, received),
        source_owner: source_owner.clone(),
        destination_owner: destination_owner.clone(),
        verdict: None,
        failure: said
            .failures
            .as_ref()
            .map(|failures| Arc::new(failures.oriented(record.source_side()))),
        notable_packets: record.notable_count,
    }
}

/// The newest payload, and who sent it.
pub(super) fn payload(record: &ConnectionRecord, clock: Clock) -> Option<Payload> {
    let from_high = record.has(ConnectionRecord::PAYLOAD_FROM_HIGH);
    let source_is_high = record.source_side() == connection::Side::High;
    (record.payload_ns != 0).then(|| Payload {
        at: clock.at(record.payload_ns),
        from: if from_high == source_is_high {
            End::Source
        } else {
            End::Destination
        },
    })
}

/// State of an end as its packets tell it; before one was seen, as its socket does.
fn state(own: &connection::Half, other: &connection::Half, socket: Option<&Arc<Socket>>) -> TcpState {
    let told = socket.and_then(|socket| socket.details.as_ref());
    match told {
        Some(details) if !own.has(connection::Half::SEEN) => details.state,
        Some(_) | None => own.state(other),
    }
}

/// Whether a socket can be one of this connection: what one of this network namespace sends leaves this host.
pub(super) fn can_be_of(record: &ConnectionRecord, look: &SocketLook) -> bool {
    let [low, high] = &record.halves;
    let own = match look.side {
        connection::Side::Low => low,
        connection::Side::High => high,
    };
    look.comes_in.is_some() || !own.has(connection::Half::SEEN) || Place(own.place).is_egress()
}

/// How the connection ended, if it did. `is_last` says that the source gave it up.
pub(super) fn close_reason(record: &ConnectionRecord, is_last: bool) -> Option<CloseReason> {
    let (sent, received) = record.oriented();
    if received.has(connection::Half::RST) {
        let refused = sent.has(connection::Half::SYN) && !received.has(connection::Half::SYN);
        Some(if refused {
            CloseReason::Refused
        } else {
            CloseReason::ResetByDestination
        })
    } else if sent.has(connection::Half::RST) {
        Some(CloseReason::ResetBySource)
    } else if record.closed_ns != 0 {
        Some(CloseReason::Fin)
    } else if record.has(ConnectionRecord::GIVEN_UP) {
        Some(CloseReason::GivenUp)
    } else if is_last {
        Some(if was_answered(record) {
            CloseReason::IdleTimeout
        } else {
            CloseReason::HandshakeTimeout
        })
    } else {
        None
    }
}

/// Whether there is more of it than SYNs without an answer.
pub(super) fn was_answered(record: &ConnectionRecord) -> bool {
    let (sent, received) = record.oriented();
    received.has(connection::Half::SEEN) || !sent.has(connection::Half::SYN)
}

/// All but the socket.
fn half(own: &connection::Half, other: &connection::Half, rates: HalfRates) -> Half {
    let seen = own.has(connection::Half::SEEN);
    let announces = |flag| own.has(connection::Half::SYN).then(|| own.has(flag));
    let in_flight_bytes = own.in_flight_bytes(other);
    Half {
        packets: own.packets,
        wire_bytes: own.wire_bytes,
        payload_bytes: own.payload_bytes,
        retransmitted_bytes: own.retransmitted_bytes,
        retransmissions: own.retransmissions,
        fast_retransmissions: own.fast_retransmissions,
        spurious_retransmissions: own.spurious_retransmissions,
        syn_retransmissions: own.syn_retransmissions,
        out_of_order: own.out_of_order,
        duplicate_acks: own.duplicate_acks,
        zero_windows: own.zero_windows,
        window_full: own.window_full,
        keep_alives: own.keep_alives,
        lost_segments: own.lost_segments,
        resets: own.resets,
        ecn_marked: own.ecn_marked,
        ecn_echoed: own.ecn_echoed,
        payload_bytes_per_second: rates.payload_bytes,
        packets_per_second: rates.packets,
        last_seq: seen.then_some(own.last_seq),
        last_ack: own.has(connection::Half::ACK).then_some(own.last_ack),
        window_bytes: seen.then(|| own.window_bytes(other)),
        mss_bytes: (own.mss_bytes != 0).then(|| u32::from(own.mss_bytes)),
        window_scale: own.window_scale_plus_1.checked_sub(1).map(u32::from),
        sack_permitted: announces(connection::Half::SACK_PERMITTED),
        timestamps: announces(connection::Half::TIMESTAMPS),
        fast_open: announces(connection::Half::FAST_OPEN),
        in_flight_bytes,
        usable_window_bytes: in_flight_bytes.map(|bytes| other.window_bytes(own).saturating_sub(bytes)),
        rtt: rtt(own),
        response: response(own),
        socket: None,
    }
}

fn response(half: &connection::Half) -> Option<Response> {
    // Ticks of 32 bits are as many microseconds at most.
    let microseconds = |ticks: u64| u32::try_from(ticks.saturating_mul(256) / 1000).unwrap_or(u32::MAX);
    let mean = half.response_total.checked_div(half.responses.into())?;
    Some(Response {
        count: half.responses,
        last_us: microseconds(half.response_last.into()),
        mean_us: microseconds(mean),
        max_us: microseconds(half.response_max.into()),
    })
}

/// What was learned last of a socket: as it sent a packet, or by asking. What only asking tells is kept; of what the
/// packet told, procfs has a small part.
fn newest(sample: &SocketSample, look: Option<&Arc<Socket>>, clock: Clock) -> Option<Arc<Socket>> {
    let at_egress = (sample.time_ns != 0).then(|| socket(sample, clock));
    let Some(look) = look else {
        return at_egress.map(Arc::new);
    };
    match at_egress {
        Some(at_egress) if at_egress.sampled_at > look.sampled_at || look.source == SocketSource::Procfs => {
            Some(Arc::new(Socket {
                details: look.details.clone(),
                ..at_egress
            }))
        }
        Some(_) | None => Some(Arc::clone(look)),
    }
}

fn socket(sample: &SocketSample, clock: Clock) -> Socket {
    let measured = sample.srtt_8_us != 0;
    let delivered_bytes = u64::from(sample.rate_delivered) * u64::from(sample.mss_bytes);
    Socket {
        sampled_at: clock.at(sample.time_ns),
        source: SocketSource::Egress,
        srtt_us: measured.then_some(sample.srtt_8_us >> 3),
        min_rtt_us: (measured && sample.rtt_min_us != u32::MAX).then_some(sample.rtt_min_us),
        congestion_window: sample.congestion_window,
        slow_start_threshold: (sample.slow_start_threshold < SocketSample::NO_THRESHOLD)
            .then_some(sample.slow_start_threshold),
        segments: Some(SocketSegments {
            mss_bytes: sample.mss_bytes,
            in_flight: sample.in_flight,
            retransmitted: sample.retransmitted,
            lost: sample.lost,
            sacked: sample.sacked,
            retransmissions: sample.retransmissions.into(),
        }),
        delivery_rate_bytes_per_second: delivered_bytes
            .saturating_mul(1_000_000)
            .checked_div(sample.rate_interval_us.into()),
        details: None,
    }
}

/// Whether both agreed to it, where both SYNs were seen.
fn ecn(sent: &connection::Half, received: &connection::Half) -> Option<bool> {
    let seen = sent.has(connection::Half::SYN) && received.has(connection::Half::SYN);
    seen.then(|| sent.has(connection::Half::ECN) && received.has(connection::Half::ECN))
}

fn rtt(half: &connection::Half) -> Option<Rtt> {
    (half.rtt_samples > 0).then(|| Rtt {
        source: RttSource::Wire,
        srtt_us: RttTicks::to_us(half.srtt_8 >> 3),
        rttvar_us: Some(RttTicks::to_us(half.rttvar_4 >> 2)),
        min_us: RttTicks::to_us(half.rtt_min),
        max_us: Some(RttTicks::to_us(half.rtt_max)),
        last_us: Some(RttTicks::to_us(half.rtt_last)),
        samples: Some(half.rtt_samples),
    })
}

fn handshake(record: &ConnectionRecord) -> Handshake {
    let (sent, received) = record.oriented();
    let between =
        |from_ns: u64, to_ns: u64| (from_ns != 0 && to_ns >= from_ns).then(|| (to_ns - from_ns) / 1000);
    let once = |half: &connection::Half| !half.has(connection::Half::SYN_REPEATED);
    Handshake {
        rtt_us: between(record.syn_ns, record.answered_ns),
        syn_to_syn_ack_us: once(sent)
            .then(|| between(record.syn_ns, record.syn_ack_ns))
            .flatten(),
        syn_ack_to_ack_us: once(received)
            .then(|| between(record.syn_ack_ns, record.established_ns))
            .flatten(),
    }
}

/// What goes out comes from this host, what comes in is for it; what comes in on both halves passes through.
fn local_end(sent: &connection::Half, received: &connection::Half) -> Option<LocalEnd> {
    let leaves = |half: &connection::Half| (half.place != 0).then(|| Place(half.place).is_egress());
    match (leaves(sent), leaves(received)) {
        (Some(true), Some(true)) => Some(LocalEnd::Both),
        (Some(true), Some(false) | None) => Some(LocalEnd::Source),
        (Some(false) | None, Some(true)) => Some(LocalEnd::Destination),
        (Some(false), Some(false)) => Some(LocalEnd::Neither),
        (Some(false), None) | (None, Some(false) | None) => None,
    }
}
