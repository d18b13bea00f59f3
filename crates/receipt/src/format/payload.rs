//! The signed payload, read into types: the published schema of each version, field by field.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::Digest;
use crate::error::VerifyError;
use crate::fields::{Attribution, AuthMethod, Decision, Resolution, RiskTier, Scope};
use crate::format::binding::Binding;
use crate::format::canonical::Canonicalization;
use crate::format::decider::{Decider, DeciderProof};
use crate::json::{Json, JsonError, Object};
use crate::timestamp::Timestamp;

/// The content of a payload, typed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Payload {
    pub(crate) id: String,
    pub(crate) agent_id: String,
    pub(crate) run_id: Option<String>,
    pub(crate) decision: Decision,
    pub(crate) risk_tier: Option<RiskTier>,
    pub(crate) policy_version: Option<String>,
    pub(crate) reason_codes: Vec<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// The decider. Absent before `jcs_v2`.
    pub(crate) decider: Option<Decider>,
    pub(crate) scope: Option<Scope>,
    /// Up to `jcs_v2`.
    pub(crate) request: Option<SignedRequest>,
}

/// The request as `jcs_v1` and `jcs_v2` sign it, in the open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignedRequest {
    pub(crate) text: String,
    pub(crate) binding: Binding,
    pub(crate) summary: Option<String>,
}

impl Payload {
    /// Reads a payload whose member names are already known to be on the list of `version`.
    pub(crate) fn read(
        object: &Object,
        version: Canonicalization,
        proof: Option<DeciderProof>,
    ) -> Result<Self, VerifyError> {
        let fields = Fields(object);
        if object.get("receiptVersion") != Some(&Json::from(version.receipt_version())) {
            return Err(outside("receiptVersion"));
        }
        if fields.required("signatureAlg")? != "ed25519" {
            return Err(outside("signatureAlg"));
        }
        let signs_decider = version != Canonicalization::JcsV1;
        let commits_request = version == Canonicalization::JcsV3;
        Ok(Self {
            id: fields.text("id")?,
            agent_id: fields.text("agentId")?,
            run_id: fields.optional("runId")?,
            decision: fields.word("status", Decision::from_signed)?,
            risk_tier: fields.optional_word("riskTier", RiskTier::from_signed)?,
            policy_version: fields.optional("policyVersion")?,
            reason_codes: fields.reason_codes()?,
            created_at: fields.instant("createdAt")?,
            expires_at: fields.instant("expiresAt")?,
            decider: if signs_decider { Some(fields.decider(proof)?) } else { None },
            scope: if signs_decider { Some(fields.word("scope", Scope::from_signed)?) } else { None },
            request: if commits_request { None } else { Some(fields.signed_request(version)?) },
        })
    }
}

struct Fields<'a>(&'a Object);

impl<'a> Fields<'a> {
    fn required(&self, name: &'static str) -> Result<&'a str, VerifyError> {
        self.0.get(name).and_then(Json::as_str).ok_or_else(|| outside(name))
    }

    /// A string of at least one character.
    fn text(&self, name: &'static str) -> Result<String, VerifyError> {
        let text = self.required(name)?;
        if text.is_empty() { Err(outside(name)) } else { Ok(text.to_owned()) }
    }

    fn optional(&self, name: &'static str) -> Result<Option<String>, VerifyError> {
        self.0.get(name).map(|_| self.text(name)).transpose()
    }

    fn word<T>(&self, name: &'static str, read: fn(&str) -> Option<T>) -> Result<T, VerifyError> {
        read(self.required(name)?).ok_or_else(|| outside(name))
    }

    fn optional_word<T>(
        &self,
        name: &'static str,
        read: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, VerifyError> {
        self.0.get(name).map(|_| self.word(name, read)).transpose()
    }

    /// An instant with a four-digit year, as the schema requires.
    fn instant(&self, name: &'static str) -> Result<Timestamp, VerifyError> {
        self.word(name, |text| if text.len() == 24 { text.parse().ok() } else { None })
    }

    fn reason_codes(&self) -> Result<Vec<String>, VerifyError> {
        if self.0.get("reasonCodes").is_none() {
            return Ok(Vec::new());
        }
        let codes = Json::parse(self.required("reasonCodes")?).map_err(|_| outside("reasonCodes"))?;
        let texts =
            codes.as_array().and_then(|all| all.iter().map(|code| code.as_str().map(Into::into)).collect());
        texts.ok_or_else(|| outside("reasonCodes"))
    }

    fn decider(&self, proof: Option<DeciderProof>) -> Result<Decider, VerifyError> {
        let id = self.text("deciderId")?;
        if !is_decider_id(&id) {
            return Err(outside("deciderId"));
        }
        Ok(Decider {
            id,
            display: self.text("deciderDisplay")?,
            auth_method: self.optional_word("deciderAuthMethod", AuthMethod::from_signed)?,
            resolution: self.optional_word("resolutionType", Resolution::from_signed)?,
            attribution: self.word("attributionConfidence", Attribution::from_signed)?,
            proof,
        })
    }

    fn signed_request(&self, version: Canonicalization) -> Result<SignedRequest, VerifyError> {
        let input_hash = self.text("inputHash")?;
        if input_hash.strip_prefix("sha256:").unwrap_or(&input_hash).parse::<Digest>().is_err() {
            return Err(outside("inputHash"));
        }
        let text = self.text("requestJson")?;
        // The least length of the schema, in characters.
        if text.chars().nth(1).is_none() {
            return Err(outside("requestJson"));
        }
        if version == Canonicalization::JcsV2 {
            check_request_json(&text)?;
        }
        let summary = match self.0.get("summary") {
            Some(_) => Some(self.required("summary")?.to_owned()),
            None => None,
        };
        let binding = Binding {
            company_id: Some(self.text("companyId")?),
            idem_key: Some(self.text("idemKey")?),
            input_hash: Some(input_hash),
        };
        Ok(SignedRequest { text, binding, summary })
    }
}

/// The forms of `deciderId` in use: a prefix and a name on one line, or one of the fixed names.
fn is_decider_id(id: &str) -> bool {
    const FIXED: [&str; 6] = [
        "system/pp-engine",
        "system/pp-policy-engine",
        "system/pp-permission-router",
        "role/human-approver",
        "role/founder",
        "role/api-key-approver",
    ];
    let named = ["user:", "api_key:", "demo:"].iter().find_map(|prefix| id.strip_prefix(prefix));
    let one_line = |name: &str| !name.is_empty() && !name.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
    FIXED.contains(&id) || named.is_some_and(one_line)
}

/// Section 6.3: the request that `jcs_v2` signs is an object, in its canonical text.
fn check_request_json(text: &str) -> Result<(), VerifyError> {
    let request = match Json::parse(text) {
        Ok(request) => request,
        // Deeper than this crate reads. The text remains signed; no value is read from it.
        Err(JsonError::TooDeep { .. }) => return Ok(()),
        Err(error) => return Err(VerifyError::SchemaMismatch(format!("requestJson: {error}").into())),
    };
    let Some(object) = request.as_object() else {
        return Err(VerifyError::SchemaMismatch("requestJson is not an object".into()));
    };
    if request.has_index_keys() || object.is_canonical(text) {
        return Ok(());
    }
    Err(VerifyError::SchemaMismatch("requestJson is not its own canonical text".into()))
}

fn outside(name: &'static str) -> VerifyError {
    VerifyError::SchemaMismatch(
        format!("`{name}` is missing or has a value that the schema does not know").into(),
    )
}
