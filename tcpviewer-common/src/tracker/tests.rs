//! Conversations told in sentences: each test sends segments and looks at the record.

use super::*;
use crate::{
    segment::{SynOptions, mapped},
    state::TcpState,
};

const MILLISECOND: u64 = 1_000_000;
const START: u64 = 1_000 * MILLISECOND;

/// A plain segment between two hosts, without flags or payload.
pub(crate) fn segment(source_port: u16, destination_port: u16) -> Segment {
    Segment {
        source: mapped([10, 0, 0, 1]),
        destination: mapped([10, 0, 0, 2]),
        source_port: source_port.to_be_bytes(),
        destination_port: destination_port.to_be_bytes(),
        seq: 0,
        ack: 0,
        payload_bytes: 0,
        link_bytes: 14,
        header_bytes: 66,
        wire_bytes: 66,
        wire_packets: 1,
        window: 1000,
        flags: Flags::ACK,
        ecn: Ecn(0),
        options: SynOptions::default(),
    }
}

/// A client at the low side with sequence numbers from 100, a server at the high side from 500.
struct Conversation {
    record: ConnectionRecord,
    now_ns: u64,
    place: Place,
    window: u16,
}

impl Conversation {
    fn new() -> Self {
        Self {
            record: ConnectionRecord::VACANT,
            now_ns: START,
            place: Place::new(2, true),
            window: 1_000,
        }
    }

    fn established() -> Self {
        let mut talk = Self::new();
        talk.client(100, 0, 0, Flags::SYN);
        talk.server(500, 101, 0, Flags(Flags::SYN.0 | Flags::ACK.0));
        talk.client(101, 501, 0, Flags::ACK);
        talk
    }

    fn after_ms(&mut self, time: u64) -> &mut Self {
        self.now_ns += time * MILLISECOND;
        self
    }

    fn client(&mut self, seq: u32, ack: u32, payload_bytes: u32, flags: Flags) -> Outcome {
        self.send(Side::Low, seq, ack, payload_bytes, flags)
    }

    fn server(&mut self, seq: u32, ack: u32, payload_bytes: u32, flags: Flags) -> Outcome {
        self.send(Side::High, seq, ack, payload_bytes, flags)
    }

    fn send(&mut self, side: Side, seq: u32, ack: u32, payload_bytes: u32, flags: Flags) -> Outcome {
        let ports = match side {
            Side::Low => (40_000, 80),
            Side::High => (80, 40_000),
        };
        let sent = Segment {
            seq,
            ack,
            payload_bytes,
            flags,
            window: self.window,
            ..segment(ports.0, ports.1)
        };
        observe(
            &mut self.record,
            &sent,
            Sighting {
                side,
                place: self.place,
                now_ns: self.now_ns,
                new_id: 7,
            },
        )
    }

    fn states(&self) -> (TcpState, TcpState) {
        let (source, destination) = self.record.oriented();
        (source.state(destination), destination.state(source))
    }
}

const DATA: Flags = Flags(Flags::ACK.0 | Flags::PSH.0);
const FIN: Flags = Flags(Flags::ACK.0 | Flags::FIN.0);

#[test]
fn a_handshake_is_followed_state_by_state_and_timed() {
    let mut talk = Conversation::new();
    assert!(talk.client(100, 0, 0, Flags::SYN).opened);
    assert_eq!(talk.states(), (TcpState::SynSent, TcpState::Listen));
    talk.after_ms(10)
        .server(500, 101, 0, Flags(Flags::SYN.0 | Flags::ACK.0));
    assert_eq!(talk.states(), (TcpState::SynSent, TcpState::SynReceived));
    talk.after_ms(3).client(101, 501, 0, Flags::ACK);
    assert_eq!(talk.states(), (TcpState::Established, TcpState::Established));
    let record = talk.record;
    assert_eq!(record.established_ns - record.syn_ns, 13 * MILLISECOND);
    assert_eq!(record.syn_ack_ns - record.syn_ns, 10 * MILLISECOND);
    let (source, destination) = record.oriented();
    assert!(
        RttTicks::to_us(source.rtt_last).abs_diff(10_000) <= 1,
        "to a tick"
    );
    assert!(
        RttTicks::to_us(destination.rtt_last).abs_diff(3_000) <= 1,
        "to a tick"
    );
    assert_ne!(record.flags & ConnectionRecord::BY_HANDSHAKE, 0);
}

#[test]
fn a_handshake_that_is_over_keeps_its_times_when_a_late_copy_comes() {
    let mut talk = Conversation::established();
    let times = |record: &ConnectionRecord| (record.syn_ack_ns, record.established_ns);
    let before = times(&talk.record);
    talk.after_ms(30).client(100, 0, 0, Flags::SYN);
    talk.server(500, 101, 0, Flags(Flags::SYN.0 | Flags::ACK.0));
    assert_eq!(times(&talk.record), before);
    assert_eq!(talk.states(), (TcpState::Established, TcpState::Established));
}

#[test]
fn closing_in_turn_ends_in_time_wait_and_closed() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 0, FIN);
    assert_eq!(talk.states(), (TcpState::FinWait1, TcpState::Established));
    talk.server(501, 102, 0, Flags::ACK);
    assert_eq!(talk.states(), (TcpState::FinWait2, TcpState::CloseWait));
    talk.server(501, 102, 0, FIN);
    assert_eq!(talk.states(), (TcpState::FinWait2, TcpState::LastAck));
    assert!(talk.client(102, 502, 0, Flags::ACK).closed);
    assert_eq!(talk.states(), (TcpState::TimeWait, TcpState::Closed));
    assert!(
        !talk.client(102, 502, 0, Flags::ACK).closed,
        "a connection ends once"
    );
}

#[test]
fn closing_at_the_same_time_passes_through_closing() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 0, FIN);
    talk.server(501, 101, 0, FIN);
    assert_eq!(talk.states(), (TcpState::FinWait1, TcpState::FinWait1));
    talk.client(102, 502, 0, Flags::ACK);
    assert_eq!(talk.states(), (TcpState::Closing, TcpState::FinWait2));
    assert!(talk.server(502, 102, 0, Flags::ACK).closed);
    assert_eq!(talk.states(), (TcpState::TimeWait, TcpState::TimeWait));
}

#[test]
fn a_reset_closes_both_ends() {
    let mut talk = Conversation::established();
    assert!(talk.server(501, 101, 0, Flags::RST).closed);
    assert_eq!(talk.states(), (TcpState::Closed, TcpState::Closed));
}

#[test]
fn data_sent_twice_counts_as_retransmitted_and_gives_no_rtt_sample() {
    let mut talk = Conversation::established();
    let samples = talk.record.halves[0].rtt_samples;
    talk.client(101, 501, 100, DATA);
    assert!(talk.after_ms(200).client(101, 501, 100, DATA).retransmission);
    talk.after_ms(10).server(501, 201, 0, Flags::ACK);
    let sent = talk.record.halves[0];
    assert_eq!(
        (sent.payload_bytes, sent.retransmitted_bytes, sent.retransmissions),
        (200, 100, 1)
    );
    assert_eq!(
        sent.rtt_samples, samples,
        "Karn: the acknowledgement may belong to either"
    );
    talk.client(201, 501, 100, DATA);
    talk.after_ms(10).server(501, 301, 0, Flags::ACK);
    assert_eq!(talk.record.halves[0].rtt_samples, samples + 1);
}

#[test]
fn a_segment_partly_sent_before_counts_its_old_bytes() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    assert!(
        talk.client(151, 501, 100, DATA).retransmission,
        "half of it was sent before"
    );
    let sent = talk.record.halves[0];
    assert_eq!(
        (sent.payload_bytes, sent.retransmitted_bytes, sent.next_seq),
        (200, 50, 251)
    );
}

#[test]
fn bytes_lost_on_the_way_here_were_not_seen_before_when_they_come() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    talk.client(301, 501, 100, DATA);
    talk.after_ms(10).client(201, 501, 100, DATA);
    let sent = talk.record.halves[0];
    assert_eq!(
        (sent.payload_bytes, sent.retransmitted_bytes, sent.retransmissions),
        (300, 0, 1)
    );
    talk.after_ms(1).client(301, 501, 100, DATA);
    let sent = talk.record.halves[0];
    assert_eq!((sent.payload_bytes, sent.retransmitted_bytes), (400, 100));
}

#[test]
fn what_was_repeated_adds_up_in_whatever_order_holes_are_filled() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    talk.client(401, 501, 100, DATA);
    for seq in [101, 401, 201, 301] {
        talk.after_ms(1).client(seq, 501, 100, DATA);
    }
    let sent = talk.record.halves[0];
    assert_eq!(sent.payload_bytes - sent.retransmitted_bytes, 400);
}

#[test]
fn more_holes_than_are_remembered_add_up_all_the_same() {
    let mut talk = Conversation::established();
    for hole in 0..10 {
        talk.client(201 + hole * 200, 501, 100, DATA);
    }
    for hole in 0..10 {
        talk.after_ms(10).client(101 + hole * 200, 501, 100, DATA);
    }
    let sent = talk.record.halves[0];
    assert_eq!((sent.payload_bytes, sent.retransmitted_bytes), (2_000, 0));
}

#[test]
fn an_overtaken_segment_is_out_of_order_and_not_retransmitted() {
    let mut talk = Conversation::established();
    talk.place = Place::new(3, false);
    talk.client(201, 501, 100, DATA);
    talk.client(301, 501, 100, DATA);
    assert!(!talk.after_ms(1).client(101, 501, 100, DATA).retransmission);
    let sent = talk.record.halves[0];
    assert_eq!(
        (sent.lost_segments, sent.out_of_order, sent.retransmissions),
        (1, 1, 0)
    );
}

#[test]
fn two_duplicate_acks_make_the_repair_a_fast_retransmission() {
    let mut talk = Conversation::established();
    for seq in [101, 201, 301, 401] {
        talk.client(seq, 501, 100, DATA);
    }
    for _ in 0..3 {
        talk.after_ms(5).server(501, 101, 0, Flags::ACK);
    }
    talk.after_ms(1).client(101, 501, 100, DATA);
    let [sent, received] = talk.record.halves;
    assert_eq!(
        (
            received.duplicate_acks,
            sent.retransmissions,
            sent.fast_retransmissions
        ),
        (3, 1, 1)
    );
}

#[test]
fn what_was_acknowledged_and_comes_again_is_spurious() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    talk.server(501, 201, 0, Flags::ACK);
    talk.after_ms(300).client(101, 501, 100, DATA);
    let sent = talk.record.halves[0];
    assert_eq!((sent.retransmissions, sent.spurious_retransmissions), (1, 1));
}

#[test]
fn what_was_acknowledged_is_spurious_however_soon_it_comes_again() {
    let mut talk = Conversation::established();
    talk.place = Place::new(3, false);
    talk.client(101, 501, 100, DATA);
    talk.client(201, 501, 100, DATA);
    talk.server(501, 301, 0, Flags::ACK);
    talk.after_ms(1).client(101, 501, 100, DATA);
    let sent = talk.record.halves[0];
    assert_eq!(
        (
            sent.out_of_order,
            sent.retransmissions,
            sent.spurious_retransmissions
        ),
        (0, 1, 1)
    );
}

#[test]
fn a_closed_window_its_probe_and_a_full_window_are_told_apart() {
    let mut talk = Conversation::established();
    // The server offers 1000 bytes, not scaled.
    talk.client(101, 501, 1_000, DATA);
    assert_eq!(talk.record.halves[0].window_full, 1);
    talk.window = 0;
    talk.server(501, 1_101, 0, Flags::ACK);
    talk.window = 1_000;
    talk.after_ms(200).client(1_101, 501, 1, Flags::ACK);
    talk.window = 0;
    talk.server(501, 1_101, 0, Flags::ACK);
    let [sent, received] = talk.record.halves;
    assert_eq!(
        (received.zero_windows, received.duplicate_acks),
        (2, 0),
        "the answer to a probe is no duplicate"
    );
    assert_eq!(
        (sent.retransmissions, sent.next_seq),
        (0, 1_101),
        "a probe does not count as sent"
    );
}

#[test]
fn a_keep_alive_and_its_answer_are_counted_as_such() {
    let mut talk = Conversation::established();
    talk.after_ms(9_000).client(100, 501, 0, Flags::ACK);
    talk.server(501, 101, 0, Flags::ACK);
    let [sent, received] = talk.record.halves;
    assert_eq!((sent.keep_alives, received.duplicate_acks), (1, 0));
}

#[test]
fn a_hole_that_was_acknowledged_is_not_waited_for() {
    let mut talk = Conversation::established();
    talk.client(201, 501, 100, DATA);
    talk.server(501, 301, 0, Flags::ACK);
    talk.client(201, 501, 100, DATA);
    let sent = talk.record.halves[0];
    assert_eq!((sent.payload_bytes, sent.retransmitted_bytes), (200, 100));
}

#[test]
fn a_keep_alive_is_no_retransmission() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    talk.server(501, 201, 0, Flags::ACK);
    talk.client(200, 501, 0, Flags::ACK);
    talk.client(200, 501, 1, Flags::ACK);
    let sent = talk.record.halves[0];
    assert_eq!((sent.keep_alives, sent.retransmissions), (2, 0));
    assert_eq!(
        (sent.payload_bytes, sent.retransmitted_bytes),
        (101, 1),
        "its byte is none of the application's"
    );
}

#[test]
fn a_late_byte_that_looks_like_a_keep_alive_is_seen_for_the_first_time() {
    let mut talk = Conversation::established();
    talk.place = Place::new(3, false);
    talk.client(101, 501, 100, DATA);
    // The ACK for something else overtakes the byte before it.
    talk.client(202, 601, 0, Flags::ACK);
    talk.client(201, 501, 1, DATA);
    let sent = talk.record.halves[0];
    assert_eq!((sent.payload_bytes, sent.retransmitted_bytes), (101, 0));
}

#[test]
fn a_byte_that_leaves_again_before_it_was_acknowledged_is_a_retransmission() {
    let counts = |place| {
        let mut talk = Conversation::established();
        talk.place = place;
        talk.client(101, 501, 1, DATA);
        talk.after_ms(50).client(101, 501, 1, DATA);
        let sent = talk.record.halves[0];
        (sent.retransmissions, sent.keep_alives, sent.retransmitted_bytes)
    };
    assert_eq!(counts(Place::new(2, true)), (1, 0, 1));
    assert_eq!(
        counts(Place::new(3, false)),
        (0, 1, 1),
        "elsewhere as Wireshark has it"
    );
}

#[test]
fn sequence_numbers_wrap_within_a_connection() {
    let mut talk = Conversation::new();
    let start = u32::MAX - 49;
    talk.client(start.wrapping_sub(1), 0, 0, Flags::SYN);
    talk.client(start, 501, 100, DATA);
    talk.after_ms(5).server(501, 50, 0, Flags::ACK);
    let sent = talk.record.halves[0];
    assert_eq!((sent.next_seq, sent.retransmissions), (50, 0));
    assert!(RttTicks::to_us(sent.rtt_last).abs_diff(5_000) <= 1, "to a tick");
}

#[test]
fn a_packet_seen_at_two_places_counts_once_and_the_earlier_place_is_home() {
    let mut talk = Conversation::established();
    let (home, other) = (talk.place, Place::new(3, false));
    talk.place = other;
    assert!(
        !talk.client(101, 501, 0, Flags::ACK).counted,
        "nothing new: home has counted it"
    );
    assert!(
        talk.client(101, 501, 100, DATA).counted,
        "news: this place comes first on the path"
    );
    talk.place = home;
    assert!(!talk.client(101, 501, 100, DATA).counted);
    assert_eq!(talk.record.halves[0].payload_bytes, 100);
}

#[test]
fn packets_that_overtake_each_other_between_two_places_count_once() {
    let mut talk = Conversation::established();
    let (home, later) = (talk.place, Place::new(3, false));
    // The second is at home before the first, which acknowledges less, and both come to the later place.
    talk.client(201, 601, 100, DATA);
    talk.client(101, 501, 100, DATA);
    talk.place = later;
    assert!(!talk.client(201, 601, 100, DATA).counted);
    assert!(!talk.client(101, 501, 100, DATA).counted);
    talk.place = home;
    talk.client(301, 601, 100, DATA);
    let sent = talk.record.halves[0];
    assert_eq!((sent.payload_bytes, sent.retransmitted_bytes), (300, 0));
    assert_eq!((sent.packets, sent.place), (5, home.0));
}

#[test]
fn a_probe_of_a_closed_window_counts_once() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    talk.window = 0;
    talk.server(501, 201, 0, Flags::ACK);
    assert!(talk.client(201, 501, 1, Flags::ACK).counted);
    talk.place = Place::new(3, false);
    assert!(!talk.client(201, 501, 1, Flags::ACK).counted);
}

#[test]
fn a_home_that_fell_silent_is_taken_over() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    talk.place = Place::new(3, false);
    assert!(
        talk.after_ms(200).client(101, 501, 100, DATA).counted,
        "sent again after a timeout, on another path"
    );
    assert_eq!(talk.record.halves[0].retransmissions, 1);
}

#[test]
fn a_place_that_shows_what_home_has_shown_waits_longer_for_it() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    talk.place = Place::new(3, false);
    assert!(
        !talk.after_ms(100).client(101, 501, 100, DATA).counted,
        "it may still be on its way from home"
    );
    assert!(!talk.after_ms(1_000).client(101, 501, 100, DATA).counted);
    assert!(talk.after_ms(100).client(101, 501, 100, DATA).counted);
}

#[test]
fn another_initial_sequence_number_is_another_connection() {
    let talk = Conversation::established();
    let syn = |seq| Segment {
        seq,
        flags: Flags::SYN,
        ..segment(40_000, 80)
    };
    assert!(replaces(&talk.record, &syn(9_000), Side::Low));
    assert!(
        !replaces(&talk.record, &syn(100), Side::Low),
        "the same SYN again"
    );
}

#[test]
fn mid_life_connections_take_the_higher_port_for_the_source() {
    let mut talk = Conversation::new();
    talk.server(501, 101, 100, DATA);
    assert_eq!(talk.record.source_side(), Side::Low);
    assert_eq!(talk.record.flags & ConnectionRecord::BY_HANDSHAKE, 0);
    assert_eq!(talk.states(), (TcpState::Established, TcpState::Established));
}

#[test]
fn smoothing_follows_rfc_6298_within_the_rounding() {
    let mut half = Half::SILENT;
    let (mut srtt, mut rttvar) = (0.0_f64, 0.0_f64);
    for (index, sample) in [4_000_u32, 4_400, 3_900, 12_000, 4_100, 4_000, 4_050]
        .into_iter()
        .enumerate()
    {
        take_sample(&mut half, sample);
        if index == 0 {
            (srtt, rttvar) = (f64::from(sample), f64::from(sample) / 2.0);
        } else {
            rttvar = 0.75 * rttvar + 0.25 * (srtt - f64::from(sample)).abs();
            srtt = 0.875 * srtt + 0.125 * f64::from(sample);
        }
        assert!(
            (f64::from(half.srtt_8) / 8.0 - srtt).abs() < 2.0,
            "srtt after sample {index}"
        );
        assert!(
            (f64::from(half.rttvar_4) / 4.0 - rttvar).abs() < 4.0,
            "rttvar after sample {index}"
        );
    }
    assert_eq!(
        (half.rtt_min, half.rtt_max, half.rtt_last, half.rtt_samples),
        (3_900, 12_000, 4_050, 7)
    );
}

#[test]
fn an_answer_is_timed_from_the_last_of_the_question_to_its_own_first() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 100, DATA);
    talk.after_ms(5).client(201, 501, 50, DATA);
    talk.after_ms(1).server(501, 251, 0, Flags::ACK);
    talk.after_ms(20).server(501, 251, 300, DATA);
    talk.after_ms(3).server(801, 251, 300, DATA);
    talk.after_ms(40).client(251, 1101, 10, DATA);
    // Sent again: no new question, and its copy is no answer.
    talk.after_ms(400).client(251, 1101, 10, DATA);
    talk.after_ms(1).server(1101, 261, 10, DATA);
    let responses = |half: &Half| {
        (
            half.responses,
            RttTicks::to_us(half.response_last).div_ceil(1_000),
            RttTicks::to_us(half.response_max).div_ceil(1_000),
            (half.response_total * 256).div_ceil(MILLISECOND),
        )
    };
    assert_eq!(responses(&talk.record.halves[1]), (2, 401, 401, 422));
    assert_eq!(responses(&talk.record.halves[0]), (1, 40, 40, 40));
}

#[test]
fn congestion_notification_is_agreed_upon_by_both_and_its_marks_counted() {
    const ECE: u8 = Flags::ECE.0;
    const CWR: u8 = Flags::CWR.0;
    const SYN_ACK: u8 = Flags::SYN.0 | Flags::ACK.0;
    for (answer, agreed) in [(ECE, true), (0, false), (ECE | CWR, false)] {
        let mut talk = Conversation::new();
        talk.client(100, 0, 0, Flags(Flags::SYN.0 | ECE | CWR));
        talk.server(500, 101, 0, Flags(SYN_ACK | answer));
        let [client, server] = &talk.record.halves;
        assert_eq!((client.has(Half::ECN), server.has(Half::ECN)), (true, agreed));
        assert_eq!((client.ecn_echoed, server.ecn_echoed), (0, 0));
    }

    let mut talk = Conversation::established();
    let marked = Segment {
        seq: 101,
        ack: 501,
        payload_bytes: 3_000,
        wire_packets: 3,
        ecn: Ecn::CE,
        ..segment(40_000, 80)
    };
    let seen = Sighting {
        side: Side::Low,
        place: talk.place,
        now_ns: talk.now_ns,
        new_id: 7,
    };
    observe(&mut talk.record, &marked, seen);
    talk.server(501, 3_101, 0, Flags(Flags::ACK.0 | ECE));
    let [client, server] = &talk.record.halves;
    assert_eq!((client.ecn_marked, client.ecn_echoed), (3, 0));
    assert_eq!((server.ecn_marked, server.ecn_echoed), (0, 1));
}

#[test]
fn a_syn_sent_again_is_told_from_data_sent_again() {
    let mut talk = Conversation::new();
    talk.client(100, 0, 0, Flags::SYN);
    talk.after_ms(1_000).client(100, 0, 0, Flags::SYN);
    talk.after_ms(10)
        .server(500, 101, 0, Flags(Flags::SYN.0 | Flags::ACK.0));
    talk.client(101, 501, 10, DATA);
    talk.after_ms(300).client(101, 501, 10, DATA);
    let client = &talk.record.halves[0];
    assert_eq!((client.retransmissions, client.syn_retransmissions), (2, 1));
}

#[test]
fn data_on_a_syn_that_is_not_taken_comes_again_as_a_retransmission() {
    let mut talk = Conversation::new();
    talk.client(100, 0, 50, Flags::SYN);
    talk.server(500, 101, 0, Flags(Flags::SYN.0 | Flags::ACK.0));
    talk.after_ms(50).client(101, 501, 50, DATA);
    talk.server(501, 151, 0, Flags::ACK);
    let client = &talk.record.halves[0];
    assert_eq!((client.payload_bytes, client.retransmitted_bytes), (100, 50));
    assert_eq!(client.in_flight_bytes(&talk.record.halves[1]), Some(0));
    assert_eq!(talk.states(), (TcpState::Established, TcpState::Established));
}

#[test]
fn data_on_a_syn_that_is_taken_is_answered_with_the_handshake() {
    let mut talk = Conversation::new();
    talk.client(100, 0, 50, Flags::SYN);
    talk.after_ms(7)
        .server(500, 151, 20, Flags(Flags::SYN.0 | Flags::ACK.0));
    talk.client(151, 521, 0, Flags::ACK);
    let [client, server] = &talk.record.halves;
    assert_eq!((client.retransmissions, server.payload_bytes), (0, 20));
    assert_eq!((server.responses, server.response_last / 3_906), (1, 7));
    assert_eq!(talk.states(), (TcpState::Established, TcpState::Established));
}

#[test]
fn urgent_data_is_data() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 1, Flags(DATA.0 | 32));
    talk.server(501, 102, 0, Flags::ACK);
    let client = &talk.record.halves[0];
    assert_eq!((client.payload_bytes, client.retransmissions), (1, 0));
}

#[test]
fn a_reset_is_counted_for_who_sent_it_and_its_explanation_is_no_stream_data() {
    let mut talk = Conversation::established();
    talk.server(501, 101, 30, Flags(Flags::RST.0 | Flags::ACK.0));
    talk.server(501, 101, 0, Flags::RST);
    let [client, server] = &talk.record.halves;
    assert_eq!((client.resets, server.resets), (0, 2));
    assert_eq!((server.payload_bytes, server.retransmissions), (30, 0));
    assert_eq!(talk.states(), (TcpState::Closed, TcpState::Closed));
}

#[test]
fn a_handshake_after_a_reset_that_had_no_sequence_number_begins_those_of_its_sender() {
    let mut talk = Conversation::new();
    talk.client(100, 0, 0, Flags::SYN);
    talk.server(0, 101, 0, Flags(Flags::RST.0 | Flags::ACK.0));
    talk.after_ms(1000).client(100, 0, 0, Flags::SYN);
    talk.server(4_000_000_000, 101, 0, Flags(Flags::SYN.0 | Flags::ACK.0));
    talk.client(101, 4_000_000_001, 0, Flags::ACK);
    talk.server(4_000_000_001, 101, 50, DATA);
    let [_, server] = &talk.record.halves;
    assert_eq!(
        (
            server.payload_bytes,
            server.retransmissions,
            server.lost_segments,
            server.next_seq
        ),
        (50, 0, 0, 4_000_000_051)
    );
}

#[test]
fn both_ends_may_open_at_once() {
    let mut talk = Conversation::new();
    talk.client(100, 0, 0, Flags::SYN);
    talk.server(500, 0, 0, Flags::SYN);
    talk.after_ms(5)
        .client(100, 501, 0, Flags(Flags::SYN.0 | Flags::ACK.0));
    assert_eq!(talk.states(), (TcpState::SynReceived, TcpState::SynSent));
    talk.server(500, 101, 0, Flags(Flags::SYN.0 | Flags::ACK.0));
    assert_eq!(talk.states(), (TcpState::Established, TcpState::Established));
    assert_ne!(talk.record.flags & ConnectionRecord::BY_HANDSHAKE, 0);
}

#[test]
fn what_is_in_flight_is_what_was_sent_and_not_acknowledged() {
    let mut talk = Conversation::established();
    talk.client(101, 501, 1_000, DATA);
    talk.client(1_101, 501, 1_000, DATA);
    talk.server(501, 1_101, 0, Flags::ACK);
    let [client, server] = &talk.record.halves;
    assert_eq!(client.in_flight_bytes(server), Some(1_000));
    assert_eq!(server.in_flight_bytes(client), Some(0));
    assert_eq!(Half::SILENT.in_flight_bytes(server), None);
}

#[test]
fn data_and_acknowledgements_in_order_take_the_short_way() {
    let mut talk = Conversation::established();
    // After this the handshake's RTT is known.
    talk.after_ms(5).client(101, 501, 0, Flags::ACK);
    for (side, seq, ack, payload_bytes) in [
        (Side::Low, 101, 501, 100),
        (Side::Low, 201, 501, 100),
        (Side::High, 501, 301, 0),
        (Side::High, 501, 301, 50),
        (Side::Low, 301, 551, 0),
    ] {
        let segment = Segment {
            seq,
            ack,
            payload_bytes,
            ..segment(40_000, 80)
        };
        let mut seen = Sighting {
            side,
            place: talk.place,
            now_ns: 0,
            new_id: 7,
        };
        let outcome = quick::observe(&mut talk.record, &segment, &mut seen, &Exactly(talk.now_ns));
        assert!(outcome.is_some_and(|outcome| outcome.counted), "{segment:?}");
    }
}

#[test]
fn segments_worth_remembering_are_remembered_and_others_are_not() {
    let mut talk = Conversation::established();
    let kinds = |talk: &Conversation| talk.record.notable.map(|notable| (notable.flags, notable.kind));
    const SYN_ACK: u8 = Flags::SYN.0 | Flags::ACK.0;
    let handshake = [
        (Flags::SYN.0, 0),
        (SYN_ACK, Notable::FROM_HIGH),
        (Flags::ACK.0, Notable::ESTABLISHES),
        (0, 0),
    ];
    assert_eq!((talk.record.notable_count, kinds(&talk)), (3, handshake));

    // Data and its acknowledgement are nothing special, what comes again is.
    talk.after_ms(10).client(101, 501, 100, Flags::ACK);
    talk.server(501, 201, 0, Flags::ACK);
    assert_eq!(talk.record.notable_count, 3);
    talk.after_ms(300).client(101, 501, 100, Flags::ACK);
    let newest = talk.record.notable[3];
    assert_eq!(
        newest,
        Notable {
            time_ns: START + 310 * MILLISECOND,
            seq: 101,
            ack: 501,
            payload_bytes: 100,
            window: 1_000,
            flags: Flags::ACK.0,
            kind: Notable::RETRANSMISSION,
        }
    );
}

#[test]
fn the_newest_segments_worth_remembering_take_the_place_of_the_oldest() {
    let mut talk = Conversation::established();
    talk.window = 0;
    talk.server(501, 101, 0, Flags::ACK);
    talk.window = 1_000;
    talk.server(501, 101, 0, Flags(Flags::FIN.0 | Flags::ACK.0));
    talk.client(101, 502, 0, Flags(Flags::RST.0 | Flags::ACK.0));

    assert_eq!(talk.record.notable_count, 6);
    let expected = [
        (Flags::FIN.0 | Flags::ACK.0, Notable::FROM_HIGH),
        (Flags::RST.0 | Flags::ACK.0, 0),
        (Flags::ACK.0, Notable::ESTABLISHES),
        (Flags::ACK.0, Notable::FROM_HIGH),
    ];
    assert_eq!(
        talk.record.notable.map(|notable| (notable.flags, notable.kind)),
        expected
    );
}

#[test]
fn a_socket_that_was_assumed_by_where_its_packets_would_come_in_is_forgotten_where_they_come_in_elsewhere() {
    let cookie = |assumed: Place, place: Place| {
        let mut talk = Conversation::new();
        talk.record.id = 1;
        talk.record.halves[0].place = assumed.0;
        talk.record.halves[0].socket_cookie = 7;
        talk.place = place;
        talk.client(101, 501, 10, DATA);
        assert_eq!(talk.record.halves[0].place, place.0);
        talk.record.halves[0].socket_cookie
    };
    let (here, elsewhere) = (Place::new(3, false), Place::new(4, false));
    assert_eq!(cookie(here, here), 7);
    assert_eq!(cookie(here, elsewhere), 0);
    let own = Place::new(2, true);
    assert_eq!(cookie(own, Place::new(5, true)), 7, "known by itself");

    let mut talk = Conversation::established();
    talk.record.halves[0].socket_cookie = 7;
    talk.place = elsewhere;
    talk.client(101, 501, 10, DATA);
    assert_eq!(talk.record.halves[0].socket_cookie, 7, "its path has moved");
}
