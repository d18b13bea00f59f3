//! The page on which people decide: HTML that works without a script, except passkeys. The script also updates timelines and clocks.
//!
//! A workflow's words appear only in a box of their own, as text with the escapes of the terminal. GET changes nothing.

mod assets;
mod decide;
mod diff;
mod inbox;
mod instance;
mod layout;
mod receipt;
mod register;
mod request;
mod sign_in;

use crate::problem::Problem;
use crate::request::RequestContext;
use crate::request::route::{BodyKind, Route, get, post};
use ::receipt::Scope;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use engine::api::{Account, DeciderSession, Principal};

pub(crate) use layout::refusal;

/// The routes of the page.
pub(crate) static ROUTES: [Route; 23] = [
    get("/", "What waits for the person.", inbox::inbox).for_people(),
    get("/sign-in", "Sign in with a passkey.", sign_in::page_of_sign_in).for_people(),
    post("/sign-in/challenge", "A challenge for a sign-in.", sign_in::challenge)
        .with(BodyKind::Json)
        .for_people(),
    post("/sign-in", "Sign in.", sign_in::sign_in).with(BodyKind::Json).for_people(),
    post("/sign-out", "Sign out.", sign_in::sign_out).with(BodyKind::Form).for_people(),
    get("/approvals/{request}", "One request.", request::page).for_people(),
    post("/approvals/{request}/statement", "What the passkey is to sign.", decide::statement)
        .with(BodyKind::Json)
        .for_people(),
    post("/approvals/{request}/signature", "What the passkey has signed.", decide::signature)
        .with(BodyKind::Json)
        .for_people(),
    post("/approvals/{request}/elsewhere", "What another key is to sign.", decide::sign_elsewhere)
        .with(BodyKind::Form)
        .for_people(),
    post("/approvals/{request}/envelope", "What another key has signed.", decide::envelope)
        .with(BodyKind::Form)
        .for_people(),
    post("/approvals/{request}/demo", "Decide as a demonstration.", decide::demo)
        .with(BodyKind::Form)
        .for_people(),
    get("/instances", "Instances.", instance::list).for_people(),
    get("/instances/{tenant}/{instance}", "One instance's timeline.", instance::page).for_people(),
    get("/instances/{tenant}/{instance}/events", "The timeline, live.", instance::events).for_people(),
    get("/receipts", "Receipts.", receipt::list).for_people(),
    get("/receipts/{receipt}", "One receipt, verified.", receipt::page).for_people(),
    get("/register", "Register a passkey with an invitation.", register::page_of_registration).for_people(),
    post("/register/challenge", "What a new passkey is to sign.", register::challenge)
        .with(BodyKind::Json)
        .for_people(),
    post("/register", "Register a passkey.", register::register).with(BodyKind::Json).for_people(),
    get("/deciders", "Who may decide.", receipt::deciders).for_people(),
    get("/assets/pp.css", "The page's style.", assets::style).for_people(),
    get("/assets/pp.js", "The page's script.", assets::script).for_people(),
    get("/favicon.ico", "No picture.", assets::nothing).for_people(),
];

/// The viewer of a page.
#[derive(Debug, Clone)]
pub(crate) enum Viewer {
    /// A person who is signed in.
    Decider(DeciderSession),
    /// A caller on this machine, in a demonstration.
    Demonstration,
}

impl Viewer {
    pub(crate) fn principal(&self) -> Principal {
        match self {
            Self::Decider(session) => Principal::Decider(session.clone()),
            Self::Demonstration => Principal::Operator(Account::own()),
        }
    }
}

/// A page, or a redirect.
pub(crate) type Page = Result<Response, Problem>;

impl RequestContext {
    /// The viewer; `None` if the person has to sign in first.
    pub(crate) fn viewer(&self) -> Result<Option<Viewer>, Problem> {
        if let Some(session) = self.session()? {
            return Ok(Some(Viewer::Decider(session)));
        }
        Ok(self.is_demonstration()?.then_some(Viewer::Demonstration))
    }

    /// Whether this is a demonstration, and the caller is on this machine.
    pub(crate) fn is_demonstration(&self) -> Result<bool, Problem> {
        Ok(self.is_local && self.state.host.scope()? == Scope::Demo)
    }
}

/// A redirect to a page of this site, with GET.
pub(crate) fn go(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// The page that has a form, by the path that the form is sent to: a browser asks for that path when its answer is loaded again.
pub(crate) fn of_form(path: &str) -> Option<&str> {
    let (page, _) = path.rsplit_once('/')?;
    (page.starts_with("/approvals/") && !page.contains("//")).then_some(page)
}

/// A field of a form.
pub(crate) fn field(context: &RequestContext, name: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(&context.body);
    let (_, value) = fields.find(|(found, _)| found == name)?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}
