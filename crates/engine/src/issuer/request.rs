//! A request: one action, by one call of one instance, waiting for a decision.

use crate::capability::Reversibility;
use crate::trust::Precedents;
use policy::{Environment, Novelty, Policy as _, TooManyPeople};
use receipt::{Digest, Json, JsonError, LAPSES_AT, MintError, PersonId, REQUESTED_AT, Timestamp};
use serde::{Deserialize, Serialize};
use workflow::{ActorId, ArtifactFacts, Call, InstanceId, RequestId, TenantId};

/// The subject of a decision. The host measured or knows all of it, except for `reason` and `evidence`, which are the
/// workflow's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The request's name.
    pub id: RequestId,
    /// The tenant whose workflow asks.
    pub tenant: TenantId,
    /// The instance.
    pub instance: InstanceId,
    /// The call in that instance.
    pub call: Call,
    /// On whose behalf.
    pub actor: ActorId,
    /// The person who is responsible for the actor, if the operator named one. That person never decides about this.
    #[serde(default)]
    pub operator: Option<PersonId>,
    /// The submitter of the instance, if known. That person never decides about this.
    #[serde(default)]
    pub submitter: Option<PersonId>,
    /// The workflow's name.
    pub workflow: String,
    /// SHA-256 of the component that asks.
    pub component: Digest,
    /// All imports of the component, sorted.
    pub imports: Vec<String>,
    /// The parts of the code, if it is source text and not a component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<ScriptFacts>,
    /// The capability, a dotted name.
    pub capability: String,
    /// The resource.
    pub resource: String,
    /// The bytes that it is about.
    pub artifact: Option<ArtifactFacts>,
    /// The reason, in the workflow's words.
    pub reason: String,
    /// The workflow's evidence for the decision, as JSON text.
    pub evidence: String,
    /// The environment in which it would act.
    pub environment: Environment,
    /// Whether it can be undone.
    pub reversibility: Reversibility,
    /// Whether a host here has code that performs it.
    #[serde(default)]
    pub performer: Performer,
    /// The code and bytes that were known before the request was made.
    #[serde(default)]
    pub before: Before,
    /// Which of the code and bytes are still known. Not part of the request: looked up again whenever the request is
    /// read.
    #[serde(skip)]
    pub known: Precedents,
    /// The policy's ruling when it was made.
    #[serde(default)]
    pub governed: Governed,
    /// The form of its document.
    #[serde(default)]
    pub form: Form,
    /// When the request was made.
    pub created_at: Timestamp,
    /// The time at which it lapses without a decision.
    pub expires_at: Timestamp,
}

/// The form of a request's document. People may have signed the digest of an older document, so a request keeps the
/// form that it was made in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Without the times: neither when the request was made, nor when it lapses. The form of the first versions.
    #[default]
    Undated,
    /// With both times: the signed document shows which decisions are too early, and which are valid for too long.
    Dated,
}

/// Whether a host has code that performs an action.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Performer {
    /// The host has the code. Requests of versions that did not check have this value too.
    #[default]
    Here,
    /// The host has no code for the capability.
    NoCapability,
    /// The host has code for the capability, which does not act on the resource.
    NoTarget,
}

/// The parts of a workflow that is source text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptFacts {
    /// SHA-256 of the engine that runs it.
    pub engine: Digest,
    /// SHA-256 of the component that prepares it for the engine.
    pub prepare: Digest,
    /// The name of the main module.
    pub main: String,
    /// The workflow's modules, by their names.
    pub modules: Vec<ModuleFacts>,
}

/// A module of source text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleFacts {
    /// The module's name.
    pub name: String,
    /// SHA-256 of its text.
    pub sha256: Digest,
    /// The length of its text in bytes.
    pub bytes: u64,
}

impl ScriptFacts {
    fn to_json(&self) -> Json {
        let modules = self.modules.iter().map(|module| {
            Json::object([
                ("bytes", count(module.bytes)),
                ("name", text(&module.name)),
                ("sha256", text(&module.sha256.to_string())),
            ])
        });
        Json::object([
            ("engine", text(&self.engine.to_string())),
            ("main", text(&self.main)),
            ("modules", Json::array(modules)),
            ("prepare", text(&self.prepare.to_string())),
        ])
    }
}

/// The code and bytes that were known before a request was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Before {
    /// Whether people had approved an action of this code, and their approval counted when the request was made.
    pub component: Novelty,
    /// Whether they had approved these bytes.
    pub artifact: Novelty,
    /// The number of the tenant's earlier requests for this capability and resource.
    pub asked: u64,
    /// The number of denials by people whose decisions counted when the request was made.
    pub denied: u64,
}

/// A policy's ruling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Governed {
    /// The policy's version, as in receipts.
    pub version: String,
    /// The digest of its text.
    pub sha256: Digest,
    /// The rule's answer, in words: `ask 2 of release`.
    pub answer: String,
    /// The rules that led to it.
    pub rules: Vec<String>,
}

impl Default for Before {
    fn default() -> Self {
        Self { component: Novelty::New, artifact: Novelty::New, asked: 0, denied: 0 }
    }
}

impl Default for Governed {
    /// The ruling of requests of the first versions, which did not record it.
    fn default() -> Self {
        let ask_one = policy::ask_one();
        Self {
            version: ask_one.version(),
            sha256: ask_one.digest(),
            answer: "ask 1 of anyone".to_owned(),
            rules: vec!["default".to_owned()],
        }
    }
}

/// Why people cannot be asked about a request: a decision could not be signed as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRequest {
    /// The evidence is not read again as it would be signed.
    #[error("a reader could not parse the evidence in a receipt: {0}")]
    Evidence(#[from] JsonError),
    /// More people have to decide than a receipt commits to.
    #[error(transparent)]
    People(#[from] TooManyPeople),
    /// The evidence is nested too deep to be read from a receipt.
    #[error(
        "the evidence is nested deeper than the {DEEPEST} levels that a receipt can have: make it flatter"
    )]
    TooDeep,
    /// The whole request is too long.
    #[error("{0}: make the evidence, the reason or the resource shorter")]
    TooLong(MintError),
    /// No receipt can commit to the request.
    #[error("no receipt can commit to this: {0}")]
    Uncommittable(MintError),
}

/// The levels of a request that the evidence may have: the other levels are around it.
const DEEPEST: usize = receipt::json::MAX_DEPTH - 3;

impl Request {
    /// Checks that a receipt can commit to it exactly as it is, with any decisions by any number of people.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(&self) -> Result<(), InvalidRequest> {
        receipt::check_request(&self.document()?).map_err(|error| match error {
            MintError::Unreadable(JsonError::TooDeep { .. }) => InvalidRequest::TooDeep,
            error @ MintError::TooLong { .. } => InvalidRequest::TooLong(error),
            error => InvalidRequest::Uncommittable(error),
        })
    }

    /// The request's document, which a receipt commits to: the shape of the specification's execute lane.
    ///
    /// # Errors
    /// When the evidence is not JSON.
    pub fn document(&self) -> Result<Json, JsonError> {
        self.hashed().map(|(document, _)| document)
    }

    /// `sha256:` and the digest of the hashed part of the request: it changes with every leaf of the action.
    ///
    /// # Errors
    /// When the evidence is not JSON.
    pub fn input_hash(&self) -> Result<String, JsonError> {
        Ok(hash_of(&self.hashable()?))
    }

    /// The request's document, and the hash of it.
    pub(crate) fn hashed(&self) -> Result<(Json, String), JsonError> {
        let mut document = self.hashable()?;
        let hash = hash_of(&document);
        let Governed { version, sha256, answer, rules } = &self.governed;
        let governed = Json::object([
            ("answer", text(answer)),
            ("rules", Json::array(rules.iter().map(|rule| text(rule)))),
            ("sha256", text(&sha256.to_string())),
            ("version", text(version)),
        ]);
        if let Json::Object(members) = &mut document {
            members.insert("hashes", Json::object([("inputHash", text(&hash))]));
            members.insert("policy", governed);
        }
        Ok((document, hash))
    }

    /// Tool and operation: the capability, split at its last dot.
    #[must_use]
    pub fn tool_and_operation(&self) -> (&str, &str) {
        self.capability.rsplit_once('.').unwrap_or(("", &self.capability))
    }

    /// The digests that the document says were known: [`known`](Self::known) is looked up for these.
    pub(crate) fn said_known(&self) -> impl Iterator<Item = Digest> + use<> {
        let artifact = self.artifact.as_ref().map(|artifact| (self.before.artifact, artifact.sha256));
        let said = [Some((self.before.component, self.component)), artifact];
        said.into_iter().flatten().filter(|(before, _)| *before == Novelty::Known).map(|(_, digest)| digest)
    }

    /// The actor, and the person who is responsible for it.
    fn acting(&self) -> Json {
        let people = [("operator", &self.operator), ("submitter", &self.submitter)];
        let named =
            people.into_iter().filter_map(|(role, person)| Some((role, text(person.as_ref()?.as_str()))));
        let acting = [("agentId", text(self.actor.as_str())), ("runId", text(self.instance.as_str()))];
        Json::object(acting.into_iter().chain(named))
    }

    /// The environment, the known code and bytes, and the times between which a decision can be made.
    fn context(&self) -> Json {
        let asked =
            Json::object([("denied", count(self.before.denied)), ("times", count(self.before.asked))]);
        let novelty = Json::object([
            ("artifact", text(self.before.artifact.as_str())),
            ("component", text(self.before.component.as_str())),
        ]);
        let open = [(REQUESTED_AT, self.created_at), (LAPSES_AT, self.expires_at)]
            .map(|([_, member], at)| (member, text(&at.to_string())));
        let facts = [
            ("asked", asked),
            ("environment", text(self.environment.as_str())),
            ("novelty", novelty),
            ("reversibility", text(self.reversibility.as_str())),
        ];
        let dated = self.form == Form::Dated;
        Json::object(facts.into_iter().chain(open.into_iter().filter(|_| dated)))
    }

    fn hashable(&self) -> Result<Json, JsonError> {
        let (tool, operation) = self.tool_and_operation();
        let mut parameters = Json::object([
            ("artifact", self.artifact.as_ref().map_or(Json::Null, ArtifactFacts::to_json)),
            ("component", text(&self.component.to_string())),
            ("evidence", Json::parse(&self.evidence)?),
            ("imports", Json::array(self.imports.iter().map(|import| text(import)))),
            ("reason", text(&self.reason)),
            ("requestId", text(self.id.as_str())),
            ("resource", text(&self.resource)),
            ("workflow", Json::object([("call", Json::from(self.call)), ("name", text(&self.workflow))])),
        ]);
        if let (Json::Object(members), Some(script)) = (&mut parameters, &self.script) {
            members.insert("script", script.to_json());
        }
        Ok(Json::object([
            (
                "action",
                Json::object([
                    ("operation", text(operation)),
                    ("parameters", parameters),
                    ("tool", text(tool)),
                ]),
            ),
            ("actor", self.acting()),
            ("context", self.context()),
            (
                "intent",
                Json::object([
                    ("category", text("workflow-action")),
                    ("name", text(&self.capability)),
                    ("summary", text(&self.reason)),
                ]),
            ),
            ("tenantId", text(self.tenant.as_str())),
        ]))
    }
}

fn hash_of(hashable: &Json) -> String {
    Digest::of(hashable.canonical().as_bytes()).tagged()
}

/// A number that a reader of JSON can hold; no tenant asks more often.
fn count(count: u64) -> Json {
    Json::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn text(text: &str) -> Json {
    Json::from(text)
}
