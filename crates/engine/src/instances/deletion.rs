//! Deleting instances that have ended. Receipts and signed outcomes are kept.

use crate::instances::sweep::sweep_artifacts;
use crate::runtime::lease::Lease;
use crate::runtime::state::HostState;
use crate::{Error, Host, text_limits};
use receipt::Digest;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use store::{Commit, Fact, InstanceKey, JournalPosition, Write};
use workflow::{Entry, RecordedCommand, Replay};

impl Host {
    /// Deletes an ended instance: its journal, its requests and its output; its component if no other instance of
    /// its tenant has it; and artifacts that it deployed, if no other instance did and no resource serves them. Its
    /// receipts are kept, with their state, and the deletion is recorded.
    ///
    /// # Errors
    /// There is no such instance, it has not ended, or it needs a review first. It is not deleted then.
    pub fn delete(&self, key: &InstanceKey, by: &str) -> Result<(), Error> {
        text_limits::check(by, None)?;
        let Deletion { lease: _lease, commit, artifacts } = delete(&self.0, key, by)?;
        commit.wait()?;
        if !artifacts.is_empty() {
            sweep_artifacts(&self.0, Some(&artifacts));
        }
        Ok(())
    }
}

/// A deletion in progress.
pub(crate) struct Deletion {
    /// Until it is on disk, the instance is not driven.
    pub(crate) lease: Arc<Lease>,
    pub(crate) commit: Commit,
    /// The artifacts that may be unneeded once the deletion is on disk.
    pub(crate) artifacts: HashSet<Digest>,
}

/// Hands the deletion over.
pub(crate) fn delete(inner: &Arc<HostState>, key: &InstanceKey, by: &str) -> Result<Deletion, Error> {
    let lease = inner.leases.acquire(key)?;
    let facts = inner.journals.store.facts(Some(key)).wait()?;
    let entries = || facts.iter().map(|fact| &fact.entry);
    let replay = Replay::fold(entries(), inner.journals.settings.of(&key.tenant).workflow)
        .map_err(|illegal| Error::Journal { key: key.clone(), illegal })?;
    if !replay.status().has_ended() {
        return Err(Error::NotEnded { key: key.clone(), status: replay.status().to_string() });
    }
    if let Some(unknown) = replay.unknown().into_iter().find(|unknown| unknown.finding.is_none()) {
        return Err(Error::Unresolved { key: key.clone(), receipt: unknown.receipt });
    }
    check_reviewed(inner, key, &facts)?;
    let place = JournalPosition { key: key.clone(), after: facts.len(), at: inner.now()? };
    let (components, bytes) = (components(&facts), bytes(inner, &facts)?);
    let delete = Write::Delete { place, components, bytes, by: by.to_owned() };
    Ok(Deletion { lease, commit: inner.journals.store.write(delete), artifacts: artifacts(&facts) })
}

/// A break-glass decision has to be reviewed by a second person, who needs the request for that.
fn check_reviewed(inner: &HostState, key: &InstanceKey, facts: &[Fact]) -> Result<(), Error> {
    let trust = inner.trust()?;
    let alone: BTreeSet<_> = trust.unreviewed().map(|(request, _)| request).collect();
    let unreviewed = facts.iter().find_map(|fact| match &fact.entry {
        Entry::Requested { request, .. } if alone.contains(request) => Some(request.clone()),
        _ => None,
    });
    match unreviewed {
        Some(request) => Err(Error::Unreviewed { key: key.clone(), request }),
        None => Ok(()),
    }
}

/// The bytes that were counted for its entries and its requests: their lengths as JSON text.
fn bytes(inner: &HostState, facts: &[Fact]) -> Result<usize, Error> {
    let mut bytes = 0;
    for Fact { entry, .. } in facts {
        let text = serde_json::to_string(entry).map_err(|error| Error::Internal(error.to_string()))?;
        bytes += text.len();
        if let Entry::Requested { request, .. } = entry {
            bytes += inner.journals.store.request(request).wait()?.map_or(0, |found| found.body.len());
        }
    }
    Ok(bytes)
}

/// Every artifact that it has acted with.
fn artifacts(facts: &[Fact]) -> HashSet<Digest> {
    let asked = facts.iter().filter_map(|fact| match &fact.entry {
        Entry::Redeemed { asked: RecordedCommand::Perform { artifact, .. }, .. } => Some(artifact.sha256),
        _ => None,
    });
    asked.collect()
}

/// Every component that it was loaded with, as often as it was.
fn components(facts: &[Fact]) -> Vec<Digest> {
    let loaded = facts.iter().filter_map(|fact| match &fact.entry {
        Entry::Loaded { component, .. } => Some(*component),
        _ => None,
    });
    loaded.collect()
}
