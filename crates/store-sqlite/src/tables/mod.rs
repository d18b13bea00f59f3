//! The tables other than entries: records found by name, counts, the schedule.

pub(crate) mod approvals;
pub(crate) mod artifacts;
pub(crate) mod deletions;
pub(crate) mod deployments;
pub(crate) mod query;
pub(crate) mod requests;
pub(crate) mod schedule;
pub(crate) mod usage;
