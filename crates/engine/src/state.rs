//! What all handles of one host share, and what more than one of its rooms needs.

use crate::capability::{Capability, Gate};
use crate::drive::driver::Origin;
use crate::issuer::{DecisionBasis, Environment, IssueOrder, Issued, Issuer, JudgingContext, Request};
use crate::limits::Settings;
use crate::runtime::programs::Programs;
use crate::runtime::slots::RunSlots;
use crate::schedule::Wakeups;
use crate::times::Times;
use crate::trust::{Trust, scope_of};
use crate::{Clock, Error, ids, query};
use policy::Policy;
use receipt::{Digest, Salt, Scope, Timestamp};
use sandbox::{Program, Sandbox};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use store::{Commit, Fact, InstanceKey, RecordedAct, Stamp, Store, StoreError, Write};
use store_sqlite::DataFolder;
use tokio::sync::Notify;
use workflow::{Call, Effect, Entry, ReceiptId, Replay, RequestId, Unsettled};

/// Told of everything that goes wrong with an instance while nobody waits for it.
pub(crate) type Troubles = Box<dyn Fn(&InstanceKey, &Error) + Send + Sync>;

/// Told of every fact.
pub(crate) type Observer = Box<dyn Fn(&Fact) + Send + Sync>;

pub(crate) struct HostState {
    pub(crate) sandbox: Sandbox,
    pub(crate) store: Box<dyn Store>,
    pub(crate) authority: Box<dyn Issuer>,
    pub(crate) policy: Box<dyn Policy>,
    /// There is a policy that somebody wrote.
    pub(crate) governed: bool,
    /// Which receipts count, where somebody has said so.
    pub(crate) scope: Option<Scope>,
    pub(crate) gate: Gate,
    pub(crate) capabilities: Vec<Box<dyn Capability>>,
    pub(crate) clock: Box<dyn Clock>,
    pub(crate) observer: Option<Observer>,
    pub(crate) settings: Settings,
    pub(crate) environment: Environment,
    pub(crate) programs: Programs,
    pub(crate) trust: Mutex<Arc<Trust>>,
    pub(crate) driving: Mutex<HashMap<InstanceKey, Held>>,
    pub(crate) rota: RunSlots,
    pub(crate) bell: Wakeups,
    pub(crate) troubles: Troubles,
    /// Held for its lock.
    pub(crate) folder: DataFolder,
}

impl HostState {
    /// The time: the wall's, and never before anything that was recorded. Setting a clock back revives nothing.
    pub(crate) fn now(&self) -> Result<Timestamp, Error> {
        let wall = self.clock.now();
        Ok(self.store.latest()?.map_or(wall, |latest| latest.max(wall)))
    }

    /// What operators have said, all of it: another process may have recorded something since the last look.
    pub(crate) fn trust(&self) -> Result<Arc<Trust>, Error> {
        let mut trust = self.trust.lock().unwrap_or_else(PoisonError::into_inner);
        // Where operators say it elsewhere, this folder has a copy, act by act: redeeming checks that nothing was said since.
        if self.authority.is_elsewhere() {
            let kept = self.store.acts(trust.seq())?;
            Arc::make_mut(&mut trust).extend(&kept)?;
            for act in self.authority.acts(trust.seq()).transpose()?.unwrap_or_default() {
                self.copy_act(act)?;
            }
        }
        let since = self.store.acts(trust.seq())?;
        if !since.is_empty() {
            Arc::make_mut(&mut trust).extend(&since)?;
        }
        Ok(Arc::clone(&trust))
    }

    /// Keeps a copy of what was said elsewhere. Another process of this host may have been first; somebody else's words are another matter.
    fn copy_act(&self, RecordedAct { seq, at, body }: RecordedAct) -> Result<(), Error> {
        let seen = seq.saturating_sub(1);
        match self.store.act(seen, at, body.clone()) {
            Err(StoreError::ActsMoved)
                if self.store.acts(seen)?.first().is_some_and(|kept| kept.body == body) =>
            {
                Ok(())
            }
            Err(StoreError::ActsMoved) => Err(Error::OtherAuthority),
            written => Ok(written?),
        }
    }

    /// Writes for a drive. Where it is the only one, nobody is kept from anything by waiting on this thread, which is sooner done.
    pub(crate) fn write(&self, write: Write<'_>) -> Commit {
        let alone = self.driving.lock().unwrap_or_else(PoisonError::into_inner).len() <= 1;
        match alone {
            true => Commit::ready(self.store.write_here(write)),
            false => self.store.write(write),
        }
    }

    pub(crate) fn trouble(&self, key: &InstanceKey, error: &Error) {
        (self.troubles)(key, error);
    }

    /// Tells whoever wants to know what was recorded: these entries, after so many others of that instance.
    pub(crate) fn observe(&self, stamp: Option<Stamp>, key: &InstanceKey, after: usize, entries: &[Entry]) {
        if let (Some(observer), Some(stamp)) = (&self.observer, stamp) {
            stamp.facts(key, after, entries).for_each(|fact| observer(&fact));
        }
    }

    pub(crate) fn capability(&self, name: &str) -> Option<&dyn Capability> {
        self.capabilities
            .iter()
            .rev()
            .find(|capability| capability.name() == name)
            .map(|capability| &**capability)
    }

    pub(crate) fn request(&self, id: &RequestId) -> Result<(InstanceKey, Request), Error> {
        reading::request(&*self.store, id)
    }

    /// Has a request judged, and what comes of it signed.
    pub(crate) fn issue(&self, request: &Request, basis: DecisionBasis<'_>) -> Result<Issued, Error> {
        let at = self.now()?;
        let (id, salt) = (ids::id("rcpt_", at)?, Salt::from_bytes(ids::random_bytes()?));
        let order = IssueOrder { request, basis, id, salt, at };
        let trust = self.trust()?;
        Ok(self.authority.issue(&order, JudgingContext { trust: &trust, policy: &*self.policy })?)
    }

    /// Which receipts count here. Where nobody has said, those that people sign as soon as there are people.
    pub(crate) fn scope(&self, trust: &Trust) -> Scope {
        // Once it was in earnest, it stays so: a policy file that is gone does not make it a demonstration.
        let earnest = self.governed || trust.policy().is_some() || !trust.deciders().people().is_empty();
        self.scope.unwrap_or(if earnest { Scope::Production } else { Scope::Demo })
    }

    pub(crate) fn read(&self, key: &InstanceKey) -> Result<(Origin, Replay, Times), Error> {
        let facts = self.store.facts(Some(key))?;
        let (origin, replay) = self.stand(key, &facts)?;
        Ok((origin, replay, Times::of(&facts)))
    }

    /// What a journal says.
    pub(crate) fn stand(&self, key: &InstanceKey, facts: &[Fact]) -> Result<(Origin, Replay), Error> {
        let entries = facts.iter().map(|fact| &fact.entry);
        let limits = self.settings.of(&key.tenant).workflow;
        let replay =
            Replay::fold(entries, limits).map_err(|illegal| Error::Journal { key: key.clone(), illegal })?;
        // One that went back may have been given other code there.
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

    /// What has to be recorded before an instance ends or goes back: no action may be left whose outcome nobody has signed. One that was
    /// interrupted and not taken up again is unknown.
    pub(crate) fn settlement(&self, replay: &Replay) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::new();
        for Unsettled { call, receipt, effect } in replay.unsettled() {
            let performed = effect.is_some();
            let effect = effect.unwrap_or_else(|| Effect::Unknown {
                message: "the host stopped while it acted, and the workflow ended without asking again"
                    .to_owned(),
            });
            let attested = self.attested(call, &receipt, self.scope_of(&receipt)?, &effect)?;
            if !performed {
                entries.push(Entry::Performed { call, receipt, effect });
            }
            entries.push(attested);
        }
        Ok(entries)
    }

    /// The scope of a receipt that is kept.
    pub(crate) fn scope_of(&self, receipt: &ReceiptId) -> Result<Scope, Error> {
        let stored = self.store.receipt(receipt)?;
        Ok(stored.map_or(Scope::Production, |(receipt, _)| scope_of(&receipt.artifact.key_id)))
    }

    /// The entry for an outcome, signed.
    pub(crate) fn attested(
        &self,
        call: Call,
        receipt: &ReceiptId,
        scope: Scope,
        effect: &Effect,
    ) -> Result<Entry, Error> {
        let (key_id, document) = self.authority.attest(receipt, scope, effect, self.now()?)?;
        Ok(Entry::Attested { call, receipt: receipt.clone(), key_id, document })
    }

    pub(crate) fn program_of(&self, digest: &Digest) -> Result<Program, Error> {
        self.programs.get_or_load(digest, || {
            let bytes = self.store.component(digest)?;
            Ok(self.sandbox.load_as(*digest, &bytes)?)
        })
    }

    /// The same bytes compile once.
    pub(crate) fn program(&self, digest: Digest, bytes: &[u8]) -> Result<Program, Error> {
        self.programs.get_or_load(&digest, || Ok(self.sandbox.load_as(digest, bytes)?))
    }
}

/// The right to drive an instance. Two drives at once would each take the other's unfinished action for an interrupted one.
pub(crate) struct Lease {
    inner: Arc<HostState>,
    key: InstanceKey,
    pulled: Notify,
}

/// The reins of an instance, somewhere.
pub(crate) struct Held {
    reins: Weak<Lease>,
    /// Somebody else was refused them, and is to hear when they are free.
    wanted: bool,
}

impl Lease {
    pub(crate) fn take(inner: &Arc<HostState>, key: &InstanceKey) -> Result<Arc<Self>, Error> {
        let mut driving = inner.driving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = driving.get_mut(key) {
            held.wanted = true;
            return Err(Error::Busy(key.clone()));
        }
        let reins = Arc::new(Self { inner: Arc::clone(inner), key: key.clone(), pulled: Notify::new() });
        driving.insert(key.clone(), Held { reins: Arc::downgrade(&reins), wanted: false });
        Ok(reins)
    }

    /// Has whoever drives the instance now unwind its guest, wherever that is.
    pub(crate) fn pull(inner: &HostState, key: &InstanceKey) {
        let driving = inner.driving.lock().unwrap_or_else(PoisonError::into_inner);
        let reins = driving.get(key).and_then(|held| held.reins.upgrade());
        // Not while the lock is held: these may be the last that hold them.
        drop(driving);
        if let Some(reins) = reins {
            reins.pulled.notify_one();
        }
    }

    /// Comes back when the guest is to be unwound.
    pub(crate) async fn pulled(&self) {
        self.pulled.notified().await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let held = self.inner.driving.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
        if held.is_some_and(|held| held.wanted) {
            self.inner.bell.ring(&self.key);
        }
    }
}
