//! From the model to the messages of the contract. The only file that sees both. What was not measured is
//! absent in either.

mod process;

mod verdict;

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use super::status::Cost;
use crate::{
    history::{HalfPoint, Point},
    model, proto,
    publish::{Group, GroupBy, PacketBatch, RttDistribution, SnapshotReason, Stats},
};

/// A connection.
pub fn connection(connection: &model::Connection) -> proto::Connection {
    proto::Connection {
        verdict: connection
            .verdict
            .as_ref()
            .map(|each| verdict::verdict(each, failure(connection))),
        ..unjudged(connection)
    }
}

/// A connection among the changes of many: where nothing is wrong with it, nobody reads why.
pub(super) fn one_of_many(connection: &model::Connection) -> proto::Connection {
    proto::Connection {
        verdict: connection
            .verdict
            .as_ref()
            .map(|each| verdict::in_brief(each, failure(connection))),
        ..unjudged(connection)
    }
}

fn unjudged(connection: &model::Connection) -> proto::Connection {
    proto::Connection {
        id: connection.id,
        revision: connection.revision,
        source: Some(endpoint(connection.source)),
        destination: Some(endpoint(connection.destination)),
        orientation: orientation(connection.orientation).into(),
        local_end: connection
            .local_end
            .map_or(proto::LocalEnd::Unspecified, local_end)
            .into(),
        state: state(connection.state()),
        source_state: state(connection.source_state),
        destination_state: state(connection.destination_state),
        interface: connection.interface.to_string(),
        sent: Some(half(&connection.sent)),
        received: Some(half(&connection.received)),
        handshake: handshake(connection.handshake),
        rtt: connection.rtt().map(rtt),
        first_seen: Some(connection.first_seen.into()),
        last_seen: Some(connection.last_seen.into()),
        closed_at: connection.closed.map(|closed| closed.at.into()),
        close_reason: connection
            .closed
            .map_or(proto::CloseReason::Unspecified, |closed| {
                close_reason(closed.reason)
            })
            .into(),
        ecn: connection.ecn,
        source_process: connection.source_owner.as_ref().map(process::process),
        destination_process: connection.destination_owner.as_ref().map(process::process),
        verdict: None,
        source_error: failure(connection).and_then(|failure| failure.source_error.map(socket_error)),
        destination_error: failure(connection)
            .and_then(|failure| failure.destination_error.map(socket_error)),
        reset: failure(connection).and_then(|failure| failure.reset.as_ref().map(reset)),
    }
}

fn failure(connection: &model::Connection) -> Option<&model::Failure> {
    connection.failure.as_deref()
}

fn socket_error(error: model::SocketError) -> proto::SocketError {
    proto::SocketError {
        number: error.number.into(),
        name: error.name().unwrap_or_default().to_owned(),
        at: Some(error.at.into()),
    }
}

fn reset(reset: &model::Reset) -> proto::Reset {
    proto::Reset {
        sender: verdict::end(reset.by).into(),
        reason: reset.reason.to_string(),
        at: Some(reset.at.into()),
    }
}

/// One message of `WatchPackets`.
pub(super) fn packets(batch: PacketBatch) -> proto::WatchPacketsResponse {
    proto::WatchPacketsResponse {
        packets: batch.packets.iter().map(|each| packet(each)).collect(),
        lost_in_kernel: batch.lost_in_kernel,
        lost_in_stream: batch.lost_in_stream,
        sampling: batch.sampling,
        left_out: batch.left_out,
    }
}

/// The answer to `GetStatus`.
pub(super) fn status(
    identity: &model::Identity,
    status: &model::Status,
    totals: model::Totals,
    cost: Option<Cost>,
    streams: u32,
    now: SystemTime,
) -> proto::GetStatusResponse {
    proto::GetStatusResponse {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instance: identity.instance,
        host_name: identity.host_name.clone(),
        kernel_release: identity.kernel_release.clone(),
        started_at: Some(identity.started_at.into()),
        now: Some(now.into()),
        update_interval: duration(identity.update_interval),
        keep_closed: duration(identity.keep_closed),
        interfaces: status.interfaces.iter().map(interface).collect(),
        ledger: Some(ledger(status.ledger)),
        connections: Some(proto::ConnectionCounts {
            tracked: status.tracked,
            capacity: status.capacity,
            listed: totals.listed,
            open: totals.open,
            opened_total: totals.opened,
            closed_total: totals.closed,
            dropped_total: totals.dropped,
            reset_total: totals.reset,
            failed_total: totals.failed,
        }),
        totals: Some(proto::TrafficTotals {
            packets: totals.packets,
            payload_bytes: totals.payload_bytes,
            retransmissions: totals.retransmissions,
        }),
        rates: Some(proto::TrafficRates {
            packets_per_second: totals.packets_per_second,
            payload_bytes_per_second: totals.payload_bytes_per_second,
            opened_per_second: totals.opened_per_second,
        }),
        resources: cost.map(|cost| proto::ResourceUsage {
            resident_bytes: cost.resident_bytes,
            kernel_map_bytes: status.kernel_map_bytes,
            cpu_time: duration(cost.cpu_time),
            cpu_percent: cost.cpu_percent,
            max_memory_bytes: status.budgets.memory_bytes,
            max_cpu_percent: status.budgets.cpu_percent,
        }),
        degradations: degradations(&status.degradations),
        streams,
        capture_file: identity.capture_file.clone(),
        capture_time: status.capture_time.map(Into::into),
    }
}

fn endpoint(address: SocketAddr) -> proto::Endpoint {
    proto::Endpoint {
        address: address.ip().to_string(),
        port: address.port().into(),
    }
}

fn orientation(orientation: model::Orientation) -> proto::Orientation {
    match orientation {
        model::Orientation::Handshake => proto::Orientation::Handshake,
        model::Orientation::Ports => proto::Orientation::Ports,
        model::Orientation::Listener => proto::Orientation::Listener,
    }
}

fn local_end(end: model::LocalEnd) -> proto::LocalEnd {
    match end {
        model::LocalEnd::Source => proto::LocalEnd::Source,
        model::LocalEnd::Destination => proto::LocalEnd::Destination,
        model::LocalEnd::Both => proto::LocalEnd::Both,
        model::LocalEnd::Neither => proto::LocalEnd::Neither,
    }
}

/// The numbers of both enumerations are the same.
fn state(state: tcpviewer_common::state::TcpState) -> i32 {
    i32::from(state as u8)
}

fn close_reason(reason: model::CloseReason) -> proto::CloseReason {
    match reason {
        model::CloseReason::Fin => proto::CloseReason::Fin,
        model::CloseReason::ResetBySource => proto::CloseReason::ResetBySource,
        model::CloseReason::ResetByDestination => proto::CloseReason::ResetByDestination,
        model::CloseReason::Refused => proto::CloseReason::Refused,
        model::CloseReason::IdleTimeout => proto::CloseReason::IdleTimeout,
        model::CloseReason::HandshakeTimeout => proto::CloseReason::HandshakeTimeout,
        model::CloseReason::Replaced => proto::CloseReason::Replaced,
        model::CloseReason::GivenUp => proto::CloseReason::GivenUp,
        model::CloseReason::SocketGone => proto::CloseReason::SocketGone,
        model::CloseReason::SocketError => proto::CloseReason::SocketError,
    }
}

fn half(half: &model::Half) -> proto::Half {
    proto::Half {
        packets: half.packets,
        wire_bytes: half.wire_bytes,
        payload_bytes: half.payload_bytes,
        retransmitted_bytes: half.retransmitted_bytes,
        retransmissions: half.retransmissions.into(),
        fast_retransmissions: half.fast_retransmissions.into(),
        spurious_retransmissions: half.spurious_retransmissions.into(),
        syn_retransmissions: half.syn_retransmissions.into(),
        out_of_order: half.out_of_order.into(),
        duplicate_acks: half.duplicate_acks.into(),
        zero_windows: half.zero_windows.into(),
        window_full: half.window_full.into(),
        keep_alives: half.keep_alives.into(),
        lost_segments: half.lost_segments.into(),
        resets: half.resets.into(),
        ecn_marked: half.ecn_marked.into(),
        ecn_echoed: half.ecn_echoed.into(),
        payload_bytes_per_second: half.payload_bytes_per_second,
        packets_per_second: half.packets_per_second,
        last_seq: half.last_seq,
        last_ack: half.last_ack,
        window_bytes: half.window_bytes,
        mss_bytes: half.mss_bytes,
        window_scale: half.window_scale,
        rtt: half.rtt.map(rtt),
        sack_permitted: half.sack_permitted,
        timestamps: half.timestamps,
        fast_open: half.fast_open,
        in_flight_bytes: half.in_flight_bytes,
        usable_window_bytes: half.usable_window_bytes,
        response: half.response.map(response),
        socket: half.socket.as_deref().map(socket),
    }
}

fn response(response: model::Response) -> proto::Response {
    proto::Response {
        count: response.count.into(),
        last_us: response.last_us.into(),
        mean_us: response.mean_us.into(),
        max_us: response.max_us.into(),
    }
}

fn socket(socket: &model::Socket) -> proto::Socket {
    let (segments, details) = (socket.segments.as_ref(), socket.details.as_deref());
    proto::Socket {
        source: socket_source(socket.source).into(),
        sampled_at: Some(socket.sampled_at.into()),
        srtt_us: socket.srtt_us,
        min_rtt_us: socket.min_rtt_us,
        congestion_window: socket.congestion_window,
        slow_start_threshold: socket.slow_start_threshold,
        mss_bytes: segments.map(|segments| segments.mss_bytes),
        in_flight: segments.map(|segments| segments.in_flight),
        retransmitted: segments.map(|segments| segments.retransmitted),
        lost: segments.map(|segments| segments.lost),
        sacked: segments.map(|segments| segments.sacked),
        retransmissions: segments.map(|segments| segments.retransmissions),
        delivery_rate_bytes_per_second: socket.delivery_rate_bytes_per_second,
        looked_at: details.map(|details| details.looked_at.into()),
        looked_at_source: details
            .map_or(proto::SocketSource::Unspecified, |details| {
                socket_source(details.source)
            })
            .into(),
        state: details.map_or(0, |details| state(details.state)),
        rttvar_us: details.and_then(|details| details.rttvar_us),
        rto_us: details.and_then(|details| details.rto_us),
        backoff: details.and_then(|details| details.backoff),
        unanswered_timeouts: details.and_then(|details| details.unanswered_timeouts),
        pacing_rate_bytes_per_second: details.and_then(|details| details.pacing_rate_bytes_per_second),
        busy_us: details.and_then(|details| details.busy_us),
        receive_window_limited_us: details.and_then(|details| details.receive_window_limited_us),
        send_buffer_limited_us: details.and_then(|details| details.send_buffer_limited_us),
        reordering: details.and_then(|details| details.reordering),
        bytes_acked: details.and_then(|details| details.bytes_acked),
        bytes_received: details.and_then(|details| details.bytes_received),
        bytes_retransmitted: details.and_then(|details| details.bytes_retransmitted),
        segments_sent: details.and_then(|details| details.segments_sent),
        segments_received: details.and_then(|details| details.segments_received),
        not_sent_bytes: details.and_then(|details| details.not_sent_bytes),
        receive_queue_bytes: details.and_then(|details| details.receive_queue_bytes),
        send_queue_bytes: details.and_then(|details| details.send_queue_bytes),
        receive_space_bytes: details.and_then(|details| details.receive_space_bytes),
        receive_rtt_us: details.and_then(|details| details.receive_rtt_us),
        receive_buffer_bytes: details.and_then(|details| details.receive_buffer_bytes),
        send_buffer_bytes: details.and_then(|details| details.send_buffer_bytes),
        send_window_bytes: details.and_then(|details| details.send_window_bytes),
        duplicate_segments: details.and_then(|details| details.duplicate_segments),
        reorderings: details.and_then(|details| details.reorderings),
        timeouts: details.and_then(|details| details.timeouts),
        congestion_control: details
            .and_then(|details| details.congestion_control)
            .map(|control| control.name())
            .unwrap_or_default(),
        app_limited: details.and_then(|details| details.is_app_limited),
        congestion_state: details
            .map_or(proto::CongestionState::Unspecified, |details| {
                congestion_state(details.congestion_state)
            })
            .into(),
        accepted: details.and_then(|details| details.is_accepted),
    }
}

fn socket_source(source: model::SocketSource) -> proto::SocketSource {
    match source {
        model::SocketSource::Egress => proto::SocketSource::Egress,
        model::SocketSource::SockDiag => proto::SocketSource::SockDiag,
        model::SocketSource::Procfs => proto::SocketSource::Procfs,
    }
}

fn congestion_state(state: model::CongestionState) -> proto::CongestionState {
    match state {
        model::CongestionState::Unknown => proto::CongestionState::Unspecified,
        model::CongestionState::Open => proto::CongestionState::Open,
        model::CongestionState::Disorder => proto::CongestionState::Disorder,
        model::CongestionState::Reduction => proto::CongestionState::Reduction,
        model::CongestionState::Recovery => proto::CongestionState::Recovery,
        model::CongestionState::Loss => proto::CongestionState::Loss,
    }
}

fn rtt(rtt: model::Rtt) -> proto::Rtt {
    proto::Rtt {
        source: match rtt.source {
            model::RttSource::Wire => proto::RttSource::Wire,
            model::RttSource::Socket => proto::RttSource::Socket,
        }
        .into(),
        srtt_us: rtt.srtt_us,
        rttvar_us: rtt.rttvar_us,
        min_us: rtt.min_us,
        max_us: rtt.max_us,
        last_us: rtt.last_us,
        samples: rtt.samples.map(u64::from),
    }
}

fn handshake(handshake: model::Handshake) -> Option<proto::Handshake> {
    (handshake != model::Handshake::default()).then_some(proto::Handshake {
        rtt_us: handshake.rtt_us,
        syn_to_syn_ack_us: handshake.syn_to_syn_ack_us,
        syn_ack_to_ack_us: handshake.syn_ack_to_ack_us,
    })
}

pub(super) fn snapshot_reason(reason: SnapshotReason) -> proto::SnapshotReason {
    match reason {
        SnapshotReason::Initial => proto::SnapshotReason::Initial,
        SnapshotReason::OtherInstance => proto::SnapshotReason::OtherInstance,
        SnapshotReason::RevisionGone => proto::SnapshotReason::RevisionGone,
        SnapshotReason::Selection => proto::SnapshotReason::Selection,
    }
}

fn packet(packet: &model::Packet) -> proto::Packet {
    proto::Packet {
        timestamp: Some(packet.timestamp.into()),
        connection_id: packet.connection_id,
        source: Some(endpoint(packet.source)),
        destination: Some(endpoint(packet.destination)),
        interface: packet.interface.to_string(),
        direction: direction(packet.direction).into(),
        flags: flags(packet.flags),
        seq: packet.seq,
        ack: packet.ack,
        window: packet.window.into(),
        payload_bytes: packet.payload_bytes,
        wire_packets: packet.wire_packets,
        retransmission: packet.retransmission,
    }
}

fn direction(direction: model::Direction) -> proto::Direction {
    match direction {
        model::Direction::Ingress => proto::Direction::Ingress,
        model::Direction::Egress => proto::Direction::Egress,
    }
}

/// Flag `n` of the contract is bit `n - 1` of the header.
fn flags(bits: u8) -> Vec<i32> {
    (0..8)
        .filter(|bit| bits & (1 << bit) != 0)
        .map(|bit| bit + 1)
        .collect()
}

/// A point in the past of a connection.
pub(super) fn point(point: Point) -> proto::Point {
    proto::Point {
        at: Some(point.at.into()),
        sent: Some(half_point(point.sent)),
        received: Some(half_point(point.received)),
    }
}

fn half_point(half: HalfPoint) -> proto::HalfPoint {
    proto::HalfPoint {
        payload_bytes_per_second: half.payload_bytes_per_second,
        packets_per_second: half.packets_per_second,
        srtt_us: half.srtt_us,
        socket_srtt_us: half.socket_srtt_us,
        congestion_window: half.congestion_window,
        slow_start_threshold: half.slow_start_threshold,
        delivery_rate_bytes_per_second: half.delivery_rate_bytes_per_second,
        in_flight_bytes: half.in_flight_bytes,
        retransmissions: half.retransmissions,
    }
}

/// A packet worth remembering.
pub(super) fn notable_packet(packet: model::NotablePacket) -> proto::NotablePacket {
    let flags = flags(packet.flags);
    let notable_for = [
        (packet.handshake, proto::Notability::Handshake),
        (packet.retransmission, proto::Notability::Retransmission),
        (packet.zero_window, proto::Notability::ZeroWindow),
    ];
    proto::NotablePacket {
        timestamp: Some(packet.timestamp.into()),
        from_source: packet.from_source,
        notable_for: notable_for
            .into_iter()
            .filter(|(is, _notable)| *is)
            .map(|(_is, notable)| notable.into())
            .collect(),
        seq: packet.seq,
        ack: flags.contains(&proto::TcpFlag::Ack.into()).then_some(packet.ack),
        window: packet.window.into(),
        payload_bytes: packet.payload_bytes,
        flags,
    }
}

/// One message of `WatchStats`.
pub(super) fn stats(
    stats: Stats,
    counts: Option<model::Ledger>,
    host_counters: Vec<model::HostCounter>,
    at: SystemTime,
) -> proto::WatchStatsResponse {
    let states = stats
        .states
        .into_iter()
        .map(|(each, connections)| proto::StateCount {
            state: state(each),
            connections,
        });
    let stats = proto::Stats {
        at: Some(at.into()),
        connections: stats.connections,
        states: states.collect(),
        payload_bytes_per_second: stats.payload_bytes_per_second,
        packets_per_second: stats.packets_per_second,
        rtt: stats.rtt.map(rtt_distribution),
        groups: stats
            .groups
            .into_iter()
            .map(|(by, groups, more)| proto::GroupList {
                by: group_by(by).into(),
                groups: groups.into_iter().map(group).collect(),
                more,
            })
            .collect(),
        ledger: counts.map(ledger),
        host_counters: host_counters.into_iter().map(host_counter).collect(),
    };
    proto::WatchStatsResponse { stats: Some(stats) }
}

fn host_counter(counter: model::HostCounter) -> proto::HostCounter {
    proto::HostCounter {
        name: counter.name.to_owned(),
        meaning: counter.meaning.to_owned(),
        total: counter.total,
        per_second: counter.per_second,
    }
}

/// The listening sockets.
pub(super) fn listeners(listeners: Vec<model::Listener>) -> proto::ListListenersResponse {
    let listener = |listener: model::Listener| proto::Listener {
        address: Some(endpoint(listener.address)),
        dual_stack: listener.is_dual_stack,
        accept_queue: listener.accept_queue,
        accept_queue_limit: listener.accept_queue_limit,
        syn_queue: listener.syn_queue,
        drops: listener.drops,
        user_id: listener.user_id,
        socket_cookie: listener.cookie,
        network_namespace: listener.network_namespace,
        process: listener.owner.as_ref().map(process::process),
    };
    proto::ListListenersResponse {
        listeners: listeners.into_iter().map(listener).collect(),
    }
}

fn rtt_distribution(rtt: RttDistribution) -> proto::RttDistribution {
    let bucket = |(below_us, connections)| proto::RttBucket {
        below_us,
        connections,
    };
    proto::RttDistribution {
        connections: rtt.connections,
        p50_us: rtt.p50_us,
        p90_us: rtt.p90_us,
        p99_us: rtt.p99_us,
        max_us: rtt.max_us,
        buckets: rtt.buckets.into_iter().map(bucket).collect(),
    }
}

fn group_by(by: GroupBy) -> proto::GroupBy {
    match by {
        GroupBy::Peer => proto::GroupBy::Peer,
        GroupBy::Port => proto::GroupBy::Port,
        GroupBy::Interface => proto::GroupBy::Interface,
        GroupBy::State => proto::GroupBy::State,
        GroupBy::Process => proto::GroupBy::Process,
        GroupBy::Container => proto::GroupBy::Container,
        GroupBy::Unit => proto::GroupBy::Unit,
    }
}

fn group(group: Group) -> proto::Group {
    proto::Group {
        name: group.name,
        connections: group.connections,
        sent_payload_bytes_per_second: group.sent_payload_bytes_per_second,
        received_payload_bytes_per_second: group.received_payload_bytes_per_second,
        packets_per_second: group.packets_per_second,
        payload_bytes: group.payload_bytes,
        retransmissions: group.retransmissions,
        rtt_us: group.rtt_us,
    }
}

fn interface(interface: &model::Interface) -> proto::InterfaceStatus {
    let (hook, error) = match &interface.hook {
        Ok(model::Hook::Tcx) => (proto::Hook::Tcx, String::new()),
        Ok(model::Hook::Clsact) => (proto::Hook::Clsact, String::new()),
        Err(error) => (proto::Hook::Unspecified, error.clone()),
    };
    proto::InterfaceStatus {
        name: interface.name.to_string(),
        index: interface.index,
        hook: hook.into(),
        ingress_hook: interface
            .xdp
            .map_or(proto::Hook::Unspecified, |mode| match mode {
                model::XdpMode::Native => proto::Hook::XdpNative,
                model::XdpMode::Generic => proto::Hook::XdpGeneric,
            })
            .into(),
        error,
    }
}

pub(super) fn ledger(ledger: model::Ledger) -> proto::Ledger {
    proto::Ledger {
        packets_seen: ledger.packets_seen,
        packets_tracked: ledger.packets_tracked,
        packets_not_ip: ledger.packets_not_ip,
        packets_not_tcp: ledger.packets_not_tcp,
        packets_fragment: ledger.packets_fragment,
        packets_truncated: ledger.packets_truncated,
        packets_malformed: ledger.packets_malformed,
        packets_seen_elsewhere: ledger.packets_seen_elsewhere,
        packets_table_full: ledger.packets_table_full,
        packets_over_budget: ledger.packets_over_budget,
        connection_events_lost: ledger.connection_events_lost,
        process_events: ledger.process_events,
        process_events_lost: ledger.process_events_lost,
        packet_events_lost: ledger.packet_events_lost,
        packet_events_left_out: ledger.packet_events_left_out,
        packet_events: ledger.packet_events,
        connection_events: ledger.connection_events,
        connections_given_up: ledger.connections_given_up,
        connections_withheld: ledger.connections_withheld,
        failure_events: ledger.failure_events,
        failure_events_lost: ledger.failure_events_lost,
        failure_events_withheld: ledger.failure_events_withheld,
    }
}

/// What does not work, or in a lesser way.
pub(super) fn degradations(degradations: &[model::Degradation]) -> Vec<proto::Degradation> {
    let degradation = |each: &model::Degradation| proto::Degradation {
        feature: each.feature.clone(),
        reason: each.reason.clone(),
        effect: each.effect.clone(),
    };
    degradations.iter().map(degradation).collect()
}

/// Absent beyond 292 billion years.
pub(super) fn duration(duration: Duration) -> Option<prost_types::Duration> {
    duration.try_into().ok()
}

#[cfg(test)]
mod tests {
    use tcpviewer_common::state::TcpState;

    use super::*;

    #[test]
    fn the_numbers_of_states_and_flags_are_those_of_the_contract() {
        for number in 0..=11 {
            let name = proto::TcpState::try_from(i32::from(number))
                .unwrap()
                .as_str_name();
            let expected = match TcpState::from_u8(number).name() {
                "UNKNOWN" => "UNSPECIFIED".to_owned(),
                name => name.replace('-', "_"),
            };
            assert_eq!(state(TcpState::from_u8(number)), i32::from(number));
            assert_eq!(
                name,
                format!("TCP_STATE_{expected}")
                    .replace("WAIT1", "WAIT_1")
                    .replace("WAIT2", "WAIT_2")
            );
        }
        assert_eq!(
            flags(0b1000_0010),
            [proto::TcpFlag::Syn as i32, proto::TcpFlag::Cwr as i32]
        );
    }

    #[test]
    fn an_empty_handshake_is_absent() {
        assert_eq!(handshake(model::Handshake::default()), None);
        assert!(
            handshake(model::Handshake {
                rtt_us: Some(0),
                ..Default::default()
            })
            .is_some()
        );
    }
}
