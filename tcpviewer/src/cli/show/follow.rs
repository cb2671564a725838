//! `tcpviewer show ID --follow`: one connection as it is, a line for each point of its past and for each packet worth
//! remembering, and then what is new, until it leaves the list. As comma-separated values there are the points only.

use std::io::{self, Write};

use super::{ShowArgs, write_text};
use crate::{
    cli::{
        client::{ClientError, OutputForm, connect},
        csv::{write_head, write_record},
        output::{bytes, microseconds, output, write_json},
        packets::{flags, time_of_day},
    },
    proto::{HalfPoint, Notability, NotablePacket, Point, WatchConnectionRequest, WatchConnectionResponse},
};

/// Follows the connection to its end.
pub(super) async fn follow(args: &ShowArgs) -> Result<(), ClientError> {
    let failed = |status| ClientError::call("follow the connection", &status);
    let mut client = connect(&args.client).await?;
    let request = WatchConnectionRequest { id: args.id };
    let mut messages = client
        .watch_connection(request)
        .await
        .map_err(failed)?
        .into_inner();
    let mut output = output();
    let mut is_first = true;
    let mut missed = 0;
    while let Some(message) = messages.message().await.map_err(failed)? {
        let is_last = message.gone;
        match args.client.output {
            OutputForm::Json => write_json(&mut output, "WatchConnectionResponse", &message)?,
            OutputForm::Csv => {
                if is_first {
                    write_head::<Point>(&mut output)?;
                }
                for point in &message.points {
                    write_record(&mut output, point)?;
                }
            }
            OutputForm::Table => {
                if let Some(connection) = message.connection.as_ref().filter(|_connection| is_first) {
                    write_text(&mut output, connection)?;
                    writeln!(output)?;
                }
                write_message(&mut output, &message, &mut missed)?;
            }
        }
        output.flush()?;
        is_first = false;
        if is_last {
            return Ok(());
        }
    }
    Err(ClientError::Lost {
        what: "follow the connection",
        reason: "the stream ended".into(),
    })
}

/// Points and packets by their times, and what is to be said besides.
fn write_message(
    output: &mut impl Write,
    message: &WatchConnectionResponse,
    missed: &mut u64,
) -> io::Result<()> {
    let mut packets = message.packets.iter().peekable();
    for point in &message.points {
        let at = |stamp: Option<prost_types::Timestamp>| stamp.map(|stamp| (stamp.seconds, stamp.nanos));
        while let Some(packet) = packets.next_if(|packet| at(packet.timestamp) <= at(point.at)) {
            write_packet(output, packet)?;
        }
        write_point(output, point)?;
    }
    for packet in packets {
        write_packet(output, packet)?;
    }
    if message.missed_packets > *missed {
        writeln!(output, "{} packets were missed", message.missed_packets - *missed)?;
        *missed = message.missed_packets;
    }
    if message.gone {
        writeln!(output, "the connection has left the list")?;
    }
    Ok(())
}

fn write_point(output: &mut impl Write, point: &Point) -> io::Result<()> {
    write!(output, "{}", time_of_day(point.at))?;
    for (name, half) in [("sent", &point.sent), ("received", &point.received)] {
        if let Some(half) = half {
            write!(output, "  {name}{}", numbers(half))?;
        }
    }
    writeln!(output)
}

/// What is known of one direction.
fn numbers(half: &HalfPoint) -> String {
    let mut text = format!(
        " {}/s {} packets/s",
        bytes(half.payload_bytes_per_second),
        half.packets_per_second
    );
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!(" {name} {value}"));
        }
    };
    let time = |time: Option<u32>| time.map(|time| microseconds(time.into()));
    add("rtt", time(half.srtt_us));
    add("kernel's rtt", time(half.socket_srtt_us));
    add(
        "cwnd",
        half.congestion_window.map(|segments| segments.to_string()),
    );
    add(
        "ssthresh",
        half.slow_start_threshold.map(|segments| segments.to_string()),
    );
    add(
        "delivery",
        half.delivery_rate_bytes_per_second
            .map(|rate| format!("{}/s", bytes(rate))),
    );
    add("in flight", half.in_flight_bytes.map(|count| bytes(count.into())));
    add(
        "retransmissions",
        (half.retransmissions > 0).then(|| half.retransmissions.to_string()),
    );
    text
}

fn write_packet(output: &mut impl Write, packet: &NotablePacket) -> io::Result<()> {
    let sender = if packet.from_source {
        "source"
    } else {
        "destination"
    };
    write!(
        output,
        "{}  packet of the {sender} [{}] seq {}",
        time_of_day(packet.timestamp),
        flags(packet.flags()),
        packet.seq
    )?;
    if let Some(ack) = packet.ack {
        write!(output, " ack {ack}")?;
    }
    write!(output, " win {} len {}", packet.window, packet.payload_bytes)?;
    for notable in packet.notable_for() {
        match notable {
            Notability::Handshake => write!(output, " handshake")?,
            Notability::Retransmission => write!(output, " retransmission")?,
            Notability::ZeroWindow => write!(output, " no window")?,
            Notability::Unspecified => {}
        }
    }
    writeln!(output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::TcpFlag;

    fn at(seconds: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds, nanos: 0 })
    }

    #[test]
    fn points_and_packets_come_in_the_order_of_their_times_with_what_was_measured() {
        let message = WatchConnectionResponse {
            points: vec![Point {
                at: at(3_661),
                sent: Some(HalfPoint {
                    payload_bytes_per_second: 2_048,
                    packets_per_second: 3,
                    srtt_us: Some(1_234),
                    congestion_window: Some(10),
                    retransmissions: 1,
                    ..Default::default()
                }),
                received: Some(HalfPoint::default()),
            }],
            packets: vec![
                NotablePacket {
                    timestamp: at(3_660),
                    from_source: true,
                    notable_for: vec![Notability::Handshake.into()],
                    flags: vec![TcpFlag::Syn.into()],
                    seq: 7,
                    window: 64,
                    ..Default::default()
                },
                NotablePacket {
                    timestamp: at(3_662),
                    flags: vec![TcpFlag::Fin.into(), TcpFlag::Ack.into()],
                    ack: Some(9),
                    ..Default::default()
                },
            ],
            missed_packets: 5,
            gone: true,
            ..Default::default()
        };
        let (mut text, mut missed) = (Vec::new(), 2);

        write_message(&mut text, &message, &mut missed).unwrap();

        assert_eq!(
            String::from_utf8(text).unwrap(),
            "01:01:00.000000  packet of the source [SYN] seq 7 win 64 len 0 handshake\n\
             01:01:01.000000  sent 2.0 KiB/s 3 packets/s rtt 1.23 ms cwnd 10 retransmissions 1  received 0 B/s 0 \
             packets/s\n\
             01:01:02.000000  packet of the destination [FIN,ACK] seq 0 ack 9 win 0 len 0\n\
             3 packets were missed\n\
             the connection has left the list\n"
        );
    }
}
