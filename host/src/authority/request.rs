//! A request: one action, by one call of one instance, waiting for a decision.

use receipt::Digest;
use receipt::Json;
use receipt::JsonError;
use receipt::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use workflow::ActorId;
use workflow::ArtifactFacts;
use workflow::Call;
use workflow::InstanceId;
use workflow::RequestId;
use workflow::TenantId;

/// Everything that a decision is about. The host measured it or knows it, but for `reason` and `evidence`, which are the
/// workflow's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The request's name.
    pub id: RequestId,
    /// Whose workflow asks.
    pub tenant: TenantId,
    /// Which run of it.
    pub instance: InstanceId,
    /// Which call of that run.
    pub call: Call,
    /// On whose behalf.
    pub actor: ActorId,
    /// The workflow's name.
    pub workflow: String,
    /// SHA-256 of the component that asks.
    pub component: Digest,
    /// Everything that the component imports, sorted.
    pub imports: Vec<String>,
    /// What is to be done, dotted.
    pub capability: String,
    /// What it is done to.
    pub resource: String,
    /// The bytes that it is about.
    pub artifact: Option<ArtifactFacts>,
    /// Why, in the workflow's words.
    pub reason: String,
    /// What the workflow offers for judging it, as JSON text.
    pub evidence: String,
    /// Where it would act.
    pub environment: Environment,
    /// Whether it can be undone.
    pub reversibility: Reversibility,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it lapses if nobody decides.
    pub expires_at: Timestamp,
}

/// Where an action takes effect. The vocabulary of the receipt format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's own machine, or a demonstration.
    Development,
    /// As real as can be without being it.
    Staging,
    /// Real.
    Production,
}

/// Whether an action can be undone. The vocabulary of the receipt format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reversibility {
    /// Wholly.
    Reversible,
    /// In part.
    PartiallyReversible,
    /// Not at all.
    Irreversible,
}

impl Request {
    /// The request as it stands under a receipt's commitment: the shape of the specification's execute lane.
    ///
    /// # Errors
    /// When the evidence is not JSON.
    pub fn document(&self) -> Result<Json, JsonError> {
        let mut members = self.hashable()?;
        members.push(("hashes", Json::object([("inputHash", Json::from(self.input_hash()?.as_str()))])));
        Ok(Json::object(members))
    }

    /// `sha256:` and the digest of what is asked: it changes with any leaf of the action.
    ///
    /// # Errors
    /// When the evidence is not JSON.
    pub fn input_hash(&self) -> Result<String, JsonError> {
        Ok(Digest::of(Json::object(self.hashable()?).canonical().as_bytes()).tagged())
    }

    /// Tool and operation: the capability, split at its last dot.
    #[must_use]
    pub fn tool_and_operation(&self) -> (&str, &str) {
        self.capability.rsplit_once('.').unwrap_or(("", &self.capability))
    }

    fn hashable(&self) -> Result<Vec<(&'static str, Json)>, JsonError> {
        let (tool, operation) = self.tool_and_operation();
        let parameters = Json::object([
            ("artifact", self.artifact.as_ref().map_or(Json::Null, ArtifactFacts::to_json)),
            ("component", text(&self.component.to_string())),
            ("evidence", Json::parse(&self.evidence)?),
            ("imports", Json::array(self.imports.iter().map(|import| text(import)))),
            ("reason", text(&self.reason)),
            ("requestId", text(self.id.as_str())),
            ("resource", text(&self.resource)),
            ("workflow", Json::object([("call", Json::from(self.call)), ("name", text(&self.workflow))])),
        ]);
        Ok(vec![
            (
                "action",
                Json::object([
                    ("operation", text(operation)),
                    ("parameters", parameters),
                    ("tool", text(tool)),
                ]),
            ),
            (
                "actor",
                Json::object([
                    ("agentId", text(self.actor.as_str())),
                    ("runId", text(self.instance.as_str())),
                ]),
            ),
            (
                "context",
                Json::object([
                    ("environment", text(self.environment.as_str())),
                    ("reversibility", text(self.reversibility.as_str())),
                ]),
            ),
            (
                "intent",
                Json::object([
                    ("category", text("workflow-action")),
                    ("name", text(&self.capability)),
                    ("summary", text(&self.reason)),
                ]),
            ),
            ("tenantId", text(self.tenant.as_str())),
        ])
    }
}

impl Environment {
    /// The spelling in a receipt.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl Reversibility {
    /// The spelling in a receipt.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reversible => "REVERSIBLE",
            Self::PartiallyReversible => "PARTIALLY_REVERSIBLE",
            Self::Irreversible => "IRREVERSIBLE",
        }
    }
}

fn text(text: &str) -> Json {
    Json::from(text)
}
