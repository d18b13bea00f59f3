//! The record of deletions: the deleted instances, and the journal's last place at the time.

use crate::sql::{cell, every, key_at, one};
use crate::tables::schedule::of_number;
use receipt::Timestamp;
use rusqlite::{Connection, Row, params};
use store::{Deleted, EndState, StoreError};
use workflow::TenantId;

/// The journal's last place and time at the last deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DeletionMark {
    /// The last place that was given out.
    pub(crate) seq: i64,
    /// The latest time that was recorded.
    pub(crate) at: Timestamp,
}

/// The mark of the last deletion, if there was one.
pub(crate) fn mark(db: &Connection) -> Result<Option<DeletionMark>, StoreError> {
    one(db, "SELECT last, at FROM deletions ORDER BY id DESC LIMIT 1", [], |row| {
        Ok(DeletionMark { seq: cell(row, 0)?, at: Timestamp::from_millis(cell(row, 1)?) })
    })
}

/// The first deletions from that time on, in order: of one tenant, or of all.
pub(crate) fn from(
    db: &Connection,
    tenant: Option<&TenantId>,
    from: Timestamp,
    limit: u32,
) -> Result<Vec<Deleted>, StoreError> {
    const ALL: &str = "SELECT tenant, instance, at, deleted_by, facts, state, ended_at FROM deletions
        WHERE at >= ?1 ORDER BY at, id LIMIT ?2";
    const OF_TENANT: &str = "SELECT tenant, instance, at, deleted_by, facts, state, ended_at FROM deletions
        WHERE at >= ?1 AND tenant = ?3 ORDER BY at, id LIMIT ?2";
    match tenant {
        None => every(db, ALL, params![from.as_millis(), limit], deleted),
        Some(tenant) => every(db, OF_TENANT, params![from.as_millis(), limit, tenant.as_str()], deleted),
    }
}

fn deleted(row: &Row<'_>) -> Result<Deleted, StoreError> {
    let (at, facts) = (Timestamp::from_millis(cell(row, 2)?), cell::<i64>(row, 4)?.unsigned_abs());
    let end = cell::<Option<i64>>(row, 5)?.zip(cell::<Option<i64>>(row, 6)?);
    let end = end.map(|(state, at)| {
        Ok::<_, StoreError>(EndState { state: of_number(state)?, at: Timestamp::from_millis(at) })
    });
    Ok(Deleted { key: key_at(row, 0)?, at, by: cell(row, 3)?, facts, end: end.transpose()? })
}
