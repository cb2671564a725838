//! The source that plays a capture: its packets pass as they once did, or faster, or slower, and what they change is
//! reported as the kernel would report it. In: packets, as somebody reads them. Out: batches of samples and
//! packets, and the time of the capture, by which everything after this stage goes. After the last packet that
//! time stands still.

use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tcpviewer_common::{connection::ConnectionKey, event::PacketEvent};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};

use super::{
    CaptureStatus, Outlets, Request, convert,
    replay::{
        CapturedPacket,
        connections::{Connections, Taken},
    },
};
use crate::model::{Clock, InterfaceNames, Packet, PacketBatch, Sample, SampleBatch, Unsent};

/// At most so many packets are taken before requests are looked at again.
const BATCH: usize = 256;
/// Samples of one batch are no further apart, in the capture's time.
const SAME_TIME: Duration = Duration::from_millis(250);
/// After the last packet the capture's time runs on for so many reports: rates fall to 0 in it.
const REPORTS_AFTER_END: u32 = 8;

/// How fast a capture is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// So many times as fast as it was captured.
    Times(f64),
    /// As fast as it can be read.
    Max,
}

impl Speed {
    /// How long this much of the capture's time takes.
    fn takes(self, capture_ns: u64) -> Duration {
        match self {
            Self::Times(times) => Duration::from_nanos((capture_ns as f64 / times) as u64),
            Self::Max => Duration::ZERO,
        }
    }

    /// How much of the capture passes in this time; as much where there is no telling.
    pub fn covers(self, time: Duration) -> Duration {
        match self {
            Self::Times(times) => Duration::from_nanos((time.as_nanos() as f64 * times) as u64),
            Self::Max => time,
        }
    }
}

/// The time of a capture, for the stages that ask for a monotonic clock.
#[derive(Debug)]
pub struct CaptureTime {
    start: Instant,
    /// Since the first packet.
    elapsed_ns: AtomicU64,
}

impl CaptureTime {
    /// A time that stands at the first packet.
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
            elapsed_ns: AtomicU64::new(0),
        }
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        self.start + Duration::from_nanos(self.elapsed_ns())
    }

    fn elapsed_ns(&self) -> u64 {
        self.elapsed_ns.load(Ordering::Relaxed)
    }

    /// Moves on to so much after the first packet; never back.
    fn reach(&self, elapsed_ns: u64) {
        self.elapsed_ns.fetch_max(elapsed_ns, Ordering::Relaxed);
    }

    fn run_on(&self, by: Duration) {
        self.elapsed_ns.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Default for CaptureTime {
    fn default() -> Self {
        Self::new()
    }
}

/// How a capture is played.
pub struct Playback {
    /// How fast.
    pub speed: Speed,
    /// Changing connections are reported once per this time.
    pub update_interval: Duration,
    /// What is held of the connections.
    pub connections: Connections,
    /// Names of the capture's interfaces.
    pub names: Arc<InterfaceNames>,
    /// Wall-clock time of the packets.
    pub clock: Clock,
    /// Moved on by this stage.
    pub time: Arc<CaptureTime>,
}

/// Plays packets until the requests end, which may be long after the last packet.
pub async fn run(
    playback: Playback,
    mut packets: mpsc::Receiver<CapturedPacket>,
    mut requests: mpsc::Receiver<Request>,
    outlets: Outlets,
) {
    let mut report = interval(playback.update_interval);
    report.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut player = Player {
        playback,
        begun: None,
        waiting: VecDeque::new(),
        dirty: HashSet::new(),
        batches: Vec::new(),
        watched: None,
    };
    let mut reports_left = REPORTS_AFTER_END;
    let mut is_over = false;
    let mut read = Vec::with_capacity(BATCH);
    loop {
        let next = player.next_due();
        tokio::select! {
            request = requests.recv() => match request {
                Some(request) => player.answer(request),
                None => return,
            },
            _ = report.tick(), if reports_left > 0 => {
                player.report();
                if is_over && player.waiting.is_empty() {
                    reports_left -= 1;
                    let playback = &player.playback;
                    playback.time.run_on(playback.speed.covers(playback.update_interval));
                }
            }
            count = packets.recv_many(&mut read, BATCH), if !is_over && player.waiting.is_empty() => {
                is_over = count == 0;
                player.waiting.extend(read.drain(..));
                player.play_due();
            }
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => player.play_due(),
        }
        player.hand_on(&outlets).await;
    }
}

struct Player {
    playback: Playback,
    /// When the first packet was played, and the capture's time of it.
    begun: Option<(Instant, u64)>,
    /// Packets that were read and whose time has not come.
    waiting: VecDeque<CapturedPacket>,
    /// Connections that changed since the last report.
    dirty: HashSet<ConnectionKey>,
    /// What is to be handed on, oldest first.
    batches: Vec<SampleBatch>,
    /// Packets for whoever watches; `None` while nobody does.
    watched: Option<Vec<Packet>>,
}

impl Player {
    /// When the next packet is to be played.
    fn next_due(&self) -> Option<Instant> {
        let next = self.waiting.front()?;
        Some(self.due(next).unwrap_or_else(Instant::now))
    }

    /// When to play a packet; `None` for the first, which begins it all.
    fn due(&self, packet: &CapturedPacket) -> Option<Instant> {
        let (since, start_ns) = self.begun?;
        Some(since + self.playback.speed.takes(packet.time_ns.saturating_sub(start_ns)))
    }

    /// Plays the packets whose time has come.
    fn play_due(&mut self) {
        let now = Instant::now();
        while let Some(packet) = self.waiting.pop_front() {
            if self.due(&packet).is_some_and(|due| due > now) {
                self.waiting.push_front(packet);
                break;
            }
            self.play(&packet);
        }
    }

    fn play(&mut self, packet: &CapturedPacket) {
        let (_, start_ns) = *self.begun.get_or_insert((Instant::now(), packet.time_ns));
        let Playback {
            connections,
            names,
            time,
            clock,
            ..
        } = &mut self.playback;
        time.reach(packet.time_ns.saturating_sub(start_ns));
        let now = time.now();
        let replaced = connections.replaced();
        let taken = connections.take(packet);
        let mut samples: Vec<_> = connections
            .replaced_since(replaced, names)
            .map(Sample::from)
            .collect();
        if let Some(taken) = &taken {
            if taken.outcome.opened || taken.outcome.closed {
                samples.extend(connections.tracked(&taken.key, names).map(Sample::from));
                self.dirty.remove(&taken.key);
            } else {
                self.dirty.insert(taken.key);
            }
        }
        add(&mut self.batches, now, samples);
        let Some(taken) = taken else { return };
        if let Some(watched) = &mut self.watched {
            let interface = names.get(taken.seen.place.interface());
            watched.push(convert::packet(&event(&taken), interface, *clock));
        }
    }

    /// Reports what changed. While the next packet is waited for, the capture's time goes on.
    fn report(&mut self) {
        let playback = &self.playback;
        if let (Some((since, start_ns)), Some(next)) = (self.begun, self.waiting.front()) {
            let elapsed_ns = playback.speed.covers(since.elapsed()).as_nanos() as u64;
            playback
                .time
                .reach(elapsed_ns.min(next.time_ns.saturating_sub(start_ns)));
        }
        let changed = self.dirty.drain();
        let samples = changed
            .filter_map(|key| playback.connections.tracked(&key, &playback.names))
            .map(Sample::from)
            .collect();
        add(&mut self.batches, playback.time.now(), samples);
    }

    fn answer(&mut self, request: Request) {
        match request {
            // What waits for those who watch already is kept when others join them.
            Request::WatchPackets(wish) => {
                self.watched = wish.map(|_wish| self.watched.take().unwrap_or_default());
            }
            Request::Status(reply) => {
                let Playback { time, clock, .. } = &self.playback;
                let capture_time = self
                    .begun
                    .map(|(_, start_ns)| clock.at(start_ns.saturating_add(time.elapsed_ns())));
                let status = CaptureStatus {
                    ledger: self.playback.connections.ledger(),
                    tracked: self.playback.connections.len() as u64,
                    kernel_map_bytes: None,
                    capture_time,
                };
                // Who asked may have gone; then nobody misses the answer.
                reply.send(status).ok();
            }
        }
    }

    async fn hand_on(&mut self, outlets: &Outlets) {
        // The receivers are gone only when the daemon stops.
        for batch in self.batches.drain(..) {
            outlets.samples.send(batch).await.ok();
        }
        if let Some(packets) = self.watched.as_mut().filter(|packets| !packets.is_empty()) {
            let batch = PacketBatch {
                packets: std::mem::take(packets),
                unsent: Unsent::default(),
            };
            outlets.packets.send(batch).await.ok();
        }
    }
}

/// Adds samples of this moment. Those of one batch are of about the same time: what ends is kept from then on.
fn add(batches: &mut Vec<SampleBatch>, at: Instant, samples: Vec<Sample>) {
    match batches.last_mut() {
        _ if samples.is_empty() => {}
        Some(last) if at.duration_since(last.at) < SAME_TIME => last.samples.extend(samples),
        Some(_) | None => batches.push(SampleBatch { at, samples }),
    }
}

/// The packet as the kernel would report it.
fn event(taken: &Taken) -> PacketEvent {
    let Taken { segment, seen, .. } = taken;
    PacketEvent {
        time_ns: seen.now_ns,
        connection_id: taken.id,
        source: segment.source,
        destination: segment.destination,
        source_port: segment.source_port,
        destination_port: segment.destination_port,
        seq: segment.seq,
        ack: segment.ack,
        payload_bytes: segment.payload_bytes,
        wire_packets: segment.wire_packets,
        place: seen.place.0,
        window: segment.window,
        flags: segment.flags.0,
        retransmission: u8::from(taken.outcome.retransmission),
        padding: 0,
    }
}
