//! Deleting an ended instance: its entries and output are deleted, signed records stay.
//!
//! ```text
//!   deleted   entries, requests, output; its component if no other instance has it
//!             its hold on the artifacts that it acted with
//!   kept      receipts, redemptions, attestations, revocations, and the deletion itself: when, and by whom
//! ```
//!
//! The bytes counted for the receipts stay counted. No place among all facts is given out twice, and no time runs
//! backwards: the last deletion records both.

use crate::journal;
use crate::sql::{cell_0, one, run};
use crate::tables::artifacts;
use crate::tables::deletions::DeletionMark;
use crate::writer::cache::{Journal, WriterCache};
use receipt::Digest;
use rusqlite::{Connection, params};
use store::{InstanceKey, JournalPosition, StoreError, UsageChange, Written};
use workflow::TenantId;

/// Deletes an instance that has ended and is as its deleter has seen it.
pub(crate) fn delete(
    db: &Connection,
    cache: &mut WriterCache,
    place: &JournalPosition,
    (components, bytes): (&[Digest], usize),
    by: &str,
) -> Written {
    let (Journal { row, length, last }, tenant) = (cache.journal(db, &place.key)?, &place.key.tenant);
    let ended = one(db, "SELECT ended FROM instances WHERE id = ?1", [row], cell_0::<i64>)?;
    if ended != Some(1) || length != place.after as u64 {
        return Err(StoreError::Conflict(place.key.clone()));
    }
    let kept = i64::try_from(bytes).unwrap_or(i64::MAX) + printed(db, row)?;
    let mut change = UsageChange { bytes: -kept, ..UsageChange::default() };
    for component in components {
        change.bytes -= let_go(db, tenant, component)?;
    }
    change.bytes -= artifacts::let_go(db, tenant, row)?;
    remember(db, cache, place, row, by)?;
    let mut next = last;
    while let Some(seq) = next {
        next = one(db, "DELETE FROM entries WHERE seq = ?1 RETURNING prev", [seq], cell_0)?.flatten();
    }
    for table in [
        "DELETE FROM requests WHERE instance = ?1",
        "DELETE FROM outputs WHERE instance = ?1",
        "DELETE FROM instances WHERE id = ?1",
    ] {
        run(db, table, [row])?;
    }
    change.bytes += cache.strike(&place.key);
    cache.charge(db, tenant, change, None)?;
    Ok(None)
}

/// The bytes of an instance's output.
fn printed(db: &Connection, row: i64) -> Result<i64, StoreError> {
    let select = "SELECT octet_length(text) FROM outputs WHERE instance = ?1";
    Ok(one(db, select, [row], cell_0)?.unwrap_or(0))
}

/// An instance has a component no longer: the bytes that its tenant therefore keeps no longer.
fn let_go(db: &Connection, tenant: &TenantId, component: &Digest) -> Result<i64, StoreError> {
    const LET_GO: &str = "UPDATE holdings SET instances = instances - 1 WHERE tenant = ?1 AND component = ?2 RETURNING instances";
    const FORGET: &str = "DELETE FROM holdings WHERE tenant = ?1 AND component = ?2";
    const BYTES: &str = "SELECT length(bytes) FROM components WHERE digest = ?1";
    const DELETE: &str = "DELETE FROM components WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM holdings WHERE component = ?1)";
    let digest = component.to_string();
    if one(db, LET_GO, [tenant.as_str(), &digest], cell_0::<i64>)? != Some(0) {
        return Ok(0);
    }
    run(db, FORGET, [tenant.as_str(), &digest])?;
    let bytes = one(db, BYTES, [&digest], cell_0)?.unwrap_or(0);
    run(db, DELETE, [&digest])?;
    Ok(bytes)
}

fn remember(
    db: &Connection,
    cache: &mut WriterCache,
    place: &JournalPosition,
    row: i64,
    by: &str,
) -> Result<(), StoreError> {
    const INSERT: &str =
        "INSERT INTO deletions (at, tenant, instance, deleted_by, facts, last, state, ended_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6, state, since FROM instances WHERE id = ?7";
    let (at, InstanceKey { tenant, instance }) = (cache.time(place.at), &place.key);
    let (facts, last) = (place.after as u64, journal::last(db)?.cast_signed());
    let mark = DeletionMark { seq: cache.floor().max(last), at };
    let values =
        params![at.as_millis(), tenant.as_str(), instance.as_str(), by, facts.cast_signed(), mark.seq, row];
    run(db, INSERT, values)?;
    cache.raise(mark);
    Ok(())
}
