//! The caller: a program with a token, a person in a session, or an anonymous caller.

use crate::problem::Problem;
use crate::request::RequestContext;
use crate::request::rates::Counted;
use crate::request::sessions::COOKIE;
use crate::request::state::AppState;
use axum::http::{HeaderMap, StatusCode, header};
use engine::api::{DeciderSession, Principal};
use receipt::KeyId;
use workflow::TenantId;

/// The header in which the protocol's own clients send their key.
const API_KEY: &str = "x-pp-api-key";

/// The caller of a request. A token's request counts as one of its concurrent requests until this is dropped.
pub(crate) struct Caller {
    principal: Principal,
    _counted: Option<Counted>,
}

impl RequestContext {
    /// The caller. The first call determines it, and counts a request of its token. An invalid token is an error that says why; its sender is not
    /// treated as anonymous.
    pub(crate) fn principal(&self) -> Result<Principal, Problem> {
        let caller = match self.caller.get() {
            Some(caller) => caller,
            None => {
                let caller = self.authenticate()?;
                self.caller.get_or_init(|| caller)
            }
        };
        Ok(caller.principal.clone())
    }

    fn authenticate(&self) -> Result<Caller, Problem> {
        let Some(token) = token(&self.headers)? else {
            let principal = self.session()?.map_or(Principal::Anonymous, Principal::Decider);
            return Ok(Caller { principal, _counted: None });
        };
        let principal = self.state.host.authenticate(token).map_err(|error| match error {
            engine::Error::Token(error) => Problem::new(StatusCode::UNAUTHORIZED, "token", error.to_string()),
            other => other.into(),
        })?;
        let mut counted = None;
        if let Principal::Token(grant) = &principal {
            tracing::Span::current().record("tenant", tracing::field::display(&grant.tenant));
            counted = Some(self.state.rates.count(&grant.id)?);
        }
        Ok(Caller { principal, _counted: counted })
    }

    /// The tenant of the request: the tenant that the query names, or else the token's.
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
            _ => Err(Problem::invalid("name the tenant: ?tenant=NAME")),
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

impl RequestContext {
    /// The person who is signed in, with their present rights. `None` if the person was removed since, or their key was revoked.
    pub(crate) fn session(&self) -> Result<Option<DeciderSession>, Problem> {
        self.cookie().map_or(Ok(None), |secret| self.state.session(&secret))
    }

    /// The key that the session began with.
    pub(crate) fn session_key(&self) -> Option<KeyId> {
        self.state.sessions.person(&self.cookie()?).map(|(_, key)| key)
    }

    /// Ends the session, and returns the header that removes its cookie.
    pub(crate) fn end_session(&self) -> String {
        if let Some(secret) = self.cookie() {
            self.state.sessions.end(&secret);
        }
        format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
    }

    pub(crate) fn cookie(&self) -> Option<String> {
        let cookies = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut values = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('=').map(str::to_owned));
        // This server never sets two cookies with one name.
        values.next().filter(|_| values.next().is_none())
    }

    /// The person who is signed in.
    pub(crate) fn signed_in(&self) -> Result<DeciderSession, Problem> {
        self.session()?.ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first: the session is over")
        })
    }
}

impl AppState {
    /// The person of a session, with their present rights.
    pub(crate) fn session(&self, secret: &str) -> Result<Option<DeciderSession>, Problem> {
        let Some((person, key)) = self.sessions.person(secret) else { return Ok(None) };
        let trust = self.host.trust()?;
        let known = trust.deciders().person(&person).filter(|known| known.removed_at.is_none());
        let Some(known) = known else { return Ok(None) };
        if !trust.counts_still(&key.to_string()) {
            return Ok(None);
        }
        let tenants = known.tenants.iter().filter_map(|tenant| tenant.parse().ok()).collect();
        Ok(Some(DeciderSession { person, tenants }))
    }
}
