//! The shapes of the engine's views as they are sent, for the OpenAPI document. A test holds the answers to them, member by member.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A page of instances, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstancePage {
    /// `instances`.
    view: String,
    instances: Vec<ListedInstance>,
    /// There are more than were asked for: `?after` the last one continues.
    more: bool,
}

/// An instance in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedInstance {
    /// The tenant.
    tenant: String,
    /// Its id there.
    instance: String,
    /// Its state.
    status: String,
    /// Since when, after RFC 3339.
    since: String,
    /// The time at which it continues by itself, where that is known.
    due: Option<String>,
    /// The workflow's name. Null where the journal cannot be read.
    workflow: Option<String>,
    /// On whose behalf it acts.
    actor: Option<String>,
    /// The first of its waits; empty where it does not wait.
    waits_for: Vec<WaitsFor>,
    /// An action was denied, and none took place.
    denied: bool,
}

/// One wait of an instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct WaitsFor {
    /// `decision`, `event`, `sleep` or `retry`.
    r#for: String,
    /// The call that waits.
    call: u64,
    /// Until when.
    until: String,
    /// The request, of a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    /// The name of the event's wait, of the sleep or of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The event's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    /// The number of the step's next attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u64>,
}

/// One instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Instance {
    /// `instance`.
    view: String,
    /// The tenant.
    tenant: String,
    /// Its id there.
    instance: String,
    /// Its state.
    status: String,
    /// Since when.
    since: String,
    /// The time at which it continues by itself, where that is known.
    due: Option<String>,
    /// The workflow's name.
    workflow: String,
    /// On whose behalf it acts.
    actor: String,
    /// The person who is responsible for the actor.
    operator: Option<String>,
    /// The submitter.
    submitter: Option<String>,
    /// SHA-256 of the code that it runs.
    component: String,
    /// The parameters, as JSON text.
    params: String,
    /// When it was created.
    started_at: String,
    /// When anything was recorded last.
    changed_at: String,
    /// Events that were sent to it.
    events: EventCount,
    /// Its calls, in order.
    calls: Vec<CallRow>,
    /// Actions whose outcome was unknown.
    unknown: Vec<OpenAction>,
    /// The first of its waits, where it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<Vec<WaitsFor>>,
    /// Who paused or terminated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Why it was terminated.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The call that differs, where it diverged.
    #[serde(skip_serializing_if = "Option::is_none")]
    diverged_at: Option<u64>,
    /// What differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The result as JSON text, where it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The failure, where it ended with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    failure: Option<Value>,
}

/// Events of one instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventCount {
    /// All that were sent.
    received: u64,
    /// Those that were delivered to the workflow.
    taken: u64,
}

/// One call of a workflow.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallRow {
    /// Its number, from 0.
    call: u64,
    /// The call.
    #[schema(value_type = Object)]
    asked: Value,
    /// When it began.
    began_at: String,
    /// When its stage last changed.
    changed_at: String,
    /// Attempts, where it is a step.
    attempts: u64,
    /// The stage, in one word.
    stage: String,
    /// The stage, in a sentence.
    says: String,
    /// The request, where it made one.
    request: Option<String>,
    /// The receipt, where there is one.
    receipt: Option<String>,
    /// The workflow went back to before it: it counts no longer.
    void: bool,
}

/// An action whose outcome the host does not know.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAction {
    /// The call that asked for it.
    call: u64,
    /// The receipt that it spent.
    receipt: String,
    /// A person's finding since.
    finding: Option<String>,
}

/// A guest's output.
#[derive(Serialize, ToSchema)]
pub(crate) struct Output {
    /// `output`.
    view: String,
    /// Its text, as the guest wrote it: escape it before a person sees it.
    text: String,
}

/// The requests that wait for a decision.
#[derive(Serialize, ToSchema)]
pub(crate) struct Requests {
    /// `requests`.
    view: String,
    requests: Vec<RequestRow>,
}

/// A request in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestRow {
    /// Its id.
    request: String,
    /// The tenant whose workflow asks.
    tenant: String,
    /// The instance.
    instance: String,
    /// The capability.
    capability: String,
    /// To what.
    resource: String,
    /// The number of waiting requests for the same action by the same code, including this one.
    alike: u64,
    /// It is not the first of those in the list.
    again: bool,
    /// The policy's present answer to it, in words.
    policy: String,
    /// The people whose approvals count.
    approved: Vec<String>,
    /// The people whose denials count.
    denied: Vec<String>,
    /// The obstacles to a decision by people, at present.
    warnings: Vec<String>,
    /// When it was made.
    created_at: String,
    /// When it lapses.
    expires_at: String,
    /// Whether it has lapsed.
    lapsed: bool,
}

/// One request: what is signed with a decision about it, and how it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct Request {
    /// `request`.
    view: String,
    /// Its id.
    request: String,
    /// The tenant whose workflow asks.
    tenant: String,
    /// The instance.
    instance: String,
    /// The capability.
    capability: String,
    /// To what.
    resource: String,
    /// The number of waiting requests for the same action by the same code, including this one.
    alike: u64,
    /// It is not the first of those in a list.
    again: bool,
    /// The policy's present answer to it, in words.
    policy: String,
    /// The people whose approvals count.
    approved: Vec<String>,
    /// The people whose denials count.
    denied: Vec<String>,
    /// The obstacles to a decision by people, at present.
    warnings: Vec<String>,
    /// When it was made.
    created_at: String,
    /// When it lapses.
    expires_at: String,
    /// Whether it has lapsed.
    lapsed: bool,
    /// The text that an approver is shown, and whose digest is signed.
    text: String,
    /// SHA-256 of that text.
    text_sha256: String,
    /// SHA-256 of the request's document.
    request_sha256: String,
    /// The policy that governs now.
    policy_sha256: String,
    /// The policy's answer now and its reasons, in words.
    ruling: String,
    /// The end; null while it waits.
    end: Option<RequestEnd>,
}

/// The end of a request.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestEnd {
    /// `APPROVED`, `DENIED`, `LAPSED` or `WITHDRAWN`.
    outcome: String,
    /// When.
    at: String,
    /// The people who decided or withdrew it. Empty where it lapsed.
    by: Vec<String>,
    /// The reason.
    reason: Option<String>,
    /// The receipt of the decision.
    receipt: Option<String>,
}

/// The policy's answer to a request, and its reasons.
#[derive(Serialize, ToSchema)]
pub(crate) struct Explanation {
    /// `explanation`.
    view: String,
    /// In words, several lines.
    text: String,
}

/// A page of receipts and revocations, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceiptPage {
    /// `receipts`.
    view: String,
    receipts: Vec<ReceiptRow>,
    /// There are more than were asked for: `?after` the last one continues.
    more: bool,
}

/// A receipt or a revocation in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReceiptRow {
    /// Its id.
    receipt_id: String,
    /// The request that it decides.
    request_id: String,
    /// The tenant.
    tenant: String,
    /// What it states: APPROVED, DENIED or REVOKED.
    status: String,
    /// The key that signed it.
    key_id: String,
    /// When it was issued.
    issued_at: Option<String>,
    /// Until when it can be redeemed.
    expires_at: Option<String>,
    /// When it was spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    redeemed_at: Option<String>,
    /// The outcome of the action is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    attested: Option<bool>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// The receipt that it takes back, where it is a revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    revokes: Option<String>,
}

/// One receipt or revocation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// `receipt`.
    view: String,
    /// Its id.
    receipt_id: String,
    /// The request that it decides.
    request_id: String,
    /// The tenant.
    tenant: String,
    /// What it states: APPROVED, DENIED or REVOKED.
    status: String,
    /// The key that signed it.
    key_id: String,
    /// When it was issued.
    issued_at: Option<String>,
    /// Until when it can be redeemed.
    expires_at: Option<String>,
    /// When it was spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    redeemed_at: Option<String>,
    /// The outcome of the action is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    attested: Option<bool>,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// The receipt that it takes back, where it is a revocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    revokes: Option<String>,
}

/// A page of deployments, in the order in which they took place.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeploymentPage {
    /// `deployments`.
    view: String,
    deployments: Vec<DeploymentRow>,
    /// There are more than were asked for: `?after` the last one's receipt continues.
    more: bool,
}

/// A deployment.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeploymentRow {
    /// Its identifier: the same for every attempt of one redemption.
    id: String,
    /// The tenant whose workflow deployed.
    tenant: String,
    /// The resource that it was made to.
    resource: String,
    /// The artifact's file name.
    artifact: String,
    /// The artifact's digest.
    artifact_sha256: String,
    /// The artifact's size in bytes.
    artifact_bytes: u64,
    /// The artifact's file, relative to the data folder.
    location: String,
    /// The receipt that it rests on.
    receipt_id: String,
    /// When the receipt was issued.
    approved_at: String,
    /// The resource serves it.
    current: bool,
}

/// A tenant's usage, in the measures of its quotas.
#[derive(Serialize, ToSchema)]
pub(crate) struct Usage {
    /// `usage`.
    view: String,
    /// Instances that have not ended.
    instances: u64,
    /// Requests that wait for a decision.
    pending_approvals: u64,
    /// Bytes kept.
    stored_bytes: u64,
}

/// A tenant's limits.
#[derive(Serialize, ToSchema)]
pub(crate) struct Limits {
    /// `limits`.
    view: String,
    limits: Vec<LimitRow>,
}

/// A limit.
#[derive(Serialize, ToSchema)]
pub(crate) struct LimitRow {
    /// Its name.
    limit: String,
    /// `tenant` or `host`.
    of: String,
    /// Its value.
    value: u64,
    /// In which unit.
    unit: String,
    /// The default.
    default: u64,
    /// `default`, `file` or `command-line`.
    from: String,
    /// Null: which file of the machine sets it is not told.
    file: Option<String>,
    /// Null, as the file.
    line: Option<u64>,
    /// The thing that it bounds.
    what: String,
    /// The reason for its default.
    reason: String,
}

/// What the verification of a receipt came to, as the protocol's clients read it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Verdict {
    /// An approval that verifies, has not expired and was not taken back.
    valid: bool,
    /// The receipt's id, where it verifies.
    #[serde(skip_serializing_if = "Option::is_none", rename = "receiptId")]
    receipt_id: Option<String>,
    /// `APPROVED` or `DENIED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
    /// For what it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    /// The receipt's facts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    receipt: Option<Value>,
    /// Which key signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    diagnostics: Option<Value>,
    /// When it was spent, of one that is kept here.
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
