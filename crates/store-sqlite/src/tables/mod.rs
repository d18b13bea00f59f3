//! The tables beside the entries: what is found by name, what is counted, what is due.

pub(crate) mod approvals;
pub(crate) mod artifacts;
pub(crate) mod deletions;
pub(crate) mod deployments;
pub(crate) mod query;
pub(crate) mod requests;
pub(crate) mod schedule;
pub(crate) mod usage;
