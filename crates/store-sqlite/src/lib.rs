//! The [`Store`](store::Store) in one SQLite file, in a folder that one process owns.
//!
//! ```text
//! sqlite    the store: a writer and readers; its claims: it drives every instance; its export, for another engine
//! journal   entries as rows, their encoding, the end of each journal
//! writer    one thread that commits all writes
//! tables    requests, receipts, schedule, usage, deployments …
//! file      connections, schema, write-ahead log, copies
//! ```

mod file;
mod journal;
mod locked;
mod sql;
mod sqlite;
mod tables;
mod writer;

pub use file::backup::{Copied, back_up};
pub use sqlite::Sqlite;
pub use sqlite::export::export;
