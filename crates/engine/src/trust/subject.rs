//! The subject of a policy's question, read from the signed request document: the policy judges what was signed.

use crate::trust::identity::is_same;
use crate::trust::precedent::Precedents;
use policy::{Approver, Artifact, Component, Environment, Novelty, Question};
use receipt::{Digest, Json, PersonId};
use workflow::{ActorId, TenantId};

/// One action, as its request document states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The tenant whose workflow asks.
    pub tenant: TenantId,
    /// On whose behalf.
    pub actor: ActorId,
    /// The person who is responsible for the actor.
    pub operator: Option<PersonId>,
    /// The submitter of the instance.
    pub submitter: Option<PersonId>,
    /// The capability.
    pub capability: String,
    /// The resource.
    pub resource: String,
    /// The environment in which it would act.
    pub environment: Environment,
    /// The bytes that it is about.
    pub artifact: Option<Artifact>,
    /// The code that asks.
    pub component: Component,
}

/// A request document that does not state its subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the request has no {0}, or its {0} cannot be read")]
pub struct InvalidRequestDocument(&'static str);

impl Subject {
    /// The subject of a request document. Code and bytes are known if the document says so and `known` confirms it:
    /// they may no longer be known. Documents of older versions do not have this member, and count as new.
    ///
    /// # Errors
    /// When a required member is missing.
    pub fn of(document: &Json, known: &Precedents) -> Result<Self, InvalidRequestDocument> {
        let text = |path: &[&'static str], what| {
            document.pointer(path.iter().copied()).and_then(Json::as_str).ok_or(InvalidRequestDocument(what))
        };
        let person = |name: &'static str| match document.pointer(["actor", name]) {
            Some(json) => {
                json.as_str().and_then(|text| text.parse().ok()).map(Some).ok_or(InvalidRequestDocument(name))
            }
            None => Ok(None),
        };
        let novelty = |of: &'static str, sha256: &Digest| match text(&["context", "novelty", of], "novelty") {
            Ok("known") => known.novelty_of(sha256),
            _ => Novelty::New,
        };
        let sha256 = parse(text(&["action", "parameters", "component"], "component")?, "component")?;
        Ok(Self {
            tenant: parse(text(&["tenantId"], "tenant")?, "tenant")?,
            actor: parse(text(&["actor", "agentId"], "actor")?, "actor")?,
            operator: person("operator")?,
            submitter: person("submitter")?,
            capability: format!(
                "{}.{}",
                text(&["action", "tool"], "tool")?,
                text(&["action", "operation"], "operation")?
            ),
            resource: text(&["action", "parameters", "resource"], "resource")?.to_owned(),
            environment: parse(text(&["context", "environment"], "environment")?, "environment")?,
            artifact: artifact(document, |sha256| novelty("artifact", sha256))?,
            component: Component { sha256, novelty: novelty("component", &sha256) },
        })
    }

    /// The question for a policy, with the people who have approved.
    #[must_use]
    pub fn question<'a>(&'a self, approvals: &'a [Approver]) -> Question<'a> {
        Question {
            tenant: &self.tenant,
            actor: &self.actor,
            capability: &self.capability,
            resource: &self.resource,
            environment: self.environment,
            artifact: self.artifact,
            component: self.component,
            approvals,
        }
    }

    /// The digests that an approval of the action makes known: the code, and the bytes.
    #[must_use]
    pub fn digests(&self) -> Vec<Digest> {
        let artifact = self.artifact.iter().map(|artifact| artifact.sha256);
        [self.component.sha256].into_iter().chain(artifact).collect()
    }

    /// Whether the request is this person's own. That person may not decide it.
    #[must_use]
    pub fn is_own(&self, person: &PersonId) -> bool {
        is_own(&self.actor, [self.operator.as_ref(), self.submitter.as_ref()], person.as_str())
    }
}

/// Whether a name is the actor's, or that of a person who is responsible for the actor.
pub(crate) fn is_own(actor: &ActorId, answering: [Option<&PersonId>; 2], name: &str) -> bool {
    let answering = answering.into_iter().flatten().map(PersonId::as_str);
    answering.chain([actor.as_str()]).any(|own| is_same(own, name))
}

fn artifact(
    document: &Json,
    novelty: impl Fn(&Digest) -> Novelty,
) -> Result<Option<Artifact>, InvalidRequestDocument> {
    let invalid = InvalidRequestDocument("artifact");
    match document.pointer(["action", "parameters", "artifact"]) {
        None => Err(invalid),
        Some(Json::Null) => Ok(None),
        Some(artifact) => {
            let sha256: Option<Digest> =
                artifact.get("sha256").and_then(Json::as_str).and_then(|text| text.parse().ok());
            let bytes = artifact.get("bytes").and_then(Json::as_u64);
            let (sha256, bytes) = sha256.zip(bytes).ok_or(invalid)?;
            Ok(Some(Artifact { sha256, bytes, novelty: novelty(&sha256) }))
        }
    }
}

fn parse<T: std::str::FromStr>(text: &str, what: &'static str) -> Result<T, InvalidRequestDocument> {
    text.parse().map_err(|_| InvalidRequestDocument(what))
}
