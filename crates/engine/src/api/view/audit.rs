//! Every record: the facts of instances, deletions, and operators' acts.

use crate::Error;
use crate::api::AuditScope;
use crate::api::view::Reader;
use crate::trust::{Act, RecordedTrustAct};
use receipt::Timestamp;
use serde::Serialize;
use store::{Deleted, Fact, InstanceState, RecordedAct};
use workflow::{InstanceId, TenantId};

/// One record.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum AuditRecord {
    /// A fact of an instance.
    Fact(Box<Fact>),
    /// An operator's act.
    Act {
        /// When.
        at: Timestamp,
        /// The operator.
        by: String,
        /// The act.
        act: Act,
    },
    /// An instance was deleted.
    Deletion {
        /// When.
        at: Timestamp,
        /// The tenant.
        tenant: TenantId,
        /// Its id there.
        instance: InstanceId,
        /// The number of deleted facts.
        deleted: u64,
        /// By whom.
        by: String,
        /// The state in which it had ended; null for records of an earlier format.
        state: Option<InstanceState>,
        /// The time at which it had ended; null for records of an earlier format.
        ended_at: Option<Timestamp>,
    },
}

impl AuditRecord {
    /// When it was recorded.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Fact(fact) => fact.at,
            Self::Act { at, .. } | Self::Deletion { at, .. } => *at,
        }
    }
}

impl Reader<'_> {
    /// In order of time; of records of the same time, facts of instances come last.
    pub(super) fn audit(&self, of: &AuditScope) -> Result<Vec<AuditRecord>, Error> {
        let key = match of {
            AuditScope::Instance(key) => Some(key),
            AuditScope::Host | AuditScope::Tenant(_) => None,
        };
        let mut records = match of {
            AuditScope::Host => self.acts()?,
            AuditScope::Tenant(_) | AuditScope::Instance(_) => Vec::new(),
        };
        let whole = |tenant: &TenantId| match of {
            AuditScope::Tenant(own) => own == tenant,
            AuditScope::Host => true,
            AuditScope::Instance(_) => false,
        };
        let deletions =
            self.store.deletions().wait()?.into_iter().filter(|deleted| whole(&deleted.key.tenant));
        records.extend(deletions.map(|Deleted { key, at, by, facts, end }| AuditRecord::Deletion {
            at,
            tenant: key.tenant,
            instance: key.instance,
            deleted: facts,
            by,
            state: end.map(|end| end.state),
            ended_at: end.map(|end| end.at),
        }));
        let facts = self.store.facts(key).wait()?.into_iter();
        let facts = facts.filter(|fact| key.is_some() || whole(&fact.key.tenant));
        records.extend(facts.map(|fact| AuditRecord::Fact(Box::new(fact))));
        // The sort is stable, so records of the same time keep their order.
        records.sort_by_key(AuditRecord::at);
        Ok(records)
    }

    fn acts(&self) -> Result<Vec<AuditRecord>, Error> {
        let acts = self.store.acts(0).wait()?.into_iter();
        acts.map(|RecordedAct { at, body, .. }| {
            let RecordedTrustAct { by, act } =
                serde_json::from_str(&body).map_err(|error| Error::Internal(error.to_string()))?;
            Ok(AuditRecord::Act { at, by, act })
        })
        .collect()
    }
}
