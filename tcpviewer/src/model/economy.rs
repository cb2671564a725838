//! What the daemon does less of to stay within its budgets: told by whoever sees to them, followed by the stages that do
//! the work. Counters of what is tracked are no part of it: they stay exact.

use std::{future::pending, time::Duration};

use tokio::sync::watch;

/// No interval is stretched beyond this.
const LONGEST: Duration = Duration::from_secs(10);

/// What is done less of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Economy {
    /// Intervals are so many times as long: of reports of the kernel, of streams, of looks at sockets.
    pub stretch: u32,
    /// Of so many watched packets one leaves the kernel; a power of two.
    pub packet_sampling: u32,
    /// Memory that the past of connections has, per cent of what it has else.
    pub history_percent: u32,
    /// How long ended connections stay listed, per cent of what is configured.
    pub keep_closed_percent: u32,
    /// Whether new connections are followed.
    pub takes_new: bool,
}

impl Economy {
    /// Nothing is done less of.
    pub const NONE: Self = Self {
        stretch: 1,
        packet_sampling: 1,
        history_percent: 100,
        keep_closed_percent: 100,
        takes_new: true,
    };

    /// How long an interval is that is configured to be so long.
    pub fn interval(self, configured: Duration) -> Duration {
        configured
            .saturating_mul(self.stretch)
            .min(LONGEST.max(configured))
    }

    /// How long ended connections stay listed that are to stay so long.
    pub fn keep_closed(self, configured: Duration) -> Duration {
        // Divided first: what stays for ever is the longest time there is.
        configured / 100 * self.keep_closed_percent
    }
}

/// Follows what is done less of.
#[derive(Clone, Debug)]
pub struct Economies(watch::Receiver<Economy>);

impl Economies {
    /// Nothing ever.
    pub fn none() -> Self {
        Self::told().1
    }

    /// Nothing until the sender tells.
    pub fn told() -> (watch::Sender<Economy>, Self) {
        let (sender, receiver) = watch::channel(Economy::NONE);
        (sender, Self(receiver))
    }

    /// What is done less of at present.
    pub fn now(&self) -> Economy {
        *self.0.borrow()
    }

    /// Waits until that changes.
    pub async fn changed(&mut self) -> Economy {
        if self.0.changed().await.is_err() {
            // Nobody tells any more.
            pending::<()>().await;
        }
        *self.0.borrow_and_update()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_stretched_up_to_ten_seconds_and_never_cut() {
        let stretched = |stretch, configured| {
            let economy = Economy {
                stretch,
                ..Economy::NONE
            };
            economy.interval(Duration::from_millis(configured)).as_millis()
        };
        for (stretch, configured, expected) in [
            (1, 250, 250),
            (8, 250, 2_000),
            (32, 250, 8_000),
            (32, 1_000, 10_000),
            (1, 60_000, 60_000),
            (32, 60_000, 60_000),
        ] {
            assert_eq!(
                stretched(stretch, configured),
                expected,
                "{configured} × {stretch}"
            );
        }
    }

    #[test]
    fn what_ended_stays_for_its_part_of_the_time_and_what_stays_for_ever_does() {
        let kept = |keep_closed_percent, configured| {
            let economy = Economy {
                keep_closed_percent,
                ..Economy::NONE
            };
            economy.keep_closed(configured)
        };
        let minute = Duration::from_secs(60);
        assert_eq!(kept(100, minute), minute);
        assert_eq!(kept(25, minute), Duration::from_secs(15));
        assert!(kept(100, Duration::MAX) > minute * 1_000_000_000);
        assert_eq!(Economy::NONE.interval(Duration::MAX), Duration::MAX);
    }

    #[tokio::test]
    async fn who_follows_is_told_of_a_change_and_of_none_after_the_last() {
        let (sender, mut economies) = Economies::told();
        let less = Economy {
            stretch: 2,
            ..Economy::NONE
        };
        sender.send_replace(less);
        assert_eq!(economies.changed().await, less);
        drop(sender);
        let none = tokio::time::timeout(Duration::from_millis(10), economies.changed()).await;
        assert!(none.is_err());
        assert_eq!(economies.now(), less);
    }
}
