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
use support::{Daemon, INSTANCE};

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
    assert!(
        text(&table.stdout).contains("packets       10 seen, 9 tracked"),
        "{}",
        text(&table.stdout)
    );
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
async fn the_exit_status_tells_what_went_wrong() {
    let mut daemon = Daemon::start().await;
    daemon.change(1..=10);
    let nobody = "http://127.0.0.1:1";

    for arguments in [&["list"][..], &["watch"], &["status"]] {
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
        &["listen"],
    ] {
        assert_eq!(
            run(command(nobody, wrong)).await.status.code(),
            Some(2),
            "{wrong:?}"
        );
    }
}
