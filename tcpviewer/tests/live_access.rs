//! The real daemon behind TLS and on a Unix socket: where it says it can be reached, what it says about files that
//! others can read, that it reads them again when it is told to, and what it leaves behind, which is nothing.
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
    fs,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Output},
};

use rcgen::CertifiedKey;
use rustix::process::{Pid, Signal, kill_process};
use support::{PATIENCE, daemon::Daemon, namespaces::Namespace, require_root, wait_for};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tcpviewer");

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn a_guarded_daemon_reads_its_files_again_on_sighup_and_takes_its_socket_with_it() {
    if !require_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(path("certificate.pem"), cert.pem()).unwrap();
    fs::write(path("key.pem"), signing_key.serialize_pem()).unwrap();
    fs::set_permissions(path("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let made = Command::new(PROGRAM)
        .args(["token", "--name", "a", "--role", "connections"])
        .output()
        .unwrap();
    fs::write(path("access.toml"), &made.stdout).unwrap();
    fs::set_permissions(path("access.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    let told = String::from_utf8(made.stderr).unwrap();
    let token = told
        .split_whitespace()
        .find(|word| word.starts_with("tcpviewer_"))
        .unwrap();
    let config = format!(
        "interface = [\"lo\"]\nlisten = [\"0.0.0.0:50443\", \"unix:{}\"]\ntls_certificate = {:?}\ntls_key = {:?}\n\
         access = {:?}\n",
        path("api.sock"),
        path("certificate.pem"),
        path("key.pem"),
        path("access.toml")
    );
    fs::write(path("config.toml"), config).unwrap();
    let namespace = Namespace::new();
    let daemon = Daemon::start(&namespace, &["--config", &path("config.toml")]);
    let status = |server: &str, token: &str| {
        let mut command = namespace.command(PROGRAM);
        command
            .args(["status", "--server", server, "--ca", &path("certificate.pem")])
            .env("TCPVIEWER_TOKEN", token);
        text(&command.output().unwrap())
    };
    let socket = format!("unix:{}", path("api.sock"));

    assert_eq!(daemon.url, "https://0.0.0.0:50443");
    for server in ["https://127.0.0.1:50443", &socket] {
        assert!(
            status(server, token).contains("interface     lo"),
            "{}",
            status(server, token)
        );
        assert!(
            status(server, "wrong").contains("a valid token"),
            "{}",
            status(server, "wrong")
        );
    }
    let log = daemon.log();
    assert!(
        log.contains(&format!(
            "every user of this host can read or change {}",
            path("key.pem")
        )),
        "{log}"
    );
    assert!(
        !log.contains("change access.toml") && !log.contains(&token[..20]),
        "{log}"
    );
    // The files are as they were, so nothing but the signal can be the reason.
    assert!(!log.contains("read again"), "{log}");
    kill_process(Pid::from_raw(daemon.id() as i32).unwrap(), Signal::HUP).unwrap();
    wait_for(PATIENCE, "both files read again", || {
        let log = daemon.log();
        let both = log.contains("the certificate read again") && log.contains("the access file read again");
        both.then_some(())
    });
    assert!(status(&socket, token).contains("interface     lo"));

    assert!(fs::exists(path("api.sock")).unwrap());
    daemon.stop();
    assert!(!fs::exists(path("api.sock")).unwrap());
}
