//! Requests for approval: waiting requests, the statements to sign, and signed statements.

use crate::api::instances::CommandReason;
use crate::api::{json, unexpected, viewed};
use crate::problem::Problem;
use crate::request::RequestContext;
use axum::http::StatusCode;
use axum::response::Response;
use engine::api::{Operation, OperationOutcome, Query, RequestRow, View};
use receipt::{Decision, PersonId, Role, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use workflow::{RequestId, TenantId};

/// A decision that a person is about to sign.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DecisionDraft {
    /// The decider who would sign.
    #[serde(rename = "as")]
    #[schema(value_type = String)]
    by: PersonId,
    /// The decider's role. Default: the role that the policy asks for.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// `APPROVED` or `DENIED`.
    decision: String,
    /// The decider's reason. It is signed.
    reason: Option<String>,
}

/// A statement to sign.
#[derive(Serialize, ToSchema)]
pub(crate) struct Statement {
    /// The statement in its canonical form: the payload of the envelope, of type `application/vnd.in-toto+json`.
    statement: String,
}

/// A signed statement.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedStatement {
    /// The DSSE envelope.
    #[schema(value_type = Object)]
    envelope: Box<RawValue>,
}

/// The result of a signature or a withdrawal.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct DecisionResult {
    /// `kept`: more signatures are needed; `issued`: the request is decided; or `withdrawn`.
    pub(crate) outcome: &'static str,
    /// The people whose approvals count.
    pub(crate) approved: Vec<String>,
    /// The people whose denials count.
    pub(crate) denied: Vec<String>,
    /// The policy's present answer to it, in words.
    pub(crate) ruling: Option<String>,
    /// The receipt.
    pub(crate) receipt: Option<String>,
    /// The decision that it states.
    pub(crate) status: Option<String>,
    /// The time until which the receipt can be redeemed.
    pub(crate) expires_at: Option<String>,
}

/// Requests that wait for a decision.
#[derive(Serialize)]
struct RequestPage {
    view: &'static str,
    requests: Vec<RequestRow>,
    /// Whether there are more: `?after` with the last request continues.
    more: bool,
}

impl DecisionResult {
    pub(crate) fn of(outcome: OperationOutcome) -> Result<Self, Problem> {
        let names = |people: Vec<PersonId>| people.iter().map(ToString::to_string).collect();
        Ok(match outcome {
            OperationOutcome::Kept { approved, denied, ruling } => Self {
                outcome: "kept",
                approved: names(approved),
                denied: names(denied),
                ruling: Some(ruling),
                ..Self::default()
            },
            OperationOutcome::Issued { receipt, status, expires_at, .. } => Self {
                outcome: "issued",
                receipt: Some(receipt.to_string()),
                status: Some(status),
                expires_at: Some(expires_at),
                ..Self::default()
            },
            OperationOutcome::Done => Self { outcome: "withdrawn", ..Self::default() },
            other => return Err(unexpected(&other)),
        })
    }
}

pub(crate) fn list(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = context.query_value::<TenantId>("tenant")?;
    let View::Requests { mut requests } = context.view(&principal, Query::Requests { tenant })? else {
        return Err(unexpected(&"no requests"));
    };
    // By time and not by action, so that a page continues at its position even if requests are made or decided in the
    // meantime.
    requests.sort_by(|a, b| place(a).cmp(&place(b)));
    if let Some(after) = context.query_value::<RequestId>("after")? {
        let View::Request(last) = context.view(&principal, Query::Request { request: after })? else {
            return Err(unexpected(&"no request"));
        };
        requests.retain(|row| place(row) > place(&last.row));
    }
    let limit = usize::try_from(context.page_length()?).unwrap_or(usize::MAX);
    let more = requests.len() > limit;
    requests.truncate(limit);
    json(StatusCode::OK, &RequestPage { view: "requests", requests, more })
}

fn place(row: &RequestRow) -> (Timestamp, &str) {
    (row.created_at, row.request.as_str())
}

pub(crate) fn show(context: &RequestContext) -> Result<Response, Problem> {
    viewed(&context.view(&context.principal()?, Query::Request { request: context.part("request")? })?)
}

pub(crate) fn explain(context: &RequestContext) -> Result<Response, Problem> {
    viewed(&context.view(&context.principal()?, Query::Explain { request: context.part("request")? })?)
}

pub(crate) fn statement(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let request: RequestId = context.part("request")?;
    let DecisionDraft { by, role, decision, reason } = context.json()?;
    let decision = decision_of(&decision)?;
    match context.operate(&principal, Operation::PrepareStatement { request, by, role, decision, reason })? {
        OperationOutcome::Statement { statement } => json(StatusCode::OK, &Statement { statement }),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn sign(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let request: RequestId = context.part("request")?;
    let SignedStatement { envelope } = context.json()?;
    let envelope = envelope.get().to_owned();
    json(
        StatusCode::OK,
        &DecisionResult::of(context.operate(&principal, Operation::Sign { request, envelope })?)?,
    )
}

pub(crate) fn withdraw(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let request: RequestId = context.part("request")?;
    let CommandReason { reason } = context.json()?;
    json(
        StatusCode::OK,
        &DecisionResult::of(context.operate(&principal, Operation::Withdraw { request, reason })?)?,
    )
}

/// Parses the spelling that receipts use.
pub(crate) fn decision_of(text: &str) -> Result<Decision, Problem> {
    Decision::from_signed(text).ok_or_else(|| Problem::invalid("decision is APPROVED or DENIED"))
}
