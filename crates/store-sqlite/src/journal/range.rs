//! Reading a part of a journal: from an index, or from a place among all facts.

use crate::journal::heads::{self, Hint};
use crate::journal::sparse_index::SparseIndex;
use crate::journal::{check_link, missing, read, row_at, rows};
use crate::sql::{cell, every, key_at, one};
use rusqlite::{Connection, params};
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use store::{Fact, InstanceKey, StoreError};

/// A row's instance, index and previous row.
pub(super) struct Link {
    pub(super) instance: i64,
    index: i64,
    pub(super) prev: Option<i64>,
}

/// The link of a row, without its entries.
pub(super) fn link(db: &Connection, seq: i64) -> Result<Option<Link>, StoreError> {
    one(db, "SELECT instance, idx, prev FROM entries WHERE seq = ?1", [seq], |row| {
        Ok(Link { instance: cell(row, 0)?, index: cell(row, 1)?, prev: cell(row, 2)? })
    })
}

/// The first facts of an instance from that index on.
pub(crate) fn from(
    db: &Connection,
    key: &InstanceKey,
    (index, limit): (u64, u32),
    hint: Option<Hint>,
    sparse_index: &Mutex<SparseIndex>,
) -> Result<Vec<Fact>, StoreError> {
    let end = heads::end(db, key, hint)?;
    let mut facts = Vec::new();
    for seq in rows_from(db, key, end, (index.cast_signed(), limit as usize + 1), sparse_index)? {
        facts.extend(row_at(db, key, seq)?.1.into_iter().filter(|fact| fact.index >= index));
    }
    facts.truncate(limit as usize);
    Ok(facts)
}

/// The first rows of an instance from the row with the entry of that index, and no more than `most`.
fn rows_from(
    db: &Connection,
    key: &InstanceKey,
    (instance, last): (i64, Option<i64>),
    (index, most): (i64, usize),
    sparse_index: &Mutex<SparseIndex>,
) -> Result<VecDeque<i64>, StoreError> {
    let begin = beginning(db, instance, index.saturating_add(most as i64), sparse_index)?;
    let (mut rows, mut passed, mut next) = (VecDeque::new(), 0, begin.or(last));
    while let Some(seq) = next {
        let link = link(db, seq)?.ok_or_else(|| missing(key, seq))?;
        check_link(key, instance, (seq, link.instance, link.prev))?;
        lock(sparse_index).pass(passed, instance, (link.index, seq));
        passed += 1;
        rows.push_front(seq);
        rows.truncate(most);
        next = link.prev.filter(|_| link.index > index);
    }
    Ok(rows)
}

/// Where a walk back to that index begins, if not at the end.
fn beginning(
    db: &Connection,
    instance: i64,
    index: i64,
    sparse_index: &Mutex<SparseIndex>,
) -> Result<Option<i64>, StoreError> {
    let Some((index, seq)) = lock(sparse_index).after(instance, index) else { return Ok(None) };
    match link(db, seq)? {
        Some(link) if (link.instance, link.index) == (instance, index) => Ok(Some(seq)),
        _ => {
            lock(sparse_index).forget(instance);
            Ok(None)
        }
    }
}

fn lock(sparse_index: &Mutex<SparseIndex>) -> std::sync::MutexGuard<'_, SparseIndex> {
    sparse_index.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first facts after that place.
pub(crate) fn after(db: &Connection, seq: u64, limit: u32) -> Result<Vec<Fact>, StoreError> {
    const SELECT: &str = rows!(
        "WHERE e.seq >= coalesce((SELECT max(seq) FROM entries WHERE seq <= ?1), 0) ORDER BY e.seq LIMIT 1 + ?2"
    );
    let found = every(db, SELECT, params![seq.cast_signed(), limit], |row| read(row, &key_at(row, 10)?))?;
    Ok(found.into_iter().flatten().filter(|fact| fact.seq > seq).take(limit as usize).collect())
}
