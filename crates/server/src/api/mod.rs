//! JSON for programs: `/v1` for tenants, and what any caller may ask. Each handler is a translation to an operation or a query of [`engine::api`].

pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod follow;
pub(crate) mod instances;
pub(crate) mod open;
pub(crate) mod openapi;
pub(crate) mod receipts;
pub(crate) mod workflows;

use crate::problem::Problem;
use crate::request::Asked;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use engine::api::{Operation, OperationOutcome, Principal, Query, View};
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Asked {
    /// Looks something up for the caller.
    pub(crate) fn view(&self, principal: &Principal, query: Query) -> Result<View, Problem> {
        Ok(self.state.host.view(principal, query)?)
    }

    /// Has something done for the caller.
    pub(crate) fn operate(
        &self,
        principal: &Principal,
        operation: Operation,
    ) -> Result<OperationOutcome, Problem> {
        Ok(self.state.host.operate_as(principal, operation)?)
    }

    /// The body as a JSON value of that shape. What it does not know is refused.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| Problem::invalid(format!("the body: {error}")))
    }
}

/// An answer in JSON. Large numbers, control characters and all else are as serde writes them.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((status, kind, body).into_response())
}

/// An answer to a query.
pub(crate) fn viewed(view: &View) -> Result<Response, Problem> {
    json(StatusCode::OK, view)
}

/// An answer of another kind than was asked for.
pub(crate) fn unexpected(answer: &impl std::fmt::Debug) -> Problem {
    Problem::internal(&format_args!("the engine answered {answer:?}"))
}
