//! The change that a request would make, in bytes: the request's artifact, and the artifact that its resource serves
//! now.

use crate::access::{About, Principal, Right};
use crate::api::guard::check;
use crate::{Error, Host};
use receipt::Digest;
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use workflow::RequestId;

/// The longest artifact that is read for display, in bytes.
const LONGEST: u64 = 128 << 10;

/// Two artifacts. Either may be missing, because it is too long or no longer stored. Then only its digest can be
/// compared.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// The bytes that are asked about.
    pub asked: Option<Arc<[u8]>>,
    /// The bytes that are deployed.
    pub served: Option<Vec<u8>>,
}

impl Host {
    /// The bytes of a request's artifact, and of the deployed artifact with that digest.
    ///
    /// # Errors
    /// The principal has no right to see the request, or the request does not exist.
    pub fn change_of(
        &self,
        principal: &Principal,
        request: &RequestId,
        served: Option<&Digest>,
    ) -> Result<Change, Error> {
        check(&*self.0.journals.store, principal, Right::SeeRequests, About::Request(request))?;
        let request = self.request(request)?;
        let asked = request.artifact.as_ref();
        Ok(Change {
            asked: asked.and_then(|artifact| self.0.previews.get(&request.tenant, &artifact.sha256)),
            served: served.and_then(|digest| self.deployed(digest)),
        })
    }

    /// The bytes of a deployed artifact, if they match their digest.
    fn deployed(&self, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.0.journals.folder.deployments().join("artifacts").join(digest.to_string());
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(LONGEST + 1).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 <= LONGEST && Digest::of(&bytes) == *digest).then_some(bytes)
    }
}
