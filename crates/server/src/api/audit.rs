//! The audit of a tenant or of one instance, a JSON object a line.

use crate::api::unexpected;
use crate::problem::Problem;
use crate::request::RequestContext;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use engine::api::{AuditPlace, AuditScope, Query, View};
use serde::Serialize;
use serde_json::Value;
use store::InstanceKey;
use workflow::InstanceId;

pub(crate) fn audit(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = context.tenant(&principal)?;
    let of = match context.query_value::<InstanceId>("instance")? {
        Some(instance) => AuditScope::Instance(InstanceKey { tenant, instance }),
        None => AuditScope::Tenant(tenant),
    };
    let query = Query::Audit {
        of,
        after: context.query_value::<AuditPlace>("after")?,
        limit: context.page_length()?,
    };
    let View::Audit { records, next } = context.view(&principal, query)? else {
        return Err(unexpected(&"no audit"));
    };
    let mut lines = Vec::new();
    for record in &records {
        serde_json::to_writer(&mut lines, &own(record)?).map_err(|error| Problem::internal(&error))?;
        lines.push(b'\n');
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"))];
    let mut response = (kind, lines).into_response();
    if let Some(place) = next {
        response.headers_mut().insert(header::LINK, link(context, &place)?);
    }
    Ok(response)
}

/// The header with the next page's URL: the same query, after that place.
fn link(context: &RequestContext, place: &AuditPlace) -> Result<HeaderValue, Problem> {
    let query = context.query.as_deref().unwrap_or_default().as_bytes();
    let kept = form_urlencoded::parse(query).filter(|(name, _)| name != "after");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("after", &place.to_string())
        .finish();
    HeaderValue::try_from(format!("</v1/audit?{query}>; rel=\"next\""))
        .map_err(|error| Problem::internal(&error))
}

/// A record without its place among the facts of all tenants, which would reveal how active other tenants are.
pub(crate) fn own(record: &impl Serialize) -> Result<Value, Problem> {
    let mut record = serde_json::to_value(record).map_err(|error| Problem::internal(&error))?;
    if let Some(record) = record.as_object_mut() {
        record.remove("seq");
    }
    Ok(record)
}
