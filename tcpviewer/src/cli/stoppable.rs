//! A file, a pipe or the standard input that can be told to end while somebody waits for its next byte.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, PipeReader, PipeWriter, Read, pipe, stdin},
    os::{fd::AsFd as _, unix::fs::OpenOptionsExt as _},
    path::Path,
};

use rustix::event::{PollFd, PollFlags, poll};

/// The input. It ends early once its [`Stop`] is dropped.
pub(super) struct Stoppable {
    file: File,
    stop: PipeReader,
    was_stopped: bool,
}

/// Ends the input when it is dropped.
pub(super) struct Stop {
    _writer: PipeWriter,
}

/// Opens a file; `-` is the standard input.
pub(super) fn open(path: &Path) -> io::Result<(Stoppable, Stop)> {
    let file = if path == Path::new("-") {
        File::from(stdin().as_fd().try_clone_to_owned()?)
    } else {
        // A named pipe that nobody writes to yet would hold up the opening, where nothing can stop it.
        OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)?
    };
    let (stop, writer) = pipe()?;
    let input = Stoppable {
        file,
        stop,
        was_stopped: false,
    };
    Ok((input, Stop { _writer: writer }))
}

impl Stoppable {
    /// Whether it ended because it was stopped.
    pub(super) const fn was_stopped(&self) -> bool {
        self.was_stopped
    }
}

impl Read for Stoppable {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.was_stopped {
            let mut descriptors = [
                PollFd::new(&self.file, PollFlags::IN),
                PollFd::new(&self.stop, PollFlags::IN),
            ];
            poll(&mut descriptors, None)?;
            let [_, stop] = &descriptors;
            if !stop.revents().is_empty() {
                self.was_stopped = true;
                break;
            }
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, thread};

    use super::*;

    #[test]
    fn an_input_that_nobody_writes_to_ends_when_it_is_stopped() {
        let (reader, mut writer) = pipe().unwrap();
        let (stop, stopper) = pipe().unwrap();
        let mut input = Stoppable {
            file: File::from(std::os::fd::OwnedFd::from(reader)),
            stop,
            was_stopped: false,
        };
        writer.write_all(b"abc").unwrap();

        let mut buffer = [0; 8];
        assert_eq!(input.read(&mut buffer).unwrap(), 3);
        let waiting = thread::spawn(move || (input.read(&mut buffer).unwrap(), input.was_stopped()));
        drop(stopper);
        assert_eq!(waiting.join().unwrap(), (0, true));
        drop(writer);
    }
}
