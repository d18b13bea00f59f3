//! The fields that each version signs, and the bytes they make.
//!
//! A canonicalization is frozen the moment a receipt is signed under it. The lists below never change; a new signed
//! field is a new list under a new name.

use crate::fields::vocabulary;
use crate::json::{Json, Object};

vocabulary! {
    /// A version of the signed field list.
    Canonicalization {
        /// The first field list: no decider, no scope.
        JcsV1 = "jcs_v1",
        /// The decider is signed, and the request itself.
        JcsV2 = "jcs_v2",
        /// The request is committed; a projection of it is public.
        JcsV3 = "jcs_v3",
    }
}

impl Canonicalization {
    /// The signed fields, sorted.
    pub(crate) const fn fields(self) -> &'static [&'static str] {
        match self {
            Self::JcsV1 => &JCS_V1,
            Self::JcsV2 => &JCS_V2,
            Self::JcsV3 => &JCS_V3,
        }
    }

    /// The `receiptVersion` that goes with it.
    pub(crate) const fn receipt_version(self) -> u32 {
        match self {
            Self::JcsV1 => 1,
            Self::JcsV2 => 2,
            Self::JcsV3 => 3,
        }
    }
}

const JCS_V1: [&str; 18] = [
    "agentId",
    "canonicalization",
    "companyId",
    "createdAt",
    "expiresAt",
    "id",
    "idemKey",
    "inputHash",
    "policyVersion",
    "reasonCodes",
    "receiptVersion",
    "requestJson",
    "riskTier",
    "runId",
    "signatureAlg",
    "signatureKeyId",
    "status",
    "summary",
];

const JCS_V2: [&str; 24] = [
    "agentId",
    "attributionConfidence",
    "canonicalization",
    "companyId",
    "createdAt",
    "deciderAuthMethod",
    "deciderDisplay",
    "deciderId",
    "expiresAt",
    "id",
    "idemKey",
    "inputHash",
    "policyVersion",
    "reasonCodes",
    "receiptVersion",
    "requestJson",
    "resolutionType",
    "riskTier",
    "runId",
    "scope",
    "signatureAlg",
    "signatureKeyId",
    "status",
    "summary",
];

const JCS_V3: [&str; 22] = [
    "agentId",
    "attributionConfidence",
    "canonicalization",
    "createdAt",
    "deciderAuthMethod",
    "deciderDisplay",
    "deciderId",
    "deciderProof",
    "expiresAt",
    "id",
    "policyVersion",
    "publicProjectionJson",
    "reasonCodes",
    "receiptVersion",
    "requestCommitment",
    "resolutionType",
    "riskTier",
    "runId",
    "scope",
    "signatureAlg",
    "signatureKeyId",
    "status",
];

/// The fields of an execution attestation, `attest_v1`.
pub(crate) const ATTEST_V1: [&str; 11] = [
    "approvalReceiptId",
    "attestationVersion",
    "canonicalization",
    "createdAt",
    "finishedAt",
    "outcome",
    "outputHash",
    "signatureAlg",
    "signatureKeyId",
    "startedAt",
    "toolCallId",
];

/// Whether `text` is exactly the canonical form of `payload` under `fields`: the listed fields, none of them null, and
/// no others.
///
/// This is the same as rebuilding the bytes and comparing: skipping an unlisted or null member would change the text.
pub(crate) fn is_canonical(payload: &Object, fields: &[&str], text: &str) -> bool {
    // Both lists are sorted, so one walk finds every name that is on the list.
    let mut fields = fields.iter();
    let mut is_listed = |name: &str| fields.any(|field| *field == name);
    let listed =
        payload.iter().all(|(name, value)| *value != Json::Null && name.as_str().is_some_and(&mut is_listed));
    listed && payload.is_canonical(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_lists_are_sorted() {
        for list in [&JCS_V1[..], &JCS_V2, &JCS_V3, &ATTEST_V1] {
            assert!(list.is_sorted_by(|a, b| a < b));
        }
    }
}
