//! The bytes of artifacts in object storage.
//!
//! Each time that bytes are stored, the object gets a new name: `DATABASE/DIGEST/TIME-UUID`. A row names it once the object is durable, and the row
//! is deleted before the object is removed. So a removal that arrives late removes no newer object, and an
//! object without a row, which a killed host has left, is recognised by the database's time in its name.

use crate::error::{DatabaseError, PostgresError, damaged};
use crate::session::connection::values;
use crate::session::readers::Readers;
use receipt::Digest;
use std::sync::Arc;
use store::{ObjectStorage, StoreError};

/// The object storage of a store.
pub(crate) type Objects = Arc<dyn ObjectStorage>;

/// The time within which a row has to name an object, and the age at which an object without a row is removed, in milliseconds.
const NAMED_WITHIN: i64 = 30 * 60 * 1_000;
const REMOVED_AFTER: i64 = 60 * 60 * 1_000;

const KEPT: &str = "UPDATE blobs SET kept = clock_timestamp() WHERE sha256 = $1 RETURNING object";
const NEW_NAME: &str =
    "SELECT id, (extract(epoch FROM clock_timestamp()) * 1000)::bigint, gen_random_uuid()::text
    FROM pp_host_schema";
const NAME: &str = "INSERT INTO blobs (sha256, bytes, kept, object) SELECT $1, $2, clock_timestamp(), $3
    WHERE extract(epoch FROM clock_timestamp()) * 1000 < $4::bigint
    ON CONFLICT (sha256) DO UPDATE SET kept = excluded.kept RETURNING object";
const UNNAMED: &str = "SELECT o.name FROM unnest($1::text[], $2::text[]) AS o(name, sha256)
    WHERE NOT EXISTS (SELECT 1 FROM blobs b WHERE b.sha256 = o.sha256 AND b.object = o.name)";

/// Stores bytes under their digest. Stored bytes get a new time, unless the row with its object is `recent`; a lost object is written again.
pub(crate) async fn keep(
    readers: &Arc<Readers>,
    objects: &dyn ObjectStorage,
    (digest, recent): (&Digest, Option<Option<String>>),
    bytes: Arc<[u8]>,
) -> Result<(), DatabaseError> {
    let kept = match recent {
        Some(object) => Some(object),
        None => {
            let kept = readers.acquire().await?.one(KEPT, values![digest.to_string()]).await?;
            kept.map(|row| row.get(0))
        }
    };
    match kept {
        None => keep_new(readers, objects, digest, bytes).await,
        // In chunks.
        Some(None) => Ok(()),
        Some(Some(name)) => match objects.has(&name).await? {
            true => Ok(()),
            false => Ok(objects.put(&name, bytes).await?),
        },
    }
}

async fn keep_new(
    readers: &Arc<Readers>,
    objects: &dyn ObjectStorage,
    digest: &Digest,
    bytes: Arc<[u8]>,
) -> Result<(), DatabaseError> {
    let size = bytes.len().cast_signed() as i64;
    let new = readers.acquire().await?.one(NEW_NAME, Vec::new()).await?.ok_or(StoreError::Stopped)?;
    let (database, at, unique): (&str, i64, &str) = (new.get(0), new.get(1), new.get(2));
    let name = format!("{database}/{digest}/{at}-{unique}");
    objects.put(&name, bytes).await?;
    let values = values![digest.to_string(), size, name.clone(), at + NAMED_WITHIN];
    let Some(row) = readers.acquire().await?.one(NAME, values).await? else {
        let place = objects.place();
        let late = format!("artifact {digest} took longer than half an hour to be written to {place}");
        return Err(PostgresError::Server(late).into());
    };
    if row.get::<_, Option<&str>>(0) != Some(&*name) {
        // Another host was first. If this fails, a sweep removes the object.
        let _ = objects.remove(&name).await;
    }
    Ok(())
}

/// The bytes of the object that an artifact's row names.
pub(crate) async fn read(
    objects: Option<&dyn ObjectStorage>,
    digest: &Digest,
    name: &str,
) -> Result<Vec<u8>, DatabaseError> {
    let Some(objects) = objects else {
        return Err(PostgresError::NoObjectStorage { digest: digest.to_string() }.into());
    };
    let place = objects.place();
    let missing = || PostgresError::NoObject { digest: digest.to_string(), name: format!("{place}/{name}") };
    Ok(objects.get(name).await?.ok_or_else(missing)?)
}

/// Removes the objects of this database that no row names, an hour after they were written.
pub(crate) async fn sweep(readers: &Arc<Readers>, objects: Option<Objects>) -> Result<(), DatabaseError> {
    let Some(objects) = objects else { return Ok(()) };
    let now = readers.acquire().await?.one(NEW_NAME, Vec::new()).await?.ok_or(StoreError::Stopped)?;
    let (database, now): (&str, i64) = (now.get(0), now.get(1));
    let found = objects.names(database).await?;
    let old = found.iter().filter_map(|name| Some((name, written(name)?)));
    let old = old.filter(|(_, (_, at))| at.saturating_add(REMOVED_AFTER) < now);
    let (names, digests): (Vec<String>, Vec<String>) =
        old.map(|(name, (digest, _))| (name.clone(), digest.to_owned())).unzip();
    let unnamed = readers.acquire().await?.query(UNNAMED, values![names, digests]).await?;
    for row in unnamed {
        let name: String = row.try_get(0).map_err(damaged)?;
        objects.remove(&name).await?;
    }
    Ok(())
}

/// The digest and the time in an object's name. `None` for a name of another form.
fn written(name: &str) -> Option<(&str, i64)> {
    let mut parts = name.split('/');
    let (_, digest, last, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    Some((digest, last.split_once('-')?.0.parse().ok()?))
}
