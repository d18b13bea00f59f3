//! The tables, and the version that a database has.
//!
//! Texts that a workflow or a person chose may contain any character and are stored as bytes; names and JSON texts
//! never contain a zero character and are stored as text. All comparisons are byte by byte, so that orders are the same
//! on every server.

use crate::error::{DatabaseError, PostgresError};
use crate::session::connection::{Connection, values};
use crate::session::location::Location;

/// The version that this program reads and writes.
const VERSION: i32 = 8;

/// The step from version `n - 1` to version `n`.
const STEPS: [&str; VERSION as usize] = [
    include_str!("1.sql"),
    include_str!("2.sql"),
    include_str!("3.sql"),
    include_str!("4.sql"),
    include_str!("5.sql"),
    include_str!("6.sql"),
    include_str!("7.sql"),
    include_str!("8.sql"),
];

/// The key of the lock that keeps two programs from changing a schema at once: "pp-host" as bytes.
pub(crate) const LOCK: i64 = 0x0070_702d_686f_7374;

/// Creates or upgrades the schema, in one transaction.
pub(crate) async fn migrate(db: &Connection) -> Result<(), DatabaseError> {
    db.run("BEGIN").await?;
    db.query("SELECT pg_advisory_xact_lock($1)", values![LOCK]).await?;
    let found = version(db).await?.unwrap_or(0);
    if found > VERSION {
        return Err(PostgresError::NewSchema { found, known: VERSION }.into());
    }
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        db.run(step).await?;
    }
    db.query("UPDATE pp_host_schema SET version = $1", values![VERSION]).await?;
    db.run("COMMIT").await
}

/// Refuses a database that has no schema, or one of another version.
pub(crate) async fn check(db: &Connection, place: &Location) -> Result<(), DatabaseError> {
    match version(db).await? {
        None => Err(PostgresError::NoSchema { place: place.to_string() }.into()),
        Some(found) if found < VERSION => Err(PostgresError::OldSchema { found, known: VERSION }.into()),
        Some(found) if found > VERSION => Err(PostgresError::NewSchema { found, known: VERSION }.into()),
        Some(_) => Ok(()),
    }
}

async fn version(db: &Connection) -> Result<Option<i32>, DatabaseError> {
    let there = db.one("SELECT to_regclass('pp_host_schema') IS NOT NULL", Vec::new()).await?;
    if there.is_none_or(|row| !row.get::<_, bool>(0)) {
        return Ok(None);
    }
    Ok(db.one("SELECT version FROM pp_host_schema", Vec::new()).await?.map(|row| row.get(0)))
}
