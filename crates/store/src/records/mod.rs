//! The records of a store: instances and their facts, requests, receipts, deployments, claims, notices, usage.

pub(crate) mod claim;
pub(crate) mod deployment;
pub(crate) mod notice;
pub(crate) mod quota;
pub(crate) mod record;
pub(crate) mod summary;
pub(crate) mod usage;
