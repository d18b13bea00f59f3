//! Writes back the rows that a group of writes has changed: one statement per table, for any number of writes.

use crate::session::connection::{Call, Value, values};
use crate::write::artifacts::NEW;
use crate::write::record::Record;
use crate::write::state::State;
use std::collections::HashMap;
use workflow::ReceiptId;

pub(crate) const NEW_INSTANCES: &str = "INSERT INTO instances (id, tenant, instance, shard, next, at, state, due, since, ended)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::smallint[], $5::bigint[], $6::bigint[], $7::smallint[], $8::bigint[], $9::bigint[], $10::boolean[])";
const INSTANCES: &str = "UPDATE instances i SET next = k.next, at = k.at, state = k.state, due = k.due, since = k.since, ended = k.ended
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::smallint[], $5::bigint[], $6::bigint[], $7::boolean[])
    AS k(id, next, at, state, due, since, ended) WHERE i.id = k.id";
pub(crate) const ENTRIES: &str = "INSERT INTO entries (instance, idx, seq, at, count, sum, body)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::integer[], $6::bigint[], $7::text[])";
const USAGE: &str = "UPDATE usage_parts u SET instances = k.instances, pending = k.pending, bytes = k.bytes,
        room_instances = k.room_instances, room_pending = k.room_pending, room_bytes = k.room_bytes, room_requests = k.room_requests,
        most_instances = k.most_instances, most_pending = k.most_pending, most_bytes = k.most_bytes, most_requests = k.most_requests, since = k.since
    FROM unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
            $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
        AS k(tenant, part, instances, pending, bytes, room_instances, room_pending, room_bytes, room_requests,
            most_instances, most_pending, most_bytes, most_requests, since) WHERE u.tenant = k.tenant AND u.part = k.part";
pub(crate) const NEW_REQUESTS: &str = "INSERT INTO requests (id, instance, seq, tenant, subject, open, outcome, body, notified)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::boolean[], $7::text[], $8::text[], $9::smallint[])";
const REQUESTS: &str = "UPDATE requests r SET open = k.open, outcome = k.outcome, notified = k.notified
    FROM unnest($1::text[], $2::boolean[], $3::text[], $4::smallint[]) AS k(id, open, outcome, notified) WHERE r.id = k.id";
pub(crate) const SUBJECTS: &str =
    "INSERT INTO subjects AS s SELECT k.*, $4::smallint FROM unnest($1::text[], $2::bytea[], $3::bigint[]) AS k
    ON CONFLICT (tenant, subject, part) DO UPDATE SET times = s.times + excluded.times";
pub(crate) const RATES: &str =
    "INSERT INTO rates AS r SELECT k.*, $4::smallint FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS k
    ON CONFLICT (tenant, minute, part) DO UPDATE SET times = r.times + excluded.times";
// Of the writer's part, and of all parts where they are locked.
const LONG_AGO: &str =
    "DELETE FROM rates r USING unnest($1::text[], $2::bigint[], $3::boolean[]) AS k(tenant, minute, is_whole)
    WHERE r.tenant = k.tenant AND r.minute < k.minute - 24 * 60 AND (k.is_whole OR r.part = $4::smallint)";
pub(crate) const DENIALS: &str =
    "INSERT INTO denials AS d SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bigint[])
    ON CONFLICT (tenant, subject, signers) DO UPDATE SET times = d.times + excluded.times";
const RECEIPTS: &str =
    "INSERT INTO receipts (id, request, body) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])";
const RECEIPT_STATES: &str = "UPDATE receipt_states f SET redeemed_at = k.redeemed_at, redeemed_seq = k.redeemed_seq, attestation = k.attestation,
        revoked_at = k.revoked_at, revocation = k.revocation, revocation_id = coalesce(k.revocation_id, f.revocation_id)
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[])
        AS k(receipt, redeemed_at, redeemed_seq, attestation, revoked_at, revocation, revocation_id) WHERE f.receipt = k.receipt";
pub(crate) const PRECEDENTS: &str = "INSERT INTO precedents SELECT k.*, $6::smallint FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::text[]) AS k
    ON CONFLICT (tenant, digest, signers, part) DO UPDATE SET seq = excluded.seq, receipt = excluded.receipt";
const COMPONENT: &str =
    "INSERT INTO components VALUES ($1, $2, $3) ON CONFLICT (digest) DO UPDATE SET size = excluded.size";
pub(crate) const HOLDINGS: &str =
    "INSERT INTO holdings SELECT k.*, $4::smallint FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k
    ON CONFLICT (tenant, component, part) DO UPDATE SET instances = excluded.instances";
pub(crate) const OUTPUTS: &str = "INSERT INTO outputs SELECT * FROM unnest($1::bigint[], $2::bytea[])
    ON CONFLICT (instance) DO UPDATE SET text = excluded.text";
const ARTIFACTS: &str =
    "INSERT INTO artifacts SELECT k.*, $5::smallint FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) AS k
    ON CONFLICT (tenant, sha256, part) DO UPDATE SET holders = excluded.holders";
const NO_ARTIFACTS: &str = "DELETE FROM artifacts a USING unnest($1::text[], $2::text[]) AS k(tenant, sha256)
    WHERE a.tenant = k.tenant AND a.sha256 = k.sha256 AND a.part = $3::smallint AND a.holders = 0";
// Parts that were taken over, or have no holders.
const OTHER_ARTIFACTS: &str =
    "DELETE FROM artifacts a USING unnest($1::text[], $2::text[]) AS k(tenant, sha256)
    WHERE a.tenant = k.tenant AND a.sha256 = k.sha256 AND a.part <> $3::smallint";
pub(crate) const HOLDERS: &str =
    "INSERT INTO artifact_holders SELECT * FROM unnest($1::bigint[], $2::text[]) ON CONFLICT DO NOTHING";
const NO_HOLDERS: &str =
    "DELETE FROM artifact_holders h USING unnest($1::bigint[], $2::text[]) AS k(holder, sha256)
    WHERE h.holder = k.holder AND h.sha256 = k.sha256";
// The last statements of a transaction, so that another host's deployments wait for little more than this commit: places are in the order of commits, so
// that a reader that continues from a place misses none. `$1` is the number of new places.
const PLACES: &str = "UPDATE deployments_head SET last = last + $1";
const HOLDERS_BY_PLACE: &str = "INSERT INTO artifact_holders SELECT $1 - k.place - h.last, k.sha256
    FROM unnest($2::bigint[], $3::text[]) AS k(place, sha256), deployments_head h";
// A resource that has no live deployment yet may get one from two hosts at once: the later one fails, and is tried again.
const NEW_LIVE: &str = "INSERT INTO live SELECT k.tenant, k.resource, h.last - $1 + k.place, k.redeemed
    FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::bigint[]) AS k(tenant, resource, place, redeemed), deployments_head h";
const OTHER_LIVE: &str = "UPDATE live l SET place = h.last - $1 + k.place, redeemed = k.redeemed
    FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::bigint[]) AS k(tenant, resource, place, redeemed), deployments_head h
    WHERE l.tenant = k.tenant AND l.resource = k.resource";
const NEW_DEPLOYMENTS: &str = "INSERT INTO deployments (place, id, tenant, resource, artifact, sha256, bytes, location, receipt, redeemed, approved_at)
    SELECT h.last - $1 + k.place, k.id, k.tenant, k.resource, k.artifact, k.sha256, k.bytes, k.location, k.receipt, k.redeemed, k.approved_at
    FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::text[], $8::bigint[], $9::bytea[], $10::text[], $11::bigint[], $12::bigint[])
        AS k(place, id, tenant, resource, artifact, sha256, bytes, location, receipt, redeemed, approved_at), deployments_head h";
pub(crate) const ACTS: &str = "INSERT INTO acts SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])";
const ACTS_HEAD: &str = "UPDATE acts_head SET last = $1";

/// Rows as columns: the number of rows, and an array for each column.
macro_rules! columns {
    ($rows:expr, $row:ident => $($cell:expr),+ $(,)?) => {{
        let rows: Vec<_> = $rows.into_iter().collect();
        let values = vec![$(Box::new(rows.iter().map(|$row| $cell).collect::<Vec<_>>()) as $crate::session::connection::Value),+];
        (rows.len(), values)
    }};
}
pub(crate) use columns;

/// The calls that write all changes.
pub(crate) fn save(state: &State, group: &[Record]) -> Vec<Call> {
    let mut calls = Vec::new();
    instances(state, &mut calls);
    entries(state, &mut calls);
    requests(state, &mut calls);
    receipts(state, group, &mut calls);
    components(state, &mut calls);
    artifacts(state, &mut calls);
    counts(state, &mut calls);
    usage(state, &mut calls);
    let acts = columns!(state.acts.changed(), row => row.0.cast_signed(), row.1.0, row.1.1.clone());
    if push(&mut calls, ACTS, acts) {
        calls.push(Call::new(ACTS_HEAD, values![state.last_act.cast_signed()]));
    }
    deployments(state, &mut calls);
    calls
}

/// Adds a call unless it has no rows.
pub(crate) fn push(
    calls: &mut Vec<Call>,
    statement: &'static str,
    (rows, values): (usize, Vec<Value>),
) -> bool {
    if rows > 0 {
        calls.push(Call::new(statement, values));
    }
    rows > 0
}

/// Rows of one part.
pub(crate) fn in_part((rows, mut values): (usize, Vec<Value>), part: i16) -> (usize, Vec<Value>) {
    values.extend(values![part]);
    (rows, values)
}

/// A text that is kept as bytes.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

fn instances(state: &State, calls: &mut Vec<Call>) {
    let made = columns!(state.instances.made(), row =>
        row.1.id, row.0.tenant.to_string(), row.0.instance.to_string(), i16::from(row.0.shard().number()), row.1.next, row.1.at, row.1.state, row.1.due,
        row.1.since, row.1.ended,
    );
    push(calls, NEW_INSTANCES, made);
    let altered = columns!(state.instances.altered(), row =>
        row.1.id, row.1.next, row.1.at, row.1.state, row.1.due, row.1.since, row.1.ended,
    );
    push(calls, INSTANCES, altered);
}

fn entries(state: &State, calls: &mut Vec<Call>) {
    let rows = columns!(&state.entries, row =>
        row.instance, row.spot.index, row.spot.seq, row.spot.at, row.spot.count, row.sum, row.text.clone(),
    );
    push(calls, ENTRIES, rows);
    push(calls, OUTPUTS, columns!(state.outputs.changed(), row => *row.0, bytes(row.1)));
}

fn requests(state: &State, calls: &mut Vec<Call>) {
    let made = columns!(state.requests.made(), row =>
        row.0.to_string(), row.1.instance, row.1.seq, row.1.tenant.to_string(), bytes(&row.1.subject), row.1.open,
        row.1.outcome.clone(), row.1.body.as_deref().unwrap_or_default().to_owned(), row.1.notified,
    );
    push(calls, NEW_REQUESTS, made);
    let altered = columns!(state.requests.altered(), row =>
        row.0.to_string(), row.1.open, row.1.outcome.clone(), row.1.notified,
    );
    push(calls, REQUESTS, altered);
    let subjects = columns!(state.subjects.changed(), row => row.0.0.to_string(), bytes(&row.0.1), *row.1);
    push(calls, SUBJECTS, in_part(subjects, state.part));
    let denials = columns!(state.denials.changed(), row =>
        row.0.0.to_string(), bytes(&row.0.1.0), bytes(&row.0.1.1), *row.1,
    );
    push(calls, DENIALS, denials);
}

fn receipts(state: &State, group: &[Record], calls: &mut Vec<Call>) {
    let made = columns!(state.receipts.made(), row => row.0.to_string(), row.1.request.to_string(), row.1.body.to_string());
    push(calls, RECEIPTS, made);
    let revocations: HashMap<&ReceiptId, &Option<String>> = group
        .iter()
        .filter_map(|record| match record {
            Record::Revoke { receipt, id, .. } => Some((receipt, id)),
            _ => None,
        })
        .collect();
    let revocation = |receipt| revocations.get(receipt).and_then(|id| id.as_ref()).cloned();
    let receipt_states = columns!(state.receipt_states.changed(), row =>
        row.0.to_string(), row.1.redeemed.map(|(at, _)| at.as_millis()), row.1.redeemed.map(|(_, seq)| seq.cast_signed()),
        row.1.attestation.clone(), row.1.revoked.as_ref().map(|(at, _)| at.as_millis()),
        row.1.revoked.as_ref().map(|(_, body)| body.clone()), row.1.revoked.as_ref().and_then(|_| revocation(row.0)),
    );
    push(calls, RECEIPT_STATES, receipt_states);
    let precedents = columns!(state.precedents.changed(), row =>
        row.0.0.to_string(), row.0.1.0.clone(), bytes(&row.0.1.1), row.1.0, row.1.1.to_string(),
    );
    push(calls, PRECEDENTS, in_part(precedents, state.part));
}

fn components(state: &State, calls: &mut Vec<Call>) {
    for (digest, bytes) in state.components.changed() {
        let size = bytes.len().cast_signed() as i64;
        calls.push(Call::new(COMPONENT, values![digest.to_string(), size, bytes.to_vec()]));
    }
    let holdings = columns!(state.holdings.changed(), row =>
        row.0.0.to_string(), row.0.1.to_string(), row.1.own,
    );
    push(calls, HOLDINGS, in_part(holdings, state.part));
}

fn artifacts(state: &State, calls: &mut Vec<Call>) {
    let changed = state.artifacts.changed();
    let held =
        columns!(&changed, row => row.0.0.to_string(), row.0.1.clone(), row.1.bytes, row.1.holders.own);
    push(calls, ARTIFACTS, in_part(held, state.part));
    let none = changed.iter().filter(|row| row.1.holders.own == 0);
    let none = columns!(none, row => row.0.0.to_string(), row.0.1.clone());
    push(calls, NO_ARTIFACTS, in_part(none, state.part));
    let alone = changed.iter().filter(|row| row.1.holders.others == 0 && state.is_whole(&row.0.0));
    let alone = columns!(alone, row => row.0.0.to_string(), row.0.1.clone());
    push(calls, OTHER_ARTIFACTS, in_part(alone, state.part));
    let (held, free): (Vec<_>, Vec<_>) = state.holders.changed().into_iter().partition(|(_, holds)| **holds);
    push(
        calls,
        HOLDERS,
        columns!(held.iter().filter(|row| !is_new(row.0.0)), row => row.0.0, row.0.1.clone()),
    );
    push(
        calls,
        NO_HOLDERS,
        columns!(free.iter().filter(|row| !is_new(row.0.0)), row => row.0.0, row.0.1.clone()),
    );
}

/// Whether the holder is a deployment of this group.
fn is_new(holder: i64) -> bool {
    holder <= -NEW
}

/// The group's deployments, which get their places.
fn deployments(state: &State, calls: &mut Vec<Call>) {
    let made: Vec<_> =
        state.deployments.changed().into_iter().filter_map(|(_, made)| made.as_ref()).collect();
    if made.is_empty() {
        return;
    }
    let mut place = |statement, (rows, values): (usize, Vec<Value>)| {
        let mut all = values![state.deployed];
        all.extend(values);
        push(calls, statement, (rows, all));
    };
    place(PLACES, (made.len(), Vec::new()));
    let made = columns!(made, row =>
        row.0 - NEW, row.1.id.clone(), row.1.tenant.to_string(), bytes(&row.1.resource), bytes(&row.1.artifact),
        row.1.artifact_sha256.to_string(), row.1.artifact_bytes.cast_signed(), bytes(&row.1.location),
        row.1.receipt_id.clone(), row.1.order.cast_signed(), row.1.approved_at.as_millis(),
    );
    place(NEW_DEPLOYMENTS, made);
    let holders = state.holders.changed();
    let held = holders.iter().filter(|(key, holds)| **holds && is_new(key.0));
    place(HOLDERS_BY_PLACE, columns!(held, row => -row.0.0 - NEW, row.0.1.clone()));
    for (statement, rows) in [(NEW_LIVE, state.live.made()), (OTHER_LIVE, state.live.altered())] {
        let live =
            columns!(rows, row => row.0.0.to_string(), bytes(&row.0.1), row.1.place - NEW, row.1.redeemed);
        place(statement, live);
    }
}

fn counts(state: &State, calls: &mut Vec<Call>) {
    let rates = columns!(state.rates.changed(), row => row.0.0.to_string(), row.0.1, *row.1);
    if push(calls, RATES, in_part(rates, state.part)) {
        let old =
            columns!(state.rates.changed(), row => row.0.0.to_string(), row.0.1, state.is_whole(&row.0.0));
        push(calls, LONG_AGO, in_part(old, state.part));
    }
}

/// The parts of tenants' usage.
fn usage(state: &State, calls: &mut Vec<Call>) {
    let rows: Vec<_> = state
        .usage
        .changed()
        .into_iter()
        .flat_map(|(tenant, balance)| {
            balance.rows(state.part).into_iter().map(move |(part, row)| (tenant.to_string(), part, row))
        })
        .collect();
    let usage = columns!(&rows, row =>
        row.0.clone(), row.1, row.2.used[0], row.2.used[1], row.2.used[2],
        row.2.room[0], row.2.room[1], row.2.room[2], row.2.room[3],
        row.2.most[0], row.2.most[1], row.2.most[2], row.2.most[3], row.2.since,
    );
    push(calls, USAGE, usage);
}
