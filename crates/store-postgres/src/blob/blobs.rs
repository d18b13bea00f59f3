//! Artifacts, in chunks or in object storage: checked against their digest when they are read.
//!
//! Chunks are read and written with bounded memory on the server. Of an artifact in object storage the database has only the row (see [`crate::blob::objects`]).
//! No session is held during a request to object storage: there are few sessions, and a bucket may take long to answer.

use crate::blob::objects::{self, Objects};
use crate::error::{DatabaseError, damaged};
use crate::session::connection::{Call, Connection, values};
use crate::session::readers::Readers;
use receipt::Digest;
use std::sync::Arc;
use store::StoreError;

/// The most bytes of one row.
const CHUNK: usize = 256 << 10;

// The row is not locked: an artifact that many actions keep at once would have their commits wait for each other.
const RECENT: &str =
    "SELECT object FROM blobs WHERE sha256 = $1 AND kept > clock_timestamp() - interval '10 minutes'";
const KEEP: &str = "INSERT INTO blobs (sha256, bytes, kept) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (sha256) DO UPDATE SET kept = excluded.kept RETURNING (xmax = 0)";
const CHUNKS: &str =
    "INSERT INTO blob_chunks (sha256, part, bytes) SELECT $1, * FROM unnest($2::bigint[], $3::bytea[])";
const READ: &str = "SELECT c.bytes, b.object FROM blobs b LEFT JOIN blob_chunks c USING (sha256) WHERE b.sha256 = $1 ORDER BY c.part";
// The row is locked before the next statement looks for holders.
const OLD: &str =
    "SELECT 1 FROM blobs WHERE sha256 = $1 AND kept < clock_timestamp() - interval '1 hour' FOR UPDATE";
// A host without object storage leaves artifacts that are there to other hosts.
const SWEEP: &str = "DELETE FROM blobs b WHERE b.sha256 = $1 AND (b.object IS NULL OR $2)
    AND NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.sha256 = $1 AND a.holders > 0) RETURNING b.object";

/// Stores bytes under their digest. Bytes that are stored get a new time; none is written if theirs is less than ten
/// minutes old.
pub(crate) async fn keep(
    readers: &Arc<Readers>,
    objects: Option<Objects>,
    digest: &Digest,
    bytes: Arc<[u8]>,
) -> Result<(), DatabaseError> {
    let recent = readers.acquire().await?.one(RECENT, values![digest.to_string()]).await?;
    let recent = recent.map(|row| row.get::<_, Option<String>>(0));
    match objects {
        Some(objects) => objects::keep(readers, &*objects, (digest, recent), bytes).await,
        None if recent.is_some() => Ok(()),
        None => keep_chunks(&*readers.acquire().await?, digest, &bytes).await,
    }
}

async fn keep_chunks(db: &Connection, digest: &Digest, bytes: &[u8]) -> Result<(), DatabaseError> {
    let (name, size) = (digest.to_string(), bytes.len().cast_signed() as i64);
    let kept = db.begin("BEGIN", &[Call::new(KEEP, values![name.clone(), size])]).await?;
    let is_new = kept.first().and_then(|rows| rows.first()).is_some_and(|row| row.get(0));
    if is_new {
        insert_chunks(db, &name, bytes).await?;
    }
    db.commit(&[]).await.map(drop)
}

/// Inserts bytes that are not stored yet, in the open transaction.
pub(crate) async fn insert(db: &Connection, digest: &Digest, bytes: &[u8]) -> Result<(), DatabaseError> {
    const INSERT: &str = "INSERT INTO blobs (sha256, bytes, kept) VALUES ($1, $2, clock_timestamp())";
    let (name, size) = (digest.to_string(), bytes.len().cast_signed() as i64);
    db.query(INSERT, values![name.clone(), size]).await?;
    insert_chunks(db, &name, bytes).await
}

/// A few chunks in each exchange, so that only those are in memory twice.
async fn insert_chunks(db: &Connection, name: &str, bytes: &[u8]) -> Result<(), DatabaseError> {
    for (group, chunks) in bytes.chunks(CHUNK * 8).enumerate() {
        let chunks: Vec<Vec<u8>> = chunks.chunks(CHUNK).map(<[u8]>::to_vec).collect();
        let first = group.cast_signed() as i64 * 8;
        let parts: Vec<i64> = (first..).take(chunks.len()).collect();
        db.query(CHUNKS, values![name.to_owned(), parts, chunks]).await?;
    }
    Ok(())
}

/// The bytes of a digest.
pub(crate) async fn read(
    readers: &Arc<Readers>,
    objects: Option<Objects>,
    digest: &Digest,
) -> Result<Option<Vec<u8>>, DatabaseError> {
    let rows = readers.acquire().await?.query(READ, values![digest.to_string()]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let bytes: Vec<u8> = match first.get::<_, Option<&str>>(1) {
        Some(name) => objects::read(objects.as_deref(), digest, name).await?,
        None => rows.iter().filter_map(|row| row.get::<_, Option<&[u8]>>(0)).flatten().copied().collect(),
    };
    match Digest::of(&bytes) == *digest {
        true => Ok(Some(bytes)),
        false => {
            Err(StoreError::Damaged(format!("artifact {digest} has other bytes than it was kept with"))
                .into())
        }
    }
}

/// The digests that are kept.
pub(crate) async fn list(db: &Connection) -> Result<Vec<Digest>, DatabaseError> {
    let rows = db.query("SELECT sha256 FROM blobs", Vec::new()).await?;
    Ok(rows.iter().map(|row| row.get::<_, &str>(0).parse().map_err(damaged)).collect::<Result<_, _>>()?)
}

/// Removes the bytes of a digest that nothing keeps, an hour after they were kept.
pub(crate) async fn sweep(
    readers: &Arc<Readers>,
    objects: Option<Objects>,
    digest: &Digest,
) -> Result<(), DatabaseError> {
    let has_objects = objects.is_some();
    let name = delete(&*readers.acquire().await?, has_objects, digest).await?;
    match (objects, name) {
        // Only now, when no row names the object any more. If this fails, a sweep removes it later.
        (Some(objects), Some(name)) => Ok(objects.remove(&name).await?),
        _ => Ok(()),
    }
}

/// Deletes the row of an old digest that nothing keeps. Returns the name of its object.
async fn delete(
    db: &Connection,
    has_objects: bool,
    digest: &Digest,
) -> Result<Option<String>, DatabaseError> {
    let old = db.begin("BEGIN", &[Call::new(OLD, values![digest.to_string()])]).await?;
    let sweeps = old.first().is_some_and(|rows| !rows.is_empty());
    let call = sweeps.then(|| Call::new(SWEEP, values![digest.to_string(), has_objects]));
    let swept = db.commit(call.as_slice()).await?;
    Ok(swept.first().and_then(|rows| rows.first()?.get::<_, Option<String>>(0)))
}
