//! The daemon as a host meets it: what it says when it cannot start, what it survives, and what it leaves
//! behind, which is nothing. The real program, in a network namespace of its own where it attaches.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

#[path = "support/namespace.rs"]
mod namespace;

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    net::TcpListener,
    process::{Command, Output},
    time::{Duration, Instant},
};

use aya::{
    maps::loaded_maps,
    programs::{loaded_links, loaded_programs},
};
use namespace::{Namespace, RunningDaemon, has_root};

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
    if !has_root() {
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
    if !has_root() {
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
    if !has_root() {
        return;
    }
    let namespace = Namespace::new("full");
    for redirection in [">/dev/full 2>/dev/full", ">&- 2>&-"] {
        let mut daemon = namespace.start_in_shell(PROGRAM, &["--interface", "lo"], redirection);
        let status = namespace.wait_for_status(PROGRAM);
        assert!(status.contains("TCX"), "{redirection}: {status}");
        assert_eq!(daemon.stop(), Some(0), "{redirection}");
    }
}

#[test]
fn a_killed_daemon_leaves_no_program_link_or_map_behind() {
    if !has_root() {
        return;
    }
    let namespace = Namespace::new("kill");
    let mut daemon = namespace.start(PROGRAM, &["--interface", "lo"]);
    let held = KernelObjects::of(&daemon);
    assert!(
        held.programs.len() >= 2 && held.links.len() == 2 && held.maps.len() >= 5,
        "{held:?}"
    );
    assert!(held.is_present(&KernelObjects::loaded()));
    daemon.kill();
    // The kernel frees objects after a grace period.
    let deadline = Instant::now() + Duration::from_secs(10);
    while held.overlaps(&KernelObjects::loaded()) {
        assert!(Instant::now() < deadline, "left behind: {held:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let disciplines = namespace.run("tc", &["qdisc", "show", "dev", "lo"]);
    assert!(!disciplines.contains("clsact"), "{disciplines}");
}

#[test]
fn two_daemons_on_one_interface_see_the_same() {
    if !has_root() {
        return;
    }
    let namespace = Namespace::new("two");
    let first = namespace.start(PROGRAM, &["--interface", "lo", "--listen", "127.0.0.1:50051"]);
    let second = namespace.start(PROGRAM, &["--interface", "lo", "--listen", "127.0.0.1:50052"]);
    let exchanged = namespace.exchange(100_000);
    for daemon in [&first, &second] {
        let row = namespace.wait_for_connection(PROGRAM, daemon, exchanged.source);
        assert_eq!(row["sent"]["payload_bytes"], 100_000, "{row}");
        assert_eq!(row["close_reason"], "CLOSE_REASON_FIN", "{row}");
    }
}

#[test]
fn without_tcx_it_attaches_by_clsact_and_says_so() {
    if !has_root() {
        return;
    }
    let namespace = Namespace::new("clsact");
    let mut killed = namespace.start(PROGRAM, &["--interface", "lo", "--hook", "clsact"]);
    killed.kill();
    let mut daemon = namespace.start(PROGRAM, &["--interface", "lo", "--hook", "clsact"]);
    let status = namespace.wait_for_status(PROGRAM);
    assert!(status.contains("clsact in place of TCX"), "{status}");
    let exchanged = namespace.exchange(10_000);
    let row = namespace.wait_for_connection(PROGRAM, &daemon, exchanged.source);
    assert_eq!(
        row["sent"]["payload_bytes"], 10_000,
        "counted once, though a killed daemon left filters: {row}"
    );
    assert_eq!(daemon.stop(), Some(0));
    for direction in ["ingress", "egress"] {
        let filters = namespace.run("tc", &["filter", "show", "dev", "lo", direction]);
        assert_eq!(filters.trim(), "", "{direction} filters are gone with the daemon");
    }
}

#[test]
fn a_kernel_that_hides_its_type_information_will_do() {
    if !has_root() {
        return;
    }
    let namespace = Namespace::new("nobtf");
    let hidden = "mount --make-rprivate / && mount -t tmpfs none /sys/kernel/btf && exec";
    let mut daemon = namespace.start_in_mount_namespace(PROGRAM, &["--interface", "lo"], hidden);
    let exchanged = namespace.exchange(10_000);
    let row = namespace.wait_for_connection(PROGRAM, &daemon, exchanged.source);
    assert_eq!(row["sent"]["payload_bytes"], 10_000, "{row}");
    assert_eq!(daemon.stop(), Some(0));
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
    fn of(daemon: &RunningDaemon) -> Self {
        let mut held = Self::default();
        for descriptor in fs::read_dir(format!("/proc/{}/fdinfo", daemon.pid())).unwrap() {
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
