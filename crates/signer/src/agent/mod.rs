//! Keys in `ssh-agent`: the part of its protocol that lists keys and signs (draft-ietf-sshm-ssh-agent).

mod connection;
mod error;
mod message;

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fmt};

use crate::kind::Kind;
use crate::public::PublicKey;

pub use error::AgentError;

/// The variable with the path of the agent's socket, by convention of all its clients.
const SOCKET_VARIABLE: &str = "SSH_AUTH_SOCK";

/// An agent behind a socket. Each question has its own connection.
#[derive(Clone, Debug)]
pub struct Agent {
    socket: PathBuf,
    timeouts: Timeouts,
}

/// The time that an agent may take, from the connection to the last byte of the answer.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To list its keys.
    pub list: Duration,
    /// To sign: it may ask a person first (`ssh-add -c`).
    pub sign: Duration,
}

impl Timeouts {
    /// An agent that needs longer than that for a list does not answer; a person who takes longer than two minutes has gone.
    pub const USUAL: Self = Self { list: Duration::from_secs(10), sign: Duration::from_secs(120) };
}

impl Agent {
    /// The agent that `SSH_AUTH_SOCK` names.
    ///
    /// # Errors
    /// The environment names no agent.
    pub fn from_environment() -> Result<Self, AgentError> {
        match env::var_os(SOCKET_VARIABLE) {
            Some(socket) if !socket.is_empty() => Ok(Self::at(Path::new(&socket), Timeouts::USUAL)),
            _ => Err(AgentError::NoSocket),
        }
    }

    /// The agent behind this socket. Does not connect yet.
    pub fn at(socket: &Path, timeouts: Timeouts) -> Self {
        Self { socket: socket.to_owned(), timeouts }
    }

    /// The keys that it holds, of every kind.
    ///
    /// # Errors
    /// The agent does not answer, or answers incorrectly.
    pub fn identities(&self) -> Result<Vec<Identity>, AgentError> {
        let answer = self.ask(&message::list(), self.timeouts.list)?;
        message::identities(&answer)
    }

    /// The private half of `key`, which stays in the agent.
    ///
    /// # Errors
    /// The agent does not hold the key; the error lists the keys that it holds.
    pub fn key(&self, key: &PublicKey) -> Result<AgentKey, AgentError> {
        let present = self.identities()?;
        match present.iter().any(|identity| identity.key == Some(*key)) {
            true => Ok(AgentKey { agent: self.clone(), key: *key }),
            false => Err(AgentError::KeyNotThere { wanted: *key, present }),
        }
    }

    fn ask(&self, request: &[u8], timeout: Duration) -> Result<Vec<u8>, AgentError> {
        connection::exchange(&self.socket, request, timeout)
    }
}

/// A key that an agent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The kind of the key.
    pub kind: Kind,
    /// The key, if it is a key that can sign here.
    pub key: Option<PublicKey>,
    /// The fingerprint, as `ssh-add -l` shows it.
    pub fingerprint: String,
    /// The owner's comment, escaped for a terminal.
    pub comment: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, fingerprint, comment, .. } = self;
        write!(f, "{fingerprint} \"{comment}\" ({kind})")
    }
}

/// A key that an agent holds and signs with.
#[derive(Clone, Debug)]
pub struct AgentKey {
    agent: Agent,
    key: PublicKey,
}

impl AgentKey {
    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// The agent's Ed25519 signature over `message`. It is verified before it is returned.
    ///
    /// # Errors
    /// When the agent refuses, does not answer in time, or returns anything but a valid signature.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], AgentError> {
        let answer = self.agent.ask(&message::sign(&self.key, message), self.agent.timeouts.sign)?;
        let signature = message::signature(&answer)?;
        match self.key.verifies(message, &signature) {
            true => Ok(signature),
            false => Err(AgentError::WrongSignature),
        }
    }
}
