//! The daemon as a host meets it: what it says when it cannot start, what it survives, and what it leaves
//! behind, which is nothing. The real program, in a network namespace of its own where it attaches.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and says why it is skipped"
)]

#[path = "support/live.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Output},
    thread,
};

use aya::{
    maps::loaded_maps,
    programs::{loaded_links, loaded_programs},
};
use rustix::process::{Pid, Signal, kill_process};
use support::{
    PATIENCE,
    daemon::Daemon,
    namespaces::{Namespace, output},
    require_root, wait_for,
};
use tcpviewer::proto::{CloseReason, Connection};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tcpviewer");

/// Runs `tcpviewer run` where it must fail, and returns its exit status and what it said.
fn refused(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new("timeout");
    command.args(["20", PROGRAM, "run"]).args(arguments);
    outcome(command.env_remove("TCPVIEWER_INTERFACE").output().unwrap())
}

fn outcome(output: Output) -> (i32, String) {
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_wrong_setting_is_named_with_what_would_fit() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "listen = \"127.0.0.1:50051\"\ncolour = 3").unwrap();
    let path = file.path().to_str().unwrap();
    for (arguments, words) in [
        (vec!["--config", path], "line 2"),
        (
            vec!["--config", "/nonexistent/file"],
            "read configuration /nonexistent/file",
        ),
        (vec!["--listen", "0.0.0.0:50051"], "--insecure"),
        (vec!["--listen", "here"], "not an IP address and port"),
        (vec!["--update-interval", "fast"], "250ms"),
        (vec!["--keep-closed", "1y"], "must be from"),
        (vec!["--interface", "a/b"], "name of an interface"),
        (vec!["--no-such-flag"], "--help"),
    ] {
        let (status, text) = refused(&arguments);
        assert_eq!(status, 2, "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
    }
}

#[test]
fn without_capabilities_it_names_those_it_lacks() {
    if !require_root() {
        return;
    }
    // The build folder may be closed to other users, so the program is copied where all can read.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let copy = folder.path().join("tcpviewer");
    fs::copy(PROGRAM, &copy).unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--bounding-set=-all",
    ]);
    let (status, text) = outcome(
        command
            .arg(copy)
            .args(["run", "--listen", "127.0.0.1:0"])
            .output()
            .unwrap(),
    );
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("lacks CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF"),
        "{text}"
    );
}

#[test]
fn an_interface_that_does_not_exist_is_named_beside_those_that_do() {
    if !require_root() {
        return;
    }
    let (status, text) = refused(&["--interface", "nosuch0", "--listen", "127.0.0.1:0"]);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains("nosuch0: no such interface; this host has") && text.contains("lo"),
        "{text}"
    );
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_is_attached() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, text) = refused(&["--listen", &address]);
    assert_eq!(status, 1, "{text}");
    assert!(
        text.contains(&format!("listen on {address}: address already in use")),
        "{text}"
    );
}

#[test]
fn a_full_disk_or_a_closed_stdout_does_not_stop_it() {
    if !require_root() {
        return;
    }
    let namespace = Namespace::new();
    for redirection in [">/dev/full 2>/dev/full", ">&- 2>&-"] {
        let line = format!("exec \"$0\" run --interface lo {redirection}");
        let mut shell = namespace.command("sh");
        let mut daemon = shell.args(["-c", &line, PROGRAM]).spawn().unwrap();
        let status = wait_for(PATIENCE, "status of the daemon", || {
            let answer = namespace.command(PROGRAM).arg("status").output().unwrap();
            answer
                .status
                .success()
                .then(|| String::from_utf8(answer.stdout).unwrap())
        });
        assert!(status.contains("TCX"), "{redirection}: {status}");
        assert_eq!(terminate(&mut daemon), Some(0), "{redirection}");
    }
}

#[test]
fn a_killed_daemon_leaves_no_program_link_or_map_behind() {
    if !require_root() {
        return;
    }
    let namespace = Namespace::new();
    let daemon = Daemon::start(&namespace, &["--interface", "lo"]);
    let held = KernelObjects::of(daemon.id());
    assert!(
        held.programs.len() >= 2 && held.links.len() == held.programs.len() && held.maps.len() >= 5,
        "{held:?}"
    );
    assert!(held.is_present(&KernelObjects::loaded()));
    // Its guard sends SIGKILL, which leaves a program no chance to clean up.
    drop(daemon);
    // The kernel frees objects after a grace period.
    wait_for(PATIENCE, "end of what the daemon held in the kernel", || {
        (!held.overlaps(&KernelObjects::loaded())).then_some(())
    });
    let disciplines = output(namespace.command("tc").args(["qdisc", "show", "dev", "lo"]));
    assert!(!disciplines.contains("clsact"), "{disciplines}");
}

#[test]
fn two_daemons_on_one_interface_see_the_same() {
    if !require_root() {
        return;
    }
    let namespace = Namespace::new();
    let first = Daemon::start(&namespace, &["--interface", "lo", "--listen", "127.0.0.1:50051"]);
    let second = Daemon::start(&namespace, &["--interface", "lo", "--listen", "127.0.0.1:50052"]);
    let source = exchange(&namespace, 100_000);
    for daemon in [&first, &second] {
        let row = ended_connection(daemon, source);
        assert_eq!(row.sent.unwrap_or_default().payload_bytes, 100_000);
        assert_eq!(row.close_reason, i32::from(CloseReason::Fin));
    }
}

#[test]
fn without_tcx_it_attaches_by_clsact_and_says_so() {
    if !require_root() {
        return;
    }
    let namespace = Namespace::new();
    let arguments = ["--interface", "lo", "--hook", "clsact"];
    drop(Daemon::start(&namespace, &arguments));
    let daemon = Daemon::start(&namespace, &arguments);
    let degradations = daemon.status().degradations;
    assert!(
        degradations
            .iter()
            .any(|named| named.reason.contains("clsact in place of TCX")),
        "{degradations:?}"
    );
    let row = ended_connection(&daemon, exchange(&namespace, 10_000));
    let sent = row.sent.unwrap_or_default();
    assert_eq!(
        sent.payload_bytes, 10_000,
        "counted once, though a killed daemon left its filters"
    );
    daemon.stop();
    for direction in ["ingress", "egress"] {
        let filters = output(
            namespace
                .command("tc")
                .args(["filter", "show", "dev", "lo", direction]),
        );
        assert_eq!(filters.trim(), "", "{direction} filters are gone with the daemon");
    }
}

#[test]
fn a_kernel_that_hides_its_type_information_will_do() {
    if !require_root() {
        return;
    }
    let namespace = Namespace::new();
    let hidden =
        "mount --make-rprivate / && mount -t tmpfs none /sys/kernel/btf && exec \"$0\" run --interface lo";
    let mut command = namespace.command("unshare");
    command.args(["--mount", "sh", "-c", hidden, PROGRAM]);
    let daemon = Daemon::serving(&namespace, command);
    let row = ended_connection(&daemon, exchange(&namespace, 10_000));
    assert_eq!(row.sent.unwrap_or_default().payload_bytes, 10_000);
    daemon.stop();
}

/// Ends a process as a service manager does; returns its exit status.
fn terminate(child: &mut Child) -> Option<i32> {
    kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    child.wait().unwrap().code()
}

/// Sends so many bytes over a connection on the loopback of the namespace, to the end. Returns its source.
fn exchange(namespace: &Namespace, bytes: usize) -> SocketAddr {
    namespace.enter(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let receiver = thread::spawn(move || {
            let mut received = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
            received.len()
        });
        stream.write_all(&vec![7; bytes]).unwrap();
        let source = stream.local_addr().unwrap();
        drop(stream);
        assert_eq!(receiver.join().unwrap(), bytes);
        source
    })
}

/// The connection from `source`, once it is listed as ended.
fn ended_connection(daemon: &Daemon<'_>, source: SocketAddr) -> Connection {
    wait_for(PATIENCE, "the connection's end in the list", || {
        daemon.list().into_iter().find(|row| {
            let from = row.source.clone().unwrap_or_default();
            row.closed_at.is_some()
                && from.address == source.ip().to_string()
                && from.port == u32::from(source.port())
        })
    })
}

/// Ids of what is in the kernel.
#[derive(Debug, Default)]
struct KernelObjects {
    programs: BTreeSet<u32>,
    links: BTreeSet<u32>,
    maps: BTreeSet<u32>,
}

impl KernelObjects {
    /// What a daemon holds, by its open descriptors.
    fn of(process: u32) -> Self {
        let mut held = Self::default();
        for descriptor in fs::read_dir(format!("/proc/{process}/fdinfo")).unwrap() {
            let Ok(text) = fs::read_to_string(descriptor.unwrap().path()) else {
                continue;
            };
            let id = |name: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(name)?.trim().parse::<u32>().ok())
            };
            if let Some(link) = id("link_id:") {
                held.links.insert(link);
            }
            held.programs.extend(id("prog_id:"));
            held.maps.extend(id("map_id:"));
        }
        held
    }

    /// All that the kernel has.
    fn loaded() -> Self {
        Self {
            programs: loaded_programs()
                .filter_map(Result::ok)
                .map(|program| program.id())
                .collect(),
            links: loaded_links()
                .filter_map(Result::ok)
                .map(|link| link.id())
                .collect(),
            maps: loaded_maps().filter_map(Result::ok).map(|map| map.id()).collect(),
        }
    }

    fn is_present(&self, all: &Self) -> bool {
        self.programs.is_subset(&all.programs)
            && self.links.is_subset(&all.links)
            && self.maps.is_subset(&all.maps)
    }

    fn overlaps(&self, all: &Self) -> bool {
        !(self.programs.is_disjoint(&all.programs)
            && self.links.is_disjoint(&all.links)
            && self.maps.is_disjoint(&all.maps))
    }
}
