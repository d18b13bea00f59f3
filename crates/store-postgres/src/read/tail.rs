//! The facts of all instances in order, for readers that continue from a place.
//!
//! A sequence assigns the places, and commits may have another order: a transaction with smaller places may still be
//! open. Therefore a reader gets facts only up to a place below which every transaction has ended.

use crate::error::DatabaseError;
use crate::session::connection::{Connection, values};
use crate::write::entries::read;
use crate::write::load::key;
use std::time::Duration;
use store::Fact;
use tokio::time::sleep;
use tokio_postgres::Row;
use workflow::TenantId;

const LAST: &str = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM facts";
// Read after the last place: a transaction gets its number before its places, so each with a place up to that one has a smaller number than this. (The
// upper bound of a snapshot would not do. It is the number after the last *ended* transaction, and an open one may have it.)
const BOUND: &str = "SELECT pg_current_xact_id()::text";
const ENDED: &str = "SELECT pg_snapshot_xmin(pg_current_snapshot()) >= $1::text::xid8";
const AFTER: &str = "SELECT i.tenant, i.instance, e.seq, e.idx, e.at, e.count, e.sum, e.body
    FROM entries e JOIN instances i ON i.id = e.instance
    WHERE e.seq >= coalesce((SELECT max(b.seq) FROM entries b WHERE b.seq <= $1), 0) AND e.seq <= $2 ORDER BY e.seq LIMIT $3";
// The planner may begin at the rows after the place or at the tenant's instances; it estimates the cost of each from its statistics.
const OF_TENANT: &str = "SELECT i.tenant, i.instance, e.seq, e.idx, e.at, e.count, e.sum, e.body
    FROM entries e JOIN instances i ON i.id = e.instance
    WHERE i.tenant = $4 AND e.seq >= coalesce((SELECT max(b.seq) FROM entries b WHERE b.seq <= $1), 0) AND e.seq <= $2
    ORDER BY e.seq LIMIT $3";
const LAST_COMMITTED: &str = "SELECT seq + count - 1 FROM entries WHERE seq <= $1 ORDER BY seq DESC LIMIT 1";

/// The pause between checks whether the open transactions have ended, and the number of checks.
const PAUSE: Duration = Duration::from_millis(2);
const LOOKS: u32 = 250;

/// The last place below which no further fact can appear: at least `known`, an earlier result.
pub(crate) async fn horizon(db: &Connection, known: i64) -> Result<i64, DatabaseError> {
    let last = db.one(LAST, Vec::new()).await?.map_or(0, |row| row.get::<_, i64>(0));
    if last <= known {
        return Ok(known);
    }
    let bound = db.one(BOUND, Vec::new()).await?.map_or_else(String::new, |row| row.get::<_, String>(0));
    for _ in 0..LOOKS {
        let ended = db.one(ENDED, values![bound.clone()]).await?;
        if ended.is_some_and(|row| row.get(0)) {
            return Ok(last);
        }
        sleep(PAUSE).await;
    }
    // Facts of open transactions, and all facts after them, are returned later.
    Ok(known)
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
