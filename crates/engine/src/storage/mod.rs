//! The location of the durable state, and opening it: the only module that names engines.

mod objects;

pub use objects::{ArtifactsUrl, InvalidArtifactsUrl};
use receipt::Digest;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use store::{BlobStore, DataFolder, Store, StoreError, TakeRow};
pub(crate) use store_postgres::Import;
use store_postgres::{CommitDemand, Postgres};
use store_sqlite::Sqlite;
pub(crate) use store_sqlite::export;
pub use store_sqlite::{Copied, back_up};

/// The location of the durable state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum StoreLocation {
    /// In the data folder, which one process owns.
    #[default]
    Folder,
    /// In a database that several hosts share. Keys, compiled code, sockets and artifacts are in each host's own folder.
    Database(StoreUrl),
}

/// The URL of a database, `postgres://…`. Its `Display` has no password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    url: String,
    demand: CommitDemand,
    artifacts: Option<ArtifactsUrl>,
}

/// The text is not the URL of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a database URL, such as postgres://USER@HOST/DATABASE")]
pub struct InvalidStoreUrl;

impl FromStr for StoreUrl {
    type Err = InvalidStoreUrl;

    fn from_str(text: &str) -> Result<Self, InvalidStoreUrl> {
        let known = ["postgres://", "postgresql://"].into_iter().any(|scheme| text.starts_with(scheme));
        let url = || Self { url: text.to_owned(), demand: CommitDemand::Any, artifacts: None };
        known.then(url).ok_or(InvalidStoreUrl)
    }
}

impl StoreUrl {
    /// This database, refused while its commits are not synchronous.
    #[must_use]
    pub fn requiring_synchronous(self) -> Self {
        Self { demand: CommitDemand::Synchronous, ..self }
    }

    /// This database, with new artifacts in a bucket instead.
    #[must_use]
    pub fn with_artifacts_in(self, bucket: ArtifactsUrl) -> Self {
        Self { artifacts: Some(bucket), ..self }
    }

    /// Sends a request to the bucket for artifacts, if there is one, to find out whether it can be used.
    ///
    /// # Errors
    /// The bucket cannot be used. The message says how to fix it.
    pub fn check_artifacts(&self) -> Result<(), StoreError> {
        self.artifacts.as_ref().map_or(Ok(()), |bucket| bucket.open()?.check().wait())
    }

    fn open(&self) -> Result<Postgres, StoreError> {
        Postgres::open_demanding(&self.url, self.demand)
    }

    /// Whether it contains a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.to_string() != self.url
    }

    /// Creates or migrates the tables. Hosts of the previous version may continue or refuse to start again, with a
    /// message.
    ///
    /// # Errors
    /// The database cannot be reached, or has a newer version.
    pub fn migrate(&self) -> Result<(), StoreError> {
        Postgres::migrate(&self.url)
    }

    /// Takes over what `export` hands over, under the name `id`, into an empty database. `before_commit` is called when only the commit is left.
    pub(crate) fn import(
        &self,
        id: &str,
        export: impl FnOnce(TakeRow<'_>) -> Result<Digest, StoreError>,
        before_commit: impl FnOnce() -> Result<(), StoreError> + Send,
    ) -> Result<Import, StoreError> {
        Postgres::import(&self.url, id, export, before_commit)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, options) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (scheme, rest) = place.split_once("://").unwrap_or(("", place));
        write!(f, "{scheme}://")?;
        match rest.rsplit_once('@') {
            Some((user, host)) => {
                write!(f, "{}@{host}", user.split_once(':').map_or(user, |(user, _)| user))?
            }
            None => f.write_str(rest)?,
        }
        let options =
            options.split('&').filter(|option| !option.is_empty() && !option.starts_with("password="));
        for (number, option) in options.enumerate() {
            write!(f, "{}{option}", if number == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

impl StoreLocation {
    /// Opens a host's folder for writing, and creates it if it does not exist.
    pub(crate) fn own_folder(&self, data: &Path) -> Result<DataFolder, StoreError> {
        match self {
            Self::Folder => DataFolder::own(data),
            Self::Database(_) => DataFolder::own_without_journal(data),
        }
    }

    /// Opens a host's folder for writing, if it exists. If the state is in a database, a folder may be created at any
    /// time.
    pub(crate) fn own_existing_folder(&self, data: &Path) -> Result<DataFolder, StoreError> {
        match self {
            Self::Folder => DataFolder::own_existing(data),
            Self::Database(_) => DataFolder::own_without_journal(data),
        }
    }

    /// Opens a host's folder for reading.
    pub fn read_folder(&self, data: &Path) -> Result<DataFolder, StoreError> {
        match self {
            Self::Folder => DataFolder::read(data),
            Self::Database(_) => Ok(DataFolder::read_without_journal(data)),
        }
    }

    /// Opens the state, to write if the folder is owned or the state is elsewhere.
    ///
    /// # Errors
    /// The store is damaged, foreign, newer than this program, or cannot be reached.
    pub fn open(&self, folder: &DataFolder) -> Result<Box<dyn Store>, StoreError> {
        match self {
            Self::Folder => Ok(Box::new(Sqlite::open(folder)?)),
            Self::Database(url) => Ok(Box::new(url.open()?)),
        }
    }
}

impl StoreLocation {
    /// The store in which all hosts keep their artifacts, over connections of its own; `None` if one host keeps them
    /// in its folder.
    pub(crate) fn blobs(&self) -> Result<Option<Arc<dyn BlobStore>>, StoreError> {
        match self {
            Self::Folder => Ok(None),
            Self::Database(url) => {
                let store = url.open()?;
                Ok(Some(Arc::new(match &url.artifacts {
                    Some(bucket) => store.with_objects(bucket.open()?),
                    None => store,
                })))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_displayed_of_a_url_has_no_password() {
        for (url, displayed) in [
            ("postgres://ann:secret@db:5432/pp?sslmode=require", "postgres://ann@db:5432/pp?sslmode=require"),
            ("postgres://ann:se@cret@db/pp", "postgres://ann@db/pp"),
            (
                "postgresql://db/pp?password=secret&user=ann&host=/run",
                "postgresql://db/pp?user=ann&host=/run",
            ),
            ("postgres://db/pp?a=b&password=secret", "postgres://db/pp?a=b"),
        ] {
            let parsed: StoreUrl = url.parse().unwrap();
            assert_eq!(parsed.to_string(), displayed);
            assert!(
                parsed.has_password() && !format!("{:?}", StoreLocation::Database(parsed)).contains("secret")
            );
        }
        assert!(!"postgres://ann@db/pp?host=/run".parse::<StoreUrl>().unwrap().has_password());
        assert_eq!("mysql://db".parse::<StoreUrl>(), Err(InvalidStoreUrl));
    }
}
