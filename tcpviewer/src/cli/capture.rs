//! `tcpviewer capture`: the headers of packets as a pcapng file, which Wireshark opens. Ends at a limit or when it is
//! interrupted; what was written until then is a whole file.

use std::{
    fs::File,
    io::{self, Write, stderr, stdout},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;

use super::{
    client::{ClientError, ServerArgs, connect, io_reason},
    selection::packet_filter,
    signals::Signals,
};
use crate::proto::CapturePcapRequest;

/// Options of `tcpviewer capture`.
#[derive(Args, Clone, Debug)]
pub struct CaptureArgs {
    /// Which daemon is asked.
    #[command(flatten)]
    pub server: ServerArgs,
    /// The file to write; `-` is the standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Only packets for which this holds, such as `syn and port 443`; see `tcpviewer filter`.
    #[arg(long, value_name = "EXPR", value_parser = packet_filter)]
    pub filter: Option<String>,
    /// Only packets of the connection with this id.
    #[arg(long, value_name = "ID")]
    pub connection: Option<u64>,
    /// End after so many packets.
    #[arg(long, value_name = "NUMBER")]
    pub max_packets: Option<u64>,
    /// End before the file has more bytes than this.
    #[arg(long, value_name = "BYTES")]
    pub max_bytes: Option<u64>,
    /// End after this time, such as `30s`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub max_duration: Option<Duration>,
}

/// Runs `tcpviewer capture` until it has enough or is interrupted.
///
/// # Errors
///
/// When the daemon does not answer, or the file cannot be written.
pub async fn capture(args: CaptureArgs) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let failed = |status| ClientError::call("capture packets", &status);
    let mut client = connect(&args.server).await?;
    let request = CapturePcapRequest {
        filter: args.filter.unwrap_or_default(),
        connection_id: args.connection,
        max_packets: args.max_packets,
        max_bytes: args.max_bytes,
        // Beyond what the message can hold the daemon would refuse it as well.
        max_duration: args.max_duration.and_then(|duration| duration.try_into().ok()),
    };
    let mut parts = client.capture_pcap(request).await.map_err(failed)?.into_inner();
    // Not before: a request that is refused leaves an older file as it was.
    let mut file = create(&args.output)?;
    let write = |error: io::Error| anyhow::anyhow!("write {}: {}", args.output.display(), io_reason(&error));
    let (mut packets, mut lost, mut left_out) = (0, 0, 0);
    loop {
        let part = tokio::select! {
            part = parts.message() => part.map_err(failed)?,
            () = signals.next() => None,
        };
        let Some(part) = part else { break };
        packets = part.packets;
        lost = part.lost_in_kernel + part.lost_in_stream;
        left_out = part.left_out;
        file.write_all(&part.data)
            .and_then(|()| file.flush())
            .map_err(write)?;
    }
    let missing = [(lost, "lost"), (left_out, "left out to save CPU time")];
    let missing = missing.into_iter().filter(|(count, _why)| *count > 0);
    let losses: String = missing.map(|(count, why)| format!(", {count} {why}")).collect();
    // Whoever closed the standard error does not want to know.
    writeln!(stderr(), "tcpviewer: {packets} packets captured{losses}").ok();
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<Box<dyn Write + Send>> {
    if path == Path::new("-") {
        return Ok(Box::new(stdout()));
    }
    let file = File::create(path).map_err(|error| anyhow::anyhow!("{}", io_reason(&error)));
    Ok(Box::new(
        file.with_context(|| format!("create {}", path.display()))?,
    ))
}
