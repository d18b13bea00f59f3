//! Everything that a journal's file keeps, row by row, for another database.

use crate::file::{open, wal};
use crate::journal;
use crate::sql::{cell, damaged, each, every, key_at, one, run};
use crate::tables::requests::requests;
use crate::tables::{acts, deletions, deployments, query, requests, schedule, usage};
use receipt::{Digest, Timestamp};
use rusqlite::{Connection, Row};
use serde_json::Value;
use std::collections::HashMap;
use std::str::FromStr;
use store::{
    AuditDigest, DataFolder, DeploymentFilter, DeploymentPage, MovedEntries, MovedHolder, MovedInstance,
    MovedPrecedent, MovedReceipt, MovedRequest, ScheduleRow, StoreError, TakeRow, TransferRow, UsageChange,
};
use workflow::TenantId;

/// Passes everything in the folder's journal to `take`, as it is at one moment, without changing the journal. Returns
/// the digest of its audit. Damage ends the export.
///
/// # Errors
/// When something in it is damaged, or a row is not taken.
pub fn export(folder: &DataFolder, take: TakeRow<'_>) -> Result<Digest, StoreError> {
    let path = folder.journal();
    wal::check(&path)?;
    let db = open::read(&path)?;
    let verdict = one(&db, "PRAGMA quick_check(1)", [], |row| cell::<String>(row, 0))?;
    match verdict.as_deref() {
        Some("ok") => {}
        other => return Err(StoreError::Damaged(other.unwrap_or("the journal's file").to_owned())),
    }
    run(&db, "BEGIN", [])?;
    let digest = entries_and_instances(&db, take)?;
    decisions(&db, take)?;
    counts(&db, take)?;
    actions(&db, take)?;
    components(&db, take)?;
    let last = journal::last(&db)?.max(deletions::mark(&db)?.map_or(0, |mark| mark.seq.unsigned_abs()));
    take(TransferRow::LastPlace(last))?;
    Ok(digest)
}

/// The part of an instance's journal that has been exported.
#[derive(Default, Clone, Copy)]
struct End {
    entries: u64,
    at: i64,
    last: i64,
}

fn entries_and_instances(db: &Connection, take: TakeRow<'_>) -> Result<Digest, StoreError> {
    let (mut ends, mut audit) = (HashMap::<i64, End>::new(), AuditDigest::default());
    each(db, journal::EVERY, [], |row| {
        let (key, instance) = (key_at(row, 10)?, cell::<i64>(row, 1)?);
        let (texts, facts) = journal::texts_and_facts(row, &key)?;
        let end = ends.entry(instance).or_default();
        journal::follows(end.entries, &facts, &key)?;
        facts.iter().try_for_each(|fact| audit.add(fact))?;
        let (seq, index, at) =
            facts.first().map(|fact| (fact.seq, fact.index, fact.at)).ok_or_else(|| damaged("no entries"))?;
        end.entries += texts.len() as u64;
        (end.at, end.last) = (end.at.max(at.as_millis()), seq.cast_signed());
        take(TransferRow::Entries(MovedEntries { instance, key, seq, index, at, texts }))
    })?;
    const INSTANCES: &str =
        "SELECT i.tenant, i.instance, i.id, i.state, i.due, i.since, i.last, o.text FROM instances i
        LEFT JOIN outputs o ON o.instance = i.id ORDER BY i.id";
    each(db, INSTANCES, [], |row| {
        let (key, number) = (key_at(row, 0)?, cell::<i64>(row, 2)?);
        let end = ends.get(&number).copied().unwrap_or_default();
        // The row says which its last entries were when it was last written; there may be later ones.
        let last = cell::<Option<i64>>(row, 6)?.filter(|last| *last > end.last);
        last.map_or(Ok(()), |last| Err(journal::missing(&key, last)))?;
        let due = cell::<Option<i64>>(row, 4)?.map(Timestamp::from_millis);
        let since = Timestamp::from_millis(cell(row, 5)?);
        let schedule = ScheduleRow { state: schedule::of_number(cell(row, 3)?)?, due };
        let output = cell::<Option<String>>(row, 7)?.unwrap_or_default();
        let (entries, at) = (end.entries, Timestamp::from_millis(end.at));
        take(TransferRow::Instance(MovedInstance { number, key, entries, at, schedule, since, output }))
    })?;
    Ok(audit.finish())
}

/// Requests, receipts, and operators' acts.
fn decisions(db: &Connection, take: TakeRow<'_>) -> Result<(), StoreError> {
    const NAMES: &str = "SELECT r.id, r.open, r.instance, r.seq FROM requests r ORDER BY r.seq";
    const REQUEST: &str = requests!("WHERE r.id = ?1");
    each(db, NAMES, [], |row| {
        let id = named::<String>(row, 0)?;
        let found = one(db, REQUEST, [&id], |row| requests::read(db, row))?;
        let found = found.ok_or_else(|| damaged(format!("request {id} is of no instance")))?;
        let members: Value = serde_json::from_str(&found.body).map_err(damaged)?;
        let word = |member: &str| members[member].as_str().unwrap_or_default();
        take(TransferRow::Request(MovedRequest {
            id: named(row, 0)?,
            instance: cell(row, 2)?,
            tenant: found.key.tenant,
            seq: cell(row, 3)?,
            subject: format!("{} {}", word("capability"), word("resource")),
            is_open: cell::<i64>(row, 1)? != 0,
            outcome: found.outcome,
            body: found.body,
            sent: found.sent,
        }))
    })?;
    each(db, "SELECT seq, id, request, body FROM receipts ORDER BY seq", [], |row| {
        let (id, request, body) = (named(row, 1)?, named(row, 2)?, cell::<String>(row, 3)?);
        let seq = cell::<i64>(row, 0)?.unsigned_abs();
        let receipt = serde_json::from_str::<store::StoredReceipt>(&body)
            .map_err(|error| damaged(format!("receipt {seq} cannot be read: {error}")))?;
        take(TransferRow::Receipt(MovedReceipt { seq, id, request, tenant: receipt.company_id, body }))
    })?;
    const RECEIPT_STATES: &str = "SELECT receipt FROM redemptions UNION SELECT receipt FROM attestations UNION SELECT receipt FROM revocations";
    each(db, RECEIPT_STATES, [], |row| {
        let id = named(row, 0)?;
        let receipt_state = query::receipt_state(db, &id)?;
        take(TransferRow::ReceiptState(id, receipt_state))
    })?;
    each(db, "SELECT tenant, digest, signers, seq, receipt FROM precedents", [], |row| {
        let (tenant, digest, receipt) = (named(row, 0)?, named(row, 1)?, named(row, 4)?);
        let (signers, seq) = (cell(row, 2)?, cell::<i64>(row, 3)?.unsigned_abs());
        take(TransferRow::Precedent(MovedPrecedent { tenant, digest, signers, seq, receipt }))
    })?;
    acts::after(db, 0)?.into_iter().try_for_each(|act| take(TransferRow::Act(act)))
}

/// The counts of each tenant.
fn counts(db: &Connection, take: TakeRow<'_>) -> Result<(), StoreError> {
    let number = |row: &Row<'_>, column| cell::<i64>(row, column).map(i64::unsigned_abs);
    each(db, "SELECT tenant, subject, times FROM subjects", [], |row| {
        take(TransferRow::Subject(named(row, 0)?, cell(row, 1)?, number(row, 2)?))
    })?;
    each(db, "SELECT tenant, subject, signers, times FROM denials", [], |row| {
        take(TransferRow::Denial(named(row, 0)?, cell(row, 1)?, cell(row, 2)?, number(row, 3)?))
    })?;
    each(db, "SELECT tenant, minute, times FROM rates", [], |row| {
        take(TransferRow::Rate(named(row, 0)?, cell(row, 1)?, number(row, 2)?))
    })?;
    each(db, "SELECT tenant, component, instances FROM holdings", [], |row| {
        take(TransferRow::Holding(named(row, 0)?, named(row, 1)?, number(row, 2)?))
    })?;
    let tenants = every(db, "SELECT tenant FROM usage UNION SELECT tenant FROM instances", [], |row| {
        named::<TenantId>(row, 0)
    })?;
    tenants.into_iter().try_for_each(|tenant| {
        // Entries that no row counts yet are counted separately.
        let bytes = journal::heads::bytes(db, &tenant)?;
        let kept = UsageChange { bytes, ..UsageChange::default() }.on(usage::usage(db, &tenant)?);
        take(TransferRow::Usage(tenant, kept))
    })
}

/// Deployments, the artifacts with a holder, and deletions.
fn actions(db: &Connection, take: TakeRow<'_>) -> Result<(), StoreError> {
    let all = DeploymentPage { after: 0, limit: u32::MAX, filter: DeploymentFilter::All };
    deployments::list(db, &all)?.into_iter().try_for_each(|row| take(TransferRow::Deployment(row)))?;
    each(db, "SELECT tenant, sha256, bytes, holder FROM artifacts", [], |row| {
        let (tenant, sha256) = (named(row, 0)?, named(row, 1)?);
        let (bytes, holder) = (cell::<i64>(row, 2)?.unsigned_abs(), cell(row, 3)?);
        take(TransferRow::Holder(MovedHolder { tenant, sha256, bytes, holder }))
    })?;
    deletions::from(db, None, Timestamp::from_millis(0), u32::MAX)?
        .into_iter()
        .try_for_each(|deleted| take(TransferRow::Deletion(deleted)))
}

fn components(db: &Connection, take: TakeRow<'_>) -> Result<(), StoreError> {
    each(db, "SELECT digest, bytes FROM components", [], |row| {
        let (digest, bytes) = (named::<Digest>(row, 0)?, cell::<Vec<u8>>(row, 1)?);
        match Digest::of(&bytes) == digest {
            true => take(TransferRow::Component(digest, bytes)),
            false => Err(query::other_bytes(&digest)),
        }
    })
}

fn named<T: FromStr<Err: std::fmt::Display>>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    cell::<String>(row, column)?.parse().map_err(damaged)
}
