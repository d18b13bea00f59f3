//! The shapes of instances.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A page of instances, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct InstancePage {
    /// `instances`.
    view: String,
    instances: Vec<ListedInstance>,
    /// Whether there are more: `?after` with the last instance continues.
    more: bool,
}

/// An instance in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedInstance {
    /// The tenant.
    tenant: String,
    /// The instance's id in the tenant.
    instance: String,
    /// The instance's state.
    status: String,
    /// When that state began, in RFC 3339.
    since: String,
    /// The time at which the instance continues by itself, if that is known.
    due: Option<String>,
    /// The workflow's name. Null if the journal cannot be read.
    workflow: Option<String>,
    /// The actor on whose behalf it acts.
    actor: Option<String>,
    /// The first of its waits; empty if it does not wait.
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
    /// When the wait ends.
    until: String,
    /// The request, if it waits for a decision.
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
    /// The instance's id in the tenant.
    instance: String,
    /// The instance's state.
    status: String,
    /// When that state began.
    since: String,
    /// The time at which the instance continues by itself, if that is known.
    due: Option<String>,
    /// The workflow's name.
    workflow: String,
    /// The actor on whose behalf it acts.
    actor: String,
    /// The person who is responsible for the actor.
    operator: Option<String>,
    /// The submitter.
    submitter: Option<String>,
    /// SHA-256 of the code that it runs.
    component: String,
    /// The parameters, as JSON text.
    params: String,
    /// When the instance was created.
    started_at: String,
    /// The time of its last entry.
    changed_at: String,
    /// Events that were sent to it.
    events: EventCount,
    /// The instance's calls, in order.
    calls: Vec<CallRow>,
    /// Actions whose outcome was unknown.
    unknown: Vec<OpenAction>,
    /// An action was denied, and none took place.
    denied: bool,
    /// The first of its waits, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<Vec<WaitsFor>>,
    /// The account that paused or terminated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// Why it was terminated.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The call that differs, if it diverged.
    #[serde(skip_serializing_if = "Option::is_none")]
    diverged_at: Option<u64>,
    /// The difference, if the instance diverged.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// The result as JSON text, if the instance is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    /// The failure, if it ended with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    failure: Option<Value>,
}

/// Events of one instance.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventCount {
    /// The number of events sent to it.
    received: u64,
    /// The number of events delivered to the workflow.
    taken: u64,
}

/// One call of a workflow.
#[derive(Serialize, ToSchema)]
pub(crate) struct CallRow {
    /// The call's number, from 0.
    call: u64,
    /// The call.
    #[schema(value_type = Object)]
    asked: Value,
    /// When the call began.
    began_at: String,
    /// When the call's stage last changed.
    changed_at: String,
    /// The number of attempts, if the call is a step.
    attempts: u64,
    /// The stage, in one word.
    stage: String,
    /// The stage, in a sentence.
    says: String,
    /// The request, if it made one.
    request: Option<String>,
    /// The receipt, if there is one.
    receipt: Option<String>,
    /// True if a restart went back to before it: it no longer counts.
    superseded: bool,
}

/// An action whose outcome the host does not know.
#[derive(Serialize, ToSchema)]
pub(crate) struct OpenAction {
    /// The call that asked for it.
    call: u64,
    /// The receipt that it spent.
    receipt: String,
    /// A person's later finding.
    finding: Option<String>,
}

/// A guest's output.
#[derive(Serialize, ToSchema)]
pub(crate) struct Output {
    /// `output`.
    view: String,
    /// The text as the guest wrote it: escape it before showing it to a person.
    text: String,
}
