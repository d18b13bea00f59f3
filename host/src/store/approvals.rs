//! What is asked of requests and receipts by those who decide: acts of operators, what was asked before, what was taken back.

use crate::store::InstanceKey;
use crate::store::StoreError;
use crate::store::sqlite::classify;
use crate::store::sqlite::is_constraint;
use crate::store::sqlite::parse_key;
use receipt::Digest;
use receipt::Timestamp;
use rusqlite::Connection;
use rusqlite::OptionalExtension as _;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;
use workflow::Entry;
use workflow::ReceiptId;
use workflow::TenantId;

/// What an operator said, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAct {
    /// Its place among all acts. Later is larger.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What, as JSON text.
    pub body: String,
}

/// How requests for one thing have fared before, in one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Asked {
    /// How often it was asked for.
    pub times: u64,
    /// How often that was denied.
    pub denied: u64,
}

/// What a request is found by: what is asked for, and to what.
pub(super) fn subject(capability: &str, resource: &str) -> String {
    format!("{capability} {resource}")
}

/// Adds an act, if nothing was added since its writer looked.
pub(super) fn add_act(tx: &Transaction<'_>, seen: u64, at: Timestamp, body: &str) -> Result<u64, StoreError> {
    check_acts(tx, seen)?;
    let insert = "INSERT INTO acts (at, body) VALUES (?1, ?2)";
    tx.execute(insert, params![at.as_millis(), body]).map_err(classify)?;
    Ok(tx.last_insert_rowid().unsigned_abs())
}

/// Refuses to go on with what somebody has meanwhile added to.
pub(super) fn check_acts(connection: &Connection, seen: u64) -> Result<(), StoreError> {
    match last_act(connection)? == seen {
        true => Ok(()),
        false => Err(StoreError::ActsMoved),
    }
}

/// The last act's place; 0 where there is none.
pub(super) fn last_act(connection: &Connection) -> Result<u64, StoreError> {
    let select = "SELECT coalesce(max(seq), 0) FROM acts";
    connection.query_row(select, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs).map_err(classify)
}

pub(super) fn acts(connection: &Connection, after: u64) -> Result<Vec<RecordedAct>, StoreError> {
    let select = "SELECT seq, at, body FROM acts WHERE seq > ?1 ORDER BY seq";
    let mut statement = connection.prepare_cached(select).map_err(classify)?;
    let act = |row: &Row<'_>| {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(RecordedAct { seq: seq.unsigned_abs(), at: Timestamp::from_millis(at), body: row.get(2)? })
    };
    let rows = statement.query_map([after.cast_signed()], act).map_err(classify)?;
    rows.map(|row| row.map_err(classify)).collect()
}

/// Records how a request ended, and what was approved with it.
pub(super) fn settle(tx: &Transaction<'_>, entry: &Entry) -> Result<(), StoreError> {
    let (request, outcome) = match entry {
        Entry::Issued { request, decision, .. } => (request, decision.as_str()),
        Entry::Lapsed { request } => (request, "LAPSED"),
        Entry::Withdrawn { request, .. } => (request, "WITHDRAWN"),
        _ => return Ok(()),
    };
    let update = "UPDATE requests SET outcome = ?2 WHERE id = ?1";
    tx.execute(update, [request.as_str(), outcome]).map_err(classify)?;
    let know = "INSERT OR IGNORE INTO known
        SELECT tenant, body ->> 'component' FROM requests WHERE id = ?1 AND outcome = 'APPROVED'
        UNION ALL SELECT tenant, body -> 'artifact' ->> 'sha256' FROM requests
            WHERE id = ?1 AND outcome = 'APPROVED' AND body -> 'artifact' ->> 'sha256' IS NOT NULL";
    tx.execute(know, [request.as_str()]).map(drop).map_err(classify)
}

pub(super) fn asked(
    connection: &Connection,
    tenant: &TenantId,
    capability: &str,
    resource: &str,
) -> Result<Asked, StoreError> {
    let select = "SELECT count(*), count(*) FILTER (WHERE outcome = 'DENIED') FROM requests WHERE tenant = ?1 AND subject = ?2";
    let row = |row: &Row<'_>| {
        let (times, denied): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Asked { times: times.unsigned_abs(), denied: denied.unsigned_abs() })
    };
    let subject = subject(capability, resource);
    connection.query_row(select, [tenant.as_str(), &subject], row).map_err(classify)
}

pub(super) fn asked_since(
    connection: &Connection,
    tenant: &TenantId,
    since: Timestamp,
) -> Result<u64, StoreError> {
    let select = "SELECT count(*) FROM requests WHERE tenant = ?1 AND at > ?2";
    let values = params![tenant.as_str(), since.as_millis()];
    connection.query_row(select, values, |row| row.get::<_, i64>(0)).map(i64::unsigned_abs).map_err(classify)
}

pub(super) fn is_known(
    connection: &Connection,
    tenant: &TenantId,
    digest: &Digest,
) -> Result<bool, StoreError> {
    let select = "SELECT 1 FROM known WHERE tenant = ?1 AND digest = ?2";
    let found = connection.query_row(select, [tenant.as_str(), &digest.to_string()], |_| Ok(())).optional();
    Ok(found.map_err(classify)?.is_some())
}

/// Requests as JSON text with whose they are, and how each ended: those that wait, or all, oldest first.
pub(super) fn requests(
    connection: &Connection,
    which: Requests,
) -> Result<Vec<(InstanceKey, String, Option<String>)>, StoreError> {
    let of = match which {
        Requests::Waiting => "WHERE r.open = 1",
        Requests::All => "",
    };
    let select = format!(
        "SELECT i.tenant, i.instance, r.body, r.outcome FROM requests r JOIN instances i ON i.id = r.instance {of} ORDER BY r.at, r.id"
    );
    let mut statement = connection.prepare(&select).map_err(classify)?;
    let row =
        |row: &Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get(3)?));
    let rows = statement.query_map([], row).map_err(classify)?;
    rows.map(|row| {
        let (tenant, instance, body, outcome) = row.map_err(classify)?;
        Ok((parse_key(tenant, instance)?, body, outcome))
    })
    .collect()
}

/// Which requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    /// Those that wait for a decision.
    Waiting,
    /// All that there ever were.
    All,
}

/// Takes a receipt back, unless it is spent or was taken back before.
pub(super) fn revoke(
    tx: &Transaction<'_>,
    receipt: &ReceiptId,
    at: Timestamp,
    body: &str,
) -> Result<(), StoreError> {
    let select = "SELECT 1 FROM redemptions WHERE receipt = ?1";
    let spent = tx.query_row(select, [receipt.as_str()], |_| Ok(())).optional().map_err(classify)?;
    if spent.is_some() {
        return Err(StoreError::Spent(receipt.clone()));
    }
    let insert = "INSERT INTO revocations VALUES (?1, ?2, ?3)";
    tx.execute(insert, params![receipt.as_str(), at.as_millis(), body]).map(drop).map_err(|error| {
        match is_constraint(&error) {
            true => StoreError::Revoked(receipt.clone()),
            false => classify(error),
        }
    })
}

/// When a receipt was taken back, and the signed revocation as JSON text.
pub(super) fn revocation(
    connection: &Connection,
    receipt: &ReceiptId,
) -> Result<Option<(Timestamp, String)>, StoreError> {
    let select = "SELECT at, body FROM revocations WHERE receipt = ?1";
    let row = |row: &Row<'_>| Ok((Timestamp::from_millis(row.get(0)?), row.get(1)?));
    connection.query_row(select, [receipt.as_str()], row).optional().map_err(classify)
}
