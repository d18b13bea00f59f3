//! Several hosts over one PostgreSQL: a host or the server ends or stalls.

mod acts;
mod cluster;
mod failover;
mod failures;
mod migration;
mod network;
mod notices;
#[cfg(feature = "s3")]
mod objects;
mod paused_host;
mod races;
mod reads;
mod refusals;
mod several_hosts;
mod suites;
