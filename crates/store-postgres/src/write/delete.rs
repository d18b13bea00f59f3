//! Deleting an ended instance, in a transaction of its own: its entries and output are deleted, signed records are
//! kept.

use crate::error::DatabaseError;
use crate::session::connection::{Call, Connection, values};
use crate::write::load::{FIRST_STRIPES, usage};
use crate::write::record::Deletion;
use crate::write::usage_stripes::signed;
use store::{StoreError, UsageChange};

const INSTANCE: &str =
    "SELECT id, next, ended, state, since FROM instances WHERE tenant = $1 AND instance = $2 FOR UPDATE";
// All stripes are locked: the statements below count users over all stripes.
const LOCK_STRIPES: &str =
    "SELECT instances, pending, bytes FROM usage_parts WHERE tenant = $1 ORDER BY part FOR UPDATE";
const TENANT: &str = "SELECT sum(instances)::bigint, sum(pending)::bigint, sum(bytes)::bigint FROM usage_parts WHERE tenant = $1";
const PRINTED: &str = "SELECT octet_length(text)::bigint FROM outputs WHERE instance = $1";
// Of the stripe that is decreased, the count does not become negative. The sum is that before the change.
const LET_GO: &str = "UPDATE holdings SET instances = instances - 1 WHERE tenant = $1 AND component = $2
        AND part = (SELECT min(part) FROM holdings WHERE tenant = $1 AND component = $2 AND instances > 0)
    RETURNING (SELECT sum(instances)::bigint FROM holdings WHERE tenant = $1 AND component = $2) - 1";
const NOT_HELD: &str = "DELETE FROM holdings WHERE tenant = $1 AND component = $2 AND instances <= 0";
// The row is locked before the next statement searches for holdings: a transaction that adds a holding locks the component first.
const COMPONENT: &str = "SELECT size FROM components WHERE digest = $1 FOR UPDATE";
const NO_COMPONENT: &str =
    "DELETE FROM components WHERE digest = $1 AND NOT EXISTS (SELECT 1 FROM holdings WHERE component = $1)";
const ARTIFACTS: &str = "WITH gone AS (DELETE FROM artifact_holders WHERE holder = $1 RETURNING sha256),
    parts AS (SELECT a.sha256, min(a.part) FILTER (WHERE a.holders > 0) AS part, sum(a.holders)::bigint AS holders
        FROM artifacts a JOIN gone USING (sha256) WHERE a.tenant = $2 GROUP BY a.sha256)
    UPDATE artifacts a SET holders = a.holders - 1 FROM parts WHERE a.tenant = $2 AND a.sha256 = parts.sha256 AND a.part = parts.part
    RETURNING a.bytes, parts.holders - 1";
const NO_ARTIFACTS: &str = "DELETE FROM artifacts WHERE tenant = $1 AND holders = 0";
const REMEMBER: &str = "INSERT INTO deletions (at, tenant, instance, deleted_by, facts, state, ended_at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
const ENTRIES: &str = "DELETE FROM entries WHERE instance = $1";
const REQUESTS: &str = "DELETE FROM requests WHERE instance = $1";
const OUTPUT: &str = "DELETE FROM outputs WHERE instance = $1";
const GONE: &str = "DELETE FROM instances WHERE id = $1";
const USAGE: &str = "UPDATE usage_parts SET bytes = bytes + $2 WHERE tenant = $1 AND part = 0";

/// Deletes an instance that has ended and has not changed since its deleter read it, in the open transaction, without the commit. Returns the
/// calls that end the transaction, or the refusal.
pub(crate) async fn delete(
    db: &Connection,
    deletion: &Deletion,
) -> Result<Result<Vec<Call>, StoreError>, DatabaseError> {
    let (key, tenant) = (&deletion.place.key, deletion.place.key.tenant.to_string());
    let Some(row) = db.one(INSTANCE, values![tenant.clone(), key.instance.to_string()]).await? else {
        return Ok(Err(StoreError::NoInstance(key.to_string())));
    };
    let (id, next, ended): (i64, i64, bool) = (row.get(0), row.get(1), row.get(2));
    if !ended || usize::try_from(next) != Ok(deletion.place.after) {
        return Ok(Err(StoreError::Conflict(key.clone())));
    }
    db.query(FIRST_STRIPES, values![vec![tenant.clone()]]).await?;
    db.query(LOCK_STRIPES, values![tenant.clone()]).await?;
    let before = db.one(TENANT, values![tenant.clone()]).await?.map(|row| usage(&row, 0)).unwrap_or_default();
    let printed = db.one(PRINTED, values![id]).await?.map_or(0, |row| row.get::<_, i64>(0));
    let kept = i64::try_from(deletion.bytes).unwrap_or(i64::MAX).saturating_add(printed);
    let mut change = UsageChange { bytes: -kept, ..UsageChange::default() };
    for component in &deletion.components {
        change.bytes -= let_go(db, &tenant, &component.to_string()).await?;
    }
    for row in db.query(ARTIFACTS, values![id, tenant.clone()]).await? {
        let (bytes, holders): (i64, i64) = (row.get(0), row.get(1));
        change.bytes -= if holders == 0 { bytes } else { 0 };
    }
    let more = signed(change.on(before).stored_bytes) - signed(before.stored_bytes);
    let by = deletion.by.clone().into_bytes();
    let at = deletion.place.at.as_millis();
    let (state, ended_at): (i16, i64) = (row.get(3), row.get(4));
    let remember = values![at, tenant.clone(), key.instance.to_string(), by, next, state, ended_at];
    let mut calls = vec![Call::new(NO_ARTIFACTS, values![tenant.clone()]), Call::new(REMEMBER, remember)];
    calls.extend([ENTRIES, REQUESTS, OUTPUT, GONE].map(|statement| Call::new(statement, values![id])));
    calls.push(Call::new(USAGE, values![tenant, more]));
    Ok(Ok(calls))
}

/// Removes an instance's use of a component. Returns the bytes that its tenant no longer keeps.
async fn let_go(db: &Connection, tenant: &str, component: &str) -> Result<i64, DatabaseError> {
    let held = || values![tenant.to_owned(), component.to_owned()];
    let left = db.one(LET_GO, held()).await?.map(|row| row.get::<_, i64>(0));
    if left != Some(0) {
        return Ok(0);
    }
    db.query(NOT_HELD, held()).await?;
    let size = db.one(COMPONENT, values![component.to_owned()]).await?.map_or(0, |row| row.get::<_, i64>(0));
    db.query(NO_COMPONENT, values![component.to_owned()]).await?;
    Ok(size)
}
