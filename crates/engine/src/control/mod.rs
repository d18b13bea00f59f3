//! The control socket: while a process owns a data folder, others have it operate for them.
//!
//! `control.sock` in the data folder, mode 0600. Who connects has to be the user that owns the process, or root; what is recorded as done by
//! somebody names the account that the system says is at the other end. An owner that does not know an operation refuses it, and does
//! nothing: a new operation needs no new version. A connection carries one operation and one answer:
//!
//! ```text
//!   ─► version u16 │ length u32 │ operation, JSON │ length u32 │ component, bytes
//!   ◄─ version u16 │ length u32 │ reply, JSON
//! ```

mod client;
mod frame;
mod server;

pub use client::ControlClient;
pub use server::Control;

use crate::api::OperationOutcome;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};

/// What is spoken. Two that speak differently do not misunderstand each other, they say so.
const VERSION: u16 = 2;

/// The socket's name in the data folder.
const NAME: &str = "control.sock";

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Answered(OperationOutcome),
    Refused(String),
}

/// Why nothing came of an operation in another process.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No process listens.
    #[error("no process listens on {}: {error}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A process of another account.
    #[error("the process that listens on the control socket is not yours but user {0}'s")]
    Stranger(u32),
    /// Another pp-host.
    #[error(
        "the pp-host that owns the folder is another version (it speaks {found}, this one {VERSION}): use the same"
    )]
    Version {
        /// What it speaks.
        found: u16,
    },
    /// Broken off. Whether it was done has to be looked up.
    #[error(
        "the pp-host that owns the folder did not answer ({0}): look whether it was done before trying again"
    )]
    BrokenOff(io::Error),
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

/// A path to the socket that is short enough for a socket's address, whatever the folder's own is, as long as the folder is kept open.
fn short_path(folder: &std::fs::File) -> PathBuf {
    Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(NAME)
}

/// Whether a user may operate this host.
fn is_trusted(user: rustix::process::Uid) -> bool {
    user == rustix::process::geteuid() || user.is_root()
}
