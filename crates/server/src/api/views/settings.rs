//! The shapes of a tenant's usage and limits.

use serde::Serialize;
use utoipa::ToSchema;

/// A tenant's usage, in the measures of its quotas.
#[derive(Serialize, ToSchema)]
pub(crate) struct Usage {
    /// `usage`.
    view: String,
    /// Instances that have not ended.
    instances: u64,
    /// Requests that wait for a decision.
    pending_approvals: u64,
    /// Bytes kept.
    stored_bytes: u64,
}

/// A tenant's limits.
#[derive(Serialize, ToSchema)]
pub(crate) struct Limits {
    /// `limits`.
    view: String,
    limits: Vec<LimitRow>,
}

/// A limit.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitRow {
    /// The limit's name.
    limit: String,
    /// `tenant` or `host`.
    of: String,
    /// The limit's value.
    value: u64,
    /// The limit's unit.
    unit: String,
    /// The default.
    default: u64,
    /// `default`, `file` or `command-line`.
    from: String,
    /// Always null: callers do not learn which file of the machine sets it.
    file: Option<String>,
    /// Always null, like the file.
    line: Option<u64>,
    /// What the limit bounds.
    what: String,
    /// The reason for its default.
    reason: String,
}
