//! Several hosts over one PostgreSQL, when any of them ends or stalls, and when the server does.

mod acts;
mod cluster;
mod failover;
mod failures;
mod migration;
mod network;
mod notices;
#[cfg(feature = "s3")]
mod objects;
mod races;
mod standstill;
mod suites;
mod together;
