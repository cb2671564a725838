//! Attaches the programs that learn why connections fail to the kernel's own trace points, by their types and not by
//! tracefs, which need not be mounted. Each of them is optional: in: the loaded object. Out: what is missing, and what
//! that costs. The links end with the process.

use aya::{
    Btf, Ebpf,
    programs::{BtfTracePoint, Program, ProgramError},
};

use super::links::cause;
use crate::model::Degradation;

/// Programs, the trace points that they are for, and what is not known without them.
pub const PROGRAMS: [(&str, &str, &str); 2] = [
    (
        "socket_error",
        "inet_sk_error_report",
        "of connections that fail it is not known with which error, and those that time out end later",
    ),
    (
        "reset_sent",
        "tcp_send_reset",
        "of resets that this host sends it is not known why",
    ),
];

/// Attaches what can be attached. `unknown` says why the programs would find nothing, for each.
pub(super) fn attach(ebpf: &mut Ebpf, unknown: &[Option<String>; 2]) -> Vec<Degradation> {
    let types = Btf::from_sys_fs().map_err(|error| error.to_string());
    let programs = PROGRAMS.into_iter().zip(unknown);
    let refused = programs.filter_map(|((name, trace_point, effect), unknown)| {
        let attached = match (unknown, &types) {
            (Some(reason), _) | (None, Err(reason)) => Err(reason.clone()),
            (None, Ok(types)) => attach_one(ebpf, name, trace_point, types),
        };
        attached.err().map(|reason| Degradation {
            feature: format!("failures: {name}"),
            reason,
            effect: effect.to_owned(),
        })
    });
    refused.collect()
}

fn attach_one(ebpf: &mut Ebpf, name: &str, trace_point: &str, types: &Btf) -> Result<(), String> {
    let program = ebpf
        .program_mut(name)
        .ok_or_else(|| String::from("the object lacks it"))?;
    load_and_attach(program, trace_point, types)
        .map_err(|error| format!("attach to {trace_point}: {}", cause(&error)))
}

fn load_and_attach(program: &mut Program, trace_point: &str, types: &Btf) -> Result<(), ProgramError> {
    let program: &mut BtfTracePoint = program.try_into()?;
    program.load(trace_point, types)?;
    program.attach()?;
    Ok(())
}
