//! Standard output, with one rule for all commands: a closed reader ends the output without an error; any other failed
//! write is reported once, on standard error, and the command does not exit with 0.

pub(crate) mod fact_printer;
pub(crate) mod hint;
mod json;
mod log_line;
pub(crate) mod logs;
mod message;
pub(crate) mod progress;

pub(crate) use json::{json_line, visible_json};
pub(crate) use message::{complain, inform, say};

use anstream::AutoStream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fmt;
use std::fmt::Write as _;
use std::io;
use std::io::{ErrorKind, IsTerminal as _, Stdout, Write};
use std::sync::atomic::{AtomicU8, Ordering};

/// All output has been written, as far as is known.
const OPEN: u8 = 0;
/// The reader is gone.
const CLOSED: u8 = 1;
/// A write failed.
const LOST: u8 = 2;

/// The state of this process's standard output.
static STATE: AtomicU8 = AtomicU8::new(OPEN);

/// Standard output. Writing never fails: [`finish`] reports failures, so that no command has to.
pub(crate) struct Output(AutoStream<Stdout>);

/// This process's standard output, without colours unless it is a terminal.
pub(crate) fn stdout() -> Output {
    Output(anstream::stdout())
}

/// This process's standard output, for bytes that must arrive exactly as they are, control characters too. Not for a
/// terminal.
pub(crate) fn exact() -> Output {
    Output(AutoStream::always_ansi(io::stdout()))
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Whether output still arrives. A command that follows a feed ends when it does not.
pub(crate) fn is_open() -> bool {
    STATE.load(Ordering::Relaxed) == OPEN
}

/// [`is_open`], for a command that has nothing to write: asks the system whether there is still a reader.
pub(crate) fn is_read() -> bool {
    let out = io::stdout();
    let mut watched = [PollFd::new(&out, PollFlags::empty())];
    let gone = PollFlags::ERR | PollFlags::NVAL;
    // If this fails, the next write reports it.
    let polled = poll(&mut watched, Some(&Timespec::default()));
    is_open() && !(polled.is_ok() && watched.iter().any(|fd| fd.revents().intersects(gone)))
}

/// The exit code of a command that ends with `code`: another one, `lost`, if that is 0 and output was lost.
pub(crate) fn finish(code: u8, lost: u8) -> u8 {
    let _ = stdout().flush();
    if code == 0 && STATE.load(Ordering::Relaxed) == LOST { lost } else { code }
}

impl Output {
    fn settle(written: io::Result<()>) {
        let Err(error) = written else { return };
        let state = if error.kind() == ErrorKind::BrokenPipe { CLOSED } else { LOST };
        let before = STATE.compare_exchange(OPEN, state, Ordering::Relaxed, Ordering::Relaxed);
        if state == LOST && before.is_ok() {
            complain(&format!("cannot write to standard output: {error}; the rest of the output is lost"));
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if is_open() {
            Self::settle(self.0.write_all(bytes));
        }
        Ok(())
    }

    /// In one write, so that lines of several threads are not mixed.
    fn write_fmt(&mut self, text: fmt::Arguments<'_>) -> io::Result<()> {
        let mut whole = String::new();
        whole.write_fmt(text).map_err(io::Error::other)?;
        self.write_all(whole.as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        if is_open() {
            Self::settle(self.0.flush());
        }
        Ok(())
    }
}
