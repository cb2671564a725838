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

use std::{fs, path::Path, process::Command};

use rcgen::CertifiedKey;
use support::{daemon::Daemon, namespaces::Namespace, require_root};

#[test]
fn a_browser_shows_connections_as_they_live() {
    if !require_root() {
        return;
    }
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
