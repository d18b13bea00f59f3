//! Queries: the read-only questions to a host, one value each.

use crate::access::{About, Right};
use crate::api::audit_place::AuditPlace;
use crate::history::RequestOutcome;
use receipt::Timestamp;
use serde::{Deserialize, Serialize};
use store::{InstanceKey, InstanceState};
use workflow::{ReceiptId, RequestId, TenantId};

/// A look-up. Changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "query", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Query {
    /// Instances and their states, newest first. Answered with `View::Instances`.
    Instances {
        /// Only instances of this tenant.
        tenant: Option<TenantId>,
        /// In this state only.
        status: Option<InstanceState>,
        /// Only instances that follow this one in the list: older ones.
        after: Option<InstanceKey>,
        /// In their state since then or later.
        since: Option<Timestamp>,
        /// The most to return.
        limit: u32,
    },
    /// One instance with all its calls. Answered with `View::Instance`.
    Instance {
        /// The instance.
        key: InstanceKey,
    },
    /// The output of an instance's guest. Answered with `View::Output`.
    Output {
        /// The instance.
        key: InstanceKey,
    },
    /// The first records after a place, oldest first. Answered with `View::Audit`.
    Audit {
        /// The records to show.
        of: AuditScope,
        /// The place to continue from; `None` for the beginning.
        after: Option<AuditPlace>,
        /// The most to return.
        limit: u32,
    },
    /// The first facts of an instance from an index on: to follow it. Answered with `View::Facts`.
    Facts {
        /// The instance.
        key: InstanceKey,
        /// The index in the instance's journal, from 0.
        from: u64,
        /// The most to return.
        limit: u32,
    },
    /// The requests that wait for a decision, oldest first; requests for the same action are adjacent. Answered with
    /// `View::Requests`.
    Requests {
        /// Only requests of this tenant.
        tenant: Option<TenantId>,
    },
    /// Requests with how each ended, newest first. Answered with `View::RequestLog`.
    RequestLog {
        /// Only requests of this tenant.
        tenant: Option<TenantId>,
        /// Only requests with this outcome; `None` for all, including those that wait.
        outcome: Option<RequestOutcome>,
        /// Only requests that follow this one in the list: older ones.
        after: Option<RequestId>,
        /// Made then or later.
        since: Option<Timestamp>,
        /// The most to return.
        limit: u32,
    },
    /// One request: the content to be signed, and the state of decisions about it. Answered with `View::Request`.
    Request {
        /// The request.
        request: RequestId,
    },
    /// Statistics of decided requests: number, speed, deciders. Answered with `View::RequestStatistics`.
    RequestStatistics,
    /// The policy's answer to a request, and why. Answered with `View::Explanation`.
    Explain {
        /// The request.
        request: RequestId,
    },
    /// Receipts in the order in which they were issued, each followed by its revocation. Answered with `View::Receipts`.
    Receipts {
        /// Only receipts of this tenant.
        tenant: Option<TenantId>,
        /// The receipt or revocation to continue from.
        after: Option<ReceiptId>,
        /// The order in which they were issued, backwards.
        newest_first: bool,
        /// The most to return.
        limit: u32,
    },
    /// One receipt or revocation. Answered with `View::Receipt`.
    Receipt {
        /// The receipt's id.
        receipt: ReceiptId,
    },
    /// A receipt in the published form, for others to verify. Answered with `View::Export`.
    Export {
        /// The receipt.
        receipt: ReceiptId,
        /// The unsigned parts to include.
        #[serde(rename = "extent")]
        audience: ExportAudience,
    },
    /// Deployments, in the order in which they were recorded. Answered with `View::Deployments`.
    Deployments {
        /// Only deployments of this tenant.
        tenant: Option<TenantId>,
        /// The receipt of the deployment to continue from.
        after: Option<ReceiptId>,
        /// The most to return.
        limit: u32,
    },
    /// The deployment that a resource serves now. Answered with `View::LiveDeployment`.
    LiveDeployment {
        /// The tenant.
        tenant: TenantId,
        /// The resource.
        resource: String,
    },
    /// The deciders and their keys. Answered with `View::Deciders`.
    Deciders,
    /// The keys that verify receipts, in the published form. Answered with `View::Keys`.
    Keys,
    /// Every limit, its value, and the origin of the value. Answered with `View::Limits`.
    Limits {
        /// The tenant; `None` for a tenant that the settings do not name.
        tenant: Option<TenantId>,
    },
    /// A tenant's usage. Answered with `View::Usage`.
    Usage {
        /// The tenant.
        tenant: TenantId,
    },
}

/// The records that an audit shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditScope {
    /// Every tenant's, and the operators' acts.
    Host,
    /// A tenant's.
    Tenant(TenantId),
    /// The records of one instance.
    Instance(InstanceKey),
}

impl AuditScope {
    /// Whether it shows the records of that instance.
    pub(super) fn has(&self, key: &InstanceKey) -> bool {
        match self {
            Self::Host => true,
            Self::Tenant(tenant) => *tenant == key.tenant,
            Self::Instance(own) => own == key,
        }
    }
}

/// The unsigned parts of an exported receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportAudience {
    /// The opening of its commitment: the request, its salt, summary and binding. For the owner.
    Owner,
    /// Without the opening. For everybody.
    Public,
}

impl Query {
    /// The right that it needs, and its object.
    pub(super) fn needs(&self) -> (Right, About<'_>) {
        match self {
            Self::Instances { tenant, .. } | Self::Deployments { tenant, .. } => {
                (Right::SeeInstances, own_or(tenant))
            }
            Self::Instance { key } | Self::Output { key } | Self::Facts { key, .. } => {
                (Right::SeeInstances, About::Tenant(&key.tenant))
            }
            Self::Audit { of, .. } => match of {
                AuditScope::Host => (Right::SeeHost, About::Host),
                AuditScope::Tenant(tenant) => (Right::SeeInstances, About::Tenant(tenant)),
                AuditScope::Instance(key) => (Right::SeeInstances, About::Tenant(&key.tenant)),
            },
            Self::Requests { tenant } | Self::RequestLog { tenant, .. } => {
                (Right::SeeRequests, own_or(tenant))
            }
            Self::Request { request } | Self::Explain { request } => {
                (Right::SeeRequests, About::Request(request))
            }
            Self::RequestStatistics => (Right::SeeHost, About::Host),
            Self::Receipts { tenant, .. } => (Right::SeeReceipts, own_or(tenant)),
            Self::Receipt { receipt } | Self::Export { receipt, audience: ExportAudience::Owner } => {
                (Right::SeeReceipts, About::Receipt(receipt))
            }
            Self::Export { receipt, audience: ExportAudience::Public } => {
                (Right::SeePublicReceipts, About::Receipt(receipt))
            }
            Self::Deciders => (Right::SeeDeciders, About::Host),
            Self::Keys => (Right::SeeKeys, About::Host),
            Self::Limits { tenant } => (Right::SeeLimits, tenant.as_ref().map_or(About::Host, About::Tenant)),
            Self::LiveDeployment { tenant, .. } => (Right::SeeInstances, About::Tenant(tenant)),
            Self::Usage { tenant } => (Right::SeeLimits, About::Tenant(tenant)),
        }
    }
}

/// A list of one tenant's objects, or of all objects that the principal may reach.
fn own_or(tenant: &Option<TenantId>) -> About<'_> {
    tenant.as_ref().map_or(About::Own, About::Tenant)
}
