//! The writer's cache: journals' ends, texts and usage, and the changes that a transaction writes at its end.

use crate::journal;
use crate::journal::heads;
use crate::journal::heads::{Heads, Hint, TailView};
use crate::sql::{cell_0, one, run};
use crate::tables::deletions::DeletionMark;
use crate::tables::usage::{keep_usage, usage};
use receipt::Timestamp;
use rusqlite::Connection;
use std::collections::HashMap;
use store::{InstanceKey, JournalPosition, Quotas, StoreError, Usage, UsageChange};
use workflow::TenantId;

/// The number of cached journals: about 20 MiB.
const JOURNALS: usize = 100_000;

/// The number of cached texts that rows share.
const TEXTS: usize = 256;

/// The number of tenants with cached usage.
const TENANTS: usize = 10_000;

/// The writer's cache: journals and texts that were looked up, the latest time, and each tenant's change of usage in
/// this transaction.
#[derive(Debug)]
pub(crate) struct WriterCache {
    latest: Timestamp,
    /// The last place among all facts that a deletion has left free.
    floor: i64,
    journals: HashMap<InstanceKey, Journal>,
    /// The instance to whose journal the current write has added.
    added: Option<InstanceKey>,
    texts: HashMap<String, i64>,
    /// The place of the next fact, if it is known.
    next: Option<i64>,
    /// SQLite's data version, which changes when another process writes.
    version: i64,
    changes: HashMap<TenantId, UsageChange>,
    /// The usage of tenants before this transaction, for those that were asked about.
    usages: HashMap<TenantId, Usage>,
    tail: Heads,
}

/// The position and length of an instance's journal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Journal {
    /// The instance's row.
    pub(crate) row: i64,
    /// The number of its entries.
    pub(crate) length: u64,
    /// The last row.
    pub(crate) last: Option<i64>,
}

impl WriterCache {
    pub(crate) fn new(latest: Option<Timestamp>, mark: Option<DeletionMark>) -> Self {
        let latest = latest.unwrap_or(Timestamp::from_millis(i64::MIN));
        let (journals, texts, changes) = (HashMap::new(), HashMap::new(), HashMap::new());
        let (usages, tail) = (HashMap::new(), Heads::default());
        let floor = mark.map_or(0, |mark| mark.seq);
        Self { latest, floor, journals, added: None, texts, next: None, version: 0, changes, usages, tail }
    }

    /// The time to record. Another instance may have a later record since `at` was looked up.
    pub(crate) fn time(&mut self, at: Timestamp) -> Timestamp {
        self.latest = self.latest.max(at);
        self.latest
    }

    /// The latest time ever recorded, if anything was.
    pub(crate) fn latest(&self) -> Timestamp {
        self.latest
    }

    /// The last place among all facts, including those of deleted instances.
    pub(crate) fn floor(&self) -> i64 {
        self.floor
    }

    /// Raises the floor after a deletion. If the deletion is undone, a place is left out, which does no harm.
    pub(crate) fn raise(&mut self, mark: DeletionMark) {
        self.floor = self.floor.max(mark.seq);
    }

    /// Removes a deleted instance. Returns the bytes of its entries that were not yet counted.
    pub(crate) fn strike(&mut self, key: &InstanceKey) -> i64 {
        self.journals.remove(key);
        self.tail.settle(key)
    }

    /// The journal of an instance.
    pub(crate) fn journal(&mut self, db: &Connection, key: &InstanceKey) -> Result<Journal, StoreError> {
        if let Some(journal) = self.journals.get(key) {
            return Ok(*journal);
        }
        let (row, last) = heads::end(db, key, Some(Hint::of_all(self.tail.last(key))))?;
        let journal = Journal { row, length: length(db, key, last)?, last };
        self.remember(key, journal);
        Ok(journal)
    }

    /// [`Self::journal`] for a write that expects the journal's end at `place`.
    pub(crate) fn journal_at(
        &mut self,
        db: &Connection,
        place: &JournalPosition,
    ) -> Result<Journal, StoreError> {
        let journal = self.journal(db, &place.key)?;
        match journal.length == place.after as u64 {
            true => Ok(journal),
            false => Err(StoreError::Conflict(place.key.clone())),
        }
    }

    /// Adds an instance that the current write has made.
    pub(crate) fn begun(&mut self, key: &InstanceKey, row: i64) -> Journal {
        let journal = Journal { row, length: 0, last: None };
        self.remember(key, journal);
        self.added = Some(key.clone());
        journal
    }

    /// Updates a journal after the current write: its new last row, and the bytes of that row.
    pub(crate) fn add(&mut self, key: &InstanceKey, journal: Journal, (last, bytes): (i64, usize)) {
        self.remember(key, Journal { last: Some(last), ..journal });
        self.added = Some(key.clone());
        self.tail.push(key, journal.row, last, i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Records that an instance's row names its last entry now. Returns the bytes of those that were not yet counted.
    pub(crate) fn settle(&mut self, key: &InstanceKey) -> i64 {
        self.tail.settle(key)
    }

    fn remember(&mut self, key: &InstanceKey, journal: Journal) {
        if let Some(known) = self.journals.get_mut(key) {
            *known = journal;
            return;
        }
        if self.journals.len() >= JOURNALS {
            self.journals.clear();
        }
        self.journals.insert(key.clone(), journal);
    }

    /// The place of the next fact.
    pub(crate) fn next(&mut self, db: &Connection) -> Result<i64, StoreError> {
        const LAST: &str = "SELECT seq + count - 1 FROM entries ORDER BY seq DESC LIMIT 1";
        let next = match self.next {
            Some(next) => next,
            None => self.floor.max(one(db, LAST, [], cell_0)?.unwrap_or(0)) + 1,
        };
        self.next = Some(next);
        Ok(next)
    }

    /// Reserves places for this many facts.
    pub(crate) fn take(&mut self, db: &Connection, count: i64) -> Result<i64, StoreError> {
        let next = self.next(db)?;
        self.next = Some(next + count);
        Ok(next)
    }

    /// The row of a text that many rows have in common.
    pub(crate) fn text(&mut self, db: &Connection, text: &str) -> Result<i64, StoreError> {
        if let Some(row) = self.texts.get(text) {
            return Ok(*row);
        }
        run(db, "INSERT OR IGNORE INTO texts (body) VALUES (?1)", [text])?;
        let row = one(db, "SELECT id FROM texts WHERE body = ?1", [text], cell_0)?.unwrap_or_default();
        if self.texts.len() >= TEXTS {
            self.texts.clear();
        }
        self.texts.insert(text.to_owned(), row);
        Ok(row)
    }

    /// Begins a transaction. Drops the cached state if another process has written since the last one.
    pub(crate) fn begin(&mut self, db: &Connection) -> Result<(), StoreError> {
        let version = one(db, "PRAGMA data_version", [], cell_0)?.unwrap_or_default();
        if self.version != version {
            self.forget();
            self.version = version;
        }
        self.tail.look(db)
    }

    /// The state before a write that may be refused.
    pub(crate) fn mark(&mut self) -> Option<i64> {
        self.added = None;
        self.tail.mark();
        self.next
    }

    /// Takes a refused write back.
    pub(crate) fn take_back(&mut self, mark: Option<i64>) {
        self.next = mark;
        self.texts.clear();
        self.tail.take_back();
        if let Some(key) = self.added.take() {
            self.journals.remove(&key);
        }
    }

    /// Counts a change, or refuses it.
    pub(crate) fn charge(
        &mut self,
        db: &Connection,
        tenant: &TenantId,
        change: UsageChange,
        quotas: Option<&Quotas>,
    ) -> Result<(), StoreError> {
        self.check(db, tenant, change, quotas)?;
        self.change(tenant, change);
        Ok(())
    }

    /// Refuses a change that exceeds the tenant's quota, including its growth in this transaction.
    pub(crate) fn check(
        &mut self,
        db: &Connection,
        tenant: &TenantId,
        change: UsageChange,
        quotas: Option<&Quotas>,
    ) -> Result<(), StoreError> {
        let Some(quotas) = quotas else { return Ok(()) };
        let (before, growth) = self.tail.bytes(tenant);
        let mut granted = self.changes.get(tenant).copied().unwrap_or_default();
        granted.bytes = granted.bytes.saturating_add(before);
        let grown = UsageChange { bytes: change.bytes.saturating_add(growth), ..change };
        Ok(quotas.check(tenant, &granted.on(self.usage(db, tenant)?), &grown.growth())?)
    }

    fn change(&mut self, tenant: &TenantId, change: UsageChange) {
        if change == UsageChange::default() {
            return;
        }
        match self.changes.get_mut(tenant) {
            Some(granted) => granted.add(change),
            None => drop(self.changes.insert(tenant.clone(), change)),
        }
    }

    /// A tenant's usage before this transaction.
    fn usage(&mut self, db: &Connection, tenant: &TenantId) -> Result<Usage, StoreError> {
        if let Some(usage) = self.usages.get(tenant) {
            return Ok(*usage);
        }
        let usage = usage(db, tenant)?;
        if self.usages.len() >= TENANTS {
            self.usages.clear();
        }
        self.usages.insert(tenant.clone(), usage);
        Ok(usage)
    }

    /// Writes the accumulated changes: one row per tenant, however many writes it had.
    pub(crate) fn finish(&mut self, db: &Connection) -> Result<(), StoreError> {
        if let Some(next) = self.next {
            for (tenant, bytes) in self.tail.shorten(db, next - 1)? {
                self.change(&tenant, UsageChange { bytes, ..UsageChange::default() });
            }
        }
        for (tenant, change) in self.changes.drain() {
            keep_usage(db, &tenant, change)?;
            if let Some(usage) = self.usages.get_mut(&tenant) {
                *usage = change.on(*usage);
            }
        }
        Ok(())
    }

    /// Publishes the committed state.
    pub(crate) fn publish(&mut self, view: &mut TailView) {
        self.tail.publish(view, self.next.map(|next| next - 1));
    }

    /// Forgets a transaction that did not take place, and every row that may have been its.
    pub(crate) fn forget(&mut self) {
        self.journals.clear();
        self.texts.clear();
        self.next = None;
        self.changes.clear();
        self.usages.clear();
        self.tail.forget();
    }
}

/// The number of an instance's entries: the last are in that row.
fn length(db: &Connection, key: &InstanceKey, last: Option<i64>) -> Result<u64, StoreError> {
    let Some(last) = last else { return Ok(0) };
    let length = one(db, "SELECT idx + count FROM entries WHERE seq = ?1", [last], cell_0::<i64>)?;
    Ok(length.ok_or_else(|| journal::missing(key, last))?.unsigned_abs())
}
