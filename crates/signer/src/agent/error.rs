//! Why an agent did not sign.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Identity;
use crate::public::PublicKey;

/// More keys would not help a reader of the error.
const SHOWN_MAX: usize = 8;

/// Why an agent did not sign.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The environment names no agent.
    #[error(
        "there is no ssh-agent: SSH_AUTH_SOCK is not set; start one with eval \"$(ssh-agent)\", then ssh-add the key"
    )]
    NoSocket,
    /// No agent listens on the socket.
    #[error(
        "no ssh-agent answers at {}: {error}; if it has ended, start one with eval \"$(ssh-agent)\", then ssh-add the key", socket.display()
    )]
    Connect {
        /// The path of the socket.
        socket: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Another account's process.
    #[error(
        "the process that listens at {} runs under account {account}, and not under yours ({user}): nothing was sent to it; SSH_AUTH_SOCK names the socket", socket.display()
    )]
    Stranger {
        /// The path of the socket.
        socket: PathBuf,
        /// The account of the process that listens there.
        account: u32,
        /// The expected account.
        user: u32,
    },
    /// The agent holds other keys.
    #[error("ssh-agent does not hold the key {}: it holds {}; add it with ssh-add", wanted.fingerprint(), list(present))]
    KeyNotThere {
        /// The key that is to sign.
        wanted: PublicKey,
        /// The keys that it holds.
        present: Vec<Identity>,
    },
    /// The agent refused to sign.
    #[error(
        "ssh-agent refused: its user declined (ssh-add -c), it is locked (ssh-add -X unlocks it), or it has lost the key"
    )]
    Refused,
    /// The agent did not answer in time.
    #[error("ssh-agent did not answer within {after:?}: does it ask for a confirmation somewhere?")]
    TimedOut {
        /// The time that it had.
        after: Duration,
    },
    /// The agent does not accept messages of this size.
    #[error("{bytes} bytes are to be signed, and ssh-agent takes {limit} at most: sign with a key file")]
    TooLong {
        /// The length of the request in bytes.
        bytes: usize,
        /// The longest that there may be.
        limit: usize,
    },
    /// The agent ended the connection before it had answered.
    #[error("ssh-agent closed the connection without an answer")]
    Closed,
    /// The connection broke.
    #[error("the connection to ssh-agent broke: {0}")]
    Io(#[source] io::Error),
    /// The agent announces a longer answer than any agent sends.
    #[error(
        "what answers is no ssh-agent: it announces {bytes} bytes, and {limit} is the most that one sends"
    )]
    TooLarge {
        /// The announced length in bytes.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// The agent does not keep to the protocol.
    #[error("what answers is no ssh-agent: it sent {0}")]
    Malformed(&'static str),
    /// The signature is not by this key, or not over this message. It is not returned.
    #[error("ssh-agent answered with a signature that does not verify: do not trust it")]
    WrongSignature,
}

fn list(present: &[Identity]) -> String {
    let mut text = match present.len() {
        0 => "none".to_owned(),
        _ => present.iter().take(SHOWN_MAX).map(Identity::to_string).collect::<Vec<_>>().join(", "),
    };
    if present.len() > SHOWN_MAX {
        // Writing to a string does not fail.
        let _ = write!(text, ", and {} more", present.len() - SHOWN_MAX);
    }
    text
}
