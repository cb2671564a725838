//! What the path of a control group tells: the systemd unit, the container and the pod that a process belongs to. Pure
//! functions of the words that systemd, Docker, containerd, CRI-O, Podman and the kubelet put there.

use crate::model::ControlGroup;

/// Ids of containers have as many digits (SHA-256 in hexadecimal).
const CONTAINER_DIGITS: usize = 64;
/// What container managers put before the id in the name of a scope.
const MANAGERS: [&str; 7] = [
    "libpod-payload-",
    "docker-",
    "cri-containerd-",
    "crio-",
    "libpod-",
    "podman-",
    "nerdctl-",
];
/// A unit with one of these endings is what a process belongs to; slices only hold others.
const UNITS: [&str; 2] = [".service", ".scope"];

/// What the text of /proc/PID/cgroup tells, and whether it is in the unified hierarchy. Where there are older
/// hierarchies beside it, the first that says more than the root counts.
pub(super) fn of_process(text: &str) -> Option<(ControlGroup, bool)> {
    let paths = || {
        text.lines().filter_map(|line| {
            let (number, rest) = line.split_once(':')?;
            let (names, path) = rest.split_once(':')?;
            Some((number == "0", names, path))
        })
    };
    let unified = paths().find(|(is_unified, ..)| *is_unified);
    let systemd = paths().find(|(_, names, _)| *names == "name=systemd");
    let candidates = unified.into_iter().chain(systemd).chain(paths());
    let (is_unified, _, path) = candidates
        .clone()
        .find(|(.., path)| *path != "/")
        .or_else(|| candidates.clone().next())?;
    Some((of_path(path), is_unified))
}

/// What a path tells.
pub(super) fn of_path(path: &str) -> ControlGroup {
    let parts = || path.split('/').filter(|part| !part.is_empty());
    let container = parts().rev().find_map(container);
    // A container's own systemd has units of its own below it; they are the container's business.
    let mut unit = None;
    for part in parts() {
        if self::container(part).is_some() {
            break;
        }
        if UNITS.iter().any(|ending| part.ends_with(ending)) {
            unit = Some(part);
        }
    }
    ControlGroup {
        path: path.into(),
        unit: unit.map(unescaped),
        container: container.map(Into::into),
        pod: parts().find_map(pod),
    }
}

/// The id of the container that a part of a path names.
fn container(part: &str) -> Option<&str> {
    // containerd's shim writes `system.slice:cri-containerd:ID` where it does not speak with systemd.
    let last = part.rsplit(':').next().unwrap_or(part);
    let last = last.strip_suffix(".scope").unwrap_or(last);
    let id = MANAGERS
        .iter()
        .find_map(|manager| last.strip_prefix(manager))
        .unwrap_or(last);
    // What watches over a container has its id, and is not in it.
    let is_id = id.len() == CONTAINER_DIGITS && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(id)
}

/// The uid of the pod that a part of a path names: `pod<uid>` or `kubepods-<class>-pod<uid>.slice` with `_` for `-`.
fn pod(part: &str) -> Option<Box<str>> {
    let part = part.split(':').next().unwrap_or(part);
    let part = part.strip_suffix(".slice").unwrap_or(part);
    let uid = match part.strip_prefix("pod") {
        Some(uid) => uid,
        None if part.starts_with("kubepods-") => part.rsplit_once("-pod")?.1,
        None => return None,
    };
    let uid = uid.replace('_', "-");
    let is_uid = uid.len() == 36 && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
        // Pods of a node's own manifests have a hash.
        || uid.len() == 32 && uid.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_uid.then(|| uid.into())
}

/// A unit's name with systemd's escapes undone (systemd.unit(5), "string escaping for inclusion in unit names").
fn unescaped(unit: &str) -> Box<str> {
    let mut bytes = Vec::with_capacity(unit.len());
    let mut rest = unit.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'\\', b'x', high, low, ..] => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = &rest[4..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f4a0c9d5be1726384950a1b2c3d4e5f60718293a4b5c6d7e8f9012345678901";
    const UID: &str = "2e7783b9-3192-598c-ce86-08f509f37ed5";

    fn check(path: &str, unit: Option<&str>, container: Option<&str>, pod: Option<&str>) {
        let group = of_path(path);
        assert_eq!(group.unit.as_deref(), unit, "{path}");
        assert_eq!(group.container.as_deref(), container, "{path}");
        assert_eq!(group.pod.as_deref(), pod, "{path}");
        assert_eq!(&*group.path, path);
    }

    #[test]
    fn systemd_s_units_are_found() {
        check("/", None, None, None);
        check("/system.slice/nginx.service", Some("nginx.service"), None, None);
        check(
            "/system.slice/system-getty.slice/getty@tty1.service",
            Some("getty@tty1.service"),
            None,
            None,
        );
        check(
            "/user.slice/user-1000.slice/user@1000.service/app.slice/app-firefox-7.scope",
            Some("app-firefox-7.scope"),
            None,
            None,
        );
        check(
            "/user.slice/user-0.slice/session-3.scope",
            Some("session-3.scope"),
            None,
            None,
        );
        check(
            r"/system.slice/system-postgresql.slice/postgresql@15\x2dmain.service",
            Some("postgresql@15-main.service"),
            None,
            None,
        );
        check("/user.slice/user-1000.slice", None, None, None);
        check("/init.scope", Some("init.scope"), None, None);
    }

    #[test]
    fn containers_are_found_whoever_manages_them() {
        for manager in ["docker", "libpod", "crio", "cri-containerd", "nerdctl"] {
            let path = format!("/system.slice/{manager}-{ID}.scope");
            check(&path, None, Some(ID), None);
        }
        check(&format!("/docker/{ID}"), None, Some(ID), None);
        check(&format!("/docker/{ID}/init.scope"), None, Some(ID), None);
        check(
            &format!("/machine.slice/libpod-{ID}.scope/container"),
            None,
            Some(ID),
            None,
        );
        check(
            &format!(
                "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{ID}.scope/system.slice/a.service"
            ),
            Some("user@1000.service"),
            Some(ID),
            None,
        );
        check(
            &format!("/system.slice/web.service/libpod-payload-{ID}"),
            Some("web.service"),
            Some(ID),
            None,
        );
        check(
            &format!("/machine.slice/libpod-conmon-{ID}.scope"),
            Some(&format!("libpod-conmon-{ID}.scope")),
            None,
            None,
        );
        check("/docker/abcdef", None, None, None);
    }

    #[test]
    fn pods_are_found_with_either_driver_of_control_groups() {
        check(
            &format!("/kubepods/burstable/pod{UID}/{ID}"),
            None,
            Some(ID),
            Some(UID),
        );
        let underscored = UID.replace('-', "_");
        check(
            &format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{underscored}.slice/\
                 cri-containerd-{ID}.scope"
            ),
            None,
            Some(ID),
            Some(UID),
        );
        check(
            &format!(
                "/system.slice/containerd.service/kubepods-besteffort-pod{underscored}.slice:cri-containerd:{ID}"
            ),
            Some("containerd.service"),
            Some(ID),
            Some(UID),
        );
        let hash = "0123456789abcdef0123456789abcdef";
        check(
            &format!("/kubepods/besteffort/pod{hash}/{ID}"),
            None,
            Some(ID),
            Some(hash),
        );
        check("/podinfo", None, None, None);
    }

    #[test]
    fn the_first_hierarchy_that_says_something_counts() {
        let (group, is_unified) = of_process("0::/system.slice/sshd.service\n").unwrap();
        assert_eq!((group.unit.as_deref(), is_unified), (Some("sshd.service"), true));
        let hybrid = "9:name=systemd:/system.slice/cron.service\n4:memory:/other\n0::/\n";
        let (group, is_unified) = of_process(hybrid).unwrap();
        assert_eq!((group.unit.as_deref(), is_unified), (Some("cron.service"), false));
        let older = "9:name=systemd:/\n4:memory:/docker/abc\n";
        let (group, is_unified) = of_process(older).unwrap();
        assert_eq!((&*group.path, is_unified), ("/docker/abc", false));
        assert_eq!(
            of_process("0::/\n").map(|(group, _)| group.path),
            Some("/".into())
        );
        assert_eq!(of_process(""), None);
    }
}
