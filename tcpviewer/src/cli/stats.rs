//! `tcpviewer stats`: sums over the open connections, once or again and again.

use std::io::{self, Write};

use clap::{Args, ValueEnum};

use super::{
    client::{ClientArgs, ClientError, OutputForm, connect, unless_output_is_closed},
    csv::{Grouped, write_head, write_record},
    output::{bytes, microseconds, output, printable, write_json},
    selection::filter_text,
};
use crate::proto::{self, GroupBy, GroupList, HostCounter, RttDistribution, Stats, WatchStatsRequest};

/// Longest bar of the distribution, characters.
const BAR_WIDTH: u64 = 40;

/// Options of `tcpviewer stats`.
#[derive(Args, Clone, Debug)]
pub struct StatsArgs {
    /// Where to ask and how to answer.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Only connections for which this holds, such as `port == 443`; see `tcpviewer filter`.
    #[arg(long, value_name = "EXPR", value_parser = filter_text)]
    pub filter: Option<String>,
    /// What to group the connections by; may be given more than once.
    #[arg(long, value_name = "KIND", value_enum, default_values_t = [Kind::Peer, Kind::Port])]
    pub by: Vec<Kind>,
    /// How many groups to show of each kind, the busiest ones.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub top: u32,
    /// Go on until interrupted, with new sums once per interval, such as `1s`.
    #[arg(long, value_name = "INTERVAL", value_parser = humantime::parse_duration)]
    pub every: Option<std::time::Duration>,
}

/// What connections are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Address of the far end.
    Peer,
    /// Port of the destination.
    Port,
    /// Interface on which the connection is counted.
    Interface,
    /// State of this host's end.
    State,
    /// Name of the process at this host's end.
    Process,
    /// Container of that process.
    Container,
    /// Systemd unit of that process.
    Unit,
}

/// Runs `tcpviewer stats`.
pub async fn stats(args: StatsArgs) -> Result<(), ClientError> {
    unless_output_is_closed(write_stats(&args).await)
}

async fn write_stats(args: &StatsArgs) -> Result<(), ClientError> {
    let failed = |status| ClientError::call("ask for sums", &status);
    let mut client = connect(&args.client).await?;
    let request = WatchStatsRequest {
        // Beyond what the message can hold the daemon would refuse it as well.
        interval: args.every.and_then(|every| every.try_into().ok()),
        group_by: args.by.iter().map(|&kind| group_by(kind).into()).collect(),
        top: args.top,
        filter: args.filter.clone().unwrap_or_default(),
    };
    let mut messages = client.watch_stats(request).await.map_err(failed)?.into_inner();
    let mut output = output();
    if args.client.output == OutputForm::Csv {
        write_head::<Grouped>(&mut output)?;
    }
    while let Some(message) = messages.message().await.map_err(failed)? {
        let stats = message.stats.unwrap_or_default();
        match args.client.output {
            OutputForm::Json => write_json(&mut output, "Stats", &stats)?,
            OutputForm::Csv => write_records(&mut output, stats)?,
            OutputForm::Table => write_text(&mut output, &stats)?,
        }
        output.flush()?;
        if args.every.is_none() {
            return Ok(());
        }
        if args.client.output == OutputForm::Table {
            writeln!(output)?;
        }
    }
    Err(ClientError::Lost {
        what: "ask for sums",
        reason: "the stream ended".into(),
    })
}

fn write_records(output: &mut impl Write, stats: Stats) -> io::Result<()> {
    for list in stats.groups {
        let by = list.by();
        for group in list.groups {
            let at = stats.at;
            write_record(output, &Grouped { at, by, group })?;
        }
    }
    Ok(())
}

fn group_by(kind: Kind) -> GroupBy {
    match kind {
        Kind::Peer => GroupBy::Peer,
        Kind::Port => GroupBy::Port,
        Kind::Interface => GroupBy::Interface,
        Kind::State => GroupBy::State,
        Kind::Process => GroupBy::Process,
        Kind::Container => GroupBy::Container,
        Kind::Unit => GroupBy::Unit,
    }
}

fn write_text(output: &mut impl Write, stats: &Stats) -> io::Result<()> {
    writeln!(
        output,
        "{} open connections, {}/s, {} packets/s",
        stats.connections,
        bytes(stats.payload_bytes_per_second),
        stats.packets_per_second
    )?;
    if let Some(rtt) = &stats.rtt {
        write_rtt(output, rtt)?;
    }
    for list in &stats.groups {
        write_groups(output, list)?;
    }
    write_host_counters(output, &stats.host_counters)
}

/// Those that grow; the others tell nothing of now.
fn write_host_counters(output: &mut impl Write, counters: &[HostCounter]) -> io::Result<()> {
    let grows = |counter: &&HostCounter| counter.per_second.is_some_and(|rate| rate > 0.0);
    let mut growing = counters.iter().filter(grows).peekable();
    if growing.peek().is_some() {
        writeln!(output, "\nof this host, per second")?;
    }
    for counter in growing {
        writeln!(
            output,
            "  {:>10.1}  {:<20}  {}",
            counter.per_second.unwrap_or_default(),
            printable(&counter.name),
            printable(&counter.meaning)
        )?;
    }
    Ok(())
}

fn write_rtt(output: &mut impl Write, rtt: &RttDistribution) -> io::Result<()> {
    writeln!(
        output,
        "\nRTT of {}: half up to {}, 90 % up to {}, 99 % up to {}, largest {}",
        rtt.connections,
        microseconds(rtt.p50_us.into()),
        microseconds(rtt.p90_us.into()),
        microseconds(rtt.p99_us.into()),
        microseconds(rtt.max_us.into())
    )?;
    let most = rtt.buckets.iter().map(|bucket| bucket.connections).max();
    for bucket in rtt.buckets.iter().skip_while(|bucket| bucket.connections == 0) {
        let width = (bucket.connections * BAR_WIDTH)
            .checked_div(most.unwrap_or_default())
            .unwrap_or_default();
        writeln!(
            output,
            "  below {:>8} {:>8} {}",
            microseconds(bucket.below_us),
            bucket.connections,
            "▇".repeat(width as usize)
        )?;
    }
    Ok(())
}

fn write_groups(output: &mut impl Write, list: &GroupList) -> io::Result<()> {
    let head = match list.by() {
        GroupBy::Peer => "PEER",
        GroupBy::Port => "PORT",
        GroupBy::Interface => "INTERFACE",
        GroupBy::State => "STATE",
        GroupBy::Process => "PROCESS",
        GroupBy::Container => "CONTAINER",
        GroupBy::Unit => "UNIT",
        GroupBy::Unspecified => "GROUP",
    };
    let width = list
        .groups
        .iter()
        .map(|group| group.name.chars().count())
        .fold(head.len(), usize::max);
    writeln!(
        output,
        "\n{head:<width$}  CONNECTIONS      SENT/s  RECEIVED/s  PACKETS/s      TOTAL  RETRANS        RTT"
    )?;
    for group in &list.groups {
        let proto::Group {
            name,
            connections,
            packets_per_second,
            retransmissions,
            ..
        } = group;
        writeln!(
            output,
            "{:<width$}  {connections:>11}  {:>10}  {:>10}  {packets_per_second:>9}  {:>9}  {retransmissions:>7}  {:>9}",
            printable(name),
            bytes(group.sent_payload_bytes_per_second),
            bytes(group.received_payload_bytes_per_second),
            bytes(group.payload_bytes),
            group
                .rtt_us
                .map_or("-".to_owned(), |rtt| microseconds(rtt.into()))
        )?;
    }
    if list.more > 0 {
        writeln!(output, "and {} more", list.more)?;
    }
    Ok(())
}
