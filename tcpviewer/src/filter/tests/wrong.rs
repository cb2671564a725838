//! Wrong filters, each with its place, what was expected there and what was found: the rows of `wrong.txt`.

use super::super::*;
use crate::model::{Connection, Packet};

/// Two lines a row: the filter, and below the place where it is wrong what is said of it.
const ROWS: &str = include_str!("wrong.txt");

/// The second line of a filter's row.
fn said_of<T: Subject>(text: &str) -> String {
    let error = Filter::<T>::parse(text).expect_err(text);
    let message = error.to_string();
    let said = message
        .strip_prefix(&format!("column {}: ", error.column()))
        .unwrap();
    assert!(
        said.starts_with("expected ") && said.contains(", found "),
        "{text:?}: {said}"
    );
    let pointer = error.pointer(text);
    format!("{} {said}", pointer.lines().last().unwrap())
}

#[test]
fn every_row_says_where_what_was_expected_and_what_was_found() {
    let mut lines = ROWS.lines();
    let (mut rows, mut count, mut of_packets) = (String::new(), 0, false);
    while let Some(line) = lines.next() {
        rows += &format!("{line}\n");
        if let Some(subject) = line.strip_prefix("# of ") {
            of_packets = subject == "packets";
        } else if !line.is_empty() {
            let said = if of_packets {
                said_of::<Packet>(line)
            } else {
                said_of::<Connection>(line)
            };
            rows += &format!("{said}\n");
            count += 1;
            lines.next();
        }
    }

    assert!(count >= 100, "{count} rows");
    assert_eq!(rows, ROWS);
}

#[test]
fn where_nothing_is_written_the_end_is_found() {
    for text in ["", " ", "\t\n", "\u{3000}"] {
        assert_eq!(
            said_of::<Connection>(text).trim_start(),
            "^ expected a condition, such as `rtt > 50ms` or `port 443`, found the end of the filter"
        );
    }
}
