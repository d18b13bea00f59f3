//! The shared state of a host: one value for each part of the engine, and what more than one part needs of several.

use crate::Error;
use crate::capability::{Artifacts, Gate};
use crate::issuer::{DecisionBasis, Issued, Keyring, Request};
use crate::runtime::capabilities::Capabilities;
use crate::runtime::claims::ClaimTable;
use crate::runtime::governance::Governance;
use crate::runtime::journals::{Journals, LoadedInstance};
use crate::runtime::lease::LeaseTable;
use crate::runtime::previews::Previews;
use crate::runtime::programs::ProgramCache;
use crate::runtime::publisher::{BackgroundErrorHandler, Publisher};
use crate::runtime::requests;
use crate::runtime::slots::RunSlots;
use crate::runtime::wakeups::Wakeups;
use crate::trust::{Judge, Precedents, Recall, Trust, scope_of};
use receipt::{Digest, Scope, Timestamp};
use sandbox::Program;
use std::sync::{Arc, Mutex};
use store::{Commit, InstanceKey, Write};
use workflow::{Call, Effect, Entry, ReceiptId, Replay, RequestId, TenantId, Unsettled};

/// Called with every error of an instance for which no caller waits.
pub(crate) type InstanceErrorHandler = Box<dyn Fn(&InstanceKey, &Error) + Send + Sync>;

/// Called with the span of each drive.
pub(crate) type DriveSpanHandler = Box<dyn Fn(&InstanceKey, &tracing::Span) + Send + Sync>;

/// A host: one data folder, one sandbox, one issuer.
#[derive(Clone)]
pub struct Host(pub(crate) Arc<HostState>);

/// The shared state of all handles of one host.
pub(crate) struct HostState {
    /// Ends before the store that it reads.
    pub(crate) publisher: Publisher,
    /// The stored artifacts, by content.
    pub(crate) artifacts: Arc<Artifacts>,
    /// Called when work in the background fails.
    pub(crate) on_background_error: BackgroundErrorHandler,
    pub(crate) journals: Journals,
    pub(crate) programs: ProgramCache,
    pub(crate) previews: Previews,
    pub(crate) governance: Governance,
    pub(crate) capabilities: Capabilities,
    pub(crate) leases: LeaseTable,
    pub(crate) claims: ClaimTable,
    pub(crate) slots: RunSlots,
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) on_instance_error: InstanceErrorHandler,
    pub(crate) on_drive_span: DriveSpanHandler,
    /// Held while uploads are counted and changed.
    pub(crate) uploads: Mutex<()>,
}

impl HostState {
    /// The time: the wall clock's, and never before the latest recorded time. Setting a clock back revives nothing.
    pub(crate) fn now(&self) -> Result<Timestamp, Error> {
        self.journals.now()
    }

    /// Returns at that time of [`now`](Self::now), or earlier. Where several hosts share a store, times are the store's, and this machine's clock may be wrong
    /// by any amount: it measures only how long to wait.
    pub(crate) async fn until(&self, then: Timestamp) -> Result<(), Error> {
        let clock = &self.journals.clock;
        let then = match self.claims.are_shared() {
            true => {
                let left = then.as_millis().saturating_sub(self.now()?.as_millis());
                Timestamp::from_millis(clock.now().as_millis().saturating_add(left))
            }
            false => then,
        };
        clock.until(then).await;
        Ok(())
    }

    /// All operators' acts: another process may have recorded one since the last look. The gate has the authority's keys afterwards.
    pub(crate) fn trust(&self) -> Result<Arc<Trust>, Error> {
        self.trust_now().map(|(trust, _)| trust)
    }

    /// The people and freezes in force, and the time to judge by, which is not before the last act.
    pub(crate) fn trust_now(&self) -> Result<(Arc<Trust>, Timestamp), Error> {
        let trusted = self.governance.trust_now(&self.journals)?;
        self.pin_keys()?;
        Ok(trusted)
    }

    /// The gate, with the keys that it trusts now.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        self.capabilities.gate()
    }

    /// Takes over what changed in the key set of an authority in another process.
    fn pin_keys(&self) -> Result<(), Error> {
        let Some(published) = self.governance.issuer.published_keys().transpose()? else { return Ok(()) };
        if *self.gate().keys() == published {
            return Ok(());
        }
        self.capabilities.change_keys(|_| {
            let changes = Keyring::pin(&self.journals.folder.keys(), &published)?;
            self.governance.report_key_changes(&changes);
            Ok(Some(published))
        })
    }

    /// A request, and the instance that made it, with the digests of its code and bytes that are still known.
    pub(crate) fn request(&self, id: &RequestId) -> Result<(InstanceKey, Request), Error> {
        let (trust, at) = self.trust_now()?;
        let (key, mut request) = requests::request(&*self.journals.store, id)?;
        let gate = self.gate();
        let mut recall = Recall::new(&*self.journals.store, self.judge(&gate, &trust, at));
        requests::recall(&mut recall, &mut request)?;
        Ok((key, request))
    }

    /// The judge of spent receipts.
    pub(crate) fn judge<'a>(&'a self, gate: &'a Gate, trust: &'a Trust, at: Timestamp) -> Judge<'a> {
        Judge { keys: gate.keys(), trust, policy: &*self.governance.policy, at }
    }

    /// Has a request judged, and the decision signed.
    pub(crate) fn issue(
        &self,
        request: &Request,
        basis: DecisionBasis<'_>,
        trusted: (&Trust, Timestamp),
    ) -> Result<Issued, Error> {
        self.governance.issue(request, basis, trusted)
    }

    /// An instance's journal, and the state that it folds to.
    pub(crate) fn load(&self, key: &InstanceKey) -> Result<LoadedInstance, Error> {
        self.journals.load(key)
    }

    /// The program of a component that an instance runs.
    pub(crate) fn program_of(&self, digest: &Digest) -> Result<Program, Error> {
        self.programs.of_component(&*self.journals.store, digest)
    }

    /// The entry for an outcome, signed.
    pub(crate) fn attested(
        &self,
        call: Call,
        receipt: &ReceiptId,
        scope: Scope,
        effect: &Effect,
    ) -> Result<Entry, Error> {
        self.governance.attested(&self.journals, call, receipt, scope, effect)
    }

    /// Writes for a drive. A drive that is alone may write on this thread: that delays no other, and is faster.
    pub(crate) fn write(&self, write: Write<'_>) -> Commit {
        let alone = self.leases.len() <= 1;
        match alone {
            true => self.journals.store.write_alone(write),
            false => self.journals.store.write(write),
        }
    }

    /// Runs a part of a drive that asks the store or the issuer and blocks while it waits. A store that hosts share
    /// answers over a network, and an issuer in another process after any time: the part then runs on a thread of its
    /// own, because this thread drives other instances.
    pub(crate) async fn apart<T: Send + 'static>(
        self: &Arc<Self>,
        part: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        if !self.claims.are_shared() && !self.governance.issuer.is_remote() {
            return part(self);
        }
        let inner = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || part(&inner)).await;
        done.map_err(|error| Error::Internal(format!("a part of a drive broke off: {error}")))?
    }

    /// The operators' acts, the code and bytes that are known by the approvals that count, and the time of that.
    pub(crate) async fn known(
        self: &Arc<Self>,
        tenant: &TenantId,
        digests: Vec<Digest>,
    ) -> Result<(Arc<Trust>, Precedents, Timestamp), Error> {
        let tenant = tenant.clone();
        let look = move |inner: &Self| {
            let ((trust, at), gate) = (inner.trust_now()?, inner.gate());
            let mut recall = Recall::new(&*inner.journals.store, inner.judge(&gate, &trust, at));
            let known = recall.known(&tenant, digests)?;
            Ok((trust, known, at))
        };
        self.apart(look).await
    }

    pub(crate) fn report_error(&self, key: &InstanceKey, error: &Error) {
        (self.on_instance_error)(key, error);
    }

    /// The entries to record before an instance ends or restarts, so that no action is left without a signed outcome.
    /// An action that was interrupted and not resumed is unknown.
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
        let stored = self.journals.store.receipt(receipt).wait()?;
        Ok(stored.map_or(Scope::Production, |stored| scope_of(&stored.receipt.artifact.key_id)))
    }
}
