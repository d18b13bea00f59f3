//! The check in front of every capability: is this receipt for exactly this, here, now?

use crate::trust::signed_approvals;
use crate::trust::{Count, CountVerdict, Freeze, Precedents, Subject, Trust, count, scope_of};
use policy::{Answer, Environment, Policy};
use receipt::{
    Digest, Json, Judged, KeySet, NotApproved, Opened, Scope, Timestamp, VerifiedDecision, VerifiedReceipt,
};
use store::SignedBy;
use store::{ReceiptState, StoredReceipt};
use workflow::{ArtifactFacts, Check, InstanceId, Quoted, ReceiptId, TenantId};

/// Verifies receipts under a pinned key set. It has no private key and asks no person.
#[derive(Debug, Clone)]
pub struct Gate {
    keys: KeySet,
}

/// The inputs by which the gate judges a receipt, in addition to the keys. All of them public.
#[derive(Clone, Copy)]
pub struct GateContext<'a> {
    /// The scope of receipts that count.
    pub scope: Scope,
    /// The people who may decide, and the freezes.
    pub trust: &'a Trust,
    /// The policy, which has to allow the action with the approvals in the receipt.
    pub policy: &'a dyn Policy,
    /// The code and bytes that are known. A request's statement about them counts only if this confirms it.
    pub known: &'a Precedents,
    /// The environment in which the action takes effect.
    pub environment: Environment,
}

/// The action that is about to be performed, as the host itself knows it. No part of it comes from the receipt.
#[derive(Debug, Clone)]
pub struct ProposedAction<'a> {
    /// The tenant whose workflow acts.
    pub tenant: &'a TenantId,
    /// The instance.
    pub instance: &'a InstanceId,
    /// SHA-256 of the component that runs.
    pub component: &'a Digest,
    /// The capability that is called.
    pub capability: &'a str,
    /// The object of the action.
    pub resource: &'a str,
    /// The artifact of the call, measured by the host.
    pub artifact: &'a ArtifactFacts,
    /// The receipt that is presented.
    pub receipt: &'a ReceiptId,
    /// The time by which expiry is judged.
    pub at: Timestamp,
}

/// Leave to act: a receipt that passed every check for one proposed action. Only [`Gate::check`] makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    receipt: VerifiedReceipt,
    tenant: TenantId,
    resource: String,
    signed: Option<SignedBy>,
}

/// The first check that a receipt did not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refused by the {check} check: {message}")]
pub struct Refusal {
    /// The check that failed.
    pub check: Check,
    /// The value that did not agree.
    pub message: String,
}

impl Permit {
    /// The receipt.
    #[must_use]
    pub fn receipt(&self) -> &VerifiedReceipt {
        &self.receipt
    }

    /// The action's tenant.
    #[must_use]
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The people whose approvals the receipt rests on, if they make the code or the bytes known.
    #[must_use]
    pub fn signed(&self) -> Option<&SignedBy> {
        self.signed.as_ref()
    }

    /// The resource that may be acted on.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }
}

impl Gate {
    /// A gate that trusts these keys.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self { keys }
    }

    /// The keys that it trusts.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        &self.keys
    }

    /// All checks of a receipt that is about to be spent.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(
        &self,
        action: &ProposedAction<'_>,
        receipt: Option<&StoredReceipt>,
        receipt_state: &ReceiptState,
        measure: GateContext<'_>,
    ) -> Result<Permit, Refusal> {
        let (mut permit, opened) = self.check_receipt(action, receipt, measure.scope)?;
        let decisions = check_authority(action, &permit.receipt, &opened, measure)?;
        let length = receipt.map_or(0, |receipt| receipt.request_json.len());
        permit.signed = signed_approvals(measure.policy, opened.request(), length, &decisions);
        if let Some((at, _)) = receipt_state.revoked {
            return refuse(Check::Revocation, format!("receipt {} was revoked at {at}", action.receipt));
        }
        match receipt_state.redeemed {
            Some((at, _)) => refuse(
                Check::Redemption,
                format!("receipt {} was spent at {at}; a receipt permits one action", action.receipt),
            ),
            None => Ok(permit),
        }
    }

    /// The checks of a receipt that this very action has spent: `action.at` is then the time of the redemption. The
    /// deciders, and whether it was spent, were checked then.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check_redeemed(
        &self,
        action: &ProposedAction<'_>,
        receipt: Option<&StoredReceipt>,
        scope: Scope,
    ) -> Result<Permit, Refusal> {
        self.check_receipt(action, receipt, scope).map(|(permit, _)| permit)
    }

    fn check_receipt(
        &self,
        action: &ProposedAction<'_>,
        receipt: Option<&StoredReceipt>,
        scope: Scope,
    ) -> Result<(Permit, Opened), Refusal> {
        let missing = || Refusal {
            check: Check::Verification,
            message: format!("there is no receipt {}", action.receipt),
        };
        let (verified, opened) = self.verify(action, receipt.ok_or_else(missing)?)?;
        check_decision(&verified, scope)?;
        check_action(action, &verified, &opened)?;
        if verified.is_expired(action.at) {
            let message = format!(
                "receipt {} expired at {}, and it is {}",
                action.receipt,
                verified.expires_at(),
                action.at
            );
            return refuse(Check::Expiry, message);
        }
        let (tenant, resource) = (action.tenant.clone(), action.resource.to_owned());
        Ok((Permit { receipt: verified, tenant, resource, signed: None }, opened))
    }

    /// Signature, key, canonical form, projection, and the opening of the commitment.
    fn verify(
        &self,
        action: &ProposedAction<'_>,
        stored: &StoredReceipt,
    ) -> Result<(VerifiedReceipt, Opened), Refusal> {
        let unverified = |message: String| Refusal { check: Check::Verification, message };
        let opening = stored
            .opening()
            .ok_or_else(|| unverified("the salt stored with the receipt is invalid".to_owned()))?;
        let verified =
            receipt::verify(&stored.artifact, &self.keys).map_err(|error| unverified(error.to_string()))?;
        let opened = verified.open(&opening).map_err(|error| unverified(error.to_string()))?;
        match verified.id() == action.receipt.as_str() {
            true => Ok((verified, opened)),
            false => Err(unverified(format!(
                "the receipt that is stored as {} is signed as {}",
                action.receipt,
                verified.id()
            ))),
        }
    }
}

/// Checks that it is an approval, of the required scope, under a key of that scope.
fn check_decision(verified: &VerifiedReceipt, scope: Scope) -> Result<(), Refusal> {
    match verified.approved(scope) {
        Ok(_) if scope_of(verified.key_id()) != scope => {
            refuse(Check::Scope, format!("key {} does not sign {scope} receipts", verified.key_id()))
        }
        Ok(_) => Ok(()),
        Err(error @ NotApproved::Denied) => refuse(Check::Decision, error.to_string()),
        Err(error) => refuse(Check::Scope, error.to_string()),
    }
}

/// Checks that the deciders still count and that the policy still allows the action with their approvals. Returns
/// these.
fn check_authority(
    action: &ProposedAction<'_>,
    verified: &VerifiedReceipt,
    opened: &Opened,
    GateContext { scope, trust, policy, known, environment }: GateContext<'_>,
) -> Result<Vec<VerifiedDecision>, Refusal> {
    if let Some(Freeze { since, reason, .. }) = trust.freeze_of(action.tenant) {
        return refuse(Check::Freeze, format!("everything is frozen since {since}: {}", Quoted(reason)));
    }
    let subject = Subject::of(opened.request(), known)
        .map_err(|error| Refusal { check: Check::Policy, message: error.to_string() })?;
    // The environment of this folder was changed since. People, or the policy, have agreed to an action in the other one.
    if subject.environment != environment {
        let message = format!(
            "the receipt is for environment {}, but this host acts in {environment}",
            subject.environment
        );
        return refuse(Check::Policy, message);
    }
    if scope == Scope::Demo {
        return match policy.rule(&subject.question(&[])).answer {
            Answer::Deny => refuse(Check::Policy, "the policy forbids it".to_owned()),
            _ => Ok(Vec::new()),
        };
    }
    let decisions = receipt::verify_approvals(opened, trust.deciders(), Judged::Now(action.at))
        .map_err(|error| Refusal { check: Check::Approvals, message: error.to_string() })?;
    let Count { verdict, ruling, .. } = count(policy, &subject, &decisions);
    match verdict {
        CountVerdict::Approved | CountVerdict::Alone => Ok(decisions),
        CountVerdict::Forbidden => refuse(Check::Policy, format!("the policy says {ruling}")),
        CountVerdict::Waiting | CountVerdict::Denied => refuse(
            Check::Approvals,
            format!(
                "the policy says {ruling}, and the approvals in receipt {} are not enough",
                verified.id()
            ),
        ),
    }
}

/// Compares the action that is about to be performed with the approved one, part by part.
fn check_action(
    action: &ProposedAction<'_>,
    verified: &VerifiedReceipt,
    opened: &Opened,
) -> Result<(), Refusal> {
    let request = opened.request();
    let approved = |path: &[&'static str]| {
        request.pointer(path.iter().copied()).and_then(Json::as_str).unwrap_or_default().to_owned()
    };
    let capability = format!("{}.{}", approved(&["action", "tool"]), approved(&["action", "operation"]));
    let tenants = [approved(&["tenantId"]), opened.binding().company_id.clone().unwrap_or_default()];
    let instances = [approved(&["actor", "runId"]), verified.run_id().unwrap_or_default().to_owned()];
    let component = action.component.to_string();
    for (check, of, wanted) in [
        (Check::Tenant, &tenants[0], action.tenant.as_str()),
        (Check::Tenant, &tenants[1], action.tenant.as_str()),
        (Check::Instance, &instances[0], action.instance.as_str()),
        (Check::Instance, &instances[1], action.instance.as_str()),
        (Check::Code, &approved(&["action", "parameters", "component"]), component.as_str()),
        (Check::Capability, &capability, action.capability),
        (Check::Resource, &approved(&["action", "parameters", "resource"]), action.resource),
    ] {
        if of != wanted {
            return refuse(
                check,
                format!("the receipt is for {check} {}, not for {}", Quoted(of), Quoted(wanted)),
            );
        }
    }
    match request.pointer(["action", "parameters", "artifact"]) {
        Some(artifact) if *artifact == action.artifact.to_json() => Ok(()),
        approved => {
            let approved = approved.map_or_else(|| "no artifact".to_owned(), Json::canonical);
            let message = format!(
                "the receipt is for artifact {approved}, not for {}",
                action.artifact.to_json().canonical()
            );
            refuse(Check::Artifact, message)
        }
    }
}

fn refuse<T>(check: Check, message: String) -> Result<T, Refusal> {
    Err(Refusal { check, message })
}
