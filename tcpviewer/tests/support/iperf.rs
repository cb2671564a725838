//! iperf3 between two namespaces, and what it says in the end.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::{
    PATIENCE,
    namespaces::{Namespace, output},
    wait_for,
};

/// What the client sends first on each data connection, to say whose it is.
pub(crate) const COOKIE_BYTES: u64 = 37;

/// An iperf3 server for one test; ended when it is dropped.
pub(crate) struct Server(Child);

impl Server {
    pub(crate) fn start(namespace: &Namespace) -> Self {
        let mut child = namespace
            .command("iperf3")
            .args(["--server", "--forceflush"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("iperf3 is installed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let server = Self(child);
        let listens = lines.any(|line| line.unwrap().contains("Server listening"));
        assert!(listens, "the server does not listen");
        // It would stop at a full or closed pipe.
        std::thread::spawn(move || lines.count());
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// One data connection, as iperf3 tells it.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Client and server.
    pub(crate) ends: (SocketAddr, SocketAddr),
    /// Whether the client sent the data.
    pub(crate) forward: bool,
    /// What the sender gave to its kernel, cookie aside. At the end some of it may still wait there for ever.
    pub(crate) sent_bytes: u64,
    /// What the receiver had read when the time was up, cookie aside.
    pub(crate) received_bytes: u64,
}

/// A client to run against a server at this address.
pub(crate) fn client(namespace: &Namespace, server: &str, arguments: &[&str]) -> Command {
    let mut command = namespace.command("iperf3");
    command.args(["--json", "--client", server]).args(arguments);
    command
}

/// Runs a client to its end.
pub(crate) fn run(namespace: &Namespace, server: &str, arguments: &[&str]) -> Vec<Stream> {
    streams(&output(&mut client(namespace, server, arguments)))
}

/// The data connections of a client's report.
pub(crate) fn streams(report: &str) -> Vec<Stream> {
    let report: Value = serde_json::from_str(report).unwrap();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let connected = list(&report["start"]["connected"]);
    let streams: Vec<_> = list(&report["end"]["streams"])
        .iter()
        .map(|stream| one(stream, &connected))
        .collect();
    assert!(!streams.is_empty(), "{report:#}");
    streams
}

fn one(stream: &Value, connected: &[Value]) -> Stream {
    let socket = &stream["sender"]["socket"];
    let connection = connected
        .iter()
        .find(|connection| connection["socket"] == *socket)
        .unwrap();
    let end = |name: &str| {
        let address = connection[format!("{name}_host")]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        SocketAddr::new(
            address,
            connection[format!("{name}_port")].as_u64().unwrap() as u16,
        )
    };
    Stream {
        ends: (end("local"), end("remote")),
        forward: stream["sender"]["sender"].as_bool().unwrap(),
        sent_bytes: stream["sender"]["bytes"].as_u64().unwrap(),
        received_bytes: stream["receiver"]["bytes"].as_u64().unwrap(),
    }
}

/// Waits until a child has ended well and returns nothing else of it.
pub(crate) fn wait(child: &mut Child) {
    let ended = wait_for(PATIENCE, "end of iperf3", || child.try_wait().unwrap());
    assert!(ended.success(), "iperf3: {ended}");
}
