//! Signing in: an assertion of a decider's passkey over a challenge of this server. The assertion is valid for a sign-in only: challenges of
//! decisions are of another type.

use crate::api::json;
use crate::page::decide::{Assertion, bytes, text};
use crate::page::layout::{NavItem, page};
use crate::page::{Page, go};
use crate::problem::Problem;
use crate::request::RequestContext;
use ::receipt::{KeyId, PersonId, PublicKey};
use axum::http::{HeaderValue, StatusCode, header};
use maud::html;
use serde::{Deserialize, Serialize};

/// Options of the browser's assertion request.
#[derive(Serialize)]
struct Ceremony {
    nonce: String,
    challenge: String,
    /// The relying parties of the passkeys that can sign in on this page: the browser asks for one of them at a time.
    rp_ids: Vec<String>,
}

/// A signed challenge.
#[derive(Deserialize)]
struct SignedChallenge {
    nonce: String,
    #[serde(flatten)]
    assertion: Assertion,
    next: Option<String>,
}

/// The redirect after a sign-in.
#[derive(Serialize)]
struct SignedIn {
    next: String,
}

pub(crate) fn page_of_sign_in(context: &RequestContext) -> Page {
    let next = context.query_value::<String>("next")?.filter(|next| is_here(next));
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
    Ok(page(None, NavItem::None, "Sign in", &content))
}

pub(crate) fn challenge(context: &RequestContext) -> Page {
    let (nonce, sent) = context.state.challenges.create()?;
    let challenge = context.state.host.sign_in_challenge(&nonce);
    let site = context.state.site.url();
    let mut rp_ids = context.state.host.relying_parties(site.origin())?;
    if rp_ids.is_empty() {
        rp_ids.push(site.host().to_owned());
    }
    json(StatusCode::OK, &Ceremony { challenge: text(challenge.as_bytes()), nonce: sent, rp_ids })
}

pub(crate) fn sign_in(context: &RequestContext) -> Page {
    let SignedChallenge { nonce, assertion, next } = context.json()?;
    let nonce = context.state.challenges.nonce(&nonce)?;
    let credential = bytes(&assertion.credential)?;
    let person = context.state.host.signed_in(&nonce, &credential, &assertion.response()?)?;
    context.state.challenges.redeem(nonce)?;
    let key = key_of(context, &person, &credential)?;
    let cookie = context.state.sessions.begin(person, key)?;
    let next = next.filter(|next| is_here(next)).unwrap_or_else(|| "/".to_owned());
    let mut response = json(StatusCode::OK, &SignedIn { next })?;
    set_cookie(&mut response, &cookie)?;
    Ok(response)
}

/// The key that a person has signed in with.
fn key_of(context: &RequestContext, person: &PersonId, credential: &[u8]) -> Result<KeyId, Problem> {
    let keys = context.state.host.passkeys(person, context.state.site.url().origin())?;
    let own =
        |key: &&PublicKey| key.as_passkey().is_some_and(|passkey| passkey.credential_id() == credential);
    keys.iter().find(own).map(PublicKey::key_id).ok_or_else(|| engine::Error::UnknownPasskey.into())
}

pub(crate) fn sign_out(context: &RequestContext) -> Page {
    let mut response = go("/sign-in");
    set_cookie(&mut response, &context.end_session())?;
    Ok(response)
}

fn set_cookie(response: &mut axum::response::Response, cookie: &str) -> Result<(), Problem> {
    let cookie = HeaderValue::from_str(cookie).map_err(|error| Problem::internal(&error))?;
    response.headers_mut().insert(header::SET_COOKIE, cookie);
    Ok(())
}

/// Accepts only a path of this site, not another site's address that looks like a path.
fn is_here(next: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    next.starts_with('/') && !next.starts_with("//") && next.len() <= 512 && next.bytes().all(plain)
}
