//! Signing in: an assertion of a decider's passkey over a challenge of this server. It signs a sign-in and nothing else: challenges of
//! decisions are of another type.

use crate::api::json;
use crate::page::decide::{Assertion, bytes, text};
use crate::page::layout::{Place, page};
use crate::page::{Page, go};
use crate::problem::Problem;
use crate::routes::Asked;
use ::receipt::{PersonId, challenge as challenge_of};
use axum::http::{HeaderValue, StatusCode, header};
use maud::html;
use serde::{Deserialize, Serialize};

/// The type of what a sign-in signs.
const PAYLOAD_TYPE: &str = "application/vnd.pp-host.sign-in";

/// What the browser asks the passkey for.
#[derive(Serialize)]
struct Ceremony {
    nonce: String,
    challenge: String,
    rp_id: String,
}

/// What the passkey has signed.
#[derive(Deserialize)]
struct Signed {
    nonce: String,
    #[serde(flatten)]
    assertion: Assertion,
    next: Option<String>,
}

/// Where to go after a sign-in.
#[derive(Serialize)]
struct SignedIn {
    next: String,
}

pub(crate) fn page_of_sign_in(asked: &Asked) -> Page {
    let next = asked.query_value::<String>("next")?.filter(|next| is_here(next));
    let content = html! {
        h1 { "Sign in" }
        p.lead { "With the passkey that you decide with. Signing in lets you look; each decision takes a signature of its own." }
        div.sheet {
            form id="sign-in" data-next=[next] {
                div.acts hidden data-script { button.yes type="submit" { "Sign in with passkey" } }
                p.said role="status" aria-live="polite" {}
                noscript { p { "A passkey needs JavaScript. Without it, decide on a machine that has your key: " code { "pp-host approve REQUEST --as NAME --ssh-agent" } "." } }
            }
        }
        p.small { "No passkey yet? An operator of this host invites you: " code { "pp-host deciders invite NAME --role ROLE" } "." }
    };
    Ok(page(None, Place::Elsewhere, "Sign in", &content))
}

pub(crate) fn challenge(asked: &Asked) -> Page {
    let nonce = asked.state.sessions.challenge()?;
    let challenge = challenge_of(PAYLOAD_TYPE, nonce.as_bytes());
    let rp_id = asked.state.site.url().host().to_owned();
    json(StatusCode::OK, &Ceremony { challenge: text(challenge.as_bytes()), nonce, rp_id })
}

pub(crate) fn sign_in(asked: &Asked) -> Page {
    let Signed { nonce, assertion, next } = asked.json()?;
    let refused = |code, detail: String| Err(Problem::new(StatusCode::FORBIDDEN, code, detail));
    if !asked.state.sessions.redeem(&nonce) {
        return refused("challenge", "the sign-in took too long, or was tried before: try again".to_owned());
    }
    let person = match known(asked, &nonce, &assertion)? {
        Ok(person) => person,
        Err(why) => return refused("passkey", why),
    };
    let cookie = asked.state.sessions.begin(person)?;
    let next = next.filter(|next| is_here(next)).unwrap_or_else(|| "/".to_owned());
    let mut response = json(StatusCode::OK, &SignedIn { next })?;
    set_cookie(&mut response, &cookie)?;
    Ok(response)
}

/// Whose passkey signed the challenge.
fn known(asked: &Asked, nonce: &str, assertion: &Assertion) -> Result<Result<PersonId, String>, Problem> {
    let credential = bytes(&assertion.credential)?;
    let trust = asked.state.host.trust()?;
    let challenge = challenge_of(PAYLOAD_TYPE, nonce.as_bytes());
    for person in trust.deciders().people().iter().filter(|person| person.removed_at.is_none()) {
        for own in &person.keys {
            let Some(passkey) = own.key.as_passkey().filter(|key| key.credential_id() == credential) else {
                continue;
            };
            if own.revoked_at.is_some() {
                return Ok(Err(format!("that passkey of {} is revoked", person.id)));
            }
            let verified = passkey.verify(&challenge, &assertion.response()?);
            return Ok(verified.map(|_| person.id.clone()).map_err(|error| error.to_string()));
        }
    }
    Ok(Err("that passkey is no decider's here".to_owned()))
}

pub(crate) fn sign_out(asked: &Asked) -> Page {
    let mut response = go("/sign-in");
    set_cookie(&mut response, &asked.end_session())?;
    Ok(response)
}

fn set_cookie(response: &mut axum::response::Response, cookie: &str) -> Result<(), Problem> {
    let cookie = HeaderValue::from_str(cookie).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(())
}

/// A path of this site, and no other site's address in the form of one.
fn is_here(next: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    next.starts_with('/') && !next.starts_with("//") && next.len() <= 512 && next.bytes().all(plain)
}
