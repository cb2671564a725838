//! The dashboard in a real Chromium against the real daemon: rows appear and change without a reload, details
//! open, the page survives a restart of the daemon, and asks for a token where one is wanted. What the browser
//! does is in `web/e2e`; this starts the daemon for it.
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
    io::{self, Read},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, Scope},
    time::Duration,
};

use rcgen::CertifiedKey;
use support::{
    daemon::Daemon,
    fate::Conditions,
    iperf,
    lossy::LossyLink,
    namespaces::{Namespace, Pair},
    own_machine, require_root,
};

/// The line that the browser sees: far away, and bad.
const LINE: Conditions = Conditions {
    delay: Duration::from_millis(20),
    loss: 0.02,
    reordering: 0.01,
    held_back: Duration::from_millis(20),
    ..Conditions::PERFECT
};
const NETWORK: u8 = 1;
const SERVER: (Ipv4Addr, u16) = (Ipv4Addr::new(10, 77, NETWORK, 2), 9000);

#[test]
fn a_browser_shows_connections_as_they_live() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let program = env!("CARGO_BIN_EXE_tcpviewer");
    let web = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../web"));
    assert!(
        web.join("dist/index.html").exists(),
        "build the dashboard first: npm run build in web"
    );
    let namespace = Namespace::new();
    let daemon = Daemon::start(&namespace, &["--interface", "lo", "--listen", "127.0.0.1:50100"]);
    let certificates = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(certificates.path().join("certificate.pem"), cert.pem()).unwrap();
    fs::write(certificates.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
    let mut browser: Command = namespace.command("npm");
    let status = browser
        .args(["run", "--silent", "e2e"])
        .current_dir(web)
        .env("TCPVIEWER_URL", &daemon.url)
        .env("TCPVIEWER_DAEMON", program)
        .env("TCPVIEWER_CERTIFICATES", certificates.path())
        .status()
        .unwrap();
    assert!(status.success(), "web/e2e failed: {status}");
}

#[test]
fn a_browser_shows_what_a_lossy_line_does() {
    if !require_root() {
        return;
    }
    let _machine = own_machine();
    let pair = Pair::new();
    let _line = LossyLink::start(&pair, "lossy", NETWORK, 7, LINE);
    let daemon = Daemon::start(
        &pair.left,
        &["--interface", "lossy", "--listen", "127.0.0.1:50100"],
    );
    let _iperf3 = iperf::Server::start(&pair.right);
    let listener = pair.right.enter(|| TcpListener::bind(SERVER).unwrap());
    listener.set_nonblocking(true).unwrap();
    let done = AtomicBool::new(false);
    let status = thread::scope(|scope| {
        scope.spawn(|| read_everything(scope, &listener, &done));
        let mut browser: Command = pair.left.command("npm");
        let status = browser
            .args(["run", "--silent", "e2e", "--", "lossy"])
            .current_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../web")))
            .env("TCPVIEWER_URL", &daemon.url)
            .env("TCPVIEWER_LOSSY_SERVER", format!("{}:{}", SERVER.0, SERVER.1))
            .env("TCPVIEWER_IPERF3_SERVER", SERVER.0.to_string())
            .status();
        done.store(true, Ordering::Relaxed);
        status.unwrap()
    });
    assert!(status.success(), "web/e2e failed: {status}");
}

/// Takes every connection, and reads from it until it ends or all is done.
fn read_everything<'scope>(
    scope: &'scope Scope<'scope, '_>,
    listener: &TcpListener,
    done: &'scope AtomicBool,
) {
    while !done.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                scope.spawn(move || read(stream, done));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("accept: {error}"),
        }
    }
}

fn read(mut stream: TcpStream, done: &AtomicBool) {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut bytes = vec![0; 65_536];
    while !done.load(Ordering::Relaxed) {
        match stream.read(&mut bytes) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}
