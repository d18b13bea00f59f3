//! Known code and bytes: people approved them, the approval was acted on, and it still counts.
//!
//! No fact records that code is known. The store lists candidate receipts ([`Store::precedents`]), and each look-up
//! verifies them again.

use crate::trust::precedent::{Precedent, Precedents};
use crate::trust::{CountVerdict, Subject, Trust, count, scope_of};
use policy::Policy;
use receipt::{AttestationArtifact, Decision, Digest, Judged, KeySet, Scope, Timestamp, VerifiedDecision};
use std::collections::HashMap;
use std::sync::Arc;
use store::{ReceiptState, RecordedReceipt, SignedBy, Store, StoreError};
use workflow::{ReceiptId, TenantId};

/// The longest request, in bytes, whose receipt makes code or bytes known. Verifying longer requests repeatedly takes
/// too long.
const LONGEST: usize = 256 << 10;

/// The judge of spent receipts.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// The issuer's public keys.
    pub keys: &'a KeySet,
    /// The people who may decide.
    pub trust: &'a Trust,
    /// The policy.
    pub policy: &'a dyn Policy,
    /// The time.
    pub at: Timestamp,
}

impl Judge<'_> {
    /// The code and bytes that these receipts make known in a tenant. A receipt that does not count makes nothing
    /// known.
    #[must_use]
    pub fn known_by(&self, tenant: &TenantId, precedents: Vec<Precedent>) -> Precedents {
        let mut known = Precedents::default();
        for precedent in precedents.into_iter().map(Arc::new) {
            for digest in self.made_known(tenant, &precedent).into_iter().flatten() {
                known.0.insert(digest, Arc::clone(&precedent));
            }
        }
        known
    }

    /// The code and bytes that one receipt makes known in a tenant.
    fn made_known(&self, tenant: &TenantId, precedent: &Precedent) -> Option<Vec<Digest>> {
        let Precedent { receipt, attestation } = precedent;
        if receipt.request_json.len() > LONGEST {
            return None;
        }
        let verified = receipt::verify(&receipt.artifact, self.keys).ok()?;
        verified.approved(Scope::Production).ok()?;
        if scope_of(verified.key_id()) != Scope::Production || verified.id() != receipt.id.as_str() {
            return None;
        }
        let attestation = AttestationArtifact::parse(attestation).ok()?;
        receipt::verify_attestation(&attestation, &verified, self.keys).ok()?;
        let opened = verified.open(&receipt.opening()?).ok()?;
        let subject = Subject::of(opened.request(), &Precedents::default()).ok()?;
        let judged = Judged::InRetrospect(self.at);
        let decisions = receipt::verify_approvals(&opened, self.trust.deciders(), judged).ok()?;
        let counts = subject.tenant == *tenant && suffices(self.policy, &subject, &decisions);
        counts.then(|| subject.digests())
    }
}

/// Whether these people's approvals allow the action if nothing about it is known: an approval that needed the code to
/// be known does not make the code known. Break-glass decisions and a policy's own permission make nothing known.
fn suffices(policy: &dyn Policy, unknown: &Subject, decisions: &[VerifiedDecision]) -> bool {
    let count = count(policy, unknown, decisions);
    count.verdict == CountVerdict::Approved && !count.approved.is_empty()
}

/// The approvals of a receipt that is about to be spent, if they make anything known.
pub(crate) fn signed_approvals(
    policy: &dyn Policy,
    request: &receipt::Json,
    length: usize,
    decisions: &[VerifiedDecision],
) -> Option<SignedBy> {
    let unknown = Subject::of(request, &Precedents::default()).ok()?;
    let makes_known = length <= LONGEST && suffices(policy, &unknown, decisions);
    makes_known.then(|| SignedBy { keys: keys_of(decisions.iter()), digests: unknown.digests() })
}

/// The denials among decisions.
pub(crate) fn signed_denials(decisions: &[VerifiedDecision]) -> SignedBy {
    let denied = decisions.iter().filter(|decision| decision.decision() == Decision::Denied);
    SignedBy { keys: keys_of(denied), digests: Vec::new() }
}

fn keys_of<'a>(decisions: impl Iterator<Item = &'a VerifiedDecision>) -> String {
    let mut keys: Vec<_> = decisions.map(|decision| decision.key_id().to_string()).collect();
    keys.sort();
    keys.dedup();
    keys.join(" ")
}

/// Looks up known digests, once for each tenant and digest. Valid as long as its judge is.
pub(crate) struct Recall<'a> {
    store: &'a dyn Store,
    judge: Judge<'a>,
    found: HashMap<(TenantId, Digest), Option<Arc<Precedent>>>,
}

impl<'a> Recall<'a> {
    pub(crate) fn new(store: &'a dyn Store, judge: Judge<'a>) -> Self {
        Self { store, judge, found: HashMap::new() }
    }

    /// The digests that are known in a tenant, among those given.
    pub(crate) fn known(
        &mut self,
        tenant: &TenantId,
        digests: impl IntoIterator<Item = Digest>,
    ) -> Result<Precedents, StoreError> {
        let digests: Vec<Digest> = digests.into_iter().collect();
        let name = |digest: &Digest| (tenant.clone(), *digest);
        let unknown: Vec<Digest> =
            digests.iter().filter(|digest| !self.found.contains_key(&name(digest))).copied().collect();
        if !unknown.is_empty() {
            let candidates = self.store.precedents(tenant, &unknown).wait()?;
            for digest in unknown {
                let of_digest = candidates.iter().filter(|(of, _)| *of == digest).map(|(_, id)| id);
                let found = self.latest(tenant, &digest, of_digest)?;
                self.found.insert(name(&digest), found);
            }
        }
        let mut known = Precedents::default();
        for digest in digests {
            let found = self.found.get(&name(&digest)).cloned().flatten();
            known.0.extend(found.map(|precedent| (digest, precedent)));
        }
        Ok(known)
    }

    /// The first candidate that makes it known.
    fn latest<'b>(
        &self,
        tenant: &TenantId,
        digest: &Digest,
        candidates: impl Iterator<Item = &'b ReceiptId>,
    ) -> Result<Option<Arc<Precedent>>, StoreError> {
        for id in candidates {
            let Some(RecordedReceipt {
                receipt,
                state: ReceiptState { redeemed: Some(_), attestation: Some(attestation), revoked: None },
            }) = self.store.receipt(id).wait()?
            else {
                continue;
            };
            let precedent = Precedent { receipt, attestation };
            let digests = self.judge.made_known(tenant, &precedent).unwrap_or_default();
            if digests.contains(digest) {
                return Ok(Some(Arc::new(precedent)));
            }
        }
        Ok(None)
    }
}
