//! The [`Store`](store::Store) in PostgreSQL, for several hosts.

mod artifacts;
mod blobs;
mod claims;
mod clock;
mod connection;
mod contract;
mod decide;
mod delete;
mod error;
mod import;
mod journals;
mod lines;
mod load;
mod location;
mod needs;
mod objects;
mod postgres;
mod readers;
mod record;
mod requests;
mod rows;
mod save;
mod schedule;
mod schema;
mod server;
mod shared;
mod state;
mod steps;
mod tail;
mod tls;
mod writer;

pub use error::PostgresError;
pub use import::Import;
pub use postgres::Postgres;
pub use shared::CommitDemand;
