//! The SQLite store: commits, failing disks, backup and deletion.

mod backup;
mod deletion;
mod deployments;
mod disk_faults;
mod group_commit;
mod heads;
