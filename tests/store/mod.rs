//! The store: what every engine has to do, and SQLite's commits, failing disks, backup and deletion.

mod artifacts;
mod backup;
mod conformance;
mod deletion;
mod deployments;
mod disk_faults;
mod group_commit;
mod heads;
