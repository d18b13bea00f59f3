//! The bytes of artifacts: chunks in the database, or objects in a bucket.

pub(crate) mod blobs;
pub(crate) mod objects;
