//! The tables other than entries: records found by name, counts, the schedule.

pub(crate) mod acts;
pub(crate) mod artifacts;
pub(crate) mod decisions;
pub(crate) mod deletions;
pub(crate) mod deployments;
pub(crate) mod query;
pub(crate) mod requests;
pub(crate) mod schedule;
pub(crate) mod usage;
