//! Writes back the rows that a group of writes has changed: one statement a concern, for any number of writes.

use crate::session::connection::{Call, Value, values};
use crate::write::artifacts::NEW;
use crate::write::record::revocation_id;
use crate::write::state::GroupState;

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
    ON CONFLICT (tenant, digest, part) DO UPDATE SET times = s.times + excluded.times";
pub(crate) const RATES: &str =
    "INSERT INTO rates AS r SELECT k.*, $4::smallint FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS k
    ON CONFLICT (tenant, minute, part) DO UPDATE SET times = r.times + excluded.times";
// Of the writer's stripe, and of all stripes if they are locked.
const LONG_AGO: &str =
    "DELETE FROM rates r USING unnest($1::text[], $2::bigint[], $3::boolean[]) AS k(tenant, minute, is_whole)
    WHERE r.tenant = k.tenant AND r.minute < k.minute - 24 * 60 AND (k.is_whole OR r.part = $4::smallint)";
pub(crate) const DENIALS: &str =
    "INSERT INTO denials AS d SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bigint[])
    ON CONFLICT (tenant, digest, signers) DO UPDATE SET times = d.times + excluded.times";
const RECEIPTS: &str = "INSERT INTO receipts (id, request, tenant, body) SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])";
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
// The last statement of a transaction, so that another host's deployments wait for little more than this commit: places are in the order of commits, so
// that a reader that continues from a place misses none. `$1` is the number of new places. The others read them by the name `head`.
const PLACES: &str = "UPDATE deployments_head SET last = last + $1 RETURNING last";
const HOLDERS_BY_PLACE: &str = "INSERT INTO artifact_holders SELECT $1 - k.place - head.last, k.sha256
    FROM unnest($2::bigint[], $3::text[]) AS k(place, sha256), head";
// A resource that has no live deployment yet may get one from two hosts at once: the later one fails, and is tried again.
const NEW_LIVE: &str = "INSERT INTO live SELECT k.tenant, k.resource, head.last - $1 + k.place, k.redeemed
    FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::bigint[]) AS k(tenant, resource, place, redeemed), head";
const OTHER_LIVE: &str = "UPDATE live l SET place = head.last - $1 + k.place, redeemed = k.redeemed
    FROM unnest($2::text[], $3::bytea[], $4::bigint[], $5::bigint[]) AS k(tenant, resource, place, redeemed), head
    WHERE l.tenant = k.tenant AND l.digest = sha256(k.resource)";
const NEW_DEPLOYMENTS: &str = "INSERT INTO deployments (place, id, tenant, resource, artifact, sha256, bytes, location, receipt, redeemed, approved_at)
    SELECT head.last - $1 + k.place, k.id, k.tenant, k.resource, k.artifact, k.sha256, k.bytes, k.location, k.receipt, k.redeemed, k.approved_at
    FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::bytea[], $7::text[], $8::bigint[], $9::bytea[], $10::text[], $11::bigint[], $12::bigint[])
        AS k(place, id, tenant, resource, artifact, sha256, bytes, location, receipt, redeemed, approved_at), head";
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

/// Statements that become one. Each has a name, and is there if it has rows.
#[derive(Default)]
struct Combined(Vec<(&'static str, Call)>);

impl Combined {
    /// Adds a statement unless it has no rows.
    fn push(&mut self, name: &'static str, statement: &'static str, (rows, values): (usize, Vec<Value>)) {
        if rows > 0 {
            self.0.push((name, Call::new(statement, values)));
        }
    }
}

/// The calls that write all changes. No two statements of one call write the same row: the removals of artifacts follow in a call of their own. (Old minutes
/// may be counted by the same call, if the clocks of instances are days apart. They are removed with a later request.)
pub(crate) fn save(state: &GroupState) -> Vec<Call> {
    let mut calls = Vec::new();
    for (digest, bytes) in state.components.changed() {
        let size = bytes.len().cast_signed() as i64;
        calls.push(Call::new(COMPONENT, values![digest.to_string(), size, bytes.to_vec()]));
    }
    let concerns = [
        journals(state),
        approvals(state),
        receipts(state),
        unused_artifacts(state),
        acts(state),
        deployments(state),
    ];
    calls.extend(concerns.into_iter().filter_map(|Combined(calls)| Call::combined(calls)));
    calls
}

/// Rows of one stripe.
pub(crate) fn in_stripe((rows, mut values): (usize, Vec<Value>), stripe: i16) -> (usize, Vec<Value>) {
    values.extend(values![stripe]);
    (rows, values)
}

/// A text that is kept as bytes.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// Instances, their entries, and what their tenants have.
fn journals(state: &GroupState) -> Combined {
    let mut calls = Combined::default();
    let made = columns!(state.instances.made(), row =>
        row.1.id, row.0.tenant.to_string(), row.0.instance.to_string(), i16::from(row.0.shard().number()), row.1.next, row.1.at, row.1.state, row.1.due,
        row.1.since, row.1.ended,
    );
    calls.push("created", NEW_INSTANCES, made);
    let holdings = columns!(state.holdings.changed(), row =>
        row.0.0.to_string(), row.0.1.to_string(), row.1.own,
    );
    calls.push("loaded", HOLDINGS, in_stripe(holdings, state.stripe));
    let altered = columns!(state.instances.altered(), row =>
        row.1.id, row.1.next, row.1.at, row.1.state, row.1.due, row.1.since, row.1.ended,
    );
    calls.push("moved", INSTANCES, altered);
    calls.push("printed", OUTPUTS, columns!(state.outputs.changed(), row => *row.0, bytes(row.1)));
    calls.push("charged", USAGE, usage(state));
    let rows = columns!(&state.entries, row =>
        row.instance, row.position.index, row.position.seq, row.position.at, row.position.count, row.sum, row.text.clone(),
    );
    calls.push("entered", ENTRIES, rows);
    calls
}

/// Requests, with what counts them, and the receipts that decide them.
fn approvals(state: &GroupState) -> Combined {
    let mut calls = Combined::default();
    let subjects = columns!(state.subjects.changed(), row => row.0.0.to_string(), bytes(&row.0.1), *row.1);
    calls.push("asked", SUBJECTS, in_stripe(subjects, state.stripe));
    let denials = columns!(state.denials.changed(), row =>
        row.0.0.to_string(), bytes(&row.0.1.0), bytes(&row.0.1.1), *row.1,
    );
    calls.push("denied", DENIALS, denials);
    let rates = columns!(state.rates.changed(), row => row.0.0.to_string(), row.0.1, *row.1);
    calls.push("counted", RATES, in_stripe(rates, state.stripe));
    let old =
        columns!(state.rates.changed(), row => row.0.0.to_string(), row.0.1, state.is_fully_locked(&row.0.0));
    calls.push("old", LONG_AGO, in_stripe(old, state.stripe));
    let made = columns!(state.requests.made(), row =>
        row.0.to_string(), row.1.instance, row.1.seq, row.1.tenant.to_string(), bytes(&row.1.subject), row.1.open,
        row.1.outcome.clone(), row.1.body.as_deref().unwrap_or_default().to_owned(), row.1.notified,
    );
    calls.push("made", NEW_REQUESTS, made);
    let altered = columns!(state.requests.altered(), row =>
        row.0.to_string(), row.1.open, row.1.outcome.clone(), row.1.notified,
    );
    calls.push("closed", REQUESTS, altered);
    let made = columns!(state.receipts.made(), row => row.0.to_string(), row.1.request.to_string(), row.1.tenant.clone(), row.1.body.to_string());
    calls.push("issued", RECEIPTS, made);
    calls
}

/// What became of receipts, and the artifacts that are kept for them.
fn receipts(state: &GroupState) -> Combined {
    let mut calls = Combined::default();
    let changed = state.artifacts.changed();
    let held =
        columns!(&changed, row => row.0.0.to_string(), row.0.1.clone(), row.1.bytes, row.1.holders.own);
    calls.push("kept", ARTIFACTS, in_stripe(held, state.stripe));
    let (held, free): (Vec<_>, Vec<_>) = state.holders.changed().into_iter().partition(|(_, holds)| **holds);
    let known = |rows: Vec<(&(i64, String), &bool)>| {
        let rows = rows.into_iter().filter(|row| !is_new(row.0.0));
        columns!(rows, row => row.0.0, row.0.1.clone())
    };
    calls.push("held", HOLDERS, known(held));
    calls.push("free", NO_HOLDERS, known(free));
    let precedents = columns!(state.precedents.changed(), row =>
        row.0.0.to_string(), row.0.1.0.clone(), bytes(&row.0.1.1), row.1.0, row.1.1.to_string(),
    );
    calls.push("known", PRECEDENTS, in_stripe(precedents, state.stripe));
    let receipt_states = columns!(state.receipt_states.changed(), row =>
        row.0.to_string(), row.1.redeemed.map(|(at, _)| at.as_millis()), row.1.redeemed.map(|(_, seq)| seq.cast_signed()),
        row.1.attestation.clone(), row.1.revoked.as_ref().map(|(at, _)| at.as_millis()),
        row.1.revoked.as_ref().map(|(_, body)| body.clone()), row.1.revoked.as_ref().and_then(|(_, body)| revocation_id(body)),
    );
    calls.push("spent", RECEIPT_STATES, receipt_states);
    calls
}

fn unused_artifacts(state: &GroupState) -> Combined {
    let (mut calls, changed) = (Combined::default(), state.artifacts.changed());
    let none = changed.iter().filter(|row| row.1.holders.own == 0);
    let none = columns!(none, row => row.0.0.to_string(), row.0.1.clone());
    calls.push("own", NO_ARTIFACTS, in_stripe(none, state.stripe));
    let alone = changed.iter().filter(|row| row.1.holders.others == 0 && state.is_fully_locked(&row.0.0));
    let alone = columns!(alone, row => row.0.0.to_string(), row.0.1.clone());
    calls.push("others", OTHER_ARTIFACTS, in_stripe(alone, state.stripe));
    calls
}

fn acts(state: &GroupState) -> Combined {
    let mut calls = Combined::default();
    let acts = columns!(state.acts.changed(), row => row.0.cast_signed(), row.1.0, row.1.1.clone());
    calls.push("head", ACTS_HEAD, (acts.0, values![state.last_act.cast_signed()]));
    calls.push("acts", ACTS, acts);
    calls
}

/// Whether the holder is a deployment of this group.
fn is_new(holder: i64) -> bool {
    holder <= -NEW
}

/// The group's deployments, which get their places.
fn deployments(state: &GroupState) -> Combined {
    let mut calls = Combined::default();
    let made: Vec<_> =
        state.deployments.changed().into_iter().filter_map(|(_, made)| made.as_ref()).collect();
    let placed = |(rows, values): (usize, Vec<Value>)| {
        let mut all = values![state.deployed];
        all.extend(values);
        (rows, all)
    };
    calls.push("head", PLACES, placed((made.len(), Vec::new())));
    let holders = state.holders.changed();
    let held = holders.iter().filter(|(key, holds)| **holds && is_new(key.0));
    calls.push("held", HOLDERS_BY_PLACE, placed(columns!(held, row => -row.0.0 - NEW, row.0.1.clone())));
    for (name, statement, rows) in
        [("first", NEW_LIVE, state.live.made()), ("later", OTHER_LIVE, state.live.altered())]
    {
        let live =
            columns!(rows, row => row.0.0.to_string(), bytes(&row.0.1), row.1.place - NEW, row.1.redeemed);
        calls.push(name, statement, placed(live));
    }
    let made = columns!(made, row =>
        row.0 - NEW, row.1.id.clone(), row.1.tenant.to_string(), bytes(&row.1.resource), bytes(&row.1.artifact),
        row.1.artifact_sha256.to_string(), row.1.artifact_bytes.cast_signed(), bytes(&row.1.location),
        row.1.receipt_id.clone(), row.1.order.cast_signed(), row.1.approved_at.as_millis(),
    );
    calls.push("made", NEW_DEPLOYMENTS, placed(made));
    calls
}

/// The stripes of tenants' usage.
fn usage(state: &GroupState) -> (usize, Vec<Value>) {
    let rows: Vec<_> = state
        .usage
        .changed()
        .into_iter()
        .flat_map(|(tenant, usage)| {
            usage.rows(state.stripe).into_iter().map(move |(stripe, row)| (tenant.to_string(), stripe, row))
        })
        .collect();
    columns!(&rows, row =>
        row.0.clone(), row.1, row.2.used[0], row.2.used[1], row.2.used[2],
        row.2.headroom[0], row.2.headroom[1], row.2.headroom[2], row.2.headroom[3],
        row.2.most[0], row.2.most[1], row.2.most[2], row.2.most[3], row.2.since,
    )
}
