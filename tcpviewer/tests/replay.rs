//! `tcpviewer replay` as a shell meets it: a capture that was recorded, in every form and on every link layer,
//! whole, cut and damaged.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/captures.rs"]
mod captures;

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use captures::{EXCHANGE, EXCHANGE_PACKETS, Form, Frame, PcapNg, exchange, pcap};
use serde_json::Value;

/// Runs the program with a capture on its standard input.
fn replay(capture: &[u8], arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_tcpviewer"))
        .args(["replay", "-"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    let capture = capture.to_vec();
    // It may stop reading before the end.
    let writer = std::thread::spawn(move || input.write_all(&capture).ok());
    let output = program.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// The connections of a capture in which nothing is wrong.
fn connections(capture: &[u8]) -> Vec<Value> {
    let output = replay(capture, &["--output", "json"]);
    let notes = text(&output.stderr);
    assert_eq!((output.status.code(), notes.as_str()), (Some(0), ""));
    lines(&output.stdout)
}

fn lines(output: &[u8]) -> Vec<Value> {
    text(output)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Packets in both directions, of each connection.
fn packets(connections: &[Value]) -> Vec<u64> {
    let count = |half: &Value| half["packets"].as_u64().unwrap();
    connections
        .iter()
        .map(|connection| count(&connection["sent"]) + count(&connection["received"]))
        .collect()
}

/// Checks what does not depend on how the exchange was written down.
fn check_exchange(connections: &[Value], name: &str) {
    assert_eq!(packets(connections), EXCHANGE_PACKETS, "{name}");
    let ids: Vec<_> = connections.iter().map(|each| each["id"].as_u64()).collect();
    assert_eq!(ids, [1, 2, 3, 4].map(Some), "{name}");
    for (connection, address) in connections.iter().zip(["127.0.0.1", "127.0.0.1", "::1", "::1"]) {
        assert_eq!(connection["source"]["address"], address, "{name}");
        assert_eq!(connection["orientation"], "ORIENTATION_HANDSHAKE", "{name}");
    }
    for complete in [&connections[0], &connections[2]] {
        assert_eq!(complete["source"]["port"], 40_000, "{name}");
        assert_eq!(complete["destination"]["port"], 8080, "{name}");
        assert_eq!(complete["sent"]["payload_bytes"], 30, "{name}");
        assert_eq!(complete["received"]["payload_bytes"], 2041, "{name}");
        assert_eq!(complete["received"]["retransmissions"], 0, "{name}");
        assert_eq!(complete["close_reason"], "CLOSE_REASON_FIN", "{name}");
        assert_eq!(complete["state"], "TCP_STATE_CLOSED", "{name}");
        assert_eq!(complete["destination_state"], "TCP_STATE_TIME_WAIT", "{name}");
    }
    for refused in [&connections[1], &connections[3]] {
        assert_eq!(refused["destination"]["port"], 8081, "{name}");
        assert_eq!(refused["close_reason"], "CLOSE_REASON_REFUSED", "{name}");
        assert_eq!(refused["handshake"].get("syn_to_syn_ack_us"), None, "{name}");
    }
}

/// The exchange with each frame changed.
fn changed(change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Frame> {
    let mut frames = exchange();
    for frame in &mut frames {
        frame.bytes = change(&frame.bytes);
    }
    frames
}

/// The same connection at another time with other sequence numbers.
fn later(frame: &Frame) -> Frame {
    let mut frame = frame.clone();
    frame.time_ns += 60_000_000_000;
    // Behind Ethernet and IPv4 without options: the sequence number, then the acknowledgement number.
    for offset in [38, 42] {
        let number: [u8; 4] = frame.bytes[offset..offset + 4].try_into().unwrap();
        let moved = u32::from_be_bytes(number).wrapping_add(1_000_000);
        frame.bytes[offset..offset + 4].copy_from_slice(&moved.to_be_bytes());
    }
    frame
}

#[test]
fn a_recorded_capture_is_listed_as_it_went() {
    let connections = connections(EXCHANGE);

    check_exchange(&connections, "as recorded");
    let first = &connections[0];
    assert_eq!(first["interface"], "lo");
    assert_eq!(first["handshake"]["rtt_us"], 28);
    assert_eq!(first["handshake"]["syn_to_syn_ack_us"], 12);
    assert_eq!(first["sent"]["mss_bytes"], 65_495);
    assert_eq!(first["sent"]["window_scale"], 10);
    let began = first["first_seen"].as_str().unwrap();
    let frames = exchange();
    assert!(
        began.ends_with(&format!("{:09}Z", frames[0].time_ns % 1_000_000_000)),
        "{began}"
    );
}

#[test]
fn every_form_of_a_capture_gives_the_same_connections() {
    let frames = exchange();
    for magic in [Form::MICROSECONDS, Form::NANOSECONDS, Form::MODIFIED] {
        for big_endian in [false, true] {
            let form = Form {
                magic,
                big_endian,
                ..Form::PLAIN
            };

            let connections = connections(&pcap(form, &frames));

            check_exchange(&connections, &format!("{form:?}"));
            // In microseconds 12,985 to 28,143 ns may be cut to 13 to 28 µs.
            let rtt_us = connections[0]["handshake"]["rtt_us"].as_u64().unwrap();
            assert!((27..=29).contains(&rtt_us), "{form:?}: {rtt_us}");
        }
    }
}

#[test]
fn a_clock_of_any_resolution_and_offset_tells_the_same_time() {
    let frames = exchange();
    let offset_seconds: i64 = -1_000_000;
    let expected = lines(&replay(EXCHANGE, &["--output", "json"]).stdout);
    for big_endian in [false, true] {
        let offset = if big_endian {
            offset_seconds.to_be_bytes()
        } else {
            offset_seconds.to_le_bytes()
        };
        let mut nanoseconds = PcapNg::new(big_endian);
        nanoseconds.interface(&[(2, b"lo"), (9, &[9]), (14, &offset)]);
        let mut powers_of_two = PcapNg::new(big_endian);
        powers_of_two.interface(&[(9, &[0x80 | 30])]);
        for frame in &frames {
            nanoseconds.packet(0, frame.time_ns + 1_000_000_000_000_000, &frame.bytes);
            let ticks = (u128::from(frame.time_ns) << 30).div_ceil(1_000_000_000);
            powers_of_two.packet(0, ticks as u64, &frame.bytes);
        }

        assert_eq!(connections(&nanoseconds.file), expected);
        let others = connections(&powers_of_two.file);
        check_exchange(&others, "powers of two");
        assert_eq!(others[0]["first_seen"], expected[0]["first_seen"]);
        assert_eq!(others[0]["interface"], "#0");
    }
}

#[test]
fn blocks_of_all_kinds_and_sections_of_both_byte_orders_may_follow_each_other() {
    let frames = exchange();
    let mut capture = PcapNg::new(false);
    // A comment longer than anything that is held.
    let mut secrets = capture.number(0x544c_534b).to_vec();
    secrets.resize(1 << 20, b'x');
    capture.block(10, &secrets);
    capture.interface(&[(9, &[9]), (1, b"a comment")]);
    for frame in &frames[..10] {
        capture.packet(0, frame.time_ns, &frame.bytes);
    }
    capture.big_endian = true;
    capture.section();
    // The packet block of old has 16 bits for the interface, and as many for lost packets.
    capture.interface(&[(9, &[9])]);
    for frame in &frames[10..20] {
        let length = frame.bytes.len() as u32;
        let header = [
            7,
            (frame.time_ns >> 32) as u32,
            frame.time_ns as u32,
            length,
            length,
        ];
        let mut body: Vec<u8> = header
            .iter()
            .flat_map(|&value: &u32| value.to_be_bytes())
            .collect();
        body.extend(&frame.bytes);
        capture.block(2, &body);
    }
    for frame in &frames[20..] {
        let mut body = (frame.bytes.len() as u32).to_be_bytes().to_vec();
        body.extend(&frame.bytes);
        capture.block(3, &body);
    }

    check_exchange(&connections(&capture.file), "mixed");
}

#[test]
fn ip_is_found_on_every_link_layer() {
    let behind = |header: &'static [u8]| {
        move |frame: &[u8]| {
            let mut bytes = header.to_vec();
            bytes.extend(&frame[14..]);
            bytes
        }
    };
    // A header that ends with the type of what follows.
    let typed = |before: &'static [u8]| move |frame: &[u8]| [before, &frame[12..]].concat();
    let tagged = |tags: &'static [u8]| move |frame: &[u8]| [&frame[..12], tags, &frame[12..]].concat();
    // What follows PPP is 0x0021 or 0x0057.
    let ppp = |before: &'static [u8]| {
        move |frame: &[u8]| {
            let protocol: &[u8] = if frame[12] == 0x08 { &[0, 0x21] } else { &[0, 0x57] };
            [before, protocol, &frame[14..]].concat()
        }
    };
    let sll2 = |frame: &[u8]| [&frame[12..14], &[0; 18], &frame[14..]].concat();
    type Change = Box<dyn Fn(&[u8]) -> Vec<u8>>;
    let layers: Vec<(&str, u16, u64, Change)> = vec![
        ("raw", 101, 0, Box::new(behind(&[]))),
        ("raw of BSD", 12, 0, Box::new(behind(&[]))),
        ("loopback, little-endian", 0, 4, Box::new(behind(&[30, 0, 0, 0]))),
        ("loopback, big-endian", 108, 4, Box::new(behind(&[0, 0, 0, 2]))),
        ("cooked", 113, 16, Box::new(typed(&[0; 14]))),
        ("cooked, version 2", 276, 20, Box::new(sll2)),
        ("ppp", 9, 4, Box::new(ppp(&[0xff, 3]))),
        ("ppp without address", 9, 2, Box::new(ppp(&[]))),
        ("cisco hdlc", 104, 4, Box::new(typed(&[0x0f, 0]))),
        ("vlan", 1, 18, Box::new(tagged(&[0x81, 0, 0, 5]))),
        (
            "qinq",
            1,
            22,
            Box::new(tagged(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6])),
        ),
        (
            "three tags",
            1,
            26,
            Box::new(tagged(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7])),
        ),
        (
            "pppoe in a vlan",
            1,
            26,
            Box::new(move |frame| {
                let length = (frame.len() - 14 + 2) as u16;
                let mut head = vec![0x81, 0, 0, 5, 0x88, 0x64, 0x11, 0, 0, 1];
                head.extend(length.to_be_bytes());
                [&frame[..12], &head, &ppp(&[])(frame)].concat()
            }),
        ),
    ];
    let plain = connections(EXCHANGE);
    for (name, link_type, header_bytes, change) in layers {
        let form = Form {
            link_type,
            ..Form::PLAIN
        };

        let connections = connections(&pcap(form, &changed(change)));

        check_exchange(&connections, name);
        let wire_bytes = |connections: &[Value]| connections[0]["sent"]["wire_bytes"].as_u64().unwrap();
        let sent = plain[0]["sent"]["packets"].as_u64().unwrap();
        assert_eq!(
            wire_bytes(&connections) + 14 * sent,
            wire_bytes(&plain) + header_bytes * sent,
            "{name}"
        );
    }
}

#[test]
fn packets_cut_by_the_snap_length_count_in_full() {
    let form = Form {
        snap_bytes: 96,
        ..Form::PLAIN
    };

    check_exchange(&connections(&pcap(form, &exchange())), "96 bytes");
}

#[test]
fn trailing_bytes_of_a_frame_are_no_payload() {
    let padded = changed(|frame| [frame, &[0; 20]].concat());

    check_exchange(&connections(&pcap(Form::PLAIN, &padded)), "padded");
}

#[test]
fn a_new_connection_on_the_same_endpoints_has_a_line_of_its_own() {
    let frames = exchange();
    let again = frames[..10].iter().map(later);
    let complete: Vec<_> = frames[..10].iter().cloned().chain(again.clone()).collect();
    let interrupted: Vec<_> = frames[..5].iter().cloned().chain(again).collect();

    let complete = connections(&pcap(Form::PLAIN, &complete));
    let interrupted = connections(&pcap(Form::PLAIN, &interrupted));

    assert_eq!(packets(&complete), [10, 10]);
    assert_eq!(complete[0]["close_reason"], "CLOSE_REASON_FIN");
    assert_eq!(packets(&interrupted), [5, 10]);
    assert_eq!(interrupted[0]["id"], 1);
    assert_eq!(interrupted[0]["close_reason"], "CLOSE_REASON_REPLACED");
    assert_eq!(interrupted[0]["closed_at"], interrupted[1]["first_seen"]);
}

#[test]
fn a_connection_that_the_capture_does_not_end_is_open() {
    let connections = connections(&pcap(Form::PLAIN, &exchange()[..5]));

    assert_eq!(connections[0]["state"], "TCP_STATE_ESTABLISHED");
    assert_eq!(connections[0].get("closed_at"), None);
}

#[test]
fn a_packet_captured_on_two_interfaces_counts_once() {
    let mut capture = PcapNg::new(false);
    capture.interface(&[(2, b"veth0"), (9, &[9])]);
    capture.interface(&[(2, b"eth0"), (9, &[9])]);
    for frame in &exchange()[..10] {
        for interface in [0, 1] {
            capture.packet(interface, frame.time_ns + u64::from(interface), &frame.bytes);
        }
    }

    let output = replay(&capture.file, &["--output", "json"]);

    let connections = lines(&output.stdout);
    assert_eq!(packets(&connections), [10]);
    assert_eq!(connections[0]["interface"], "veth0");
    assert_eq!(
        text(&output.stderr),
        "tcpviewer: 10 of 20 packets not counted: 10 counted on another interface\n"
    );
}

#[test]
fn times_that_go_backwards_do_no_harm() {
    let mut frames = exchange();
    let count = frames.len() as u64;
    for (index, frame) in frames.iter_mut().enumerate() {
        frame.time_ns = (count - index as u64) * 1_000_000_000;
    }
    frames[4].time_ns = 0;

    let connections = connections(&pcap(Form::PLAIN, &frames));

    check_exchange(&connections, "backwards");
    assert_eq!(
        connections[0]["handshake"].get("rtt_us"),
        None,
        "no time passes backwards"
    );
}

#[test]
fn a_capture_that_breaks_off_is_reported_as_far_as_it_goes() {
    let whole = pcap(Form::PLAIN, &exchange());
    let last = exchange().pop().unwrap().bytes.len() + 16;
    let start = whole.len() - last;
    for missing in [1, 60, last - 1] {
        let output = replay(&whole[..whole.len() - missing], &["--output", "json"]);

        assert_eq!(output.status.code(), Some(0));
        assert_eq!(packets(&lines(&output.stdout)), [10, 2, 10, 1]);
        assert_eq!(
            text(&output.stderr),
            format!(
                "tcpviewer: - is cut off in what begins at byte {start}, after 23 packets; those are counted\n"
            )
        );
    }
    let newer = &EXCHANGE[..EXCHANGE.len() - 2];
    let output = replay(newer, &["--output", "json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(packets(&lines(&output.stdout)), EXCHANGE_PACKETS);
    assert!(text(&output.stderr).contains("is cut off in what begins at byte"));
}

#[test]
fn a_damaged_capture_is_reported_up_to_the_damage() {
    let frames = exchange();
    let mut older = pcap(Form::PLAIN, &frames[..10]);
    older.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let mut newer = PcapNg::new(false);
    newer.interface(&[]);
    for frame in &frames[..10] {
        newer.packet(0, frame.time_ns / 1000, &frame.bytes);
    }
    let sound = newer.file.clone();
    newer.file.extend([6, 0, 0, 0, 0xf0, 0xff, 0xff, 0xff]);
    let mut other_end = PcapNg {
        file: sound.clone(),
        ..newer
    };
    other_end.packet(0, 0, &frames[0].bytes);
    let length = other_end.file.len();
    other_end.file[length - 4] ^= 4;
    let mut long_packet = sound;
    long_packet.extend([6, 0, 0, 0, 32, 0, 0, 0]);
    long_packet.extend([0; 12]);
    long_packet.extend([200, 0, 0, 0, 200, 0, 0, 0, 32, 0, 0, 0]);
    for (capture, damage) in [
        (&older, "a packet of 4294967295 bytes"),
        (&newer.file, "a block of 4294967280 bytes"),
        (&other_end.file, "whose end gives another length"),
        (&long_packet, "a packet of 200 bytes in a block of 32"),
    ] {
        let output = replay(capture, &["--output", "json"]);

        assert_eq!(output.status.code(), Some(0), "{damage}");
        assert_eq!(packets(&lines(&output.stdout)), [10], "{damage}");
        let note = text(&output.stderr);
        assert!(note.contains(damage), "{note}");
        assert!(note.contains("after 10 packets"), "{note}");
    }
}

#[test]
fn what_is_no_capture_is_refused() {
    let header = pcap(Form::PLAIN, &[]);
    for (input, reason) in [
        (&b""[..], "not a capture: it is empty"),
        (&b"abc"[..], "not a capture: it ends within its header"),
        (
            &b"[package]\nname"[..],
            "not a capture: it begins like neither pcap nor pcapng",
        ),
        (&header[..20], "not a capture: it ends within its header"),
        (&EXCHANGE[..20], "not a capture: it ends within its header"),
        (
            &[0x1f, 0x8b, 8, 0, 0, 0][..],
            "not a capture: it is compressed; unpack it first, as in `gunzip -c FILE | tcpviewer replay -`",
        ),
    ] {
        let output = replay(input, &[]);

        assert_eq!(output.status.code(), Some(1), "{reason}");
        assert_eq!(text(&output.stderr), format!("tcpviewer: replay -: {reason}\n"));
        assert!(output.stdout.is_empty());
    }
    for (file, reason) in [
        ("/nonexistent.pcap", "open: no such file or directory"),
        ("/", "read: is a directory"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_tcpviewer"))
            .args(["replay", file])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(
            text(&output.stderr),
            format!("tcpviewer: replay {file}: {reason}\n")
        );
    }
}

#[test]
fn a_capture_without_packets_has_no_connections() {
    let empty = pcap(Form::PLAIN, &[]);

    assert_eq!(connections(&empty), [] as [Value; 0]);
    assert_eq!(text(&replay(&empty, &[]).stdout).lines().count(), 1);
}

#[test]
fn what_was_not_counted_is_told_by_reason() {
    let mut frames = exchange();
    frames[0].bytes[12] = 0x99;
    frames[1].bytes[23] = 17;
    frames[2].bytes.truncate(40);
    let form = Form {
        link_type: 127,
        ..Form::PLAIN
    };

    let some = replay(&pcap(Form::PLAIN, &frames), &[]);
    let none = replay(&pcap(form, &frames), &[]);

    assert_eq!(
        text(&some.stderr),
        "tcpviewer: 3 of 24 packets not counted: 1 not IP, 1 not TCP, 1 cut within their headers\n"
    );
    assert_eq!(
        text(&none.stderr),
        "tcpviewer: 24 of 24 packets not counted: 24 of link type 127, which is not supported\n"
    );
    assert_eq!(none.status.code(), Some(0));
}

#[test]
fn the_table_and_the_csv_have_a_line_for_each_connection() {
    let table = text(&replay(EXCHANGE, &[]).stdout);
    let csv = text(&replay(EXCHANGE, &["--output", "csv"]).stdout);

    let rows: Vec<_> = table.lines().collect();
    assert!(rows[0].starts_with("STATE "), "{table}");
    assert!(rows[1].contains("127.0.0.1:40000  127.0.0.1:8080"), "{table}");
    assert!(rows[3].contains("[::1]:40000"), "{table}");
    assert_eq!(rows.len(), 5);
    let records: Vec<_> = csv.split_terminator("\r\n").collect();
    assert!(records[0].starts_with("id,source_address,source_port,"), "{csv}");
    assert!(
        records[3]
            .starts_with("3,::1,40000,::1,8080,ORIENTATION_HANDSHAKE,TCP_STATE_CLOSED,CLOSE_REASON_FIN,lo,"),
        "{csv}"
    );
    assert_eq!(records.len(), 5);
}

#[test]
fn a_filter_keeps_the_connections_for_which_it_holds_at_the_end() {
    let kept = |filter: &str| {
        let output = replay(EXCHANGE, &["--output", "json", "--filter", filter]);
        lines(&output.stdout)
            .iter()
            .map(|connection| connection["id"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };

    assert_eq!(kept("ip6 and close_reason == fin"), [3]);
    assert_eq!(kept("dst port 8080 or 8081 and has rtt"), [1, 3]);
    assert_eq!(kept("close_reason == refused and not has rtt"), [2, 4]);
    assert_eq!(kept("received.bytes > 2kB and rtt < 50us"), [1]);
    assert_eq!(kept("open"), [] as [u64; 0]);
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_none() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/exchange.pcapng");
    let run = |output: Stdio| {
        Command::new(env!("CARGO_BIN_EXE_tcpviewer"))
            .arg("replay")
            .arg(&file)
            .stdout(output)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
            .wait_with_output()
            .unwrap()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);

    let full = run(File::create("/dev/full").unwrap().into());
    let closed = run(writer.into());

    assert_eq!(
        (full.status.code(), text(&full.stderr).as_str()),
        (
            Some(1),
            "tcpviewer: write to the standard output: no space left on device\n"
        )
    );
    assert_eq!(
        (closed.status.code(), text(&closed.stderr).as_str()),
        (Some(0), "")
    );
}

/// Every prefix of a capture, and every capture with one byte changed, is answered.
#[test]
fn nothing_in_a_capture_makes_it_panic() {
    let frames = exchange();
    let mut newer = PcapNg::new(false);
    newer.interface(&[(2, b"lo"), (9, &[9]), (14, &[0; 8])]);
    newer.packet(0, frames[0].time_ns, &frames[0].bytes);
    newer.packet(0, frames[1].time_ns, &frames[1].bytes);
    for capture in [newer.file, pcap(Form::PLAIN, &frames[..2])] {
        for end in 0..capture.len() {
            tcpviewer::capture::replay::replay(&capture[..end], 16).ok();
        }
        for position in 0..capture.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = capture.clone();
                changed[position] = value;
                tcpviewer::capture::replay::replay(changed.as_slice(), 16).ok();
            }
        }
    }
}

/// With `TCPVIEWER_CAPTURES=FOLDER`: every file in it is replayed, or refused with a reason.
#[test]
fn captures_of_others_are_replayed_or_refused() {
    let Some(folder) = std::env::var_os("TCPVIEWER_CAPTURES") else {
        println!("skipped: TCPVIEWER_CAPTURES names no folder");
        return;
    };
    let files = files(Path::new(&folder));
    assert!(!files.is_empty());
    for file in files {
        let output = Command::new(env!("CARGO_BIN_EXE_tcpviewer"))
            .args(["replay", "--output", "json"])
            .arg(&file)
            .output()
            .unwrap();

        let notes = String::from_utf8_lossy(&output.stderr);
        assert!(!notes.contains("panicked"), "{}: {notes}", file.display());
        match output.status.code() {
            Some(0) => drop(lines(&output.stdout)),
            Some(1) => assert!(notes.contains(": not a capture: "), "{}: {notes}", file.display()),
            other => panic!("{}: {other:?} {notes}", file.display()),
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
