//! Processes that do one thing with a connection: short clients, a server that forks, and whoever is to be named.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{self, Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use super::namespaces::Namespace;

/// A process that is killed with its guard.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Starts a command inside a namespace, as a child of this process.
    pub(crate) fn start(namespace: &Namespace, command: &mut Command) -> Self {
        Self(namespace.enter(|| command.stdin(Stdio::null()).spawn().unwrap()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) {
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A client in the shell: connects, says its number, and does what the script says. `name` is its last argument.
pub(crate) fn client(to: SocketAddr, then: &str, name: &str) -> Command {
    let script = format!("exec 3<>/dev/tcp/{}/{}; echo $$ >&3; {then}", to.ip(), to.port());
    let mut command = Command::new("bash");
    command.args(["-c", &script, name]);
    command
}

/// A server that forks for each connection. The child reads the client's number and says whom it met.
const SERVER: &str = r#"
use IO::Socket::INET;
$SIG{CHLD} = "IGNORE";
my ($address, $port) = @ARGV;
my $listener = IO::Socket::INET->new(
    LocalAddr => $address, LocalPort => $port, Listen => 1024, ReuseAddr => 1) or die $!;
syswrite STDOUT, "listens $$ " . $listener->sockport . "\n";
while (my $connection = $listener->accept) {
    next if fork;
    my $client = <$connection>;
    chomp $client;
    syswrite STDOUT, "met " . $connection->peerport . " $client $$\n";
    <$connection>;
    exit;
}
"#;

/// Lower than that of any client, who is therefore taken for the source of a connection in mid-life.
const SERVER_PORT: &str = "7000";

/// A server that forks, and what its children say.
pub(crate) struct ForkingServer {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    lines: BufReader<ChildStdout>,
}

/// A connection as the server's child knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Met {
    pub(crate) client_port: u16,
    pub(crate) client_pid: u32,
    pub(crate) child_pid: u32,
}

impl ForkingServer {
    pub(crate) fn start(namespace: &Namespace, address: std::net::IpAddr) -> Self {
        let mut command = Command::new("perl");
        command
            .args(["-e", SERVER, &address.to_string(), SERVER_PORT])
            .stdout(Stdio::piped());
        let mut process = Process::start(namespace, &mut command);
        let mut lines = BufReader::new(process.0.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words[1], process.pid().to_string());
        Self {
            process,
            address: (address, words[2].parse().unwrap()).into(),
            lines,
        }
    }

    /// The next connection.
    pub(crate) fn met(&mut self) -> Met {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        let numbers: Vec<u32> = line
            .split_whitespace()
            .skip(1)
            .map(|word| word.parse().unwrap())
            .collect();
        Met {
            client_port: numbers[0] as u16,
            client_pid: numbers[1],
            child_pid: numbers[2],
        }
    }
}

/// A control group of its own, removed with its guard.
pub(crate) struct ControlGroup(pub(crate) PathBuf);

impl ControlGroup {
    /// `None` where there is no cgroup2.
    pub(crate) fn new(name: &str) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let root = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .find(|words| words[2] == "cgroup2")?[1]
            .to_owned();
        let parent = PathBuf::from(root).join(format!("tcpviewer-{}", process::id()));
        fs::create_dir_all(&parent).unwrap();
        let path = parent.join(name);
        fs::create_dir(&path).unwrap();
        Some(Self(path))
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        for path in [Some(self.0.as_path()), self.0.parent()].into_iter().flatten() {
            // The processes in it were ended just now; what is left of a failure is no matter here.
            for _attempt in 0..50 {
                if fs::remove_dir(path).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}
