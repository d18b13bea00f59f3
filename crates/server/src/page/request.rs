//! One request: its action, resource, code and artifact; the people who have signed; and the form for the person's own decision.

use crate::page::diff::diff;
use crate::page::inbox::{demonstration, names};
use crate::page::layout::{NavItem, countdown, page as whole, time, version};
use crate::page::{Page, Viewer, field, go};
use crate::problem::Problem;
use crate::request::RequestContext;
use ::receipt::Digest;
use engine::api::{DeploymentRow, Query, RequestDetail, View};
use engine::issuer::Request;
use maud::{Markup, html};
use workflow::{Clipped, Entry, Quoted, QuotedWhole, RequestId};

pub(crate) fn page_of(context: &RequestContext, viewer: &Viewer, said: Option<&Markup>) -> Page {
    let request: RequestId = context.part("request")?;
    let principal = viewer.principal();
    let View::Request(detail) = context.view(&principal, Query::Request { request })? else {
        return Err(Problem::internal(&"the engine answered no request"));
    };
    let served = deployed(context, viewer, &detail.made)?;
    let now = served.as_ref().map(|row| &row.deployment.artifact_sha256);
    let change = context.state.host.change_of(&principal, &detail.row.request, now)?;
    let end = end_of(context, &detail)?;
    let (approved, denied) = (names(&detail.row.approved), names(&detail.row.denied));
    let shown = format!("{} {approved} {denied} {}", end.is_some(), detail.ruling);
    let content = html! {
        h1 { (detail.row.capability) }
        p.lead.mono { (QuotedWhole(&detail.row.resource).to_string()) }
        @if let Some(said) = said { (said) }
        @if matches!(viewer, Viewer::Demonstration) && end.is_none() { (demonstration()) }
        (facts(&detail))
        (artifact(&detail, served.as_ref()))
        (diff(&change))
        (guest_words(&detail.made))
        (exact(&detail))
        @match &end {
            Some(end) => { h2 { "Decision" } (end) }
            None => { (decision(context, viewer, &detail)?) }
        }
        (version(&format!("/approvals/{}", detail.row.request), &shown))
    };
    Ok(whole(Some(viewer), NavItem::Inbox, detail.row.capability.as_str(), &content))
}

pub(crate) fn page(context: &RequestContext) -> Page {
    match context.viewer()? {
        Some(viewer) => page_of(context, &viewer, None),
        None => {
            let request: RequestId = context.part("request")?;
            Ok(go(&format!("/sign-in?next=/approvals/{request}")))
        }
    }
}

fn facts(detail: &RequestDetail) -> Markup {
    let made = &detail.made;
    html! {
        div.sheet { dl.facts {
            dt { "Tenant" } dd { (made.tenant) }
            dt { "On behalf of" }
            dd {
                (made.actor)
                @if let Some(operator) = &made.operator { ", operated by " (operator) }
                @if let Some(submitter) = &made.submitter { ", submitted by " (submitter) }
            }
            dt { "Instance" }
            dd { a href={ "/instances/" (made.tenant) "/" (made.instance) } { (made.instance) } ", call #" (made.call) }
            dt { "Workflow" } dd { (Quoted(&made.workflow).to_string()) }
            dt { "Code" }
            dd {
                code { (made.component) } br; (seen(&detail.text, &made.component))
                @if made.script.is_some() {
                    p.small { "A script. This prints its text: " code { "pp-host approvals show " (made.id) " --source" } }
                }
            }
            dt { "Environment" } dd { (made.environment.as_str()) ", " (made.reversibility.as_str()) }
            dt { "Policy" } dd { (detail.ruling) }
            dt { "Signed" }
            dd {
                @if detail.row.approved.is_empty() && detail.row.denied.is_empty() { "no one yet" }
                @if !detail.row.approved.is_empty() { span class="pill yes" { "approved" } " " (names(&detail.row.approved)) }
                @if !detail.row.denied.is_empty() { " " span class="pill no" { "denied" } " " (names(&detail.row.denied)) }
            }
            dt { "Asked" }
            dd {
                (time(made.created_at))
                @if made.before.asked > 0 {
                    br; "before on this resource: " (made.before.asked) " times, denied " (made.before.denied) " times"
                }
            }
            dt { "Lapses" } dd { (countdown(made.expires_at)) }
        } }
        @for warning in detail.row.warnings.iter().map(String::as_str).chain(warnings(&detail.text)) {
            div.note { p { strong { "Warning. " } (warning) } }
        }
    }
}

/// The host's own warnings in the text that is signed.
fn warnings(text: &str) -> impl Iterator<Item = &str> {
    let own = text.split("written by the workflow").next().unwrap_or_default();
    own.lines().filter_map(|line| line.strip_prefix("WARNING")).map(str::trim)
}

/// Whether code or bytes of that digest were approved before, from the text that is signed.
fn seen(text: &str, digest: &Digest) -> Markup {
    let digest = format!("sha256 {digest}");
    let line = text.lines().find(|line| line.contains(&digest)).unwrap_or_default();
    let words = line.split_once(", ").map_or("", |(_, words)| words);
    html! { span.pill.yes[words == "approved before"].warn[words != "approved before"] { (words) } }
}

/// The deployment that the resource serves now, if the viewer may see it.
fn deployed(
    context: &RequestContext,
    viewer: &Viewer,
    made: &Request,
) -> Result<Option<DeploymentRow>, Problem> {
    let query = Query::LiveDeployment { tenant: made.tenant.clone(), resource: made.resource.clone() };
    match context.view(&viewer.principal(), query)? {
        View::LiveDeployment { deployment } => Ok(deployment),
        _ => Err(Problem::internal(&"the engine answered no deployment")),
    }
}

fn artifact(detail: &RequestDetail, served: Option<&DeploymentRow>) -> Markup {
    let Some(artifact) = &detail.made.artifact else { return html! {} };
    html! {
        h2 { "What would change" }
        div.sheet { dl.facts {
            dt { "Asked for" }
            dd {
                code { (artifact.sha256) } br; (artifact.bytes) " bytes "
                (seen(&detail.text, &artifact.sha256))
            }
            dt { "Deployed now" }
            @match served.map(|row| &row.deployment) {
                None => { dd { "nothing: this would be the first deployment to the resource" } }
                Some(now) => {
                    dd { code { (now.artifact_sha256) } br; (now.artifact_bytes) " bytes, since " (time(now.approved_at)) }
                    dd {
                        @if now.artifact_sha256 == artifact.sha256 {
                            span class="pill yes" { "the same bytes" }
                        } @else {
                            span class="pill warn" { "other bytes" } " "
                            (difference(now.artifact_bytes, artifact.bytes))
                        }
                    }
                    dt { "By receipt" } dd { a href={ "/receipts/" (now.receipt_id) } { (now.receipt_id) } }
                }
            }
        } }
    }
}

fn difference(now: u64, then: u64) -> String {
    match then.abs_diff(now) {
        0 => "of the same length".to_owned(),
        bytes if then > now => format!("{bytes} bytes longer"),
        bytes => format!("{bytes} bytes shorter"),
    }
}

/// The workflow's own words, in a box with a title that says so.
fn guest_words(made: &Request) -> Markup {
    html! {
        section.guest aria-labelledby="guest" {
            h2 id="guest" { "Written by the workflow, not checked" }
            @if let Some(artifact) = &made.artifact {
                div.small { "Artifact's name" }
                pre { (QuotedWhole(&artifact.name).to_string()) }
            }
            div.small { "Reason" }
            pre { (Quoted(&made.reason).to_string()) }
            div.small { "Evidence" }
            pre { (Clipped(&made.evidence).to_string()) }
        }
    }
}

fn exact(detail: &RequestDetail) -> Markup {
    html! {
        details {
            summary { "Exactly what is signed, and how to compare it" }
            p.small {
                "Your signature covers the digest of this text. Compare it on a machine of your own: "
                code { "pp-host approvals show " (detail.row.request) }
            }
            pre.exact { (detail.text) }
            dl.facts {
                dt { "This text" } dd { code { "sha256 " (detail.text_sha256) } }
                dt { "Request" } dd { code { "sha256 " (detail.request_sha256) } }
                dt { "Policy" } dd { code { "sha256 " (detail.policy_sha256) } }
            }
        }
    }
}

/// How the request ended; nothing while it waits.
fn end_of(context: &RequestContext, detail: &RequestDetail) -> Result<Option<Markup>, Problem> {
    let made = &detail.made;
    let key = store::InstanceKey { tenant: made.tenant.clone(), instance: made.instance.clone() };
    let facts = context.state.host.audit(Some(&key))?;
    Ok(facts.iter().rev().find_map(|fact| match &fact.entry {
        Entry::Issued { request, receipt, decision, .. } if *request == made.id => {
            let tone = if *decision == ::receipt::Decision::Approved { "pill yes" } else { "pill no" };
            Some(html! {
                div.sheet {
                    p { span class=(tone) { (decision.as_str()) } " " (time(fact.at)) }
                    p { "Receipt " a href={ "/receipts/" (receipt) } { (receipt) } }
                    p { a href={ "/instances/" (made.tenant) "/" (made.instance) } { "Follow the instance" } }
                }
            })
        }
        Entry::Lapsed { request } if *request == made.id => {
            Some(html! { div.sheet { p { "No decision in time: it lapsed " (time(fact.at)) "." } } })
        }
        Entry::Withdrawn { request, by, .. } if *request == made.id => {
            Some(html! { div.sheet { p { "Withdrawn by " (by) ", " (time(fact.at)) "." } } })
        }
        _ => None,
    }))
}

/// The form for the person's own decision, or the reason why they may not decide.
fn decision(context: &RequestContext, viewer: &Viewer, detail: &RequestDetail) -> Result<Markup, Problem> {
    let id = &detail.row.request;
    // The text that the person typed before an error.
    let typed = field(context, "reason").unwrap_or_default();
    let session = match viewer {
        Viewer::Demonstration => return Ok(demo_form(id, &typed)),
        Viewer::Decider(session) => session,
    };
    // If the person may neither approve nor deny, the page shows the reason instead of a form.
    let try_one = |decision| context.state.host.statement(id, &session.person, None, decision, Some("…"));
    let refused = [::receipt::Decision::Approved, ::receipt::Decision::Denied].map(try_one);
    if let [Err(why), Err(_)] = refused {
        let why = Problem::from(why).detail;
        return Ok(html! {
            h2 { "Why you cannot decide this" }
            div.note { p { (crate::page::layout::sentence(&why)) } }
        });
    }
    let origin = context.state.site.url().origin();
    let has_passkey = !context.state.host.passkeys(&session.person, origin)?.is_empty();
    Ok(html! {
        h2 id="decide" { "Your decision" }
        div.sheet {
            form id="passkey" method="post" action={ "/approvals/" (id) "/elsewhere" } data-request=(id) data-passkey=[has_passkey.then_some("")] {
                label for="reason" { "Reason " span.small { "· signed with the decision; needed to deny" } }
                textarea id="reason" name="reason" rows="2" maxlength="1000" { (typed) }
                @if has_passkey {
                    div.acts hidden data-script {
                        button.yes type="button" data-decision="APPROVED" { "Approve with passkey" }
                        button.no type="button" data-decision="DENIED" { "Deny with passkey" }
                    }
                    p.said role="status" aria-live="polite" {}
                }
                details open[!has_passkey] {
                    summary { "Sign with a key elsewhere: ssh-agent, a file" }
                    p.small {
                        "On a machine that has your key: "
                        code { "pp-host approve " (id) " --as " (session.person) " --ssh-agent" }
                        ". Or take the statement, sign it, and paste the envelope back."
                    }
                    div.acts {
                        button type="submit" name="decision" value="APPROVED" { "Statement to approve" }
                        button type="submit" name="decision" value="DENIED" { "Statement to deny" }
                    }
                }
            }
        }
    })
}

fn demo_form(id: &RequestId, typed: &str) -> Markup {
    html! {
        h2 id="decide" { "Decide as a demonstration" }
        div.sheet {
            form method="post" action={ "/approvals/" (id) "/demo" } {
                label for="reason" { "Reason " span.small { "· needed to deny" } }
                textarea id="reason" name="reason" rows="2" maxlength="1000" { (typed) }
                div.acts {
                    button.yes type="submit" name="decision" value="APPROVED" { "Approve" }
                    button.no type="submit" name="decision" value="DENIED" { "Deny" }
                }
            }
        }
    }
}
