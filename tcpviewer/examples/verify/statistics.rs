//! What the verifier makes of the programs of an object: instructions in each, instructions and states that it went
//! through. aya keeps the verifier's statistics to itself, so the programs are loaded a second time by hand.

use std::{
    collections::HashSet,
    ffi::CString,
    io,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData},
    programs::SchedClassifier,
};
use aya_obj::{
    Function, Object, ProgramSection,
    btf::{Btf, BtfKind},
    generated::{bpf_attach_type, bpf_prog_type},
};
use tcpviewer::attach::{failures, layout::Layouts};

/// What the verifier made of one program.
pub(crate) struct Verified {
    pub(crate) name: String,
    /// Instructions in it, functions that it calls included.
    pub(crate) length: usize,
    /// Instructions that the verifier went through.
    pub(crate) instructions: u64,
    /// States that it kept.
    pub(crate) states: u64,
}

/// Loads every program of the daemon's object, in order of their names.
pub(crate) fn programs(object_bytes: &[u8]) -> Result<Vec<Verified>> {
    // Creates the maps that the programs refer to.
    let Layouts { task, socket, .. } = Layouts::of_kernel();
    let task = task.map_err(anyhow::Error::msg)?;
    let socket = socket.map_err(anyhow::Error::msg)?;
    let mut loaded = EbpfLoader::new()
        .override_global("TASK_LAYOUT", &task, true)
        .override_global("SOCKET_LAYOUT", &socket, true)
        .load(object_bytes)
        .context("create the maps")?;
    let types = types(&mut loaded)?;
    let mut object = Object::parse(object_bytes).context("read the object")?;
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

    let mut names: Vec<&String> = object.programs.keys().collect();
    names.sort();
    let kernel_types = Btf::from_sys_fs().context("read the kernel's types")?;
    let mut programs = Vec::new();
    for name in names {
        let program = object.programs.get(name).context("a program by its name")?;
        let function = object
            .functions
            .get(&program.function_key())
            .context("the program's code")?;
        let kind = kind(name, &program.section, &kernel_types)?;
        let statistics = verify(kind, function, &types, &object.license)
            .with_context(|| format!("load {name} into the kernel"))?;
        programs.push(Verified {
            name: name.clone(),
            length: function.instructions.len(),
            instructions: statistics.instructions,
            states: statistics.states,
        });
    }
    Ok(programs)
}

/// The types that the object describes, which aya hands to the kernel with the first program.
fn types(loaded: &mut Ebpf) -> Result<OwnedFd> {
    let mut programs = loaded.programs_mut().map(|(_, program)| program);
    let program: &mut SchedClassifier = programs
        .find_map(|program| program.try_into().ok())
        .context("the object has no program for packets")?;
    program.load()?;
    let id = program.info()?.btf_id().context("the object has no types")?;
    call(BPF_BTF_GET_FD_BY_ID, &id).context("open the object's types")
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

/// BPF_F_XDP_HAS_FRAGS (Linux 5.18).
const WITH_FRAGMENTS: u32 = 1 << 5;

/// How the kernel calls a program, what it is attached to where that decides, a kind of place and one of the kernel's
/// types, and what it is ready for.
type Kind = (bpf_prog_type, u32, u32, u32);

/// That of the program of this name and section.
fn kind(name: &str, section: &ProgramSection, kernel_types: &Btf) -> Result<Kind> {
    if let ProgramSection::SchedClassifier = section {
        Ok((bpf_prog_type::BPF_PROG_TYPE_SCHED_CLS, 0, 0, 0))
    } else if let ProgramSection::Xdp { frags, .. } = section {
        let flags = if *frags { WITH_FRAGMENTS } else { 0 };
        let attach_type = bpf_attach_type::BPF_XDP as u32;
        Ok((bpf_prog_type::BPF_PROG_TYPE_XDP, attach_type, 0, flags))
    } else if let ProgramSection::CgroupSockAddr { attach_type } = section {
        let attach_type = bpf_attach_type::from(*attach_type);
        Ok((
            bpf_prog_type::BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
            attach_type as u32,
            0,
            0,
        ))
    } else if let ProgramSection::CgroupSock { attach_type } = section {
        let attach_type = bpf_attach_type::from(*attach_type);
        let attach_type = attach_type as u32;
        Ok((bpf_prog_type::BPF_PROG_TYPE_CGROUP_SOCK, attach_type, 0, 0))
    } else if let ProgramSection::SockOps = section {
        Ok((bpf_prog_type::BPF_PROG_TYPE_SOCK_OPS, 0, 0, 0))
    } else if let ProgramSection::BtfTracePoint = section {
        let mut known = failures::PROGRAMS.iter();
        let (_name, trace_point, _effect) = known
            .find(|(known, ..)| *known == name)
            .context("the object has a trace point that is not expected")?;
        let trace_point = format!("btf_trace_{trace_point}");
        Ok((
            bpf_prog_type::BPF_PROG_TYPE_TRACING,
            bpf_attach_type::BPF_TRACE_RAW_TP as u32,
            kernel_types.id_by_type_name_kind(&trace_point, BtfKind::Typedef)?,
            0,
        ))
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
    types: u32,
    function_bytes: u32,
    functions: u64,
    function_count: u32,
    line_bytes: u32,
    lines: u64,
    line_count: u32,
    attach_type_id: u32,
}

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_BTF_GET_FD_BY_ID: libc::c_int = 19;
/// BPF_LOG_STATS.
const STATISTICS_ONLY: u32 = 4;

fn verify(
    (kind, expected_attach_type, attach_type_id, flags): Kind,
    function: &Function,
    types: &OwnedFd,
    license: &CString,
) -> Result<Statistics> {
    let mut log = vec![0_u8; 64 * 1024];
    let functions = function.func_info.func_info_bytes();
    let attributes = LoadAttributes {
        kind: kind as u32,
        instruction_count: u32::try_from(function.instructions.len())?,
        instructions: function.instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        log_level: STATISTICS_ONLY,
        log_bytes: u32::try_from(log.len())?,
        log: log.as_mut_ptr() as u64,
        expected_attach_type,
        types: u32::try_from(types.as_raw_fd())?,
        function_bytes: u32::try_from(function.func_info_rec_size)?,
        functions: functions.as_ptr() as u64,
        function_count: u32::try_from(function.func_info.func_info.len())?,
        attach_type_id,
        flags,
        ..LoadAttributes::default()
    };
    let loaded = call(BPF_PROG_LOAD, &attributes);
    let text = String::from_utf8_lossy(&log);
    let text = text.trim_end_matches('\0').trim();
    drop(loaded.with_context(|| text.to_owned())?);
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

/// A call of the kernel that returns a descriptor. `attributes` begin as its `union bpf_attr` does.
#[expect(
    unsafe_code,
    reason = "no library call returns the verifier's statistics of a program it accepts"
)]
fn call<T>(command: libc::c_int, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the attributes have their true size, and what they point to lives until the call returns.
    let descriptor = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    match RawFd::try_from(descriptor) {
        // SAFETY: the call has just returned this descriptor, and nobody else knows it.
        Ok(descriptor) if descriptor >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(descriptor) }),
        Ok(_) | Err(_) => Err(io::Error::last_os_error()),
    }
}
