//! The bytes of recently requested artifacts, for people to look at before they decide. In memory and bounded: an
//! artifact that is no longer here is compared by its digest.

use receipt::Digest;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use workflow::{Artifact, TenantId};

/// The longest artifact that is kept, in bytes. People do not look at longer ones line by line.
const LONGEST: usize = 128 << 10;

/// Artifacts of one tenant: one tenant's requests push out no other's.
const OF_A_TENANT: usize = 8;

/// Artifacts of all tenants: 16 MiB at most.
const MOST: usize = 128;

/// One artifact of a tenant, and its bytes.
type Preview = (TenantId, Digest, Arc<[u8]>);

/// Artifacts, the latest last.
#[derive(Default)]
pub(crate) struct Previews(Mutex<VecDeque<Preview>>);

impl Previews {
    /// Keeps the artifact of a tenant's request, if it is short enough.
    pub(crate) fn keep(&self, tenant: &TenantId, artifact: &Artifact) {
        let (digest, bytes) = (artifact.facts().sha256, artifact.bytes());
        // The host has only the digest of a long artifact.
        if bytes.len() > LONGEST || Digest::of(bytes) != digest {
            return;
        }
        let mut kept = self.lock();
        kept.retain(|(of, other, _)| of != tenant || *other != digest);
        let own = kept.iter().filter(|(of, ..)| of == tenant).count();
        let oldest = match (own >= OF_A_TENANT, kept.len() >= MOST) {
            (true, _) => kept.iter().position(|(of, ..)| of == tenant),
            (false, true) => Some(0),
            (false, false) => None,
        };
        oldest.and_then(|oldest| kept.remove(oldest));
        kept.push_back((tenant.clone(), digest, bytes.into()));
    }

    /// A tenant's artifact of that digest, if it is still here.
    pub(crate) fn get(&self, tenant: &TenantId, digest: &Digest) -> Option<Arc<[u8]>> {
        let kept = self.lock();
        let found = kept.iter().find(|(of, other, _)| of == tenant && other == digest);
        found.map(|(_, _, bytes)| Arc::clone(bytes))
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Preview>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_for_each_tenant_and_for_all() {
        let previews = Previews::default();
        let keep = |tenant: &str, text: String| {
            let artifact = Artifact::new("a".to_owned(), text.into_bytes());
            let digest = artifact.facts().sha256;
            previews.keep(&tenant.parse().unwrap(), &artifact);
            digest
        };
        let first = keep("acme", "first".to_owned());
        let others: Vec<_> = (0..OF_A_TENANT).map(|number| keep("acme", number.to_string())).collect();
        let (acme, globex) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        assert!(previews.get(&acme, &first).is_none() && previews.get(&acme, &others[0]).is_some());
        assert!(previews.get(&globex, &others[0]).is_none(), "another tenant's is not there");
        let long = keep("acme", "x".repeat(LONGEST + 1));
        assert!(previews.get(&acme, &long).is_none());
        for number in 0..MOST {
            keep(&format!("t{number}"), "x".to_owned());
        }
        assert_eq!(previews.lock().len(), MOST);
    }
}
