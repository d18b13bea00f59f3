//! `cloudflare.dynamic-worker.deploy`, on one's own disk: artifacts by content, one record a deployment, one pointer a resource.
//!
//! ```text
//! deployments/artifacts/<sha256>             the bytes, named by what they are
//! deployments/current/<tenant>/<resource>    the pointer: which deployment a resource serves. Switched by a rename
//! deployments/records/<deployment>.json      one a deployment, naming the receipt. The last to be written
//! ```
//!
//! The idempotency key names the record, so a deployment that is performed again under the same key finds itself done.

use crate::capability::{
    Capability, Execution, OnInterruption, PerformError, Performed, Permit, Reversibility,
};
use receipt::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, io};
use store::files;
use workflow::{Artifact, TenantId};

/// The mode of what is deployed: readable by whoever serves it, if the folder above lets them in.
const FILE: u32 = 0o644;

/// The deploy capability.
#[derive(Debug)]
pub struct Deploy {
    root: PathBuf,
    /// One deployment at a time: two of the same artifact would write the same file.
    lock: Mutex<()>,
}

/// One deployment, as its record says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Its identifier.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// The resource that it was made to.
    pub resource: String,
    /// The artifact's file name.
    pub artifact: String,
    /// The artifact's digest.
    pub artifact_sha256: Digest,
    /// The artifact's size in bytes.
    pub artifact_bytes: u64,
    /// The file that has the artifact, below the data folder. A tenant hears of it, so it says nothing else about this machine.
    pub location: String,
    /// The receipt that it rests on.
    pub receipt_id: String,
    /// The redemption's place among all facts.
    pub order: u64,
    /// When the receipt was issued.
    pub approved_at: Timestamp,
}

impl Deploy {
    /// Deploys below `root`.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self { root, lock: Mutex::new(()) }
    }

    /// All deployments, in the order in which their receipts were redeemed.
    ///
    /// # Errors
    /// When a record cannot be read.
    pub fn list(&self) -> io::Result<Vec<Deployment>> {
        let mut deployments = Vec::new();
        let folder = match fs::read_dir(self.root.join("records")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(deployments),
            folder => folder?,
        };
        for file in folder {
            let path = file?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                deployments.push(read(&path)?);
            }
        }
        deployments.sort_by_key(|deployment: &Deployment| deployment.order);
        Ok(deployments)
    }

    /// What a resource serves now.
    ///
    /// # Errors
    /// When the pointer cannot be read.
    pub fn current(&self, tenant: &TenantId, resource: &str) -> io::Result<Option<Deployment>> {
        match read(&self.pointer(tenant, resource)) {
            Ok(deployment) => Ok(Some(deployment)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Up to the switch of the pointer nothing has changed for anybody; from there on it may have.
    fn deploy(
        &self,
        permit: &Permit,
        artifact: &Artifact,
        attempt: Execution,
    ) -> Result<Deployment, PerformError> {
        let _one_at_a_time = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let id = format!("dep_{}", &attempt.idempotency_key.to_string()[..16]);
        let record = self.root.join("records").join(format!("{id}.json"));
        if record.try_exists().map_err(unknown)? {
            return read(&record).map_err(unknown);
        }
        // The pointer may have been switched by an attempt that did not come to its record.
        let current = self.current(permit.tenant(), permit.resource()).map_err(unknown)?;
        if let Some(current) = current.as_ref().filter(|current| current.id == id) {
            let json = serde_json::to_vec_pretty(current).map_err(unknown)?;
            files::replace(&record, &json, FILE).map_err(unknown)?;
            return Ok(current.clone());
        }
        let facts = artifact.facts();
        let file = self.root.join("artifacts").join(facts.sha256.to_string());
        let deployment = Deployment {
            id,
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
        let json = serde_json::to_vec_pretty(&deployment).map_err(failed)?;
        files::replace(&file, artifact.bytes(), FILE).map_err(failed)?;
        // An interrupted deployment that is taken up again must not undo a later one.
        if current.is_none_or(|current| current.order <= deployment.order) {
            let pointer = self.pointer(permit.tenant(), permit.resource());
            files::replace(&pointer, &json, FILE).map_err(unknown)?;
        }
        files::replace(&record, &json, FILE).map_err(unknown)?;
        Ok(deployment)
    }

    /// A resource's name may be longer than a file's and have any character: its digest names the file.
    fn pointer(&self, tenant: &TenantId, resource: &str) -> PathBuf {
        let name = Digest::of(resource.as_bytes()).to_string();
        self.root.join("current").join(tenant.as_str()).join(format!("{name}.json"))
    }
}

impl Capability for Deploy {
    fn name(&self) -> &str {
        crate::DEPLOY
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Reversible
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
        let Deployment { id, location, .. } = self.deploy(permit, artifact, attempt)?;
        Ok(Performed { id, location })
    }
}

fn failed(error: impl std::fmt::Display) -> PerformError {
    PerformError::Failed(error.to_string())
}

fn unknown(error: impl std::fmt::Display) -> PerformError {
    PerformError::Unknown(error.to_string())
}

fn read(path: &Path) -> io::Result<Deployment> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}
