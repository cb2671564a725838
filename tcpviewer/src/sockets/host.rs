//! Counters of the host's TCP as the kernel keeps them in /proc/net/snmp and /proc/net/netstat (man 5 proc; Linux,
//! net/ipv4/proc.c): those that tell that something goes wrong, and how fast they grow.

use std::{fs, io, time::Duration};

use tokio::time::Instant;

use crate::model::HostCounter;

/// Growth is measured over this long at least.
const SPAN: Duration = Duration::from_secs(1);

/// The group, the kernel's name, and what is counted.
const COUNTERS: [(&str, &str, &str); 34] = [
    ("Tcp", "ActiveOpens", "connections begun by this host"),
    ("Tcp", "PassiveOpens", "connections taken by this host"),
    (
        "Tcp",
        "AttemptFails",
        "connections that failed before they were established",
    ),
    (
        "Tcp",
        "EstabResets",
        "established connections that ended by a reset",
    ),
    ("Tcp", "InSegs", "segments received"),
    ("Tcp", "OutSegs", "segments sent, without those sent again"),
    ("Tcp", "RetransSegs", "segments sent again"),
    (
        "Tcp",
        "InErrs",
        "segments received with a wrong checksum or header",
    ),
    ("Tcp", "OutRsts", "resets sent"),
    (
        "TcpExt",
        "ListenOverflows",
        "connections dropped because an accept queue was full",
    ),
    (
        "TcpExt",
        "ListenDrops",
        "connections dropped at a listener for any reason",
    ),
    (
        "TcpExt",
        "TCPReqQFullDrop",
        "SYNs dropped because the queue of handshakes was full",
    ),
    (
        "TcpExt",
        "TCPReqQFullDoCookies",
        "SYNs answered with a cookie because that queue was full",
    ),
    ("TcpExt", "SyncookiesFailed", "cookies that came back wrong"),
    ("TcpExt", "TCPTimeouts", "retransmission timers that ran out"),
    ("TcpExt", "TCPSynRetrans", "SYNs and SYN-ACKs sent again"),
    (
        "TcpExt",
        "TCPFastRetrans",
        "segments sent again because of acknowledgements",
    ),
    (
        "TcpExt",
        "TCPSlowStartRetrans",
        "segments sent again after a timer ran out",
    ),
    (
        "TcpExt",
        "TCPLostRetransmit",
        "segments that were lost again when sent again",
    ),
    ("TcpExt", "TCPSpuriousRTOs", "timers that ran out too early"),
    (
        "TcpExt",
        "TCPDSACKRecv",
        "reports of the far end that something came twice",
    ),
    ("TcpExt", "TCPOFOQueue", "segments received out of order"),
    (
        "TcpExt",
        "TCPOFODrop",
        "segments out of order dropped for lack of memory",
    ),
    (
        "TcpExt",
        "TCPBacklogDrop",
        "segments dropped because a socket's backlog was full",
    ),
    (
        "TcpExt",
        "TCPRcvQDrop",
        "segments dropped because a receive queue was full",
    ),
    (
        "TcpExt",
        "TCPZeroWindowDrop",
        "segments dropped because they came into a closed window",
    ),
    (
        "TcpExt",
        "PruneCalled",
        "times that a receive queue was cut for lack of memory",
    ),
    (
        "TcpExt",
        "TCPMemoryPressures",
        "times that TCP ran short of memory",
    ),
    (
        "TcpExt",
        "OutOfWindowIcmps",
        "ICMP messages whose sequence number fits no connection",
    ),
    (
        "TcpExt",
        "TCPACKSkippedSeq",
        "acknowledgements held back that answer segments out of the window",
    ),
    (
        "TcpExt",
        "TCPAbortOnData",
        "connections reset because data came after the application had closed",
    ),
    (
        "TcpExt",
        "TCPAbortOnClose",
        "connections reset because the application closed with data unread",
    ),
    (
        "TcpExt",
        "TCPAbortOnMemory",
        "connections reset for lack of memory",
    ),
    (
        "TcpExt",
        "TCPAbortOnTimeout",
        "connections reset because a timer ran out too often",
    ),
];

/// The counters, and what they were before.
#[derive(Default)]
pub(super) struct HostCounters {
    before: Option<Counted>,
    newest: Option<Counted>,
}

struct Counted {
    at: Instant,
    /// In the order of the table; `None` for what this kernel does not count.
    values: Vec<Option<u64>>,
}

impl HostCounters {
    /// The counters of the network namespace of this thread; those that this kernel has.
    ///
    /// # Errors
    ///
    /// When procfs does not tell.
    pub(super) fn read(&mut self, now: Instant) -> io::Result<Vec<HostCounter>> {
        let text = fs::read_to_string("/proc/thread-self/net/snmp")?
            + &fs::read_to_string("/proc/thread-self/net/netstat")?;
        Ok(self.take(&text, now))
    }

    fn take(&mut self, text: &str, now: Instant) -> Vec<HostCounter> {
        let values: Vec<_> = COUNTERS
            .iter()
            .map(|(group, name, _meaning)| find(text, group, name))
            .collect();
        // What is asked for more often than once per span is measured from further back.
        if self
            .newest
            .as_ref()
            .is_none_or(|newest| now.duration_since(newest.at) >= SPAN)
        {
            let counted = Counted {
                at: now,
                values: values.clone(),
            };
            self.before = self.newest.replace(counted);
        }
        let per_second = |place: usize, total: u64| {
            let before = self.before.as_ref()?;
            let growth = total.checked_sub(before.values.get(place).copied()??)?;
            Some(growth as f64 / now.duration_since(before.at).as_secs_f64())
        };
        COUNTERS
            .iter()
            .zip(values)
            .enumerate()
            .filter_map(|(place, (&(_group, name, meaning), total))| {
                Some(HostCounter {
                    name,
                    meaning,
                    total: total?,
                    per_second: per_second(place, total?),
                })
            })
            .collect()
    }
}

/// A counter of a group, which is a line of names and a line of numbers, both after the group's name.
fn find(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| {
        let (of, rest) = line.split_once(": ")?;
        (of == group).then(|| rest.split_ascii_whitespace())
    });
    let (mut names, mut numbers) = (lines.next()?, lines.next()?);
    numbers.nth(names.position(|each| each == name)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(retransmitted: u64, overflows: u64) -> String {
        format!(
            "Ip: Forwarding DefaultTTL\nIp: 1 64\nTcp: RtoMin MaxConn RetransSegs\nTcp: 200 -1 {retransmitted}\n\
             TcpExt: SyncookiesSent ListenOverflows\nTcpExt: 0 {overflows}\nIpExt: InNoRoutes\nIpExt: 0\n"
        )
    }

    #[test]
    fn growth_is_told_once_there_are_two_readings_a_second_apart() {
        let (mut counters, start) = (HostCounters::default(), Instant::now());
        let mut read = |text: String, milliseconds| {
            let read = counters.take(&text, start + Duration::from_millis(milliseconds));
            let read = read.into_iter();
            read.map(|counter| (counter.name, counter.total, counter.per_second))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            read(text(10, 3), 0),
            [("RetransSegs", 10, None), ("ListenOverflows", 3, None)]
        );
        assert_eq!(read(text(12, 3), 500)[0], ("RetransSegs", 12, None));
        assert_eq!(
            read(text(30, 5), 2_000),
            [("RetransSegs", 30, Some(10.0)), ("ListenOverflows", 5, Some(1.0))]
        );
        assert_eq!(read(text(34, 5), 2_500)[0], ("RetransSegs", 34, Some(9.6)));
    }

    #[test]
    fn this_kernel_has_most_of_the_counters() {
        let read = HostCounters::default().read(Instant::now()).unwrap();
        assert!(read.len() >= 30, "{read:?}");
    }
}
