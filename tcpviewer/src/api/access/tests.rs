//! The decision as a table: who, with which headers, over which way, to which call.

use http::HeaderValue;

use super::*;

const SERVICE: &str = "/tcpviewer.v1.TcpViewerService/";

/// When one of the tokens expires.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000)
}

fn listed() -> Access {
    let entry = |name: &str, role| Entry {
        name: name.into(),
        role,
        expires: None,
    };
    let expiring = |name: &str| Entry {
        expires: Some(now()),
        ..entry(name, Role::Control)
    };
    Access::Listed(Listed {
        tokens: HashMap::from([
            (token_hash(b"weak"), entry("grafana", Role::Connections)),
            (token_hash(b"strong"), entry("ops", Role::Control)),
            (token_hash(b"short"), expiring("ci")),
        ]),
        certificates: BTreeMap::from([(
            "ops.example.org".to_owned(),
            entry("ops.example.org", Role::Packets),
        )]),
        users: BTreeMap::from([(1000, entry("alice", Role::Packets))]),
    })
}

fn headers(values: &[&str]) -> HeaderMap {
    let values = values
        .iter()
        .map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap()));
    values.collect()
}

fn network(names: &[&str]) -> Peer {
    Peer::Network {
        address: "192.0.2.1:1000".parse().unwrap(),
        certified: (!names.is_empty()).then(|| Certified {
            names: names.iter().map(ToString::to_string).collect(),
            until: now(),
        }),
    }
}

#[test]
fn each_gets_what_its_role_covers_and_no_more() {
    let anyone = network(&[]);
    let certified = network(&["other.example.org", "OPS.example.org"]);
    let weaker = |needed| {
        Err(Refusal::Role {
            needed,
            given: Role::Connections,
        })
    };
    let weaker_than_control = Err(Refusal::Role {
        needed: Role::Control,
        given: Role::Packets,
    });
    let nobody = Err(Refusal::Unauthenticated);
    for (peer, authorization, method, expected) in [
        (&anyone, &["Bearer weak"][..], "GetStatus", Ok(Some("grafana"))),
        (&anyone, &["bearer  weak "], "GetStatus", Ok(Some("grafana"))),
        (&anyone, &["Bearer weak"], "WatchPackets", weaker(Role::Packets)),
        (&anyone, &["Bearer weak"], "Attach", weaker(Role::Control)),
        (&anyone, &["Bearer strong"], "Attach", Ok(Some("ops"))),
        (&anyone, &["Bearer strong"], "WatchPackets", Ok(Some("ops"))),
        (&anyone, &[], "GetStatus", nobody),
        (&anyone, &["Bearer wrong"], "GetStatus", nobody),
        (&anyone, &["Bearer short"], "GetStatus", nobody),
        (&certified, &["Bearer short"], "GetStatus", nobody),
        (&anyone, &["Bearer "], "GetStatus", nobody),
        (&anyone, &["Bearer"], "GetStatus", nobody),
        (&anyone, &[""], "GetStatus", nobody),
        (&anyone, &["Basic strong"], "GetStatus", nobody),
        (&anyone, &["strong"], "GetStatus", nobody),
        (&anyone, &["Bearer Strong"], "GetStatus", nobody),
        (&anyone, &["Bearer weak", "Bearer strong"], "GetStatus", nobody),
        (&certified, &[], "WatchPackets", Ok(Some("ops.example.org"))),
        (&certified, &[], "Attach", weaker_than_control),
        (
            &certified,
            &["Bearer weak"],
            "WatchPackets",
            Ok(Some("ops.example.org")),
        ),
        (&certified, &["Bearer strong"], "Attach", Ok(Some("ops"))),
        (&certified, &["Bearer wrong"], "GetStatus", nobody),
        (&network(&["other.example.org"]), &[], "GetStatus", nobody),
        (&network(&["*.example.org"]), &[], "GetStatus", nobody),
        (&Peer::Local { uid: 1000 }, &[], "WatchPackets", Ok(Some("alice"))),
        (&Peer::Local { uid: 0 }, &[], "GetStatus", nobody),
        (
            &Peer::Local { uid: 0 },
            &["Bearer weak"],
            "GetStatus",
            Ok(Some("grafana")),
        ),
    ] {
        let decided = listed().decide(
            peer,
            &headers(authorization),
            &format!("{SERVICE}{method}"),
            now(),
        );
        let decided = decided.map(|identity| identity.name);
        assert_eq!(
            decided,
            expected.map(|name| name.map(str::to_owned)),
            "{peer} {authorization:?} {method}"
        );
    }
}

#[test]
fn a_token_counts_until_the_moment_at_which_it_expires() {
    let path = format!("{SERVICE}GetStatus");
    let decide = |now| listed().decide(&network(&[]), &headers(&["Bearer short"]), &path, now);
    let before = now() - Duration::from_nanos(1);

    assert_eq!(decide(before).unwrap().until, Some(now()));
    assert_eq!(decide(now()), Err(Refusal::Unauthenticated));
    let Access::Listed(mut listed) = listed() else {
        unreachable!("it is listed");
    };
    listed.tokens.retain(|_hash, token| token.expires.is_some());
    let access = Access::Listed(listed);
    assert!(access.lets_in_over_tcp(false, before) && !access.lets_in_over_tcp(false, now()));
}

#[test]
fn a_certificate_counts_up_to_the_moment_at_which_it_ends() {
    let path = format!("{SERVICE}GetStatus");
    let certified = network(&["ops.example.org"]);
    let decide =
        |authorization: &[&str], now| listed().decide(&certified, &headers(authorization), &path, now);
    let after = now() + Duration::from_nanos(1);

    assert_eq!(decide(&[], now()).unwrap().until, Some(after));
    assert_eq!(decide(&[], after), Err(Refusal::Unauthenticated));
    // A token that lasts longer takes its place.
    assert_eq!(decide(&["Bearer strong"], now()).unwrap().until, Some(after));
    assert_eq!(decide(&["Bearer strong"], after).unwrap().until, None);
    // One that proves nothing of use ends nothing.
    let other = network(&["other.example.org"]);
    let identity = listed().decide(&other, &headers(&["Bearer strong"]), &path, now());
    assert_eq!(identity.unwrap().until, None);
}

#[test]
fn health_needs_nothing_whatever_is_shown() {
    for authorization in [&[][..], &["Bearer wrong"], &["Basic x", "Basic y"]] {
        let decided = listed().decide(
            &network(&[]),
            &headers(authorization),
            "/grpc.health.v1.Health/Check",
            now(),
        );
        assert!(decided.is_ok(), "{authorization:?}");
    }
}

#[test]
fn without_an_access_file_ports_are_open_and_unix_sockets_are_for_root_and_the_own_user() {
    let open = Access::Open { own_uid: 500 };
    for (peer, expected) in [
        (network(&[]), Ok(())),
        (Peer::Local { uid: 0 }, Ok(())),
        (Peer::Local { uid: 500 }, Ok(())),
        (Peer::Local { uid: 501 }, Err(Refusal::OtherUser)),
    ] {
        let decided = open.decide(&peer, &headers(&["Bearer whatever"]), "/any.Service/Call", now());
        assert_eq!(decided.map(|_identity| ()), expected, "{peer}");
    }
}

#[test]
fn a_role_includes_those_before_it() {
    assert!(Role::Connections < Role::Packets && Role::Packets < Role::Control);
}
