//! The shapes of receipts and deployments.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A page of receipts and revocations, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceiptPage {
    /// `receipts`.
    view: String,
    receipts: Vec<ReceiptRow>,
    /// Whether there are more: `?after` with the last receipt continues.
    more: bool,
}

/// A receipt or a revocation in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceiptRow {
    /// The receipt's id.
    receipt_id: String,
    /// The request that it decides.
    request_id: String,
    /// The tenant.
    tenant: String,
    /// The receipt's statement: APPROVED, DENIED or REVOKED.
    status: String,
    /// The key that signed it.
    key_id: String,
    /// When the receipt was issued.
    issued_at: Option<String>,
    /// The time until which the receipt can be redeemed.
    expires_at: Option<String>,
    /// When the receipt was spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    redeemed_at: Option<String>,
    /// The outcome of the action is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    attested: Option<bool>,
    /// When the receipt was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// The revoked receipt, if this is a revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    revokes: Option<String>,
}

/// One receipt or revocation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// `receipt`.
    view: String,
    /// The receipt's id.
    receipt_id: String,
    /// The request that it decides.
    request_id: String,
    /// The tenant.
    tenant: String,
    /// The receipt's statement: APPROVED, DENIED or REVOKED.
    status: String,
    /// The key that signed it.
    key_id: String,
    /// When the receipt was issued.
    issued_at: Option<String>,
    /// The time until which the receipt can be redeemed.
    expires_at: Option<String>,
    /// When the receipt was spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    redeemed_at: Option<String>,
    /// The outcome of the action is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    attested: Option<bool>,
    /// When the receipt was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// The revoked receipt, if this is a revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    revokes: Option<String>,
}

/// A page of deployments, in the order in which they took place.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeploymentPage {
    /// `deployments`.
    view: String,
    deployments: Vec<DeploymentRow>,
    /// Whether there are more: `?after` with the last deployment's receipt continues.
    more: bool,
}

/// A deployment.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeploymentRow {
    /// The deployment's identifier, which is equal for all attempts of one redemption.
    id: String,
    /// The tenant whose workflow deployed.
    tenant: String,
    /// The resource that it deployed to.
    resource: String,
    /// The artifact's file name.
    artifact: String,
    /// The artifact's digest.
    artifact_sha256: String,
    /// The artifact's size in bytes.
    artifact_bytes: u64,
    /// The artifact's file, relative to the data folder.
    location: String,
    /// The receipt that permitted it.
    receipt_id: String,
    /// When the receipt was issued.
    approved_at: String,
    /// Whether the resource serves it.
    current: bool,
}

/// The result of verifying a receipt, in the form that the protocol's clients read.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerificationResult {
    /// True for an approval that verifies, is of the scope that counts here now, has not expired and was not revoked.
    valid: bool,
    /// The receipt's id, if it verifies.
    #[serde(skip_serializing_if = "Option::is_none", rename = "receiptId")]
    receipt_id: Option<String>,
    /// `APPROVED` or `DENIED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    /// The receipt's scope.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// The receipt's facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    receipt: Option<Value>,
    /// The key that signed the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    diagnostics: Option<Value>,
    /// When the receipt was spent, if it is stored here.
    #[serde(skip_serializing_if = "Option::is_none", rename = "redeemedAt")]
    redeemed_at: Option<String>,
    /// Why it is not valid, for programs.
    #[serde(rename = "errorCode")]
    error_code: Option<String>,
    /// Why it is not valid, for people.
    #[serde(rename = "errorMessage")]
    error_message: Option<String>,
    /// The verifier's own error.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
}
