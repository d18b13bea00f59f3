//! Operators' acts, in their order.

use crate::sql::{cell, cell_0, every, one, run};
use receipt::Timestamp;
use rusqlite::{Connection, Row, params};
use store::{RecordedAct, StoreError};

/// Adds an act, if nothing was added since its writer looked. Its place is the next.
pub(crate) fn add(db: &Connection, seen: u64, at: Timestamp, body: &str) -> Result<(), StoreError> {
    check(db, seen)?;
    run(db, "INSERT INTO acts (at, body) VALUES (?1, ?2)", params![at.as_millis(), body])
}

/// Refuses a write if another act was recorded since its writer looked.
pub(crate) fn check(db: &Connection, seen: u64) -> Result<(), StoreError> {
    match last(db)? == seen {
        true => Ok(()),
        false => Err(StoreError::ActsMoved),
    }
}

/// The place of the last act; 0 if there is none.
pub(crate) fn last(db: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = one(db, "SELECT coalesce(max(seq), 0) FROM acts", [], cell_0)?;
    Ok(last.unwrap_or(0).unsigned_abs())
}

/// The acts after that place, in order.
pub(crate) fn after(db: &Connection, after: u64) -> Result<Vec<RecordedAct>, StoreError> {
    every(db, "SELECT seq, at, body FROM acts WHERE seq > ?1 ORDER BY seq", [after.cast_signed()], act)
}

/// The first acts after that place, in order.
pub(crate) fn page(db: &Connection, seq: u64, limit: u32) -> Result<Vec<RecordedAct>, StoreError> {
    const SELECT: &str = "SELECT seq, at, body FROM acts WHERE seq > ?1 ORDER BY seq LIMIT ?2";
    every(db, SELECT, params![seq.cast_signed(), limit], act)
}

fn act(row: &Row<'_>) -> Result<RecordedAct, StoreError> {
    let (seq, at) = (cell::<i64>(row, 0)?.unsigned_abs(), Timestamp::from_millis(cell(row, 1)?));
    Ok(RecordedAct { seq, at, body: cell(row, 2)? })
}
