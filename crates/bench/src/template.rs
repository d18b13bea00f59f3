//! Many instances like one: a real one is run, and its journal written again under other names, as fast as the store takes it.

use crate::MeasureError;
use crate::fixture::Fixture;
use engine::{Clock as _, SystemClock, ids};
use receipt::Digest;
use std::collections::VecDeque;
use std::sync::Arc;
use store::{Batch, Commit, Create, InstanceKey, JournalPosition, NewRequest, Quotas, ScheduleRow};
use workflow::{Entry, RequestId};

/// Writes that are under way at most.
const UNDER_WAY: usize = 4_096;

/// The journal of one instance.
pub(super) struct Template {
    key: InstanceKey,
    entries: Vec<Entry>,
    component: (Digest, Arc<[u8]>),
    request: Option<(RequestId, String)>,
    agenda: ScheduleRow,
}

/// A copy.
pub(super) struct Cast {
    pub(super) key: InstanceKey,
    pub(super) request: Option<RequestId>,
}

impl Template {
    /// Takes the mould of an instance.
    pub(super) fn of(ground: &Fixture, key: &InstanceKey) -> Result<Self, MeasureError> {
        let facts = ground.host.audit(Some(key))?;
        let entries: Vec<_> = facts.into_iter().map(|fact| fact.entry).collect();
        let component = ground.workflow.program().digest();
        let bytes = ground.host.store().component(&component).wait()?;
        let agenda = ground.host.store().entered(key).wait()?.ok_or("no line in the agenda")?.agenda;
        let asked = entries.iter().find_map(|entry| match entry {
            Entry::Requested { request, .. } => Some(request.clone()),
            _ => None,
        });
        let request = match asked {
            None => None,
            Some(id) => ground.host.store().request(&id).wait()?.map(|found| (id, found.body)),
        };
        Ok(Self { key: key.clone(), entries, component: (component, bytes.into()), request, agenda })
    }

    /// Writes that many copies, and keeps the names of `kept` of them, evenly spread.
    pub(super) fn cast(&self, ground: &Fixture, copies: u32, kept: u32) -> Result<Vec<Cast>, MeasureError> {
        let (mut under_way, mut names) = (VecDeque::<Commit>::new(), Vec::new());
        let every = (copies / kept.max(1)).max(1);
        for number in 0..copies {
            let cast = self.copy(ground, &mut under_way)?;
            if number % every == 0 && names.len() < kept as usize {
                names.push(cast);
            }
            while under_way.len() > UNDER_WAY {
                under_way.pop_front().map_or(Ok(None), Commit::wait)?;
            }
        }
        for commit in under_way {
            commit.wait()?;
        }
        Ok(names)
    }

    fn copy(&self, ground: &Fixture, under_way: &mut VecDeque<Commit>) -> Result<Cast, MeasureError> {
        let at = SystemClock.now();
        let key = InstanceKey { tenant: self.key.tenant.clone(), instance: ids::id("wf_", at)? };
        let request = self.request.as_ref().map(|_| ids::id::<RequestId>("apr_", at)).transpose()?;
        let mut entries = self.entries.clone();
        for entry in &mut entries {
            match entry {
                Entry::Started { seed, .. } => *seed = Digest::from_bytes(ids::random_bytes()?),
                Entry::Requested { request: asked, .. } => *asked = request.clone().ok_or("a request")?,
                _ => {}
            }
        }
        let later = entries.split_off(2);
        let quotas = Quotas { instances: u64::MAX, stored_bytes: u64::MAX, ..Quotas::default() };
        let store = ground.host.store();
        let component = self.component.clone();
        under_way.push_back(store.create(&Create { key: key.clone(), component, at, entries, quotas }));
        let asked = request.as_ref().map(|id| self.request(&key, id)).transpose()?;
        let batch = Batch { entries: later, request: asked, agenda: Some(self.agenda), ..Batch::default() };
        under_way.push_back(store.append(JournalPosition { key: key.clone(), after: 2, at }, &batch));
        Ok(Cast { key, request })
    }

    fn request(&self, key: &InstanceKey, id: &RequestId) -> Result<NewRequest, MeasureError> {
        let (old, body) = self.request.as_ref().ok_or("no request")?;
        let body = body
            .replace(old.as_str(), id.as_str())
            .replace(self.key.instance.as_str(), key.instance.as_str());
        Ok(NewRequest {
            id: id.clone(),
            capability: engine::DEPLOY.to_owned(),
            resource: "cloudflare://workers/paces/app".to_owned(),
            body,
        })
    }
}
