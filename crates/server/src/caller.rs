//! Who asks: a program with a token, a person in a session, or an anonymous caller.

use crate::problem::Problem;
use crate::routes::Asked;
use axum::http::{HeaderMap, StatusCode, header};
use engine::api::Principal;
use workflow::TenantId;

/// The header in which the protocol's own clients send their key.
const API_KEY: &str = "x-pp-api-key";

impl Asked {
    /// Who asks. A token that is not valid is an error, and its sender no anonymous caller: the error says why.
    pub(crate) fn principal(&self) -> Result<Principal, Problem> {
        if let Some(token) = token(&self.headers)? {
            return self.state.host.authenticate(token).map_err(|error| match error {
                engine::Error::Token(error) => {
                    Problem::new(StatusCode::UNAUTHORIZED, "token", error.to_string())
                }
                other => other.into(),
            });
        }
        Ok(self.session()?.map_or(Principal::Anonymous, Principal::Decider))
    }

    /// The tenant that is meant: the one that is named, or else the token's own.
    pub(crate) fn tenant(&self, principal: &Principal) -> Result<TenantId, Problem> {
        if let Some(named) = self.query_value("tenant")? {
            return Ok(named);
        }
        match principal {
            Principal::Token(token) => Ok(token.tenant.clone()),
            Principal::Anonymous => Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "send a token: Authorization: Bearer pp_… (pp-host tokens create makes one)",
            )),
            _ => Err(Problem::invalid("name the tenant that is meant: ?tenant=NAME")),
        }
    }
}

fn token(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let malformed = || {
        let detail = "the token is sent as Authorization: Bearer pp_…, once, in visible ASCII";
        Problem::new(StatusCode::UNAUTHORIZED, "token", detail)
    };
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    match (sent.next(), sent.next()) {
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| malformed())?;
            let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
            match scheme.eq_ignore_ascii_case("bearer") {
                true => Ok(Some(token.trim())),
                false => Err(malformed()),
            }
        }
        (Some(_), Some(_)) => Err(malformed()),
        (None, _) => match headers.get(API_KEY) {
            Some(value) => value.to_str().map(Some).map_err(|_| malformed()),
            None => Ok(None),
        },
    }
}
