//! What each tenant keeps: one row a tenant, changed in the transaction that changes what it counts.

use crate::store::Quotas;
use crate::store::StoreError;
use crate::store::Usage;
use crate::store::sqlite::classify;
use receipt::Digest;
use rusqlite::Connection;
use rusqlite::OptionalExtension as _;
use rusqlite::Transaction;
use rusqlite::params;
use workflow::Entry;
use workflow::TenantId;

/// What a transaction adds to a tenant's usage, and takes from it.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub(super) instances: i64,
    pub(super) pending: i64,
    pub(super) bytes: i64,
}

impl Change {
    /// A text that is kept.
    pub(super) fn keep(&mut self, length: usize) {
        self.bytes = self.bytes.saturating_add(length.cast_signed() as i64);
    }

    /// What an entry ends: a request's wait, an instance's life.
    pub(super) fn settle(&mut self, tx: &Transaction<'_>, row: i64, entry: &Entry) -> Result<(), StoreError> {
        let closed = match entry {
            Entry::Decided { request, .. } | Entry::Withdrawn { request, .. } | Entry::Lapsed { request } => {
                tx.execute("UPDATE requests SET open = 0 WHERE id = ?1 AND open = 1", [request.as_str()])
            }
            Entry::Completed { .. } | Entry::Failed { .. } | Entry::Terminated { .. } => {
                let ended = tx.execute("UPDATE instances SET ended = 1 WHERE id = ?1 AND ended = 0", [row]);
                self.instances -= ended.map_err(classify)?.cast_signed() as i64;
                tx.execute("UPDATE requests SET open = 0 WHERE instance = ?1 AND open = 1", [row])
            }
            _ => return Ok(()),
        };
        self.pending -= closed.map_err(classify)?.cast_signed() as i64;
        Ok(())
    }

    /// Counts a component, once a tenant.
    pub(super) fn hold(
        &mut self,
        tx: &Transaction<'_>,
        tenant: &TenantId,
        component: (&Digest, &[u8]),
    ) -> Result<(), StoreError> {
        let (digest, bytes) = component;
        let insert = "INSERT OR IGNORE INTO holdings VALUES (?1, ?2)";
        if tx.execute(insert, [tenant.as_str(), &digest.to_string()]).map_err(classify)? > 0 {
            self.keep(bytes.len());
        }
        Ok(())
    }

    /// Writes the change, or refuses it, and with it the transaction.
    pub(super) fn charge(
        &self,
        tx: &Transaction<'_>,
        tenant: &TenantId,
        quotas: Option<&Quotas>,
    ) -> Result<(), StoreError> {
        if let Some(quotas) = quotas {
            quotas.check(tenant, &usage(tx, tenant)?, &self.growth())?;
        }
        let update = "INSERT INTO usage VALUES (?1, ?2, ?3, ?4) ON CONFLICT (tenant) DO UPDATE SET
            instances = instances + ?2, pending = pending + ?3, bytes = bytes + ?4";
        let values = params![tenant.as_str(), self.instances, self.pending, self.bytes];
        tx.execute(update, values).map(drop).map_err(classify)
    }

    fn growth(&self) -> Usage {
        let up = |change: i64| u64::try_from(change).unwrap_or(0);
        Usage {
            instances: up(self.instances),
            pending_approvals: up(self.pending),
            stored_bytes: up(self.bytes),
        }
    }
}

/// What a tenant keeps: nothing, for one that has never been here.
pub(super) fn usage(connection: &Connection, tenant: &TenantId) -> Result<Usage, StoreError> {
    let select = "SELECT instances, pending, bytes FROM usage WHERE tenant = ?1";
    let row = |row: &rusqlite::Row<'_>| {
        let count = |column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        Ok(Usage { instances: count(0)?, pending_approvals: count(1)?, stored_bytes: count(2)? })
    };
    let found = connection.query_row(select, [tenant.as_str()], row).optional().map_err(classify)?;
    Ok(found.unwrap_or_default())
}
