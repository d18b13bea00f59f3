//! Moving the state of a data folder to a database, for several hosts.
//!
//! ```text
//!   lock the folder ─ export, rows and artifacts ─► one transaction: insert, compare ─ the folder says "moved" ─ commit
//! ```
//!
//! Until the folder has the mark `moved`, it is unchanged. After that, no command writes to its journal, whether or not
//! the database committed. The operator repeats the move; the move's name shows whether the first attempt committed. So
//! no receipt is ever spent in both places.

use crate::capability::Artifacts;
use crate::error::Error;
use crate::ids::random_bytes;
use crate::storage::{Import, StoreUrl, export};
use receipt::Digest;
use std::collections::BTreeMap;
use std::path::Path;
use store::{DataFolder, FolderError, Move, StoreError, TakeRow, TransferCounts, TransferRow};

/// The result of a move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovedState {
    /// How much is in the database.
    pub counts: TransferCounts,
    /// Whether an earlier call had moved it, and this one found that out.
    pub was_moved_before: bool,
}

impl StoreUrl {
    /// Moves the state of a data folder to this database, which has to be empty. Creates the tables if they do not
    /// exist.
    ///
    /// # Errors
    /// The folder is in use, damaged, or was moved to another database; or the database cannot be used or has data.
    /// Nothing is moved then, and the folder is unchanged. If the answer to the commit is lost, the caller has to
    /// repeat the call.
    pub fn move_folder(&self, data: &Path) -> Result<MovedState, Error> {
        let folder = DataFolder::own_to_move(data)?;
        folder.check_keys()?;
        let begun = folder.moved()?;
        if let Some(Move { to, .. }) = begun.as_ref().filter(|begun| begun.to != self.to_string()) {
            let moved = FolderError::Moved { path: data.to_owned(), to: to.clone() };
            return Err(StoreError::from(moved).into());
        }
        self.migrate()?;
        let named = match begun {
            Some(begun) => begun,
            None => Move { id: Digest::of(&random_bytes()?).to_string(), to: self.to_string() },
        };
        let export = |take: TakeRow<'_>| export_folder(&folder, take);
        let mut is_set_here = false;
        let imported = self.import(&named.id, export, || {
            is_set_here = true;
            folder.set_moved(&named)
        });
        match imported {
            Ok(Import::Done(counts)) => Ok(MovedState { counts, was_moved_before: false }),
            Ok(Import::DoneBefore(counts)) => {
                folder.set_moved(&named)?;
                Ok(MovedState { counts, was_moved_before: true })
            }
            Ok(Import::Unknown(error)) => Err(error.into()),
            Ok(Import::Refused(error)) => {
                folder.set_not_moved()?;
                Err(error.into())
            }
            Err(error) => {
                // A move that an earlier call left undecided stays undecided.
                if is_set_here {
                    folder.set_not_moved()?;
                }
                Err(error.into())
            }
        }
    }
}

/// The rows of a folder, and the artifacts that have a holder.
fn export_folder(folder: &DataFolder, take: TakeRow<'_>) -> Result<Digest, StoreError> {
    let mut held: BTreeMap<Digest, bool> = BTreeMap::new();
    let audit = export(folder, &mut |row| {
        if let TransferRow::Holder(holder) = &row {
            *held.entry(holder.sha256).or_default() |= holder.holder < 0;
        }
        take(row)
    })?;
    let artifacts = Artifacts::new(&folder.deployments());
    for (digest, is_served) in held {
        let read = artifacts
            .read(&digest)
            .map_err(|error| StoreError::Damaged(format!("artifact {digest}: {error}")))?;
        match read {
            Some(bytes) => take(TransferRow::Artifact(digest, bytes))?,
            // The artifact of an interrupted action is written when the host performs that action again.
            None if !is_served => {}
            None => {
                return Err(StoreError::Damaged(format!(
                    "artifact {digest}, which a resource serves, is missing or has other bytes: restore {} from a copy that pp-host backup made",
                    folder.deployments().display()
                )));
            }
        }
    }
    Ok(audit)
}
