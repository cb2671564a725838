//! The programs in the kernel and the replay of a capture are one tracker: every packet of every capture goes
//! through the loaded programs, by `BPF_PROG_TEST_RUN` with the time it was captured at, and the records in the
//! kernel's map are compared field by field with those of the replay, and the ledger reason by reason.
//!
//! Own captures always; with `TCPVIEWER_CAPTURES=FOLDER` all those in the folder. What no device would hand to the
//! programs is left out on both sides and told with its count: see [`Obstacle`].
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and says what it left out"
)]

#[path = "support/captures.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod captures;
#[path = "support/live.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, HashMap, MapData, PerCpuArray, PerCpuValues, RingBuf},
    programs::{SchedClassifier, TestRun as _, TestRunOptions},
    util::nr_cpus,
};
use captures::{EXCHANGE, Form, PcapNg, exchange, pcap};
use rustix::thread::{CpuSet, sched_setaffinity};
use support::{namespaces::Namespace, require_root};
use tcpviewer::{
    capture::{
        convert,
        replay::{Capture, CapturedPacket, connections::Connections},
    },
    model::Ledger,
};
use tcpviewer_common::{
    abi::Plain as _,
    connection::{ConnectionKey, ConnectionRecord, ConnectionSlot},
    event::{ConnectionEvent, Settings},
    half_open::places,
    ledger::LedgerCounters,
    limits::DEFAULT_MAX_CONNECTIONS,
    parse::{Captured, Link, Skip, parse},
};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tcpviewer"));

/// `struct __sk_buff` (include/uapi/linux/bpf.h): its size, and where `ifindex` and `tstamp` are.
const CONTEXT_BYTES: usize = 184;
const CONTEXT_IFINDEX: usize = 40;
const CONTEXT_TSTAMP: usize = 152;

/// Interfaces that a capture may have here: the loopback and both ends of so many pairs.
const PAIRS: u32 = 4;

/// Why the programs cannot be given a packet as a device would hand it to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Obstacle {
    /// No device of Linux has packets that begin like this, or the interface is not described.
    LinkLayer,
    /// The capture cut it where its headers are, so their rest is unknown.
    CutInHeaders,
    /// It is longer than what a run may be given, or shorter than an Ethernet header.
    Length,
    /// The replay follows more tags, and PPPoE, than the programs do.
    Encapsulation,
}

/// What of a packet the programs are given: the hook, and the packet in its full length. What the capture cut off
/// is payload, which nobody looks at, and is made up of zeros.
fn carried(packet: &CapturedPacket, longest: usize) -> Result<(&'static str, Vec<u8>), Obstacle> {
    let (program, link) = match packet.link_type {
        Some(1) => ("ethernet_in", Link::Ethernet),
        Some(12 | 14 | 101 | 228 | 229) => ("bare_in", Link::None),
        Some(_) | None => return Err(Obstacle::LinkLayer),
    };
    let captured = Captured {
        bytes: &packet.bytes,
        length: packet.length,
    };
    let whole = packet.bytes.len() == packet.length;
    match parse(&captured, link) {
        Ok(segment) if packet.bytes.len() < segment.header_bytes as usize => {
            return Err(Obstacle::CutInHeaders);
        }
        Err(Skip::Truncated) if !whole => return Err(Obstacle::CutInHeaders),
        Err(Skip::NotIp) if link == Link::Ethernet && is_followed_by_replay(packet) => {
            return Err(Obstacle::Encapsulation);
        }
        Ok(_) | Err(_) => {}
    }
    if !(14..=longest).contains(&packet.length) {
        return Err(Obstacle::Length);
    }
    let mut bytes = packet.bytes.clone();
    bytes.resize(packet.length, 0);
    Ok((program, bytes))
}

/// Whether the replay finds IP in a packet.
fn is_followed_by_replay(packet: &CapturedPacket) -> bool {
    let mut alone = Connections::new(1);
    alone.take(packet);
    alone.ledger().packets_not_ip == 0
}

/// The loaded programs and their maps.
struct Kernel {
    ebpf: Ebpf,
    connections: HashMap<MapData, ConnectionKey, ConnectionSlot>,
    events: RingBuf<MapData>,
    ledger: PerCpuArray<MapData, LedgerCounters>,
    /// The newest form of every connection that was reported, by id.
    reported: BTreeMap<u64, (ConnectionKey, ConnectionRecord)>,
    /// The longest packet that a run takes.
    longest: usize,
}

impl Kernel {
    /// Loads the programs, which take each packet's own time for now.
    fn load() -> Self {
        let mut ebpf = EbpfLoader::new()
            .override_global("TIME_OF_PACKETS", &1_u32, true)
            .load(OBJECT)
            .unwrap();
        let settings = Settings {
            // Reports of what opens, ends and is replaced are enough: the rest is in the map.
            update_interval_ns: u64::MAX,
            watch_packets: 0,
            id_step: u32::try_from(nr_cpus().unwrap()).unwrap() + 1,
            half_open_mask: places(DEFAULT_MAX_CONNECTIONS) - 1,
            packet_filter: 0,
            packet_sampling_mask: 0,
            refuses_new: 0,
        };
        let mut map = |name| ebpf.take_map(name).unwrap();
        let mut array: Array<_, Settings> = Array::try_from(map("SETTINGS")).unwrap();
        array.set(0, settings, 0).unwrap();
        let mut kernel = Self {
            connections: HashMap::try_from(map("CONNECTIONS")).unwrap(),
            events: RingBuf::try_from(map("CONNECTION_EVENTS")).unwrap(),
            ledger: PerCpuArray::try_from(map("LEDGER")).unwrap(),
            ebpf,
            reported: BTreeMap::new(),
            longest: 0,
        };
        for name in ["ethernet_in", "bare_in"] {
            kernel.program(name).load().unwrap();
        }
        // About a page less what the kernel keeps beside the packet.
        kernel.longest = (1_500..=65_535)
            .rev()
            .step_by(64)
            .find(|&length| kernel.try_run("ethernet_in", &vec![0; length], 1, 1))
            .unwrap();
        kernel.clear();
        kernel
    }

    fn program(&mut self, name: &str) -> &mut SchedClassifier {
        self.ebpf.program_mut(name).unwrap().try_into().unwrap()
    }

    fn try_run(&mut self, program: &str, packet: &[u8], interface: u32, time_ns: u64) -> bool {
        let mut context = [0; CONTEXT_BYTES];
        context[CONTEXT_IFINDEX..][..4].copy_from_slice(&interface.to_ne_bytes());
        context[CONTEXT_TSTAMP..][..8].copy_from_slice(&time_ns.to_ne_bytes());
        let options = TestRunOptions {
            data_in: Some(packet),
            ctx_in: Some(&context),
            ..TestRunOptions::default()
        };
        self.program(program).test_run(options).is_ok()
    }

    /// Forgets everything.
    fn clear(&mut self) {
        let keys: Vec<_> = self.connections.keys().map(Result::unwrap).collect();
        for key in keys {
            self.connections.remove(&key).unwrap();
        }
        let cpus = vec![LedgerCounters::default(); nr_cpus().unwrap()];
        self.ledger
            .set(0, PerCpuValues::try_from(cpus).unwrap(), 0)
            .unwrap();
        while self.events.next().is_some() {}
        self.reported.clear();
    }

    /// Runs a packet and takes what was reported.
    fn take(&mut self, program: &str, bytes: &[u8], packet: &CapturedPacket) {
        assert!(
            self.try_run(program, bytes, packet.interface + 1, packet.time_ns),
            "a run of {program} with {} bytes: {}",
            bytes.len(),
            std::io::Error::last_os_error()
        );
        while let Some(item) = self.events.next() {
            let ConnectionEvent { key, record, .. } = ConnectionEvent::from_bytes(&item).unwrap();
            self.reported.insert(record.id, (key, record));
        }
    }

    /// All records in order of their ids: those in the map, and those that were replaced as they were reported.
    fn records(&mut self) -> Vec<(ConnectionKey, ConnectionRecord)> {
        for entry in self.connections.iter() {
            let (key, slot) = entry.unwrap();
            self.reported.insert(slot.record.id, (key, slot.record));
        }
        self.reported.values().copied().collect()
    }

    fn ledger(&self) -> Ledger {
        let ledger = convert::ledger(&self.ledger.get(&0, 0).unwrap());
        assert_eq!(ledger.connection_events_lost, 0);
        // The replay has no rings.
        Ledger {
            connection_events: 0,
            ..ledger
        }
    }
}

/// The record without what the kernel alone keeps: its id, of which it gives each CPU its own, and the time of its
/// newest report.
fn comparable((key, record): &(ConnectionKey, ConnectionRecord)) -> (ConnectionKey, ConnectionRecord) {
    let record = ConnectionRecord {
        id: 0,
        emitted_ns: 0,
        ..*record
    };
    (*key, record)
}

/// What was compared.
#[derive(Debug, Default)]
struct Compared {
    captures: usize,
    /// Captures of which nothing was left out.
    whole: usize,
    packets: u64,
    connections: usize,
    left_out: BTreeMap<Obstacle, u64>,
}

impl Compared {
    /// Runs a capture both ways.
    fn compare(&mut self, kernel: &mut Kernel, name: &str, bytes: &[u8]) {
        let Ok(mut capture) = Capture::open(bytes) else {
            return;
        };
        kernel.clear();
        let mut replayed = Connections::new(u32::MAX);
        let mut is_whole = true;
        while let Some(packet) = capture.next_packet() {
            match carried(packet, kernel.longest) {
                Ok((program, bytes)) => {
                    kernel.take(program, &bytes, packet);
                    replayed.take(packet);
                    self.packets += 1;
                }
                Err(obstacle) => {
                    is_whole = false;
                    *self.left_out.entry(obstacle).or_default() += 1;
                }
            }
        }

        assert_eq!(kernel.ledger(), replayed.ledger(), "{name}: ledger");
        let (kernel, replayed) = (kernel.records(), replayed.records());
        assert_eq!(kernel.len(), replayed.len(), "{name}: number of connections");
        for (number, (kernel, replayed)) in kernel.iter().zip(&replayed).enumerate() {
            assert_eq!(
                comparable(kernel),
                comparable(replayed),
                "{name}: connection {number} in the kernel and in the replay"
            );
        }
        self.captures += 1;
        self.whole += usize::from(is_whole);
        self.connections += kernel.len();
    }

    fn tell(&self) {
        println!(
            "{} captures, {} of them whole: {} packets, {} connections, identical in every field; \
             packets left out: {:?}",
            self.captures, self.whole, self.packets, self.connections, self.left_out
        );
    }
}

/// Runs the action on one CPU, so that ids rise, in a namespace whose interfaces have the numbers 1 to 9.
fn in_the_kernel<T: Send>(action: impl FnOnce(&mut Kernel) -> T + Send) -> T {
    let namespace = Namespace::new();
    for pair in 1..=PAIRS {
        let (first, second) = (2 * pair, 2 * pair + 1);
        namespace.ip(&format!(
            "link add index {first} name a{pair} type veth peer index {second} name b{pair}"
        ));
    }
    namespace.enter(|| {
        let mut cpus = CpuSet::new();
        cpus.set(0);
        sched_setaffinity(None, &cpus).unwrap();
        action(&mut Kernel::load())
    })
}

/// One packet that passes two interfaces, and back: each half has a home.
fn on_two_interfaces() -> Vec<u8> {
    let mut capture = PcapNg::new(false);
    capture.interface(&[(2, b"veth0"), (9, &[9])]);
    capture.interface(&[(2, b"eth0"), (9, &[9])]);
    for frame in exchange() {
        for interface in [0, 1] {
            capture.packet(interface, frame.time_ns + u64::from(interface), &frame.bytes);
        }
    }
    capture.file
}

/// The same connection again before the first one ended, and what is neither IP nor TCP nor whole.
fn with_replacements_and_refuse() -> Vec<u8> {
    let mut frames = exchange()[..5].to_vec();
    for frame in &exchange()[..10] {
        let mut frame = frame.clone();
        frame.time_ns += 60_000_000_000;
        for offset in [38, 42] {
            let number: [u8; 4] = frame.bytes[offset..offset + 4].try_into().unwrap();
            let moved = u32::from_be_bytes(number).wrapping_add(1_000_000);
            frame.bytes[offset..offset + 4].copy_from_slice(&moved.to_be_bytes());
        }
        frames.push(frame);
    }
    for (position, value) in [(12, 0x99), (23, 17), (21, 1), (46, 0xf0), (14, 0x41)] {
        let mut frame = exchange()[3].clone();
        frame.bytes[position] = value;
        frames.push(frame);
    }
    let mut short = exchange()[0].clone();
    short.bytes.truncate(40);
    frames.push(short);
    pcap(Form::PLAIN, &frames)
}

fn bare() -> Vec<u8> {
    let mut frames = exchange();
    for frame in &mut frames {
        frame.bytes.drain(..14);
    }
    let form = Form {
        link_type: 101,
        ..Form::PLAIN
    };
    pcap(form, &frames)
}

fn cut() -> Vec<u8> {
    let form = Form {
        snap_bytes: 96,
        ..Form::PLAIN
    };
    pcap(form, &exchange())
}

#[test]
fn the_kernel_s_records_are_those_of_the_replay() {
    if !require_root() {
        return;
    }
    let own: [(&str, Vec<u8>); 5] = [
        ("exchange", EXCHANGE.to_vec()),
        ("two interfaces", on_two_interfaces()),
        ("replacements and refuse", with_replacements_and_refuse()),
        ("bare IP", bare()),
        ("cut to 96 bytes", cut()),
    ];

    let compared = in_the_kernel(|kernel| {
        let mut compared = Compared::default();
        for (name, bytes) in &own {
            compared.compare(kernel, name, bytes);
        }
        compared
    });

    compared.tell();
    assert_eq!((compared.captures, compared.whole), (5, 5));
    assert_eq!(compared.connections, 4 + 4 + 2 + 4 + 4);
}

/// With `TCPVIEWER_CAPTURES=FOLDER`: every capture in it.
#[test]
fn the_kernel_s_records_are_those_of_the_replay_for_captures_of_others() {
    let Some(folder) = std::env::var_os("TCPVIEWER_CAPTURES") else {
        println!("skipped: TCPVIEWER_CAPTURES names no folder");
        return;
    };
    if !require_root() {
        return;
    }
    let files = files(Path::new(&folder));

    let compared = in_the_kernel(|kernel| {
        let mut compared = Compared::default();
        for file in &files {
            let bytes = fs::read(file).unwrap();
            compared.compare(kernel, &file.display().to_string(), &bytes);
        }
        compared
    });

    compared.tell();
    assert!(compared.packets > 0);
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
