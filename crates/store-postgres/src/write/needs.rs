//! The rows that a group of writes has to lock and read before it can be judged.

use crate::write::decide::minute;
use crate::write::record::{Projections, Record};
use receipt::Digest;
use std::collections::{BTreeMap, BTreeSet};
use store::{InstanceKey, RATE_WINDOW, Shard, Writer};
use workflow::{ReceiptId, RequestId, TenantId};

/// The lock on the row of the last act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum ActsLock {
    /// No lock: no write of the group needs it.
    #[default]
    None,
    /// A write depends on the operators' acts.
    Shared,
    /// A write is an operator's act.
    Exclusive,
}

/// Names of rows, in the order in which they are locked.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// The shards of instances whose drivers append, or leave them alone for a while.
    pub(crate) shards: BTreeSet<Shard>,
    pub(crate) acts: ActsLock,
    pub(crate) instances: BTreeSet<InstanceKey>,
    pub(crate) tenants: BTreeSet<TenantId>,
    pub(crate) receipt_states: BTreeSet<ReceiptId>,
    pub(crate) requests: BTreeSet<RequestId>,
    /// Instances that end, whose open requests are closed.
    pub(crate) ending: BTreeSet<InstanceKey>,
    /// New receipts, with their requests.
    pub(crate) receipts: BTreeMap<ReceiptId, RequestId>,
    /// Tenants whose rate is checked, from that minute on.
    pub(crate) minutes: BTreeMap<TenantId, i64>,
    pub(crate) holdings: BTreeSet<(TenantId, Digest)>,
    pub(crate) outputs: BTreeSet<InstanceKey>,
    pub(crate) artifacts: BTreeSet<(TenantId, String)>,
    /// Instances that keep artifacts.
    pub(crate) holders: BTreeSet<InstanceKey>,
    pub(crate) live: BTreeSet<(TenantId, String)>,
    pub(crate) deployments: BTreeSet<String>,
    /// The number of new instances.
    pub(crate) creations: i64,
    /// The numbers of entries of the writes, in order.
    pub(crate) entries: Vec<usize>,
}

impl Needs {
    pub(crate) fn of(group: &[Record]) -> Self {
        let mut needs = Self::default();
        group.iter().for_each(|record| needs.add(record));
        needs
    }

    fn add(&mut self, record: &Record) {
        self.entries.push(record.entries());
        match record {
            Record::Create { place, component, .. } => {
                self.keep(&place.key);
                self.holdings.insert((place.key.tenant.clone(), component.0));
                self.creations += 1;
            }
            Record::Append { place, projections, quotas, writer, .. } => {
                if *writer == Writer::Driver {
                    self.shards.insert(place.key.shard());
                }
                self.keep(&place.key);
                if let Some(projections) = projections {
                    let since = (place.at.as_millis()).saturating_sub(RATE_WINDOW.as_millis() as i64);
                    self.projections(&place.key, projections);
                    if projections.batch.request.is_some() && quotas.is_some() {
                        let first = self.minutes.entry(place.key.tenant.clone()).or_insert(i64::MAX);
                        *first = minute(since).min(*first);
                    }
                }
            }
            Record::Output { key, .. } => {
                self.keep(key);
                self.outputs.insert(key.clone());
            }
            Record::Postpone { key, .. } => {
                self.shards.insert(key.shard());
                self.instances.insert(key.clone());
            }
            Record::Notified { key, request, .. } => {
                self.instances.insert(key.clone());
                self.requests.insert(request.clone());
            }
            Record::Act { .. } => self.acts = ActsLock::Exclusive,
            Record::Revoke { receipt, .. } => drop(self.receipt_states.insert(receipt.clone())),
            Record::Delete(_) => {}
        }
    }

    fn projections(&mut self, key: &InstanceKey, projections: &Projections) {
        let (batch, tenant) = (&projections.batch, &key.tenant);
        if let Some(seen) = &batch.seen {
            self.acts = self.acts.max(ActsLock::Shared);
            self.receipt_states.insert(seen.receipt.clone());
        }
        self.receipt_states.extend(projections.receipts().cloned());
        self.requests.extend(projections.requests().chain(&batch.reopened).cloned());
        self.requests.extend(batch.request.iter().map(|request| request.id.clone()));
        if batch.schedule.is_some_and(|schedule| schedule.state.has_ended()) {
            self.ending.insert(key.clone());
        }
        if let Some(receipt) = &batch.receipt {
            self.receipts.insert(receipt.id.clone(), receipt.request.clone());
        }
        if let Some((component, _)) = &batch.component {
            self.holdings.insert((tenant.clone(), *component));
        }
        if let Some(artifact) = &batch.artifact {
            self.artifacts.insert((tenant.clone(), artifact.sha256.to_string()));
            self.holders.insert(key.clone());
        }
        if let Some(deployment) = &batch.deployment {
            self.tenants.insert(deployment.tenant.clone());
            self.artifacts.insert((deployment.tenant.clone(), deployment.artifact_sha256.to_string()));
            self.holders.insert(key.clone());
            self.live.insert((deployment.tenant.clone(), deployment.resource.clone()));
            self.deployments.insert(deployment.id.clone());
        }
    }

    fn keep(&mut self, key: &InstanceKey) {
        self.instances.insert(key.clone());
        self.tenants.insert(key.tenant.clone());
    }
}
