//! The commands of `docs/api.md`, each as it stands there: run with the real clients against the real API, plain and
//! behind TLS. Where there is no grpcurl its commands are held against the contract: the method is there, and the
//! request is one.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

#[path = "support/guarded.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod guarded;

use std::{
    env, fs,
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use guarded::{CONTROL, Site};
use prost_reflect::{DescriptorPool, DynamicMessage};
use support::{Daemon, packet};
use tcpviewer::{model::Unsent, proto::DESCRIPTORS};
use tokio::time::sleep;

const PAGE: &str = include_str!("../docs/api.md");

/// A command of the page, and what it prints.
struct Example {
    command: String,
    prints: &'static str,
}

/// Every command in a block of the shell, with what the comment above the block says of it.
fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    for block in PAGE.split("```sh\n").skip(1) {
        let commands = block.split("```").next().unwrap().replace("\\\n", " ");
        let before = &PAGE[..block.as_ptr() as usize - PAGE.as_ptr() as usize];
        let comment = before.trim_end_matches("```sh\n").trim_end().lines().last();
        let prints = comment.and_then(|line| line.strip_prefix("<!-- prints ")?.strip_suffix(" -->"));
        let prints = prints.unwrap_or_else(|| unreachable!("nothing says what is printed by {commands}"));
        examples.extend(commands.lines().map(|line| Example {
            command: line.to_owned(),
            prints,
        }));
    }
    examples
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// Runs a command in the folder of a site, beside the daemons.
async fn run(site: &Site, command: &str) -> Output {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/node_modules/.bin");
    let path = format!("{tools}:{}", env::var("PATH").unwrap());
    let mut shell = Command::new("timeout");
    shell
        .args(["60", "bash", "-c", command])
        .current_dir(site.folder.path())
        .env("PATH", path)
        .env("HOME", site.folder.path())
        .env("TCPVIEWER_TOKEN", CONTROL)
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || shell.output().unwrap())
        .await
        .unwrap()
}

/// A site with a client's certificate, and the contract as in a checkout.
fn site() -> Site {
    let site = Site::new();
    site.allow(
        &[(CONTROL, "control")],
        "[[certificate]]\nname = \"client.example.org\"\nrole = \"connections\"\n",
    );
    let client = site.authority.sign(&["client.example.org"]);
    fs::write(site.path("client.pem"), client.certificate).unwrap();
    fs::write(site.path("client-key.pem"), client.key).unwrap();
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    std::os::unix::fs::symlink(contract, site.path("proto")).unwrap();
    site
}

/// A daemon whose connections change and whose packets pass for as long as it lives.
fn keep_busy(daemon: &mut Daemon) {
    daemon.change(1..=3);
    let packets = Arc::clone(&daemon.packets);
    tokio::spawn(async move {
        for seq in 0_u32.. {
            packets.push(vec![packet(1, seq)], Unsent::default());
            sleep(Duration::from_millis(10)).await;
        }
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_command_of_the_page_prints_what_the_page_says() {
    let site = site();
    let (mut open, mut guarded) = (Daemon::start().await, site.start().await);
    keep_busy(&mut open);
    keep_busy(&mut guarded);
    let has_grpcurl = is_there("grpcurl");
    let mut kinds = Vec::new();

    for Example { command, prints } in examples() {
        if command.starts_with("grpcurl ") {
            check_against_the_contract(&command);
            if !has_grpcurl {
                println!("not run, there is no grpcurl: {command}");
                continue;
            }
        }
        let here = command
            .replace("127.0.0.1:50051", &open.address.to_string())
            .replace(
                "probe.example.org:50051",
                &format!("localhost:{}", guarded.address.port()),
            );
        let output = run(&site, &here).await;
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(prints), "{here}: {text:.2000} {output:?}");
        let has = |word| command.contains(word);
        kinds.push((has("grpcweb"), has("https://"), has("TCPVIEWER_TOKEN")));
    }

    for web in [false, true] {
        for (tls, token) in [(false, false), (true, true), (true, false)] {
            assert!(
                kinds.contains(&(web, tls, token)),
                "web {web}, TLS {tls}, token {token}"
            );
        }
    }
}

/// The method that a command calls is there, and what it sends is a request of it.
fn check_against_the_contract(command: &str) {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let words = words(command);
    let word_after = |flag: &str| {
        let place = words.iter().position(|word| word == flag)?;
        words.get(place + 1)
    };
    let name = words.iter().rev().find(|word| word.starts_with("tcpviewer.v1."));
    let (service, method) = match name.map(|name| name.split_once('/')) {
        Some(Some((service, method))) => (service, Some(method)),
        Some(None) => (name.unwrap().as_str(), None),
        None => return assert!(words.contains(&"list".to_owned()), "{command}"),
    };
    let service = pool.get_service_by_name(service).unwrap();
    let Some(method) = method else { return };
    let method = service.methods().find(|known| known.name() == method);
    let method = method.unwrap_or_else(|| unreachable!("no such method: {command}"));
    if let Some(body) = word_after("-d") {
        let mut json = serde_json::Deserializer::from_str(body);
        let request = DynamicMessage::deserialize(method.input(), &mut json);
        assert!(request.is_ok(), "{command}: {request:?}");
    }
}

/// The words of a command up to the first pipe, without their quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in command.chars() {
        match quote {
            Some(open) if letter == open => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if letter == '|' => break,
            None if letter == ' ' => words.push(String::new()),
            Some(_) | None => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
