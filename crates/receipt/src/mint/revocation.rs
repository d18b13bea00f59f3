//! Revocations: separate DENIED receipts that withdraw an approval that has not been used.

use alloc::format;

use crate::fields::Decision;
use crate::format::projection::Projection;
use crate::issuer::keys::is_demo_key;
use crate::json::{Json, Object};
use crate::verify::verified::VerifiedReceipt;

/// The acting agent of every revocation, by the specification: no agent acts.
pub const REVOCATION_AGENT: &str = "permission-protocol";

const INTENT: &str = "authorization_revocation";

/// The request document of a revocation: to be minted as [`Projection::RevocationV1`], DENIED, under a new receipt id, with
/// the reason as its summary.
///
/// The specification copies the revoked request's `scope`; requests of the execute lane have none.
pub fn revocation_request(receipt_id: &str, reason: Option<&str>) -> Json {
    let mut metadata = Object::new();
    metadata.insert("revokedReceiptId", receipt_id);
    if let Some(reason) = reason {
        metadata.insert("reason", reason);
    }
    let summary = format!("Authorization of {receipt_id} withdrawn");
    let intent = Json::object([("name", Json::from(INTENT)), ("summary", summary.into())]);
    Json::object([("intent", intent), ("metadata", metadata.into())])
}

/// The receipt that a revocation's request, or its projection, names.
pub(crate) fn named(document: &Json) -> Option<&str> {
    let id = document.pointer(["metadata", "revokedReceiptId"]).and_then(Json::as_str);
    id.filter(|id| !id.is_empty())
}

impl VerifiedReceipt {
    /// The id of the receipt that this one revokes; `None` when it is no revocation.
    ///
    /// The id is part of the signed projection, so the commitment need not be opened.
    pub fn revokes(&self) -> Option<&str> {
        let revocation =
            self.projection_tag() == Some(Projection::RevocationV1) && self.decision() == Decision::Denied;
        if revocation { named(self.projection()?) } else { None }
    }

    /// Whether `other`, verified under the same pinned keys, revokes this receipt: it names this receipt and has the
    /// same scope, signed and by its key. A demo decision or a demo key withdraws nothing in production.
    pub fn is_revoked_by(&self, other: &VerifiedReceipt) -> bool {
        let same_scope =
            other.scope() == self.scope() && is_demo_key(other.key_id()) == is_demo_key(self.key_id());
        other.revokes() == Some(self.id()) && same_scope
    }
}
