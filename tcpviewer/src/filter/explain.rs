//! How a filter was read, in words for people: its whole form, what each condition means, and where it runs.

use std::net::IpAddr;

use tcpviewer_common::packet_filter::{Clause, Ends, Network, PacketFilter, Ports};

use super::{
    Filter, FilterError,
    check::Node,
    field::{Field, Read, Subject},
    pushdown::{FLAGS, pushdown},
};
use crate::model::{Connection, Packet};

/// How a filter is read, of connections and of packets. An error where neither have all its fields: that of
/// connections.
pub fn explain(text: &str) -> Result<String, FilterError> {
    let connections = Filter::<Connection>::parse(text);
    let packets = Filter::<Packet>::parse(text);
    if let (Err(error), Err(_)) = (&connections, &packets) {
        return Err(error.clone());
    }
    let mut lines = Vec::new();
    lines.extend(section(&connections));
    lines.push(String::new());
    lines.extend(section(&packets));
    lines.push(String::new());
    lines.push("of connections: runs in the daemon, on every connection that the kernel reports".to_owned());
    if let Ok(filter) = &packets {
        lines.push(format!("of packets: {}", kernel_part(&pushdown(filter))));
    }
    if connections.is_ok_and(|filter| filter.depends_on_time()) {
        lines.push(
            "looks at all connections once per second: the passing of time changes the answer".to_owned(),
        );
    }
    Ok(lines.join("\n"))
}

/// What the kernel does with a filter of packets.
fn kernel_part(filter: &PacketFilter) -> String {
    if *filter == PacketFilter::ALL {
        return "runs in the daemon, on every packet; nothing of it runs in the kernel".to_owned();
    }
    let clauses: Vec<_> = filter
        .clauses
        .iter()
        .take(filter.count as usize)
        .map(clause)
        .collect();
    format!(
        "the kernel sends those with {}; the rest runs in the daemon",
        clauses.join(", or ")
    )
}

/// A clause in the language itself.
fn clause(clause: &Clause) -> String {
    let mut parts = Vec::new();
    if clause.connection_id != 0 {
        parts.push(format!("connection == {}", clause.connection_id));
    }
    let Ends {
        source,
        destination,
        either,
    } = clause.networks;
    for (end, network) in [("source.", source), ("destination.", destination), ("", either)] {
        if network != Network::ANY {
            let address = IpAddr::from(network.address).to_canonical();
            let bits =
                u128::from_be_bytes(network.mask).count_ones() - if address.is_ipv4() { 96 } else { 0 };
            parts.push(format!("{end}host in {address}/{bits}"));
        }
    }
    let Ends {
        source,
        destination,
        either,
    } = clause.ports;
    for (end, ports) in [("source.", source), ("destination.", destination), ("", either)] {
        if ports.first == ports.last {
            parts.push(format!("{end}port == {}", ports.first));
        } else if ports != Ports::ANY {
            parts.push(format!("{end}port in {}-{}", ports.first, ports.last));
        }
    }
    for (name, bit) in FLAGS {
        if clause.flags_mask & bit != 0 {
            let not = if clause.flags & bit == 0 { "not " } else { "" };
            parts.push(format!("{not}{name}"));
        }
    }
    parts.join(" and ")
}

/// All fields as a table in Markdown, as the documentation has it.
pub fn fields_table<T: Subject>() -> String {
    let mut lines = vec![
        "| field | type | meaning |".to_owned(),
        "| --- | --- | --- |".to_owned(),
    ];
    for Field { name, about, read } in T::FIELDS.iter().copied().flatten() {
        let words = if let Read::Choice(words, _) = read {
            format!(": `{}`", words.join("`, `"))
        } else {
            String::new()
        };
        let kind = Field::<T>::named(name).map_or("", Field::kind);
        lines.push(format!("| `{name}` | {kind} | {about}{words} |"));
    }
    lines.join("\n")
}

fn section<T: Subject>(filter: &Result<Filter<T>, FilterError>) -> Vec<String> {
    match filter {
        Ok(filter) => {
            let mut lines = vec![format!("{}: {filter}", T::NOUN)];
            describe(&filter.root, 1, &mut lines);
            lines
        }
        Err(error) => vec![format!("{}: cannot be asked, {error}", T::NOUN)],
    }
}

/// One line for each condition, further in for each level.
fn describe<T: Subject>(node: &Node<T>, level: usize, lines: &mut Vec<String>) {
    let indent = "  ".repeat(level);
    match node {
        Node::And(parts) => {
            lines.push(format!("{indent}all of"));
            parts.iter().for_each(|part| describe(part, level + 1, lines));
        }
        Node::Or(parts) => {
            lines.push(format!("{indent}any of"));
            parts.iter().for_each(|part| describe(part, level + 1, lines));
        }
        Node::Not(part) => {
            lines.push(format!("{indent}not"));
            describe(part, level + 1, lines);
        }
        Node::Flag(field) | Node::Has(field) | Node::Test(field, _) => {
            lines.push(format!("{indent}{node}    ({})", field.about));
        }
    }
}
