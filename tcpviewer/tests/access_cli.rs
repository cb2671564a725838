//! Safety as a shell meets it: what the program refuses to listen on, how tokens are made, and how the client
//! subcommands show what they have, to whom, and what they say when it is not enough.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[expect(dead_code, reason = "each file of tests uses its part")]
mod support;

#[path = "support/guarded.rs"]
#[expect(dead_code, reason = "each file of tests uses its part")]
mod guarded;

use std::{
    fs,
    process::{Command, Output, Stdio},
    time::SystemTime,
};

use guarded::{CONNECTIONS, Site, replace};

/// Runs the program to its end, beside the daemon. It finds nothing in the environment that the test did not put there.
async fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcpviewer"));
    command
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_daemon_refuses_to_listen_elsewhere_without_tls_and_access() {
    let site = Site::new();
    let path = |name| site.path(name).display().to_string();
    let (certificate, key, access) = (path("certificate.pem"), path("key.pem"), path("access.toml"));
    let tls = ["--tls-certificate", &certificate, "--tls-key", &key];
    let with_access = ["--access", access.as_str()];
    site.allow(&[], "");
    for (listen, options, status, words) in [
        (
            "0.0.0.0:0",
            &[][..],
            2,
            "add --tls-certificate, --tls-key and --access",
        ),
        ("[::]:0", &[], 2, "add --tls-certificate, --tls-key and --access"),
        ("192.0.2.1:0", &tls, 2, "add --access"),
        (
            "0.0.0.0:0",
            &with_access,
            2,
            "add --tls-certificate and --tls-key",
        ),
        ("127.0.0.1:0,0.0.0.0:0", &[], 2, "listen \"0.0.0.0:0\""),
        // Nobody is in the access file.
        (
            "0.0.0.0:0",
            &[&tls[..], &with_access].concat(),
            1,
            "lets none of them in",
        ),
    ] {
        let arguments = [&["run", "--interface", "lo", "--listen", listen][..], options].concat();
        let output = run(&arguments, &[]).await;
        let errors = text(&output.stderr);
        assert_eq!(
            (output.status.code(), text(&output.stdout)),
            (Some(status), String::new()),
            "{errors}"
        );
        assert!(errors.contains(words), "{listen} {options:?}: {errors}");
    }
}

#[tokio::test]
async fn a_token_that_was_made_comes_in_and_its_entry_does_not_tell_it() {
    let site = Site::new();
    let daemon = site.start().await;
    let made = run(
        &["token", "--name", "a \"quoted\" name", "--role", "connections"],
        &[],
    )
    .await;
    let again = run(&["token", "--name", "other", "--role", "control"], &[]).await;
    let (entry, told) = (text(&made.stdout), text(&made.stderr));
    let token = told
        .split_whitespace()
        .find(|word| word.starts_with("tcpviewer_"))
        .unwrap();
    assert_eq!(token.len(), "tcpviewer_".len() + 64);
    assert!(!entry.contains(token) && !text(&again.stderr).contains(token));

    let started = fs::read_to_string(site.path("access.toml")).unwrap();
    replace(
        &site.path("access.toml"),
        &format!("{started}{entry}{}", text(&again.stdout)),
    );
    let (server, ca) = (
        format!("https://{}", daemon.address),
        site.path("ca.pem").display().to_string(),
    );
    guarded::wait_for("the new token", async || {
        let arguments = ["status", "--server", &server, "--ca", &ca];
        run(&arguments, &[("TCPVIEWER_TOKEN", token)])
            .await
            .status
            .success()
    })
    .await;

    let short = [
        "token",
        "--name",
        "short",
        "--role",
        "packets",
        "--expires-in",
        "90d",
    ];
    let entry = text(&run(&short, &[]).await.stdout);
    let expires = entry.lines().last().unwrap().strip_prefix("expires = ").unwrap();
    let expires = humantime::parse_rfc3339(expires).unwrap();
    let left = expires.duration_since(SystemTime::now()).unwrap().as_secs();
    assert!((89 * 86_400..=90 * 86_400).contains(&left), "{entry}");
    for lifetime in ["0s", "2000y", "soon"] {
        let refused = run(&[&short[..6], &[lifetime]].concat(), &[]).await;
        assert_eq!(refused.status.code(), Some(2), "{lifetime}");
    }
    let nameless = run(&["token", "--name", " ", "--role", "connections"], &[]).await;
    assert_eq!(nameless.status.code(), Some(2));
}

#[tokio::test]
async fn clients_come_in_with_what_they_have_and_hear_what_is_missing() {
    let site = Site::new();
    site.allow(
        &[(CONNECTIONS, "connections")],
        "[[certificate]]\nname = \"ops.example.org\"\nrole = \"connections\"\n",
    );
    let mut daemon = site.start().await;
    daemon.change([1, 2]);
    let path = |name: &str| site.path(name).display().to_string();
    let pair = site.authority.sign(&["ops.example.org"]);
    replace(&site.path("ops.pem"), &pair.certificate);
    replace(&site.path("ops-key.pem"), &pair.key);
    replace(&site.path("token"), &format!("{CONNECTIONS}\n"));
    let server = format!("https://localhost:{}", daemon.address.port());
    let socket = format!("unix:{}", path("api.sock"));
    let (ca, token) = (
        ["--ca".to_owned(), path("ca.pem")],
        ["--token-file".to_owned(), path("token")],
    );
    let ops = [
        "--certificate".to_owned(),
        path("ops.pem"),
        "--key".into(),
        path("ops-key.pem"),
    ];
    let unauthenticated = "list the connections: a valid token or client certificate is needed; give a token with \
                           --token-file or TCPVIEWER_TOKEN, or --certificate and --key";
    for (server, options, token, status, words) in [
        (server.as_str(), [&ca[..], &token].concat(), "", 0, ""),
        (&server, ca.to_vec(), CONNECTIONS, 0, ""),
        (&server, [&ca[..], &ops].concat(), "", 0, ""),
        (&socket, token.to_vec(), "", 0, ""),
        (&server, ca.to_vec(), "", 1, unauthenticated),
        (&server, ca.to_vec(), "wrong", 1, unauthenticated),
        (&socket, vec![], "", 1, unauthenticated),
        (
            &server,
            token.to_vec(),
            "",
            1,
            "invalid peer certificate: UnknownIssuer; name the authority",
        ),
        (
            &server,
            ["--ca".into(), path("no.pem")].to_vec(),
            "",
            2,
            "no.pem: no such file",
        ),
        (
            &server,
            ["--token-file".into(), path("none")].to_vec(),
            "",
            2,
            "none: no such file",
        ),
        (&server, ops[..2].to_vec(), "", 2, "--key"),
        (
            "http://192.0.2.1:1",
            vec![],
            CONNECTIONS,
            2,
            "without TLS everybody on the way could read it",
        ),
        (
            "unix:/nonexistent/api.sock",
            vec![],
            "",
            3,
            "connect to unix:/nonexistent/api.sock: no such file",
        ),
    ] {
        let options: Vec<_> = options.iter().map(String::as_str).collect();
        let arguments = [&["list", "--output", "json", "--server", server][..], &options].concat();
        let output = run(&arguments, &[("TCPVIEWER_TOKEN", token)]).await;
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {errors}");
        assert!(errors.contains(words), "{arguments:?}: {errors}");
        let listed = if status == 0 { 2 } else { 0 };
        assert_eq!(text(&output.stdout).lines().count(), listed, "{arguments:?}");
    }
}
