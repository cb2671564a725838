//! The client subcommands as a shell meets them: the real program against a daemon without a kernel.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use support::{Daemon, INSTANCE, packet};
use tcpviewer::model::Unsent;

fn command(server: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcpviewer"));
    command
        .args(arguments)
        .env("TCPVIEWER_SERVER", server)
        .stdin(Stdio::null());
    command
}

/// Runs the program to its end, beside the daemon.
async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn list_writes_every_page_as_a_table_or_as_json() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=7_000);

    let table = run(command(&daemon.url(), &["list"])).await;
    let json = run(command(&daemon.url(), &["list", "--output", "json"])).await;

    assert_eq!((table.status.code(), json.status.code()), (Some(0), Some(0)));
    let table = text(&table.stdout);
    assert!(table.starts_with("STATE        SOURCE "), "{}", &table[..80]);
    assert_eq!(table.lines().count(), 7_001);
    let ids: Vec<_> = text(&json.stdout)
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["id"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(ids, (1..=7_000).collect::<Vec<_>>());
}

#[tokio::test]
async fn status_is_one_object_or_readable_text() {
    let daemon = Daemon::start().await;

    let json = run(command(&daemon.url(), &["status", "--output", "json"])).await;
    let table = run(command(&daemon.url(), &["status"])).await;

    let status: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&status["instance"], &status["ledger"]["packets_not_ip"]),
        (&INSTANCE.into(), &0.into())
    );
    for line in [
        "packets       10 seen, 9 tracked",
        " of 512.0 MiB of memory",
        "budget        25 % of one core",
        "degraded      budget: intervals: CPU time is kept within --max-cpu 25 (counters stay exact)",
    ] {
        assert!(text(&table.stdout).contains(line), "{}", text(&table.stdout));
    }
}

#[tokio::test]
async fn stats_are_one_object_or_readable_text() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);

    let json = run(command(
        &daemon.url(),
        &["stats", "--by", "state", "--output", "json"],
    ))
    .await;
    let table = run(command(&daemon.url(), &["stats"])).await;

    let stats: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(stats["connections"], 3);
    assert_eq!(stats["groups"][0]["groups"][0]["name"], "ESTABLISHED");
    let table = text(&table.stdout);
    assert!(table.starts_with("3 open connections, "), "{table}");
    assert!(table.contains("RTT of 3: half up to 21.0 ms"), "{table}");
    assert!(table.contains("\nPORT  CONNECTIONS"), "{table}");
}

#[tokio::test]
async fn one_connection_is_shown_with_all_its_fields() {
    let mut daemon = Daemon::start().await;
    daemon.change([7]);

    let shown = run(command(&daemon.url(), &["show", "7"])).await;
    let json = run(command(&daemon.url(), &["show", "7", "--output", "json"])).await;
    let missing = run(command(&daemon.url(), &["show", "8"])).await;

    let shown = text(&shown.stdout);
    assert!(shown.contains("\nsent\n"), "{shown}");
    let line = shown.lines().find(|line| line.contains("congestion_window"));
    assert!(line.is_some_and(|line| line.ends_with("  1024")), "{shown}");
    assert_eq!(serde_json::from_slice::<Value>(&json.stdout).unwrap()["id"], 7);
    assert_eq!(missing.status.code(), Some(1));
    assert_eq!(
        text(&missing.stderr),
        "tcpviewer: show the connection: connection 8 is not listed\n"
    );
}

#[tokio::test]
async fn packets_are_shown_until_there_were_enough() {
    let daemon = Daemon::start().await;
    let program = tokio::spawn(run(command(
        &daemon.url(),
        &["packets", "--count", "3", "--output", "json"],
    )));
    daemon.wait_for_packets_watched(&[true]).await;
    daemon.wait_for_streams(1).await;

    daemon
        .packets
        .push((0..5).map(|seq| packet(1, seq)).collect(), Unsent::default());

    let output = program.await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    let sequence: Vec<_> = text(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].clone())
        .collect();
    assert_eq!(sequence, [0, 1, 2]);
}

#[tokio::test]
async fn watch_follows_changes_and_finds_a_daemon_that_came_back() {
    let mut daemon = Daemon::start().await;
    let port = daemon.address.port();
    daemon.change([1]);
    let mut program = command(&daemon.url(), &["watch", "--output", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let reader = std::thread::spawn(move || {
        while let Some(Ok(line)) = lines.next() {
            sender
                .send(serde_json::from_str::<Value>(&line).unwrap())
                .unwrap();
        }
    });
    let mut next = async || {
        tokio::time::timeout(support::PATIENCE, received.recv())
            .await
            .unwrap()
            .unwrap()
    };

    assert_eq!(next().await["id"], 1);
    daemon.change([2]);
    assert_eq!(next().await["id"], 2);
    daemon.remove([1]);
    assert_eq!(next().await, serde_json::json!({ "removed": 1 }));
    daemon.stop().await.unwrap();
    let mut daemon = Daemon::start_at(INSTANCE + 1, true, port).await;
    daemon.change([5]);
    assert_eq!(next().await, serde_json::json!({ "removed": 2 }));
    assert_eq!(next().await["id"], 5);
    // It comes after the end of the snapshot, of which the notes tell.
    daemon.change([6]);
    assert_eq!(next().await["id"], 6);

    program.kill().unwrap();
    let output = program.wait_with_output().unwrap();
    let notes = text(&output.stderr);
    assert!(notes.contains("the daemon stops; connecting again"), "{notes}");
    assert!(notes.contains("connected again with a new table"), "{notes}");
    reader.join().unwrap();
}

#[tokio::test]
async fn list_shows_what_passes_the_filter_in_the_order_asked_for() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=20);
    let list = async |arguments: &[&str]| {
        let arguments = [&["list", "--output", "json"], arguments].concat();
        let output = run(command(&daemon.url(), &arguments)).await;
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["id"]
                    .as_u64()
                    .unwrap()
            })
            .collect::<Vec<_>>()
    };

    assert_eq!(
        list(&["--filter", "dst port 443 and id in {3-5}"]).await,
        [3, 4, 5]
    );
    assert_eq!(
        list(&["--filter", "id > 10", "--order-by", "id desc", "--limit", "3"]).await,
        [20, 19, 18]
    );
    assert_eq!(list(&["--filter", "port 80"]).await, [] as [u64; 0]);
}

#[tokio::test]
async fn watch_tells_of_a_connection_that_no_longer_passes_the_filter() {
    let mut daemon = Daemon::start().await;
    daemon.change([1, 2]);
    let mut program = command(&daemon.url(), &["watch", "--output", "json", "--filter", "open"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    let reader = std::thread::spawn(move || {
        while let Some(Ok(line)) = lines.next() {
            sender
                .send(serde_json::from_str::<Value>(&line).unwrap())
                .unwrap();
        }
    });
    let mut next = async || {
        tokio::time::timeout(support::PATIENCE, received.recv())
            .await
            .unwrap()
            .unwrap()
    };

    assert_eq!(next().await["id"], 1);
    assert_eq!(next().await["id"], 2);
    daemon.close([1]);
    assert_eq!(next().await, serde_json::json!({ "removed": 1 }));
    daemon.change([1]);
    assert_eq!(next().await["id"], 1);

    program.kill().unwrap();
    program.wait().unwrap();
    reader.join().unwrap();
}

#[tokio::test]
async fn a_wrong_filter_is_wrong_usage_and_is_pointed_at() {
    let nobody = "http://127.0.0.1:1";
    let wrong = "port == 443 and prot == 80";
    for arguments in [
        &["list", "--filter", wrong][..],
        &["watch", "--filter", wrong],
        &["replay", "-", "--filter", wrong],
        &["filter", "explain", wrong],
    ] {
        let refused = run(command(nobody, arguments)).await;
        let told = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(
            told.contains("column 17: expected a field of connections, found `prot`; did you mean `port`?"),
            "{told}"
        );
        assert!(
            told.contains(&format!("\n{wrong}\n{}^^^^\n", " ".repeat(16))),
            "{told}"
        );
    }
    for arguments in [
        &["list", "--limit", "5"][..],
        &["watch", "--order-by", "rate desc"],
        &["list", "--order-by", "rat", "--limit", "5"],
        &["list", "--order-by", "rate", "--limit", "0"],
        &["list", "--filter", ""],
    ] {
        let refused = run(command(nobody, arguments)).await;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn filter_explains_without_a_daemon() {
    let nobody = "http://127.0.0.1:1";

    let explained = run(command(nobody, &["filter", "explain", "dst port 80 or 8080"])).await;
    let fields = run(command(nobody, &["filter", "fields", "packets"])).await;

    assert_eq!(
        (explained.status.code(), fields.status.code()),
        (Some(0), Some(0))
    );
    let explained = text(&explained.stdout);
    assert!(
        explained.starts_with("connections: destination.port == 80 or destination.port == 8080\n"),
        "{explained}"
    );
    assert!(
        explained
            .contains("the kernel sends those with destination.port == 80, or destination.port == 8080;"),
        "{explained}"
    );
    assert!(text(&fields.stdout).contains("| `syn` | yes or no | has SYN |\n"));
}

#[tokio::test]
async fn the_exit_status_tells_what_went_wrong() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=10);
    let nobody = "http://127.0.0.1:1";

    for arguments in [&["list"][..], &["watch"], &["status"], &["show", "1"], &["stats"]] {
        let unreachable = run(command(nobody, arguments)).await;
        assert_eq!(unreachable.status.code(), Some(3));
        assert_eq!(
            text(&unreachable.stderr),
            "tcpviewer: connect to http://127.0.0.1:1: connection refused; is the daemon running? start it with \
             `tcpviewer run`\n"
        );
        let mut full = command(&daemon.url(), arguments);
        full.stdout(File::create("/dev/full").unwrap())
            .stderr(Stdio::piped());
        let full = tokio::task::spawn_blocking(move || full.spawn().unwrap().wait_with_output().unwrap());
        let full = full.await.unwrap();
        assert_eq!(full.status.code(), Some(1), "{arguments:?}");
        assert_eq!(
            text(&full.stderr),
            "tcpviewer: write to the standard output: no space left on device\n"
        );
        // Nobody reads the other end, as when `head` has seen enough.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut closed = command(&daemon.url(), arguments);
        closed.stdout(writer).stderr(Stdio::piped());
        let closed = tokio::task::spawn_blocking(move || closed.spawn().unwrap().wait_with_output().unwrap());
        let closed = closed.await.unwrap();
        assert_eq!(
            (closed.status.code(), text(&closed.stderr)),
            (Some(0), String::new()),
            "{arguments:?}"
        );
    }
    for wrong in [
        &["list", "--server", "ftp://localhost"][..],
        &["list", "--output", "xml"],
        &["show", "one"],
        &["stats", "--by", "colour"],
        &["stats", "--top", "0"],
        &["packets", "--count", "-1"],
        &["listen"],
    ] {
        assert_eq!(
            run(command(nobody, wrong)).await.status.code(),
            Some(2),
            "{wrong:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_listing_is_to_be_had_as_comma_separated_values() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);
    let packets = std::sync::Arc::clone(&daemon.packets);
    tokio::spawn(async move {
        for seq in 0_u32.. {
            packets.push(vec![packet(2, seq)], Unsent::default());
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    });
    for (arguments, head, line, lines) in [
        (&["list"][..], "id,source_address,", "1,2001:db8:", 4),
        (&["show", "2"], "id,source_address,", "2,2001:db8:", 2),
        (
            &["packets", "--count", "5"],
            "timestamp,connection_id,source_address,",
            ",2,127.0.0.1,40000,127.0.0.1,443,lo,DIRECTION_EGRESS,SYN ACK,",
            6,
        ),
        (
            &["stats", "--by", "port"],
            "at,by,name,connections,",
            ",GROUP_BY_PORT,443,3,",
            2,
        ),
        (&["status"], "name,value", "version,", 0),
    ] {
        let arguments = [arguments, &["--output", "csv"]].concat();
        let output = run(command(&daemon.url(), &arguments)).await;
        let text = text(&output.stdout);
        let mut written = text.split("\r\n");
        assert!(written.next().unwrap().starts_with(head), "{arguments:?}: {text}");
        assert!(written.next().unwrap().contains(line), "{arguments:?}: {text}");
        assert!(
            lines == 0 || text.matches("\r\n").count() == lines,
            "{arguments:?}: {text}"
        );
    }
    let mut watch = command(&daemon.url(), &["watch", "--output", "csv"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let first =
        tokio::task::spawn_blocking(move || lines.by_ref().take(4).map(Result::unwrap).collect::<Vec<_>>());
    let first = first.await.unwrap();
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(
        first[0].starts_with("id,") && first[3].starts_with("3,"),
        "{first:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn colours_are_for_terminals_whose_users_do_not_mind() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=3);
    let program = env!("CARGO_BIN_EXE_tcpviewer");
    let list = async |on_terminal: bool, no_color: &str, terminal: &str| {
        let mut command = if on_terminal {
            let mut command = Command::new("script");
            command.args([
                "--quiet",
                "--return",
                "--command",
                &format!("{program} list"),
                "/dev/null",
            ]);
            command.stdin(Stdio::null());
            command
        } else {
            command(&daemon.url(), &["list"])
        };
        command
            .env("TCPVIEWER_SERVER", daemon.url())
            .env("NO_COLOR", no_color)
            .env("TERM", terminal);
        let output = run(command).await;
        let text = text(&output.stdout);
        assert!(text.contains("STATE "), "{output:?}");
        text.contains('\x1b')
    };

    assert!(list(true, "", "xterm").await);
    assert!(!list(true, "1", "xterm").await);
    assert!(!list(true, "", "dumb").await);
    assert!(!list(false, "", "xterm").await);
}

#[tokio::test]
async fn completions_and_manual_pages_have_every_subcommand_and_the_exit_status() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().display().to_string();
    let subcommands = [
        "run",
        "list",
        "watch",
        "show",
        "packets",
        "capture",
        "stats",
        "listeners",
        "replay",
        "status",
        "filter",
        "token",
        "completions",
        "man",
    ];

    for shell in ["bash", "zsh", "fish"] {
        let output = run(command("", &["completions", shell])).await;
        let script = text(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        for subcommand in subcommands {
            assert!(script.contains(subcommand), "{shell} {subcommand}");
        }
        assert!(script.contains("expires-in"), "{shell}");
    }
    let bash = run(command("", &["completions", "bash"])).await.stdout;
    std::fs::write(folder.path().join("completions"), bash).unwrap();
    let checked = Command::new("bash")
        .arg("-n")
        .arg(folder.path().join("completions"))
        .status();
    assert!(checked.unwrap().success(), "bash does not understand it");

    let output = run(command("", &["man", &pages])).await;
    assert!(output.status.success(), "{output:?}");
    for subcommand in subcommands {
        let page = std::fs::read_to_string(folder.path().join(format!("tcpviewer-{subcommand}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{subcommand}: {page}");
    }
    let page = std::fs::read_to_string(folder.path().join("tcpviewer.1")).unwrap();
    assert!(page.contains("the daemon cannot be reached"), "{page}");
    let refused = run(command("", &["man", "/proc/none"])).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
}
