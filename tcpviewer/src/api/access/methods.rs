//! What each call needs. In: the path of a request. Out: the role that covers it. A call that is not in the table
//! needs the strongest role, so that one which is added and forgotten here is closed and not open.

use super::Role;
use crate::api::traffic;

/// What a request needs to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::api) enum Need {
    /// Nothing: there is no data in the answer.
    Nothing,
    /// This role, or one that includes it.
    Role(Role),
}

const SERVICE: &str = "/tcpviewer.v1.TcpViewerService/";

/// The calls of the service.
const METHODS: [(&str, Role); 11] = [
    ("WatchConnections", Role::Connections),
    // What it says of packets is of the kind that counters say.
    ("WatchConnection", Role::Connections),
    ("ListConnections", Role::Connections),
    ("GetConnection", Role::Connections),
    ("WatchPackets", Role::Packets),
    ("CapturePcap", Role::Packets),
    ("WatchStats", Role::Connections),
    ("WatchBundle", Role::Connections),
    ("ChangeBundle", Role::Connections),
    ("ListListeners", Role::Connections),
    ("GetStatus", Role::Connections),
];

/// What scripts get without gRPC. Packets are a part of the traffic, and an answer that depends on the role would be two.
const PLAIN: [(&str, Role); 1] = [(traffic::PATH, Role::Packets)];

/// Services that come with gRPC.
const SERVICES: [(&str, Need); 3] = [
    // Whoever asks whether the daemon runs, a load balancer for instance, learns that and nothing else.
    ("/grpc.health.v1.Health/", Need::Nothing),
    (
        "/grpc.reflection.v1.ServerReflection/",
        Need::Role(Role::Connections),
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/",
        Need::Role(Role::Connections),
    ),
];

/// What a call to `path` needs.
pub(in crate::api) fn needed(path: &str) -> Need {
    listed(path).unwrap_or(Need::Role(Role::Control))
}

fn listed(path: &str) -> Option<Need> {
    if let Some(called) = path.strip_prefix(SERVICE) {
        let (_name, role) = METHODS.iter().find(|(name, _role)| *name == called)?;
        return Some(Need::Role(*role));
    }
    if let Some((_path, role)) = PLAIN.iter().find(|(plain, _role)| *plain == path) {
        return Some(Need::Role(*role));
    }
    let (_service, need) = SERVICES
        .iter()
        .find(|(service, _need)| path.starts_with(service))?;
    Some(*need)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;
    use crate::proto::DESCRIPTORS;

    #[test]
    fn every_method_of_the_contract_is_in_the_table_and_nothing_else_is() {
        let files = FileDescriptorSet::decode(DESCRIPTORS).unwrap();
        let mut paths: Vec<_> = files
            .file
            .iter()
            .flat_map(|file| file.service.iter().map(move |service| (file.package(), service)))
            .flat_map(|(package, service)| {
                let methods = service.method.iter();
                methods.map(move |method| format!("/{package}.{}/{}", service.name(), method.name()))
            })
            .collect();

        for path in &paths {
            assert!(listed(path).is_some(), "say in METHODS which role {path} needs");
        }
        let mut table: Vec<_> = METHODS
            .iter()
            .map(|(name, _role)| format!("{SERVICE}{name}"))
            .collect();
        paths.sort();
        table.sort();
        assert_eq!(table, paths);
    }

    #[test]
    fn what_is_not_in_the_table_needs_the_strongest_role() {
        for (path, expected) in [
            (
                "/tcpviewer.v1.TcpViewerService/WatchPackets",
                Need::Role(Role::Packets),
            ),
            (
                "/tcpviewer.v1.TcpViewerService/GetStatus",
                Need::Role(Role::Connections),
            ),
            (
                "/tcpviewer.v1.TcpViewerService/GetStatus/",
                Need::Role(Role::Control),
            ),
            (
                "/tcpviewer.v1.TcpViewerService/getstatus",
                Need::Role(Role::Control),
            ),
            (
                "//tcpviewer.v1.TcpViewerService/GetStatus",
                Need::Role(Role::Control),
            ),
            ("/tcpviewer.v1.TcpViewerService/Attach", Need::Role(Role::Control)),
            (
                "/tcpviewer.v2.TcpViewerService/GetStatus",
                Need::Role(Role::Control),
            ),
            ("/api/traffic", Need::Role(Role::Packets)),
            ("/api/traffic/", Need::Role(Role::Control)),
            ("/api/other", Need::Role(Role::Control)),
            ("/grpc.health.v1.Health/Watch", Need::Nothing),
            ("/grpc.health.v1.HealthX/Watch", Need::Role(Role::Control)),
            ("/", Need::Role(Role::Control)),
            ("", Need::Role(Role::Control)),
        ] {
            assert_eq!(needed(path), expected, "{path}");
        }
    }
}
