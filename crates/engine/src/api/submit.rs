//! Creating instances. If the caller names the instance, the same submission again finds the same instance.

use crate::api::OperationOutcome;
use crate::instances::ComponentBytes;
use crate::{Error, Host, Start, ids};
use receipt::{Digest, Json, PersonId};
use serde::{Deserialize, Serialize};
use store::{InstanceKey, StoreError};
use workflow::{ActorId, Entry, InstanceId, TenantId};

/// An instance to be created.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The instance's name; `None` for a new name.
    pub id: Option<InstanceId>,
    /// The tenant that owns it.
    pub tenant: TenantId,
    /// On whose behalf it acts.
    pub actor: ActorId,
    /// The person who is responsible for the actor.
    pub operator: Option<PersonId>,
    /// The submitter.
    pub submitter: Option<PersonId>,
    /// The workflow's name.
    pub name: String,
    /// The parameters, as JSON text.
    pub params: String,
    /// The component. Between processes it is sent after the operation.
    #[serde(skip)]
    pub component: ComponentBytes,
}

/// Whether the instance is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Created {
    /// The instance is new.
    New,
    /// The instance was submitted before, with the same input.
    #[serde(rename = "before")]
    Existing,
}

impl Host {
    pub(crate) fn submitted(&self, submit: Submit) -> Result<OperationOutcome, Error> {
        let Submit { id, tenant, actor, operator, submitter, name, params, component } = submit;
        let code = self.code_for(&tenant, component)?;
        let start = Start { tenant, actor, operator, submitter, name, params };
        let Some(id) = id else {
            let instance = ids::id("wf_", self.0.now()?)?;
            let key = InstanceKey { tenant: start.tenant.clone(), instance };
            self.start_as(&key, &code, start)?;
            return Ok(OperationOutcome::Submitted { key, created: Created::New });
        };
        let key = InstanceKey { tenant: start.tenant.clone(), instance: id };
        let created = match self.start_as(&key, &code, start.clone()) {
            Ok(()) => Created::New,
            Err(Error::Store(StoreError::Exists(_))) => {
                self.check_same(&key, code.digest, &start)?;
                Created::Existing
            }
            Err(error) => return Err(error),
        };
        Ok(OperationOutcome::Submitted { key, created })
    }

    /// Checks that the existing instance of that name was started with the same input.
    fn check_same(&self, key: &InstanceKey, component: Digest, start: &Start) -> Result<(), Error> {
        let facts = self.0.journals.store.facts(Some(key)).wait()?;
        let (origin, _) = self.0.journals.fold(key, &facts)?;
        // The input of the submission, whatever code the instance was given since.
        let first = facts.first().map(|fact| &fact.entry);
        let submitted =
            matches!(first, Some(Entry::Loaded { component: submitted, .. }) if *submitted == component);
        let same = [
            ("another component", submitted),
            ("another name of the workflow", origin.workflow == start.name),
            ("other parameters", is_same_json(&origin.params, &start.params)),
            ("another actor", origin.actor == start.actor),
            ("another operator", origin.operator == start.operator),
            ("another submitter", origin.submitter == start.submitter),
        ];
        match same.into_iter().find(|(_, same)| !same) {
            Some((what, _)) => Err(Error::InputMismatch { key: key.clone(), what }),
            None => Ok(()),
        }
    }
}

/// Whether two texts are the same JSON value: white space, the order of members and the spelling of numbers make no
/// difference. Texts with numbers that JavaScript cannot represent exactly are compared as text.
fn is_same_json(one: &str, other: &str) -> bool {
    let canonical = |text| Json::parse_exact(text).map(|value| value.canonical()).ok();
    one == other || canonical(one).is_some_and(|one| Some(one) == canonical(other))
}
