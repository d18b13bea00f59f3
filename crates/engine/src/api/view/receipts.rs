//! Receipts and revocations: a row each, and the published form.

use crate::Error;
use crate::api::view::{AT_ONCE, Reader, View};
use crate::api::{ExportAudience, Principal};
use receipt::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use store::{ReceiptPage, ReceiptState, RecordedReceipt, StoredReceipt};
use workflow::{InvalidId, ReceiptId, RequestId, TenantId};

/// A receipt or a revocation in a list.
#[derive(Debug, Clone, Serialize)]
pub struct ReceiptRow {
    /// The receipt's id.
    pub receipt_id: ReceiptId,
    /// The request that it decides.
    pub request_id: RequestId,
    /// The tenant.
    pub tenant: String,
    /// The decision: APPROVED, DENIED or REVOKED.
    pub status: String,
    /// The key that signed it.
    pub key_id: String,
    /// When the receipt was issued.
    pub issued_at: Option<String>,
    /// The time until which the receipt can be redeemed.
    pub expires_at: Option<String>,
    /// The state of a receipt, or the receipt that a revocation revokes.
    #[serde(flatten)]
    pub kind: ReceiptKind,
    /// The stored record.
    #[serde(skip)]
    pub kept: KeptReceipt,
}

/// The state of a receipt, or the receipt that a revocation revokes.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum ReceiptKind {
    /// The receipt decides a request.
    Decision {
        /// When the receipt was spent.
        redeemed_at: Option<Timestamp>,
        /// The outcome of the action is signed.
        attested: bool,
        /// When the receipt was revoked.
        revoked_at: Option<Timestamp>,
    },
    /// The receipt revokes another receipt.
    Revocation {
        /// The revoked receipt.
        revokes: String,
    },
}

/// A stored receipt with its state; `None` as the state of a revocation.
#[derive(Debug, Clone)]
pub struct KeptReceipt {
    /// The receipt with what opens it.
    pub receipt: StoredReceipt,
    /// The receipt's state.
    pub state: Option<ReceiptState>,
}

impl KeptReceipt {
    /// The revocation of this receipt.
    ///
    /// # Errors
    /// When the stored record is damaged.
    pub fn revocation(&self) -> Result<Option<Self>, Error> {
        let Some((_, body)) = self.state.as_ref().and_then(|state| state.revoked.as_ref()) else {
            return Ok(None);
        };
        let receipt = serde_json::from_str(body)
            .map_err(|error| Error::Internal(format!("the kept revocation is damaged: {error}")))?;
        Ok(Some(Self { receipt, state: None }))
    }

    /// The receipt that a revocation takes back. Its binding names it; its signed projection names it too.
    fn revokes(&self) -> &str {
        self.receipt.idem_key.strip_prefix("revocation:").unwrap_or_default()
    }

    /// The published envelope: the owner's fields are inside `artifact`. `revocation_artifact` is this project's own
    /// member.
    fn export(&self, audience: ExportAudience) -> Result<Value, Error> {
        let mut export = json!({ "artifact": self.artifact(audience)? });
        let Some(state) = &self.state else { return Ok(export) };
        export["artifact"]["redeemed_at"] = json!(state.redeemed.map(|(at, _)| at));
        export["attestation_artifact"] = attestation(state, audience)?;
        if let Some(revocation) = self.revocation()? {
            export["revocation_artifact"] = revocation.artifact(ExportAudience::Public)?;
        }
        Ok(export)
    }

    fn artifact(&self, audience: ExportAudience) -> Result<Value, Error> {
        let receipt = &self.receipt;
        let mut artifact =
            serde_json::to_value(&receipt.artifact).map_err(|error| Error::Internal(error.to_string()))?;
        if audience == ExportAudience::Owner {
            artifact["request_json"] = json!(receipt.request_json);
            artifact["request_commitment_salt_b64"] = json!(receipt.request_commitment_salt_b64);
            artifact["summary"] = json!(receipt.summary);
            artifact["company_id"] = json!(receipt.company_id);
            artifact["idem_key"] = json!(receipt.idem_key);
            artifact["input_hash"] = json!(receipt.input_hash());
        }
        Ok(artifact)
    }
}

impl From<KeptReceipt> for ReceiptRow {
    fn from(kept: KeptReceipt) -> Self {
        let receipt = &kept.receipt;
        let kind = match &kept.state {
            Some(state) => ReceiptKind::Decision {
                redeemed_at: state.redeemed.map(|(at, _)| at),
                attested: state.attestation.is_some(),
                revoked_at: state.revoked.as_ref().map(|(at, _)| *at),
            },
            None => ReceiptKind::Revocation { revokes: kept.revokes().to_owned() },
        };
        Self {
            receipt_id: receipt.id.clone(),
            request_id: receipt.request.clone(),
            tenant: receipt.company_id.clone(),
            status: receipt.artifact.status.clone().unwrap_or_else(|| "unknown".to_owned()),
            key_id: receipt.artifact.key_id.clone(),
            issued_at: receipt.artifact.issued_at.clone(),
            expires_at: receipt.artifact.expires_at.clone(),
            kind,
            kept,
        }
    }
}

/// Whether the principal may reach the receipt's tenant.
fn covers(principal: &Principal, kept: &KeptReceipt) -> bool {
    kept.receipt.company_id.parse().is_ok_and(|tenant: TenantId| principal.covers(&tenant))
}

/// The attestation, or null if there is none.
fn attestation(state: &ReceiptState, audience: ExportAudience) -> Result<Value, Error> {
    let Some(document) = &state.attestation else { return Ok(Value::Null) };
    let mut document: Value =
        serde_json::from_str(document).map_err(|error| Error::Internal(error.to_string()))?;
    if let (ExportAudience::Public, Some(attestation)) =
        (audience, document["attestation_artifact"].as_object_mut())
    {
        // The payload has an unsalted digest of the output, which would confirm a guess at it.
        attestation.remove("payload_bytes_b64");
        attestation.insert("payload_withheld".to_owned(), json!(true));
    }
    Ok(document["attestation_artifact"].take())
}

impl Reader<'_> {
    pub(super) fn receipts(&self, principal: &Principal, wanted: ReceiptPage) -> Result<View, Error> {
        let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
        let tenant = wanted.tenant.or_else(|| principal.only_tenant().cloned());
        let mut page = ReceiptPage { tenant, limit: AT_ONCE, after: None, ..wanted };
        let mut rows = Vec::new();
        if let Some(after) = wanted.after {
            let (receipt, rest) = self.split(principal, &after, page.newest_first)?;
            page.after = Some(receipt);
            rows.extend(rest);
        }
        loop {
            let ids = self.store.receipts(page.clone()).wait()?;
            for id in &ids {
                if rows.len() > limit {
                    break;
                }
                let kept = self.kept(id)?;
                if !covers(principal, &kept) {
                    continue;
                }
                let mut pair = [kept.revocation()?, Some(kept)];
                if !page.newest_first {
                    pair.reverse();
                }
                rows.extend(pair.into_iter().flatten());
            }
            page.after = ids.last().cloned().or(page.after);
            if rows.len() > limit || ids.len() < AT_ONCE as usize {
                break;
            }
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        Ok(View::Receipts { receipts: rows.into_iter().map(ReceiptRow::from).collect(), more })
    }

    /// The receipt of the row to continue from, and what belongs to the same receipt and follows that row: its
    /// revocation, or in the opposite order the receipt that it takes back.
    fn split(
        &self,
        principal: &Principal,
        after: &ReceiptId,
        newest_first: bool,
    ) -> Result<(ReceiptId, Option<KeptReceipt>), Error> {
        let kept = self.kept(after)?;
        if !covers(principal, &kept) {
            return Err(Error::NoReceipt(after.clone()));
        }
        if kept.state.is_some() {
            let revocation = kept.revocation()?.filter(|_| !newest_first);
            return Ok((after.clone(), revocation));
        }
        let revoked =
            kept.revokes().parse().map_err(|error: InvalidId| Error::Internal(error.to_string()))?;
        let receipt = if newest_first { Some(self.kept(&revoked)?) } else { None };
        Ok((revoked, receipt))
    }

    pub(super) fn receipt(&self, id: &ReceiptId) -> Result<ReceiptRow, Error> {
        self.kept(id).map(ReceiptRow::from)
    }

    pub(super) fn export(&self, id: &ReceiptId, audience: ExportAudience) -> Result<Value, Error> {
        self.kept(id)?.export(audience)
    }

    fn kept(&self, id: &ReceiptId) -> Result<KeptReceipt, Error> {
        if let Some(RecordedReceipt { receipt, state }) = self.store.receipt(id).wait()? {
            return Ok(KeptReceipt { receipt, state: Some(state) });
        }
        let revocation = self.store.revocation(id).wait()?;
        let receipt = revocation.ok_or_else(|| Error::NoReceipt(id.clone()))?;
        Ok(KeptReceipt { receipt, state: None })
    }
}
