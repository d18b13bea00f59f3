//! Instances: create, list, show, and commands to an instance.

use crate::api::{json, unexpected, viewed};
use crate::problem::Problem;
use crate::request::RequestContext;
use axum::http::StatusCode;
use axum::response::Response;
use engine::api::{
    ComponentBytes, Created, InstanceCommand, Operation, OperationOutcome, Principal, Query, RestartPoint,
    Submit,
};
use receipt::{Digest, PersonId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{InstanceKey, InstanceState};
use utoipa::ToSchema;
use workflow::{ActorId, EventType, Finding, InstanceId, ReceiptId};

/// A new instance.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInstance {
    /// The workflow's digest, as its upload answered: `sha256:` and 64 hexadecimal digits.
    workflow: String,
    /// The instance's id. Creating the same id with the same input again changes nothing. Default: a new id.
    #[schema(value_type = Option<String>)]
    id: Option<InstanceId>,
    /// The parameters: any JSON. Default: an empty object.
    #[schema(value_type = Option<Value>)]
    params: Option<Box<RawValue>>,
    /// The actor on whose behalf it acts.
    #[schema(value_type = Option<String>)]
    actor: Option<ActorId>,
    /// The person who is responsible for the actor, and never decides about its requests.
    #[schema(value_type = Option<String>)]
    operator: Option<PersonId>,
    /// The person who submits it, and never decides about its requests.
    #[schema(value_type = Option<String>)]
    submitter: Option<PersonId>,
    /// The workflow's name. Default: `workflow`.
    name: Option<String>,
}

/// An instance that exists now.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedInstance {
    /// The tenant.
    tenant: String,
    /// The instance's id.
    instance: String,
    /// False if it was created earlier, with the same input.
    created: bool,
}

/// An event.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewEvent {
    /// The event's type.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    event_type: EventType,
    /// The event's payload: any JSON. Default: null.
    #[schema(value_type = Option<Value>)]
    payload: Option<Box<RawValue>>,
}

/// The reason of a command.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandReason {
    /// The reason, which is recorded.
    pub(crate) reason: Option<String>,
}

/// Where a workflow restarts. Default: at its beginning.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestartOptions {
    /// The name of the step, sleep or wait to restart at.
    from: Option<String>,
    /// Which call of that name, from 1.
    nth: Option<usize>,
    /// The digest of other code to continue with.
    workflow: Option<String>,
}

/// A finding about an action whose outcome was unknown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resolution {
    /// The receipt that the action spent.
    #[schema(value_type = String)]
    receipt: ReceiptId,
    /// Whether the action took place.
    happened: bool,
    /// The evidence for the finding.
    reason: String,
}

/// An instance's state after a command.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChangedInstance {
    /// The tenant.
    tenant: String,
    /// The instance's id.
    instance: String,
    /// The instance's state; null if it was deleted.
    #[schema(value_type = Option<String>)]
    status: Option<InstanceState>,
}

impl RequestContext {
    pub(crate) fn key(&self, principal: &Principal) -> Result<InstanceKey, Problem> {
        Ok(InstanceKey { tenant: self.tenant(principal)?, instance: self.part("instance")? })
    }
}

pub(crate) fn create(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = context.tenant(&principal)?;
    let new: NewInstance = context.json()?;
    let component = context.state.host.uploaded_as(&principal, &tenant, &digest(&new.workflow)?)?;
    let submit = Submit {
        id: new.id,
        tenant,
        actor: new.actor.map_or_else(|| "agent:api".parse(), Ok).map_err(engine::Error::from)?,
        operator: new.operator,
        submitter: new.submitter,
        name: new.name.unwrap_or_else(|| "workflow".to_owned()),
        params: new.params.map_or_else(|| "{}".to_owned(), |params| params.get().to_owned()),
        component,
    };
    match context.operate(&principal, Operation::Submit(submit))? {
        OperationOutcome::Submitted { key, created } => {
            let (status, created) = match created {
                Created::New => (StatusCode::CREATED, true),
                Created::Existing => (StatusCode::OK, false),
            };
            let (tenant, instance) = (key.tenant.to_string(), key.instance.to_string());
            json(status, &CreatedInstance { tenant, instance, created })
        }
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn list(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = Some(context.tenant(&principal)?);
    let status = context.query_value::<InstanceState>("status")?;
    let after = context.query_value::<InstanceId>("after")?;
    let after = tenant.clone().zip(after).map(|(tenant, instance)| InstanceKey { tenant, instance });
    let limit = context.page_length()?;
    viewed(&context.view(&principal, Query::Instances { tenant, status, after, since: None, limit })?)
}

pub(crate) fn show(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let key = context.key(&principal)?;
    viewed(&context.view(&principal, Query::Instance { key })?)
}

pub(crate) fn output(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let key = context.key(&principal)?;
    viewed(&context.view(&principal, Query::Output { key })?)
}

pub(crate) fn send_event(context: &RequestContext) -> Result<Response, Problem> {
    let NewEvent { event_type, payload } = context.json()?;
    let payload = payload.map_or_else(|| "null".to_owned(), |payload| payload.get().to_owned());
    handle(context, InstanceCommand::SendEvent { event_type, payload })
}

pub(crate) fn pause(context: &RequestContext) -> Result<Response, Problem> {
    handle(context, InstanceCommand::Pause)
}

pub(crate) fn resume(context: &RequestContext) -> Result<Response, Problem> {
    handle(context, InstanceCommand::Resume)
}

pub(crate) fn terminate(context: &RequestContext) -> Result<Response, Problem> {
    let CommandReason { reason } = context.json()?;
    handle(context, InstanceCommand::Terminate { reason })
}

pub(crate) fn restart(context: &RequestContext) -> Result<Response, Problem> {
    let RestartOptions { from, nth, workflow } = context.json()?;
    let point = match (from, nth) {
        (Some(name), nth) => RestartPoint::Call { name, nth: nth.unwrap_or(1).saturating_sub(1) },
        (None, None) => RestartPoint::Beginning,
        (None, Some(_)) => {
            return Err(Problem::invalid("nth chooses among several calls of one name: name it with from"));
        }
    };
    let principal = context.principal()?;
    let component = match workflow {
        Some(named) => {
            context.state.host.uploaded_as(&principal, &context.tenant(&principal)?, &digest(&named)?)?
        }
        None => ComponentBytes::default(),
    };
    handle_as(context, &principal, InstanceCommand::Restart { point, component })
}

pub(crate) fn resolve(context: &RequestContext) -> Result<Response, Problem> {
    let Resolution { receipt, happened, reason } = context.json()?;
    let finding = if happened { Finding::Succeeded } else { Finding::Failed };
    handle(context, InstanceCommand::Resolve { receipt, finding, found_by: None, reason })
}

pub(crate) fn delete(context: &RequestContext) -> Result<Response, Problem> {
    handle(context, InstanceCommand::Delete)
}

fn handle(context: &RequestContext, handling: InstanceCommand) -> Result<Response, Problem> {
    handle_as(context, &context.principal()?, handling)
}

/// [`handle`], for a caller that is already determined: determining a caller counts a request of its token.
fn handle_as(
    context: &RequestContext,
    principal: &Principal,
    handling: InstanceCommand,
) -> Result<Response, Problem> {
    let key = context.key(principal)?;
    let status =
        match context.operate(principal, Operation::ControlInstance { key: key.clone(), handling })? {
            OperationOutcome::State { state } => Some(state),
            OperationOutcome::Done => None,
            other => return Err(unexpected(&other)),
        };
    let (tenant, instance) = (key.tenant.to_string(), key.instance.to_string());
    json(StatusCode::OK, &ChangedInstance { tenant, instance, status })
}

/// Parses `sha256:` and the digits, or the digits alone.
pub(crate) fn digest(text: &str) -> Result<Digest, Problem> {
    text.strip_prefix("sha256:").unwrap_or(text).parse().map_err(|_| {
        Problem::invalid(format!(
            "{} is no digest of a workflow: sha256: and 64 hexadecimal digits are expected, as POST /v1/workflows answers",
            workflow::Quoted(text)
        ))
    })
}
