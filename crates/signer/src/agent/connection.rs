//! One request and one answer over a Unix socket, bounded in time and size.

use std::io;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use super::error::AgentError;

/// The longest message in either direction: what OpenSSH's agent accepts and sends.
pub(super) const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Sends `request` and returns the answer, both without the length that goes before them.
pub(super) fn exchange(socket: &Path, request: &[u8], timeout: Duration) -> Result<Vec<u8>, AgentError> {
    let length = request.len();
    if length > MESSAGE_BYTES_MAX {
        return Err(AgentError::TooLong { bytes: length, limit: MESSAGE_BYTES_MAX });
    }
    let deadline = Deadline { at: Instant::now() + timeout, timeout };
    let mut stream = connect(socket, deadline)?;
    let frame = [&(length as u32).to_be_bytes(), request].concat();
    write(&mut stream, &frame, deadline)?;
    let mut length = [0; 4];
    read(&mut stream, &mut length, deadline)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MESSAGE_BYTES_MAX {
        return Err(AgentError::TooLarge { bytes: length, limit: MESSAGE_BYTES_MAX });
    }
    let mut answer = vec![0; length];
    read(&mut stream, &mut answer, deadline)?;
    Ok(answer)
}

/// One deadline for the whole exchange: an agent that sends a byte from time to time does not extend it.
#[derive(Clone, Copy)]
struct Deadline {
    at: Instant,
    timeout: Duration,
}

impl Deadline {
    fn remaining(self) -> Result<Duration, AgentError> {
        let remaining = self.at.saturating_duration_since(Instant::now());
        // A timeout of less than a microsecond would be none at all.
        if remaining < Duration::from_millis(1) { Err(self.passed()) } else { Ok(remaining) }
    }

    fn passed(self) -> AgentError {
        AgentError::TimedOut { after: self.timeout }
    }

    fn failed(self, error: io::Error) -> AgentError {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => self.passed(),
            _ => AgentError::Io(error),
        }
    }
}

/// Connecting also waits, when the agent does not accept and its queue is full; the deadline bounds that too.
fn connect(socket: &Path, deadline: Deadline) -> Result<UnixStream, AgentError> {
    let attempt = || {
        let address = SocketAddrUnix::new(socket)?;
        let stream = UnixStream::from(rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?);
        set_socket_timeout(&stream, Timeout::Send, Some(deadline.timeout))?;
        rustix::io::retry_on_intr(|| rustix::net::connect(&stream, &address))?;
        let peer = socket_peercred(&stream)?.uid;
        Ok((stream, peer))
    };
    let (stream, peer) = attempt().map_err(|error: rustix::io::Errno| match error {
        rustix::io::Errno::AGAIN => deadline.passed(),
        error => AgentError::Connect { socket: socket.to_owned(), error: error.into() },
    })?;
    let user = rustix::process::geteuid();
    // A path in a variable leads to the socket, so the system is asked which account listens there.
    match peer == user || peer.is_root() {
        true => Ok(stream),
        false => Err(AgentError::Stranger {
            socket: socket.to_owned(),
            account: peer.as_raw(),
            user: user.as_raw(),
        }),
    }
}

fn write(stream: &mut UnixStream, mut bytes: &[u8], deadline: Deadline) -> Result<(), AgentError> {
    while !bytes.is_empty() {
        let remaining = deadline.remaining()?;
        let written = stream.set_write_timeout(Some(remaining)).and_then(|()| stream.write(bytes));
        match written {
            Ok(0) => return Err(AgentError::Closed),
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(AgentError::Closed),
            Err(error) => return Err(deadline.failed(error)),
        }
    }
    Ok(())
}

fn read(stream: &mut UnixStream, mut room: &mut [u8], deadline: Deadline) -> Result<(), AgentError> {
    while !room.is_empty() {
        let remaining = deadline.remaining()?;
        let count = stream.set_read_timeout(Some(remaining)).and_then(|()| stream.read(room));
        match count {
            Ok(0) => return Err(AgentError::Closed),
            Ok(count) => room = &mut room[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(AgentError::Closed),
            Err(error) => return Err(deadline.failed(error)),
        }
    }
    Ok(())
}
