//! The daemon where something is missing that it would like to use: it runs, says what is missing and what that costs,
//! and tells what can be told without. Control groups are with the owners of sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise"
)]

#[expect(dead_code, reason = "each file of tests uses its part")]
#[path = "support/live.rs"]
mod support;

use std::{io, net::TcpListener, os::unix::process::CommandExt as _, process::Command};

use support::{
    PATIENCE,
    daemon::{Daemon, assert_no_loss},
    namespaces::Pair,
    require_root, share_machine,
    traffic::Open,
    wait_for,
};
use tcpviewer::proto::{Connection, Degradation, SocketSource, VerdictKind};

#[test]
fn without_sock_diag_procfs_tells_who_listens_and_packets_tell_the_rest() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let listener = pair.left.enter(|| TcpListener::bind((Pair::LEFT, 0)).unwrap());
    let listens_at = listener.local_addr().unwrap();
    let mut command = pair.left.command(env!("CARGO_BIN_EXE_tcpviewer"));
    command.args(["run", "--interface", "veth0"]);
    deny_sock_diag(&mut command);

    let daemon = Daemon::serving(&pair.left, command);

    let degradation = named(&daemon, "sockets");
    assert!(degradation.reason.starts_with("procfs only: "), "{degradation:?}");
    assert!(degradation.reason.contains("sock_diag"), "{degradation:?}");
    assert!(
        degradation.effect.contains("older than the daemon"),
        "{degradation:?}"
    );

    let waiting = [(); 2].map(|()| {
        let connect = || std::net::TcpStream::connect(listens_at).unwrap();
        pair.right.enter(connect)
    });
    let found = wait_for(PATIENCE, "listener with two that wait", || {
        let listeners = daemon.listeners();
        let mut at = listeners
            .into_iter()
            .filter(|each| each.address.as_ref().unwrap().port == u32::from(listens_at.port()));
        at.next()
            .filter(|each| each.accept_queue == 2 && each.process.is_some())
    });
    assert_eq!(found.process.unwrap().pid, std::process::id());
    assert_eq!((found.accept_queue_limit, found.drops), (None, None), "not known");
    let counters = daemon.stats().host_counters;
    assert!(
        counters
            .iter()
            .any(|each| each.name == "PassiveOpens" && each.total >= 2)
    );

    let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    open.exchange_in_turn(5_000, 7_000);
    let port = u32::from(open.ends().0.port());
    let is_it = |each: &Connection| each.source.as_ref().unwrap().port == port;
    let connection = wait_for(PATIENCE, "connection with a verdict", || {
        let mut listed = daemon.list().into_iter();
        let found = listed.find(is_it)?;
        let bytes = found.received.as_ref().unwrap().payload_bytes;
        (bytes == 7_000 && found.verdict.is_some()).then_some(found)
    });
    assert_eq!(connection.verdict.unwrap().kind(), VerdictKind::Healthy);
    let socket = connection.sent.unwrap().socket.unwrap();
    assert_eq!((socket.source(), socket.looked_at), (SocketSource::Egress, None));
    assert_no_loss(&daemon.status().ledger.unwrap());
    drop((waiting, open));
    daemon.stop();
}

#[test]
fn with_the_processes_of_others_hidden_it_runs_and_says_so() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let hidden = "mount -t proc -o hidepid=2 proc /proc && exec setpriv --bounding-set \
                  -sys_ptrace,-dac_read_search,-dac_override -- \"$0\" run --interface veth0";
    let mut command = pair.left.command("unshare");
    command.args(["--mount", "bash", "-c", hidden, env!("CARGO_BIN_EXE_tcpviewer")]);

    let daemon = Daemon::serving(&pair.left, command);

    let degradation = named(&daemon, "owner");
    assert!(degradation.reason.contains("CAP_SYS_PTRACE"), "{degradation:?}");
    assert!(degradation.effect.contains("other users"), "{degradation:?}");
    assert_counts(&pair, &daemon);
    daemon.stop();
}

#[test]
fn without_tracefs_nothing_is_missing() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let whole = Daemon::start(&pair.left, &["--interface", "veth0"]);
    let degradations = whole.status().degradations;
    whole.stop();
    let hidden = "umount -a -t tracefs; umount -a -t debugfs; exec \"$0\" run --interface veth0";
    let mut command = pair.left.command("unshare");
    command.args(["--mount", "bash", "-c", hidden, env!("CARGO_BIN_EXE_tcpviewer")]);

    let daemon = Daemon::serving(&pair.left, command);

    assert_eq!(daemon.status().degradations, degradations);
    assert_counts(&pair, &daemon);
    daemon.stop();
}

#[test]
fn without_the_kernels_types_failures_have_no_reason_and_it_says_so() {
    if !require_root() {
        return;
    }
    let _machine = share_machine();
    let pair = Pair::new();
    let hidden =
        "mount --make-rprivate / && mount -t tmpfs none /sys/kernel/btf && exec \"$0\" run --interface veth0";
    let mut command = pair.left.command("unshare");
    command.args(["--mount", "sh", "-c", hidden, env!("CARGO_BIN_EXE_tcpviewer")]);

    let daemon = Daemon::serving(&pair.left, command);

    for (feature, effect) in [
        ("failures: socket_error", "with which error"),
        ("failures: reset_sent", "not known why"),
    ] {
        let degradation = named(&daemon, feature);
        assert!(
            degradation.reason.contains("/sys/kernel/btf/vmlinux"),
            "{degradation:?}"
        );
        assert!(degradation.effect.contains(effect), "{degradation:?}");
    }
    let refused = pair.left.enter(|| std::net::TcpStream::connect((Pair::RIGHT, 9)));
    assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let connection = wait_for(PATIENCE, "refused connection", || {
        daemon.list_of("close_reason == refused").pop()
    });
    assert_eq!((connection.source_error, connection.reset), (None, None));
    assert_counts(&pair, &daemon);
    daemon.stop();
}

fn named(daemon: &Daemon<'_>, feature: &str) -> Degradation {
    let degradations = daemon.status().degradations;
    let mut found = degradations.iter().filter(|each| each.feature == feature);
    found
        .next()
        .cloned()
        .unwrap_or_else(|| panic!("no {feature} in {degradations:?}"))
}

/// What passes is counted.
fn assert_counts(pair: &Pair, daemon: &Daemon<'_>) {
    let open = Open::new(&pair.left, &pair.right, Pair::RIGHT);
    open.exchange_in_turn(5_000, 7_000);
    let port = u32::from(open.ends().0.port());
    wait_for(PATIENCE, "connection with its bytes", || {
        let mut listed = daemon.list().into_iter();
        let found = listed.find(|each| each.source.as_ref().unwrap().port == port)?;
        (found.received.unwrap().payload_bytes == 7_000).then_some(())
    });
}

/// The command, and whatever it becomes, gets no sockets for sock_diag, as where the kernel was built without.
#[expect(unsafe_code, reason = "a filter of system calls is set between fork and exec")]
fn deny_sock_diag(command: &mut Command) {
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
