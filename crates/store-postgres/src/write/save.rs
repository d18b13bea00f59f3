//! Writes back the rows that a group of writes has changed: one statement per table, for any number of writes.

use crate::session::connection::{Call, Value, values};
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
const USAGE: &str = "UPDATE usage u SET instances = k.instances, pending = k.pending, bytes = k.bytes
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS k(tenant, instances, pending, bytes) WHERE u.tenant = k.tenant";
pub(crate) const NEW_REQUESTS: &str = "INSERT INTO requests (id, instance, seq, tenant, subject, open, outcome, body, notified)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bytea[], $6::boolean[], $7::text[], $8::text[], $9::smallint[])";
const REQUESTS: &str = "UPDATE requests r SET open = k.open, outcome = k.outcome, notified = k.notified
    FROM unnest($1::text[], $2::boolean[], $3::text[], $4::smallint[]) AS k(id, open, outcome, notified) WHERE r.id = k.id";
pub(crate) const SUBJECTS: &str =
    "INSERT INTO subjects AS s SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[])
    ON CONFLICT (tenant, subject) DO UPDATE SET times = s.times + excluded.times";
pub(crate) const RATES: &str =
    "INSERT INTO rates AS r SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
    ON CONFLICT (tenant, minute) DO UPDATE SET times = r.times + excluded.times";
const LONG_AGO: &str = "DELETE FROM rates r USING unnest($1::text[], $2::bigint[]) AS k(tenant, minute)
    WHERE r.tenant = k.tenant AND r.minute < k.minute - 24 * 60";
pub(crate) const DENIALS: &str =
    "INSERT INTO denials AS d SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bigint[])
    ON CONFLICT (tenant, subject, signers) DO UPDATE SET times = d.times + excluded.times";
const RECEIPTS: &str =
    "INSERT INTO receipts (id, request, body) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])";
const RECEIPT_STATES: &str = "UPDATE receipt_states f SET redeemed_at = k.redeemed_at, redeemed_seq = k.redeemed_seq, attestation = k.attestation,
        revoked_at = k.revoked_at, revocation = k.revocation, revocation_id = coalesce(k.revocation_id, f.revocation_id)
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[])
        AS k(receipt, redeemed_at, redeemed_seq, attestation, revoked_at, revocation, revocation_id) WHERE f.receipt = k.receipt";
pub(crate) const PRECEDENTS: &str = "INSERT INTO precedents SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::text[])
    ON CONFLICT (tenant, digest, signers) DO UPDATE SET seq = excluded.seq, receipt = excluded.receipt";
const COMPONENT: &str =
    "INSERT INTO components VALUES ($1, $2, $3) ON CONFLICT (digest) DO UPDATE SET size = excluded.size";
pub(crate) const HOLDINGS: &str =
    "INSERT INTO holdings SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
    ON CONFLICT (tenant, component) DO UPDATE SET instances = excluded.instances";
pub(crate) const OUTPUTS: &str = "INSERT INTO outputs SELECT * FROM unnest($1::bigint[], $2::bytea[])
    ON CONFLICT (instance) DO UPDATE SET text = excluded.text";
const ARTIFACTS: &str =
    "INSERT INTO artifacts SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
    ON CONFLICT (tenant, sha256) DO UPDATE SET holders = excluded.holders";
const NO_ARTIFACTS: &str = "DELETE FROM artifacts a USING unnest($1::text[], $2::text[]) AS k(tenant, sha256)
    WHERE a.tenant = k.tenant AND a.sha256 = k.sha256 AND a.holders = 0";
pub(crate) const HOLDERS: &str =
    "INSERT INTO artifact_holders SELECT * FROM unnest($1::bigint[], $2::text[]) ON CONFLICT DO NOTHING";
const NO_HOLDERS: &str =
    "DELETE FROM artifact_holders h USING unnest($1::bigint[], $2::text[]) AS k(holder, sha256)
    WHERE h.holder = k.holder AND h.sha256 = k.sha256";
pub(crate) const LIVE: &str =
    "INSERT INTO live SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[])
    ON CONFLICT (tenant, resource) DO UPDATE SET place = excluded.place, redeemed = excluded.redeemed";
pub(crate) const DEPLOYMENTS: &str = "INSERT INTO deployments (place, id, tenant, resource, artifact, sha256, bytes, location, receipt, redeemed, approved_at)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::text[], $7::bigint[], $8::bytea[], $9::text[], $10::bigint[], $11::bigint[])";
pub(crate) const ACTS: &str = "INSERT INTO acts SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[])";
const ACTS_HEAD: &str = "UPDATE acts_head SET last = $1";

/// Rows as columns: the number of rows, and an array for each column.
macro_rules! columns {
    ($rows:expr, $row:ident => $($cell:expr),+ $(,)?) => {{
        let rows = $rows;
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
    let acts = columns!(state.acts.changed(), row => row.0.cast_signed(), row.1.0, row.1.1.clone());
    if push(&mut calls, ACTS, acts) {
        calls.push(Call::new(ACTS_HEAD, values![state.last_act.cast_signed()]));
    }
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
    push(calls, SUBJECTS, subjects);
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
    push(calls, PRECEDENTS, precedents);
}

fn components(state: &State, calls: &mut Vec<Call>) {
    for (digest, bytes) in state.components.changed() {
        let size = bytes.len().cast_signed() as i64;
        calls.push(Call::new(COMPONENT, values![digest.to_string(), size, bytes.to_vec()]));
    }
    let holdings =
        columns!(state.holdings.changed(), row => row.0.0.to_string(), row.0.1.to_string(), *row.1);
    push(calls, HOLDINGS, holdings);
}

fn artifacts(state: &State, calls: &mut Vec<Call>) {
    let made: Vec<_> =
        state.deployments.changed().into_iter().filter_map(|(_, made)| made.as_ref()).collect();
    let made = columns!(made, row =>
        row.0, row.1.id.clone(), row.1.tenant.to_string(), bytes(&row.1.resource), bytes(&row.1.artifact),
        row.1.artifact_sha256.to_string(), row.1.artifact_bytes.cast_signed(), bytes(&row.1.location),
        row.1.receipt_id.clone(), row.1.order.cast_signed(), row.1.approved_at.as_millis(),
    );
    push(calls, DEPLOYMENTS, made);
    let live = columns!(state.live.changed(), row => row.0.0.to_string(), bytes(&row.0.1), row.1.place, row.1.redeemed);
    push(calls, LIVE, live);
    let held = columns!(state.artifacts.changed(), row => row.0.0.to_string(), row.0.1.clone(), row.1.bytes, row.1.holders);
    push(calls, ARTIFACTS, held);
    let (held, free): (Vec<_>, Vec<_>) = state.holders.changed().into_iter().partition(|(_, holds)| **holds);
    push(calls, HOLDERS, columns!(held, row => row.0.0, row.0.1.clone()));
    if push(calls, NO_HOLDERS, columns!(free, row => row.0.0, row.0.1.clone())) {
        let none = columns!(state.artifacts.changed(), row => row.0.0.to_string(), row.0.1.clone());
        push(calls, NO_ARTIFACTS, none);
    }
}

fn counts(state: &State, calls: &mut Vec<Call>) {
    let rates = columns!(state.rates.changed(), row => row.0.0.to_string(), row.0.1, *row.1);
    if push(calls, RATES, rates) {
        let old = columns!(state.rates.changed(), row => row.0.0.to_string(), row.0.1);
        push(calls, LONG_AGO, old);
    }
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let usage = columns!(state.usage.changed(), row =>
        row.0.to_string(), signed(row.1.instances), signed(row.1.pending_approvals), signed(row.1.stored_bytes),
    );
    push(calls, USAGE, usage);
}
