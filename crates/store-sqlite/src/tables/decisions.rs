//! The tables behind decisions: earlier requests for the same action, precedents, revocations.

use crate::sql::{cell, cell_0, damaged, every, one, run};
use crate::tables::query::receipt_state;
use crate::tables::requests;
use crate::tables::requests::requests;
use receipt::{Digest, Timestamp};
use rusqlite::{Connection, Row, params};
use serde_json::Value;
use store::{
    AskHistory, InstanceKey, Quotas, RATE_WINDOW, RecordedRequest, RequestFilter, SignedBy, StoreError,
};
use workflow::{Entry, ReceiptId, RequestId, TenantId};

/// The receipts that are kept for one digest: the latest of this many sets of people.
const PRECEDENTS: u32 = 16;

/// Records how a request ended, and whose denial or approval that leaves for later.
pub(crate) fn settle(
    db: &Connection,
    (seq, entry): (u64, &Entry),
    tenant: &TenantId,
    signed: Option<&SignedBy>,
) -> Result<(), StoreError> {
    if let (Entry::Redeemed { receipt, .. }, Some(signed)) = (entry, signed) {
        return set_precedent(db, seq, tenant, receipt, signed);
    }
    let (request, outcome) = match entry {
        Entry::Issued { request, decision, .. } => (request, decision.as_str()),
        Entry::Lapsed { request } => (request, "LAPSED"),
        Entry::Withdrawn { request, .. } => (request, "WITHDRAWN"),
        _ => return Ok(()),
    };
    run(db, "UPDATE requests SET outcome = ?2 WHERE id = ?1", [request.as_str(), outcome])?;
    match (outcome, signed) {
        ("DENIED", Some(signed)) => deny(db, request, signed),
        _ => Ok(()),
    }
}

/// Counts a denial of a request's subject.
fn deny(db: &Connection, request: &RequestId, signed: &SignedBy) -> Result<(), StoreError> {
    const DENY: &str =
        "INSERT INTO denials VALUES (?1, ?2, ?3, 1) ON CONFLICT DO UPDATE SET times = times + 1";
    let Some((key, request)) = members(db, request)? else { return Ok(()) };
    let word = |member: &str| request[member].as_str().unwrap_or_default().to_owned();
    let subject = format!("{} {}", word("capability"), word("resource"));
    run(db, DENY, [key.tenant.as_str(), &subject, &signed.keys])
}

/// Records the receipt that makes the approved code and artifact known.
fn set_precedent(
    db: &Connection,
    seq: u64,
    tenant: &TenantId,
    receipt: &ReceiptId,
    signed: &SignedBy,
) -> Result<(), StoreError> {
    const SET: &str = "INSERT INTO precedents VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET seq = excluded.seq, receipt = excluded.receipt";
    signed.digests.iter().try_for_each(|digest| {
        let digest = digest.to_string();
        run(db, SET, params![tenant.as_str(), digest, signed.keys, seq.cast_signed(), receipt.as_str()])
    })
}

fn members(db: &Connection, request: &RequestId) -> Result<Option<(InstanceKey, Value)>, StoreError> {
    let found = requests::request(db, request)?;
    let read = |found: RecordedRequest| Ok((found.key, serde_json::from_str(&found.body).map_err(damaged)?));
    found.map(read).transpose()
}

pub(crate) fn asked(
    db: &Connection,
    tenant: &TenantId,
    capability: &str,
    resource: &str,
) -> Result<AskHistory, StoreError> {
    const TIMES: &str = "SELECT times FROM subjects WHERE tenant = ?1 AND subject = ?2";
    const DENIALS: &str = "SELECT signers, times FROM denials WHERE tenant = ?1 AND subject = ?2";
    let subject = format!("{capability} {resource}");
    let times = one(db, TIMES, [tenant.as_str(), &subject], cell_0::<i64>)?.unwrap_or(0).unsigned_abs();
    let denials = every(db, DENIALS, [tenant.as_str(), &subject], |row| {
        Ok((cell(row, 0)?, cell::<i64>(row, 1)?.unsigned_abs()))
    })?;
    Ok(AskHistory { times, denials })
}

/// Counts a request for that, made then.
pub(crate) fn count(
    db: &Connection,
    tenant: &TenantId,
    subject: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    const SUBJECT: &str =
        "INSERT INTO subjects VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET times = times + 1";
    const MINUTE: &str = "INSERT INTO rates VALUES (?1, ?2, 1) ON CONFLICT DO UPDATE SET times = times + 1";
    const LONG_AGO: &str = "DELETE FROM rates WHERE tenant = ?1 AND minute < ?2 - 24 * 60";
    run(db, SUBJECT, [tenant.as_str(), subject])?;
    run(db, MINUTE, params![tenant.as_str(), minute(at)])?;
    run(db, LONG_AGO, params![tenant.as_str(), minute(at)])
}

/// Refuses another request of a tenant that has reached its hourly quota.
pub(crate) fn check_rate(
    db: &Connection,
    tenant: &TenantId,
    at: Timestamp,
    quotas: &Quotas,
) -> Result<(), StoreError> {
    let window = i64::try_from(RATE_WINDOW.as_millis()).unwrap_or(i64::MAX);
    let since = Timestamp::from_millis(at.as_millis().saturating_sub(window));
    Ok(quotas.check_rate(tenant, asked_since(db, tenant, since)?)?)
}

/// The number of requests that a tenant has made since the beginning of that minute. Reads a row per minute.
pub(crate) fn asked_since(db: &Connection, tenant: &TenantId, since: Timestamp) -> Result<u64, StoreError> {
    let select = "SELECT coalesce(sum(times), 0) FROM rates WHERE tenant = ?1 AND minute >= ?2";
    let found = one(db, select, params![tenant.as_str(), minute(since)], cell_0::<i64>)?;
    Ok(found.unwrap_or(0).unsigned_abs())
}

fn minute(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(60_000)
}

/// The receipts that may make each of these digests known, the latest first.
pub(crate) fn precedents(
    db: &Connection,
    tenant: &TenantId,
    digests: &[Digest],
) -> Result<Vec<(Digest, ReceiptId)>, StoreError> {
    const SELECT: &str =
        "SELECT receipt FROM precedents WHERE tenant = ?1 AND digest = ?2 ORDER BY seq DESC LIMIT ?3";
    let mut found = Vec::new();
    for digest in digests {
        let of_one = every(db, SELECT, params![tenant.as_str(), digest.to_string(), PRECEDENTS], |row| {
            Ok((*digest, cell::<String>(row, 0)?.parse().map_err(damaged)?))
        });
        found.extend(of_one?);
    }
    Ok(found)
}

/// Requests as JSON text with their instances and outcomes: those that wait, or all, oldest first.
pub(crate) fn requests(db: &Connection, which: RequestFilter) -> Result<Vec<RecordedRequest>, StoreError> {
    const WAITING: &str = requests!("WHERE r.open = 1 ORDER BY r.seq");
    const ALL: &str = requests!("ORDER BY r.seq");
    const BEFORE: &str = requests!(
        "WHERE ?1 IS NULL OR r.seq < (SELECT b.seq FROM requests b WHERE b.id = ?1) ORDER BY r.seq DESC LIMIT ?2"
    );
    let read = |row: &Row<'_>| requests::read(db, row);
    match which {
        RequestFilter::Waiting => every(db, WAITING, [], |row| requests::read_for_list(db, row)),
        RequestFilter::All => every(db, ALL, [], read),
        RequestFilter::Before(id, limit) => {
            every(db, BEFORE, params![id.as_ref().map(RequestId::as_str), limit], read)
        }
    }
}

/// Revokes a receipt, unless it is spent or already revoked.
pub(crate) fn revoke(
    db: &Connection,
    receipt: &ReceiptId,
    at: Timestamp,
    body: &str,
) -> Result<(), StoreError> {
    let receipt_state = receipt_state(db, receipt)?;
    match (receipt_state.redeemed, receipt_state.revoked) {
        (Some(_), _) => Err(StoreError::AlreadyRedeemed(receipt.clone())),
        (_, Some(_)) => Err(StoreError::Revoked(receipt.clone())),
        (None, None) => {
            let insert = "INSERT INTO revocations VALUES (?1, ?2, ?3)";
            run(db, insert, params![receipt.as_str(), at.as_millis(), body])
        }
    }
}
