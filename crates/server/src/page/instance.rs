//! Instances: a list, and the timeline of one.

use crate::api::follow::{follow, shown as shown_event};
use crate::page::inbox::demonstration;
use crate::page::layout::{NavItem, page as whole, time};
use crate::page::{Page, Viewer, go};
use crate::problem::Problem;
use crate::request::RequestContext;
use ::receipt::Decision;
use axum::http::StatusCode;
use engine::api::{ListedInstance, Query, View};
use maud::{Markup, html};
use serde_json::json;
use store::{Fact, InstanceKey, InstanceState};
use workflow::{Effect, Entry, Quoted};

/// The most instances on the page.
const SHOWN: u32 = 100;

/// The most facts on the page. The stream and the command line have the rest.
const FACTS: u32 = 2_000;

pub(crate) fn list(context: &RequestContext) -> Page {
    let Some(viewer) = context.viewer()? else { return Ok(go("/sign-in?next=/instances")) };
    let tenants: Vec<_> = match &viewer {
        Viewer::Decider(session) if !session.tenants.is_empty() => {
            session.tenants.iter().cloned().map(Some).collect()
        }
        _ => vec![None],
    };
    let after = match (context.query_value("tenant")?, context.query_value("after")?) {
        (Some(tenant), Some(instance)) => Some(InstanceKey { tenant, instance }),
        _ => None,
    };
    let mut lists = Vec::new();
    for tenant in tenants {
        let after =
            after.clone().filter(|after| tenant.as_ref().is_none_or(|tenant| after.tenant == *tenant));
        let query =
            Query::Instances { tenant: tenant.clone(), status: None, after, since: None, limit: SHOWN };
        let View::Instances { instances, more } = context.view(&viewer.principal(), query)? else { continue };
        lists.push((tenant, instances, more));
    }
    let content = html! {
        h1 { "Instances" }
        p.lead { "Workflows that run or have run, the newest first." }
        @if lists.iter().all(|(_, rows, _)| rows.is_empty()) {
            p.empty { @if after.is_some() { "There are no older ones." } @else { "No workflow has been submitted yet." } }
        }
        @for (tenant, rows, more) in &lists {
            @if let Some(tenant) = tenant.as_ref().filter(|_| lists.len() > 1) { h2 { (tenant) } }
            @if !rows.is_empty() { ul.rows { @for row in rows { (line(row)) } } }
            @if let Some(last) = rows.last().filter(|_| *more) {
                p { a href={ "/instances?tenant=" (last.row.tenant) "&after=" (last.row.instance) } { "Older instances" @if lists.len() > 1 { " of " (last.row.tenant) } } }
            }
        }
    };
    Ok(whole(Some(&viewer), NavItem::Instances, "Instances", &content))
}

fn line(listed: &ListedInstance) -> Markup {
    let row = &listed.row;
    html! {
        li {
            div.head {
                a.what href={ "/instances/" (row.tenant) "/" (row.instance) } { (row.instance) }
                span.pill { (row.tenant) }
                (state(row.status))
            }
            @if let Some(workflow) = &listed.workflow { p.small { (Quoted(workflow).to_string()) } }
            p.small {
                "since " (time(row.since))
                @if let Some(wait) = &listed.wait { ", waits for " (wait.to_string()) }
                @if listed.denied { ", an action was denied" }
            }
        }
    }
}

fn state(status: InstanceState) -> Markup {
    let tone = match status {
        InstanceState::Complete => "pill yes",
        InstanceState::Errored | InstanceState::Diverged | InstanceState::Terminated => "pill no",
        InstanceState::Waiting | InstanceState::Paused => "pill warn",
        InstanceState::Queued | InstanceState::Running => "pill",
    };
    html! { span class=(tone) { (status) } }
}

fn key(context: &RequestContext) -> Result<InstanceKey, Problem> {
    Ok(InstanceKey { tenant: context.part("tenant")?, instance: context.part("instance")? })
}

pub(crate) fn page(context: &RequestContext) -> Page {
    let key = key(context)?;
    let Some(viewer) = context.viewer()? else {
        return Ok(go(&format!("/sign-in?next=/instances/{key}")));
    };
    let principal = viewer.principal();
    let View::Instance(detail) = context.view(&principal, Query::Instance { key: key.clone() })? else {
        return Err(Problem::internal(&"the engine answered no instance"));
    };
    let query = Query::Facts { key: key.clone(), from: 0, limit: FACTS };
    let View::Facts { facts } = context.view(&principal, query)? else {
        return Err(Problem::internal(&"the engine answered no facts"));
    };
    let next = facts.last().map_or(0, |fact| fact.index + 1);
    let content = html! {
        h1 { (key.instance) }
        p.lead { "Tenant " (key.tenant) " · " (detail.actor) " · " span id="state" { (state(detail.row.status)) } }
        @if matches!(viewer, Viewer::Demonstration) { (demonstration()) }
        div.sheet { dl.facts {
            dt { "Code" } dd { code { (detail.component) } }
            dt { "Started" } dd { (time(detail.started_at)) }
            dt { "Last change" } dd id="changed" { (time(detail.changed_at)) }
            dt { "Calls" } dd { (detail.calls.len()) }
            dt { "Events" } dd { (detail.events.received) " received, " (detail.events.taken) " taken" }
        } }
        h2 id="timeline" { "Timeline" }
        noscript { p.small { "Reload the page to see what is new." } }
        ol.line id="facts" aria-labelledby="timeline" data-events={ "/instances/" (key) "/events?from=" (next) } {
            @for fact in &facts { (shown(fact)) }
        }
        p.heard role="status" aria-live="polite" id="live" {}
    };
    Ok(whole(Some(&viewer), NavItem::Instances, key.instance.as_str(), &content))
}

fn shown(fact: &Fact) -> Markup {
    html! {
        li class=[tone(&fact.entry)] {
            (time(fact.at))
            @let (kind, text) = words(&fact.entry);
            span.says { b { (kind) } " " (text) }
            @if let Some((path, name)) = link(&fact.entry) { a href=(path) { (name) } }
        }
    }
}

/// The kind of an entry and the rest of its line, without the padding that aligns lines in a terminal.
fn words(entry: &Entry) -> (String, String) {
    let line = entry.to_string();
    let (kind, text) = line.split_once(' ').unwrap_or((&line, ""));
    (kind.to_owned(), text.trim_start().to_owned())
}

/// The mark of an entry.
fn tone(entry: &Entry) -> Option<&'static str> {
    match entry {
        Entry::Issued { decision: Decision::Approved, .. } | Entry::Completed { .. } => Some("yes"),
        Entry::Performed { effect: Effect::Succeeded { .. }, .. } => Some("yes"),
        Entry::Issued { .. }
        | Entry::Failed { .. }
        | Entry::Refused { .. }
        | Entry::Diverged { .. }
        | Entry::Terminated { .. }
        | Entry::Performed { .. }
        | Entry::StepFailed { .. } => Some("no"),
        Entry::Requested { .. } | Entry::Paused { .. } => Some("now"),
        _ => None,
    }
}

/// The instance's state after an entry, if the entry alone determines it, and the state's mark.
fn state_after(entry: &Entry) -> Option<(&'static str, &'static str)> {
    Some(match entry {
        Entry::Completed { .. } => ("complete", "pill yes"),
        Entry::Failed { .. } => ("errored", "pill no"),
        Entry::Terminated { .. } => ("terminated", "pill no"),
        Entry::Diverged { .. } => ("diverged", "pill no"),
        Entry::Paused { .. } => ("paused", "pill warn"),
        Entry::Requested { .. } => ("waiting", "pill warn"),
        Entry::Resumed { .. } | Entry::Restarted { .. } | Entry::Decided { .. } => ("running", "pill"),
        _ => return None,
    })
}

/// The page that an entry links to.
fn link(entry: &Entry) -> Option<(String, &'static str)> {
    match entry {
        Entry::Requested { request, .. } => Some((format!("/approvals/{request}"), "The request")),
        Entry::Issued { receipt, .. } => Some((format!("/receipts/{receipt}"), "The receipt")),
        _ => None,
    }
}

/// The instance's facts as a stream.
pub(crate) fn events(context: &RequestContext) -> Page {
    let key = key(context)?;
    let viewer = context.viewer()?.ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first: the session is over")
    })?;
    follow(context, viewer.principal(), key, |fact| {
        let (link, (kind, text)) = (link(&fact.entry), words(&fact.entry));
        let data = json!({
            "at": fact.at, "kind": kind, "text": text, "tone": tone(&fact.entry),
            "state": state_after(&fact.entry).map(|(word, _)| word), "pill": state_after(&fact.entry).map(|(_, pill)| pill),
            "path": link.as_ref().map(|(path, _)| path), "name": link.as_ref().map(|(_, name)| name),
        });
        shown_event(fact, &data)
    })
}
