//! The check in front of every capability: is this receipt for exactly this, here, now?

use crate::store::Fate;
use crate::store::StoredReceipt;
use receipt::Digest;
use receipt::Json;
use receipt::KeySet;
use receipt::NotApproved;
use receipt::Opened;
use receipt::Opening;
use receipt::Salt;
use receipt::Scope;
use receipt::Stated;
use receipt::StatedBinding;
use receipt::Timestamp;
use receipt::VerifiedReceipt;
use workflow::ArtifactFacts;
use workflow::Check;
use workflow::InstanceId;
use workflow::ReceiptId;
use workflow::TenantId;

/// Verifies receipts under a pinned key set. Has no private key and asks nobody.
#[derive(Debug, Clone)]
pub struct Gate {
    keys: KeySet,
    scope: Scope,
}

/// What is about to be done, as the host itself knows it. Nothing in here comes from the receipt.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// Whose workflow acts.
    pub tenant: &'a TenantId,
    /// Which run of it.
    pub instance: &'a InstanceId,
    /// SHA-256 of the component that runs.
    pub component: &'a Digest,
    /// The capability that is called.
    pub capability: &'a str,
    /// What it is to act on.
    pub resource: &'a str,
    /// The bytes in hand, measured.
    pub artifact: &'a ArtifactFacts,
    /// The receipt that is presented.
    pub receipt: &'a ReceiptId,
    /// The time by which expiry is judged.
    pub at: Timestamp,
}

/// Leave to act: a receipt that passed every check for one claim. Only [`Gate::check`] makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    receipt: VerifiedReceipt,
    tenant: TenantId,
    resource: String,
}

/// The first check that a receipt did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused by the {check} check: {message}")]
pub struct Refusal {
    /// Which check.
    pub check: Check,
    /// What did not agree.
    pub message: String,
}

impl Permit {
    /// The receipt.
    #[must_use]
    pub fn receipt(&self) -> &VerifiedReceipt {
        &self.receipt
    }

    /// Whose action it is.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// What may be acted on.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

impl Gate {
    /// A gate that trusts these keys, and accepts receipts of this scope only.
    #[must_use]
    pub fn new(keys: KeySet, scope: Scope) -> Self {
        Self { keys, scope }
    }

    /// All checks of a receipt that is about to be spent.
    ///
    /// # Errors
    /// The first check that does not pass.
    pub fn check(
        &self,
        claim: &Claim<'_>,
        receipt: Option<&StoredReceipt>,
        fate: &Fate,
    ) -> Result<Permit, Refusal> {
        let permit = self.check_spent(claim, receipt)?;
        match fate.redeemed {
            Some((at, _)) => refuse(
                Check::Redemption,
                format!("receipt {} was spent at {at}; a receipt permits one action", claim.receipt),
            ),
            None => Ok(permit),
        }
    }

    /// All checks but the last, for a receipt that this very claim has spent: `claim.at` is then the time of the redemption.
    ///
    /// # Errors
    /// The first check that does not pass.
    pub fn check_spent(&self, claim: &Claim<'_>, receipt: Option<&StoredReceipt>) -> Result<Permit, Refusal> {
        let missing = || Refusal {
            check: Check::Verification,
            message: format!("there is no receipt {}", claim.receipt),
        };
        let (verified, opened) = self.verify(claim, receipt.ok_or_else(missing)?)?;
        self.check_decision(&verified)?;
        check_action(claim, &verified, &opened)?;
        if verified.is_expired(claim.at) {
            let message = format!(
                "receipt {} expired at {}, and it is {}",
                claim.receipt,
                verified.expires_at(),
                claim.at
            );
            return refuse(Check::Expiry, message);
        }
        Ok(Permit { receipt: verified, tenant: claim.tenant.clone(), resource: claim.resource.to_owned() })
    }

    /// Signature, key, canonical form, projection, and the opening of the commitment.
    fn verify(
        &self,
        claim: &Claim<'_>,
        stored: &StoredReceipt,
    ) -> Result<(VerifiedReceipt, Opened), Refusal> {
        let unverified = |message: String| Refusal { check: Check::Verification, message };
        let opening = stored
            .opening()
            .ok_or_else(|| unverified("the salt beside the receipt is not one".to_owned()))?;
        let verified =
            receipt::verify(&stored.artifact, &self.keys).map_err(|error| unverified(error.to_string()))?;
        let opened = verified.open(&opening).map_err(|error| unverified(error.to_string()))?;
        match verified.id() == claim.receipt.as_str() {
            true => Ok((verified, opened)),
            false => Err(unverified(format!(
                "the receipt that is kept as {} is signed as {}",
                claim.receipt,
                verified.id()
            ))),
        }
    }

    fn check_decision(&self, verified: &VerifiedReceipt) -> Result<(), Refusal> {
        match verified.approved(self.scope) {
            Ok(_) => Ok(()),
            Err(error @ NotApproved::Denied) => refuse(Check::Decision, error.to_string()),
            Err(error) => refuse(Check::Scope, error.to_string()),
        }
    }
}

/// Compares what is about to be done with what was approved, part by part.
fn check_action(claim: &Claim<'_>, verified: &VerifiedReceipt, opened: &Opened) -> Result<(), Refusal> {
    let request = opened.request();
    let approved = |path: &[&'static str]| {
        request.pointer(path.iter().copied()).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let capability = format!("{}.{}", approved(&["action", "tool"]), approved(&["action", "operation"]));
    let tenants = [approved(&["tenantId"]), opened.binding().company_id.clone().unwrap_or_default()];
    let instances = [approved(&["actor", "runId"]), verified.run_id().unwrap_or_default().to_owned()];
    let component = claim.component.to_string();
    for (check, of, wanted) in [
        (Check::Tenant, &tenants[0], claim.tenant.as_str()),
        (Check::Tenant, &tenants[1], claim.tenant.as_str()),
        (Check::Instance, &instances[0], claim.instance.as_str()),
        (Check::Instance, &instances[1], claim.instance.as_str()),
        (Check::Code, &approved(&["action", "parameters", "component"]), component.as_str()),
        (Check::Capability, &capability, claim.capability),
        (Check::Resource, &approved(&["action", "parameters", "resource"]), claim.resource),
    ] {
        if of != wanted {
            return refuse(check, format!("the receipt is for {check} {of:?}, not for {wanted:?}"));
        }
    }
    match request.pointer(["action", "parameters", "artifact"]) {
        Some(artifact) if *artifact == claim.artifact.to_json() => Ok(()),
        approved => {
            let approved = approved.map_or_else(|| "no artifact".to_owned(), Json::canonical);
            let message = format!(
                "the receipt is for artifact {approved}, not for {}",
                claim.artifact.to_json().canonical()
            );
            refuse(Check::Artifact, message)
        }
    }
}

fn refuse<T>(check: Check, message: String) -> Result<T, Refusal> {
    Err(Refusal { check, message })
}

impl StoredReceipt {
    /// What opens the receipt's commitment; nothing when the salt is damaged.
    #[must_use]
    pub fn opening(&self) -> Option<Opening> {
        let salt = Salt::from_base64(&self.request_commitment_salt_b64)?;
        Some(Opening {
            summary: Stated::from_record(self.summary.as_deref()),
            binding: StatedBinding {
                company_id: Stated::Value(self.company_id.clone()),
                idem_key: Stated::Value(self.idem_key.clone()),
                input_hash: Stated::Value(self.input_hash.clone()),
            },
            ..Opening::new(self.request_json.clone(), salt)
        })
    }
}
