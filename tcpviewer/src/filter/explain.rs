//! How a filter was read, in words for people: its whole form, what each condition means, and where it runs.

use super::{
    Filter, FilterError,
    check::Node,
    field::{Field, Read, Subject},
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
    lines.push(
        "runs in the daemon, on every connection or packet that the kernel reports; nothing of it runs in the kernel"
            .to_owned(),
    );
    if connections.is_ok_and(|filter| filter.depends_on_time()) {
        lines.push(
            "looks at all connections once per second: the passing of time changes the answer".to_owned(),
        );
    }
    Ok(lines.join("\n"))
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
