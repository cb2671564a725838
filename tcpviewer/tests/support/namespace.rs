//! A network namespace of a test's own with the loopback up, daemons that run in it, and a little traffic.
//! Everything in it ends with the test.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// Nothing in these tests takes longer, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the test may attach programs. Without root it says why the test does nothing; where root is
/// required (`TCPVIEWER_REQUIRE_ROOT=1`, as in CI) it fails.
#[expect(clippy::print_stdout, reason = "a test that is skipped says why")]
pub(crate) fn has_root() -> bool {
    let root = procfs::process::Process::myself().unwrap().status().unwrap().euid == 0;
    let required = std::env::var("TCPVIEWER_REQUIRE_ROOT").is_ok_and(|value| value == "1");
    assert!(
        root || !required,
        "this test needs root, and TCPVIEWER_REQUIRE_ROOT=1 says it must run"
    );
    if !root {
        println!("skipped: attaching programs and making network namespaces needs root");
    }
    root
}

/// A network namespace; deleted when dropped.
pub(crate) struct Namespace {
    name: String,
}

/// A daemon in a namespace; killed when dropped.
pub(crate) struct RunningDaemon {
    child: Child,
    url: String,
}

/// Bytes that went from one end to the other.
pub(crate) struct Exchange {
    pub(crate) source: SocketAddr,
}

impl Namespace {
    /// A new namespace. `purpose` makes its name differ from those of other tests of this process.
    pub(crate) fn new(purpose: &str) -> Self {
        let name = format!("tv{}{purpose}", std::process::id());
        succeed(Command::new("ip").args(["netns", "add", &name]));
        let namespace = Self { name };
        namespace.run("ip", &["link", "set", "lo", "up"]);
        namespace
    }

    /// A command that will run in the namespace.
    pub(crate) fn command(&self, program: &str) -> Command {
        // `ip netns exec` would hide the mounts of the host.
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name))
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end; returns what it printed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        succeed(self.command(program).args(arguments))
    }

    /// Starts a daemon and waits until it serves.
    pub(crate) fn start(&self, program: &str, arguments: &[&str]) -> RunningDaemon {
        let mut command = self.command(program);
        command.arg("run").args(arguments);
        serving(command)
    }

    /// Starts a daemon in a mount namespace of its own that a shell command prepares.
    pub(crate) fn start_in_mount_namespace(
        &self,
        program: &str,
        arguments: &[&str],
        prepare: &str,
    ) -> RunningDaemon {
        let mut command = self.command("unshare");
        let line = format!("{prepare} \"$0\" run \"$@\"");
        command
            .args(["--mount", "sh", "-c", &line, program])
            .args(arguments);
        serving(command)
    }

    /// Starts a daemon with its output redirected; does not wait, for it cannot say when it serves.
    pub(crate) fn start_in_shell(
        &self,
        program: &str,
        arguments: &[&str],
        redirection: &str,
    ) -> RunningDaemon {
        let mut command = self.command("sh");
        let line = format!("exec \"$0\" run \"$@\" {redirection}");
        command.args(["-c", &line, program]).args(arguments);
        RunningDaemon {
            child: command.spawn().unwrap(),
            url: String::from("http://127.0.0.1:50051"),
        }
    }

    /// Asks the daemon at the default address for its status until it answers.
    pub(crate) fn wait_for_status(&self, program: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.command(program).arg("status").output().unwrap();
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap();
            }
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(Instant::now() < deadline, "no status: {error}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the daemon lists the connection from `source` as ended; returns it as JSON.
    pub(crate) fn wait_for_connection(
        &self,
        program: &str,
        daemon: &RunningDaemon,
        source: SocketAddr,
    ) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.run(program, &["list", "--output", "json", "--server", &daemon.url]);
            let rows = text
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            let mut ended = rows.filter(|row| {
                row["source"]["address"] == source.ip().to_string()
                    && row["source"]["port"] == source.port()
                    && !row["closed_at"].is_null()
            });
            if let Some(row) = ended.next() {
                return row;
            }
            assert!(
                Instant::now() < deadline,
                "{source} is not listed as ended: {text}"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Sends `bytes` over a connection on the loopback of the namespace, to the end.
    pub(crate) fn exchange(&self, bytes: usize) -> Exchange {
        let file = std::fs::File::open(format!("/run/netns/{}", self.name)).unwrap();
        // A thread can be in another namespace than its process.
        let source = thread::spawn(move || {
            rustix::thread::move_into_link_name_space(
                std::os::fd::AsFd::as_fd(&file),
                Some(rustix::thread::LinkNameSpaceType::Network),
            )
            .unwrap();
            send_and_receive(bytes)
        });
        Exchange {
            source: source.join().unwrap(),
        }
    }
}

/// Returns the address of the end that sent.
fn send_and_receive(bytes: usize) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let receiver = thread::spawn(move || {
        let mut received = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut received).unwrap();
        received.len()
    });
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, &vec![7; bytes]).unwrap();
    let source = stream.local_addr().unwrap();
    drop(stream);
    assert_eq!(receiver.join().unwrap(), bytes);
    source
}

impl Drop for Namespace {
    fn drop(&mut self) {
        Command::new("ip")
            .args(["netns", "del", &self.name])
            .status()
            .ok();
    }
}

/// Starts a daemon and waits for the line that says where it serves.
fn serving(mut command: Command) -> RunningDaemon {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (line, first_line) = mpsc::channel();
    let output = child.stdout.take().unwrap();
    thread::spawn(move || {
        let mut text = String::new();
        BufReader::new(output).read_line(&mut text).ok();
        line.send(text).ok();
    });
    let said = first_line.recv_timeout(PATIENCE).unwrap_or_default();
    let Some(url) = said.trim().strip_prefix("tcpviewer serves ") else {
        child.kill().ok();
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).ok();
        panic!("the daemon does not serve; it said {said:?} and {log}");
    };
    RunningDaemon {
        url: url.to_owned(),
        child,
    }
}

impl RunningDaemon {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it as a service manager does; returns its exit status.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code()
    }

    /// Ends it without a chance to clean up.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for RunningDaemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Runs a command that must succeed; returns what it printed.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
