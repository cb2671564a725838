//! `tcpviewer list`: all connections, once.

use std::io::Write;

use clap::Args;

use super::{
    client::{ClientArgs, ClientError, OutputForm, connect, unless_output_is_closed},
    csv::{write_head, write_record},
    output::{output, write_json},
    selection::SelectionArgs,
    table::{row, terminal_width, write_table},
};
use crate::proto::{Connection, ListConnectionsRequest};

/// Connections that are fetched at a time.
const PAGE_SIZE: u32 = 5_000;

/// Options of `tcpviewer list`.
#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// Where to ask and how to answer.
    #[command(flatten)]
    pub client: ClientArgs,
    /// Which connections.
    #[command(flatten)]
    pub selection: SelectionArgs,
}

/// Runs `tcpviewer list`.
pub async fn list(args: ListArgs) -> Result<(), ClientError> {
    unless_output_is_closed(write_list(&args.client, &args.selection).await)
}

async fn write_list(args: &ClientArgs, selection: &SelectionArgs) -> Result<(), ClientError> {
    let mut client = connect(args).await?;
    let mut output = output();
    let mut rows = Vec::new();
    let mut page_token = String::new();
    if args.output == OutputForm::Csv {
        write_head::<Connection>(&mut output)?;
    }
    let now = std::time::SystemTime::now().into();
    loop {
        let request = ListConnectionsRequest {
            page_size: selection.limit.unwrap_or(PAGE_SIZE),
            page_token,
            filter: selection.filter.clone().unwrap_or_default(),
            order_by: selection.order_by.clone().unwrap_or_default(),
        };
        let page = client.list_connections(request).await;
        let page = page
            .map_err(|status| ClientError::call("list the connections", &status))?
            .into_inner();
        for connection in &page.connections {
            match args.output {
                OutputForm::Json => write_json(&mut output, "Connection", connection)?,
                OutputForm::Csv => write_record(&mut output, connection)?,
                OutputForm::Table => rows.push(row(connection, now)),
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    if args.output == OutputForm::Table {
        write_table(&mut output, &rows, terminal_width())?;
    }
    Ok(output.flush()?)
}
