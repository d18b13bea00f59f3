//! Deployments: the artifact deployed under each receipt, and the live deployment of each resource.

use receipt::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use workflow::{ReceiptId, TenantId};

/// One deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// The deployment's identifier, which is equal for all attempts of one redemption.
    pub id: String,
    /// The tenant whose workflow deployed.
    pub tenant: TenantId,
    /// The resource that it was made to.
    pub resource: String,
    /// The artifact's file name.
    pub artifact: String,
    /// The artifact's digest.
    pub artifact_sha256: Digest,
    /// The artifact's size in bytes.
    pub artifact_bytes: u64,
    /// The artifact's file, relative to the data folder. Tenants read it, so it names no other path of this machine.
    pub location: String,
    /// The receipt that it rests on.
    pub receipt_id: String,
    /// The redemption's place among all facts.
    pub order: u64,
    /// When the receipt was issued.
    pub approved_at: Timestamp,
}

/// A deployment on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedDeployment {
    /// The sequence number of the deployment, in the order in which deployments were recorded. Later is larger.
    pub place: u64,
    /// The deployment.
    pub deployment: Deployment,
    /// Whether the resource serves this deployment now. Of two deployments to one resource, the deployment whose
    /// receipt was redeemed later is live.
    pub is_live: bool,
}

/// A selection of deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeploymentPage {
    /// Only deployments recorded after this sequence number; 0 for all.
    pub after: u64,
    /// The most deployments to return.
    pub limit: u32,
    /// The filter.
    pub filter: DeploymentFilter,
}

/// A filter of deployments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploymentFilter {
    /// Every deployment.
    All,
    /// A tenant's.
    Tenant(TenantId),
    /// The deployment that a receipt permitted.
    Receipt(ReceiptId),
    /// The deployments that their resources serve now.
    Live,
}
