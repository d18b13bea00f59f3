//! One request as a handler sees it, its caller, and the state that all requests share.

pub(crate) mod caller;
pub(crate) mod challenges;
pub(crate) mod rates;
pub(crate) mod route;
pub(crate) mod sessions;
pub(crate) mod shape;
pub(crate) mod state;

use crate::problem::Problem;
use axum::body::Bytes;
use axum::http::HeaderMap;
use caller::Caller;
use state::AppState;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

/// A request, as a handler sees it. Its body was read completely.
pub(crate) struct RequestContext {
    pub(crate) state: Arc<AppState>,
    /// Whether it comes from this machine, and not through a proxy.
    pub(crate) is_local: bool,
    pub(crate) path: Vec<(String, String)>,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Set when the caller is determined.
    pub(crate) caller: OnceLock<Caller>,
}

impl RequestContext {
    /// The value of a query parameter. A parameter that occurs twice is an error.
    pub(crate) fn query_value<T: FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        let query = self.query.as_deref().unwrap_or_default().as_bytes();
        let mut values = form_urlencoded::parse(query).filter(|(found, _)| found == name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some((_, value)), None) => match value.parse() {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err(Problem::invalid(format!("{name}={}: {error}", workflow::Quoted(&value)))),
            },
            (Some(_), Some(_)) => Err(Problem::invalid(format!("{name} occurs twice in the query"))),
        }
    }

    /// A part of the path.
    pub(crate) fn part<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, Problem> {
        let text = self.path.iter().find(|(part, _)| part == name).map_or("", |(_, value)| value);
        text.parse().map_err(|error| Problem::invalid(format!("{}: {error}", workflow::Quoted(text))))
    }
}
