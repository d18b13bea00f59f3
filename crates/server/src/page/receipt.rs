//! Receipts with their verification, and the people who may decide.

use crate::page::inbox::names;
use crate::page::layout::{NavItem, page as whole, sentence, time, version};
use crate::page::{Page, Viewer, go};
use crate::problem::Problem;
use crate::request::RequestContext;
use ::receipt::{DeciderSet, Decision, Judged, VerifiedReceipt, verify_approvals};
use engine::api::{Query, ReceiptKind, ReceiptRow, View};
use maud::{Markup, html};
use store::{InstanceKey, StoreError};
use workflow::{Effect, Entry, Escaped, Quoted, QuotedWhole, ReceiptId};

/// The most receipts on the page.
const SHOWN: u32 = 200;

pub(crate) fn list(context: &RequestContext) -> Page {
    let Some(viewer) = context.viewer()? else { return Ok(go("/sign-in?next=/receipts")) };
    let after = context.query_value::<ReceiptId>("after")?;
    let query = Query::Receipts { tenant: None, after, newest_first: true, limit: SHOWN };
    let View::Receipts { receipts, more } = context.view(&viewer.principal(), query)? else {
        return Err(Problem::internal(&"the engine answered no receipts"));
    };
    let content = html! {
        h1 { "Receipts" }
        p.lead { "Every decision, signed. Anyone can verify one offline." }
        @if receipts.is_empty() { p.empty { "No request has been decided yet." } } @else {
            ul.rows { @for row in &receipts { (line(row)) } }
        }
        @if let Some(last) = receipts.last().filter(|_| more) {
            p { a href={ "/receipts?after=" (last.receipt_id) } { "Older receipts" } }
        }
    };
    Ok(whole(Some(&viewer), NavItem::Receipts, "Receipts", &content))
}

fn line(row: &ReceiptRow) -> Markup {
    html! {
        li {
            div.head {
                a.what href={ "/receipts/" (row.receipt_id) } { (row.receipt_id) }
                span.pill { (Escaped(&row.tenant)) }
                (status(&row.status))
            }
            p.small {
                "issued "
                @match row.issued_at.as_deref().and_then(|at| at.parse().ok()) {
                    Some(at) => (time(at)),
                    None => "at no known time",
                }
            }
        }
    }
}

fn status(status: &str) -> Markup {
    let tone = if status == "APPROVED" { "pill yes" } else { "pill no" };
    html! { span class=(tone) { (Escaped(status)) } }
}

pub(crate) fn page(context: &RequestContext) -> Page {
    let id: ReceiptId = context.part("receipt")?;
    let Some(viewer) = context.viewer()? else { return Ok(go(&format!("/sign-in?next=/receipts/{id}"))) };
    let View::Receipt(row) = context.view(&viewer.principal(), Query::Receipt { receipt: id.clone() })?
    else {
        return Err(Problem::internal(&"the engine answered no receipt"));
    };
    let verified = ::receipt::verify(&row.kept.receipt.artifact, &context.state.host.keys());
    let trust = context.state.host.trust()?;
    let action = verified.as_ref().ok().and_then(|receipt| Action::of(&row, receipt));
    let action = match action {
        Some(action) => action.effect(context, &id).map(|effect| Some((action, effect)))?,
        None => None,
    };
    let content = html! {
        h1 { "Receipt" }
        p.lead.mono { (id) }
        @match &verified {
            Err(error) => { div.note role="alert" { p { strong { "It does not verify. " } (sentence(&error.to_string())) } } }
            Ok(receipt) => {
                @if let Some((action, effect)) = &action { (action.shown(effect.as_ref(), receipt.decision())) }
                (facts(&row, receipt))
                (people(&row, receipt, trust.deciders()))
            }
        }
        h2 { "Verify it yourself" }
        pre.exact { "pp-host receipts export " (id) " > receipt.json\npp-host keys export > keys.json\npp-host deciders export > deciders.json\npp-host verify receipt.json --keys keys.json --deciders deciders.json" }
        p { a href={ "/approvals/" (row.request_id) } { "The request that it decides" } }
        (version(&format!("/receipts/{id}"), &format!("{:?} {:?}", row.kind, action.as_ref().map(|(_, effect)| effect))))
    };
    Ok(whole(Some(&viewer), NavItem::Receipts, "Receipt", &content))
}

/// The decided action, from the request that the receipt commits to.
struct Action {
    capability: String,
    resource: String,
    key: InstanceKey,
}

impl Action {
    fn of(row: &ReceiptRow, receipt: &VerifiedReceipt) -> Option<Self> {
        let opened = receipt.open(&row.kept.receipt.opening()?).ok()?;
        let text = |path: &[&'static str]| opened.request().pointer(path.iter().copied())?.as_str();
        Some(Self {
            capability: format!("{}.{}", text(&["action", "tool"])?, text(&["action", "operation"])?),
            resource: text(&["action", "parameters", "resource"])?.to_owned(),
            key: InstanceKey {
                tenant: text(&["tenantId"])?.parse().ok()?,
                instance: text(&["actor", "runId"])?.parse().ok()?,
            },
        })
    }

    /// How it ended, from the journal of the instance; nothing if that was deleted.
    fn effect(&self, context: &RequestContext, receipt: &ReceiptId) -> Result<Option<Effect>, Problem> {
        let facts = match context.state.host.audit(Some(&self.key)) {
            Err(engine::Error::Store(StoreError::NoInstance(_))) => return Ok(None),
            facts => facts?,
        };
        Ok(facts.into_iter().rev().find_map(|fact| match fact.entry {
            Entry::Performed { receipt: permitted, effect, .. } if permitted == *receipt => Some(effect),
            _ => None,
        }))
    }

    fn shown(&self, effect: Option<&Effect>, decision: Decision) -> Markup {
        let (tone, outcome) = match effect {
            Some(Effect::Succeeded { .. }) => ("pill yes", "succeeded"),
            Some(Effect::Failed { .. }) => ("pill no", "failed"),
            Some(Effect::Unknown { .. }) => ("pill warn", "unknown: it was interrupted"),
            None => ("pill", "none yet"),
        };
        html! {
            div.sheet { dl.facts {
                dt { "Action" } dd { strong { (Escaped(&self.capability)) } }
                dt { "Resource" } dd.mono { (QuotedWhole(&self.resource).to_string()) }
                dt { "Tenant" } dd { (self.key.tenant) }
                dt { "Instance" } dd { a href={ "/instances/" (self.key) } { (self.key.instance) } }
                @if decision == Decision::Approved {
                    dt { "Outcome" }
                    dd { span class=(tone) { (outcome) } " " @if let Some(Effect::Failed { message, .. }) = effect { (Quoted(message).to_string()) } }
                }
            } }
        }
    }
}

fn facts(row: &ReceiptRow, receipt: &VerifiedReceipt) -> Markup {
    let opened = row.kept.receipt.opening().is_some_and(|opening| receipt.open(&opening).is_ok());
    html! {
        div.sheet { dl.facts {
            dt { "States" }
            dd {
                (status(receipt.decision().as_str())) " "
                @if receipt.scope() == Some(::receipt::Scope::Demo) { span class="pill warn" { "demo: proves nothing" } }
            }
            dt { "Verified" }
            dd {
                span class="pill yes" { "signature, key, canonical form, projection" } " "
                @if opened { span class="pill yes" { "commitment opened" } }
            }
            dt { "Decided by" }
            dd { @if let Some(decider) = receipt.decider() { (Escaped(&decider.id)) } @else { "no person named" } }
            dt { "For" } dd { (Escaped(receipt.agent_id())) }
            dt { "Key" } dd { code { (Escaped(receipt.key_id())) } }
            dt { "Issued" } dd { (time(receipt.created_at())) }
            dt { "Redeemable" } dd { "until " (time(receipt.expires_at())) }
            @match &row.kind {
                ReceiptKind::Decision { redeemed_at, attested, revoked_at } => {
                    dt { "Spent" } dd { @match redeemed_at { Some(at) => (time(*at)), None => "not yet" } }
                    dt { "Attestation" } dd { @if *attested { "the outcome is signed" } @else { "none yet" } }
                    @if let Some(at) = revoked_at { dt { "Revoked" } dd { span class="pill no" { "revoked" } " " (time(*at)) } }
                }
                ReceiptKind::Revocation { revokes } => {
                    dt { "Revokes" } dd { a href={ "/receipts/" (revokes) } { (revokes) } }
                }
            }
        } }
    }
}

/// The people whose signatures the receipt commits to, verified again with the keys that operators have registered.
fn people(row: &ReceiptRow, receipt: &VerifiedReceipt, deciders: &DeciderSet) -> Markup {
    let opened = row.kept.receipt.opening().and_then(|opening| receipt.open(&opening).ok());
    let Some(opened) = opened else { return html! {} };
    let content = match verify_approvals(&opened, deciders, Judged::AsIssued) {
        _ if receipt.scope() == Some(::receipt::Scope::Demo) => {
            html! { p { "No decider's key signed it: it is a demonstration." } }
        }
        Ok(decisions) if !decisions.is_empty() => html! {
            ul.rows { @for decision in &decisions { li {
                div.head {
                    strong { (decision.person()) }
                    span.pill { (decision.role()) }
                    (status(decision.decision().as_str()))
                }
                p.small { "key " code { (decision.key_id()) } " · " (time(decision.statement().decided_at)) }
                @if let Some(reason) = &decision.statement().reason { p { (Quoted(reason).to_string()) } }
            } } }
        },
        Ok(_) => {
            html! { p { "No person signed it: the policy decided." } }
        }
        Err(error) => {
            html! { div.note { p { strong { "The people's signatures do not verify. " } (sentence(&error.to_string())) } } }
        }
    };
    html! { h2 { "Signed by" } (content) }
}

pub(crate) fn deciders(context: &RequestContext) -> Page {
    let Some(viewer) = context.viewer()? else { return Ok(go("/sign-in?next=/deciders")) };
    let trust = context.state.host.trust()?;
    let people = trust.deciders().people();
    let content = html! {
        h1 { "Deciders" }
        p.lead { "Who may decide, as operators of this host have recorded it." }
        @if people.is_empty() { p.empty { "No deciders yet: this is a demonstration." } }
        ul.rows { @for person in people { li {
            div.head {
                strong { (person.id) }
                span.small { (names(&person.roles)) }
                @if person.removed_at.is_some() { span class="pill no" { "removed" } }
            }
            p.small { @if person.tenants.is_empty() { "every tenant" } @else { (names(&person.tenants)) } }
            @for own in &person.keys { p.small {
                @if own.key.as_passkey().is_some() { "passkey " } @else { "key " }
                code { (own.key.key_id()) }
                @if own.revoked_at.is_some() { " " span class="pill no" { "revoked" } }
            } }
        } } }
        @if matches!(viewer, Viewer::Demonstration) { p.small { "The first decider ends the demonstration." } }
    };
    Ok(whole(Some(&viewer), NavItem::Deciders, "Deciders", &content))
}
