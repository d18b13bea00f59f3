//! The audit of a tenant or of one instance, a JSON object a line.

use crate::api::unexpected;
use crate::problem::Problem;
use crate::request::Asked;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use engine::api::{AuditRecord, AuditScope, Query, View};
use receipt::Timestamp;
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use store::InstanceKey;
use workflow::InstanceId;

pub(crate) fn audit(asked: &Asked) -> Result<Response, Problem> {
    let principal = asked.principal()?;
    let tenant = asked.tenant(&principal)?;
    let of = match asked.query_value::<InstanceId>("instance")? {
        Some(instance) => AuditScope::Instance(InstanceKey { tenant, instance }),
        None => AuditScope::Tenant(tenant),
    };
    let View::Audit { records } = asked.view(&principal, Query::Audit { of })? else {
        return Err(unexpected(&"no audit"));
    };
    let limit = usize::try_from(asked.page_length()?).unwrap_or(usize::MAX);
    let after = asked.query_value::<Place>("after")?;
    let mut rest = placed(&records).filter(|(place, _)| after.is_none_or(|after| *place > after));
    let (mut lines, mut last) = (Vec::new(), after);
    for (place, record) in rest.by_ref().take(limit) {
        last = Some(place);
        serde_json::to_writer(&mut lines, &own(record)?).map_err(|error| Problem::internal(&error))?;
        lines.push(b'\n');
    }
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/jsonl"))];
    let mut response = (kind, lines).into_response();
    if let (Some(_), Some(last)) = (rest.next(), last) {
        response.headers_mut().insert(header::LINK, next(asked, last)?);
    }
    Ok(response)
}

/// A record's place in the audit: its time, and its number among the records of that time. New records come after all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at: Timestamp,
    number: u64,
}

/// Records with their places.
fn placed(records: &[AuditRecord]) -> impl Iterator<Item = (Place, &AuditRecord)> {
    let mut before: Option<Place> = None;
    records.iter().map(move |record| {
        let at = record.at();
        let number = before.filter(|before| before.at == at).map_or(0, |before| before.number + 1);
        let place = Place { at, number };
        before = Some(place);
        (place, record)
    })
}

/// The header that leads to the next page: the same query, after that place.
fn next(asked: &Asked, last: Place) -> Result<HeaderValue, Problem> {
    let query = asked.query.as_deref().unwrap_or_default().as_bytes();
    let kept = form_urlencoded::parse(query).filter(|(name, _)| name != "after");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(kept)
        .append_pair("after", &last.to_string())
        .finish();
    HeaderValue::try_from(format!("</v1/audit?{query}>; rel=\"next\""))
        .map_err(|error| Problem::internal(&error))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_millis(), self.number)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('.').and_then(|(at, number)| at.parse().ok().zip(number.parse().ok()));
        let (at, number) = parts.ok_or("the header Link of a page has the value for the next one")?;
        Ok(Self { at: Timestamp::from_millis(at), number })
    }
}

/// A record without its place among the facts of all tenants, which would tell how much the others do.
pub(crate) fn own(record: &impl Serialize) -> Result<Value, Problem> {
    let mut record = serde_json::to_value(record).map_err(|error| Problem::internal(&error))?;
    if let Some(record) = record.as_object_mut() {
        record.remove("seq");
    }
    Ok(record)
}
