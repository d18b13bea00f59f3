//! Bytes by their content: the artifacts that approved actions are about.

pub(crate) mod object;

use crate::Answer;
use receipt::Digest;
use std::sync::Arc;

/// A store of artifacts. The bytes that it reads have the requested digest.
pub trait BlobStore: Send + Sync {
    /// Stores bytes under their digest. The answer comes when they are durable. Bytes that are already stored are not
    /// written again.
    fn keep_blob(&self, digest: &Digest, bytes: Arc<[u8]>) -> Answer<()>;

    /// The bytes of a digest; `None` if they are not stored.
    ///
    /// # Errors
    /// The bytes cannot be read, or no longer have this digest ([`StoreError::Damaged`](crate::StoreError::Damaged)).
    fn blob(&self, digest: &Digest) -> Answer<Option<Vec<u8>>>;

    /// The digests of the stored bytes, in any order.
    fn blobs(&self) -> Answer<Vec<Digest>>;

    /// Removes the bytes of a digest, unless an instance or a resource [keeps](crate::DeploymentStore::keeps_artifact)
    /// the artifact at the moment of the removal, or they were written less than an hour ago: a host may be about to
    /// record that it needs them.
    ///
    /// # Errors
    /// The bytes cannot be removed.
    fn sweep_blob(&self, digest: &Digest) -> Answer<()>;

    /// Removes bytes that have no record because a host was killed while it kept or removed them, an hour after they were
    /// written.
    ///
    /// # Errors
    /// The bytes cannot be removed.
    fn sweep_unnamed(&self) -> Answer<()>;
}
