//! The shapes of requests.

use serde::Serialize;
use utoipa::ToSchema;

/// A page of the requests that wait for a decision, oldest first; requests for the same action are adjacent.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestPage {
    /// `requests`.
    view: String,
    requests: Vec<RequestRow>,
    /// Whether there are more: `?after` with the last request continues.
    more: bool,
}

/// A request in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestRow {
    /// The request's id.
    request: String,
    /// The tenant whose workflow asks.
    tenant: String,
    /// The instance.
    instance: String,
    /// The capability.
    capability: String,
    /// The resource that the action is on.
    resource: String,
    /// The number of waiting requests for the same action by the same code, including this one.
    similar_count: u64,
    /// Whether a similar request precedes this one in the list.
    is_repeat: bool,
    /// The policy's present answer to it, in words.
    policy: String,
    /// The people whose approvals count.
    approved: Vec<String>,
    /// The people whose denials count.
    denied: Vec<String>,
    /// The obstacles to a decision by people, at present.
    warnings: Vec<String>,
    /// When the request was made.
    created_at: String,
    /// When the request lapses.
    expires_at: String,
    /// Whether it has lapsed.
    lapsed: bool,
}

/// One request: what a decision about it signs, and the state of its decision.
#[derive(Serialize, ToSchema)]
pub(crate) struct Request {
    /// `request`.
    view: String,
    /// The request's id.
    request: String,
    /// The tenant whose workflow asks.
    tenant: String,
    /// The instance.
    instance: String,
    /// The capability.
    capability: String,
    /// The resource that the action is on.
    resource: String,
    /// The number of waiting requests for the same action by the same code, including this one.
    similar_count: u64,
    /// Whether a similar request precedes this one in a list.
    is_repeat: bool,
    /// The policy's present answer to it, in words.
    policy: String,
    /// The people whose approvals count.
    approved: Vec<String>,
    /// The people whose denials count.
    denied: Vec<String>,
    /// The obstacles to a decision by people, at present.
    warnings: Vec<String>,
    /// When the request was made.
    created_at: String,
    /// When the request lapses.
    expires_at: String,
    /// Whether it has lapsed.
    lapsed: bool,
    /// The text that an approver reads, and whose digest is signed.
    text: String,
    /// SHA-256 of that text.
    text_sha256: String,
    /// SHA-256 of the request's document.
    request_sha256: String,
    /// The policy that governs now.
    policy_sha256: String,
    /// The policy's answer now and its reasons, in words.
    ruling: String,
    /// How it ended; null while it waits.
    end: Option<RequestEnd>,
}

/// The end of a request.
#[derive(Serialize, ToSchema)]
pub(crate) struct RequestEnd {
    /// `APPROVED`, `DENIED`, `LAPSED` or `WITHDRAWN`.
    outcome: String,
    /// The time of the end.
    at: String,
    /// The people who decided or withdrew it. Empty if it lapsed.
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
