//! Precedents: receipts that people signed and that were acted on make code and bytes known.

use policy::Novelty;
use receipt::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::StoredReceipt;

/// A receipt that was spent, and the signed outcome that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Precedent {
    /// The receipt.
    pub receipt: StoredReceipt,
    /// The attestation of its outcome, in its portable form.
    pub attestation: String,
}

/// The known digests among a request's component and artifact, each with the receipt that makes it known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precedents(pub(super) BTreeMap<Digest, Arc<Precedent>>);

impl Precedents {
    /// Whether code or bytes of that digest are known.
    #[must_use]
    pub fn novelty_of(&self, digest: &Digest) -> Novelty {
        if self.0.contains_key(digest) { Novelty::Known } else { Novelty::New }
    }

    /// The receipts that it rests on, for another process to judge.
    #[must_use]
    pub fn precedents(&self) -> Vec<Precedent> {
        let by_receipt: BTreeMap<_, _> =
            self.0.values().map(|precedent| (precedent.receipt.id.as_str(), &**precedent)).collect();
        by_receipt.into_values().cloned().collect()
    }
}
