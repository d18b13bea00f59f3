//! The inbox: first the requests that the person can decide, then those that wait for others.

use crate::page::layout::{NavItem, countdown, page, time, version};
use crate::page::{Page, Viewer, go};
use crate::problem::Problem;
use crate::request::RequestContext;
use engine::api::{Query, RequestRow, View};
use maud::{Markup, html};
use workflow::QuotedWhole;

pub(crate) fn inbox(context: &RequestContext) -> Page {
    let Some(viewer) = context.viewer()? else { return Ok(go("/sign-in")) };
    let View::Requests { requests } = context.view(&viewer.principal(), Query::Requests { tenant: None })?
    else {
        return Err(Problem::internal(&"the engine answered no requests"));
    };
    let is_mine = |row: &&RequestRow| match &viewer {
        Viewer::Decider(session) => {
            !row.approved.contains(&session.person) && !row.denied.contains(&session.person)
        }
        Viewer::Demonstration => true,
    };
    let (mine, others): (Vec<_>, Vec<_>) = requests.iter().partition(is_mine);
    let content = html! {
        h1 { "Inbox" }
        p.lead {
            @match mine.len() {
                0 => "Nothing waits for you.",
                1 => "One request waits for you.",
                count => { (count) " requests wait for you. Each takes a signature of its own." }
            }
        }
        @if matches!(viewer, Viewer::Demonstration) { (demonstration()) }
        (rows(&mine))
        @if !others.is_empty() {
            h2 { "Signed by you, waiting for others" }
            (rows(&others))
        }
        (version("/", &requests.iter().map(|row| row.request.as_str()).collect::<Vec<_>>().join(" ")))
    };
    Ok(page(Some(&viewer), NavItem::Inbox, "Inbox", &content))
}

fn rows(requests: &[&RequestRow]) -> Markup {
    if requests.is_empty() {
        return html! { p.empty { "Nothing here. New requests appear when a workflow asks." } };
    }
    html! {
        ul.rows {
            @for row in requests {
                li {
                    div.head {
                        @let resource = QuotedWhole(&row.resource);
                        a.what href={ "/approvals/" (row.request) } aria-label={ (row.capability) " on " (resource) } { (row.capability) }
                        span.pill { (row.tenant) }
                    }
                    p.mono { (QuotedWhole(&row.resource).to_string()) }
                    p.small { (row.instance) " · asked " (time(row.created_at)) }
                    p.small {
                        (row.policy)
                        @if !row.approved.is_empty() { " · approved by " (names(&row.approved)) }
                        @if row.is_repeat { " · the same as above, asked again" }
                        " · " (countdown(row.expires_at))
                    }
                    @for warning in &row.warnings { p.small { span class="pill warn" { "warning" } " " (warning) } }
                }
            }
        }
    }
}

/// Names with commas between.
pub(crate) fn names(people: &[impl ToString]) -> String {
    people.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// The notice on a page of a demonstration.
pub(crate) fn demonstration() -> Markup {
    html! {
        div.note {
            p {
                strong { "This is a demonstration. " }
                "No decider is registered: any person at this machine may decide, and every receipt says that it proves nothing. The \
                 first decider ends the demonstration: "
                code { "pp-host deciders add NAME --role ROLE --key FILE" } "."
            }
        }
    }
}
