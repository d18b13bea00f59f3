//! Artifacts in a bucket of S3-compatible object storage.
//!
//! The database says which object has an artifact's bytes, and checks them against their digest when they are read. This
//! crate only keeps bytes under the names that it is given.

mod bucket;
mod error;
mod location;
mod sign;
mod transport;

pub use bucket::Bucket;
pub use error::BucketError;
pub use location::{BucketUrl, InvalidBucketUrl};
