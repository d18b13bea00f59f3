//! The capability to deploy. It acts only on a receipt for exactly that deployment.

pub use crate::bindings::permission_protocol::tenant::deploy::{Check, Deployment, GateRefusal};

use crate::bindings::permission_protocol::tenant::deploy;
use crate::pp::{Artifact, Receipt};
use crate::{Failure, failure};
use std::fmt;

/// Deploys `artifact` to `resource`, and spends `receipt`.
///
/// # Errors
/// Nothing was deployed, or the outcome is unknown.
pub fn deploy(resource: &str, artifact: &Artifact, receipt: Receipt) -> Result<Deployment, DeployError> {
    deploy::deploy(resource, artifact, receipt).map_err(Into::into)
}

/// Why nothing was deployed, or why the outcome is unknown.
#[derive(Debug, Clone)]
pub enum DeployError {
    /// The receipt does not permit this deployment. Nothing was done.
    Refused(GateRefusal),
    /// The host rejects the call as invalid; the text says what is wrong and how to fix it. Nothing was done.
    Invalid(String),
    /// The receipt was spent and the deployment failed. Nothing is deployed.
    Failed(String),
    /// The receipt was spent and it is not known whether the deployment took place. An operator has to find out.
    Unknown(String),
}

impl fmt::Display for DeployError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => {
                write!(f, "refused by the {} check: {}", name(refusal.check), refusal.message)
            }
            Self::Invalid(message) => write!(f, "invalid: {message}"),
            Self::Failed(message) => write!(f, "failed: {message}"),
            Self::Unknown(message) => write!(f, "unknown whether deployed: {message}"),
        }
    }
}

impl std::error::Error for DeployError {}

/// The check's name in the world.
fn name(check: Check) -> String {
    let shown = format!("{check:?}");
    shown.rsplit("::").next().unwrap_or(&shown).to_lowercase()
}

impl From<DeployError> for Failure {
    fn from(error: DeployError) -> Self {
        let name = match error {
            DeployError::Refused(_) => "deploy-refused",
            DeployError::Invalid(_) => "deploy-invalid",
            DeployError::Failed(_) => "deploy-failed",
            DeployError::Unknown(_) => "deploy-unknown",
        };
        failure(name, error)
    }
}

impl From<deploy::DeployError> for DeployError {
    fn from(error: deploy::DeployError) -> Self {
        match error {
            deploy::DeployError::Refused(refusal) => Self::Refused(refusal),
            deploy::DeployError::Invalid(message) => Self::Invalid(message),
            deploy::DeployError::Failed(message) => Self::Failed(message),
            deploy::DeployError::Unknown(message) => Self::Unknown(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_s_checks_are_called_what_they_are_called_in_the_world() {
        let refusal = GateRefusal { check: Check::Revocation, message: "it was taken back".to_owned() };
        let failure = Failure::from(DeployError::Refused(refusal));
        assert_eq!(failure.to_string(), "deploy-refused: refused by the revocation check: it was taken back");
    }
}
