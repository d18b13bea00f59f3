//! What the one who writes knows without asking the database, and what a transaction changes at its end.

use crate::store::InstanceKey;
use crate::store::Quotas;
use crate::store::StoreError;
use crate::store::deletion::Mark;
use crate::store::look::instance_row;
use crate::store::usage::Change;
use crate::store::usage::keep_usage;
use crate::store::usage::usage;
use receipt::Timestamp;
use rusqlite::Connection;
use std::collections::HashMap;
use workflow::TenantId;

/// How many instances' rows are remembered: some 20 MiB.
const ROWS: usize = 100_000;

/// Beside the database: rows that were looked up, the latest time, and what each tenant's usage changes by in this transaction.
#[derive(Debug)]
pub(super) struct Ledger {
    latest: Timestamp,
    /// The last place among all facts that a deletion has left free.
    floor: i64,
    rows: HashMap<InstanceKey, i64>,
    changes: HashMap<TenantId, Change>,
}

impl Ledger {
    pub(super) fn new(latest: Option<Timestamp>, mark: Option<Mark>) -> Self {
        let latest = latest.unwrap_or(Timestamp::from_millis(i64::MIN));
        let floor = mark.map_or(0, |mark| mark.seq);
        Self { latest, floor, rows: HashMap::new(), changes: HashMap::new() }
    }

    /// The time to record. Another instance may have recorded something later since `at` was looked up.
    pub(super) fn time(&mut self, at: Timestamp) -> Timestamp {
        self.latest = self.latest.max(at);
        self.latest
    }

    /// The latest time ever recorded, if anything was.
    pub(super) fn latest(&self) -> Timestamp {
        self.latest
    }

    /// The place among all facts after which the next one comes, whatever was deleted.
    pub(super) fn floor(&self) -> i64 {
        self.floor
    }

    /// Something was deleted. Should that be undone, a place is left out and nothing is lost.
    pub(super) fn raise(&mut self, mark: Mark) {
        self.floor = self.floor.max(mark.seq);
    }

    /// There is no such instance any more.
    pub(super) fn strike(&mut self, key: &InstanceKey) {
        self.rows.remove(key);
    }

    /// The row of an instance.
    pub(super) fn row(&mut self, db: &Connection, key: &InstanceKey) -> Result<i64, StoreError> {
        if let Some(row) = self.rows.get(key) {
            return Ok(*row);
        }
        let row = instance_row(db, key)?;
        if self.rows.len() >= ROWS {
            self.rows.clear();
        }
        self.rows.insert(key.clone(), row);
        Ok(row)
    }

    /// Counts a change, or refuses it because of what the tenant keeps and what it has been granted in this transaction.
    pub(super) fn charge(
        &mut self,
        db: &Connection,
        tenant: &TenantId,
        change: Change,
        quotas: Option<&Quotas>,
    ) -> Result<(), StoreError> {
        let granted = self.changes.get(tenant).copied().unwrap_or_default();
        if let Some(quotas) = quotas {
            quotas.check(tenant, &granted.on(usage(db, tenant)?), &change.growth())?;
        }
        match self.changes.get_mut(tenant) {
            Some(granted) => granted.add(change),
            None => drop(self.changes.insert(tenant.clone(), change)),
        }
        Ok(())
    }

    /// Writes what the transaction has changed: one row a tenant, however much was written for it.
    pub(super) fn settle(&mut self, db: &Connection) -> Result<(), StoreError> {
        for (tenant, change) in self.changes.drain() {
            keep_usage(db, &tenant, change)?;
        }
        Ok(())
    }

    /// Forgets a transaction that did not take place, and every row that may have been its.
    pub(super) fn forget(&mut self) {
        self.rows.clear();
        self.changes.clear();
    }
}
