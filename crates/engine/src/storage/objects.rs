//! The location of artifacts that are not kept in the database itself.

#[cfg(not(feature = "s3"))]
use std::convert::Infallible as Bucket;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use store::{ObjectStorage, StoreError};
#[cfg(feature = "s3")]
use store_s3::BucketUrl as Bucket;

/// The URL of a bucket for artifacts, `s3://BUCKET/PREFIX`. It has no credentials. Without the feature `s3`, every URL
/// is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactsUrl(Bucket);

/// The text is not a location for artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidArtifactsUrl {
    /// The text names no bucket.
    #[cfg(feature = "s3")]
    #[error(transparent)]
    Bucket(#[from] store_s3::InvalidBucketUrl),
    /// The program cannot use object storage.
    #[cfg(not(feature = "s3"))]
    #[error(
        "this pp-host was built without object storage: build it with `cargo build --release -p host --features s3`"
    )]
    NotBuilt,
}

impl FromStr for ArtifactsUrl {
    type Err = InvalidArtifactsUrl;

    #[cfg(feature = "s3")]
    fn from_str(text: &str) -> Result<Self, InvalidArtifactsUrl> {
        Ok(Self(text.parse()?))
    }

    #[cfg(not(feature = "s3"))]
    fn from_str(_: &str) -> Result<Self, InvalidArtifactsUrl> {
        Err(InvalidArtifactsUrl::NotBuilt)
    }
}

impl fmt::Display for ArtifactsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ArtifactsUrl {
    /// The bucket, with credentials and settings of the environment. Sends nothing yet.
    #[cfg(feature = "s3")]
    pub(super) fn open(&self) -> Result<Arc<dyn ObjectStorage>, StoreError> {
        let readable = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(Arc::new(store_s3::Bucket::open(self.0.clone(), readable)?))
    }

    #[cfg(not(feature = "s3"))]
    pub(super) fn open(&self) -> Result<Arc<dyn ObjectStorage>, StoreError> {
        match self.0 {}
    }
}
