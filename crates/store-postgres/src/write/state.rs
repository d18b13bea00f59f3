//! The rows that a group of writes has locked and read, and their changes.

use crate::write::rows::Rows;
use crate::write::usage_stripes::{ChargeError, TenantUsage};
use receipt::Digest;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use store::{InstanceKey, ReceiptState, Shard, StoreError, StoredReceipt};
use workflow::{ReceiptId, RequestId, TenantId};

/// An instance's row.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    pub(crate) id: i64,
    /// The number of its entries.
    pub(crate) next: i64,
    /// The last time that was recorded.
    pub(crate) at: i64,
    pub(crate) state: i16,
    pub(crate) due: Option<i64>,
    pub(crate) since: i64,
    pub(crate) ended: bool,
}

/// A request's row.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) instance: i64,
    pub(crate) seq: i64,
    pub(crate) tenant: TenantId,
    pub(crate) subject: String,
    pub(crate) open: bool,
    pub(crate) outcome: Option<String>,
    /// The delivered notices.
    pub(crate) notified: i16,
    /// Present only for a new request.
    pub(crate) body: Option<Arc<str>>,
}

/// A row of entries to insert.
#[derive(Debug)]
pub(crate) struct EntryRow {
    pub(crate) instance: i64,
    pub(crate) position: crate::write::entries::RowPosition,
    pub(crate) sum: i64,
    pub(crate) text: String,
}

/// The live deployment of a resource.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) place: i64,
    pub(crate) redeemed: i64,
    pub(crate) sha256: String,
}

/// The number of users of something, in stripes. None is negative.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Users {
    /// The writer's own stripe.
    pub(crate) own: i64,
    /// The other stripes, which are exact if all stripes of the tenant's usage are locked.
    pub(crate) others: i64,
}

impl Users {
    /// Adds a stripe that was read.
    pub(crate) fn read(&mut self, (stripe, own): (i16, i16), count: i64) {
        match stripe == own {
            true => self.own = count,
            false => self.others += count,
        }
    }
}

/// An artifact that a tenant keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Artifact {
    pub(crate) bytes: i64,
    pub(crate) holders: Users,
}

/// A receipt to insert.
#[derive(Debug, Clone)]
pub(crate) struct NewReceipt {
    pub(crate) request: RequestId,
    /// The committed tenant.
    pub(crate) tenant: String,
    pub(crate) body: Arc<str>,
}

/// Deployments to insert, by id; `None` for one that is stored already.
pub(crate) type NewDeployment = Option<(i64, Arc<store::Deployment>)>;

/// A tenant and an object of it.
pub(crate) type TenantScoped<T> = (TenantId, T);

/// All rows that the writes of a group use.
#[derive(Debug, Default)]
pub(crate) struct GroupState {
    /// The group's shards whose claims this host has.
    pub(crate) held: HashSet<Shard>,
    /// Whether the commit waits until it is on the disk of a standby.
    pub(crate) is_synchronous: bool,
    /// The place of the last act.
    pub(crate) last_act: u64,
    pub(crate) acts: Rows<u64, (i64, String)>,
    pub(crate) instances: Rows<InstanceKey, Instance>,
    pub(crate) entries: Vec<EntryRow>,
    pub(crate) kept_entries: usize,
    pub(crate) requests: Rows<RequestId, Request>,
    pub(crate) receipts: Rows<ReceiptId, NewReceipt>,
    pub(crate) receipt_states: Rows<ReceiptId, ReceiptState>,
    /// The number of this writer's stripes.
    pub(crate) stripe: i16,
    pub(crate) usage: Rows<TenantId, TenantUsage>,
    /// Tenants all of whose stripes have to be locked before the group can be judged.
    pub(crate) lacks_headroom: BTreeSet<TenantId>,
    /// Requests in each minute before this group, of the tenants whose rate is checked with all stripes locked.
    pub(crate) minutes: HashMap<TenantId, Vec<(i64, u64)>>,
    /// The group's additional requests in each minute.
    pub(crate) rates: Rows<TenantScoped<i64>, i64>,
    pub(crate) subjects: Rows<TenantScoped<String>, i64>,
    pub(crate) denials: Rows<TenantScoped<(String, String)>, i64>,
    pub(crate) precedents: Rows<TenantScoped<(String, String)>, (i64, ReceiptId)>,
    pub(crate) holdings: Rows<TenantScoped<Digest>, Users>,
    pub(crate) components: Rows<Digest, Arc<[u8]>>,
    pub(crate) outputs: Rows<i64, Arc<String>>,
    pub(crate) artifacts: Rows<TenantScoped<String>, Artifact>,
    /// Whether that holder exists: an instance's id, or a deployment's place, negative.
    pub(crate) holders: Rows<(i64, String), bool>,
    pub(crate) live: Rows<TenantScoped<String>, Live>,
    pub(crate) deployments: Rows<String, NewDeployment>,
    /// Ids assigned to this group, the next one last.
    pub(crate) ids: Vec<i64>,
    /// The number of deployments that the group has tried to record.
    pub(crate) deployed: i64,
}

impl GroupState {
    /// Keeps the current write's changes.
    pub(crate) fn keep(&mut self) {
        self.kept_entries = self.entries.len();
        self.each(|table| table.keep());
    }

    /// Undoes the current write's changes.
    pub(crate) fn take_back(&mut self) {
        self.entries.truncate(self.kept_entries);
        self.each(|table| table.take_back());
    }

    fn each(&mut self, act: impl Fn(&mut dyn Undo)) {
        let tables: [&mut dyn Undo; 17] = [
            &mut self.acts,
            &mut self.instances,
            &mut self.requests,
            &mut self.receipts,
            &mut self.receipt_states,
            &mut self.usage,
            &mut self.rates,
            &mut self.subjects,
            &mut self.denials,
            &mut self.precedents,
            &mut self.holdings,
            &mut self.components,
            &mut self.outputs,
            &mut self.artifacts,
            &mut self.holders,
            &mut self.live,
            &mut self.deployments,
        ];
        tables.into_iter().for_each(act);
    }

    /// What is locked of a tenant's usage, including the group's changes.
    pub(crate) fn usage_of(&self, tenant: &TenantId) -> TenantUsage {
        self.usage.get(tenant).cloned().unwrap_or_default()
    }

    /// Whether the sum of the stripes is known: that of a tenant's usage, and of whatever has stripes.
    pub(crate) fn is_fully_locked(&self, tenant: &TenantId) -> bool {
        self.usage.get(tenant).is_some_and(TenantUsage::is_fully_locked)
    }

    /// The refusal of a change. If it is only for want of headroom, the group is judged again with all stripes of the tenant locked, and no caller gets this answer.
    pub(crate) fn refuse(&mut self, tenant: &TenantId, refused: ChargeError) -> StoreError {
        match refused {
            ChargeError::Quota(over) => over.into(),
            ChargeError::Headroom => {
                self.lacks_headroom.insert(tenant.clone());
                StoreError::Stopped
            }
        }
    }

    /// Adds to a counter that is saved as an increment.
    pub(crate) fn count<K: Clone + Eq + std::hash::Hash + Ord>(rows: &mut Rows<K, i64>, key: K) {
        let times = rows.get(&key).copied().unwrap_or(0);
        rows.set(key, times + 1);
    }
}

/// The part of a table that does not depend on its types.
trait Undo {
    fn keep(&mut self);
    fn take_back(&mut self);
}

impl<K: Clone + Eq + std::hash::Hash + Ord, V: Clone> Undo for Rows<K, V> {
    fn keep(&mut self) {
        Self::keep(self);
    }

    fn take_back(&mut self) {
        Self::take_back(self);
    }
}

/// The part of [`NewReceipt`] that is stored.
impl NewReceipt {
    pub(crate) fn of(receipt: &StoredReceipt, body: &str) -> Self {
        Self { request: receipt.request.clone(), tenant: receipt.company_id.clone(), body: Arc::from(body) }
    }
}
