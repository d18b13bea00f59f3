//! Errors of the durable state, with hints.

use crate::ulimit_hints;
use crate::{InstanceKey, OverQuota};
use rustix::io::Errno;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fmt, io};
use workflow::ReceiptId;

/// A fault of the durable state.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The local data folder or its content.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A database that cannot be used: unreachable, without a schema, or with a newer one. The message says how to fix
    /// it.
    #[error("{0}")]
    Unavailable(Arc<dyn std::error::Error + Send + Sync>),
    /// The disk is full, or a size limit is reached.
    #[error(
        "{0} cannot be written, the disk is full or a size limit is reached: free some space and resume; nothing is lost"
    )]
    Full(Medium),
    /// Two writers.
    #[error(
        "another writer has changed instance {0} in the meantime: nothing was written; look at the instance and try again"
    )]
    Conflict(InstanceKey),
    /// A driver whose claim is over.
    #[error("another host now drives instance {0}: nothing was written")]
    ClaimLost(InstanceKey),
    /// An operator's act was recorded in the meantime.
    #[error("an operator has changed the deciders in the meantime: nothing was written; try again")]
    ActsMoved,
    /// The state of a receipt has changed in the meantime.
    #[error(
        "receipt {0} was spent or revoked in the meantime: nothing was written; look at the receipt and try again"
    )]
    ReceiptMoved(ReceiptId),
    /// The receipt is spent and cannot be revoked.
    #[error("receipt {0} is already spent: its action is in progress or done (pp-host receipts show {0})")]
    AlreadyRedeemed(ReceiptId),
    /// Taken back before.
    #[error("receipt {0} is already revoked")]
    Revoked(ReceiptId),
    /// A name that is taken.
    #[error("tenant {} already has an instance {}", .0.tenant, .0.instance)]
    Exists(InstanceKey),
    /// A name that nothing has.
    #[error(
        "there is no instance {0} (pp-host instances list lists the instances; --tenant names another tenant's)"
    )]
    NoInstance(String),
    /// The tenant has reached a quota.
    #[error(transparent)]
    Quota(#[from] OverQuota),
    /// Damage.
    #[error("the data is damaged: {0}")]
    Damaged(String),
    /// The thread that writes has ended.
    #[error(
        "the store has stopped; the journal shows whether this was written: open the store again and look"
    )]
    Stopped,
    /// Any other error of the database.
    #[error("the database says: {0}")]
    Database(Arc<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// A copy of the error, for every write of a failed transaction.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Full(medium) => Self::Full(*medium),
            Self::Stopped => Self::Stopped,
            Self::Damaged(what) => Self::Damaged(what.clone()),
            Self::Unavailable(error) => Self::Unavailable(Arc::clone(error)),
            Self::Database(error) => Self::Database(Arc::clone(error)),
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// The medium of the durable state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A data folder of this machine.
    Folder,
    /// A database server.
    Database,
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Folder => "the data folder",
            Self::Database => "the database",
        })
    }
}

/// The way out of a system's error about a data folder: a higher limit of the process, or another folder.
fn way_out(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE) => ulimit_hints::OPEN_FILES,
        Some(Errno::AGAIN) => ulimit_hints::THREADS,
        _ => "name another with --data DIR or PP_HOST_DATA",
    }
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The system refuses it.
    #[error("cannot use the data folder {}: {error} ({})", path.display(), way_out(error))]
    Unusable {
        /// The path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// A copy that cannot be made.
    #[error("cannot copy to {}: {problem}", path.display())]
    Backup {
        /// The destination, or the faulty file of the copy.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The folder has no data yet.
    #[error("there is no data in {} yet, and this command creates none: run a workflow first, or name another folder with --data DIR or PP_HOST_DATA", .0.display())]
    NoData(PathBuf),
    /// A part is gone.
    #[error(
        "the data folder {} is incomplete: {part} is {problem}, and the other parts exist; nothing was created in its place: restore the whole folder from a copy that pp-host backup made, or name another with --data DIR", path.display()
    )]
    Incomplete {
        /// The path.
        path: PathBuf,
        /// The missing part, by its name in the folder.
        part: &'static str,
        /// "missing" or "empty".
        problem: &'static str,
    },
    /// In use.
    #[error("the data folder {} is in use by another pp-host: wait until it ends, or name another with --data DIR", .0.display())]
    Locked(PathBuf),
    /// The folder's state was moved to a database.
    #[error(
        "the state of the data folder {} was moved to {to}: name that with --store (the folder stays a host's folder, with its keys); if the move was interrupted, run the same pp-host migrate --from again", path.display()
    )]
    Moved {
        /// The folder.
        path: PathBuf,
        /// The database, without a password.
        to: String,
    },
    /// The folder has the format of a newer version.
    #[error("the data folder {} was written by a newer pp-host (format {found}; this one knows {known}): use that version", path.display())]
    Newer {
        /// The path.
        path: PathBuf,
        /// The format found.
        found: i64,
        /// The format known.
        known: i64,
    },
    /// A database of another program.
    #[error("{} is not a database of pp-host: name another folder with --data DIR", .0.display())]
    Foreign(PathBuf),
    /// Opened to look.
    #[error("the data folder was opened to read, and cannot be written")]
    NotOwned,
}
