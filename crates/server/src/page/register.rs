//! Registering a passkey with an invitation. The key counts when an operator has confirmed the id that the person sees here.

use crate::api::json;
use crate::page::Page;
use crate::page::decide::{bytes, text};
use crate::page::layout::{NavItem, page};
use crate::problem::Problem;
use crate::request::RequestContext;
use ::receipt::RegistrationResponse;
use axum::http::StatusCode;
use engine::trust::InvitationCode;
use maud::html;
use serde::{Deserialize, Serialize};

/// An invitation's code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginRegistration {
    code: String,
}

/// Options of the browser's registration request.
#[derive(Serialize)]
struct Ceremony {
    person: String,
    origin: String,
    rp_id: String,
    challenge: String,
    /// The algorithms that the host can verify, by their COSE numbers.
    algorithms: &'static [i32],
}

/// The authenticator's answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPasskey {
    code: String,
    public_key: String,
    authenticator_data: String,
    client_data_json: String,
}

/// The passkey's id, which an operator confirms.
#[derive(Serialize)]
struct Registered {
    key_id: String,
}

pub(crate) fn page_of_registration(_: &RequestContext) -> Page {
    let content = html! {
        h1 { "Register a passkey" }
        p.lead { "An operator has invited you to decide with a key of your own." }
        div.sheet {
            form id="register" {
                dl.facts {
                    dt { "You decide as" } dd { strong id="person" { "…" } }
                    dt { "On this page" } dd { span id="origin" { "…" } }
                }
                br;
                div.acts { button.yes type="submit" { "Register a passkey" } }
                p.said role="status" aria-live="polite" {}
                noscript { p { "A passkey needs JavaScript. Without it, an operator can add your ssh key: " code { "pp-host deciders add NAME --role ROLE --key FILE" } "." } }
            }
            div id="done" hidden tabindex="-1" role="status" {
                p { strong { "Your passkey is registered, and not yet confirmed." } }
                p { "Read this id to the operator who invited you, by voice or in another channel than the link came through:" }
                pre.exact data-key-id {}
                p.small { "The operator compares and confirms: " code { "pp-host deciders confirm " span data-person {} " " span data-key-id {} } }
                p { a href="/sign-in" { "Then sign in" } }
            }
        }
    };
    Ok(page(None, NavItem::None, "Register a passkey", &content))
}

pub(crate) fn challenge(context: &RequestContext) -> Page {
    let BeginRegistration { code } = context.json()?;
    let code = parse(&code)?;
    let invitation = context.state.host.invitation(&code)?;
    let origin = context.state.site.url().origin();
    if !invitation.relying_party.origins().contains(origin) {
        let pages = invitation.relying_party.origins().iter().cloned().collect::<Vec<_>>().join(", ");
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "other-page",
            format!("the invitation is for {pages}, and this page is {origin}: open the link there"),
        ));
    }
    json(
        StatusCode::OK,
        &Ceremony {
            person: invitation.decider.to_string(),
            origin: origin.to_owned(),
            rp_id: invitation.relying_party.rp_id().to_owned(),
            challenge: text(code.challenge().as_bytes()),
            algorithms: ::receipt::COSE_ALGORITHMS,
        },
    )
}

pub(crate) fn register(context: &RequestContext) -> Page {
    let NewPasskey { code, public_key, authenticator_data, client_data_json } = context.json()?;
    let response = RegistrationResponse {
        public_key: bytes(&public_key)?,
        authenticator_data: bytes(&authenticator_data)?,
        client_data_json: bytes(&client_data_json)?,
    };
    let key = context.state.host.register_passkey(&parse(&code)?, &response)?;
    json(StatusCode::OK, &Registered { key_id: key.key_id().to_string() })
}

fn parse(code: &str) -> Result<InvitationCode, Problem> {
    code.parse().map_err(|_| {
        let detail = "the link is incomplete: open it exactly as the operator sent it";
        Problem::new(StatusCode::BAD_REQUEST, "no-invitation", detail)
    })
}
