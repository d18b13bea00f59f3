//! The store: what every engine has to do; SQLite's commits, failing disks, backup and deletion; PostgreSQL's hosts and servers.

mod artifacts;
mod backup;
mod conformance;
mod deletion;
mod deployments;
mod disk_faults;
mod formats;
mod group_commit;
mod heads;
mod lossy;
#[cfg(feature = "s3")]
mod objects;
mod postgres;
mod transfers;
mod uploads;
