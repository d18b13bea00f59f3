//! The control socket: while a process owns a data folder, other processes operate it through this socket.
//!
//! `control.sock` in the data folder, mode 0600. The other end must be the user that owns the process, or root; records
//! name the account that the system reports for the other end. An owner refuses an operation that it does not know,
//! without any effect, so a new operation needs no new version. A connection carries one operation and one answer:
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

/// The protocol's version. Two sides of different versions report it.
const VERSION: u16 = 2;

/// The socket's name in the data folder.
const NAME: &str = "control.sock";

/// The reply.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Reply {
    Answered(OperationOutcome),
    Refused(String),
}

/// Why an operation in another process failed.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No process listens on the socket.
    #[error("no process listens on {}: {error}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A process of another account.
    #[error("the process that listens on the control socket belongs to user {0}, not to you")]
    Stranger(u32),
    /// Another pp-host.
    #[error(
        "the pp-host that owns the folder is another version (its protocol is {found}, this one's is {VERSION}): use the same version"
    )]
    Version {
        /// The other side's version.
        found: u16,
    },
    /// Broken off. Whether it was done has to be looked up.
    #[error(
        "the pp-host that owns the folder did not answer ({0}): check whether the operation took place before you try again"
    )]
    BrokenOff(io::Error),
    /// The host refused the operation.
    #[error("{0}")]
    Refused(String),
}

/// A path to the socket that is short enough for a socket's address, for any length of the folder's path, as long as
/// the folder is kept open.
fn short_path(folder: &std::fs::File) -> PathBuf {
    Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(NAME)
}

/// Whether a user may operate this host.
fn is_trusted(user: rustix::process::Uid) -> bool {
    user == rustix::process::geteuid() || user.is_root()
}
