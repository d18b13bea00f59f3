//! Reading requests, receipts and operators' acts.

use crate::error::{DatabaseError, damaged};
use crate::read::journals::facts;
use crate::session::connection::{Connection, values};
use crate::write::decide::minute;
use crate::write::load::{key, name, receipt_state, text};
use receipt::{Digest, Timestamp};
use store::{
    AskHistory, ReceiptPage, RecordedAct, RecordedReceipt, RecordedRequest, RequestFilter,
    RequestWithJournal, SentNotices, StoreError, StoredReceipt,
};
use tokio_postgres::Row;
use workflow::{ReceiptId, RequestId, TenantId};

/// The receipts that are kept for one digest: the latest of this many sets of people.
const PRECEDENTS: i64 = 16;

macro_rules! requests {
    ($rest:literal) => {
        concat!("SELECT i.tenant, i.instance, r.body, r.outcome, r.notified FROM requests r JOIN instances i ON i.id = r.instance ", $rest)
    };
}

const REQUEST: &str = requests!("WHERE r.id = $1");

/// A request as JSON text, and the instance that made it.
pub(crate) async fn request(
    db: &Connection,
    id: &RequestId,
) -> Result<Option<RecordedRequest>, DatabaseError> {
    let row = db.one(REQUEST, values![id.to_string()]).await?;
    Ok(row.as_ref().map(recorded).transpose()?)
}

/// The request with that instance's journal: one statement, so both are from one snapshot.
pub(crate) async fn with_journal(
    db: &Connection,
    id: &RequestId,
) -> Result<Option<RequestWithJournal>, DatabaseError> {
    // The text once, with the first entry.
    const SELECT: &str = "SELECT e.seq, e.idx, e.at, e.count, e.sum, e.body, i.tenant, i.instance, CASE coalesce(e.idx, 0) WHEN 0 THEN r.body END
        FROM requests r JOIN instances i ON i.id = r.instance LEFT JOIN entries e ON e.instance = i.id WHERE r.id = $1 ORDER BY e.idx";
    let rows = db.query(SELECT, values![id.to_string()]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let key = key(first, 6)?;
    let facts = facts(&rows, &key)?;
    let document =
        serde_json::from_str(first.get::<_, Option<&str>>(8).unwrap_or_default()).map_err(damaged)?;
    Ok(Some(RequestWithJournal { key, document, facts }))
}

/// Requests with their instances and outcomes.
pub(crate) async fn list(
    db: &Connection,
    which: &RequestFilter,
) -> Result<Vec<RecordedRequest>, DatabaseError> {
    const WAITING: &str = requests!("WHERE r.open ORDER BY r.seq");
    const ALL: &str = requests!("ORDER BY r.seq");
    const LAST: &str = requests!("ORDER BY r.seq DESC LIMIT $1");
    const BEFORE: &str = requests!(
        "WHERE r.seq < (SELECT b.seq FROM requests b WHERE b.id = $2) ORDER BY r.seq DESC LIMIT $1"
    );
    let rows = match which {
        RequestFilter::Waiting => db.query(WAITING, Vec::new()).await?,
        RequestFilter::All => db.query(ALL, Vec::new()).await?,
        RequestFilter::Before(None, limit) => db.query(LAST, values![i64::from(*limit)]).await?,
        RequestFilter::Before(Some(id), limit) => {
            db.query(BEFORE, values![i64::from(*limit), id.to_string()]).await?
        }
    };
    Ok(rows.iter().map(recorded).collect::<Result<_, _>>()?)
}

fn recorded(row: &Row) -> Result<RecordedRequest, StoreError> {
    let sent = SentNotices::from_bits(row.get::<_, i16>(4).cast_unsigned());
    Ok(RecordedRequest { key: key(row, 0)?, body: row.get(2), outcome: row.get(3), sent })
}

/// The history of requests for this subject, from one snapshot.
pub(crate) async fn asked(
    db: &Connection,
    tenant: &TenantId,
    subject: &str,
) -> Result<AskHistory, DatabaseError> {
    // The number of all requests has no signers.
    const SELECT: &str =
        "SELECT NULL::bytea, coalesce(sum(times), 0)::bigint FROM subjects WHERE tenant = $1 AND digest = sha256($2::bytea)
        UNION ALL SELECT signers, times FROM denials WHERE tenant = $1 AND digest = sha256($2::bytea)";
    let rows = db.query(SELECT, values![tenant.to_string(), subject.as_bytes().to_vec()]).await?;
    let mut history = AskHistory::default();
    for row in &rows {
        let times = row.get::<_, i64>(1).unsigned_abs();
        match row.get::<_, Option<&[u8]>>(0) {
            None => history.times = times,
            Some(_) => history.denials.push((text(row, 0)?, times)),
        }
    }
    Ok(history)
}

/// The number of requests of a tenant since the beginning of that minute.
pub(crate) async fn asked_since(
    db: &Connection,
    tenant: &TenantId,
    since: Timestamp,
) -> Result<u64, DatabaseError> {
    const SUM: &str = "SELECT coalesce(sum(times), 0)::bigint FROM rates WHERE tenant = $1 AND minute >= $2";
    let row = db.one(SUM, values![tenant.to_string(), minute(since.as_millis())]).await?;
    Ok(row.map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
}

/// A receipt and its state.
pub(crate) async fn receipt(
    db: &Connection,
    id: &ReceiptId,
) -> Result<Option<RecordedReceipt>, DatabaseError> {
    const RECEIPT: &str =
        "SELECT r.body, f.redeemed_at, f.redeemed_seq, f.attestation, f.revoked_at, f.revocation
        FROM receipts r LEFT JOIN receipt_states f ON f.receipt = r.id WHERE r.id = $1";
    let Some(row) = db.one(RECEIPT, values![id.to_string()]).await? else { return Ok(None) };
    Ok(Some(RecordedReceipt { receipt: stored(row.get(0))?, state: receipt_state(&row, 1) }))
}

/// The receipt that decided that request.
pub(crate) async fn receipt_of(
    db: &Connection,
    request: &RequestId,
) -> Result<Option<StoredReceipt>, DatabaseError> {
    const RECEIPT: &str = "SELECT body FROM receipts WHERE request = $1";
    let row = db.one(RECEIPT, values![request.to_string()]).await?;
    Ok(row.map(|row| stored(row.get(0))).transpose()?)
}

/// The signed revocation of that id.
pub(crate) async fn revocation(
    db: &Connection,
    id: &ReceiptId,
) -> Result<Option<StoredReceipt>, DatabaseError> {
    const REVOCATION: &str = "SELECT revocation FROM receipt_states WHERE revocation_id = $1";
    let row = db.one(REVOCATION, values![id.to_string()]).await?;
    Ok(row.map(|row| stored(row.get(0))).transpose()?)
}

fn stored(body: &str) -> Result<StoredReceipt, StoreError> {
    serde_json::from_str(body).map_err(damaged)
}

/// A page of receipts. With a tenant, the query reads no other tenant's rows.
pub(crate) async fn receipts(db: &Connection, page: &ReceiptPage) -> Result<Vec<ReceiptId>, DatabaseError> {
    macro_rules! oldest_first {
        ($whose:literal) => {
            concat!(
                "SELECT id FROM receipts WHERE ",
                $whose,
                " AND seq > coalesce((SELECT seq FROM receipts WHERE id = $2::text), 0) ORDER BY seq LIMIT $3"
            )
        };
    }
    macro_rules! newest_first {
        ($whose:literal) => {
            concat!(
                "SELECT id FROM receipts WHERE ",
                $whose,
                " AND seq < coalesce((SELECT seq FROM receipts WHERE id = $2::text), 9223372036854775807) ORDER BY seq DESC LIMIT $3"
            )
        };
    }
    let ReceiptPage { tenant, after, newest_first, limit } = page;
    let select = match (tenant.is_some(), newest_first) {
        (false, false) => oldest_first!("$1::text IS NULL"),
        (false, true) => newest_first!("$1::text IS NULL"),
        (true, false) => oldest_first!("tenant = $1::text"),
        (true, true) => newest_first!("tenant = $1::text"),
    };
    let (tenant, after) = (tenant.as_ref().map(ToString::to_string), after.as_ref().map(ToString::to_string));
    let rows = db.query(select, values![tenant, after, i64::from(*limit)]).await?;
    Ok(rows.iter().map(|row| name(row, 0)).collect::<Result<_, _>>()?)
}

/// The receipts that may make each of these digests known, the latest first.
pub(crate) async fn precedents(
    db: &Connection,
    tenant: &TenantId,
    digests: &[Digest],
) -> Result<Vec<(Digest, ReceiptId)>, DatabaseError> {
    const SELECT: &str = "SELECT k.digest, p.receipt FROM unnest($2::text[]) AS k(digest), LATERAL (
            SELECT receipt, seq FROM (SELECT DISTINCT ON (signers) receipt, seq FROM precedents WHERE tenant = $1 AND digest = k.digest
                ORDER BY signers, seq DESC) latest ORDER BY seq DESC LIMIT $3) p ORDER BY p.seq DESC";
    let names: Vec<String> = digests.iter().map(ToString::to_string).collect();
    let rows = db.query(SELECT, values![tenant.to_string(), names, PRECEDENTS]).await?;
    Ok(rows.iter().map(|row| Ok((name(row, 0)?, name(row, 1)?))).collect::<Result<_, StoreError>>()?)
}

/// The acts after that place, in order.
pub(crate) async fn acts(db: &Connection, after: u64) -> Result<Vec<RecordedAct>, DatabaseError> {
    const ACTS: &str = "SELECT seq, at, body FROM acts WHERE seq > $1 ORDER BY seq";
    Ok(db.query(ACTS, values![after.cast_signed()]).await?.iter().map(act).collect())
}

/// The first acts after that place, in order.
pub(crate) async fn acts_after(
    db: &Connection,
    seq: u64,
    limit: u32,
) -> Result<Vec<RecordedAct>, DatabaseError> {
    const ACTS: &str = "SELECT seq, at, body FROM acts WHERE seq > $1 ORDER BY seq LIMIT $2";
    Ok(db.query(ACTS, values![seq.cast_signed(), i64::from(limit)]).await?.iter().map(act).collect())
}

fn act(row: &Row) -> RecordedAct {
    let (seq, at) = (row.get::<_, i64>(0).unsigned_abs(), Timestamp::from_millis(row.get(1)));
    RecordedAct { seq, at, body: row.get(2) }
}
