//! Reading journals, components and output.

use crate::error::DatabaseError;
use crate::session::connection::{Connection, values};
use crate::write::entries::read;
use crate::write::load::{key, state, text};
use receipt::{Digest, Timestamp};
use store::{Deleted, EndState, Fact, InstanceKey, StoreError};
use tokio_postgres::Row;
use workflow::TenantId;

const JOURNAL: &str = "SELECT e.seq, e.idx, e.at, e.count, e.sum, e.body
    FROM instances i LEFT JOIN entries e ON e.instance = i.id WHERE i.tenant = $1 AND i.instance = $2 ORDER BY e.idx";
const FROM: &str = "SELECT e.seq, e.idx, e.at, e.count, e.sum, e.body
    FROM instances i LEFT JOIN LATERAL (SELECT * FROM entries n WHERE n.instance = i.id
        AND n.idx >= coalesce((SELECT max(b.idx) FROM entries b WHERE b.instance = i.id AND b.idx <= $3), 0)
        ORDER BY n.idx LIMIT $4) e ON true
    WHERE i.tenant = $1 AND i.instance = $2 ORDER BY e.idx";
const ALL: &str = "SELECT i.tenant, i.instance, e.seq, e.idx, e.at, e.count, e.sum, e.body
    FROM entries e JOIN instances i ON i.id = e.instance ORDER BY e.seq";

/// An instance's journal.
pub(crate) async fn journal(db: &Connection, key: &InstanceKey) -> Result<Vec<Fact>, DatabaseError> {
    Ok(facts(&db.query(JOURNAL, names(key)).await?, key)?)
}

/// The facts of an instance's journal, from all of its rows.
pub(crate) fn facts(rows: &[Row], key: &InstanceKey) -> Result<Vec<Fact>, StoreError> {
    let mut facts: Vec<Fact> = Vec::new();
    for row in with_entries(rows, key)? {
        let read = read(row, 0, key)?;
        follows(facts.len() as u64, &read, key)?;
        facts.extend(read);
    }
    Ok(facts)
}

/// The next facts of an instance, from that index on.
pub(crate) async fn from(
    db: &Connection,
    key: &InstanceKey,
    index: u64,
    limit: u32,
) -> Result<Vec<Fact>, DatabaseError> {
    let mut values = names(key);
    values.extend(values![index.cast_signed(), i64::from(limit) + 1]);
    let rows = db.query(FROM, values).await?;
    let mut facts = Vec::new();
    for row in with_entries(&rows, key)? {
        facts.extend(read(row, 0, key)?);
    }
    Ok(facts.into_iter().filter(|fact| fact.index >= index).take(limit as usize).collect())
}

/// All facts, in order.
pub(crate) async fn all(db: &Connection) -> Result<Vec<Fact>, DatabaseError> {
    let mut facts = Vec::new();
    for row in &db.query(ALL, Vec::new()).await? {
        facts.extend(read(row, 2, &key(row, 0)?)?);
    }
    Ok(facts)
}

/// The rows that are entries. An instance without entries has one row without an entry; an unknown instance has no row.
fn with_entries<'a>(rows: &'a [Row], key: &InstanceKey) -> Result<impl Iterator<Item = &'a Row>, StoreError> {
    match rows.is_empty() {
        true => Err(StoreError::NoInstance(key.to_string())),
        false => Ok(rows.iter().filter(|row| row.get::<_, Option<i64>>(0).is_some())),
    }
}

/// Refuses a journal with an entry that is missing or not in its place.
fn follows(expected: u64, row: &[Fact], key: &InstanceKey) -> Result<(), StoreError> {
    match row.first() {
        Some(first) if first.index != expected => Err(StoreError::Damaged(format!(
            "the journal of instance {key} has entry {} where entry {expected} should be",
            first.index
        ))),
        _ => Ok(()),
    }
}

/// The instances, oldest first.
pub(crate) async fn instances(db: &Connection) -> Result<Vec<InstanceKey>, DatabaseError> {
    let rows = db.query("SELECT tenant, instance FROM instances ORDER BY id", Vec::new()).await?;
    Ok(rows.iter().map(|row| key(row, 0)).collect::<Result<_, _>>()?)
}

/// The bytes of a component, as they were stored.
pub(crate) async fn component(db: &Connection, digest: &Digest) -> Result<Vec<u8>, DatabaseError> {
    let row = db.one("SELECT bytes FROM components WHERE digest = $1", values![digest.to_string()]).await?;
    let row = row.ok_or_else(|| StoreError::Damaged(format!("component {digest} is missing")))?;
    let bytes: Vec<u8> = row.get(0);
    match Digest::of(&bytes) == *digest {
        true => Ok(bytes),
        false => {
            Err(StoreError::Damaged(format!("component {digest} has other bytes than it was stored with"))
                .into())
        }
    }
}

/// The output of an instance's guest.
pub(crate) async fn output(db: &Connection, key: &InstanceKey) -> Result<String, DatabaseError> {
    const OUTPUT: &str =
        "SELECT coalesce(o.text, '') FROM instances i LEFT JOIN outputs o ON o.instance = i.id
        WHERE i.tenant = $1 AND i.instance = $2";
    let row = db.one(OUTPUT, names(key)).await?.ok_or_else(|| StoreError::NoInstance(key.to_string()))?;
    Ok(text(&row, 0)?)
}

/// The first deletions from that time on, in order: of one tenant, or of all.
pub(crate) async fn deletions(
    db: &Connection,
    tenant: Option<&TenantId>,
    from: Timestamp,
    limit: u32,
) -> Result<Vec<Deleted>, DatabaseError> {
    const ALL: &str = "SELECT tenant, instance, at, deleted_by, facts, state, ended_at FROM deletions
        WHERE at >= $1 ORDER BY at, id LIMIT $2";
    const OF_TENANT: &str = "SELECT tenant, instance, at, deleted_by, facts, state, ended_at FROM deletions
        WHERE at >= $1 AND tenant = $3 ORDER BY at, id LIMIT $2";
    let deleted = |row: &Row| -> Result<Deleted, StoreError> {
        let (at, facts) = (Timestamp::from_millis(row.get(2)), row.get::<_, i64>(4).unsigned_abs());
        let end = row.get::<_, Option<i16>>(5).zip(row.get::<_, Option<i64>>(6));
        let end = end.map(|(number, at)| {
            Ok::<_, StoreError>(EndState { state: state(number)?, at: Timestamp::from_millis(at) })
        });
        Ok(Deleted { key: key(row, 0)?, at, by: text(row, 3)?, facts, end: end.transpose()? })
    };
    let mut values = values![from.as_millis(), i64::from(limit)];
    let rows = match tenant {
        None => db.query(ALL, values).await?,
        Some(tenant) => {
            values.extend(values![tenant.to_string()]);
            db.query(OF_TENANT, values).await?
        }
    };
    Ok(rows.iter().map(deleted).collect::<Result<_, _>>()?)
}

/// An instance's name as two values.
pub(crate) fn names(key: &InstanceKey) -> Vec<crate::session::connection::Value> {
    values![key.tenant.to_string(), key.instance.to_string()]
}
