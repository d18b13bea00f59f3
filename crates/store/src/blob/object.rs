//! Bytes by name, outside of the database.

use crate::Answer;
use std::sync::Arc;

/// Storage for bytes that would burden a database: objects by name. A name is given to bytes once, and means nothing to the storage. The database has
/// the names, and the digests that the bytes are checked against.
pub trait ObjectStorage: Send + Sync {
    /// The place for messages, without credentials.
    fn place(&self) -> String;

    /// Sends any request to the storage, to find out whether it can be used.
    ///
    /// # Errors
    /// The storage cannot be used. The message says how to fix it.
    fn check(&self) -> Answer<()>;

    /// Keeps bytes. The answer comes when they are durable.
    ///
    /// # Errors
    /// The bytes cannot be written.
    fn put(&self, name: &str, bytes: Arc<[u8]>) -> Answer<()>;

    /// The bytes of that name, if there are any.
    ///
    /// # Errors
    /// The bytes cannot be read.
    fn get(&self, name: &str) -> Answer<Option<Vec<u8>>>;

    /// Whether there are bytes of that name.
    ///
    /// # Errors
    /// The storage cannot be asked.
    fn has(&self, name: &str) -> Answer<bool>;

    /// Removes the bytes of that name, if there are any.
    ///
    /// # Errors
    /// The bytes cannot be removed.
    fn remove(&self, name: &str) -> Answer<()>;

    /// The names that begin with `under` and a slash, in any order.
    ///
    /// # Errors
    /// The digests cannot be read.
    fn names(&self, under: &str) -> Answer<Vec<String>>;
}
