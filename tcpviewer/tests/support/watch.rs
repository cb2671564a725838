//! A client that is not ours: `buf curl` reads WatchConnections and prints its messages as JSON, of which this
//! keeps the table as any client would.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread,
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Deserializer, Value, json};
use tempfile::NamedTempFile;

use super::{PATIENCE, daemon::Daemon};

/// How the client speaks, and how it learns what to say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Protocol {
    /// gRPC over HTTP/2; the service describes itself by reflection.
    Grpc,
    /// gRPC-Web over HTTP/2; the service describes itself by reflection.
    GrpcWeb,
    /// gRPC-Web over HTTP/1.1, which reflection cannot do: the files describe the service.
    GrpcWebHttp1,
}

/// One direction as the client was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Half {
    pub(crate) packets: u64,
    pub(crate) wire_bytes: u64,
    pub(crate) payload_bytes: u64,
    pub(crate) retransmitted_bytes: u64,
    pub(crate) retransmissions: u64,
}

impl Half {
    /// What the application sent.
    pub(crate) fn net_bytes(&self) -> u64 {
        self.payload_bytes - self.retransmitted_bytes
    }
}

/// A connection as the client was told.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) interface: String,
    pub(crate) state: String,
    pub(crate) close_reason: String,
    pub(crate) sent: Half,
    pub(crate) received: Half,
}

#[derive(Default)]
struct Table {
    connections: BTreeMap<String, Connection>,
    /// The end of the snapshot has come.
    complete: bool,
}

/// An open stream and the table it makes.
pub(crate) struct Watch {
    protocol: Protocol,
    child: Child,
    errors: NamedTempFile,
    shared: Arc<(Mutex<Table>, Condvar)>,
}

impl Watch {
    /// Opens a stream and waits for the end of the snapshot.
    pub(crate) fn start(daemon: &Daemon<'_>, protocol: Protocol) -> Self {
        Self::start_with(daemon, protocol, &json!({}))
    }

    /// Opens a stream with this request and waits for the end of the snapshot.
    pub(crate) fn start_with(daemon: &Daemon<'_>, protocol: Protocol, request: &Value) -> Self {
        let errors = NamedTempFile::new().unwrap();
        let mut command = daemon.namespace.command(buf());
        command.arg("curl");
        match protocol {
            Protocol::Grpc => command.args(["--protocol", "grpc", "--http2-prior-knowledge"]),
            Protocol::GrpcWeb => command.args(["--protocol", "grpcweb", "--http2-prior-knowledge"]),
            Protocol::GrpcWebHttp1 => command
                .args(["--protocol", "grpcweb", "--schema"])
                .arg(repository().join("proto")),
        };
        let mut child = command
            .args(["--data", &request.to_string()])
            .arg(format!("{}/tcpviewer.v1.TcpViewerService/WatchConnections", daemon.url))
            // The program is a script that starts another; they are ended together.
            .process_group(0)
            .stdout(Stdio::piped())
            .stderr(errors.reopen().unwrap())
            .spawn()
            .unwrap();
        let shared = Arc::default();
        let stdout = child.stdout.take().unwrap();
        let writer = Arc::clone(&shared);
        thread::spawn(move || read(stdout, &writer));
        let watch = Self {
            protocol,
            child,
            errors,
            shared,
        };
        watch.wait_for("end of the snapshot", |table| table.complete.then_some(()));
        watch
    }

    /// Waits until all of these connections are listed and the condition holds for each. Returns them in order;
    /// when the condition never holds, as they are then, for the test to say what is wrong.
    pub(crate) fn connections(
        &self,
        ends: &[(SocketAddr, SocketAddr)],
        condition: impl Fn(usize, &Connection) -> bool,
    ) -> Vec<Connection> {
        let all = |table: &Table| {
            ends.iter()
                .map(|ends| table.find(ends))
                .collect::<Option<Vec<_>>>()
        };
        let as_expected = |table: &Table| {
            let found = all(table)?;
            let holds = found
                .iter()
                .enumerate()
                .all(|(number, connection)| condition(number, connection));
            holds.then_some(found)
        };
        self.look_until(as_expected)
            .unwrap_or_else(|| self.wait_for("all connections", all))
    }

    /// Waits until none of these connections is listed.
    pub(crate) fn wait_until_gone(&self, ends: &[(SocketAddr, SocketAddr)]) {
        let gone = |table: &Table| ends.iter().all(|ends| table.find(ends).is_none()).then_some(());
        self.wait_for("end of the connections", gone);
    }

    fn wait_for<T>(&self, what: &str, look: impl Fn(&Table) -> Option<T>) -> T {
        self.look_until(look).unwrap_or_else(|| {
            let errors = fs::read_to_string(self.errors.path()).unwrap();
            let connections = &self.shared.0.lock().unwrap().connections;
            panic!(
                "no {what} by {:?}; it has {connections:#?}\n{errors}",
                self.protocol
            )
        })
    }

    /// Looks whenever something changes. `None` when patience ends.
    fn look_until<T>(&self, look: impl Fn(&Table) -> Option<T>) -> Option<T> {
        let (table, changed) = &*self.shared;
        let started = Instant::now();
        let mut table = table.lock().unwrap();
        loop {
            if let Some(found) = look(&table) {
                return Some(found);
            }
            let left = PATIENCE.checked_sub(started.elapsed())?;
            table = changed.wait_timeout(table, left).unwrap().0;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        kill_process_group(Pid::from_child(&self.child), Signal::KILL).ok();
        self.child.wait().ok();
    }
}

fn read(stdout: ChildStdout, shared: &(Mutex<Table>, Condvar)) {
    // It ends with the client, in the middle of a message at worst.
    for message in Deserializer::from_reader(stdout)
        .into_iter::<Value>()
        .map_while(Result::ok)
    {
        shared.0.lock().unwrap().apply(&message);
        shared.1.notify_all();
    }
}

impl Table {
    fn find(&self, ends: &(SocketAddr, SocketAddr)) -> Option<Connection> {
        let is_it = |connection: &&Connection| (connection.source, connection.destination) == *ends;
        let mut found = self.connections.values().filter(is_it);
        let first = found.next().cloned();
        assert!(found.next().is_none(), "{ends:?} is listed twice");
        first
    }

    fn apply(&mut self, message: &Value) {
        let (snapshot, changes) = (&message["snapshot"], &message["changes"]);
        if snapshot["first"] == true {
            self.connections.clear();
        }
        self.complete |= !message["snapshotEnd"].is_null();
        for connection in list(&snapshot["connections"])
            .iter()
            .chain(list(&changes["connections"]))
        {
            let id = connection["id"].as_str().unwrap().to_owned();
            self.connections.insert(id, connection_of(connection));
        }
        for id in list(&changes["removed"]) {
            self.connections.remove(id.as_str().unwrap());
        }
    }
}

fn connection_of(value: &Value) -> Connection {
    let end = |end: &Value| {
        let address = end["address"].as_str().unwrap().parse().unwrap();
        SocketAddr::new(address, end["port"].as_u64().unwrap() as u16)
    };
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Connection {
        source: end(&value["source"]),
        destination: end(&value["destination"]),
        interface: text("interface"),
        state: text("state"),
        close_reason: text("closeReason"),
        sent: half_of(&value["sent"]),
        received: half_of(&value["received"]),
    }
}

/// 64-bit numbers are strings in protobuf's JSON, and a zero is left out.
fn half_of(value: &Value) -> Half {
    let number = |name: &str| value[name].as_str().map_or(0, |digits| digits.parse().unwrap());
    Half {
        packets: number("packets"),
        wire_bytes: number("wireBytes"),
        payload_bytes: number("payloadBytes"),
        retransmitted_bytes: number("retransmittedBytes"),
        retransmissions: number("retransmissions"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The dashboard's own copy, else one on the search path.
fn buf() -> PathBuf {
    let own = repository().join("web/node_modules/.bin/buf");
    if own.exists() { own } else { "buf".into() }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
