//! Opening a commitment: proving that a request is the request that the issuer committed to.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use crate::digest::{Digest, Salt};
use crate::error::{VerifyError, malformed};
use crate::fields::{Decision, Scope};
use crate::format::binding::{Binding, Stated, StatedBinding};
use crate::format::decider::DeciderProof;
use crate::format::projection;
use crate::format::projection::{Projection, Rule};
use crate::format::request::{BINDING_KEY, SUMMARY_KEY};
use crate::json::{Json, JsonError, Object, Text};
use crate::timestamp::Timestamp;
use crate::verify::verified::{Commitment, VerifiedReceipt};

/// The data with which the holder of a request opens a commitment. As sensitive as the request itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The exact committed text. A reformatted copy does not open anything.
    pub request_json: String,
    /// The receipt's salt.
    pub salt: Salt,
    /// The caller's claim about the summary.
    pub summary: Stated,
    /// The caller's claim about the binding.
    pub binding: StatedBinding,
}

impl Opening {
    /// An opening that states nothing beyond the request.
    pub fn new(request_json: impl Into<String>, salt: Salt) -> Self {
        let (summary, binding) = (Stated::default(), StatedBinding::default());
        Self { request_json: request_json.into(), salt, summary, binding }
    }

    /// The opening in an owner's document; `None` when the document has neither a request nor a salt.
    ///
    /// The published schema has the owner fields inside `artifact`. Documents that this project exported earlier have
    /// them next to it, and are read too. Fields in both places must be equal, so that no two readers open two
    /// requests.
    pub fn from_document(document: &Json) -> Result<Option<Self>, VerifyError> {
        let nothing = Json::Null;
        let inside = document.get("artifact").unwrap_or(&nothing);
        let (inside_opens, outside_opens) = (carries_opening(inside)?, carries_opening(document)?);
        match (inside_opens, outside_opens) {
            (false, false) => Ok(None),
            (true, false) => Self::from_owner_fields(inside).map(Some),
            (false, true) => Self::from_owner_fields(document).map(Some),
            (true, true) if OWNER_FIELDS.iter().all(|name| inside.get(name) == document.get(name)) => {
                Self::from_owner_fields(inside).map(Some)
            }
            (true, true) => Err(malformed(
                "the owner fields stand inside `artifact` and next to it, and are not the same",
            )),
        }
    }

    /// Reads the owner fields `request_json`, `request_commitment_salt_b64`, `summary`, `company_id`, `idem_key` and
    /// `input_hash` from the object that has them. A missing field makes no claim; a null field claims that there is no
    /// value.
    pub fn from_owner_fields(fields: &Json) -> Result<Self, VerifyError> {
        let unavailable = |what: &'static str| VerifyError::RequestCommitmentUnavailable(what.into());
        let request = fields.get("request_json").and_then(Json::as_str);
        let salt = fields.get("request_commitment_salt_b64").and_then(Json::as_str);
        let request_json = request.ok_or_else(|| unavailable("the request text"))?;
        let salt = salt.filter(|salt| !salt.is_empty()).ok_or_else(|| unavailable("the salt"))?;
        let stated = |name: &'static str| match fields.get(name) {
            None => Ok(Stated::Nothing),
            Some(Json::Null) => Ok(Stated::Absent),
            Some(value) => match value.as_str() {
                Some(text) => Ok(Stated::Value(text.to_owned())),
                None => Err(malformed(format!("the owner field {name} is neither a string nor null"))),
            },
        };
        Ok(Self {
            request_json: request_json.to_owned(),
            // A salt of another length opens nothing.
            salt: Salt::from_base64(salt).ok_or(VerifyError::RequestCommitmentMismatch)?,
            summary: stated("summary")?,
            binding: StatedBinding {
                company_id: stated("company_id")?,
                idem_key: stated("idem_key")?,
                input_hash: stated("input_hash")?,
            },
        })
    }

    /// The owner fields, to store with the receipt.
    pub fn to_owner_fields(&self) -> Json {
        let mut fields = Object::new();
        fields.insert("request_json", self.request_json.as_str());
        fields.insert("request_commitment_salt_b64", self.salt.to_base64());
        let stated = [
            ("summary", &self.summary),
            ("company_id", &self.binding.company_id),
            ("idem_key", &self.binding.idem_key),
            ("input_hash", &self.binding.input_hash),
        ];
        for (name, stated) in stated {
            match stated {
                Stated::Nothing => None,
                Stated::Absent => fields.insert(name, Json::Null),
                Stated::Value(text) => fields.insert(name, text.as_str()),
            };
        }
        fields.into()
    }
}

/// The owner fields, by their published names.
const OWNER_FIELDS: [&str; 6] =
    ["request_json", "request_commitment_salt_b64", "summary", "company_id", "idem_key", "input_hash"];

/// Whether an object has both fields that an opening needs. Null counts as absent.
fn carries_opening(fields: &Json) -> Result<bool, VerifyError> {
    let has = |name: &'static str| match fields.get(name) {
        None | Some(Json::Null) => Ok(false),
        Some(value) if value.as_str().is_some() => Ok(true),
        Some(_) => Err(malformed(format!("the owner field {name} is neither a string nor null"))),
    };
    Ok(has("request_json")? & has("request_commitment_salt_b64")?)
}

/// An opened commitment. Only [`VerifiedReceipt::open`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    committed: Committed,
    stated: StatedDecision,
}

/// The claims of a receipt that its approvals have to support.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StatedDecision {
    pub(crate) tag: Projection,
    pub(crate) decision: Decision,
    /// The scope. Absent before `jcs_v2`, like the decider.
    pub(crate) scope: Option<Scope>,
    /// `deciderId`.
    pub(crate) decider: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    /// `deciderProof`.
    pub(crate) proof: Option<DeciderProof>,
}

/// The committed content.
#[derive(Clone, Debug, PartialEq)]
struct Committed {
    request: Json,
    binding: Binding,
    summary: Option<String>,
}

impl Opened {
    /// The committed request, reserved keys included.
    pub fn request(&self) -> &Json {
        &self.committed.request
    }

    /// The committed binding.
    pub fn binding(&self) -> &Binding {
        &self.committed.binding
    }

    /// The committed summary.
    pub fn summary(&self) -> Option<&str> {
        self.committed.summary.as_deref()
    }

    /// The policy rule that the request records, also when the projection withholds it.
    pub fn rule(&self) -> Option<String> {
        Rule::of_request(&self.committed.request)
    }

    /// The receipt's claims that its approvals have to support.
    pub(crate) fn stated(&self) -> &StatedDecision {
        &self.stated
    }
}

impl VerifiedReceipt {
    /// Opens the commitment: the text and salt reproduce it, the stated values are the committed ones, and the signed
    /// projection was built from this request.
    pub fn open(&self, opening: &Opening) -> Result<Opened, VerifyError> {
        let Some(Commitment { digest, tag, projection }) = &self.commitment else {
            return Err(VerifyError::OpeningNotApplicable(self.canonicalization.as_str()));
        };
        // The signed projection was checked to be its own canonical text.
        let committed = open(*digest, *tag, &projection.canonical(), opening)?;
        let stated = StatedDecision {
            tag: *tag,
            decision: self.decision(),
            scope: self.scope(),
            decider: self.decider().map(|decider| decider.id.clone()),
            created_at: self.created_at(),
            expires_at: self.expires_at(),
            proof: self.decider().and_then(|decider| decider.proof.clone()),
        };
        Ok(Opened { committed, stated })
    }
}

/// The opening step alone, for an issuer that compares its stored record with a payload before it resolves a key.
///
/// It does not check the payload's signature, and therefore returns no content.
pub fn check_stored(payload_json: &str, opening: &Opening) -> Result<(), VerifyError> {
    let payload = Json::parse(payload_json)?;
    let digest = read_commitment(payload.get("requestCommitment"))?;
    let projection = payload.get("publicProjectionJson").and_then(Json::as_str);
    let projection = projection.ok_or_else(|| malformed("no publicProjectionJson text"))?;
    let (tag, _) = projection::read(projection)?;
    open(digest, tag, projection, opening).map(|_| ())
}

/// The signed commitment, in its one form.
pub(crate) fn read_commitment(signed: Option<&Json>) -> Result<Digest, VerifyError> {
    let digest = signed.and_then(Json::as_str).and_then(|text| Digest::from_tagged(text).ok());
    digest.ok_or(VerifyError::RequestCommitmentMalformed)
}

fn open(
    commitment: Digest,
    tag: Projection,
    projection: &str,
    opening: &Opening,
) -> Result<Committed, VerifyError> {
    if Digest::commitment(&opening.salt, &opening.request_json) != commitment {
        return Err(VerifyError::RequestCommitmentMismatch);
    }
    let request = match Json::parse(&opening.request_json) {
        Ok(request) => request,
        // A committed text that is not JSON commits to no binding, and fails there.
        Err(JsonError::Syntax { .. }) => Json::Null,
        Err(error) => return Err(VerifyError::RequestUnreadable(format!("{error}").into())),
    };
    let summary = check_summary(&request, &opening.summary)?;
    let binding = check_binding(&request, &opening.binding)?;
    if projection::build(tag, &request).as_deref() != Some(projection) {
        return Err(VerifyError::PublicProjectionMismatch);
    }
    Ok(Committed { request, binding, summary })
}

fn check_summary(request: &Json, stated: &Stated) -> Result<Option<String>, VerifyError> {
    let mismatch = |reason: &'static str| VerifyError::CommittedSummaryMismatch(reason.into());
    let committed = match request.get(SUMMARY_KEY) {
        None => None,
        Some(Json::String(text)) => Some(text),
        Some(_) => return Err(mismatch("the committed receiptSummary is not a string")),
    };
    if !stated.holds_of(committed) {
        return Err(mismatch("the stated summary is not the committed one"));
    }
    committed.map(|text| readable(SUMMARY_KEY, text)).transpose()
}

fn check_binding(request: &Json, stated: &StatedBinding) -> Result<Binding, VerifyError> {
    let mismatch = |reason: &'static str| VerifyError::ReceiptBindingMismatch(reason.into());
    let Some(committed) = request.get(BINDING_KEY) else {
        return Err(mismatch("the request carries no receiptBinding, and every minted one does"));
    };
    let shape =
        || mismatch("receiptBinding is not exactly companyId, idemKey and inputHash, each a string or null");
    let value = |name: &str| match committed.get(name) {
        Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(_) | None => Err(shape()),
    };
    let (company_id, idem_key, input_hash) = (value("companyId")?, value("idemKey")?, value("inputHash")?);
    if committed.as_object().map(Object::len) != Some(3) {
        return Err(shape());
    }
    if !stated.company_id.holds_of(company_id) {
        return Err(mismatch("the stated companyId is not the committed one"));
    }
    if !stated.idem_key.holds_of(idem_key) {
        return Err(mismatch("the stated idemKey is not the committed one"));
    }
    if !stated.input_hash.holds_of(input_hash) {
        return Err(mismatch("the stated inputHash is not the committed one"));
    }
    let text = |committed: Option<&Text>| committed.map(|text| readable(BINDING_KEY, text)).transpose();
    Ok(Binding { company_id: text(company_id)?, idem_key: text(idem_key)?, input_hash: text(input_hash)? })
}

/// A committed text as Unicode. A JavaScript string may hold a lone surrogate; then it is genuine, and not readable here.
fn readable(member: &'static str, text: &Text) -> Result<String, VerifyError> {
    let unreadable = || VerifyError::RequestUnreadable(format!("{member} holds a lone surrogate").into());
    text.as_str().map(ToOwned::to_owned).ok_or_else(unreadable)
}
