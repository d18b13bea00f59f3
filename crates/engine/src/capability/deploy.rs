//! `cloudflare.dynamic-worker.deploy` on a local disk: artifacts are files named by content; deployments and the live
//! deployment of each resource are rows of the store.
//!
//! ```text
//! deployments/artifacts/<sha256>             the bytes, named by their digest
//! deployments/current/<tenant>/<resource>    the live deployment, for programs that serve it: written after the rows
//! ```
//!
//! Performing only writes the artifact to disk. The deployment takes place when its row is committed, in one
//! transaction with the outcome in the journal, so the journal and the deployments never disagree. The idempotency key
//! names the row, so an action that is performed again under the same key finds its deployment.

use crate::capability::artifacts::Artifacts;
use crate::capability::{
    Capability, Execution, OnInterruption, PerformError, Performed, Permit, Reversibility,
};
use std::path::Path;
use std::sync::Arc;
use store::Deployment;
use workflow::Artifact;

/// The deploy capability.
#[derive(Debug)]
pub struct Deploy {
    artifacts: Arc<Artifacts>,
}

impl Deploy {
    /// Deploys below `root`.
    #[must_use]
    pub fn new(root: impl AsRef<Path>) -> Self {
        Self::over(Arc::new(Artifacts::new(root.as_ref())))
    }

    /// Deploys into a shared folder of artifacts.
    pub(crate) fn over(artifacts: Arc<Artifacts>) -> Self {
        Self { artifacts }
    }
}

impl Capability for Deploy {
    fn name(&self) -> &str {
        crate::DEPLOY
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Reversible
    }

    fn keeps_artifacts(&self) -> bool {
        true
    }

    fn on_interruption(&self) -> OnInterruption {
        OnInterruption::PerformAgain
    }

    fn perform(
        &self,
        permit: &Permit,
        artifact: &Artifact,
        attempt: Execution,
    ) -> Result<Performed, PerformError> {
        let facts = artifact.facts();
        let kept = self.artifacts.keep(facts.sha256, artifact.bytes());
        kept.map_err(|error| PerformError::Failed(error.to_string()))?;
        let deployment = Deployment {
            id: format!("dep_{}", &attempt.idempotency_key.to_string()[..16]),
            tenant: permit.tenant().clone(),
            resource: permit.resource().to_owned(),
            artifact: facts.name.clone(),
            artifact_sha256: facts.sha256,
            artifact_bytes: facts.bytes,
            location: format!("deployments/artifacts/{}", facts.sha256),
            receipt_id: permit.receipt().id().to_owned(),
            order: attempt.order,
            approved_at: permit.receipt().created_at(),
        };
        Ok(Performed {
            id: deployment.id.clone(),
            location: deployment.location.clone(),
            deployment: Some(Box::new(deployment)),
        })
    }
}
