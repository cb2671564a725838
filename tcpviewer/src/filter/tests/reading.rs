//! How texts are read, and what is said of wrong ones.

use super::{super::*, read};
use crate::model::{Connection, Packet};

#[test]
fn a_filter_is_read_as_its_whole_form_says() {
    for (text, whole) in [
        ("port == 443", "port == 443"),
        ("port=443", "port == 443"),
        ("  port  ==  443  ", "port == 443"),
        ("rtt>50ms&&rate>=1.5MB/s", "rtt > 50ms and rate >= 1500kB/s"),
        ("rtt > 0.05s", "rtt > 50ms"),
        ("rtt > 50000µs", "rtt > 50ms"),
        ("age > 90m and idle < 1min", "age > 90m and idle < 1m"),
        ("bytes > 65536 or bytes == 0", "bytes > 64KiB or bytes == 0B"),
        ("rate > 80Mbit/s", "rate > 10MB/s"),
        ("packets > 10k", "packets > 10000"),
        ("retransmission_rate > 1%", "retransmission_rate > 0.01"),
        ("port in {80,443, 8000-8080}", "port in {80, 443, 8000-8080}"),
        ("rtt in {1ms-5ms}", "rtt in {1ms-5ms}"),
        ("host in 10.0.0.0/8", "host in {10.0.0.0/8}"),
        ("host in {::1, fe80::/10}", "host in {::1, fe80::/10}"),
        ("src == ::ffff:10.0.0.1", "source.host == 10.0.0.1"),
        ("dst.port != 22", "destination.port != 22"),
        ("interface == eth0", "interface == \"eth0\""),
        ("interface contains 'a\"b'", "interface contains \"a\\\"b\""),
        (r#"interface ~ "^eth\d""#, r#"interface matches "^eth\\d""#),
        ("state == TIME_WAIT", "state == time-wait"),
        (
            "STATE IN {Established, FIN-WAIT1}",
            "state in {established, fin-wait-1}",
        ),
        ("has rtt", "has rtt"),
        ("rtt exists", "has rtt"),
        ("not closed", "not closed"),
        ("!closed", "not closed"),
        ("not not closed", "closed"),
        ("not (not closed)", "closed"),
        ("not ((closed))", "not closed"),
        ("not rtt > 5ms", "not (rtt > 5ms)"),
        ("closed and (ip6 and open)", "closed and ip6 and open"),
        ("closed or ip6 and open", "closed or (ip6 and open)"),
        ("(closed or ip6) and open", "(closed or ip6) and open"),
    ] {
        assert_eq!(read::<Connection>(text), whole, "{text}");
    }
}

#[test]
fn short_forms_are_read_as_tcpdump_reads_them() {
    for (text, whole) in [
        ("port 443", "port == 443"),
        ("src host 10.0.0.1", "source.host == 10.0.0.1"),
        ("src 10.0.0.1", "source.host == 10.0.0.1"),
        ("src 10.0.0.0/8", "source.host in {10.0.0.0/8}"),
        ("net 10.0.0.0/8", "host in {10.0.0.0/8}"),
        ("dst net 192.168", "destination.host in {192.168.0.0/16}"),
        ("net 10", "host in {10.0.0.0/8}"),
        ("host fe80::1", "host == fe80::1"),
        ("10.0.0.1", "host == 10.0.0.1"),
        ("tcp", "tcp"),
        ("ip6", "ip6"),
        ("tcp port 80", "tcp and port == 80"),
        ("ip src host 10.0.0.1", "ip and source.host == 10.0.0.1"),
        ("portrange 8000-8080", "port in {8000-8080}"),
        ("src or dst port 80", "port == 80"),
        (
            "src and dst port 80",
            "source.port == 80 and destination.port == 80",
        ),
        (
            "dst port 80 or 8080",
            "destination.port == 80 or destination.port == 8080",
        ),
        (
            "dst port (80 or 8080)",
            "destination.port == 80 or destination.port == 8080",
        ),
        (
            "host 10.0.0.1 or 10.0.0.2",
            "host == 10.0.0.1 or host == 10.0.0.2",
        ),
        (
            "host 10.0.0.1 and 10.0.0.2",
            "host == 10.0.0.1 and host == 10.0.0.2",
        ),
        // The manual's own example: not "neither of the two".
        (
            "not host 10.0.0.1 and 10.0.0.2",
            "not (host == 10.0.0.1) and host == 10.0.0.2",
        ),
        ("not port 80 or 8080", "not (port == 80) or port == 8080"),
        (
            "port 80 or 8080 and host 10.0.0.1",
            "(port == 80 or port == 8080) and host == 10.0.0.1",
        ),
        (
            "port 80 and host 10.0.0.1 or port 81",
            "(port == 80 and host == 10.0.0.1) or port == 81",
        ),
        ("host 10.0.0.1 or port 80", "host == 10.0.0.1 or port == 80"),
        ("port 443 and rtt > 50ms", "port == 443 and rtt > 50ms"),
    ] {
        assert_eq!(read::<Connection>(text), whole, "{text}");
    }
}

#[test]
fn a_wrong_filter_is_refused_with_the_place_and_what_was_expected() {
    for (text, error) in [
        (
            "",
            "column 1: expected a condition, such as `rtt > 50ms` or `port 443`, the filter ends here",
        ),
        ("rtt >", "column 6: expected a value, the filter ends here"),
        ("rtt > and", "column 7: expected a value, found `and`"),
        (
            "port == 443 rtt",
            "column 13: expected `and`, `or` or the end of the filter, found `rtt`",
        ),
        (
            "(port == 443",
            "column 13: expected `and`, `or` or `)`, the filter ends here",
        ),
        (
            "port == 443)",
            "column 12: expected `and`, `or` or the end of the filter, found `)`",
        ),
        ("port in {80, }", "column 14: expected a value, found `}`"),
        ("port in {80 443}", "column 13: expected `,` or `}`, found `443`"),
        (
            "prot == 443",
            "column 1: connections have no field `prot`; did you mean `port`?",
        ),
        (
            "namespace == \"web\"",
            "column 1: connections have no field `namespace`",
        ),
        ("has tor", "column 5: connections have no field `tor`"),
        (
            "rtt > 50",
            "column 7: expected a time with its unit, such as `50ms` or `5m`, found `50`",
        ),
        (
            "ätt > 5",
            "column 1: connections have no field `ätt`; did you mean `rtt`?",
        ),
        (
            "rate > \"ä\" and rtt",
            "column 8: expected bytes per second, such as `10MB/s` or `80Mbit/s`, found `ä`",
        ),
        (
            "closed and port == 70000",
            "column 20: expected a port, 0 to 65535; names are not looked up, found `70000`",
        ),
        (
            "port https",
            "column 6: expected a port, as in `port 443` or `port in {80, 443}`, found `https`",
        ),
        (
            "port",
            "column 5: expected a port, as in `port 443` or `port in {80, 443}`, the filter ends here",
        ),
        (
            "host example.org",
            "column 6: expected an address, as in `host 10.0.0.1`; names are not looked up, found `example.org`",
        ),
        (
            "host == 10.0.0.0/8",
            "column 9: expected an address; for a network write `in`, as in `host in 10.0.0.0/8`, found `10.0.0.0/8`",
        ),
        (
            "net 10.0.0.1/8",
            "column 5: `10.0.0.1/8` has bits beyond its prefix; did you mean `10.0.0.0/8`?",
        ),
        (
            "net 300",
            "column 5: expected a network, as in `net 10.0.0.0/8`, found `300`",
        ),
        (
            "port in {80-70}",
            "column 10: the range `80-70` ends before it begins",
        ),
        (
            "443",
            "column 1: expected a field before a number, as in `port 443`, found `443`",
        ),
        (
            "port 80 or 10.0.0.1",
            "column 12: expected a port as before; for an address write `host` before it, found `10.0.0.1`",
        ),
        (
            "state == establishd",
            "column 10: `establishd` is not one of closed, listen, syn-sent, syn-received, established, fin-wait-1, fin-wait-2, close-wait, closing, last-ack, time-wait; did you mean `established`?",
        ),
        (
            "state > closed",
            "column 1: `state` is a word and has no order: use `==`, `!=` or `in`",
        ),
        (
            "rtt",
            "column 1: `rtt` needs a comparison, as in `rtt > 50ms`, or `has rtt`",
        ),
        (
            "closed == true",
            "column 1: `closed` is yes or no: write `closed` or `not closed`",
        ),
        (
            "rtt contains 5",
            "column 1: `contains` is for names, and `rtt` is a time",
        ),
        (
            "interface ~ \"(\"",
            "column 13: expected a regular expression: unclosed group",
        ),
        (
            "interface ~ \"\\w{1000}\"",
            "column 13: the regular expression needs more than 131072 bytes",
        ),
        ("interface == \"eth0", "column 14: the quote \" is not closed"),
        (
            "\"eth0\"",
            "column 1: expected a field: a text stands to the right of one, as in `interface == \"eth0\"`, found `\"`",
        ),
        (
            "port 80 or port 81 and host 10.0.0.1",
            "column 20: put parentheses: tcpdump would read `A or B and C` as `(A or B) and C`, other languages as `A or (B and C)`",
        ),
        (
            "rtt > 99999999999d",
            "column 7: expected a time with its unit, such as `50ms` or `5m`, found `99999999999d`",
        ),
        (
            "rtt > 0.1ns",
            "column 7: expected a time with its unit, such as `50ms` or `5m`, found `0.1ns`",
        ),
    ] {
        let refused = Filter::<Connection>::parse(text).expect_err(text);
        assert_eq!(refused.to_string(), error, "{text}");
    }
    let refused = Filter::<Packet>::parse("rtt > 5ms").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "column 1: packets have no field `rtt`; did you mean `rst`?"
    );
}

#[test]
fn the_pointer_stands_under_what_is_wrong() {
    let text = "\tport == 443 and prot == 80";

    let refused = Filter::<Connection>::parse(text).unwrap_err();

    assert_eq!(
        refused.pointer(text),
        "\u{fffd}port == 443 and prot == 80\n                 ^^^^"
    );
}

#[test]
fn a_filter_beyond_the_limits_is_refused_and_never_overflows_the_stack() {
    let check = |text: &str, problem: &str| {
        let error = Filter::<Connection>::parse(text).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    };

    check(
        &"(".repeat(4096),
        "column 33: more than 32 parentheses within each other",
    );
    check(
        &"(!".repeat(2048),
        "column 65: more than 32 parentheses within each other",
    );
    check(&"port ".repeat(819), "column 6: expected a port");
    check(
        &"ä".repeat(2049),
        "the filter has 4098 bytes, at most 4096 are allowed",
    );
    check(
        &["interface ~ x"; 9].join(" or "),
        "more than 8 regular expressions",
    );
    let long_name = "x".repeat(4096);
    let expected = format!("column 1: connections have no field `{}…`", &long_name[..48]);
    check(&long_name, &expected);
    let deep = format!("{}closed{}", "(".repeat(32), ")".repeat(32));
    assert_eq!(read::<Connection>(&deep), "closed");
    let nots = format!("{}closed", "!".repeat(4089));
    assert_eq!(read::<Connection>(&nots), "not closed");
    let long = ["closed"; 400].join(" or ");
    assert_eq!(read::<Connection>(&long), long);
}
