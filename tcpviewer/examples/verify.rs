//! Loads every eBPF program into the running kernel and prints what the verifier made of it: instructions in
//! the program, instructions and states the verifier went through, and how much of its limit that leaves.
//! Fails when a program is turned down or comes closer to the limit than [`MARGIN_PERCENT`]. aya keeps the
//! verifier's statistics to itself, so the programs are loaded a second time by hand.
#![expect(clippy::print_stdout, reason = "the table is for whoever runs this")]

use std::{
    collections::HashSet,
    ffi::CString,
    io,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::{
    EbpfLoader,
    maps::{Map, MapData},
};
use aya_obj::{
    Object, ProgramSection,
    generated::{bpf_attach_type, bpf_insn, bpf_prog_type},
};
use tcpviewer::attach::layout;

/// BPF_COMPLEXITY_LIMIT_INSNS of the kernel (Linux 5.2 and newer).
const LIMIT: u64 = 1_000_000;
/// The part of the limit that must be left.
const MARGIN_PERCENT: u64 = 50;

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tcpviewer"));

fn main() -> Result<()> {
    // Creates the maps that the programs refer to.
    let layout = layout::of_kernel().map_err(anyhow::Error::msg)?;
    let loaded = EbpfLoader::new()
        .override_global("TASK_LAYOUT", &layout, true)
        .load(OBJECT)
        .context("create the maps")?;
    let mut object = Object::parse(OBJECT).context("read the object")?;
    let maps = std::mem::take(&mut object.maps);
    let sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
    let descriptors: Vec<(&str, RawFd)> = loaded
        .maps()
        .map(|(name, map)| Ok((name, data(map)?.fd().as_fd().as_raw_fd())))
        .collect::<Result<_>>()?;
    let known = descriptors
        .iter()
        .filter_map(|(name, descriptor)| Some((*name, *descriptor, maps.get(*name)?)));
    object.relocate_maps(known, &sections)?;
    object.relocate_calls(&sections)?;

    println!(
        "{:<14} {:>12} {:>12} {:>8} {:>8}",
        "program", "instructions", "verified", "states", "left"
    );
    let mut names: Vec<&String> = object.programs.keys().collect();
    names.sort();
    for name in names {
        let program = object.programs.get(name).context("a program by its name")?;
        let function = object
            .functions
            .get(&program.function_key())
            .context("the program's code")?;
        let statistics = verify(kind(&program.section)?, &function.instructions, &object.license)
            .with_context(|| format!("load {name} into the kernel"))?;
        let left = 100 - statistics.instructions * 100 / LIMIT;
        println!(
            "{name:<14} {:>12} {:>12} {:>8} {left:>6} %",
            function.instructions.len(),
            statistics.instructions,
            statistics.states
        );
        ensure!(
            left >= MARGIN_PERCENT,
            "{name} leaves {left} % of the verifier's limit, less than {MARGIN_PERCENT}"
        );
    }
    Ok(())
}

/// What is behind the kinds of maps that the object has.
fn data(map: &Map) -> Result<&MapData> {
    if let Map::Array(data)
    | Map::HashMap(data)
    | Map::LruHashMap(data)
    | Map::PerCpuArray(data)
    | Map::RingBuf(data) = map
    {
        Ok(data)
    } else {
        bail!("the object has a map of a kind that is not expected")
    }
}

/// How the kernel calls a program of this section, and what it is attached to where that decides.
fn kind(section: &ProgramSection) -> Result<(bpf_prog_type, u32)> {
    if let ProgramSection::SchedClassifier = section {
        Ok((bpf_prog_type::BPF_PROG_TYPE_SCHED_CLS, 0))
    } else if let ProgramSection::CgroupSockAddr { attach_type } = section {
        let attach_type = bpf_attach_type::from(*attach_type);
        Ok((bpf_prog_type::BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attach_type as u32))
    } else if let ProgramSection::CgroupSock { attach_type } = section {
        let attach_type = bpf_attach_type::from(*attach_type);
        Ok((bpf_prog_type::BPF_PROG_TYPE_CGROUP_SOCK, attach_type as u32))
    } else if let ProgramSection::SockOps = section {
        Ok((bpf_prog_type::BPF_PROG_TYPE_SOCK_OPS, 0))
    } else {
        bail!("the object has a program of a kind that is not expected")
    }
}

/// What the verifier went through.
struct Statistics {
    instructions: u64,
    states: u64,
}

/// The part of `union bpf_attr` that BPF_PROG_LOAD needs (include/uapi/linux/bpf.h).
#[repr(C)]
#[derive(Default)]
struct LoadAttributes {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_bytes: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface: u32,
    expected_attach_type: u32,
}

const BPF_PROG_LOAD: libc::c_int = 5;
/// BPF_LOG_STATS.
const STATISTICS_ONLY: u32 = 4;

#[expect(
    unsafe_code,
    reason = "no library call returns the verifier's statistics of a program it accepts"
)]
fn verify(
    (kind, expected_attach_type): (bpf_prog_type, u32),
    instructions: &[bpf_insn],
    license: &CString,
) -> Result<Statistics> {
    let mut log = vec![0_u8; 64 * 1024];
    let attributes = LoadAttributes {
        kind: kind as u32,
        instruction_count: u32::try_from(instructions.len())?,
        instructions: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: STATISTICS_ONLY,
        log_bytes: u32::try_from(log.len())?,
        log: log.as_mut_ptr() as u64,
        expected_attach_type,
        ..LoadAttributes::default()
    };
    // SAFETY: the attributes point to memory that lives until the call returns, with its true sizes.
    let descriptor = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            &attributes,
            size_of::<LoadAttributes>(),
        )
    };
    let error = io::Error::last_os_error();
    let text = String::from_utf8_lossy(&log);
    let text = text.trim_end_matches('\0').trim();
    if descriptor < 0 {
        bail!("{error}: {text}");
    }
    // SAFETY: the call has just returned this descriptor, and nobody else knows it.
    drop(unsafe { OwnedFd::from_raw_fd(RawFd::try_from(descriptor)?) });
    Ok(Statistics {
        instructions: number_after(text, "processed ").context("the verifier's statistics")?,
        states: number_after(text, "total_states ").context("the verifier's statistics")?,
    })
}

/// The number that follows `words`.
fn number_after(text: &str, words: &str) -> Option<u64> {
    let (_, rest) = text.split_once(words)?;
    rest.split_whitespace().next()?.parse().ok()
}
