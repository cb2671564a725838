//! What tests with real traffic are made of, in the order a test needs it: rights, network namespaces, a line
//! that the test controls, a lossy one (what it decides, what it does, what it did), the real daemon in one of the
//! namespaces, a client that is not ours, traffic, and what the kernel says about it.

pub(crate) mod namespaces;

pub(crate) mod relay;

pub(crate) mod fate;

pub(crate) mod lossy;

pub(crate) mod truth;

pub(crate) mod deny;

pub(crate) mod daemon;

pub(crate) mod watch;

pub(crate) mod traffic;

pub(crate) mod processes;

pub(crate) mod iperf;

pub(crate) mod flood;

pub(crate) mod kernel;

use std::{
    env, fs,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread::sleep,
    time::{Duration, Instant},
};

/// Nothing that a test waits for takes longer, on the slowest machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_PERFMON and CAP_BPF.
const NEEDED: u64 = 1 << 12 | 1 << 21 | 1 << 38 | 1 << 39;

/// Whether namespaces can be made and programs loaded. Says why not; where root is required, that is a failure.
pub(crate) fn require_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .unwrap();
    let missing = NEEDED & !u64::from_str_radix(effective.trim(), 16).unwrap();
    if missing == 0 {
        return true;
    }
    let reason = format!("needs root: capabilities {missing:#x} are missing; cargo xtask test gets them");
    assert!(
        env::var_os("TCPVIEWER_REQUIRE_ROOT").is_none_or(|value| value != "1"),
        "{reason}"
    );
    println!("skipped: {reason}");
    false
}

/// Looks until there is an answer.
pub(crate) fn wait_for<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < patience, "no {what} after {patience:?}");
        sleep(Duration::from_millis(20));
    }
}

/// The value once it has stopped changing: delayed ACKs come within 200 ms, a lost one's repair is a change.
pub(crate) fn wait_for_quiet<T: PartialEq>(mut look: impl FnMut() -> T) -> T {
    let (mut last, mut since) = (look(), Instant::now());
    wait_for(PATIENCE, "quiet", || {
        let now = look();
        if now != last {
            last = now;
            since = Instant::now();
        }
        (since.elapsed() > Duration::from_millis(500)).then_some(())
    });
    last
}

static MACHINE: RwLock<()> = RwLock::new(());

/// Held while a test sends traffic that may share the machine.
pub(crate) fn share_machine() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Held while a test measures time, or takes all there is.
pub(crate) fn own_machine() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}
