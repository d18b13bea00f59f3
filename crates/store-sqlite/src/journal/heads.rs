//! The head of every journal, without a row on disk that changes with each entry.
//!
//! ```text
//!   entries     1 ……………………………… settled ……………………… upto …… the last
//!               every instance's row says   │ what is in    │ what others have written
//!               which is its last           │ memory        │ since: looked at
//!                                           └── the tail ──────────────────────────────┘
//! ```
//!
//! An entry names the one before it in its instance's journal, so that the last one leads to all of them. The
//! instance's row names the last entry as of its last schedule change. A step in between changes only the table of
//! entries: its row is in the *tail*, which is at most [`LONGEST`] places long and is in memory in the writing process.
//! An instance's entries count against its tenant's quota when its row names the last of them; those in the tail are
//! counted separately.

use crate::journal::codec::expanded_length;
use crate::sql::{cell, cell_0, every, key_at, one, run};
use rusqlite::{Connection, params};
use std::collections::{HashMap, hash_map};
use store::{InstanceKey, StoreError};
use workflow::TenantId;

/// The most places in the tail, before every instance's row is updated with its last entry: scanning so many takes a
/// few milliseconds.
const LONGEST: i64 = 8_192;

/// An instance's part of the tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    /// The row of the instance.
    row: i64,
    /// The row of the instance's last entries.
    last: i64,
    /// The bytes of its entries that are not yet counted.
    bytes: i64,
}

/// The writer's view of the tail.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Up to this place, every instance's row names its last entry. `None` if it has to be looked up.
    settled: Option<i64>,
    ends: HashMap<InstanceKey, End>,
    bytes: HashMap<TenantId, i64>,
    /// The instances whose last entry this transaction has changed, and whether it was looked up completely.
    moved: Vec<InstanceKey>,
    is_new: bool,
    /// The changes of the current write: the previous end, and the growth in bytes.
    before: Option<(InstanceKey, Option<End>)>,
    growth: i64,
}

/// The readers' view of the tail.
#[derive(Debug, Default)]
pub(crate) struct TailView {
    /// The tail is complete up to this place.
    upto: i64,
    ends: HashMap<InstanceKey, i64>,
    bytes: HashMap<TenantId, i64>,
}

/// The known end of one journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hint {
    upto: i64,
    last: Option<i64>,
}

impl Heads {
    /// Forgets the tail, so that it is looked up again.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Reads the tail, if it is not known.
    pub(crate) fn look(&mut self, db: &Connection) -> Result<(), StoreError> {
        if self.settled.is_some() {
            return Ok(());
        }
        let settled = settled(db)?;
        for (key, end) in unsettled(db, settled)? {
            self.push(&key, end.row, end.last, end.bytes);
        }
        (self.settled, self.is_new) = (Some(settled), true);
        Ok(())
    }

    /// Begins a write that may be refused.
    pub(crate) fn mark(&mut self) {
        (self.before, self.growth) = (None, 0);
    }

    /// Takes a refused write back.
    pub(crate) fn take_back(&mut self) {
        let growth = std::mem::take(&mut self.growth);
        let Some((key, end)) = self.before.take() else { return };
        self.count(&key.tenant, -growth);
        match end {
            Some(end) => self.ends.insert(key, end),
            None => self.ends.remove(&key),
        };
    }

    /// An instance has other last entries.
    pub(crate) fn push(&mut self, key: &InstanceKey, row: i64, last: i64, bytes: i64) {
        let end = End { row, last, bytes };
        let before = match self.ends.entry(key.clone()) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(end);
                None
            }
            hash_map::Entry::Occupied(mut known) => {
                let bytes = known.get().bytes + bytes;
                Some(known.insert(End { bytes, ..end }))
            }
        };
        self.change(key, before, bytes);
    }

    /// Records that an instance's row names its last entry now, or is about to be deleted. Returns the bytes that are
    /// counted with that.
    pub(crate) fn settle(&mut self, key: &InstanceKey) -> i64 {
        let Some(end) = self.ends.remove(key) else { return 0 };
        self.change(key, Some(end), -end.bytes);
        end.bytes
    }

    fn change(&mut self, key: &InstanceKey, before: Option<End>, bytes: i64) {
        self.before.get_or_insert_with(|| (key.clone(), before));
        self.growth += bytes;
        self.count(&key.tenant, bytes);
        self.moved.push(key.clone());
    }

    fn count(&mut self, tenant: &TenantId, bytes: i64) {
        match self.bytes.get_mut(tenant) {
            Some(counted) => *counted += bytes,
            None => drop(self.bytes.insert(tenant.clone(), bytes)),
        }
    }

    /// The last entries of an instance, if the tail has them.
    pub(crate) fn last(&self, key: &InstanceKey) -> Option<i64> {
        self.ends.get(key).map(|end| end.last)
    }

    /// A tenant's bytes in the tail before the current write, and its growth by the write.
    pub(crate) fn bytes(&self, tenant: &TenantId) -> (i64, i64) {
        (self.bytes.get(tenant).copied().unwrap_or(0) - self.growth, self.growth)
    }

    /// Updates all rows when the tail has become long; `last` is the last place of all. Returns the bytes that each
    /// tenant's count grows by.
    pub(crate) fn shorten(&mut self, db: &Connection, last: i64) -> Result<Vec<(TenantId, i64)>, StoreError> {
        if self.settled.is_none_or(|settled| last - settled < LONGEST) {
            return Ok(Vec::new());
        }
        for (key, end) in self.ends.drain() {
            run(db, "UPDATE instances SET last = ?2 WHERE id = ?1", [end.row, end.last])?;
            self.moved.push(key);
        }
        run(db, "UPDATE settled SET seq = ?1", [last])?;
        self.settled = Some(last);
        Ok(self.bytes.drain().collect())
    }

    /// Publishes the committed state: up to `upto`, if anything was committed.
    pub(crate) fn publish(&mut self, view: &mut TailView, upto: Option<i64>) {
        if std::mem::take(&mut self.is_new) {
            *view = TailView { upto: view.upto, ..TailView::default() };
        }
        view.upto = upto.unwrap_or(view.upto);
        let mut published: Option<TenantId> = None;
        for key in self.moved.drain(..) {
            match (self.ends.get(&key), view.ends.get_mut(&key)) {
                (Some(end), Some(last)) => *last = end.last,
                (Some(end), None) => drop(view.ends.insert(key.clone(), end.last)),
                (None, _) => drop(view.ends.remove(&key)),
            }
            if published.as_ref() == Some(&key.tenant) {
                continue;
            }
            match (self.bytes.get(&key.tenant), view.bytes.get_mut(&key.tenant)) {
                (None | Some(0), _) => drop(view.bytes.remove(&key.tenant)),
                (Some(bytes), Some(counted)) => *counted = *bytes,
                (Some(bytes), None) => drop(view.bytes.insert(key.tenant.clone(), *bytes)),
            }
            published = Some(key.tenant);
        }
    }
}

impl Hint {
    /// Whether a reader that sees the facts up to that place sees every entry of this hint.
    pub(crate) fn is_seen_at(self, seq: u64) -> bool {
        self.upto <= seq.cast_signed()
    }

    /// The hint of a process that knows the whole tail.
    pub(crate) fn of_all(last: Option<i64>) -> Self {
        Self { upto: i64::MAX, last }
    }
}

impl TailView {
    /// The known end of an instance's journal. Valid for reads that begin afterwards.
    pub(crate) fn hint(&self, key: &InstanceKey) -> Hint {
        Hint { upto: self.upto, last: self.ends.get(key).copied() }
    }

    /// A tenant's bytes in the tail.
    pub(crate) fn bytes(&self, tenant: &TenantId) -> i64 {
        self.bytes.get(tenant).copied().unwrap_or(0)
    }
}

/// The row of an instance, and its last entries. If nothing is known, the tail is looked through.
pub(crate) fn end(
    db: &Connection,
    key: &InstanceKey,
    hint: Option<Hint>,
) -> Result<(i64, Option<i64>), StoreError> {
    const INSTANCE: &str = "SELECT id, last FROM instances WHERE tenant = ?1 AND instance = ?2";
    let name = [key.tenant.as_str(), key.instance.as_str()];
    let found = one(db, INSTANCE, name, |row| Ok((cell::<i64>(row, 0)?, cell::<Option<i64>>(row, 1)?)))?;
    let (row, kept) = found.ok_or_else(|| StoreError::NoInstance(key.to_string()))?;
    Ok((row, kept.max(since(db, row, hint)?)))
}

/// The last entries of the instance in that row.
pub(crate) fn last(db: &Connection, row: i64, hint: Option<Hint>) -> Result<Option<i64>, StoreError> {
    let kept = one(db, "SELECT last FROM instances WHERE id = ?1", [row], cell_0::<Option<i64>>)?;
    Ok(kept.flatten().max(since(db, row, hint)?))
}

/// The last entry written since the instance's row was written, if any.
fn since(db: &Connection, row: i64, hint: Option<Hint>) -> Result<Option<i64>, StoreError> {
    const NEWER: &str = "SELECT seq FROM entries WHERE seq > ?1 AND instance = ?2 ORDER BY seq DESC LIMIT 1";
    let (upto, known) = match hint {
        Some(Hint { upto, last }) => (upto, last),
        None => (settled(db)?, None),
    };
    Ok(known.max(one(db, NEWER, [upto, row], cell_0::<i64>)?))
}

/// A tenant's bytes in the tail, for a process that does not write.
pub(crate) fn bytes(db: &Connection, tenant: &TenantId) -> Result<i64, StoreError> {
    let ends = unsettled(db, settled(db)?)?;
    Ok(ends.iter().filter(|(key, _)| key.tenant == *tenant).map(|(_, end)| end.bytes).sum())
}

/// The place up to which every instance's row names its last entry.
pub(super) fn settled(db: &Connection) -> Result<i64, StoreError> {
    Ok(one(db, "SELECT seq FROM settled", [], cell_0)?.unwrap_or(0))
}

/// Every row of the tail that its instance's row does not know of.
fn unsettled(db: &Connection, settled: i64) -> Result<Vec<(InstanceKey, End)>, StoreError> {
    const SELECT: &str = "SELECT i.tenant, i.instance, i.id, e.seq, e.body, e.bytes
        FROM entries e JOIN instances i ON i.id = e.instance
        WHERE e.seq > ?1 AND (i.last IS NULL OR e.seq > i.last) ORDER BY e.seq";
    every(db, SELECT, params![settled], |found| {
        let (body, digits): (String, Option<Vec<u8>>) = (cell(found, 4)?, cell(found, 5)?);
        let bytes = expanded_length(&body, &digits.unwrap_or_default()).cast_signed() as i64;
        Ok((key_at(found, 0)?, End { row: cell(found, 2)?, last: cell(found, 3)?, bytes }))
    })
}
