//! The record of deletions: which instances were deleted, and where the journal stood then.

use crate::sql::{cell, every, key_at, one};
use receipt::Timestamp;
use rusqlite::Connection;
use store::{Deleted, StoreError};

/// Where the journal had got to at the last deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The last place that was given out.
    pub(crate) seq: i64,
    /// The latest time that was recorded.
    pub(crate) at: Timestamp,
}

/// Where the journal had got to at the last deletion, if there was one.
pub(crate) fn mark(db: &Connection) -> Result<Option<Mark>, StoreError> {
    one(db, "SELECT last, at FROM deletions ORDER BY id DESC LIMIT 1", [], |row| {
        Ok(Mark { seq: cell(row, 0)?, at: Timestamp::from_millis(cell(row, 1)?) })
    })
}

/// Every deletion, in order.
pub(crate) fn all(db: &Connection) -> Result<Vec<Deleted>, StoreError> {
    const SELECT: &str = "SELECT tenant, instance, at, deleted_by, facts FROM deletions ORDER BY id";
    every(db, SELECT, [], |row| {
        let (at, facts) = (Timestamp::from_millis(cell(row, 2)?), cell::<i64>(row, 4)?.unsigned_abs());
        Ok(Deleted { key: key_at(row, 0)?, at, by: cell(row, 3)?, facts })
    })
}
