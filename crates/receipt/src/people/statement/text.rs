//! The statement as text, both ways, and the matter of a request.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::{
    DecisionStatement, MAX_REASON_LEN, MAX_RESOURCE_LEN, Matter, PREDICATE_TYPE, STATEMENT_TYPE,
    StatementError,
};
use crate::digest::Digest;
use crate::fields::Decision;
use crate::format::names::MAX_NAME_LEN;
use crate::format::request::request_digest;
use crate::json::Json;
use crate::json::members::{Members, ShapeError};
use crate::timestamp::Timestamp;

const NO_DIGEST: &str = "is not 64 lowercase hexadecimal digits";

const PREDICATE: [&str; 16] = [
    "artifactSha256",
    "capability",
    "componentSha256",
    "decidedAt",
    "decider",
    "decision",
    "expiresAt",
    "instance",
    "nonce",
    "policySha256",
    "reason",
    "requestId",
    "resource",
    "role",
    "tenant",
    "viewSha256",
];

pub(super) fn write(statement: &DecisionStatement) -> Json {
    let matter = &statement.matter;
    let digest = |digest: Digest| Json::from(format!("{digest}"));
    let subject = Json::object([
        ("digest", Json::object([("sha256", digest(matter.request))])),
        ("name", matter.request_id.as_str().into()),
    ]);
    let predicate = Json::object([
        ("artifactSha256", matter.artifact.map(digest).into()),
        ("capability", matter.capability.as_str().into()),
        ("componentSha256", digest(matter.component)),
        ("decidedAt", format!("{}", statement.decided_at).into()),
        ("decider", statement.decider.as_str().into()),
        ("decision", statement.decision.as_str().into()),
        ("expiresAt", format!("{}", statement.expires_at).into()),
        ("instance", matter.instance.as_str().into()),
        ("nonce", format!("{}", statement.nonce).into()),
        ("policySha256", digest(matter.policy)),
        ("reason", statement.reason.as_deref().into()),
        ("requestId", matter.request_id.as_str().into()),
        ("resource", matter.resource.as_str().into()),
        ("role", statement.role.as_str().into()),
        ("tenant", matter.tenant.as_str().into()),
        ("viewSha256", digest(matter.view)),
    ]);
    Json::object([
        ("_type", Json::from(STATEMENT_TYPE)),
        ("predicate", predicate),
        ("predicateType", PREDICATE_TYPE.into()),
        ("subject", Json::array([subject])),
    ])
}

pub(super) fn parse(text: &str) -> Result<DecisionStatement, StatementError> {
    let json = Json::parse(text)?;
    let top = Members::of("statement", &json, &["_type", "predicate", "predicateType", "subject"], &[])?;
    if top.str("_type")? != STATEMENT_TYPE {
        return Err(StatementError::StatementType);
    }
    if top.str("predicateType")? != PREDICATE_TYPE {
        return Err(StatementError::PredicateType);
    }
    let (name, request) = read_subject(top)?;
    let predicate = Members::of("predicate", top.get("predicate"), &PREDICATE, &[])?;
    let statement = read_predicate(predicate, request)?;
    if name != statement.matter.request_id {
        return Err(StatementError::Subject);
    }
    statement.validate()?;
    if !json.is_canonical(text) {
        return Err(StatementError::NotCanonical);
    }
    Ok(statement)
}

/// The statement's one subject: its name and its one digest.
fn read_subject(top: Members<'_>) -> Result<(&str, Digest), ShapeError> {
    let [subject] = top.array("subject")? else {
        return Err(ShapeError::new("subject", "is not exactly one"));
    };
    let subject = Members::of("subject", subject, &["digest", "name"], &[])?;
    let digest = Members::of("digest", subject.get("digest"), &["sha256"], &[])?;
    Ok((subject.str("name")?, digest.read("sha256", NO_DIGEST)?))
}

fn read_predicate(predicate: Members<'_>, request: Digest) -> Result<DecisionStatement, ShapeError> {
    let name = |member: &str| predicate.text(member, MAX_NAME_LEN);
    let digest = |member: &str| predicate.read(member, NO_DIGEST);
    let decision = Decision::from_signed(predicate.str("decision")?);
    Ok(DecisionStatement {
        matter: Matter {
            request,
            request_id: name("requestId")?,
            tenant: name("tenant")?,
            instance: name("instance")?,
            component: digest("componentSha256")?,
            capability: name("capability")?,
            resource: predicate.text("resource", MAX_RESOURCE_LEN)?,
            artifact: predicate.read_or_null("artifactSha256", NO_DIGEST)?,
            view: digest("viewSha256")?,
            policy: digest("policySha256")?,
        },
        decision: decision.ok_or_else(|| ShapeError::new("decision", "is neither APPROVED nor DENIED"))?,
        reason: match predicate.get("reason") {
            Json::Null => None,
            _ => Some(predicate.text("reason", MAX_REASON_LEN)?),
        },
        decider: predicate.read("decider", "is not a person's id")?,
        role: predicate.read("role", "is not a role")?,
        decided_at: predicate.instant("decidedAt")?,
        expires_at: predicate.instant("expiresAt")?,
        nonce: predicate.read("nonce", "is not 32 lowercase hexadecimal digits")?,
    })
}

/// Checks the bounds of every text and instant, as reading does, for a statement that was built in memory.
pub(super) fn check_bounds(statement: &DecisionStatement) -> Result<(), ShapeError> {
    let matter = &statement.matter;
    let texts = [
        ("requestId", matter.request_id.as_str(), MAX_NAME_LEN),
        ("tenant", &matter.tenant, MAX_NAME_LEN),
        ("instance", &matter.instance, MAX_NAME_LEN),
        ("capability", &matter.capability, MAX_NAME_LEN),
        ("resource", &matter.resource, MAX_RESOURCE_LEN),
        ("reason", statement.reason.as_deref().unwrap_or("none"), MAX_REASON_LEN),
    ];
    for (name, text, longest) in texts {
        if !(1..=longest).contains(&text.len()) {
            return Err(ShapeError::new(name, "is empty, or longer than it may be"));
        }
    }
    let four_digits = |at: Timestamp| format!("{at}").len() == 24;
    if !four_digits(statement.decided_at) || !four_digits(statement.expires_at) {
        return Err(ShapeError::new(
            "expiresAt",
            "or `decidedAt` is in a year that does not have four digits",
        ));
    }
    Ok(())
}

pub(super) fn matter_of(request: &Json, view: Digest, policy: Digest) -> Result<Matter, ShapeError> {
    let at = |path: &'static str| Request { request, path };
    Ok(Matter {
        request: request_digest(request),
        request_id: at("action.parameters.requestId").text(MAX_NAME_LEN)?,
        tenant: at("tenantId").text(MAX_NAME_LEN)?,
        instance: at("actor.runId").text(MAX_NAME_LEN)?,
        component: at("action.parameters.component").digest()?,
        capability: at("action.tool").text(MAX_NAME_LEN)?
            + "."
            + &at("action.operation").text(MAX_NAME_LEN)?,
        resource: at("action.parameters.resource").text(MAX_RESOURCE_LEN)?,
        artifact: match at("action.parameters.artifact").value()? {
            Json::Null => None,
            _ => Some(at("action.parameters.artifact.sha256").digest()?),
        },
        view,
        policy,
    })
}

/// A member of a request, by its path.
#[derive(Clone, Copy)]
struct Request<'a> {
    request: &'a Json,
    path: &'static str,
}

impl<'a> Request<'a> {
    fn value(self) -> Result<&'a Json, ShapeError> {
        let value = self.request.pointer(self.path.split('.'));
        value.ok_or_else(|| ShapeError::new(self.path, "is missing in the request"))
    }

    fn text(self, longest: usize) -> Result<String, ShapeError> {
        let text = self.value()?.as_str().filter(|text| (1..=longest).contains(&text.len()));
        text.map(ToOwned::to_owned).ok_or_else(|| {
            ShapeError::new(self.path, "is not a string, is empty, or is longer than it may be")
        })
    }

    fn digest(self) -> Result<Digest, ShapeError> {
        let digest = self.value()?.as_str().and_then(|text| text.parse().ok());
        digest.ok_or_else(|| ShapeError::new(self.path, NO_DIGEST))
    }
}
