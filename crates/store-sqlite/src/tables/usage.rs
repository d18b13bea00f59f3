//! Each tenant's usage: one row per tenant, changed in the transaction that changes the counted amounts.

use crate::sql::{cell, cell_0, classify, one};
use receipt::Digest;
use rusqlite::{Connection, params};
use store::{StoreError, Usage, UsageChange};
use workflow::{Entry, RequestId, TenantId};

/// Counts an instance's component; its bytes count once per tenant. Returns whether the component is new to the tenant.
pub(crate) fn hold(
    db: &Connection,
    tenant: &TenantId,
    (digest, bytes): (&Digest, &[u8]),
    change: &mut UsageChange,
) -> Result<bool, StoreError> {
    const HOLD: &str = "INSERT INTO holdings VALUES (?1, ?2, 1)
        ON CONFLICT (tenant, component) DO UPDATE SET instances = instances + 1 RETURNING instances";
    let holding = one(db, HOLD, [tenant.as_str(), &digest.to_string()], cell_0::<i64>)?;
    let new = holding == Some(1);
    if new {
        change.keep(bytes.len());
    }
    Ok(new)
}

/// Ends a request's wait, if the entry decides it.
pub(crate) fn settle(db: &Connection, entry: &Entry, change: &mut UsageChange) -> Result<(), StoreError> {
    const DECIDED: &str = "UPDATE requests SET open = 0 WHERE id = ?1 AND open = 1";
    match entry {
        Entry::Decided { request, .. } | Entry::Lapsed { request } | Entry::Withdrawn { request, .. } => {
            change.pending -= changed(db, DECIDED, [request.as_str()])?;
        }
        _ => {}
    }
    Ok(())
}

/// Makes an undecided request wait again, so that people are notified of it again:
/// [`SentNotices::reopened`](store::SentNotices::reopened).
pub(crate) fn reopen(
    db: &Connection,
    request: &RequestId,
    change: &mut UsageChange,
) -> Result<(), StoreError> {
    const REOPENED: &str = "UPDATE requests SET open = 1, notified = ((notified | 255) + 1) & 32767 WHERE id = ?1 AND open = 0 AND outcome IS NULL";
    change.pending += changed(db, REOPENED, [request.as_str()])?;
    Ok(())
}

/// The number of rows that a statement changes.
pub(crate) fn changed(
    db: &Connection,
    statement: &str,
    values: impl rusqlite::Params,
) -> Result<i64, StoreError> {
    let mut statement = db.prepare_cached(statement).map_err(classify)?;
    Ok(statement.execute(values).map_err(classify)?.cast_signed() as i64)
}

/// Writes a change of a tenant's usage.
pub(crate) fn keep_usage(db: &Connection, tenant: &TenantId, change: UsageChange) -> Result<(), StoreError> {
    let update = "INSERT INTO usage VALUES (?1, ?2, ?3, ?4) ON CONFLICT (tenant) DO UPDATE SET
        instances = instances + ?2, pending = pending + ?3, bytes = bytes + ?4";
    let mut update = db.prepare_cached(update).map_err(classify)?;
    let values = params![tenant.as_str(), change.instances, change.pending, change.bytes];
    update.execute(values).map(drop).map_err(classify)
}

/// A tenant's usage without the entries in the [tail](crate::journal::heads): zero for an unknown tenant.
pub(crate) fn usage(db: &Connection, tenant: &TenantId) -> Result<Usage, StoreError> {
    const SELECT: &str = "SELECT instances, pending, bytes FROM usage WHERE tenant = ?1";
    let found = one(db, SELECT, [tenant.as_str()], |row| {
        let count = |column| cell::<i64>(row, column).map(|count| u64::try_from(count).unwrap_or(0));
        Ok(Usage { instances: count(0)?, pending_approvals: count(1)?, stored_bytes: count(2)? })
    })?;
    Ok(found.unwrap_or_default())
}
