//! The facts of all instances in order, for readers that continue from a place.
//!
//! A sequence assigns the places, and commits may have another order: a transaction with smaller places may still be
//! open. Therefore a reader gets facts only up to a place below which every transaction has ended.
//!
//! A transaction locks the table of writers before it draws places, and until it ends. So the transactions to wait for are those that have this lock after
//! the last place was read: transactions of other programs and of other databases are in no reader's way.

use crate::error::{DatabaseError, PostgresError};
use crate::session::connection::{Call, Connection, values};
use crate::session::readers::Readers;
use crate::write::entries::read;
use crate::write::load::key;
use std::sync::Arc;
use std::time::Duration;
use store::Fact;
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;
use workflow::TenantId;

const LAST: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM facts";
/// The transactions that have locked the table of writers: as hosts do, or as a move does.
macro_rules! writing {
    ($select:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $select,
            " FROM pg_locks l ",
            $rest,
            " l.locktype = 'relation' AND l.granted AND l.relation = 'writers'::regclass AND l.mode IN ('RowExclusiveLock', 'AccessExclusiveLock')
            AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
    };
}
const WRITING: &str = writing!("DISTINCT l.virtualtransaction", "WHERE");
const STILL: &str =
    writing!("DISTINCT l.virtualtransaction", "WHERE l.virtualtransaction = ANY($1::text[]) AND");
// A prepared transaction has no process, and another account's session may be hidden.
const WHOSE: &str = writing!(
    "coalesce('process ' || l.pid, 'prepared transaction ' || l.virtualtransaction), coalesce(to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS'), 'an unknown time')",
    "LEFT JOIN pg_stat_activity a ON a.pid = l.pid WHERE l.virtualtransaction = ANY($1::text[]) AND"
);
const AFTER: &str = "SELECT i.tenant, i.instance, e.seq, e.idx, e.at, e.count, e.sum, e.body
    FROM entries e JOIN instances i ON i.id = e.instance
    WHERE e.seq >= coalesce((SELECT max(b.seq) FROM entries b WHERE b.seq <= $1), 0) AND e.seq <= $2 ORDER BY e.seq LIMIT $3";
// The planner may begin at the rows after the place or at the tenant's instances; it estimates the cost of each from its statistics.
const OF_TENANT: &str = "SELECT i.tenant, i.instance, e.seq, e.idx, e.at, e.count, e.sum, e.body
    FROM entries e JOIN instances i ON i.id = e.instance
    WHERE i.tenant = $4 AND e.seq >= coalesce((SELECT max(b.seq) FROM entries b WHERE b.seq <= $1), 0) AND e.seq <= $2
    ORDER BY e.seq LIMIT $3";
const LAST_COMMITTED: &str = "SELECT seq + count - 1 FROM entries WHERE seq <= $1 ORDER BY seq DESC LIMIT 1";

/// The first pause between checks whether the open transactions have ended, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));

/// The time for which a reader waits: longer than the server keeps a transaction of a host that stands still.
const TIMEOUT: Duration = Duration::from_secs(6);

/// The last place below which no further fact can appear: at least `known`, an earlier result. No session is lent while it waits.
pub(crate) async fn horizon(readers: &Arc<Readers>, known: i64) -> Result<i64, DatabaseError> {
    let looks = [Call::new(LAST, Vec::new()), Call::new(WRITING, Vec::new())];
    let answers = readers.acquire().await?.calls(&looks).await?;
    let [last, writing] = &answers[..] else { return Ok(known) };
    let last = last.first().map_or(0, |row| row.get::<_, i64>(0));
    let mut open: Vec<String> = writing.iter().map(|row| row.get(0)).collect();
    let (end, mut pause) = (Instant::now() + TIMEOUT, PAUSES.0);
    while last > known && !open.is_empty() {
        if Instant::now() >= end {
            return Err(waits(known, readers.acquire().await?.one(WHOSE, values![open]).await?).into());
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
        let still = readers.acquire().await?.query(STILL, values![open]).await?;
        open = still.iter().map(|row| row.get(0)).collect();
    }
    Ok(last.max(known))
}

/// The error that names the transaction for which the facts after a place wait.
fn waits(known: i64, whose: Option<Row>) -> PostgresError {
    let (whose, since) = match whose {
        Some(row) => (row.get(0), row.get(1)),
        None => ("another process".to_owned(), "an unknown time".to_owned()),
    };
    PostgresError::OpenTransaction { after: known, whose, since }
}

/// The first facts after that place, up to the horizon.
pub(crate) async fn after(
    db: &Connection,
    seq: u64,
    limit: u32,
    horizon: i64,
) -> Result<Vec<Fact>, DatabaseError> {
    let rows = db.query(AFTER, values![seq.cast_signed(), horizon, i64::from(limit) + 1]).await?;
    first(&rows, seq, limit)
}

/// The first facts of a tenant after that place, up to the horizon.
pub(crate) async fn of_tenant(
    db: &Connection,
    tenant: &TenantId,
    seq: u64,
    limit: u32,
    horizon: i64,
) -> Result<Vec<Fact>, DatabaseError> {
    let values = values![seq.cast_signed(), horizon, i64::from(limit) + 1, tenant.to_string()];
    first(&db.query(OF_TENANT, values).await?, seq, limit)
}

fn first(rows: &[Row], seq: u64, limit: u32) -> Result<Vec<Fact>, DatabaseError> {
    let mut facts = Vec::new();
    for row in rows {
        facts.extend(read(row, 2, &key(row, 0)?)?);
    }
    Ok(facts.into_iter().filter(|fact| fact.seq > seq).take(limit as usize).collect())
}

/// The last place up to which facts are returned.
pub(crate) async fn last(db: &Connection, horizon: i64) -> Result<u64, DatabaseError> {
    let row = db.one(LAST_COMMITTED, values![horizon]).await?;
    Ok(row.map_or(0, |row| row.get::<_, i64>(0).unsigned_abs()))
}
