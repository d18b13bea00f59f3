//! The side that asks.

use crate::api::{Operation, OperationOutcome};
use crate::control::{ControlError, Reply, VERSION, frame, is_trusted, short_path};
use rustix::net::sockopt::socket_peercred;
use std::fs::File;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A host in another process.
#[derive(Debug)]
pub struct ControlClient(UnixStream);

impl ControlClient {
    /// Connects to the host that owns this data folder.
    ///
    /// # Errors
    /// No process listens there, or a process of another account does.
    pub fn connect(data: &Path) -> Result<Self, ControlError> {
        let unreachable = |error| ControlError::Unreachable { path: data.join(super::NAME), error };
        let folder = File::open(data).map_err(unreachable)?;
        let stream = UnixStream::connect(short_path(&folder)).map_err(unreachable)?;
        let peer = socket_peercred(&stream).map_err(|error| unreachable(error.into()))?;
        match is_trusted(peer.uid) {
            true => Ok(Self(stream)),
            false => Err(ControlError::Stranger(peer.uid.as_raw())),
        }
    }

    /// Sends an operation.
    ///
    /// # Errors
    /// The host's refusal, or that it did not answer.
    pub fn operate(mut self, operation: &Operation) -> Result<OperationOutcome, ControlError> {
        match self.exchange(operation) {
            Ok(reply) => reply,
            Err(error) => Err(ControlError::BrokenOff(error)),
        }
    }

    fn exchange(&mut self, operation: &Operation) -> io::Result<Result<OperationOutcome, ControlError>> {
        let stream = &mut self.0;
        frame::greet(stream)?;
        let found = frame::greeting(stream)?;
        if found != VERSION {
            return Ok(Err(ControlError::Version { found }));
        }
        frame::write(stream, &serde_json::to_vec(operation)?)?;
        frame::write(stream, operation.component())?;
        let reply = frame::read(stream, frame::TEXT_BYTES_MAX)?;
        Ok(match serde_json::from_slice(&reply)? {
            Reply::Answered(answer) => Ok(answer),
            Reply::Refused(message) => Err(ControlError::Refused(message)),
        })
    }
}
