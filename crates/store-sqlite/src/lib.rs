//! The [`Store`](store::Store) in one SQLite file, in a folder that one process owns.

mod apply;
mod approvals;
mod artifacts;
mod backup;
mod cache;
mod codec;
mod deletion;
mod deployments;
mod folder;
mod heads;
mod journal;
mod open;
mod projections;
mod query;
mod readers;
mod requests;
mod schedule;
mod schema;
mod sql;
mod sqlite;
mod usage;
mod views;
mod wal;
mod writer;

pub use backup::{Copied, back_up};
pub use folder::DataFolder;
pub use sqlite::Sqlite;
