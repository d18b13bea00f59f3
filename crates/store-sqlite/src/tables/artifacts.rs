//! The artifacts that are needed, and their holders: each counts once per tenant while it has a holder.
//!
//! ```text
//!   holder   > 0: the row of an instance that has acted with it, until the instance is deleted
//!            < 0: the place of a deployment, while its resource serves it
//! ```

use crate::sql::{cell, every, one, run};
use receipt::Digest;
use rusqlite::{Connection, params};
use store::StoreError;
use workflow::TenantId;

/// Holds an artifact. Returns the bytes that the tenant keeps in addition: 0 if the tenant already holds the artifact.
pub(crate) fn hold(
    db: &Connection,
    tenant: &TenantId,
    (sha256, bytes): (&Digest, u64),
    holder: i64,
) -> Result<i64, StoreError> {
    const HOLD: &str =
        "INSERT OR IGNORE INTO artifacts (sha256, tenant, holder, bytes) VALUES (?1, ?2, ?3, ?4)";
    let (sha256, bytes) = (sha256.to_string(), i64::try_from(bytes).unwrap_or(i64::MAX));
    let is_new = !is_held_by(db, tenant, &sha256)?;
    run(db, HOLD, params![sha256, tenant.as_str(), holder, bytes])?;
    Ok(if is_new { bytes } else { 0 })
}

/// Removes all holds of this holder. Returns the bytes that its tenant no longer keeps.
pub(crate) fn let_go(db: &Connection, tenant: &TenantId, holder: i64) -> Result<i64, StoreError> {
    const LET_GO: &str = "DELETE FROM artifacts WHERE holder = ?1 RETURNING sha256, bytes";
    let held = every(db, LET_GO, [holder], |row| Ok((cell::<String>(row, 0)?, cell::<i64>(row, 1)?)))?;
    let mut freed = 0_i64;
    for (sha256, bytes) in held {
        if !is_held_by(db, tenant, &sha256)? {
            freed = freed.saturating_add(bytes);
        }
    }
    Ok(freed)
}

/// Whether it has a holder in any tenant.
pub(crate) fn is_held(db: &Connection, digest: &Digest) -> Result<bool, StoreError> {
    const HELD: &str = "SELECT 1 FROM artifacts WHERE sha256 = ?1 LIMIT 1";
    Ok(one(db, HELD, [digest.to_string()], |_| Ok(()))?.is_some())
}

fn is_held_by(db: &Connection, tenant: &TenantId, sha256: &str) -> Result<bool, StoreError> {
    const HELD: &str = "SELECT 1 FROM artifacts WHERE sha256 = ?1 AND tenant = ?2 LIMIT 1";
    Ok(one(db, HELD, [sha256, tenant.as_str()], |_| Ok(()))?.is_some())
}
