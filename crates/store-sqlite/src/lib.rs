//! The [`Store`](store::Store) in one SQLite file, in a folder that one process owns.
//!
//! ```text
//! sqlite     the store: a writer and readers              journal   entries as rows, their encoding, the end of each journal
//! claims     which instances the host drives: all
//! writer     one thread that commits all writes           tables    requests, receipts, schedule, usage, deployments …
//! export     everything, row by row, for another engine
//! file       connections, schema, write-ahead log, copies
//! ```

mod claims;
mod export;
mod file;
mod journal;
mod locked;
#[cfg(test)]
mod reading_tests;
mod sql;
mod sqlite;
mod tables;
mod writer;

pub use export::export;
pub use file::backup::{Copied, back_up};
pub use sqlite::Sqlite;
