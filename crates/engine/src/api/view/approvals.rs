//! Requests: a row each that waits, everything about one, and how decisions have gone.

use crate::Error;
use crate::Waiting;
use crate::api::Principal;
use crate::api::view::{AT_ONCE, Reader, View};
use crate::history::{RequestEnd, RequestOutcome};
use crate::issuer::Request;
use crate::runtime::requests;
use crate::trust::{Recall, Subject};
use receipt::{Digest, PersonId, Timestamp};
use serde::Serialize;
use std::collections::BTreeMap;
use store::{InstanceKey, RecordedRequest, RequestFilter};
use workflow::{Entry, InstanceId, RequestId, TenantId};

/// A request in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRow {
    /// The request's id.
    pub request: RequestId,
    /// The tenant whose workflow asks.
    pub tenant: TenantId,
    /// The instance.
    pub instance: InstanceId,
    /// The capability.
    pub capability: String,
    /// The resource that the action is on.
    pub resource: String,
    /// The number of waiting requests for the same action by the same code, including this one.
    pub similar_count: usize,
    /// Whether a similar request precedes this one in the list.
    pub is_repeat: bool,
    /// The policy's present answer to it, in words.
    pub policy: String,
    /// The people whose approvals count.
    pub approved: Vec<PersonId>,
    /// The people whose denials count.
    pub denied: Vec<PersonId>,
    /// The obstacles to a decision by people, at present.
    pub warnings: Vec<String>,
    /// When the request was made.
    pub created_at: Timestamp,
    /// When the request lapses.
    pub expires_at: Timestamp,
    /// Whether the request has lapsed: it can no longer be decided, and its instance continues at its next drive.
    pub lapsed: bool,
}

/// A request and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// The request's id.
    pub request: RequestId,
    /// The tenant whose workflow asked.
    pub tenant: TenantId,
    /// The instance.
    pub instance: InstanceId,
    /// The capability.
    pub capability: String,
    /// The resource that the action is on.
    pub resource: String,
    /// When the request was made.
    pub created_at: Timestamp,
    /// When the request lapses or lapsed.
    pub expires_at: Timestamp,
    /// Whether the request waits for a decision.
    pub waiting: bool,
    /// The end; `None` while it waits, and if its instance ended before.
    pub end: Option<RequestEnd>,
}

/// A page of the request log.
pub(super) struct LogPage {
    pub(super) tenant: Option<TenantId>,
    pub(super) outcome: Option<RequestOutcome>,
    pub(super) after: Option<RequestId>,
    pub(super) since: Option<Timestamp>,
    pub(super) limit: u32,
}

/// One request: the content that is signed with a decision about it, and its state.
#[derive(Debug, Clone, Serialize)]
pub struct RequestDetail {
    /// The row of a list.
    #[serde(flatten)]
    pub row: RequestRow,
    /// The text that an approver is shown, and whose digest is signed.
    pub text: String,
    /// SHA-256 of that text.
    pub text_sha256: Digest,
    /// SHA-256 of the request's document.
    pub request_sha256: Digest,
    /// The policy that governs now.
    pub policy_sha256: Digest,
    /// The policy's answer now and its reasons, in words.
    pub ruling: String,
    /// The end; `None` while it waits.
    pub end: Option<RequestEnd>,
    /// The request as a value of the engine.
    #[serde(skip)]
    pub made: Request,
}

/// Statistics of decided requests. Times are from the request to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RequestStatistics {
    /// Requests that wait.
    pub waiting: usize,
    /// Ends by kind: APPROVED, DENIED, LAPSED, WITHDRAWN.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// The median time to a decision, in seconds.
    pub median_seconds: Option<i64>,
    /// The longest time to a decision, in seconds.
    pub slowest_seconds: Option<i64>,
    /// The number of decisions of each decider.
    pub decided_by: BTreeMap<String, u64>,
}

impl Reader<'_> {
    /// Requests for the same action by the same code are adjacent: they are one question, asked several times.
    pub(super) fn requests(
        &self,
        principal: &Principal,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<RequestRow>, Error> {
        let (mut groups, mut group_of): (Vec<Vec<Waiting>>, BTreeMap<_, usize>) = Default::default();
        let meant = |key: &InstanceKey| {
            principal.covers(&key.tenant) && tenant.is_none_or(|tenant| *tenant == key.tenant)
        };
        for waiting in requests::waiting(self.store, self.judge, meant)? {
            let group = *group_of.entry(question(&waiting.request)).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(similar) => similar.push(waiting),
                None => groups.push(vec![waiting]),
            }
        }
        let rows = groups.iter().flat_map(|group| {
            group.iter().enumerate().map(|(index, waiting)| self.row(waiting, group.len(), index > 0))
        });
        Ok(rows.collect())
    }

    pub(super) fn request(&self, id: &RequestId) -> Result<RequestDetail, Error> {
        let (key, made) = self.made(id)?;
        let end = self.end(&key, &made)?;
        let waiting = requests::waiting_request(self.store, self.judge, key, made)?;
        let document = waiting.request.document().map_err(|error| Error::Internal(error.to_string()))?;
        Ok(RequestDetail {
            row: self.row(&waiting, 1, false),
            end,
            text: waiting.request.to_string(),
            text_sha256: waiting.request.view_digest(),
            request_sha256: receipt::request_digest(&document),
            policy_sha256: self.judge.policy.digest(),
            ruling: waiting.count.ruling.to_string(),
            made: waiting.request,
        })
    }

    /// Newest first.
    pub(super) fn request_log(&self, principal: &Principal, page: &LogPage) -> Result<View, Error> {
        if let Some(after) = &page.after {
            requests::request(self.store, after)?;
        }
        let shown = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let (mut found, mut before) = (Vec::new(), page.after.clone());
        while found.len() <= shown {
            let some = self.store.requests(RequestFilter::Before(before.clone(), AT_ONCE)).wait()?;
            let is_last = some.len() < AT_ONCE as usize;
            for RecordedRequest { key, body, .. } in some {
                let made: Request =
                    serde_json::from_str(&body).map_err(|error| Error::Internal(error.to_string()))?;
                before = Some(made.id.clone());
                let meant = principal.covers(&key.tenant)
                    && page.tenant.as_ref().is_none_or(|tenant| *tenant == key.tenant)
                    && page.since.is_none_or(|since| made.created_at >= since);
                if meant {
                    found.push(self.logged(&key, made)?);
                }
            }
            found.retain(|logged: &LoggedRequest| {
                page.outcome
                    .is_none_or(|outcome| logged.end.as_ref().is_some_and(|end| end.outcome == outcome))
            });
            if is_last {
                break;
            }
        }
        let more = found.len() > shown;
        found.truncate(shown);
        Ok(View::RequestLog { requests: found, more })
    }

    fn logged(&self, key: &InstanceKey, made: Request) -> Result<LoggedRequest, Error> {
        let end = self.end(key, &made)?;
        let ended = self.store.entered(key).wait()?.is_none_or(|found| found.schedule.state.has_ended());
        Ok(LoggedRequest {
            request: made.id,
            tenant: key.tenant.clone(),
            instance: key.instance.clone(),
            capability: made.capability,
            resource: made.resource,
            created_at: made.created_at,
            expires_at: made.expires_at,
            waiting: end.is_none() && !ended,
            end,
        })
    }

    /// The end. A request whose time is over has lapsed, even if its instance was not yet told.
    fn end(&self, key: &InstanceKey, made: &Request) -> Result<Option<RequestEnd>, Error> {
        let found = RequestEnd::of(&self.store.facts(Some(key)).wait()?, &made.id);
        Ok(found.or_else(|| self.is_over(made.expires_at).then(|| RequestEnd::lapsed(made.expires_at))))
    }

    fn is_over(&self, expires_at: Timestamp) -> bool {
        self.judge.at >= expires_at
    }

    pub(super) fn explanation(&self, id: &RequestId) -> Result<String, Error> {
        let (_, made) = self.made(id)?;
        let internal = |error: &dyn std::fmt::Display| Error::Internal(error.to_string());
        let document = made.document().map_err(|error| internal(&error))?;
        let subject = Subject::of(&document, &made.known).map_err(|error| internal(&error))?;
        Ok(self.judge.policy.explain(&subject.question(&[])).to_string())
    }

    fn made(&self, id: &RequestId) -> Result<(InstanceKey, Request), Error> {
        let (key, mut made) = requests::request(self.store, id)?;
        requests::recall(&mut Recall::new(self.store, self.judge), &mut made)?;
        Ok((key, made))
    }

    pub(super) fn statistics(&self) -> Result<RequestStatistics, Error> {
        let mut statistics = RequestStatistics {
            waiting: self.store.requests(RequestFilter::Waiting).wait()?.len(),
            ..RequestStatistics::default()
        };
        let (mut made, mut seconds) = (BTreeMap::new(), Vec::new());
        for fact in self.store.facts(None).wait()? {
            match &fact.entry {
                Entry::Requested { request, .. } => drop(made.insert(request.clone(), fact.at)),
                Entry::Decided { request, decision, decider, .. } => {
                    *statistics.outcomes.entry(decision.as_str()).or_default() += 1;
                    // People are counted by their signed decisions.
                    if !decider.starts_with("user:") {
                        *statistics.decided_by.entry(decider.clone()).or_default() += 1;
                    }
                    let took = made.get(request).map(|at| fact.at.as_millis() - at.as_millis());
                    seconds.extend(took.map(|millis| millis / 1000));
                }
                Entry::Signed { decider, .. } => {
                    *statistics.decided_by.entry(format!("user:{decider}")).or_default() += 1;
                }
                Entry::Lapsed { .. } => *statistics.outcomes.entry("LAPSED").or_default() += 1,
                Entry::Withdrawn { .. } => *statistics.outcomes.entry("WITHDRAWN").or_default() += 1,
                _ => {}
            }
        }
        seconds.sort_unstable();
        statistics.median_seconds = seconds.get(seconds.len() / 2).copied();
        statistics.slowest_seconds = seconds.last().copied();
        Ok(statistics)
    }
}

impl Reader<'_> {
    fn row(&self, waiting: &Waiting, similar_count: usize, is_repeat: bool) -> RequestRow {
        let Waiting { key, request, count, .. } = waiting;
        RequestRow {
            lapsed: self.is_over(request.expires_at),
            request: request.id.clone(),
            tenant: key.tenant.clone(),
            instance: key.instance.clone(),
            capability: request.capability.clone(),
            resource: request.resource.clone(),
            similar_count,
            is_repeat,
            policy: count.ruling.answer.to_string(),
            approved: count.approved.iter().cloned().collect(),
            denied: count.denied.iter().cloned().collect(),
            warnings: waiting.warnings().collect(),
            created_at: request.created_at,
            expires_at: request.expires_at,
        }
    }
}

/// The fields that make two requests the same question: tenant, actor, capability, resource, artifact, code.
fn question(request: &Request) -> (String, String, String, String, Option<String>, String) {
    (
        request.tenant.to_string(),
        request.actor.to_string(),
        request.capability.clone(),
        request.resource.clone(),
        request.artifact.as_ref().map(|artifact| artifact.sha256.to_string()),
        request.component.to_string(),
    )
}
