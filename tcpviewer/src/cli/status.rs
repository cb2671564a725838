//! `tcpviewer status`: what the daemon does, what it could not count, and what it costs.

use std::io::{self, Write};

use clap::Args;

use super::{
    client::{ClientArgs, ClientError, OutputForm, connect, unless_output_is_closed},
    csv::write_fields,
    output::{between, bytes, output, printable, write_json},
};
use crate::proto::{GetStatusRequest, GetStatusResponse, Hook, Ledger};

/// Options of `tcpviewer status`.
#[derive(Args, Clone, Debug)]
pub struct StatusArgs {
    /// Where to ask and how to answer.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// Runs `tcpviewer status`.
pub async fn status(args: StatusArgs) -> Result<(), ClientError> {
    unless_output_is_closed(write_status(&args.client).await)
}

async fn write_status(args: &ClientArgs) -> Result<(), ClientError> {
    let mut client = connect(args).await?;
    let status = client.get_status(GetStatusRequest {}).await;
    let status = status
        .map_err(|status| ClientError::call("ask for the status", &status))?
        .into_inner();
    let mut output = output();
    match args.output {
        OutputForm::Json => write_json(&mut output, "GetStatusResponse", &status)?,
        OutputForm::Csv => {
            let mut json = Vec::new();
            write_json(&mut json, "GetStatusResponse", &status)?;
            let fields =
                serde_json::from_slice(&json).map_err(|error| ClientError::Answer(error.to_string()))?;
            write_fields(&mut output, &fields)?;
        }
        OutputForm::Table => write_text(&mut output, &status)?,
    }
    Ok(output.flush()?)
}

fn write_text(output: &mut impl Write, status: &GetStatusResponse) -> io::Result<()> {
    let counts = status.connections.unwrap_or_default();
    let rates = status.rates.unwrap_or_default();
    let source = match status.capture_file.as_str() {
        "" => format!("Linux {}", printable(&status.kernel_release)),
        file => format!("capture {}", printable(file)),
    };
    writeln!(
        output,
        "tcpviewer {} on {} ({source}), up {}",
        printable(&status.version),
        printable(&status.host_name),
        between(status.started_at, status.now)
    )?;
    writeln!(
        output,
        "connections   {} open, {} listed; {} of {} tracked; {} opened and {} closed since the start",
        counts.open, counts.listed, counts.tracked, counts.capacity, counts.opened_total, counts.closed_total
    )?;
    if counts.dropped_total > 0 {
        writeln!(
            output,
            "              {} left the full list before their time",
            counts.dropped_total
        )?;
    }
    writeln!(
        output,
        "traffic       {} packets/s, {}/s, {:.1} connections/s",
        rates.packets_per_second,
        bytes(rates.payload_bytes_per_second),
        rates.opened_per_second
    )?;
    write_cost(output, status)?;
    writeln!(output, "streams       {}", status.streams)?;
    write_interfaces(output, status)?;
    write_ledger(output, status.ledger.unwrap_or_default())?;
    for degradation in &status.degradations {
        writeln!(
            output,
            "degraded      {}: {} ({})",
            printable(&degradation.feature),
            printable(&degradation.reason),
            printable(&degradation.effect)
        )?;
    }
    Ok(())
}

fn write_cost(output: &mut impl Write, status: &GetStatusResponse) -> io::Result<()> {
    let Some(cost) = status.resources else {
        return Ok(());
    };
    write!(output, "cost          {} of memory", bytes(cost.resident_bytes))?;
    if let Some(maps) = cost.kernel_map_bytes {
        write!(output, ", {} in kernel maps", bytes(maps))?;
    }
    if let Some(percent) = cost.cpu_percent {
        write!(output, ", {percent:.1} % of one core")?;
    }
    if let Some(time) = cost.cpu_time {
        write!(
            output,
            ", {:.1} s of CPU time",
            time.seconds as f64 + f64::from(time.nanos) / 1e9
        )?;
    }
    writeln!(output)?;
    if let Some(memory) = cost.max_memory_bytes {
        let of_both = cost.resident_bytes + cost.kernel_map_bytes.unwrap_or_default();
        writeln!(
            output,
            "budget        {} of {} of memory",
            bytes(of_both),
            bytes(memory)
        )?;
    }
    if let Some(percent) = cost.max_cpu_percent {
        writeln!(output, "budget        {percent} % of one core")?;
    }
    Ok(())
}

fn write_interfaces(output: &mut impl Write, status: &GetStatusResponse) -> io::Result<()> {
    for interface in &status.interfaces {
        let hook = match (hook_name(interface.hook()), hook_name(interface.ingress_hook())) {
            (None, _) => format!("not attached: {}", printable(&interface.error)),
            (Some(hook), None) => hook.to_owned(),
            (Some(hook), Some(ingress)) => format!("{hook}, what comes in {ingress}"),
        };
        writeln!(
            output,
            "interface     {} ({}): {hook}",
            printable(&interface.name),
            interface.index
        )?;
    }
    Ok(())
}

fn hook_name(hook: Hook) -> Option<&'static str> {
    match hook {
        Hook::Tcx => Some("TCX"),
        Hook::Clsact => Some("clsact"),
        Hook::XdpNative => Some("XDP"),
        Hook::XdpGeneric => Some("generic XDP"),
        Hook::Unspecified => None,
    }
}

/// What was lost stands out; reasons that never occurred are left out.
fn write_ledger(output: &mut impl Write, ledger: Ledger) -> io::Result<()> {
    writeln!(
        output,
        "packets       {} seen, {} tracked",
        ledger.packets_seen, ledger.packets_tracked
    )?;
    let reasons = [
        (ledger.packets_not_ip, "not IP"),
        (ledger.packets_not_tcp, "not TCP"),
        (ledger.packets_fragment, "fragments after the first"),
        (ledger.packets_truncated, "truncated"),
        (ledger.packets_malformed, "malformed"),
        (ledger.packets_seen_elsewhere, "counted at another interface"),
        (ledger.packets_table_full, "without room in the connection map"),
        (
            ledger.packets_over_budget,
            "of new connections, over the budget of memory",
        ),
    ];
    for (count, reason) in reasons.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(output, "              {count} {reason}")?;
    }
    if ledger.connections_given_up > 0 {
        writeln!(
            output,
            "half-open     {} given up for newer ones; {} were to be listed once confirmed",
            ledger.connections_given_up, ledger.connections_withheld
        )?;
    }
    writeln!(
        output,
        "events        {} of connections ({} lost), {} of packets ({} lost, {} left out),\n              {} of processes ({} lost), {} of \
         failures ({} lost, {} withheld)",
        ledger.connection_events,
        ledger.connection_events_lost,
        ledger.packet_events,
        ledger.packet_events_lost,
        ledger.packet_events_left_out,
        ledger.process_events,
        ledger.process_events_lost,
        ledger.failure_events,
        ledger.failure_events_lost,
        ledger.failure_events_withheld
    )
}
