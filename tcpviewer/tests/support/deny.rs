//! What is taken from a daemon to see how it does without.

use std::{io, os::unix::process::CommandExt as _, process::Command};

/// The command, and whatever it becomes, gets no sockets for sock_diag, as where the kernel was built without.
#[expect(unsafe_code, reason = "a filter of system calls is set between fork and exec")]
pub(crate) fn deny_sock_diag(command: &mut Command) {
    // Where they are in `struct seccomp_data`, of the arguments the lower halves (Linux, include/uapi/linux/seccomp.h).
    const NUMBER: u32 = 0;
    const FAMILY: u32 = 16;
    const PROTOCOL: u32 = 32;
    let load = |offset| instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset);
    // Where it is not equal, over so many to the last one, which allows.
    let unless =
        |value: i64, over| instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, over, value as u32);
    let end = |verdict| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, verdict);
    let mut program = [
        load(NUMBER),
        unless(libc::SYS_socket, 5),
        load(FAMILY),
        unless(libc::AF_NETLINK.into(), 3),
        load(PROTOCOL),
        unless(libc::NETLINK_SOCK_DIAG.into(), 1),
        end(libc::SECCOMP_RET_ERRNO | libc::EPROTONOSUPPORT as u32),
        end(libc::SECCOMP_RET_ALLOW),
    ];
    let set = move || {
        let filter = libc::sock_fprog {
            len: program.len() as u16,
            filter: program.as_mut_ptr(),
        };
        // SAFETY: PR_SET_SECCOMP takes a `sock_fprog` (man 2 prctl), which the kernel copies; it and its instructions
        // live longer than the call.
        let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const filter) };
        if set == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(set) };
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}
