//! The fields, what is explained, and the page that documents all of it.

use super::{super::*, read};
use crate::model::{Connection, Packet};

#[test]
fn names_of_fields_are_there_once_and_are_words_of_the_language() {
    fn check<T: Subject>() {
        let mut names: Vec<_> = Field::<T>::all().map(|field| field.name).collect();
        for name in &names {
            let written = [(*name).to_owned(), format!("has {name}")];
            let readable =
                written.map(|text| Filter::<T>::parse(&text).is_ok_and(|filter| filter.to_string() == text));
            assert!(readable.contains(&true), "{name}");
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    check::<Connection>();
    check::<Packet>();
}

#[test]
fn an_explanation_has_the_whole_form_and_says_where_it_runs() {
    let explained = explain("dst port 80 or 8080 and idle > 5m").unwrap();

    assert_eq!(
        explained,
        "connections: (destination.port == 80 or destination.port == 8080) and idle > 5m
  all of
    any of
      destination.port == 80    (port of the end that was connected to)
      destination.port == 8080    (port of the end that was connected to)
    idle > 5m    (time since the newest packet)

packets: cannot be asked, column 25: expected a field of packets, found `idle`

of connections: runs in the daemon, on every connection that the kernel reports
looks at all connections once per second: the passing of time changes the answer"
    );
    assert!(
        explain("syn")
            .unwrap()
            .starts_with("connections: cannot be asked")
    );
    assert_eq!(explain("rtt > 5").unwrap_err().column(), 7);
    let last = |text| explain(text).unwrap().lines().last().unwrap().to_owned();
    assert_eq!(
        last("src net 10.0.0.0/8 and syn and not ack and window > 5 and port in {80, 8000-8080}"),
        "of packets: the kernel sends those with source.host in 10.0.0.0/8 and port == 80 and syn and not ack, or \
         source.host in 10.0.0.0/8 and port in 8000-8080 and syn and not ack; the rest runs in the daemon"
    );
    assert_eq!(
        last("window > 5"),
        "of packets: runs in the daemon, on every packet; nothing of it runs in the kernel"
    );
}

/// The page that documents the language.
const PAGE: &str = include_str!("../../../docs/filter.md");

#[test]
fn the_page_lists_all_fields_as_they_are() {
    for (heading, table) in [
        ("## Fields of connections", fields_table::<Connection>()),
        ("## Fields of packets", fields_table::<Packet>()),
    ] {
        let (_before, section) = PAGE.split_once(heading).unwrap();
        let section = section.split("\n## ").next().unwrap();
        assert_eq!(section.trim(), table, "as `tcpviewer filter fields` has it");
    }
}

#[test]
fn every_example_of_the_page_is_a_filter() {
    let examples = |fence: &str| -> Vec<&str> {
        let (_before, block) = PAGE.split_once(&format!("```{fence}\n")).unwrap();
        block.split("```").next().unwrap().lines().collect()
    };

    for example in examples("filter") {
        read::<Connection>(example);
    }
    for example in examples("filter-packets") {
        read::<Packet>(example);
    }
    assert!(examples("filter").len() > 10 && examples("filter-packets").len() > 3);
}
