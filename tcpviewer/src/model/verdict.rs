//! Why a connection is as it is, in a word or two, and the numbers that say so. Which verdict is right is not decided
//! here.

use std::time::SystemTime;

/// What is to be said of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where the cause lies.
    pub kind: VerdictKind,
    /// What it is; `None` where nothing is wrong.
    pub cause: Option<Cause>,
    /// The end that causes it; `None` where neither or both do.
    pub end: Option<End>,
    /// Since when this is the verdict.
    pub since: SystemTime,
    /// The numbers behind it, the most telling one first.
    pub evidence: EvidenceList,
}

impl Verdict {
    /// How grave it is; 0 where nothing is wrong.
    pub fn severity(&self) -> u8 {
        self.cause.map_or(0, Cause::severity)
    }
}

/// A verdict has so many numbers at most.
const EVIDENCE: usize = 3;

/// The numbers behind a verdict, the most telling one first. Many verdicts are kept, so they stand apart from what they
/// are numbers of: that takes two thirds of the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EvidenceList {
    measures: Measures,
    values: [u64; EVIDENCE],
}

/// What the numbers behind a verdict are.
pub type Measures = [Option<Measure>; EVIDENCE];

impl EvidenceList {
    /// What the numbers are, and the numbers.
    pub const fn parts(&self) -> (Measures, [u64; EVIDENCE]) {
        (self.measures, self.values)
    }

    /// The opposite of [`parts`](Self::parts).
    pub const fn from_parts(measures: Measures, values: [u64; EVIDENCE]) -> Self {
        Self { measures, values }
    }

    /// The numbers.
    pub fn iter(&self) -> impl Iterator<Item = Evidence> {
        let pairs = self.measures.into_iter().zip(self.values);
        pairs.filter_map(|(measure, value)| {
            Some(Evidence {
                measure: measure?,
                value,
            })
        })
    }
}

impl FromIterator<Evidence> for EvidenceList {
    /// The first of these numbers, as many as there is room for.
    fn from_iter<T: IntoIterator<Item = Evidence>>(numbers: T) -> Self {
        let mut list = Self::default();
        let places = list.measures.iter_mut().zip(&mut list.values);
        for ((measure, value), number) in places.zip(numbers) {
            (*measure, *value) = (Some(number.measure), number.value);
        }
        list
    }
}

/// Where the cause lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerdictKind {
    /// Nothing is wrong.
    Healthy,
    /// Nothing is to be sent.
    Idle,
    /// On the way between the ends.
    Network,
    /// At the end that is not this host's.
    Peer,
    /// With the application at an end of this host.
    Application,
    /// The connection does not come about, or came about late.
    Handshake,
    /// At the queue of a listening socket of this host.
    Backlog,
}

impl VerdictKind {
    /// The words for them, in their order.
    pub const NAMES: &[&str] = &[
        "healthy",
        "idle",
        "network",
        "peer",
        "application",
        "handshake",
        "backlog",
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or_default()
    }
}

/// What the cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Packets are lost.
    Loss,
    /// Each round trip takes long.
    RoundTrip,
    /// The end does not read, or more slowly than the other sends.
    NotReading,
    /// The end offers a small receive window although it reads.
    SmallWindow,
    /// It would be the end's turn to send.
    NotSending,
    /// The end's send buffer is small.
    SendBuffer,
    /// The other end has closed, and this one does not.
    NotClosing,
    /// A SYN, or the answer to it, found no answer.
    NoAnswer,
    /// The SYN was answered with a RST.
    Refused,
    /// The accept queue of the listening socket is full.
    QueueFull,
    /// It is open, and the application has not accepted it.
    NotAccepted,
}

impl Cause {
    /// The words for them, in their order.
    pub const NAMES: &[&str] = &[
        "loss",
        "round-trip",
        "not-reading",
        "small-window",
        "not-sending",
        "send-buffer",
        "not-closing",
        "no-answer",
        "refused",
        "queue-full",
        "not-accepted",
    ];

    /// The word for it.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(self as usize).copied().unwrap_or_default()
    }

    /// How grave it is, 1 to 5: what was left undone, what is slower than it could be, what waits for an end, what
    /// does not get through, and who does not get through at all.
    pub fn severity(self) -> u8 {
        match self {
            Self::NotClosing => 1,
            Self::RoundTrip | Self::SmallWindow | Self::SendBuffer => 2,
            Self::NotSending => 3,
            Self::Loss | Self::NotReading | Self::NotAccepted => 4,
            Self::NoAnswer | Self::Refused | Self::QueueFull => 5,
        }
    }
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The one that opened it.
    Source,
    /// The one that was connected to.
    Destination,
}

impl End {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Source => Self::Destination,
            Self::Destination => Self::Source,
        }
    }
}

/// A number behind a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What it is.
    pub measure: Measure,
    /// In the unit of that.
    pub value: u64,
}

/// What a number behind a verdict is. What happened "lately" did so in the last five to ten seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Part of the packets of a direction that were sent again lately, tenths of a per cent.
    Retransmitted,
    /// Packets sent again lately.
    Retransmissions,
    /// Times that the retransmission timer was doubled since the last acknowledgement.
    Backoff,
    /// Smoothed round-trip time, microseconds.
    RoundTrip,
    /// Smallest round-trip time, microseconds.
    LeastRoundTrip,
    /// Payload lately, both ways, bytes per second.
    Rate,
    /// Time without payload, milliseconds.
    Silence,
    /// Receive window that the end offers, bytes.
    Window,
    /// Packets lately that offered no window.
    ZeroWindows,
    /// Packets lately that used up the window.
    WindowFull,
    /// Part of the sender's time lately in which the window held it back, per cent.
    WindowLimited,
    /// Part of the sender's time lately in which its buffer was too small, per cent.
    BufferLimited,
    /// Bytes that came and were not read.
    ReceiveQueue,
    /// Bytes that were written and not acknowledged.
    SendQueue,
    /// Size of the receive buffer, bytes.
    ReceiveBuffer,
    /// Size of the send buffer, bytes.
    SendBuffer,
    /// How often the SYN was sent.
    Syns,
    /// How often the answer to the SYN was sent.
    SynAnswers,
    /// Time since the first SYN, milliseconds.
    Waited,
    /// Connections in the accept queue.
    AcceptQueue,
    /// How many it may hold, less one.
    AcceptQueueLimit,
    /// What was dropped at the listening socket since it was made.
    ListenerDrops,
    /// How long answers take otherwise, microseconds.
    UsualResponse,
}

/// A listening socket of this host with a full accept queue, or that dropped something lately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Connections that wait for the application.
    pub accept_queue: u32,
    /// How many may, less one.
    pub accept_queue_limit: u32,
    /// What was dropped here since it was made.
    pub drops: u32,
}
