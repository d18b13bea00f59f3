//! The journals of a host: reading them, the recorded time, and the handler of written facts.

use crate::limits::Settings;
use crate::runtime::times::Times;
use crate::{Clock, Error};
use receipt::{Digest, PersonId, Timestamp};
use std::sync::Arc;
use store::DataFolder;
use store::{Fact, InstanceKey, Stamp, Store};
use tracing::Level;
use workflow::{ActorId, Entry, Replay};

/// Called with every fact.
pub(crate) type FactHandler = Box<dyn Fn(&Fact) + Send + Sync>;

/// The durable state of a host, with the time that is recorded in it.
pub(crate) struct Journals {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) on_fact: Option<FactHandler>,
    pub(crate) settings: Settings,
    /// Held for its lock.
    pub(crate) folder: DataFolder,
}

/// The properties that do not change while an instance runs.
pub(crate) struct Origin {
    pub(crate) key: InstanceKey,
    pub(crate) actor: ActorId,
    pub(crate) operator: Option<PersonId>,
    pub(crate) submitter: Option<PersonId>,
    pub(crate) workflow: String,
    pub(crate) component: Digest,
    pub(crate) imports: Vec<String>,
    pub(crate) params: String,
    pub(crate) seed: Digest,
    pub(crate) started_at: Timestamp,
}

/// An instance's journal, and the state that it folds to.
pub(crate) struct LoadedInstance {
    pub(crate) facts: Vec<Fact>,
    pub(crate) origin: Origin,
    pub(crate) replay: Replay,
}

impl Journals {
    /// The wall clock's time, but never before the last recorded time. Setting a clock back revives nothing.
    pub(crate) fn now(&self) -> Result<Timestamp, Error> {
        let wall = self.clock.now();
        Ok(self.store.now(wall).wait()?)
    }

    /// Calls the handler of facts with entries that were recorded after the first `after` entries of that instance.
    pub(crate) fn report(&self, stamp: Option<Stamp>, key: &InstanceKey, after: usize, entries: &[Entry]) {
        let Some(stamp) = stamp else { return };
        log_facts(key, after, entries);
        if let Some(on_fact) = &self.on_fact {
            stamp.facts(key, after, entries).for_each(|fact| on_fact(&fact));
        }
    }

    /// An instance's origin, its replay and its times.
    pub(crate) async fn read(&self, key: &InstanceKey) -> Result<(Origin, Replay, Times), Error> {
        let facts = self.store.facts(Some(key)).await?;
        let (origin, replay) = self.fold(key, &facts)?;
        Ok((origin, replay, Times::of(&facts)))
    }

    /// The state that a journal folds to.
    pub(crate) fn fold(&self, key: &InstanceKey, facts: &[Fact]) -> Result<(Origin, Replay), Error> {
        let entries = facts.iter().map(|fact| &fact.entry);
        let limits = self.settings.of(&key.tenant).workflow;
        let replay =
            Replay::fold(entries, limits).map_err(|illegal| Error::Journal { key: key.clone(), illegal })?;
        // A restarted instance may have been given other code.
        let loaded = facts.iter().rfind(|fact| matches!(fact.entry, Entry::Loaded { .. }));
        match loaded.zip(facts.get(1)).map(|(loaded, started)| (&loaded.entry, &started.entry, started.at)) {
            Some((
                Entry::Loaded { component, imports, .. },
                Entry::Started { actor, workflow, params, seed, operator, submitter, .. },
                started_at,
            )) => {
                let origin = Origin {
                    key: key.clone(),
                    actor: actor.clone(),
                    operator: operator.clone(),
                    submitter: submitter.clone(),
                    workflow: workflow.clone(),
                    component: *component,
                    imports: imports.clone(),
                    params: params.clone(),
                    seed: *seed,
                    started_at,
                };
                Ok((origin, replay))
            }
            _ => Err(Error::Internal(format!("instance {key} was never wholly created"))),
        }
    }

    /// Reads an instance's journal.
    pub(crate) fn load(&self, key: &InstanceKey) -> Result<LoadedInstance, Error> {
        self.load_at(key, self.store.facts(Some(key)).wait()?)
    }

    /// The state of a journal that has been read.
    pub(crate) fn load_at(&self, key: &InstanceKey, facts: Vec<Fact>) -> Result<LoadedInstance, Error> {
        let (origin, replay) = self.fold(key, &facts)?;
        Ok(LoadedInstance { facts, origin, replay })
    }
}

/// Logs the kind of each fact. The facts themselves contain texts of guests, and are in the journal.
fn log_facts(key: &InstanceKey, after: usize, entries: &[Entry]) {
    if !tracing::enabled!(Level::DEBUG) {
        return;
    }
    for (index, entry) in (after..).zip(entries) {
        tracing::debug!(tenant = %key.tenant, instance = %key.instance, index, kind = entry.kind(), "fact");
    }
}
