//! How texts are read.

use super::{super::*, read};
use crate::model::Connection;

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
        "column 33: expected at most 32 parentheses within each other, found one more",
    );
    check(
        &"(!".repeat(2048),
        "column 65: expected at most 32 parentheses within each other, found one more",
    );
    check(&"port ".repeat(819), "column 6: expected a port");
    check(&"ä".repeat(2049), "expected at most 4096 bytes, found 4098");
    check(
        &["interface ~ x"; 5].join(" or "),
        "expected at most 4 regular expressions in one filter, found `x`",
    );
    let long_name = "x".repeat(4096);
    let expected = format!(
        "column 1: expected a field of connections, found `{}…`",
        &long_name[..48]
    );
    check(&long_name, &expected);
    let deep = format!("{}closed{}", "(".repeat(32), ")".repeat(32));
    assert_eq!(read::<Connection>(&deep), "closed");
    let nots = format!("{}closed", "!".repeat(4089));
    assert_eq!(read::<Connection>(&nots), "not closed");
    let long = ["closed"; 400].join(" or ");
    assert_eq!(read::<Connection>(&long), long);
}
