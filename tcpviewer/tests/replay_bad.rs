//! `tcpviewer replay` with captures as nobody wants them: endless, huge, silent, unreadable. It says what is wrong,
//! reports what it could read, and its memory stays bounded.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/captures.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod captures;

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use captures::{EXCHANGE, Form, Frame, exchange, pcap};
use rustix::{
    io::ioctl_fionread,
    process::{Pid, Signal, kill_process},
};
use tcpviewer::capture::replay::{Fault, replay};

/// Nothing here takes longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the program may take with few connections, whatever the length of the input. It starts with 20 MiB.
const MEMORY_BYTES: u64 = 64 << 20;

fn start(file: &str, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_tcpviewer"))
        .args(["replay", file])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn interrupt(program: &Child) {
    kill_process(Pid::from_child(program), Signal::INT).unwrap();
}

/// The most memory that the program had so far, bytes.
fn peak_memory(program: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

fn outcome(output: &Output) -> (Option<i32>, usize, String) {
    (
        output.status.code(),
        output.stdout.split_inclusive(|&byte| byte == b'\n').count(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

fn wait_until(what: &str, mut look: impl FnMut() -> bool) {
    let started = Instant::now();
    while !look() {
        assert!(started.elapsed() < PATIENCE, "no {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// SYNs of connections that were never seen before, as many as there are addresses.
fn new_connections(from: u32, count: u32) -> Vec<u8> {
    let syn = exchange().remove(0);
    let frames: Vec<Frame> = (from..from + count)
        .map(|number| {
            let mut frame = syn.clone();
            frame.bytes[26..30].copy_from_slice(&number.to_be_bytes());
            frame
        })
        .collect();
    let header = pcap(Form::PLAIN, &[]).len();
    pcap(Form::PLAIN, &frames).split_off(header)
}

#[test]
fn an_endless_pipe_of_new_connections_is_bounded_and_listed_at_an_interrupt() {
    const ROUNDS: u32 = 100;
    const ROUND: u32 = 2_000;
    let mut program = start("-", &["--output", "json", "--max-connections", "1000"]);
    let mut input = program.stdin.take().unwrap();

    input.write_all(&pcap(Form::PLAIN, &[])).unwrap();
    for round in 0..ROUNDS {
        input.write_all(&new_connections(round * ROUND, ROUND)).unwrap();
    }
    wait_until("end of the reading", || ioctl_fionread(&input).unwrap() == 0);
    let memory = peak_memory(&program);
    interrupt(&program);
    let (status, lines, notes) = outcome(&program.wait_with_output().unwrap());

    let packets = ROUNDS * ROUND;
    let untracked = packets - 1_000;
    assert_eq!((status, lines), (Some(0), 1_000), "{notes}");
    assert_eq!(
        notes,
        format!(
            "tcpviewer: stopped after {packets} packets of -; those are counted\n\
             tcpviewer: {untracked} of {packets} packets not counted: {untracked} of connections beyond the \
             first 1000 (see --max-connections)\n"
        )
    );
    assert!(memory < MEMORY_BYTES, "{memory} bytes of memory");
}

#[test]
fn two_gigabytes_take_no_more_memory_than_two_kilobytes() {
    // As long as a packet with segmentation offload can be.
    let mut data = exchange().remove(3);
    data.bytes.resize(65_000, 0);
    let header = pcap(Form::PLAIN, &[]);
    let chunk = pcap(Form::PLAIN, &vec![data; 32]).split_off(header.len());
    let chunks = (2_u64 << 30).div_ceil(chunk.len() as u64);
    let mut program = start("-", &["--output", "json"]);
    let mut input = program.stdin.take().unwrap();

    input.write_all(&header).unwrap();
    for _ in 0..chunks {
        input.write_all(&chunk).unwrap();
    }
    wait_until("end of the reading", || ioctl_fionread(&input).unwrap() == 0);
    let memory = peak_memory(&program);
    drop(input);
    let output = program.wait_with_output().unwrap();

    let (status, lines, notes) = outcome(&output);
    assert_eq!((status, lines, notes.as_str()), (Some(0), 1, ""));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packets = |half: &str| json[half]["packets"].as_u64().unwrap();
    assert_eq!(packets("sent") + packets("received"), chunks * 32);
    assert!(memory < MEMORY_BYTES, "{memory} bytes of memory");
}

#[test]
fn a_pipe_that_falls_silent_is_listed_at_an_interrupt() {
    let whole = pcap(Form::PLAIN, &exchange()[..5]);
    // Between two packets, and within one.
    for (length, packets) in [(whole.len(), 5), (whole.len() - 3, 4)] {
        let mut program = start("-", &["--output", "json"]);
        let mut input = program.stdin.take().unwrap();
        input.write_all(&whole[..length]).unwrap();
        wait_until("end of the reading", || ioctl_fionread(&input).unwrap() == 0);

        interrupt(&program);

        let (status, lines, notes) = outcome(&program.wait_with_output().unwrap());
        assert_eq!((status, lines), (Some(0), 1));
        assert_eq!(
            notes,
            format!("tcpviewer: stopped after {packets} packets of -; those are counted\n")
        );
    }
}

#[test]
fn a_named_pipe_that_nobody_writes_to_can_be_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let program = start(path.to_str().unwrap(), &[]);
    // Opening without waiting works once the other end is open.
    let mut writer = None;
    wait_until("reader of the pipe", || {
        writer = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .ok();
        writer.is_some()
    });

    interrupt(&program);

    let (status, lines, notes) = outcome(&program.wait_with_output().unwrap());
    assert_eq!((status, lines), (Some(1), 0));
    assert_eq!(
        notes,
        format!("tcpviewer: replay {}: stopped before it began\n", path.display())
    );
}

#[test]
fn what_cannot_be_read_is_told_with_the_reason() {
    // Write-only for everybody, root included; readable but with nothing at its beginning.
    for (file, reason) in [
        ("/sys/bus/cpu/drivers_probe", "open: permission denied"),
        ("/proc/self/mem", "read: input/output error"),
        ("/dev/null", "not a capture: it is empty"),
        (
            "/dev/zero",
            "not a capture: it begins like neither pcap nor pcapng",
        ),
    ] {
        let (status, lines, notes) = outcome(&start(file, &[]).wait_with_output().unwrap());

        assert_eq!((status, lines), (Some(1), 0), "{file}: {notes}");
        assert_eq!(notes, format!("tcpviewer: replay {file}: {reason}\n"));
    }
}

/// A disk that fails behind these bytes.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::Error::other("bad sector")),
            count => Ok(count),
        }
    }
}

#[test]
fn what_lies_before_a_bad_sector_is_reported() {
    let whole = pcap(Form::PLAIN, &exchange());
    let last = exchange().pop().unwrap().bytes.len() + 16;
    for (bytes, packets, connections) in [(&whole[..], 24, 4), (&whole[..whole.len() - 1], 23, 4)] {
        let replay = replay(Failing(bytes), 16).unwrap();

        assert_eq!((replay.packets, replay.connections.len()), (packets, connections));
        let end = replay.broken_off.unwrap();
        assert!(matches!(&end.fault, Fault::Read(error) if error.to_string() == "bad sector"));
        let expected = if packets == 24 {
            whole.len()
        } else {
            whole.len() - last
        };
        assert_eq!(end.byte, expected as u64);
    }
    let newer = replay(Failing(EXCHANGE), 16).unwrap();
    assert!(matches!(newer.broken_off.unwrap().fault, Fault::Read(_)));
}

#[test]
fn new_connections_on_old_endpoints_are_bounded_as_well() {
    let syn = exchange().remove(0);
    let frames: Vec<Frame> = (0..50_u32)
        .map(|number| {
            let mut frame = syn.clone();
            frame.bytes[38..42].copy_from_slice(&(number * 1_000_000).to_be_bytes());
            frame
        })
        .collect();

    let replay = replay(pcap(Form::PLAIN, &frames).as_slice(), 16).unwrap();

    assert_eq!(replay.connections.len(), 16);
    assert_eq!(replay.ledger.packets_tracked, 16);
    assert_eq!(replay.ledger.packets_table_full, 34);
}

#[test]
fn too_few_or_too_many_connections_are_wrong_usage() {
    for number in ["1", "99999999"] {
        let program = start(
            Path::new("/dev/null").to_str().unwrap(),
            &["--max-connections", number],
        );
        let (status, _, notes) = outcome(&program.wait_with_output().unwrap());
        assert_eq!(status, Some(2));
        assert!(notes.contains("from 16 to 16777216"), "{notes}");
    }
}
