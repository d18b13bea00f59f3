//! What is asked of requests and receipts by those who decide: acts of operators, what was asked before, what was taken back.

use crate::query::fate;
use crate::requests;
use crate::requests::requests;
use crate::sql::run;
use crate::sql::{cell, cell_0, damaged, every, one};
use receipt::{Digest, Timestamp};
use rusqlite::{Connection, params};
use serde_json::Value;
use store::AskHistory;
use store::RecordedAct;
use store::RequestFilter;
use store::{InstanceKey, StoreError};
use workflow::{Entry, ReceiptId, RequestId, TenantId};

/// Adds an act, if nothing was added since its writer looked. Its place is the next.
pub(crate) fn add_act(db: &Connection, seen: u64, at: Timestamp, body: &str) -> Result<(), StoreError> {
    check_acts(db, seen)?;
    run(db, "INSERT INTO acts (at, body) VALUES (?1, ?2)", params![at.as_millis(), body])
}

/// Refuses to go on with what somebody has meanwhile added to.
pub(crate) fn check_acts(db: &Connection, seen: u64) -> Result<(), StoreError> {
    match last_act(db)? == seen {
        true => Ok(()),
        false => Err(StoreError::ActsMoved),
    }
}

/// The place of the last act; 0 where there is none.
pub(crate) fn last_act(db: &Connection) -> Result<u64, StoreError> {
    let last: Option<i64> = one(db, "SELECT coalesce(max(seq), 0) FROM acts", [], cell_0)?;
    Ok(last.unwrap_or(0).unsigned_abs())
}

pub(crate) fn acts(db: &Connection, after: u64) -> Result<Vec<RecordedAct>, StoreError> {
    let select = "SELECT seq, at, body FROM acts WHERE seq > ?1 ORDER BY seq";
    every(db, select, [after.cast_signed()], |row| {
        let (seq, at) = (cell::<i64>(row, 0)?.unsigned_abs(), Timestamp::from_millis(cell(row, 1)?));
        Ok(RecordedAct { seq, at, body: cell(row, 2)? })
    })
}

/// How the id of a key begins that signs decisions for show.
const DEMO: &str = "pp_demo_";

/// Records how a request ended, and what was approved with it.
pub(crate) fn settle(db: &Connection, entry: &Entry) -> Result<(), StoreError> {
    let (request, outcome) = match entry {
        Entry::Issued { request, decision, .. } => (request, decision.as_str()),
        Entry::Lapsed { request } => (request, "LAPSED"),
        Entry::Withdrawn { request, .. } => (request, "WITHDRAWN"),
        _ => return Ok(()),
    };
    run(db, "UPDATE requests SET outcome = ?2 WHERE id = ?1", [request.as_str(), outcome])?;
    match (outcome, entry) {
        ("DENIED", _) => deny(db, request),
        // What was approved for show is not known.
        ("APPROVED", Entry::Issued { key_id, .. }) if !key_id.starts_with(DEMO) => know(db, request),
        _ => Ok(()),
    }
}

/// Counts a denial of what a request is for.
fn deny(db: &Connection, request: &RequestId) -> Result<(), StoreError> {
    const DENY: &str = "UPDATE subjects SET denied = denied + 1 WHERE tenant = ?1 AND subject = ?2";
    let Some((key, request)) = members(db, request)? else { return Ok(()) };
    let word = |member: &str| request[member].as_str().unwrap_or_default().to_owned();
    run(db, DENY, [key.tenant.as_str(), &format!("{} {}", word("capability"), word("resource"))])
}

/// Remembers what was approved.
fn know(db: &Connection, request: &RequestId) -> Result<(), StoreError> {
    const KNOW: &str = "INSERT OR IGNORE INTO known VALUES (?1, ?2)";
    let Some((key, request)) = members(db, request)? else { return Ok(()) };
    let digests = [&request["component"], &request["artifact"]["sha256"]];
    digests
        .into_iter()
        .filter_map(Value::as_str)
        .try_for_each(|digest| run(db, KNOW, [key.tenant.as_str(), digest]))
}

fn members(db: &Connection, request: &RequestId) -> Result<Option<(InstanceKey, Value)>, StoreError> {
    let found = requests::request(db, request)?;
    found.map(|(key, body)| Ok((key, serde_json::from_str(&body).map_err(damaged)?))).transpose()
}

pub(crate) fn asked(
    db: &Connection,
    tenant: &TenantId,
    capability: &str,
    resource: &str,
) -> Result<AskHistory, StoreError> {
    let select = "SELECT times, denied FROM subjects WHERE tenant = ?1 AND subject = ?2";
    let subject = format!("{capability} {resource}");
    let found = one(db, select, [tenant.as_str(), &subject], |row| {
        let count = |column| cell::<i64>(row, column).map(i64::unsigned_abs);
        Ok(AskHistory { times: count(0)?, denied: count(1)? })
    })?;
    Ok(found.unwrap_or_default())
}

/// Counts a request for that, made then.
pub(crate) fn count(
    db: &Connection,
    tenant: &TenantId,
    subject: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SUBJECT: &str =
        "INSERT INTO subjects VALUES (?1, ?2, 1, 0) ON CONFLICT DO UPDATE SET times = times + 1";
    const MINUTE: &str = "INSERT INTO rates VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET times = times + 1";
    const LONG_AGO: &str = "DELETE FROM rates WHERE tenant = ?1 AND minute < ?2 - 24 * 60";
    run(db, SUBJECT, [tenant.as_str(), subject])?;
    run(db, MINUTE, params![tenant.as_str(), minute(at)])?;
    run(db, LONG_AGO, params![tenant.as_str(), minute(at)])
}

/// How many requests a tenant has made since the beginning of that minute. Costs a row a minute.
pub(crate) fn asked_since(db: &Connection, tenant: &TenantId, since: Timestamp) -> Result<u64, StoreError> {
    let select = "SELECT coalesce(sum(times), 0) FROM rates WHERE tenant = ?1 AND minute >= ?2";
    let found = one(db, select, params![tenant.as_str(), minute(since)], cell_0::<i64>)?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

fn minute(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(60_000)
}

pub(crate) fn is_known(db: &Connection, tenant: &TenantId, digest: &Digest) -> Result<bool, StoreError> {
    let select = "SELECT 1 FROM known WHERE tenant = ?1 AND digest = ?2";
    Ok(one(db, select, [tenant.as_str(), &digest.to_string()], cell_0::<i64>)?.is_some())
}

/// Requests as JSON text with whose they are, and how each ended: those that wait, or all, oldest first.
pub(crate) fn requests(
    db: &Connection,
    which: RequestFilter,
) -> Result<Vec<(InstanceKey, String, Option<String>)>, StoreError> {
    const WAITING: &str = requests!("WHERE r.open = 1 ORDER BY r.seq");
    const ALL: &str = requests!("ORDER BY r.seq");
    let select = match which {
        RequestFilter::Waiting => WAITING,
        RequestFilter::All => ALL,
    };
    every(db, select, [], |row| requests::read(db, row))
}

/// Takes a receipt back, unless it is spent or was taken back before.
pub(crate) fn revoke(
    db: &Connection,
    receipt: &ReceiptId,
    at: Timestamp,
    body: &str,
) -> Result<(), StoreError> {
    let fate = fate(db, receipt)?;
    match (fate.redeemed, fate.revoked) {
        (Some(_), _) => Err(StoreError::Spent(receipt.clone())),
        (_, Some(_)) => Err(StoreError::Revoked(receipt.clone())),
        (None, None) => {
            let insert = "INSERT INTO revocations VALUES (?1, ?2, ?3)";
            run(db, insert, params![receipt.as_str(), at.as_millis(), body])
        }
    }
}
