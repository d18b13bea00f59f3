//! The connections of a socket server: the most that are served at once, and the time in which a caller must send its
//! request.
//!
//! A caller has one deadline for its whole request, at any rate of sending. When all places are taken, the server
//! closes the connection of the caller that has been sending or reading for the longest: slow callers do not keep other
//! callers out.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The connections of one socket.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the next caller. Numbers are in the order of arrival.
    next: u64,
    /// Callers whose stream is being read or written. Their connections may be closed.
    transferring: BTreeMap<u64, Arc<UnixStream>>,
    /// Callers whose request is being answered.
    answering: BTreeSet<u64>,
}

/// A connection that has a place, until this is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    connections: Arc<Connections>,
    number: u64,
    stream: Arc<UnixStream>,
}

/// A stream with one deadline for all reads and writes together.
#[derive(Debug)]
pub(crate) struct Deadline<'a> {
    stream: &'a UnixStream,
    until: Instant,
}

impl Connections {
    /// A server with this many places.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default() })
    }

    /// Reserves a connection slot for a caller that begins to send its request. `None` if requests that are being
    /// answered hold all slots.
    pub(crate) fn enter(self: &Arc<Self>, stream: UnixStream) -> Option<Connection> {
        let mut state = self.lock();
        if state.transferring.len() + state.answering.len() >= self.most {
            let (_, longest) = state.transferring.pop_first()?;
            // The thread that reads or writes it gets an error, and ends.
            let _ = longest.shutdown(Shutdown::Both);
        }
        let (number, stream) = (state.next, Arc::new(stream));
        state.next += 1;
        state.transferring.insert(number, Arc::clone(&stream));
        Some(Connection { connections: Arc::clone(self), number, stream })
    }

    /// Closes the connections that are being read or written. Requests that are being answered are answered to the end.
    pub(crate) fn hang_up(&self) {
        for stream in self.lock().transferring.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// The connection.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Marks the request as complete: from now on, the caller keeps its slot until the answer is ready.
    ///
    /// # Errors
    /// The caller's connection was closed to make room.
    pub(crate) fn begin_answer(&self) -> io::Result<()> {
        let mut state = self.connections.lock();
        state.transferring.remove(&self.number).ok_or(io::ErrorKind::ConnectionAborted)?;
        state.answering.insert(self.number);
        Ok(())
    }

    /// The answer is ready, and is about to be written.
    pub(crate) fn begin_write(&self) {
        let mut state = self.connections.lock();
        if state.answering.remove(&self.number) {
            state.transferring.insert(self.number, Arc::clone(&self.stream));
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut state = self.connections.lock();
        state.transferring.remove(&self.number);
        state.answering.remove(&self.number);
    }
}

impl<'a> Deadline<'a> {
    /// A stream that may be used for `timeout` from now on.
    pub(crate) fn new(stream: &'a UnixStream, timeout: Duration) -> Self {
        Self { stream, until: Instant::now() + timeout }
    }

    /// The time that is left.
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}

impl Read for Deadline<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(bytes)
    }
}

impl Write for Deadline<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UnixStream, UnixStream) {
        UnixStream::pair().unwrap()
    }

    #[test]
    fn the_caller_that_sends_the_longest_makes_room_and_one_being_answered_does_not() {
        let connections = Connections::new(2);
        let (mut first, near) = pair();
        let first_connection = connections.enter(near).unwrap();
        let (_second, near) = pair();
        let second_connection = connections.enter(near).unwrap();
        second_connection.begin_answer().unwrap();
        let (mut third, near) = pair();
        let third_connection = connections.enter(near).unwrap();
        assert_eq!(first.read(&mut [0]).unwrap(), 0, "its connection was closed");
        assert!(first_connection.begin_answer().is_err());
        drop(first_connection);
        third_connection.begin_answer().unwrap();
        assert!(connections.enter(pair().1).is_none(), "both are being answered");
        second_connection.begin_write();
        drop(second_connection);
        let fourth_connection = connections.enter(pair().1).unwrap();
        connections.hang_up();
        assert!(fourth_connection.stream().write(&[0]).is_err());
        third_connection.stream().write_all(&[7]).unwrap();
        third.read_exact(&mut [0]).unwrap();
    }

    #[test]
    fn a_deadline_covers_all_reads_and_writes() {
        let (mut far, near) = pair();
        far.write_all(b"ab").unwrap();
        let mut over = Deadline { stream: &near, until: Instant::now() };
        assert_eq!(over.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(over.write(&[0]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        let mut within = Deadline::new(&near, Duration::from_secs(60));
        within.read_exact(&mut [0, 0]).unwrap();
    }
}
