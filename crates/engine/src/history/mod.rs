//! An instance's history for people and programs: its journal, folded by calls.

mod calls;
mod ending;

pub use calls::{Call, Stage};
pub use ending::{RequestEnd, RequestOutcome, UnknownOutcome};

use crate::Error;
use receipt::{Decision, Digest, PersonId, Timestamp};
use store::{Fact, InstanceKey};
use workflow::{ActorId, Effect, Entry, Limits, Replay, Status, Unknown};

/// An instance's course.
#[derive(Debug, Clone)]
pub struct History {
    /// The instance's name.
    pub key: InstanceKey,
    /// The workflow's name.
    pub workflow: String,
    /// On whose behalf it acts.
    pub actor: ActorId,
    /// The person who is responsible for the actor.
    pub operator: Option<PersonId>,
    /// The submitter.
    pub submitter: Option<PersonId>,
    /// The component that it runs.
    pub component: Digest,
    /// The parameters, as JSON text.
    pub params: String,
    /// When the instance was created.
    pub started_at: Timestamp,
    /// The time of the last record.
    pub changed_at: Timestamp,
    /// The instance's state.
    pub status: Status,
    /// The instance's calls, in order.
    pub calls: Vec<Call>,
    /// The number of events that were sent to the instance, and of those that were delivered to the workflow.
    pub events: Events,
    /// The actions whose outcome was unknown, and the findings about them.
    pub unknown: Vec<Unknown>,
}

/// The numbers of events: sent, and delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Events {
    /// All that were sent.
    pub received: u64,
    /// The events that were delivered to the workflow.
    pub taken: u64,
}

impl History {
    /// Follows a journal.
    ///
    /// # Errors
    /// The journal is damaged.
    pub fn of(facts: &[Fact], limits: Limits) -> Result<Self, Error> {
        let [loaded, started, ..] = facts else {
            return Err(Error::Internal("an instance was never wholly created".to_owned()));
        };
        let key = started.key.clone();
        let Entry::Started { actor, workflow, params, operator, submitter, .. } = &started.entry else {
            return Err(Error::Internal(format!("instance {key} was never wholly created")));
        };
        let entries = facts.iter().map(|fact| &fact.entry);
        let replay =
            Replay::fold(entries, limits).map_err(|illegal| Error::Journal { key: key.clone(), illegal })?;
        // The instance may have been restarted with other code.
        let component = facts.iter().rev().find_map(|fact| match &fact.entry {
            Entry::Loaded { component, .. } => Some(*component),
            _ => None,
        });
        Ok(Self {
            key,
            workflow: workflow.clone(),
            actor: actor.clone(),
            operator: operator.clone(),
            submitter: submitter.clone(),
            component: component.unwrap_or_else(|| Digest::of(&[])),
            params: params.clone(),
            started_at: loaded.at,
            changed_at: facts.last().map_or(loaded.at, |last| last.at),
            status: replay.status(),
            calls: calls::follow(facts),
            events: events(facts),
            unknown: replay.unknown(),
        })
    }
}

/// Whether an action was denied and none took place, as far as is known.
#[must_use]
pub fn was_denied(facts: &[Fact]) -> bool {
    let denied =
        facts.iter().any(|fact| matches!(fact.entry, Entry::Decided { decision: Decision::Denied, .. }));
    let acted = facts.iter().any(|fact| match &fact.entry {
        Entry::Performed { effect, .. } => !matches!(effect, Effect::Failed { .. }),
        _ => false,
    });
    denied && !acted
}

fn events(facts: &[Fact]) -> Events {
    let count = |is: fn(&Entry) -> bool| facts.iter().filter(|fact| is(&fact.entry)).count() as u64;
    Events {
        received: count(|entry| matches!(entry, Entry::EventReceived { .. })),
        taken: count(|entry| matches!(entry, Entry::WaitMatched { .. })),
    }
}
