//! Conversion of another engine's rows to rows of these tables.

use crate::blob::blobs;
use crate::error::DatabaseError;
use crate::session::connection::{Call, Connection, Value, values};
use crate::write::decide::number;
use crate::write::entries::{NEXT, RowPosition, sum};
use crate::write::record::revocation_id;
use crate::write::save::{
    ACTS, DENIALS, ENTRIES, HOLDERS, HOLDINGS, NEW_INSTANCES, NEW_REQUESTS, OUTPUTS, PRECEDENTS, RATES,
    SUBJECTS, bytes, columns, in_stripe,
};
use crate::write::usage_stripes::signed;
use receipt::Digest;
use store::TransferRow;

/// What has stripes is moved to this one.
const STRIPE: i16 = 0;

const COMPONENT: &str = "INSERT INTO components VALUES ($1, $2, $3)";
const RECEIPTS: &str = "INSERT INTO receipts (seq, id, request, tenant, body) OVERRIDING SYSTEM VALUE
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])";
const RECEIPT_STATES: &str = "INSERT INTO receipt_states (receipt, redeemed_at, redeemed_seq, attestation, revoked_at, revocation, revocation_id)
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[])";
const USAGE: &str =
    "INSERT INTO usage_parts SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])";
const DEPLOYMENTS: &str = "INSERT INTO deployments (place, id, tenant, resource, artifact, sha256, bytes, location, receipt, redeemed, approved_at)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::text[], $7::bigint[], $8::bytea[], $9::text[], $10::bigint[], $11::bigint[])";
const LIVE: &str =
    "INSERT INTO live SELECT * FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[])";
const DELETIONS: &str = "INSERT INTO deletions (at, tenant, instance, deleted_by, facts, state, ended_at)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::smallint[], $7::bigint[])";
const ARTIFACTS: &str =
    "INSERT INTO artifacts AS a SELECT tenant, sha256, max(bytes), count(*) FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k(tenant, sha256, bytes)
        GROUP BY tenant, sha256 ON CONFLICT (tenant, sha256, part) DO UPDATE SET holders = a.holders + excluded.holders, bytes = greatest(a.bytes, excluded.bytes)";

/// The rows of one kind.
macro_rules! of_kind {
    ($rows:ident, $pattern:pat => $value:expr) => {
        $rows
            .iter()
            .filter_map(|row| match row {
                $pattern => Some($value),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
}

/// Inserts rows, one statement for each table. A duplicate name fails the transaction; no engine assigns a name twice.
pub(super) async fn insert(db: &Connection, rows: &[TransferRow]) -> Result<(), DatabaseError> {
    let mut calls = Vec::new();
    instances(rows, &mut calls);
    requests(rows, &mut calls);
    receipts(rows, &mut calls);
    counts(rows, &mut calls);
    actions(rows, &mut calls);
    for call in of_kind!(rows, TransferRow::Component(digest, bytes) => component(digest, bytes)) {
        calls.push(call);
    }
    db.calls(&calls).await?;
    for (digest, bytes) in of_kind!(rows, TransferRow::Artifact(digest, bytes) => (digest, bytes)) {
        blobs::insert(db, digest, bytes).await?;
    }
    Ok(())
}

fn component(digest: &Digest, bytes: &[u8]) -> Call {
    Call::new(COMPONENT, values![digest.to_string(), bytes.len().cast_signed() as i64, bytes.to_vec()])
}

fn instances(rows: &[TransferRow], calls: &mut Vec<Call>) {
    let made = of_kind!(rows, TransferRow::Instance(row) => row);
    let columns = columns!(&made, row =>
        row.number, row.key.tenant.to_string(), row.key.instance.to_string(), i16::from(row.key.shard().number()), row.entries.cast_signed(),
        row.at.as_millis(), number(row.schedule.state), row.schedule.due.map(|due| due.as_millis()), row.since.as_millis(),
        row.schedule.state.has_ended(),
    );
    push(calls, NEW_INSTANCES, columns);
    let printed: Vec<_> = made.into_iter().filter(|row| !row.output.is_empty()).collect();
    push(calls, OUTPUTS, columns!(printed, row => row.number, bytes(&row.output)));
    let entries: Vec<_> = of_kind!(rows, TransferRow::Entries(row) => row)
        .into_iter()
        .map(|row| {
            let count = i32::try_from(row.texts.len()).unwrap_or(i32::MAX);
            let (seq, index) = (row.seq.cast_signed(), row.index.cast_signed());
            let position = RowPosition { seq, index, at: row.at.as_millis(), count };
            let text = row.texts.join(&NEXT.to_string());
            (row.instance, position, sum(&text, &row.key, position), text)
        })
        .collect();
    let columns =
        columns!(&entries, row => row.0, row.1.index, row.1.seq, row.1.at, row.1.count, row.2, row.3.clone());
    push(calls, ENTRIES, columns);
}

fn requests(rows: &[TransferRow], calls: &mut Vec<Call>) {
    let made = of_kind!(rows, TransferRow::Request(row) => row);
    let columns = columns!(&made, row =>
        row.id.to_string(), row.instance, row.seq, row.tenant.to_string(), bytes(&row.subject), row.is_open, row.outcome.clone(), row.body.clone(),
        row.sent.bits().cast_signed(),
    );
    push(calls, NEW_REQUESTS, columns);
    let subjects = of_kind!(rows, TransferRow::Subject(tenant, subject, times) => (tenant, subject, times));
    let subjects = columns!(subjects, row => row.0.to_string(), bytes(row.1), row.2.cast_signed());
    push(calls, SUBJECTS, in_stripe(subjects, STRIPE));
    let denials =
        of_kind!(rows, TransferRow::Denial(tenant, subject, by, times) => (tenant, subject, by, times));
    push(
        calls,
        DENIALS,
        columns!(denials, row => row.0.to_string(), bytes(row.1), bytes(row.2), row.3.cast_signed()),
    );
    let rates = of_kind!(rows, TransferRow::Rate(tenant, minute, times) => (tenant, minute, times));
    let rates = columns!(rates, row => row.0.to_string(), *row.1, row.2.cast_signed());
    push(calls, RATES, in_stripe(rates, STRIPE));
}

fn receipts(rows: &[TransferRow], calls: &mut Vec<Call>) {
    let made = of_kind!(rows, TransferRow::Receipt(row) => row);
    let columns = columns!(made, row =>
        row.seq.cast_signed(), row.id.to_string(), row.request.to_string(), row.tenant.clone(), row.body.clone(),
    );
    push(calls, RECEIPTS, columns);
    let receipt_states =
        of_kind!(rows, TransferRow::ReceiptState(receipt, receipt_state) => (receipt, receipt_state));
    let columns = columns!(receipt_states, row =>
        row.0.to_string(), row.1.redeemed.map(|(at, _)| at.as_millis()), row.1.redeemed.map(|(_, seq)| seq.cast_signed()),
        row.1.attestation.clone(), row.1.revoked.as_ref().map(|(at, _)| at.as_millis()),
        row.1.revoked.as_ref().map(|(_, body)| body.clone()), row.1.revoked.as_ref().and_then(|(_, body)| revocation_id(body)),
    );
    push(calls, RECEIPT_STATES, columns);
    let precedents = of_kind!(rows, TransferRow::Precedent(row) => row);
    let columns = columns!(precedents, row =>
        row.tenant.to_string(), row.digest.to_string(), bytes(&row.signers), row.seq.cast_signed(), row.receipt.to_string(),
    );
    push(calls, PRECEDENTS, in_stripe(columns, STRIPE));
    let acts = of_kind!(rows, TransferRow::Act(act) => act);
    push(calls, ACTS, columns!(acts, row => row.seq.cast_signed(), row.at.as_millis(), row.body.clone()));
}

fn counts(rows: &[TransferRow], calls: &mut Vec<Call>) {
    let holdings =
        of_kind!(rows, TransferRow::Holding(tenant, component, times) => (tenant, component, times));
    let holdings = columns!(holdings, row => row.0.to_string(), row.1.to_string(), row.2.cast_signed());
    push(calls, HOLDINGS, in_stripe(holdings, STRIPE));
    let usage = of_kind!(rows, TransferRow::Usage(tenant, usage) => (tenant, usage));
    let columns = columns!(usage, row =>
        row.0.to_string(), signed(row.1.instances), signed(row.1.pending_approvals), signed(row.1.stored_bytes),
    );
    push(calls, USAGE, columns);
}

fn actions(rows: &[TransferRow], calls: &mut Vec<Call>) {
    let made = of_kind!(rows, TransferRow::Deployment(row) => row);
    let columns = columns!(&made, row =>
        row.place.cast_signed(), row.deployment.id.clone(), row.deployment.tenant.to_string(), bytes(&row.deployment.resource),
        bytes(&row.deployment.artifact), row.deployment.artifact_sha256.to_string(), row.deployment.artifact_bytes.cast_signed(),
        bytes(&row.deployment.location), row.deployment.receipt_id.clone(), row.deployment.order.cast_signed(),
        row.deployment.approved_at.as_millis(),
    );
    push(calls, DEPLOYMENTS, columns);
    let live: Vec<_> = made.into_iter().filter(|row| row.is_live).collect();
    let columns = columns!(live, row =>
        row.deployment.tenant.to_string(), bytes(&row.deployment.resource), row.place.cast_signed(), row.deployment.order.cast_signed(),
    );
    push(calls, LIVE, columns);
    let held = of_kind!(rows, TransferRow::Holder(row) => row);
    push(
        calls,
        ARTIFACTS,
        columns!(&held, row => row.tenant.to_string(), row.sha256.to_string(), row.bytes.cast_signed()),
    );
    push(calls, HOLDERS, columns!(held, row => row.holder, row.sha256.to_string()));
    let deleted = of_kind!(rows, TransferRow::Deletion(row) => row);
    let columns = columns!(deleted, row =>
        row.at.as_millis(), row.key.tenant.to_string(), row.key.instance.to_string(), bytes(&row.by), row.facts.cast_signed(),
        row.end.map(|end| number(end.state)), row.end.map(|end| end.at.as_millis()),
    );
    push(calls, DELETIONS, columns);
}

/// Adds a call unless it has no rows.
fn push(calls: &mut Vec<Call>, statement: &'static str, (rows, values): (usize, Vec<Value>)) {
    if rows > 0 {
        calls.push(Call::new(statement, values));
    }
}
