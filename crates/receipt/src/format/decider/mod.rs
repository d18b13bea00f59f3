//! The decider of a receipt, and the signed evidence of a step-up.

use alloc::format;
use alloc::string::String;

use crate::digest::Digest;
use crate::error::{Reason, VerifyError};
use crate::fields::{Attribution, AuthMethod, Decision, Resolution};
use crate::format::names::PersonId;
use crate::json::{Json, Object};
use crate::timestamp::Timestamp;

pub(crate) mod origin;

/// The decider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decider {
    /// The stable id: `user:<id>`, `api_key:<id>`, `demo:<id>`, or one of the fixed `system/…` and `role/…` names.
    pub id: String,
    /// The name that people see.
    pub display: String,
    /// The decider's authentication, if it was recorded.
    pub auth_method: Option<AuthMethod>,
    /// How the decider resolved the hold. `None` for a policy engine.
    pub resolution: Option<Resolution>,
    /// How firmly the decision is tied to the decider.
    pub attribution: Attribution,
    /// The evidence of a step-up. Present exactly when the authentication method is a step-up. `jcs_v3` only.
    pub proof: Option<DeciderProof>,
}

/// The evidence of a decider's step-up. It shows what the issuer recorded, without the authenticator's own assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeciderProof {
    /// A passkey assertion.
    Webauthn(Webauthn),
    /// A recent sign-in.
    Reauth(Reauth),
}

/// A passkey assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webauthn {
    /// Digest of the passkey's credential id.
    pub credential_id_hash: Digest,
    /// Digest of the single-use challenge.
    pub challenge_hash: Digest,
    /// Digest of the authenticator data.
    pub authenticator_data_hash: Digest,
    /// Whether the authenticator reported user verification.
    pub user_verified: bool,
    /// The relying party id: a host name.
    pub rp_id: String,
    /// The origin the assertion was made from, as the URL standard writes it.
    pub origin: String,
    /// The review round, when one was recorded: 1 to 2^53 − 1.
    pub review_generation: Option<u64>,
    /// When the issuer verified the assertion.
    pub verified_at: Timestamp,
}

/// A recent sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reauth {
    /// When the decider signed in.
    pub auth_time: Timestamp,
    /// The greatest age of the sign-in, in milliseconds: 1 to 2^53 − 1.
    pub max_age_ms: u64,
    /// When the issuer accepted the proof.
    pub verified_at: Timestamp,
}

/// The two shapes, as the authentication methods require them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Webauthn,
    Reauth,
}

impl Decider {
    /// A person whose own key signed the decision.
    ///
    /// The format's vocabulary has no word for that. `api_key` is by definition no human; no method at all is how an engine's
    /// automatic clearance is written. So it is `session`, the weakest word for a human who authenticated to the issuer for
    /// this decision, which claims less than the signature in `approvals` shows. `credentialed`, as the person's credential
    /// was checked when the decision was made and not looked up later.
    pub fn person(id: &PersonId, decision: Decision) -> Self {
        Self {
            id: format!("user:{id}"),
            display: id.as_str().into(),
            auth_method: Some(AuthMethod::Session),
            resolution: Some(match decision {
                Decision::Approved => Resolution::AllowOnce,
                Decision::Denied => Resolution::Deny,
            }),
            attribution: Attribution::Credentialed,
            proof: None,
        }
    }

    /// The policy engine, which resolves no hold and answers to the policy version.
    pub fn policy_engine() -> Self {
        Self {
            id: "system/pp-policy-engine".into(),
            display: "Policy engine".into(),
            auth_method: Some(AuthMethod::Policy),
            resolution: None,
            attribution: Attribution::Credentialed,
            proof: None,
        }
    }
}

impl DeciderProof {
    /// The proof as it is signed.
    pub fn to_json(&self) -> Json {
        let mut object = Object::new();
        match self {
            Self::Webauthn(proof) => {
                object.insert("method", "webauthn");
                object.insert("credentialIdHash", format!("{}", proof.credential_id_hash));
                object.insert("challengeHash", format!("{}", proof.challenge_hash));
                object.insert("authenticatorDataHash", format!("{}", proof.authenticator_data_hash));
                object.insert("userVerified", proof.user_verified);
                object.insert("rpId", proof.rp_id.as_str());
                object.insert("origin", proof.origin.as_str());
                if let Some(generation) = proof.review_generation {
                    object.insert("reviewGeneration", integer(generation));
                }
                object.insert("verifiedAt", format!("{}", proof.verified_at));
            }
            Self::Reauth(proof) => {
                object.insert("method", "reauth");
                object.insert("authTime", format!("{}", proof.auth_time));
                object.insert("maxAgeMs", integer(proof.max_age_ms));
                object.insert("verifiedAt", format!("{}", proof.verified_at));
            }
        }
        object.into()
    }

    /// Reads a signed proof: one of the two frozen shapes, with every rule checked and no additional key.
    pub fn from_json(json: &Json) -> Result<Self, Reason> {
        let object = json.as_object().ok_or("not an object")?;
        let shape = Shape(object);
        match json.get("method").and_then(Json::as_str) {
            Some("webauthn") => shape.webauthn().map(Self::Webauthn),
            Some("reauth") => shape.reauth().map(Self::Reauth),
            _ => Err("its method is neither webauthn nor reauth".into()),
        }
    }

    fn method(&self) -> Method {
        match self {
            Self::Webauthn(_) => Method::Webauthn,
            Self::Reauth(_) => Method::Reauth,
        }
    }
}

/// The specification's decider proof check: presence first, then the shape, then the kind.
///
/// `auth_method` is the signed text, because a method this crate does not know requires no proof either.
pub(crate) fn check_proof(
    auth_method: Option<&Json>,
    proof: Option<&Json>,
) -> Result<Option<DeciderProof>, VerifyError> {
    let mismatch = |reason: &'static str| Err(VerifyError::DeciderProofMismatch(reason.into()));
    let required = match auth_method.and_then(Json::as_str).and_then(AuthMethod::from_signed) {
        Some(AuthMethod::SessionStepupWebauthn) => Some(Method::Webauthn),
        Some(AuthMethod::SessionReauth) => Some(Method::Reauth),
        _ => None,
    };
    match (required, proof) {
        (None, None) => Ok(None),
        (None, Some(_)) => mismatch("a proof is signed for a method that proves no step-up"),
        (Some(_), None) => mismatch("the method is a step-up and no proof is signed"),
        (Some(required), Some(proof)) => {
            let proof = DeciderProof::from_json(proof).map_err(VerifyError::DeciderProofInvalid)?;
            if proof.method() != required {
                return mismatch("the proof is of the other kind of step-up");
            }
            Ok(Some(proof))
        }
    }
}

/// Reads the members of a proof by the rules of the format.
struct Shape<'a>(&'a Object);

impl Shape<'_> {
    fn webauthn(&self) -> Result<Webauthn, Reason> {
        let proof = Webauthn {
            credential_id_hash: self.digest("credentialIdHash")?,
            challenge_hash: self.digest("challengeHash")?,
            authenticator_data_hash: self.digest("authenticatorDataHash")?,
            user_verified: self
                .0
                .get("userVerified")
                .and_then(Json::as_bool)
                .ok_or("userVerified is not a boolean")?,
            rp_id: self.text("rpId", is_host_name, "rpId is not a host name")?,
            origin: self.text(
                "origin",
                origin::is_canonical,
                "origin is not written as the URL standard writes it",
            )?,
            review_generation: match self.0.get("reviewGeneration") {
                None => None,
                Some(_) => Some(self.positive("reviewGeneration")?),
            },
            verified_at: self.instant("verifiedAt")?,
        };
        self.has_only(8 + usize::from(proof.review_generation.is_some()))?;
        Ok(proof)
    }

    fn reauth(&self) -> Result<Reauth, Reason> {
        let proof = Reauth {
            auth_time: self.instant("authTime")?,
            max_age_ms: self.positive("maxAgeMs")?,
            verified_at: self.instant("verifiedAt")?,
        };
        // A negative age is skew between the issuer's clocks, and allowed.
        let age = proof.verified_at.as_millis() - proof.auth_time.as_millis();
        if u64::try_from(age).is_ok_and(|age| age > proof.max_age_ms) {
            return Err("the sign-in was older than maxAgeMs".into());
        }
        self.has_only(4)?;
        Ok(proof)
    }

    /// All required keys have been read, so any key beyond `count` is outside the shape.
    fn has_only(&self, count: usize) -> Result<(), Reason> {
        if self.0.len() == count { Ok(()) } else { Err("it carries a key outside its frozen shape".into()) }
    }

    fn text(&self, key: &str, is_valid: fn(&str) -> bool, problem: &'static str) -> Result<String, Reason> {
        let text = self.0.get(key).and_then(Json::as_str).filter(|text| is_valid(text));
        text.map(Into::into).ok_or_else(|| problem.into())
    }

    fn digest(&self, key: &str) -> Result<Digest, Reason> {
        let digest = self.0.get(key).and_then(Json::as_str).and_then(|text| text.parse().ok());
        digest.ok_or_else(|| format!("{key} is not 64 lowercase hexadecimal digits").into())
    }

    fn instant(&self, key: &str) -> Result<Timestamp, Reason> {
        let instant = self.0.get(key).and_then(Json::as_str).and_then(|text| text.parse().ok());
        instant.ok_or_else(|| format!("{key} is not an instant with milliseconds").into())
    }

    fn positive(&self, key: &str) -> Result<u64, Reason> {
        let number = self.0.get(key).and_then(Json::as_u64).filter(|number| *number > 0);
        number.ok_or_else(|| format!("{key} is not an integer from 1 to 2^53 - 1").into())
    }
}

/// The specification's `^[A-Za-z0-9.-]{1,253}$`.
pub(crate) fn is_host_name(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
}

/// Beyond 2^53 − 1 there is no exact number; null then fails the shape, and with it the minting.
fn integer(value: u64) -> Json {
    Json::try_from(value).unwrap_or(Json::Null)
}
