//! JSON for programs: `/v1` for tenants, and routes for any caller. Each handler translates a request to an operation or a query of [`engine::api`].

pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod follow;
pub(crate) mod instances;
pub(crate) mod openapi;
pub(crate) mod public;
pub(crate) mod receipts;
pub(crate) mod views;
pub(crate) mod workflows;

use crate::problem::Problem;
use crate::request::RequestContext;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use engine::api::{Operation, OperationOutcome, Principal, Query, View};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Rows in one answer by default.
const PAGE: u32 = 100;

/// The most rows in one answer.
const LONGEST_PAGE: u32 = 1_000;

impl RequestContext {
    /// Runs a query for the caller.
    pub(crate) fn view(&self, principal: &Principal, query: Query) -> Result<View, Problem> {
        Ok(self.state.host.view(principal, query)?)
    }

    /// Performs an operation for the caller.
    pub(crate) fn operate(
        &self,
        principal: &Principal,
        operation: Operation,
    ) -> Result<OperationOutcome, Problem> {
        Ok(self.state.host.operate_as(principal, operation)?)
    }

    /// The number of rows that the caller asks for.
    pub(crate) fn page_length(&self) -> Result<u32, Problem> {
        match self.query_value::<u32>("limit")?.unwrap_or(PAGE) {
            // A page of nothing would lead to itself.
            0 => Err(Problem::invalid("limit is at least 1")),
            limit => Ok(limit.min(LONGEST_PAGE)),
        }
    }

    /// The body as a JSON value of that shape. Unknown members are refused.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| Problem::invalid(format!("the body: {error}")))
    }
}

/// An answer in JSON, as serde writes it.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Result<Response, Problem> {
    let body = serde_json::to_vec(value).map_err(|error| Problem::internal(&error))?;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((status, kind, body).into_response())
}

/// An answer to a query.
pub(crate) fn viewed(view: &View) -> Result<Response, Problem> {
    json(StatusCode::OK, view)
}

/// The engine's answer has another kind than the operation has.
pub(crate) fn unexpected(answer: &impl std::fmt::Debug) -> Problem {
    Problem::internal(&format_args!("the engine answered {answer:?}"))
}
