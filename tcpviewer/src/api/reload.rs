//! Files that may change while the daemon runs: certificates and the access file. In: how to read them. Out: their
//! newest good form, for whoever asks next. A new form that cannot be used is reported, and the one before stays in
//! force; nothing that is open is touched.

use std::{convert::Infallible, fs, io, os::unix::fs::MetadataExt as _, path::Path, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_secs(2);
/// Users other than the owner and his group can read or change a file with these bits.
const OTHERS: u32 = 0o006;

/// Something that is made from files.
pub(super) trait FromFiles: Send + 'static {
    /// What is made.
    type Made: Send + Sync + 'static;
    /// Why it cannot be made.
    type Error: std::error::Error;

    /// What it is, in words.
    const WHAT: &'static str;

    /// The files it is made from.
    fn files(&self) -> Vec<&Path>;
    /// Those of the files that other users of this host should not read.
    fn private(&self) -> &Path;
    /// Reads the files.
    fn make(&self) -> Result<Self::Made, Self::Error>;
}

/// Something that is made anew when its files change.
pub(super) struct Reloaded<S: FromFiles> {
    source: S,
    newest: watch::Sender<S::Made>,
    stamps: Vec<Option<Stamp>>,
}

/// What tells one content of a file from the next. A time that was set by hand shows in the time of the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl<S: FromFiles> Reloaded<S> {
    /// Makes it for the first time, when anything that is wrong is an error.
    pub(super) fn new(source: S) -> Result<Self, S::Error> {
        let stamps = stamps(&source);
        let made = source.make()?;
        warn_of_readers(source.private());
        Ok(Self {
            source,
            newest: watch::Sender::new(made),
            stamps,
        })
    }

    /// Where the newest form is to be had.
    pub(super) fn newest(&self) -> watch::Receiver<S::Made> {
        self.newest.subscribe()
    }

    /// Makes it anew if its files have changed since it was last tried, or always.
    fn refresh(&mut self, always: bool) {
        // Before they are read: what changes meanwhile is seen the next time.
        let stamps = stamps(&self.source);
        if stamps == self.stamps && !always {
            return;
        }
        self.stamps = stamps;
        match self.source.make() {
            Ok(made) => {
                self.newest.send_replace(made);
                info!("{} read again", S::WHAT);
                warn_of_readers(self.source.private());
            }
            Err(error) => warn!("{} as it was stays in force: {error}", S::WHAT),
        }
    }

    /// Keeps it fresh for as long as the future is polled. SIGHUP reads the files even if they look the same.
    pub(super) async fn follow(mut self) -> io::Result<Infallible> {
        let mut hang_up = signal(SignalKind::hangup())?;
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let always = tokio::select! {
                _tick = ticks.tick() => false,
                _signal = hang_up.recv() => true,
            };
            // Files may be far away, and so may the list of this host's users.
            self = spawn_blocking(move || {
                self.refresh(always);
                self
            })
            .await
            .map_err(io::Error::other)?;
        }
    }
}

fn stamps(source: &impl FromFiles) -> Vec<Option<Stamp>> {
    source.files().into_iter().map(stamp).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    Some(Stamp {
        device: file.dev(),
        inode: file.ino(),
        bytes: file.size(),
        modified: (file.mtime(), file.mtime_nsec()),
        changed: (file.ctime(), file.ctime_nsec()),
    })
}

fn warn_of_readers(path: &Path) {
    if let Ok(file) = fs::metadata(path)
        && file.mode() & OTHERS != 0
    {
        warn!(
            "every user of this host can read or change {}: chmod 600 it",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A file that must hold a number.
    struct Number(PathBuf);

    impl FromFiles for Number {
        type Made = u32;
        type Error = std::num::ParseIntError;

        const WHAT: &'static str = "the number";

        fn files(&self) -> Vec<&Path> {
            vec![&self.0]
        }

        fn private(&self) -> &Path {
            &self.0
        }

        fn make(&self) -> Result<u32, Self::Error> {
            fs::read_to_string(&self.0).unwrap_or_default().parse()
        }
    }

    #[test]
    fn what_is_good_replaces_what_was_and_what_is_not_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        fs::write(&path, "1").unwrap();
        let mut number = Reloaded::new(Number(path.clone())).unwrap();
        let newest = number.newest();
        let mut after = |content: Option<&str>| {
            match content {
                Some(content) => {
                    let new = folder.path().join("new");
                    fs::write(&new, content).unwrap();
                    fs::rename(new, &path).unwrap();
                }
                None => fs::remove_file(&path).unwrap(),
            }
            number.refresh(false);
            *newest.borrow()
        };

        assert_eq!(after(Some("2")), 2);
        assert_eq!(after(Some("x")), 2);
        assert_eq!(after(None), 2);
        assert_eq!(after(Some("3")), 3);
    }

    #[test]
    fn a_file_that_is_broken_at_the_start_is_an_error() {
        assert!(Reloaded::new(Number("/nonexistent".into())).is_err());
    }

    #[test]
    fn nothing_is_made_while_the_files_stay_as_they_are() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "1").unwrap();
        let mut number = Reloaded::new(Number(file.path().to_owned())).unwrap();
        let mut newest = number.newest();

        number.refresh(false);
        assert!(!newest.has_changed().unwrap());
        number.refresh(true);
        assert!(newest.has_changed().unwrap());
        newest.mark_unchanged();
        number.refresh(false);
        assert!(!newest.has_changed().unwrap());
    }
}
