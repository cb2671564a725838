//! Packets on behalf of scripts that ask again and again. In: what a request wants. Out: a wish that lapses some time
//! after the last request, so that the next one finds packets at hand and one that never comes leaves no watcher behind.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tcpviewer_common::packet_filter::PacketFilter;
use tokio::time::{Instant, sleep_until};

use crate::{
    model::PacketWish,
    publish::{KeptPackets, PacketBoard},
};

/// How long a wish is kept after the last request for it.
const LAPSE: Duration = Duration::from_secs(10);
/// Different wishes at a time; a further one takes the place of the one that would lapse first.
const MAX_WISHES: usize = 16;

/// The wishes of late.
#[derive(Debug, Default)]
pub(super) struct Interest(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The one that lapses first stands first.
    kept: Vec<Kept>,
    /// Whether a task waits for that.
    awaited: bool,
}

#[derive(Debug)]
struct Kept {
    filter: PacketFilter,
    until: Instant,
    /// Ends with it.
    _packets: KeptPackets,
}

impl Interest {
    /// Wants these packets from now on, or for longer.
    pub(super) fn renew(self: &Arc<Self>, packets: &Arc<PacketBoard>, filter: PacketFilter) {
        let wish = PacketWish {
            filter,
            headers: false,
        };
        let mut state = self.lock();
        let known = state.kept.iter().position(|kept| kept.filter == filter);
        let until = Instant::now() + LAPSE;
        let kept = match known.map(|place| state.kept.remove(place)) {
            Some(kept) => Kept { until, ..kept },
            None => Kept {
                filter,
                until,
                _packets: packets.keep(wish),
            },
        };
        if state.kept.len() == MAX_WISHES {
            state.kept.remove(0);
        }
        state.kept.push(kept);
        if !std::mem::replace(&mut state.awaited, true) {
            tokio::spawn(forget(Arc::downgrade(self)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends what has lapsed, and tells when the next one does.
    fn lapse(&self, now: Instant) -> Option<Instant> {
        let mut state = self.lock();
        state.kept.retain(|kept| kept.until > now);
        let next = state.kept.first().map(|kept| kept.until);
        state.awaited = next.is_some();
        next
    }
}

async fn forget(interest: Weak<Interest>) {
    while let Some(next) = interest
        .upgrade()
        .and_then(|interest| interest.lapse(Instant::now()))
    {
        sleep_until(next).await;
    }
}

#[cfg(test)]
mod tests {
    use tcpviewer_common::packet_filter::Clause;
    use tokio::{sync::mpsc, time::sleep};

    use super::*;
    use crate::model::Command;

    fn of(connection_id: u64) -> PacketFilter {
        let mut filter = PacketFilter::NONE;
        filter.count = 1;
        filter.clauses[0] = Clause {
            connection_id,
            ..Clause::ANY
        };
        filter
    }

    /// What the daemon was asked for last.
    fn newest(received: &mut mpsc::Receiver<Command>) -> Option<Option<PacketFilter>> {
        let mut newest = None;
        while let Ok(command) = received.try_recv() {
            if let Command::WatchPackets(wish) = command {
                newest = Some(wish.map(|wish| wish.filter));
            }
        }
        newest
    }

    #[tokio::test(start_paused = true)]
    async fn a_wish_lasts_as_long_as_somebody_asks_and_then_lapses() {
        let (interest, packets) = (Arc::new(Interest::default()), Arc::new(PacketBoard::new()));
        let (commands, mut received) = mpsc::channel(100);
        let follower = Arc::clone(&packets);
        tokio::spawn(async move { follower.follow_readers(commands).await });

        for _request in 0..5 {
            interest.renew(&packets, of(7));
            sleep(LAPSE - Duration::from_secs(1)).await;
        }
        assert_eq!(newest(&mut received), Some(Some(of(7))));

        // The packets themselves stay a little longer than the last reader.
        sleep(Duration::from_secs(5)).await;
        assert_eq!(newest(&mut received), Some(None));

        interest.renew(&packets, of(8));
        sleep(Duration::from_millis(1)).await;
        assert_eq!(newest(&mut received), Some(Some(of(8))));
    }

    #[tokio::test(start_paused = true)]
    async fn different_wishes_are_kept_side_by_side_up_to_a_limit() {
        let (interest, packets) = (Arc::new(Interest::default()), Arc::new(PacketBoard::new()));
        for id in 0..40 {
            interest.renew(&packets, of(id % 20));
        }

        let kept: Vec<_> = interest.lock().kept.iter().map(|kept| kept.filter).collect();

        assert_eq!(kept, (4..20).map(of).collect::<Vec<_>>());
    }
}
