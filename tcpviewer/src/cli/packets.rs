//! `tcpviewer packets`: packets as they pass, one line each, headers only. What was lost on the way to the reader is
//! told on the standard error.

use std::{
    io::{self, Write, stderr},
    time::{Duration, SystemTime},
};

use clap::Args;

use super::{
    client::{ClientArgs, ClientError, OutputForm, connect, unless_output_is_closed},
    csv::{write_head, write_record},
    output::{endpoint, output, printable, write_json},
    selection::packet_filter,
};
use crate::proto::{Direction, Packet, TcpFlag, WatchPacketsRequest};

/// Options of `tcpviewer packets`.
#[derive(Args, Clone, Debug)]
pub struct PacketsArgs {
    /// Where to ask and how to answer.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Only packets of the connection with this id.
    #[arg(long, value_name = "ID")]
    pub connection: Option<u64>,
    /// Only packets for which this holds, such as `syn and port 443`; see `tcpviewer filter`.
    #[arg(long, value_name = "EXPR", value_parser = packet_filter)]
    pub filter: Option<String>,
    /// Begin with so many of the packets at hand.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub last: u32,
    /// End after so many packets.
    #[arg(long, value_name = "NUMBER")]
    pub count: Option<u64>,
}

/// Runs `tcpviewer packets` until it is interrupted or has seen enough.
pub async fn packets(args: PacketsArgs) -> Result<(), ClientError> {
    unless_output_is_closed(write_packets(&args).await)
}

async fn write_packets(args: &PacketsArgs) -> Result<(), ClientError> {
    let failed = |status| ClientError::call("watch the packets", &status);
    let mut client = connect(&args.client).await?;
    let request = WatchPacketsRequest {
        last: args.last,
        connection_id: args.connection,
        filter: args.filter.clone().unwrap_or_default(),
    };
    let mut messages = client.watch_packets(request).await.map_err(failed)?.into_inner();
    let mut output = output();
    if args.client.output == OutputForm::Csv {
        write_head::<Packet>(&mut output)?;
    }
    let mut left = args.count.unwrap_or(u64::MAX);
    let (mut lost, mut sampling) = (0, 1);
    while left > 0 {
        let Some(message) = messages.message().await.map_err(failed)? else {
            return Err(ClientError::Lost {
                what: "watch the packets",
                reason: "the stream ended".into(),
            });
        };
        for packet in message
            .packets
            .iter()
            .take(usize::try_from(left).unwrap_or(usize::MAX))
        {
            match args.client.output {
                OutputForm::Json => write_json(&mut output, "Packet", packet)?,
                OutputForm::Csv => write_record(&mut output, packet)?,
                OutputForm::Table => write_line(&mut output, packet)?,
            }
        }
        left = left.saturating_sub(message.packets.len() as u64);
        output.flush()?;
        let now_lost = message.lost_in_kernel + message.lost_in_stream;
        if now_lost > lost {
            // Whoever closed the standard error does not want to know.
            writeln!(stderr(), "tcpviewer: {} packets lost", now_lost - lost).ok();
            lost = now_lost;
        }
        if message.sampling != sampling {
            sampling = message.sampling;
            writeln!(stderr(), "tcpviewer: one of {sampling} packets is shown").ok();
        }
    }
    Ok(())
}

/// A line much like tcpdump's.
fn write_line(output: &mut impl Write, packet: &Packet) -> io::Result<()> {
    let direction = match packet.direction() {
        Direction::Ingress => "in ",
        Direction::Egress => "out",
        Direction::Unspecified => "   ",
    };
    write!(
        output,
        "{} {} {direction} {} > {} [{}] seq {}",
        time_of_day(packet.timestamp),
        printable(&packet.interface),
        printable(&endpoint(packet.source.as_ref())),
        printable(&endpoint(packet.destination.as_ref())),
        flags(packet.flags()),
        packet.seq
    )?;
    if let Some(ack) = packet.ack {
        write!(output, " ack {ack}")?;
    }
    write!(output, " win {} len {}", packet.window, packet.payload_bytes)?;
    if packet.wire_packets > 1 {
        write!(output, " in {} packets", packet.wire_packets)?;
    }
    if packet.retransmission {
        write!(output, " retransmission")?;
    }
    writeln!(output)
}

/// Hours, minutes, seconds and microseconds of the day, UTC.
pub(super) fn time_of_day(stamp: Option<prost_types::Timestamp>) -> String {
    let since_epoch = stamp
        .and_then(|stamp| SystemTime::try_from(stamp).ok())
        .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok())
        .unwrap_or(Duration::ZERO);
    let seconds = since_epoch.as_secs() % 86_400;
    format!(
        "{:02}:{:02}:{:02}.{:06}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60,
        since_epoch.subsec_micros()
    )
}

/// The names of flags, `SYN,ACK` for example.
pub(super) fn flags(flags: impl Iterator<Item = TcpFlag>) -> String {
    let names: Vec<_> = flags
        .map(|flag| flag.as_str_name().trim_start_matches(FLAG_PREFIX))
        .collect();
    names.join(",")
}

/// What the names of flags begin with.
const FLAG_PREFIX: &str = "TCP_FLAG_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_one_line() {
        let end = |port| {
            Some(crate::proto::Endpoint {
                address: "10.0.0.1".into(),
                port,
            })
        };
        let packet = Packet {
            timestamp: Some(prost_types::Timestamp {
                seconds: 86_400 + 3_661,
                nanos: 5_000,
            }),
            source: end(40_000),
            destination: end(443),
            interface: "eth0".into(),
            direction: Direction::Egress.into(),
            flags: vec![TcpFlag::Syn.into(), TcpFlag::Ack.into()],
            seq: 7,
            ack: Some(9),
            window: 512,
            payload_bytes: 2_896,
            wire_packets: 2,
            retransmission: true,
            ..Packet::default()
        };
        let mut line = Vec::new();

        write_line(&mut line, &packet).unwrap();

        assert_eq!(
            String::from_utf8(line).unwrap(),
            "01:01:01.000005 eth0 out 10.0.0.1:40000 > 10.0.0.1:443 [SYN,ACK] seq 7 ack 9 win 512 len 2896 in 2 \
             packets retransmission\n"
        );
    }
}
