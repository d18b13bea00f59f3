//! Locks and reads the rows that a group of writes touches, in one exchange with the server.
//!
//! Every program takes locks in this order, and those of one table in the order of their keys: the writer's own row, claims, the last act, instances,
//! tenants, receipts, live deployments, new components, denials, the last deployment's place; of the tenants' stripes, those with number 0 first. Everything
//! else belongs to an instance, a stripe of a tenant or a resource that is locked.

use crate::error::{DatabaseError, damaged};
use crate::session::connection::{Call, Connection, values};
use crate::write::needs::{ActsLock, Needs};
use crate::write::state::{Artifact, GroupState, Instance, Live, NewReceipt, Request, Users};
use crate::write::usage_stripes::{TenantUsage, stripe};
use receipt::Timestamp;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;
use store::{InstanceKey, InstanceState, ReceiptState, Shard, StoreError, Usage};
use tokio_postgres::Row;
use workflow::{ReceiptId, TenantId};

macro_rules! writer {
    ($before:literal, $shards:literal) => {
        concat!($before, "UPDATE writers SET last = $2, seen = now() WHERE writer = $1
    RETURNING current_setting('synchronous_standby_names') <> '' AND current_setting('synchronous_commit') IN ('on', 'remote_apply'), ", $shards)
    };
}
const WRITER: &str = writer!("", "'{}'::smallint[]");
// The claims are locked after the writer's row.
const WRITER_AND_CLAIMS: &str = writer!(
    "WITH held AS MATERIALIZED (SELECT shard FROM claims
        WHERE shard = ANY($3::smallint[]) AND claim = $4 AND until > clock_timestamp() ORDER BY shard FOR SHARE) ",
    "ARRAY(SELECT shard FROM held)"
);
const ACTS_SHARED: &str = "SELECT last FROM acts_head FOR SHARE";
const ACTS_EXCLUSIVE: &str = "SELECT last FROM acts_head FOR UPDATE";
const INSTANCES: &str = "SELECT i.tenant, i.instance, i.id, i.next, i.at, i.state, i.due, i.since, i.ended
    FROM unnest($1::text[], $2::text[]) AS k(tenant, instance) JOIN instances i USING (tenant, instance)
    ORDER BY i.tenant, i.instance FOR UPDATE OF i";
const NEW_TENANTS: &str = "INSERT INTO usage_parts SELECT k, 0, 0, 0 FROM unnest($1::text[]) AS k ORDER BY k ON CONFLICT DO NOTHING";
// A stripe is added only while stripe 0 is locked: a transaction that has locked stripe 0 sees all stripes with its next statement.
pub(crate) const FIRST_STRIPES: &str =
    "SELECT 1 FROM usage_parts WHERE tenant = ANY($1::text[]) AND part = 0 ORDER BY tenant FOR UPDATE";
const NEW_STRIPES: &str = "INSERT INTO usage_parts (tenant, instances, pending, bytes, part)
    SELECT tenant, 0, 0, 0, $2::smallint FROM usage_parts WHERE tenant = ANY($1::text[]) AND part = 0 ORDER BY tenant ON CONFLICT DO NOTHING";
// The stripes of this writer, and all stripes of some tenants.
const TENANTS: &str = "SELECT tenant, part, instances, pending, bytes, room_instances, room_pending, room_bytes, room_requests,
        most_instances, most_pending, most_bytes, most_requests, since FROM usage_parts
    WHERE tenant = ANY($1::text[]) AND part = $2::smallint OR tenant = ANY($3::text[]) ORDER BY tenant, part FOR UPDATE";
// The rows that are read with a live deployment are read by a later statement, which sees what its last writer has committed. That statement locks
// too: a live deployment that another host has committed in between was not there to be locked.
const LIVE_LOCKS: &str = "SELECT 1 FROM live l JOIN unnest($1::text[], $2::bytea[]) AS k(tenant, resource) ON l.tenant = k.tenant AND l.digest = sha256(k.resource)
    ORDER BY l.tenant, l.resource FOR UPDATE OF l";
const NEW_RECEIPT_STATES: &str = "INSERT INTO receipt_states (receipt)
    SELECT k FROM unnest($1::text[]) AS k ORDER BY k ON CONFLICT DO NOTHING";
const RECEIPT_STATES: &str =
    "SELECT f.receipt, f.redeemed_at, f.redeemed_seq, f.attestation, f.revoked_at, f.revocation
    FROM unnest($1::text[]) AS k(receipt) JOIN receipt_states f USING (receipt) ORDER BY f.receipt FOR UPDATE OF f";
const REQUESTS: &str = "SELECT r.id, r.instance, r.seq, r.tenant, r.subject, r.open, r.outcome, r.notified FROM requests r WHERE r.id = ANY($1::text[])
    UNION SELECT r.id, r.instance, r.seq, r.tenant, r.subject, r.open, r.outcome, r.notified
    FROM unnest($2::text[], $3::text[]) AS k(tenant, instance) JOIN instances i USING (tenant, instance) JOIN requests r ON r.instance = i.id
    WHERE r.open";
const RECEIPTS: &str = "SELECT id, request FROM receipts WHERE id = ANY($1::text[])
    UNION SELECT id, request FROM receipts WHERE request = ANY($2::text[])";
const MINUTES: &str =
    "SELECT r.tenant, r.minute, r.times FROM unnest($1::text[], $2::bigint[]) AS k(tenant, first)
    JOIN rates r ON r.tenant = k.tenant AND r.minute >= k.first";
const HOLDINGS: &str = "SELECT h.tenant, h.component, h.part, h.instances
    FROM unnest($1::text[], $2::text[]) AS k(tenant, component) JOIN holdings h USING (tenant, component)";
const OUTPUTS: &str = "SELECT o.instance, o.text FROM unnest($1::text[], $2::text[]) AS k(tenant, instance)
    JOIN instances i USING (tenant, instance) JOIN outputs o ON o.instance = i.id";
const LIVE: &str = "SELECT l.tenant, l.resource, l.place, l.redeemed, d.sha256
    FROM unnest($1::text[], $2::bytea[]) AS k(tenant, resource) JOIN live l ON l.tenant = k.tenant AND l.digest = sha256(k.resource) JOIN deployments d ON d.place = l.place
    ORDER BY l.tenant, l.resource FOR UPDATE OF l";
const ARTIFACTS: &str = "SELECT a.tenant, a.sha256, a.bytes, a.part, a.holders
    FROM unnest($1::text[], $2::text[]) AS k(tenant, sha256) JOIN artifacts a USING (tenant, sha256)
    UNION SELECT a.tenant, a.sha256, a.bytes, a.part, a.holders
    FROM unnest($3::text[], $4::bytea[]) AS k(tenant, resource) JOIN live l ON l.tenant = k.tenant AND l.digest = sha256(k.resource)
    JOIN deployments d ON d.place = l.place JOIN artifacts a ON a.tenant = d.tenant AND a.sha256 = d.sha256";
const HOLDERS: &str = "SELECT h.holder, h.sha256 FROM unnest($1::text[], $2::text[]) AS k(tenant, instance)
    JOIN instances i USING (tenant, instance) JOIN artifact_holders h ON h.holder = i.id
    UNION SELECT h.holder, h.sha256 FROM unnest($3::text[], $4::bytea[]) AS k(tenant, resource)
    JOIN live l ON l.tenant = k.tenant AND l.digest = sha256(k.resource) JOIN artifact_holders h ON h.holder = -l.place";
const DEPLOYMENTS: &str = "SELECT id FROM deployments WHERE id = ANY($1::text[])";
const FACTS: &str = "SELECT nextval('facts') FROM generate_series(1, $1::bigint)";
const IDS: &str = "SELECT nextval('instance_ids') FROM generate_series(1, $1::bigint)";

/// A group's writer and the group's number.
pub(crate) struct Group<'a> {
    pub(crate) writer: &'a str,
    pub(crate) number: i64,
    /// The claim that the host's drivers write under.
    pub(crate) claim: &'a str,
    /// The number of the writer's stripes.
    pub(crate) stripe: i16,
}

type Take = fn(&mut GroupState, &Row) -> Result<(), StoreError>;

/// Begins a transaction, and locks and reads rows: all stripes of the tenants in `locked`, and this writer's of the others. If there are such tenants, the
/// transaction in which their headroom did not suffice is still open, and ends first. Returns the state, and the place of each write's entries among all facts.
pub(crate) async fn load(
    db: &Connection,
    group: &Group<'_>,
    (needs, locked): (&Needs, &BTreeSet<TenantId>),
) -> Result<(GroupState, Vec<i64>), DatabaseError> {
    let mut plan = locks((needs, locked), group);
    plan.extend(reads(needs, locked));
    let entries: usize = needs.entries.iter().sum();
    let facts = Call::new(FACTS, values![entries.cast_signed() as i64]);
    let shards: Vec<i16> = needs.shards.iter().map(|shard| i16::from(shard.number())).collect();
    let writer = match shards.is_empty() {
        true => Call::new(WRITER, values![group.writer.to_owned(), group.number]),
        false => Call::new(
            WRITER_AND_CLAIMS,
            values![group.writer.to_owned(), group.number, shards, group.claim.to_owned()],
        ),
    };
    let mut calls = vec![writer];
    let mut takes: Vec<Take> = Vec::new();
    for (call, take) in plan {
        calls.push(call);
        takes.push(take);
    }
    calls.push(facts);
    let begin = if locked.is_empty() { "BEGIN" } else { "ROLLBACK; BEGIN" };
    let mut answers = db.begin(begin, &calls).await?.into_iter();
    let own = answers.next().unwrap_or_default();
    let own = own.first().ok_or(DatabaseError::Lost(StoreError::Stopped))?;
    let mut state = GroupState { is_synchronous: own.get(0), stripe: group.stripe, ..GroupState::default() };
    for shard in own.get::<_, Vec<i16>>(1) {
        state.held.insert(Shard::new(u8::try_from(shard).map_err(damaged)?));
    }
    locked.iter().for_each(|tenant| state.usage.read(tenant.clone(), TenantUsage::fully_locked()));
    for take in takes {
        for row in answers.next().unwrap_or_default() {
            take(&mut state, &row)?;
        }
    }
    // `pop` takes the next one from the end.
    state.ids.reverse();
    let mut given = numbers(answers.next().unwrap_or_default());
    loop {
        if let Some(places) = runs(&given, &needs.entries) {
            return Ok((state, places));
        }
        // Another writer drew numbers in between, but a write's own numbers have to be consecutive.
        let more = db.query(FACTS, values![entries.cast_signed() as i64]).await?;
        given.extend(numbers(more));
    }
}

fn numbers(rows: Vec<Row>) -> Vec<i64> {
    rows.iter().map(|row| row.get(0)).collect()
}

/// The first number for each write, so that its numbers are consecutive; `None` if there are too few.
fn runs(given: &[i64], lengths: &[usize]) -> Option<Vec<i64>> {
    let (mut at, mut firsts) = (0, Vec::with_capacity(lengths.len()));
    for length in lengths.iter().copied() {
        if length == 0 {
            firsts.push(0);
            continue;
        }
        loop {
            let (first, last) = (given.get(at)?, given.get(at + length - 1)?);
            if last - first == length.cast_signed() as i64 - 1 {
                firsts.push(*first);
                at += length;
                break;
            }
            at += 1;
        }
    }
    Some(firsts)
}

fn locks((needs, locked): (&Needs, &BTreeSet<TenantId>), group: &Group<'_>) -> Vec<(Call, Take)> {
    let mut plan: Vec<(Call, Take)> = Vec::new();
    match needs.acts {
        ActsLock::None => {}
        ActsLock::Shared => plan.push((Call::new(ACTS_SHARED, Vec::new()), take_act)),
        ActsLock::Exclusive => plan.push((Call::new(ACTS_EXCLUSIVE, Vec::new()), take_act)),
    }
    if !needs.instances.is_empty() {
        let (tenants, names) = columns(&needs.instances);
        plan.push((Call::new(INSTANCES, values![tenants, names]), take_instance));
    }
    if !needs.tenants.is_empty() {
        plan.extend(stripes((needs, locked), group.stripe));
    }
    if !needs.receipt_states.is_empty() {
        let receipts: Vec<String> = needs.receipt_states.iter().map(ToString::to_string).collect();
        plan.push((Call::new(NEW_RECEIPT_STATES, values![receipts.clone()]), nothing));
        plan.push((Call::new(RECEIPT_STATES, values![receipts]), take_receipt_state));
    }
    if !needs.live.is_empty() {
        let (tenants, resources) = live(needs);
        plan.push((Call::new(LIVE_LOCKS, values![tenants, resources]), nothing));
    }
    plan
}

/// The locks of tenants' stripes.
fn stripes((needs, locked): (&Needs, &BTreeSet<TenantId>), stripe: i16) -> Vec<(Call, Take)> {
    let mut plan: Vec<(Call, Take)> = Vec::new();
    let texts = |tenants: &BTreeSet<TenantId>| tenants.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (all, locked) = (texts(&needs.tenants), texts(locked));
    if !locked.is_empty() {
        if needs.creations > 0 {
            plan.push((Call::new(NEW_TENANTS, values![locked.clone()]), nothing));
        }
        let first = if stripe == 0 { &all } else { &locked };
        plan.push((Call::new(FIRST_STRIPES, values![first.clone()]), nothing));
        plan.push((Call::new(NEW_STRIPES, values![locked.clone(), stripe]), nothing));
    }
    plan.push((Call::new(TENANTS, values![all, stripe, locked]), take_stripe));
    plan
}

fn nothing(_: &mut GroupState, _: &Row) -> Result<(), StoreError> {
    Ok(())
}

fn reads(needs: &Needs, locked: &BTreeSet<TenantId>) -> Vec<(Call, Take)> {
    let mut plan: Vec<(Call, Take)> = Vec::new();
    if !needs.requests.is_empty() || !needs.ending.is_empty() {
        let ids: Vec<String> = needs.requests.iter().map(ToString::to_string).collect();
        let (tenants, names) = columns(&needs.ending);
        plan.push((Call::new(REQUESTS, values![ids, tenants, names]), take_request));
    }
    if !needs.receipts.is_empty() {
        let ids: Vec<String> = needs.receipts.keys().map(ToString::to_string).collect();
        let requests: Vec<String> = needs.receipts.values().map(ToString::to_string).collect();
        plan.push((Call::new(RECEIPTS, values![ids, requests]), take_receipt));
    }
    let counted = needs.minutes.iter().filter(|(tenant, _)| locked.contains(tenant));
    let (tenants, first): (Vec<String>, Vec<i64>) =
        counted.map(|(tenant, first)| (tenant.to_string(), *first)).unzip();
    if !tenants.is_empty() {
        plan.push((Call::new(MINUTES, values![tenants, first]), take_minute));
    }
    if !needs.holdings.is_empty() {
        let (tenants, digests) =
            pairs(needs.holdings.iter().map(|(tenant, digest)| (tenant, digest.to_string())));
        plan.push((Call::new(HOLDINGS, values![tenants, digests]), take_holding));
    }
    if !needs.outputs.is_empty() {
        let (tenants, names) = columns(&needs.outputs);
        plan.push((Call::new(OUTPUTS, values![tenants, names]), take_output));
    }
    if !needs.artifacts.is_empty() {
        plan.extend(artifacts(needs));
    }
    if needs.creations > 0 {
        let take: Take = |state, row| {
            state.ids.push(row.get(0));
            Ok(())
        };
        plan.push((Call::new(IDS, values![needs.creations]), take));
    }
    plan
}

fn artifacts(needs: &Needs) -> Vec<(Call, Take)> {
    let (tenants, digests) = pairs(needs.artifacts.iter().map(|(tenant, digest)| (tenant, digest.clone())));
    let (holder_tenants, holders) = columns(&needs.holders);
    let ((t1, r1), (t2, r2), (t3, r3)) = (live(needs), live(needs), live(needs));
    let mut plan: Vec<(Call, Take)> = Vec::new();
    if !needs.live.is_empty() {
        // This statement runs first, so that the other statements read live deployments that are already locked.
        plan.push((Call::new(LIVE, values![t1, r1]), take_live));
        let ids: Vec<String> = needs.deployments.iter().cloned().collect();
        plan.push((Call::new(DEPLOYMENTS, values![ids]), |state, row| {
            state.deployments.read(row.get(0), None);
            Ok(())
        }));
    }
    plan.push((Call::new(ARTIFACTS, values![tenants, digests, t2, r2]), take_artifact));
    plan.push((Call::new(HOLDERS, values![holder_tenants, holders, t3, r3]), take_holder));
    plan
}

fn live(needs: &Needs) -> (Vec<String>, Vec<Vec<u8>>) {
    pairs(needs.live.iter().map(|(tenant, name)| (tenant, name.clone().into_bytes())))
}

fn columns(keys: &BTreeSet<InstanceKey>) -> (Vec<String>, Vec<String>) {
    keys.iter().map(|key| (key.tenant.to_string(), key.instance.to_string())).unzip()
}

fn pairs<'a, T>(rows: impl Iterator<Item = (&'a TenantId, T)>) -> (Vec<String>, Vec<T>) {
    rows.map(|(tenant, value)| (tenant.to_string(), value)).unzip()
}

/// A name that a row has.
pub(crate) fn name<T: FromStr<Err: std::fmt::Display>>(row: &Row, column: usize) -> Result<T, StoreError> {
    row.get::<_, &str>(column).parse().map_err(damaged)
}

/// A text that is kept as bytes.
pub(crate) fn text(row: &Row, column: usize) -> Result<String, StoreError> {
    String::from_utf8(row.get(column)).map_err(damaged)
}

/// An instance's name, in two columns.
pub(crate) fn key(row: &Row, column: usize) -> Result<InstanceKey, StoreError> {
    Ok(InstanceKey { tenant: name(row, column)?, instance: name(row, column + 1)? })
}

/// A receipt's state, from five columns.
pub(crate) fn receipt_state(row: &Row, column: usize) -> ReceiptState {
    let at = |column| row.get::<_, Option<i64>>(column).map(Timestamp::from_millis);
    ReceiptState {
        redeemed: at(column).zip(row.get::<_, Option<i64>>(column + 1).map(i64::unsigned_abs)),
        attestation: row.get(column + 2),
        revoked: at(column + 3).zip(row.get(column + 4)),
    }
}

fn take_act(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    state.last_act = row.get::<_, i64>(0).unsigned_abs();
    Ok(())
}

fn take_instance(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    let (next, at, since) = (row.get(3), row.get(4), row.get(7));
    let found =
        Instance { id: row.get(2), next, at, state: row.get(5), due: row.get(6), since, ended: row.get(8) };
    state.instances.read(key(row, 0)?, found);
    Ok(())
}

fn take_stripe(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    let tenant = name(row, 0)?;
    let mut usage = state.usage_of(&tenant);
    usage.read(row.get(1), state.stripe, stripe(row, 2));
    state.usage.read(tenant, usage);
    Ok(())
}

/// A tenant's usage, from three columns.
pub(crate) fn usage(row: &Row, column: usize) -> Usage {
    let count = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or(0);
    Usage { instances: count(column), pending_approvals: count(column + 1), stored_bytes: count(column + 2) }
}

fn take_receipt_state(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    state.receipt_states.read(name::<ReceiptId>(row, 0)?, receipt_state(row, 1));
    Ok(())
}

fn take_request(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    let (tenant, subject) = (name(row, 3)?, text(row, 4)?);
    let (instance, seq, open, outcome) = (row.get(1), row.get(2), row.get(5), row.get(6));
    let notified = row.get(7);
    let found = Request { instance, seq, tenant, subject, open, outcome, notified, body: None };
    state.requests.read(name(row, 0)?, found);
    Ok(())
}

fn take_receipt(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    state.receipts.read(
        name(row, 0)?,
        NewReceipt { request: name(row, 1)?, tenant: String::new(), body: Arc::from("") },
    );
    Ok(())
}

fn take_minute(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    let of = state.minutes.entry(name(row, 0)?).or_default();
    of.push((row.get(1), row.get::<_, i64>(2).unsigned_abs()));
    Ok(())
}

fn take_holding(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    let key = (name(row, 0)?, name(row, 1)?);
    let mut users = state.holdings.get(&key).copied().unwrap_or_default();
    users.read((row.get(2), state.stripe), row.get(3));
    state.holdings.read(key, users);
    Ok(())
}

fn take_output(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    state.outputs.read(row.get(0), Arc::new(text(row, 1)?));
    Ok(())
}

fn take_live(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    let live = Live { place: row.get(2), redeemed: row.get(3), sha256: row.get(4) };
    state.live.read((name(row, 0)?, text(row, 1)?), live);
    Ok(())
}

fn take_artifact(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    let key = (name(row, 0)?, row.get(1));
    let mut holders = state.artifacts.get(&key).map_or_else(Users::default, |held| held.holders);
    holders.read((row.get(3), state.stripe), row.get(4));
    state.artifacts.read(key, Artifact { bytes: row.get(2), holders });
    Ok(())
}

fn take_holder(state: &mut GroupState, row: &Row) -> Result<(), StoreError> {
    state.holders.read((row.get(0), row.get(1)), true);
    Ok(())
}

/// An instance's state, from its number.
pub(crate) fn state(number: i16) -> Result<InstanceState, StoreError> {
    let known = usize::try_from(number).ok().and_then(|number| InstanceState::ALL.get(number).copied());
    known.ok_or_else(|| StoreError::Damaged(format!("an instance has the unknown state {number}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_one_write_follow_each_other() {
        assert_eq!(runs(&[1, 2, 3, 4], &[2, 0, 2]), Some(vec![1, 0, 3]));
        assert_eq!(runs(&[1, 3, 4], &[2, 1]), None, "one was left out, and one is lacking");
        assert_eq!(runs(&[1, 3, 4, 7, 8, 9], &[2, 3]), Some(vec![3, 7]));
        assert_eq!(runs(&[], &[]), Some(Vec::new()));
    }
}
