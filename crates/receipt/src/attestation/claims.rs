//! Reads the claims of a signed attestation.

use alloc::borrow::ToOwned;
use alloc::format;

use crate::attestation::{ExecutionOutcome, INSTANT_LEN, VerifiedAttestation};
use crate::digest::Digest;
use crate::error::{Reason, VerifyError};
use crate::format::artifact::Unsealed;
use crate::json::{Json, Object};
use crate::timestamp::Timestamp;

/// The consistency rules of section 9.2 first, then the published schema. Each has its own code, as for receipts.
pub(super) fn read(unsealed: Unsealed) -> Result<VerifiedAttestation, VerifyError> {
    let claims = Claims(&unsealed.payload);
    let outcome = claims.outcome().map_err(VerifyError::AttestationInconsistent)?;
    claims.check_schema().map_err(VerifyError::SchemaMismatch)?;
    let outside = |name: &'static str| VerifyError::SchemaMismatch(format!("no {name}").into());
    let text = |name| claims.text(name).map_err(VerifyError::SchemaMismatch);
    let required = |name| text(name)?.map(ToOwned::to_owned).ok_or_else(|| outside(name));
    Ok(VerifiedAttestation {
        receipt_id: required("approvalReceiptId")?,
        outcome,
        tool_call_id: text("toolCallId")?.map(ToOwned::to_owned),
        created_at: required("createdAt")?.parse().map_err(|_| outside("createdAt"))?,
        key_id: required("signatureKeyId")?,
        digest: unsealed.digest,
        text: unsealed.text,
    })
}

struct Claims<'a>(&'a Object);

impl<'a> Claims<'a> {
    /// The constraints of the schema that section 9.2 does not mention.
    fn check_schema(&self) -> Result<(), Reason> {
        if self.0.get("attestationVersion") != Some(&Json::from(1_u32)) {
            return Err("attestationVersion is not 1".into());
        }
        if self.text("signatureAlg")? != Some("ed25519") {
            return Err("signatureAlg is not ed25519".into());
        }
        for name in ["createdAt", "startedAt", "finishedAt"] {
            let text = self.text(name)?;
            if self.instant(name)?.is_some() && text.is_some_and(|text| text.len() != INSTANT_LEN) {
                return Err(format!("the year of {name} has not four digits").into());
            }
        }
        Ok(())
    }

    fn outcome(&self) -> Result<ExecutionOutcome, Reason> {
        let word = self.text("outcome")?.ok_or("no outcome")?;
        let output_hash = match self.text("outputHash")?.map(Digest::from_tagged) {
            Some(Err(_)) => {
                return Err("outputHash is not `sha256:` and 64 lowercase hexadecimal digits".into());
            }
            Some(Ok(hash)) => Some(hash),
            None => None,
        };
        let (started_at, finished_at) = (self.instant("startedAt")?, self.instant("finishedAt")?);
        if word == "unknown" {
            return match (finished_at, output_hash) {
                (None, None) => Ok(ExecutionOutcome::Unknown { started_at }),
                _ => Err("an unknown outcome has neither a finish time nor an output".into()),
            };
        }
        let (Some(started_at), Some(finished_at)) = (started_at, finished_at) else {
            return Err("a known outcome has a start and a finish time".into());
        };
        if finished_at < started_at {
            return Err("finishedAt is before startedAt".into());
        }
        match word {
            "succeeded" => Ok(ExecutionOutcome::Succeeded { started_at, finished_at, output_hash }),
            "failed" => Ok(ExecutionOutcome::Failed { started_at, finished_at, output_hash }),
            _ => Err(format!("outcome `{word}` is not succeeded, failed or unknown").into()),
        }
    }

    /// A string of at least one character, if the member is present. Nothing is coerced.
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, Reason> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let text = value.as_str().filter(|text| !text.is_empty());
        text.map(Some).ok_or_else(|| format!("{name} is not a string, or empty").into())
    }

    fn instant(&self, name: &'static str) -> Result<Option<Timestamp>, Reason> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("{name} is not an instant with milliseconds").into())
    }
}
