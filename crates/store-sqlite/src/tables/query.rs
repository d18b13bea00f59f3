//! Queries over the committed state.

use crate::sql::{cell, cell_0, damaged, every, key_at, one};
use crate::tables::deletions;
use receipt::{Digest, Timestamp};
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use store::{InstanceKey, ReceiptPage, ReceiptState, RecordedReceipt, StoreError, StoredReceipt};
use workflow::{ReceiptId, RequestId, TenantId};

pub(crate) fn instances(db: &Connection) -> Result<Vec<InstanceKey>, StoreError> {
    every(db, "SELECT tenant, instance FROM instances ORDER BY id", [], |row| key_at(row, 0))
}

pub(crate) fn component(db: &Connection, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
    one(db, "SELECT bytes FROM components WHERE digest = ?1", [digest.to_string()], |row| cell(row, 0))
}

/// A component that has other bytes than its digest says.
pub(crate) fn other_bytes(digest: &Digest) -> StoreError {
    StoreError::Damaged(format!("component {digest} has other bytes than it was stored with"))
}

pub(crate) fn receipt(db: &Connection, id: &ReceiptId) -> Result<Option<RecordedReceipt>, StoreError> {
    let body = one(db, "SELECT body FROM receipts WHERE id = ?1", [id.as_str()], cell_0::<String>)?;
    body.map(|body| Ok(RecordedReceipt { receipt: from_json(&body)?, state: receipt_state(db, id)? }))
        .transpose()
}

pub(crate) fn receipt_of(db: &Connection, request: &RequestId) -> Result<Option<StoredReceipt>, StoreError> {
    let body = one(db, "SELECT body FROM receipts WHERE request = ?1", [request.as_str()], cell_0::<String>)?;
    body.map(|body| from_json(&body)).transpose()
}

/// A revocation is stored with the revoked receipt, and has its own id.
pub(crate) fn revocation(db: &Connection, id: &ReceiptId) -> Result<Option<StoredReceipt>, StoreError> {
    const SELECT: &str = "SELECT body FROM revocations WHERE json_extract(body, '$.id') = ?1";
    let body = one(db, SELECT, [id.as_str()], cell_0::<String>)?;
    body.map(|body| from_json(&body)).transpose()
}

/// A receipt's state; the initial state, if there is no such receipt.
pub(crate) fn receipt_state(db: &Connection, id: &ReceiptId) -> Result<ReceiptState, StoreError> {
    const SELECT: &str = "SELECT s.at, s.seq, a.body, v.at, v.body FROM (SELECT ?1 AS id) r
        LEFT JOIN redemptions s ON s.receipt = r.id LEFT JOIN attestations a ON a.receipt = r.id
        LEFT JOIN revocations v ON v.receipt = r.id";
    let at = |row: &Row<'_>, column| cell(row, column).map(|at: Option<i64>| at.map(Timestamp::from_millis));
    let receipt_state = one(db, SELECT, [id.as_str()], |row| {
        Ok(ReceiptState {
            redeemed: at(row, 0)?.zip(cell::<Option<i64>>(row, 1)?.map(i64::unsigned_abs)),
            attestation: cell(row, 2)?,
            revoked: at(row, 3)?.zip(cell(row, 4)?),
        })
    })?;
    Ok(receipt_state.unwrap_or_default())
}

/// A page of receipts. With a tenant, the query reads no other tenant's rows.
pub(crate) fn receipts(db: &Connection, page: &ReceiptPage) -> Result<Vec<ReceiptId>, StoreError> {
    macro_rules! select {
        ($whose:literal, $which:literal) => {
            concat!("SELECT id FROM receipts WHERE ", $whose, " AND seq ", $which, " LIMIT ?3")
        };
    }
    macro_rules! oldest_first {
        ($whose:literal) => {
            select!($whose, "> coalesce((SELECT seq FROM receipts WHERE id = ?2), 0) ORDER BY seq")
        };
    }
    macro_rules! newest_first {
        ($whose:literal) => {
            select!(
                $whose,
                "< coalesce((SELECT seq FROM receipts WHERE id = ?2), 9223372036854775807) ORDER BY seq DESC"
            )
        };
    }
    let ReceiptPage { tenant, after, newest_first, limit } = page;
    let select = match (tenant.is_some(), newest_first) {
        (false, false) => oldest_first!("?1 IS NULL"),
        (false, true) => newest_first!("?1 IS NULL"),
        (true, false) => oldest_first!("tenant = ?1"),
        (true, true) => newest_first!("tenant = ?1"),
    };
    let (tenant, after) = (tenant.as_ref().map(TenantId::as_str), after.as_ref().map(ReceiptId::as_str));
    every(db, select, params![tenant, after, limit], |row| cell::<String>(row, 0)?.parse().map_err(damaged))
}

/// Times never run backwards in here, so the last entry has the latest, or the last deletion.
pub(crate) fn latest(db: &Connection) -> Result<Option<Timestamp>, StoreError> {
    const LAST: &str = "SELECT at FROM entries ORDER BY seq DESC LIMIT 1";
    let last = one(db, LAST, [], |row| cell(row, 0).map(Timestamp::from_millis))?;
    Ok(last.max(deletions::mark(db)?.map(|mark| mark.at)))
}

pub(crate) fn output(db: &Connection, key: &InstanceKey) -> Result<String, StoreError> {
    let row = instance_row(db, key)?;
    let text = one(db, "SELECT text FROM outputs WHERE instance = ?1", [row], |row| cell(row, 0))?;
    Ok(text.unwrap_or_default())
}

pub(crate) fn instance_row(db: &Connection, key: &InstanceKey) -> Result<i64, StoreError> {
    const SELECT: &str = "SELECT id FROM instances WHERE tenant = ?1 AND instance = ?2";
    let found = one(db, SELECT, [key.tenant.as_str(), key.instance.as_str()], |row| cell(row, 0))?;
    found.ok_or_else(|| StoreError::NoInstance(key.to_string()))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(damaged)
}
