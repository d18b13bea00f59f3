//! A person's decision: by passkey, by a key elsewhere, or as a demonstration. The page makes the statement. The engine trusts nothing that comes
//! from the page, and verifies it.

use crate::api::approvals::{DecisionResult, decision_of};
use crate::api::{json, unexpected};
use crate::page::layout::{NavItem, page, sentence};
use crate::page::{Page, Viewer, field, go, request};
use crate::problem::Problem;
use crate::request::RequestContext;
use ::receipt::{AssertionResponse, Decision, Envelope, PAYLOAD_TYPE, PublicKey, challenge};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::api::{Attended, DeciderSession, Operation, OperationOutcome};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use workflow::RequestId;

/// The decision that a person is about to sign.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionDraft {
    decision: String,
    reason: Option<String>,
}

/// Options of the browser's assertion request. Bytes are base64url.
#[derive(Serialize)]
struct Ceremony {
    statement: String,
    challenge: String,
    rp_id: String,
    credentials: Vec<String>,
}

/// A signed decision.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedDecision {
    statement: String,
    #[serde(flatten)]
    assertion: Assertion,
}

/// An assertion, as the page's script sends it.
#[derive(Deserialize)]
pub(crate) struct Assertion {
    pub(crate) credential: String,
    authenticator_data: String,
    client_data_json: String,
    signature: String,
}

impl Assertion {
    pub(crate) fn response(&self) -> Result<AssertionResponse, Problem> {
        Ok(AssertionResponse {
            authenticator_data: bytes(&self.authenticator_data)?,
            client_data_json: bytes(&self.client_data_json)?,
            signature: bytes(&self.signature)?,
        })
    }
}

/// Decodes base64url, as browsers send bytes.
pub(crate) fn bytes(text: &str) -> Result<Vec<u8>, Problem> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Problem::invalid("what the browser sent is not base64url"))
}

/// Encodes bytes for a browser.
pub(crate) fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn statement(context: &RequestContext) -> Page {
    let session = context.signed_in()?;
    let DecisionDraft { decision, reason } = context.json()?;
    let decision = decision_of(&decision)?;
    let statement = draw_up(context, &session, decision, reason)?;
    let keys = passkeys(context, &session)?;
    let here: Vec<_> = keys.iter().filter_map(PublicKey::as_passkey).collect();
    // The passkey that signed in is at hand.
    let used = context.session_key();
    let at_hand = keys.iter().find(|key| used == Some(key.key_id())).and_then(PublicKey::as_passkey);
    let Some(chosen) = at_hand.or(here.first().copied()) else {
        let origin = context.state.site.url().origin().to_owned();
        return Err(engine::Error::NoPasskey { decider: session.person, origin }.into());
    };
    // The browser asks for the passkeys of one relying party.
    let alike = here.iter().filter(|passkey| passkey.rp_id() == chosen.rp_id());
    json(
        StatusCode::OK,
        &Ceremony {
            challenge: text(challenge(PAYLOAD_TYPE, statement.as_bytes()).as_bytes()),
            statement,
            rp_id: chosen.rp_id().to_owned(),
            credentials: alike.map(|passkey| text(passkey.credential_id())).collect(),
        },
    )
}

pub(crate) fn signature(context: &RequestContext) -> Page {
    let session = context.signed_in()?;
    let request: RequestId = context.part("request")?;
    let SignedDecision { statement, assertion } = context.json()?;
    let credential = bytes(&assertion.credential)?;
    let keys = passkeys(context, &session)?;
    let own =
        |key: &&PublicKey| key.as_passkey().is_some_and(|passkey| passkey.credential_id() == credential);
    let key = keys.iter().find(own).ok_or_else(|| {
        let detail = format!("{} has no such passkey that is valid here now", session.person);
        Problem::new(StatusCode::FORBIDDEN, "not-your-passkey", detail)
    })?;
    let envelope = Envelope::asserted(&statement, key.key_id(), assertion.response()?).map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "statement-refused", error.to_string())
    })?;
    json(StatusCode::OK, &carry(context, &session, &request, envelope.to_json().canonical())?)
}

fn carry(
    context: &RequestContext,
    session: &DeciderSession,
    request: &RequestId,
    envelope: String,
) -> Result<DecisionResult, Problem> {
    let principal = Viewer::Decider(session.clone()).principal();
    DecisionResult::of(context.operate(&principal, Operation::Sign { request: request.clone(), envelope })?)
}

/// The person's passkeys that are valid for this page now.
fn passkeys(context: &RequestContext, session: &DeciderSession) -> Result<Vec<PublicKey>, Problem> {
    Ok(context.state.host.passkeys(&session.person, context.state.site.url().origin())?)
}

/// Refuses a denial without a reason.
fn draw_up(
    context: &RequestContext,
    session: &DeciderSession,
    decision: Decision,
    reason: Option<String>,
) -> Result<String, Problem> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if decision == Decision::Denied && reason.is_none() {
        return Err(reason_needed());
    }
    let principal = Viewer::Decider(session.clone()).principal();
    let operation = Operation::PrepareStatement {
        request: context.part("request")?,
        by: session.person.clone(),
        role: None,
        decision,
        reason,
    };
    match context.operate(&principal, operation)? {
        OperationOutcome::Statement { statement } => Ok(statement),
        other => Err(unexpected(&other)),
    }
}

fn reason_needed() -> Problem {
    let detail = "a denial needs a reason: the workflow and the audit show it";
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "reason-needed", detail)
}

/// The statement, to be signed by a key elsewhere, and a field for the envelope.
pub(crate) fn sign_elsewhere(context: &RequestContext) -> Page {
    let session = context.signed_in()?;
    let request: RequestId = context.part("request")?;
    let decision = decision_of(&field(context, "decision").unwrap_or_default())?;
    match draw_up(context, &session, decision, field(context, "reason")) {
        Ok(statement) => Ok(signing(&session, &request, &statement, "", None)),
        Err(problem) => not_done(context, &Viewer::Decider(session), &problem),
    }
}

/// The request's page, with the reason why a decision was not made.
fn not_done(context: &RequestContext, viewer: &Viewer, problem: &Problem) -> Page {
    request::page_of(context, viewer, Some(&note("Not decided. ", problem)))
}

fn note(what: &str, problem: &Problem) -> Markup {
    html! { div.note role="alert" { p { strong { (what) } (sentence(&problem.detail)) } } }
}

/// A statement to sign, and a field for the envelope: empty, or refused for a reason.
fn signing(
    session: &DeciderSession,
    request: &RequestId,
    statement: &str,
    envelope: &str,
    said: Option<&Markup>,
) -> Response {
    let content = html! {
        h1 { "Sign elsewhere" }
        p.lead { "This is your decision about " code { (request) } ". Sign exactly these bytes as a DSSE envelope of type " code { (PAYLOAD_TYPE) } "." }
        @if let Some(said) = said { (said) }
        label for="statement" { "Statement" }
        textarea.mono id="statement" rows="8" readonly { (statement) }
        div.acts { button type="button" data-copy="statement" hidden data-script { "Copy" } }
        h2 { "Paste the envelope" }
        form method="post" action={ "/approvals/" (request) "/envelope" } {
            label for="envelope" { "Envelope " span.small { "· JSON with payload, payloadType and signatures" } }
            textarea.mono id="envelope" name="envelope" rows="8" required { (envelope) }
            input type="hidden" name="statement" value=(statement);
            div.acts { button.yes type="submit" { "Hand in" } }
        }
        p { a href={ "/approvals/" (request) } { "Back to the request" } }
    };
    page(Some(&Viewer::Decider(session.clone())), NavItem::Inbox, "Sign elsewhere", &content)
}

pub(crate) fn envelope(context: &RequestContext) -> Page {
    let session = context.signed_in()?;
    let id: RequestId = context.part("request")?;
    let envelope = field(context, "envelope").unwrap_or_default();
    match carry(context, &session, &id, envelope.clone()) {
        Ok(decided) => Ok(go(&match decided.receipt {
            Some(receipt) => format!("/receipts/{receipt}"),
            None => format!("/approvals/{id}"),
        })),
        // The request was decided in the meantime. Otherwise the same envelope may count at the next attempt.
        Err(problem)
            if problem.status == StatusCode::CONFLICT
                && !["busy", "changed-meanwhile"].contains(&problem.code) =>
        {
            not_done(context, &Viewer::Decider(session), &problem)
        }
        Err(problem) => {
            let statement = field(context, "statement").unwrap_or_default();
            Ok(signing(&session, &id, &statement, &envelope, Some(&note("Not signed. ", &problem))))
        }
    }
}

/// A demo decision: no decider is registered, and the caller is on this machine.
pub(crate) fn demo(context: &RequestContext) -> Page {
    let id: RequestId = context.part("request")?;
    if !context.is_demonstration()? {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "people-decide",
            "people decide here with their own keys: sign in",
        ));
    }
    let decision = decision_of(&field(context, "decision").unwrap_or_default())?;
    let reason = field(context, "reason");
    if decision == Decision::Denied && reason.is_none() {
        return not_done(context, &Viewer::Demonstration, &reason_needed());
    }
    let operation = Operation::DecideAsDemo { request: id, decision, attended: Attended::InPerson, reason };
    match context.operate(&Viewer::Demonstration.principal(), operation) {
        Ok(OperationOutcome::Issued { receipt, .. }) => Ok(go(&format!("/receipts/{receipt}"))),
        Ok(other) => Err(unexpected(&other)),
        // The request was decided in the meantime, perhaps by the first of two clicks.
        Err(problem) if problem.status == StatusCode::CONFLICT => {
            not_done(context, &Viewer::Demonstration, &problem)
        }
        Err(problem) => Err(problem),
    }
}
