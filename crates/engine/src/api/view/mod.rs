//! Views: the answers to queries, values with one JSON shape for every caller.

mod approvals;
mod audit;
mod instances;
mod receipts;
mod settings;

pub use approvals::{LoggedRequest, RequestDetail, RequestRow, RequestStatistics};
pub use audit::AuditRecord;
pub use instances::{
    CallRow, DeploymentRow, EventCount, InstanceDetail, InstanceRow, ListedInstance, OpenAction, StateDetail,
    WaitsFor,
};
pub use receipts::{KeptReceipt, ReceiptKind, ReceiptRow};
pub use settings::{DeciderKeyRow, DeciderRow, LimitRow, UsageRow};

use crate::Error;
use crate::api::view::approvals::LogPage;
use crate::api::{AuditPlace, Principal, Query};
use crate::limits::Settings;
use crate::trust::Judge;
use serde::Serialize;
use store::{Fact, ReceiptPage, Selection, Store};

/// The number of rows that one read returns if the database cannot choose them.
const AT_ONCE: u32 = 256;

/// The answer to a [`Query`]. In JSON, each variant is its content with a member `view` that names it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "view", rename_all = "kebab-case")]
pub enum View {
    /// Instances.
    Instances {
        /// A row each.
        instances: Vec<ListedInstance>,
        /// Whether there are more than were returned.
        more: bool,
    },
    /// One instance.
    Instance(Box<InstanceDetail>),
    /// A guest's output.
    Output {
        /// The output as the guest wrote it: escape the text before a person sees it.
        text: String,
    },
    /// Records of any kind.
    Audit {
        /// Facts in the order in which they were recorded, and other records before the first fact that is not earlier.
        records: Vec<AuditRecord>,
        /// The place that the next page follows; `None` if this is the last one.
        next: Option<AuditPlace>,
    },
    /// Facts of one instance.
    Facts {
        /// In order.
        facts: Vec<Fact>,
    },
    /// Requests that wait for a decision.
    Requests {
        /// A row each.
        requests: Vec<RequestRow>,
    },
    /// Requests, and how each ended.
    RequestLog {
        /// A row each.
        requests: Vec<LoggedRequest>,
        /// Whether there are more than were returned.
        more: bool,
    },
    /// One request.
    Request(Box<RequestDetail>),
    /// Statistics of decided requests.
    RequestStatistics(RequestStatistics),
    /// The policy's answer, and its reasons.
    Explanation {
        /// In words, several lines.
        text: String,
    },
    /// Receipts and revocations.
    Receipts {
        /// A row each.
        receipts: Vec<ReceiptRow>,
        /// Whether there are more than were returned.
        more: bool,
    },
    /// One receipt or revocation.
    Receipt(Box<ReceiptRow>),
    /// A receipt in the published form.
    Export {
        /// The document.
        document: serde_json::Value,
    },
    /// The deployments.
    Deployments {
        /// A row each.
        deployments: Vec<DeploymentRow>,
        /// Whether there are more than were returned.
        more: bool,
    },
    /// The deployment that a resource serves now.
    LiveDeployment {
        /// The live deployment; `None` if the resource serves none.
        deployment: Option<DeploymentRow>,
    },
    /// The people who may decide.
    Deciders {
        /// A row each.
        deciders: Vec<DeciderRow>,
    },
    /// The keys that verify receipts.
    Keys {
        /// In the published form.
        document: serde_json::Value,
    },
    /// Limits.
    Limits {
        /// A row each.
        limits: Vec<LimitRow>,
    },
    /// A tenant's usage.
    Usage(UsageRow),
}

/// The state of one host as it is now, which answers queries.
pub(super) struct Reader<'a> {
    pub(super) store: &'a dyn Store,
    settings: &'a Settings,
    judge: Judge<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(store: &'a dyn Store, settings: &'a Settings, judge: Judge<'a>) -> Self {
        Self { store, settings, judge }
    }

    /// Answers a query that the principal may ask.
    pub(super) fn view(&self, principal: &Principal, query: Query) -> Result<View, Error> {
        match query {
            Query::Instances { tenant, status, after, since, limit } => {
                let selection = Selection { tenant, state: status, after, since, limit: Some(limit) };
                self.instances(principal, selection)
            }
            Query::Instance { key } => Ok(View::Instance(Box::new(self.instance(&key)?))),
            Query::Output { key } => Ok(View::Output { text: self.store.output(&key).wait()? }),
            Query::Audit { of, after, limit } => self.audit(&of, after.as_ref(), limit),
            Query::Facts { key, from, limit } => {
                Ok(View::Facts { facts: self.store.facts_from(&key, from, limit).wait()? })
            }
            Query::Requests { tenant } => {
                Ok(View::Requests { requests: self.requests(principal, tenant.as_ref())? })
            }
            Query::RequestLog { tenant, outcome, after, since, limit } => {
                self.request_log(principal, &LogPage { tenant, outcome, after, since, limit })
            }
            Query::Request { request } => Ok(View::Request(Box::new(self.request(&request)?))),
            Query::RequestStatistics => Ok(View::RequestStatistics(self.statistics()?)),
            Query::Explain { request } => Ok(View::Explanation { text: self.explanation(&request)? }),
            Query::Receipts { tenant, after, newest_first, limit } => {
                self.receipts(principal, ReceiptPage { tenant, after, newest_first, limit })
            }
            Query::Receipt { receipt } => Ok(View::Receipt(Box::new(self.receipt(&receipt)?))),
            Query::Export { receipt, audience } => {
                Ok(View::Export { document: self.export(&receipt, audience)? })
            }
            Query::Deployments { tenant, after, limit } => {
                self.deployments(principal, tenant, after.as_ref(), limit)
            }
            Query::LiveDeployment { tenant, resource } => self.live_deployment(&tenant, &resource),
            Query::Deciders => Ok(View::Deciders { deciders: self.deciders() }),
            Query::Keys => Ok(View::Keys { document: self.keys()? }),
            Query::Limits { tenant } => Ok(View::Limits { limits: self.limits(tenant.as_ref()) }),
            Query::Usage { tenant } => Ok(View::Usage(self.usage(&tenant)?)),
        }
    }
}
