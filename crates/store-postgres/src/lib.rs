//! The [`Store`](store::Store) in PostgreSQL, for several hosts.
//!
//! ```text
//! postgres   the store: its writer, its readers        contract   the traits of the store, each call in a line; which host drives which shards
//! session    connections: place, TLS, clock            schema     the tables, and the step to each version
//! write      what a record needs: loaded, decided, saved, in one transaction of the group
//! read       queries over the committed state          blob       the bytes of artifacts
//! import     a data folder that moves here
//! ```

mod blob;
mod contract;
mod error;
mod import;
mod postgres;
mod read;
mod schema;
mod session;
mod write;

pub use error::PostgresError;
pub use import::Import;
pub use postgres::Postgres;
pub use session::shared::CommitDemand;
