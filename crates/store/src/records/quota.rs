//! A tenant's quotas, and its usage.

use std::time::Duration;
use workflow::TenantId;

/// The bounds on what one tenant's instances hold together, so that one tenant cannot use up the others' resources. The
/// store checks them in the transaction that changes the counted amounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// Instances that have not ended. Default 1 000.
    pub instances: u64,
    /// Requests that wait for a decision. Default 100.
    pub pending_approvals: u64,
    /// Requests made in an hour, decided or not. Default 100: more than people can look at.
    pub requests_per_hour: u64,
    /// Bytes kept: journals, requests, receipts, output, and each component and each artifact once. Default 1 GiB.
    pub stored_bytes: u64,
    /// Instances that are driven at once. Default 16.
    pub concurrent_drives: u64,
    /// How long an ended instance is kept. Default: without end.
    pub retention: Duration,
}

/// The names of the bounds in errors, settings and on the command line.
pub mod quota_names {
    /// The name of [`Quotas::instances`](super::Quotas::instances).
    pub const INSTANCES: &str = "instances";
    /// The name of [`Quotas::pending_approvals`](super::Quotas::pending_approvals).
    pub const PENDING_APPROVALS: &str = "pending-approvals";
    /// The name of [`Quotas::requests_per_hour`](super::Quotas::requests_per_hour).
    pub const REQUESTS_PER_HOUR: &str = "requests-per-hour";
    /// The name of [`Quotas::stored_bytes`](super::Quotas::stored_bytes).
    pub const STORED_BYTES: &str = "stored-bytes";
    /// The name of [`Quotas::concurrent_drives`](super::Quotas::concurrent_drives).
    pub const CONCURRENT_DRIVES: &str = "concurrent-drives";
    /// The name of [`Quotas::retention`](super::Quotas::retention).
    pub const RETENTION: &str = "retention";
}

/// The span in which a tenant's requests are counted.
pub const RATE_WINDOW: Duration = Duration::from_secs(60 * 60);

impl Default for Quotas {
    fn default() -> Self {
        Self {
            instances: 1_000,
            pending_approvals: 100,
            requests_per_hour: 100,
            stored_bytes: 1 << 30,
            concurrent_drives: 16,
            retention: Duration::from_secs(u64::MAX),
        }
    }
}

/// A tenant's usage, in the units of [`Quotas`]; or its growth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Instances that have not ended.
    pub instances: u64,
    /// Requests that wait for a decision.
    pub pending_approvals: u64,
    /// Bytes kept.
    pub stored_bytes: u64,
}

/// A quota that is reached. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "limit {name} reached: tenant {tenant} may have {limit} {what}, and with this write it would have {asked}; nothing was written. \
     Delete something, or have an operator raise the limit with --limit {name}=N, or permanently in pp-host.toml"
)]
pub struct OverQuota {
    /// The limit.
    pub name: &'static str,
    /// What the limit bounds.
    what: &'static str,
    /// The tenant.
    pub tenant: TenantId,
    /// The limit's value.
    pub limit: u64,
    /// The usage that the write would have led to.
    pub asked: u64,
}

impl Quotas {
    /// Checks that a tenant that has made `asked` requests in the last hour may make another.
    ///
    /// # Errors
    /// The tenant may not make another request.
    pub fn check_rate(&self, tenant: &TenantId, asked: u64) -> Result<(), OverQuota> {
        let (name, limit, asked) =
            (quota_names::REQUESTS_PER_HOUR, self.requests_per_hour, asked.saturating_add(1));
        let what = "requests for approval in an hour";
        match asked > limit {
            true => Err(OverQuota { name, what, tenant: tenant.clone(), limit, asked }),
            false => Ok(()),
        }
    }

    /// Checks that a tenant with this `usage` may grow by `growth`. Amounts that do not grow are not checked: a lowered
    /// quota does not stop existing instances from finishing.
    ///
    /// # Errors
    /// With the first quota that would be exceeded.
    pub fn check(&self, tenant: &TenantId, usage: &Usage, growth: &Usage) -> Result<(), OverQuota> {
        use quota_names::*;
        let measures = [
            (INSTANCES, "instances that have not ended", self.instances, usage.instances, growth.instances),
            (
                PENDING_APPROVALS,
                "requests that wait for a decision",
                self.pending_approvals,
                usage.pending_approvals,
                growth.pending_approvals,
            ),
            (
                STORED_BYTES,
                "bytes kept for its instances",
                self.stored_bytes,
                usage.stored_bytes,
                growth.stored_bytes,
            ),
        ];
        for (name, what, limit, used, more) in measures {
            let asked = used.saturating_add(more);
            if more > 0 && asked > limit {
                return Err(OverQuota { name, what, tenant: tenant.clone(), limit, asked });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_grows_is_checked_and_up_to_the_bound() {
        let quotas = Quotas { instances: 2, pending_approvals: 1, stored_bytes: 100, ..Quotas::default() };
        let tenant: TenantId = "acme".parse().unwrap();
        let over = Usage { instances: 9, pending_approvals: 9, stored_bytes: 100 };
        assert_eq!(quotas.check(&tenant, &over, &Usage::default()), Ok(()));
        let one_byte = Usage { stored_bytes: 1, ..Usage::default() };
        let refused = quotas.check(&tenant, &over, &one_byte).unwrap_err();
        assert_eq!((refused.name, refused.limit, refused.asked), ("stored-bytes", 100, 101));
        let words = refused.to_string();
        assert!(words.contains("tenant acme") && words.contains("--limit stored-bytes=N"), "{words}");
        let room = Usage { instances: 1, pending_approvals: 0, stored_bytes: 99 };
        let growth = Usage { instances: 1, pending_approvals: 1, stored_bytes: 1 };
        assert_eq!(quotas.check(&tenant, &room, &growth), Ok(()));
        let endless = Usage { instances: u64::MAX, ..Usage::default() };
        assert!(quotas.check(&tenant, &room, &endless).is_err(), "no overflow");
    }
}
