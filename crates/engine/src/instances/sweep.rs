//! Removing the artifacts that nothing refers to.

use crate::runtime::publisher::{PublishError, published};
use crate::runtime::state::HostState;
use receipt::Digest;
use std::collections::HashSet;

/// Removes artifacts of `only`, or of all, that no existing instance has acted with and no resource serves. Failures
/// are reported, and a later sweep tries again.
pub(crate) fn sweep_artifacts(inner: &HostState, only: Option<&HashSet<Digest>>) {
    let mut served = None;
    let swept = inner.artifacts.sweep(only, |digest| {
        if inner.journals.store.keeps_artifact(digest).wait()? {
            return Ok(true);
        }
        // The files lag behind the rows.
        let served: &HashSet<Digest> = match &mut served {
            Some(served) => served,
            served => served.insert(published(&inner.journals.folder.deployments())?),
        };
        Ok::<_, PublishError>(served.contains(digest))
    });
    // A database looks for the holders itself, and does so only from time to time.
    let swept = match only {
        None => swept.and(inner.artifacts.sweep_shared().map_err(PublishError::from)),
        Some(_) => swept,
    };
    if let Err(error) = swept {
        (inner.on_background_error)(&format!(
            "cannot remove unreferenced artifacts: {error} (the host tries again within an hour)"
        ));
    }
}
