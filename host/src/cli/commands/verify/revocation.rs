//! The revocations in the files of a call.

use receipt::{Artifact, Json, KeySet, VerifiedReceipt, VerifyError};

/// The revocation that a file has next to its receipt.
pub(super) fn beside(document: &Json, keys: &KeySet) -> Option<Result<VerifiedReceipt, VerifyError>> {
    let artifact = document.get("revocation_artifact").filter(|json| **json != Json::Null)?;
    let envelope = Json::object([("artifact", artifact.clone())]).canonical();
    Some(verify(&envelope, keys))
}

/// Every revocation in a file whose signature verifies, of whatever receipt. It is in force whatever else is wrong with
/// the file: an opening that does not fit makes no withdrawn receipt good.
pub(super) fn signed(
    text: &str,
    document: &Json,
    keys: &KeySet,
) -> impl Iterator<Item = VerifiedReceipt> + use<> {
    let found = [verify(text, keys).ok(), beside(document, keys).and_then(Result::ok)];
    found.into_iter().flatten().filter(|receipt| receipt.revokes().is_some())
}

fn verify(text: &str, keys: &KeySet) -> Result<VerifiedReceipt, VerifyError> {
    receipt::verify(&Artifact::parse(text)?, keys)
}
