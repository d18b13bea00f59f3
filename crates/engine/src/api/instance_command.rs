//! An operator's commands to one instance.

use crate::api::{OperationOutcome, Right};
use crate::instances::{ComponentBytes, RestartPoint};
use crate::{Error, Host, Workflow};
use serde::{Deserialize, Serialize};
use store::{InstanceKey, InstanceState};
use workflow::{EventType, Finding, ReceiptId};

/// A command to an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum InstanceCommand {
    /// Send it an event.
    SendEvent {
        /// The event's type.
        event_type: EventType,
        /// The event's payload, as JSON text.
        payload: String,
    },
    /// Pause the instance.
    Pause,
    /// Resume a paused or diverged instance.
    Resume,
    /// End it.
    Terminate {
        /// The reason.
        reason: Option<String>,
    },
    /// Have its workflow go back.
    Restart {
        /// The place to restart from.
        #[serde(rename = "back")]
        point: RestartPoint,
        /// Other code for it; empty to keep its own. Between processes it is sent after the operation.
        #[serde(skip)]
        component: ComponentBytes,
    },
    /// Record a finding about an action whose outcome was unknown.
    Resolve {
        /// The receipt that the action spent.
        receipt: ReceiptId,
        /// The finding.
        finding: Finding,
        /// The person who found out the outcome, if this is not the person who records it. Not verified.
        found_by: Option<String>,
        /// How that person knows it.
        reason: String,
    },
    /// Delete it.
    Delete,
}

impl InstanceCommand {
    /// The right that it takes.
    pub(super) fn needs(&self) -> Right {
        match self {
            Self::SendEvent { .. } => Right::SendEvent,
            Self::Resolve { .. } => Right::Resolve,
            Self::Pause | Self::Resume | Self::Terminate { .. } | Self::Restart { .. } | Self::Delete => {
                Right::Control
            }
        }
    }
}

impl Host {
    pub(crate) fn handled(
        &self,
        key: &InstanceKey,
        by: &str,
        handling: InstanceCommand,
    ) -> Result<OperationOutcome, Error> {
        match handling {
            InstanceCommand::SendEvent { event_type, payload } => {
                self.send_event(key, &event_type, &payload)?
            }
            InstanceCommand::Pause => self.pause(key, by)?,
            InstanceCommand::Resume => self.resume(key, by)?,
            InstanceCommand::Terminate { reason } => self.terminate(key, by, reason.as_deref())?,
            InstanceCommand::Restart { point, component } => {
                let workflow = self.other(key, &component)?;
                self.restart(key, &point, workflow.as_ref(), by)?;
            }
            InstanceCommand::Resolve { receipt, finding, found_by, reason } => {
                let by = found_by
                    .map_or_else(|| by.to_owned(), |found_by| format!("{found_by} (recorded by {by})"));
                self.resolve(key, &receipt, finding, &by, Some(&reason))?;
            }
            InstanceCommand::Delete => {
                self.delete(key, by)?;
                return Ok(OperationOutcome::Done);
            }
        }
        Ok(OperationOutcome::State { state: self.state_of(key)? })
    }

    /// Other code for an instance, if any is given.
    fn other(&self, key: &InstanceKey, component: &ComponentBytes) -> Result<Option<Workflow>, Error> {
        match component.bytes().is_empty() {
            true => Ok(None),
            false => self.load_for(&key.tenant, component.bytes().to_vec()).map(Some),
        }
    }

    fn state_of(&self, key: &InstanceKey) -> Result<InstanceState, Error> {
        let entered = self.0.journals.store.entered(key).wait()?;
        Ok(entered.map_or(InstanceState::Running, |entered| entered.schedule.state))
    }
}
