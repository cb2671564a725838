//! `tcpviewer listeners`: the sockets that wait for connections, and whether they keep up.

use std::io::{self, Write};

use clap::Args;

use super::{
    client::{ClientArgs, ClientError, OutputForm, connect, unless_output_is_closed},
    csv::{write_head, write_record},
    output::{name, output, printable, write_json},
};
use crate::proto::{ListListenersRequest, Listener};

/// Options of `tcpviewer listeners`.
#[derive(Args, Clone, Debug)]
pub struct ListenersArgs {
    /// Where to ask and how to answer.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// Runs `tcpviewer listeners`.
pub async fn listeners(args: ListenersArgs) -> Result<(), ClientError> {
    unless_output_is_closed(write_listeners(&args.client).await)
}

async fn write_listeners(args: &ClientArgs) -> Result<(), ClientError> {
    let mut client = connect(args).await?;
    let answer = client.list_listeners(ListListenersRequest {}).await;
    let listeners = answer
        .map_err(|status| ClientError::call("list the listening sockets", &status))?
        .into_inner()
        .listeners;
    let mut output = output();
    match args.output {
        OutputForm::Json => {
            for listener in &listeners {
                write_json(&mut output, "Listener", listener)?;
            }
        }
        OutputForm::Csv => {
            write_head::<Listener>(&mut output)?;
            for listener in &listeners {
                write_record(&mut output, listener)?;
            }
        }
        OutputForm::Table => write_text(&mut output, &listeners)?,
    }
    Ok(output.flush()?)
}

/// One line for each, what is not known as a dash.
fn write_text(output: &mut impl Write, listeners: &[Listener]) -> io::Result<()> {
    let widest = |head: &str, of: fn(&Listener) -> String| {
        let widths = listeners.iter().map(|listener| of(listener).chars().count());
        widths.fold(head.len(), usize::max)
    };
    let (width, process_width) = (widest("ADDRESS", address), widest("PROCESS", process));
    writeln!(
        output,
        "{:<width$}  WAITING  AT MOST  HANDSHAKES  DROPPED  USER  {:<process_width$}  BELONGS TO",
        "ADDRESS", "PROCESS"
    )?;
    for listener in listeners {
        writeln!(
            output,
            "{:<width$}  {:>7}  {:>7}  {:>10}  {:>7}  {:>4}  {:<process_width$}  {}",
            address(listener),
            listener.accept_queue,
            // The kernel lets one more wait than the limit says.
            text(listener.accept_queue_limit.map(|limit| u64::from(limit) + 1)),
            text(listener.syn_queue),
            text(listener.drops),
            listener.user_id,
            process(listener),
            belongs_to(listener)
        )?;
    }
    Ok(())
}

fn address(listener: &Listener) -> String {
    let end = listener.address.clone().unwrap_or_default();
    let address = printable(&end.address);
    if address.contains(':') {
        format!("[{address}]:{}", end.port)
    } else {
        format!("{address}:{}", end.port)
    }
}

fn process(listener: &Listener) -> String {
    text(listener.process.as_ref().map(|process| printable(&name(process))))
}

/// The container of its process, by the part of the id that people use, else the unit.
fn belongs_to(listener: &Listener) -> String {
    /// As `docker ps` has it.
    const ID: usize = 12;
    let process = listener.process.as_ref();
    let container = process.and_then(|process| process.container.as_deref());
    let container = container.map(|id| id.chars().take(ID).collect());
    let unit = process.and_then(|process| process.unit.clone());
    text(container.or(unit).as_deref().map(printable))
}

fn text(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Endpoint, Process};

    #[test]
    fn each_listener_has_a_line_and_what_is_not_known_a_dash() {
        let listener = |address: &str, port| Listener {
            address: Some(Endpoint {
                address: address.into(),
                port,
            }),
            ..Listener::default()
        };
        let known = Listener {
            accept_queue: 9,
            accept_queue_limit: Some(8),
            syn_queue: Some(2),
            drops: Some(91),
            user_id: 1000,
            process: Some(Process {
                pid: 812,
                command: "nginx".into(),
                unit: Some("docker.service".into()),
                container: Some("0123456789abcdef".into()),
                ..Process::default()
            }),
            ..listener("::", 443)
        };
        let mut text = Vec::new();

        write_text(&mut text, &[listener("10.0.0.1", 80), known]).unwrap();

        assert_eq!(
            String::from_utf8(text).unwrap(),
            "ADDRESS      WAITING  AT MOST  HANDSHAKES  DROPPED  USER  PROCESS    BELONGS TO\n\
             10.0.0.1:80        0        -           -        -     0  -          -\n\
             [::]:443           9        9           2       91  1000  nginx/812  0123456789ab\n"
        );
    }
}
