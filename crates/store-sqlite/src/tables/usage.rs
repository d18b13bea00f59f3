//! Each tenant's usage: one row a tenant, changed in the transaction that changes what it counts.

use crate::sql::{cell, cell_0, classify, one};
use receipt::Digest;
use rusqlite::{Connection, params};
use store::{StoreError, Usage};
use workflow::{Entry, RequestId, TenantId};

/// What a transaction adds to a tenant's usage, and takes from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) instances: i64,
    pub(crate) pending: i64,
    pub(crate) bytes: i64,
}

impl Change {
    /// So many bytes more.
    pub(crate) fn of_bytes(length: usize) -> Self {
        Self { bytes: i64::try_from(length).unwrap_or(i64::MAX), ..Self::default() }
    }

    /// A text that is kept.
    pub(crate) fn keep(&mut self, length: usize) {
        self.bytes = self.bytes.saturating_add(length.cast_signed() as i64);
    }

    /// Counts an instance's component, its bytes once a tenant. Whether it is new to the tenant.
    pub(crate) fn hold(
        &mut self,
        db: &Connection,
        tenant: &TenantId,
        component: (&Digest, &[u8]),
    ) -> Result<bool, StoreError> {
        let (digest, bytes) = component;
        const HOLD: &str = "INSERT INTO holdings VALUES (?1, ?2, 1)
            ON CONFLICT (tenant, component) DO UPDATE SET instances = instances + 1 RETURNING instances";
        let holding = one(db, HOLD, [tenant.as_str(), &digest.to_string()], cell_0::<i64>)?;
        let new = holding == Some(1);
        if new {
            self.keep(bytes.len());
        }
        Ok(new)
    }

    /// This change and another.
    pub(crate) fn add(&mut self, other: Self) {
        self.instances += other.instances;
        self.pending += other.pending;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// What a tenant keeps after the change.
    pub(crate) fn on(self, usage: Usage) -> Usage {
        Usage {
            instances: usage.instances.saturating_add_signed(self.instances),
            pending_approvals: usage.pending_approvals.saturating_add_signed(self.pending),
            stored_bytes: usage.stored_bytes.saturating_add_signed(self.bytes),
        }
    }

    /// What it adds, where it adds something.
    pub(crate) fn growth(&self) -> Usage {
        let up = |change: i64| u64::try_from(change).unwrap_or(0);
        Usage {
            instances: up(self.instances),
            pending_approvals: up(self.pending),
            stored_bytes: up(self.bytes),
        }
    }
}

/// What an entry ends: a request's wait.
pub(crate) fn settle(db: &Connection, entry: &Entry, change: &mut Change) -> Result<(), StoreError> {
    const DECIDED: &str = "UPDATE requests SET open = 0 WHERE id = ?1 AND open = 1";
    match entry {
        Entry::Decided { request, .. } | Entry::Lapsed { request } | Entry::Withdrawn { request, .. } => {
            change.pending -= changed(db, DECIDED, [request.as_str()])?;
        }
        _ => {}
    }
    Ok(())
}

/// An undecided request waits again.
pub(crate) fn reopen(db: &Connection, request: &RequestId, change: &mut Change) -> Result<(), StoreError> {
    const REOPENED: &str = "UPDATE requests SET open = 1 WHERE id = ?1 AND open = 0 AND outcome IS NULL";
    change.pending += changed(db, REOPENED, [request.as_str()])?;
    Ok(())
}

/// How many rows a statement changes.
pub(crate) fn changed(
    db: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<i64, StoreError> {
    let mut statement = db.prepare_cached(statement).map_err(classify)?;
    Ok(statement.execute(values).map_err(classify)?.cast_signed() as i64)
}

/// Writes a change of what a tenant keeps.
pub(crate) fn keep_usage(db: &Connection, tenant: &TenantId, change: Change) -> Result<(), StoreError> {
    let update = "INSERT INTO usage VALUES (?1, ?2, ?3, ?4) ON CONFLICT (tenant) DO UPDATE SET
        instances = instances + ?2, pending = pending + ?3, bytes = bytes + ?4";
    let mut update = db.prepare_cached(update).map_err(classify)?;
    let values = params![tenant.as_str(), change.instances, change.pending, change.bytes];
    update.execute(values).map(drop).map_err(classify)
}

/// What a tenant keeps but for the entries in the [tail](crate::journal::heads): nothing, for one that has never been here.
pub(crate) fn usage(db: &Connection, tenant: &TenantId) -> Result<Usage, StoreError> {
    const SELECT: &str = "SELECT instances, pending, bytes FROM usage WHERE tenant = ?1";
    let found = one(db, SELECT, [tenant.as_str()], |row| {
        let count = |column| cell::<i64>(row, column).map(|count| u64::try_from(count).unwrap_or(0));
        Ok(Usage { instances: count(0)?, pending_approvals: count(1)?, stored_bytes: count(2)? })
    })?;
    Ok(found.unwrap_or_default())
}
