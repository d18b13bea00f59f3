//! Instances: a row each in a list, and everything about one.

use crate::Error;
use crate::access::{AccessError, DeciderSession, Principal};
use crate::api::view::{AT_ONCE, Reader, View};
use crate::history::{Call, History, was_denied};
use receipt::{Digest, Timestamp};
use serde::Serialize;
use store::{
    Deployment, DeploymentFilter, DeploymentPage, InstanceKey, InstanceState, InstanceSummary,
    RecordedDeployment, Selection, StoreError,
};
use workflow::{
    ActorId, EventType, Failure, Finding, InstanceId, Pending, ReceiptId, RecordedCommand, RequestId, Status,
    TenantId, Wait,
};

/// An instance in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InstanceRow {
    /// The tenant.
    pub tenant: TenantId,
    /// The instance's id in the tenant.
    pub instance: InstanceId,
    /// The instance's state.
    pub status: InstanceState,
    /// The time at which this state began.
    pub since: Timestamp,
    /// The time at which the instance continues by itself, if that is known.
    pub due: Option<Timestamp>,
}

/// An instance in a list, with a summary of its journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedInstance {
    /// The instance's state.
    #[serde(flatten)]
    pub row: InstanceRow,
    /// The workflow's name. `None` if the journal cannot be read.
    pub workflow: Option<String>,
    /// On whose behalf it acts.
    pub actor: Option<ActorId>,
    /// The first of the instance's waits; empty if it does not wait.
    pub waits_for: Vec<WaitsFor>,
    /// The wait as a value of the engine.
    #[serde(skip)]
    pub wait: Option<Wait>,
    /// An action was denied, and none took place.
    pub denied: bool,
}

/// One instance.
#[derive(Debug, Clone, Serialize)]
pub struct InstanceDetail {
    /// The row of a list.
    #[serde(flatten)]
    pub row: InstanceRow,
    /// The workflow's name.
    pub workflow: String,
    /// On whose behalf it acts.
    pub actor: ActorId,
    /// The person who is responsible for the actor.
    pub operator: Option<String>,
    /// The submitter.
    pub submitter: Option<String>,
    /// SHA-256 of the code that it runs.
    pub component: Digest,
    /// The parameters, as JSON text.
    pub params: String,
    /// When the instance was created.
    pub started_at: Timestamp,
    /// The time of the last record.
    pub changed_at: Timestamp,
    /// Events that were sent to it.
    pub events: EventCount,
    /// The instance's calls, in order.
    pub calls: Vec<CallRow>,
    /// Actions whose outcome was unknown.
    pub unknown: Vec<OpenAction>,
    /// An action was denied, and none took place.
    pub denied: bool,
    /// The details of its state.
    #[serde(flatten)]
    pub detail: StateDetail,
    /// The history as a value of the engine.
    #[serde(skip)]
    pub history: History,
}

/// Events of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct EventCount {
    /// All that were sent.
    pub received: u64,
    /// The events that were delivered to the workflow.
    pub taken: u64,
}

/// One call of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CallRow {
    /// The call's number, from 0.
    pub call: workflow::Call,
    /// The call.
    pub asked: RecordedCommand,
    /// When the call began.
    pub began_at: Timestamp,
    /// When the call's stage last changed.
    pub changed_at: Timestamp,
    /// The number of attempts, if the call is a step.
    pub attempts: u32,
    /// The stage, in one word.
    pub stage: &'static str,
    /// The stage, in a sentence.
    pub says: String,
    /// The request, if the call made one.
    pub request: Option<RequestId>,
    /// The receipt, if there is one.
    pub receipt: Option<ReceiptId>,
    /// The workflow went back to before it: it counts no longer.
    pub superseded: bool,
}

/// An action whose outcome the host does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenAction {
    /// The call that asked for it.
    pub call: workflow::Call,
    /// The receipt that it spent.
    pub receipt: ReceiptId,
    /// A person's finding since.
    pub finding: Option<Finding>,
}

/// The details of a state.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum StateDetail {
    /// Queued or running.
    Open {},
    /// Waiting.
    Waiting {
        /// The instance waits for the first of these.
        waits_for: Vec<WaitsFor>,
    },
    /// Paused.
    Paused {
        /// The operator who paused the instance.
        by: String,
    },
    /// Diverged.
    Diverged {
        /// The call that differs.
        diverged_at: workflow::Call,
        /// The message.
        message: String,
    },
    /// Complete.
    Completed {
        /// The result, as JSON text.
        output: String,
    },
    /// Errored.
    Failed {
        /// The failure.
        failure: Failure,
    },
    /// Terminated.
    Terminated {
        /// The operator who terminated the instance.
        by: String,
        /// The reason, if one was given.
        reason: Option<String>,
    },
}

/// One wait of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum WaitsFor {
    /// A decision.
    Decision {
        /// The call that asked.
        call: workflow::Call,
        /// The request.
        request: RequestId,
        /// When the request lapses.
        until: Timestamp,
    },
    /// An event.
    Event {
        /// The call that waits.
        call: workflow::Call,
        /// The wait's name.
        name: String,
        /// The kind of event.
        #[serde(rename = "type")]
        event_type: EventType,
        /// When the wait ends without an event.
        until: Timestamp,
    },
    /// The end of a sleep.
    Sleep {
        /// The call that sleeps.
        call: workflow::Call,
        /// The sleep's name.
        name: String,
        /// When the sleep ends.
        until: Timestamp,
    },
    /// The next attempt of a step.
    Retry {
        /// The step's call.
        call: workflow::Call,
        /// The step's name.
        name: String,
        /// The number of the attempt.
        attempt: u32,
        /// When the attempt is made.
        until: Timestamp,
    },
}

/// A deployment, and whether its resource serves it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeploymentRow {
    /// The deployment's record.
    #[serde(flatten)]
    pub deployment: Deployment,
    /// The resource serves it.
    pub current: bool,
}

impl Reader<'_> {
    pub(super) fn instances(&self, principal: &Principal, selection: Selection) -> Result<View, Error> {
        let Selection { tenant, limit, .. } = &selection;
        let tenant = tenant.clone().or_else(|| principal.only_tenant().cloned());
        if tenant.is_none()
            && matches!(principal, Principal::Decider(DeciderSession { tenants, .. }) if !tenants.is_empty())
        {
            return Err(AccessError::TenantNeeded.into());
        }
        if let Some(after) = &selection.after
            && self.store.entered(after).wait()?.is_none()
        {
            return Err(StoreError::NoInstance(after.to_string()).into());
        }
        let shown = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let limit = limit.map(|limit| limit.saturating_add(1));
        let found = self.store.list(&Selection { tenant, limit, ..selection }).wait()?;
        let more = found.len() > shown;
        let instances = found.into_iter().take(shown).map(|found| self.listed(found));
        Ok(View::Instances { instances: instances.collect::<Result<_, _>>()?, more })
    }

    /// A damaged journal is reported for its instance alone.
    fn listed(&self, found: InstanceSummary) -> Result<ListedInstance, Error> {
        let facts = match self.store.facts(Some(&found.key)).wait() {
            Err(StoreError::Damaged(_)) => Vec::new(),
            facts => facts?,
        };
        let history = History::of(&facts, self.settings.of(&found.key.tenant).workflow).ok();
        let wait = history.as_ref().and_then(|history| match &history.status {
            Status::Waiting(wait) => Some(wait.clone()),
            _ => None,
        });
        Ok(ListedInstance {
            row: found.into(),
            workflow: history.as_ref().map(|history| history.workflow.clone()),
            actor: history.map(|history| history.actor),
            waits_for: wait.iter().flat_map(|wait| wait.on.clone()).map(WaitsFor::from).collect(),
            wait,
            denied: was_denied(&facts),
        })
    }

    pub(super) fn instance(&self, key: &InstanceKey) -> Result<InstanceDetail, Error> {
        let found = self.store.entered(key).wait()?.ok_or_else(|| StoreError::NoInstance(key.to_string()))?;
        let limits = self.settings.of(&key.tenant).workflow;
        let facts = self.store.facts(Some(key)).wait()?;
        Ok(InstanceDetail::of(History::of(&facts, limits)?, found, was_denied(&facts)))
    }

    pub(super) fn deployments(
        &self,
        principal: &Principal,
        tenant: Option<TenantId>,
        after: Option<&ReceiptId>,
        limit: u32,
    ) -> Result<View, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let tenant = tenant.or_else(|| principal.only_tenant().cloned());
        let filter = tenant.map_or(DeploymentFilter::All, DeploymentFilter::Tenant);
        let mut after = after.map_or(Ok(0), |receipt| self.deployed_by(principal, receipt))?;
        let mut rows = Vec::new();
        loop {
            let page = DeploymentPage { after, limit: AT_ONCE, filter: filter.clone() };
            let some = self.store.deployments(page).wait()?;
            let (count, last) = (some.len(), some.last().map(|recorded| recorded.place));
            let meant = some.into_iter().filter(|recorded| principal.covers(&recorded.deployment.tenant));
            rows.extend(meant.map(DeploymentRow::from));
            after = last.unwrap_or(after);
            if rows.len() > limit || count < AT_ONCE as usize {
                break;
            }
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(View::Deployments { deployments: rows, more })
    }

    /// The place of the deployment that a receipt permitted.
    fn deployed_by(&self, principal: &Principal, receipt: &ReceiptId) -> Result<u64, Error> {
        let page = DeploymentPage { after: 0, limit: 1, filter: DeploymentFilter::Receipt(receipt.clone()) };
        let found = self.store.deployments(page).wait()?.pop();
        found
            .filter(|recorded| principal.covers(&recorded.deployment.tenant))
            .map(|recorded| recorded.place)
            .ok_or_else(|| Error::NoReceipt(receipt.clone()))
    }

    pub(super) fn live_deployment(&self, tenant: &TenantId, resource: &str) -> Result<View, Error> {
        let live = self.store.live_deployment(tenant, resource).wait()?;
        let deployment = live.map(|deployment| DeploymentRow { deployment, current: true });
        Ok(View::LiveDeployment { deployment })
    }
}

impl From<RecordedDeployment> for DeploymentRow {
    fn from(RecordedDeployment { deployment, is_live, .. }: RecordedDeployment) -> Self {
        Self { deployment, current: is_live }
    }
}

impl From<InstanceSummary> for InstanceRow {
    fn from(InstanceSummary { key, schedule, since }: InstanceSummary) -> Self {
        let InstanceKey { tenant, instance } = key;
        Self { tenant, instance, status: schedule.state, since, due: schedule.due }
    }
}

impl InstanceDetail {
    fn of(history: History, found: InstanceSummary, denied: bool) -> Self {
        Self {
            row: found.into(),
            workflow: history.workflow.clone(),
            actor: history.actor.clone(),
            operator: history.operator.as_ref().map(ToString::to_string),
            submitter: history.submitter.as_ref().map(ToString::to_string),
            component: history.component,
            params: history.params.clone(),
            started_at: history.started_at,
            changed_at: history.changed_at,
            events: EventCount { received: history.events.received, taken: history.events.taken },
            calls: history.calls.iter().map(CallRow::from).collect(),
            unknown: history
                .unknown
                .iter()
                .map(|unknown| OpenAction {
                    call: unknown.call,
                    receipt: unknown.receipt.clone(),
                    finding: unknown.finding,
                })
                .collect(),
            denied,
            detail: (&history.status).into(),
            history,
        }
    }
}

impl From<&Call> for CallRow {
    fn from(call: &Call) -> Self {
        Self {
            call: call.number,
            asked: call.asked.clone(),
            began_at: call.began,
            changed_at: call.changed,
            attempts: call.attempts,
            stage: call.stage.word(),
            says: call.stage.to_string(),
            request: call.stage.request().cloned(),
            receipt: call.stage.receipt().cloned(),
            superseded: call.superseded,
        }
    }
}

impl From<&Status> for StateDetail {
    fn from(status: &Status) -> Self {
        match status.clone() {
            Status::Queued | Status::Running => Self::Open {},
            Status::Waiting(Wait { on }) => {
                Self::Waiting { waits_for: on.into_iter().map(WaitsFor::from).collect() }
            }
            Status::Paused { by } => Self::Paused { by },
            Status::Diverged { call, message } => Self::Diverged { diverged_at: call, message },
            Status::Completed(output) => Self::Completed { output },
            Status::Failed(failure) => Self::Failed { failure },
            Status::Terminated { by, reason } => Self::Terminated { by, reason },
        }
    }
}

impl From<Pending> for WaitsFor {
    fn from(pending: Pending) -> Self {
        match pending {
            Pending::Approval { call, request, expires_at } => {
                Self::Decision { call, request, until: expires_at }
            }
            Pending::Event { call, name, event_type, until } => Self::Event { call, name, event_type, until },
            Pending::Sleep { call, name, until } => Self::Sleep { call, name, until },
            Pending::Retry { call, name, attempt, at } => Self::Retry { call, name, attempt, until: at },
        }
    }
}
