//! The rows that both a creation and an append write: the entries, and the component of an instance.

use crate::journal::{EncodedEntries, RowPosition};
use crate::sql::{conflict, run};
use crate::tables::usage::hold;
use crate::writer::cache::{Journal, WriterCache};
use receipt::Digest;
use rusqlite::{Connection, params};
use std::sync::Arc;
use store::{JournalPosition, Stamp, StoreError, UsageChange, Written};
use workflow::TenantId;

/// Adds entries, as one row.
pub(crate) fn add(
    db: &Connection,
    cache: &mut WriterCache,
    place: &JournalPosition,
    journal: Journal,
    encoded: &EncodedEntries,
) -> Written {
    let (key, after) = (&place.key, place.after as u64);
    if encoded.count == 0 {
        return Ok(None);
    }
    let count = encoded.count as i64;
    let (seq, at) = (cache.take(db, count)?, cache.time(place.at));
    let position =
        RowPosition { seq, instance: journal.row, index: after.cast_signed(), at, count, prev: journal.last };
    encoded.insert(db, position, key).map_err(|error| conflict(error, key))?;
    let journal = Journal { length: after + count.unsigned_abs(), ..journal };
    cache.add(key, journal, (seq, encoded.bytes));
    Ok(Some(Stamp { seq: seq.unsigned_abs(), at }))
}

/// Keeps a component that an instance of the tenant is loaded with.
pub(crate) fn keep_component(
    db: &Connection,
    tenant: &TenantId,
    (digest, bytes): &(Digest, Arc<[u8]>),
    change: &mut UsageChange,
) -> Result<(), StoreError> {
    if hold(db, tenant, (digest, bytes), change)? {
        run(db, "INSERT OR IGNORE INTO components VALUES (?1, ?2)", params![digest.to_string(), &**bytes])?;
    }
    Ok(())
}
