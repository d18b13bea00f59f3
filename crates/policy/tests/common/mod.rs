//! Questions and people.

use policy::{Approver, Artifact, Component, Environment, Novelty, Policy, Question, Toml};
use receipt::Digest;
use workflow::{ActorId, TenantId};

/// A question that owns its texts.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) tenant: TenantId,
    pub(crate) actor: ActorId,
    pub(crate) capability: String,
    pub(crate) resource: String,
    pub(crate) environment: Environment,
    pub(crate) artifact: Option<Artifact>,
    pub(crate) component: Novelty,
    pub(crate) approvals: Vec<Approver>,
}

/// The question of the manual: what holds in its tables where a column is missing.
pub(crate) fn asked() -> Asked {
    Asked {
        tenant: "acme".parse().unwrap(),
        actor: "agent:builder".parse().unwrap(),
        capability: "cloudflare.dynamic-worker.deploy".to_owned(),
        resource: "cloudflare://workers/acme/app".to_owned(),
        environment: Environment::Production,
        artifact: Some(artifact(10 << 10, Novelty::New)),
        component: Novelty::Known,
        approvals: Vec::new(),
    }
}

impl Asked {
    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            tenant: &self.tenant,
            actor: &self.actor,
            capability: &self.capability,
            resource: &self.resource,
            environment: self.environment,
            artifact: self.artifact,
            component: Component { sha256: Digest::of(b"component"), novelty: self.component },
            approvals: &self.approvals,
        }
    }

    pub(crate) fn approved_by(&self, people: &[(&str, &[&str])]) -> Self {
        let approvals = people.iter().map(|(person, roles)| approver(person, roles)).collect();
        Self { approvals, ..self.clone() }
    }

    pub(crate) fn with(&self, approvals: Vec<Approver>) -> Self {
        Self { approvals, ..self.clone() }
    }
}

pub(crate) fn artifact(bytes: u64, novelty: Novelty) -> Artifact {
    Artifact { sha256: Digest::of(b"artifact"), bytes, novelty }
}

pub(crate) fn approver(person: &str, roles: &[&str]) -> Approver {
    let roles = roles.iter().map(|role| role.parse().unwrap()).collect();
    Approver { person: person.parse().unwrap(), roles }
}

pub(crate) fn toml(text: &str) -> Toml {
    Toml::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The ruling as a line.
pub(crate) fn rules(policy: &dyn Policy, asked: &Asked) -> String {
    policy.rule(&asked.question()).to_string()
}
