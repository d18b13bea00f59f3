//! Checks that a request can be committed with any decisions that people may take about it.
//!
//! Parts that are each within their bound may add up to a document that no reader accepts. So the whole is measured:
//! when a request is made, with room for the most that can be added to it, and again when it is committed.

use alloc::string::String;

use crate::digest::Digest;
use crate::fields::Decision;
use crate::format::names::{PersonId, Role};
use crate::format::request::{APPROVALS_KEY, BINDING_KEY, SUMMARY_KEY};
use crate::json::{Json, MAX_LEN};
use crate::mint::error::MintError;
use crate::people::approvals::{MAX_APPROVALS, MAX_KEY_ID_LEN};
use crate::people::dsse::{Envelope, EnvelopeSignature, MAX_ENVELOPE_LEN};
use crate::people::passkey::longest_signature;
use crate::people::statement::{DecisionStatement, MAX_REASON_LEN, Matter, Nonce, PAYLOAD_TYPE};
use crate::timestamp::Timestamp;

/// Room for the other members of an owner's export: the signed artifact, the salt, the summary, the attestation.
const EXPORT_ROOM: usize = 64 * 1024;

/// Room for what minting adds apart from decisions and a summary: the binding, and the members' names.
const BINDING: usize = 4 * 1024;

/// Checks that a receipt can commit to this request with any decisions that people may take about it.
///
/// Call this when a request is made. A request that passes is read back from a receipt unchanged, with
/// [`MAX_APPROVALS`] decisions of the largest size and a reason of [`MAX_REASON_LEN`] bytes, also as a string in an
/// owner's export.
pub fn check_request(request: &Json) -> Result<(), MintError> {
    let object = request.as_object().ok_or(MintError::RequestNotObject)?;
    if let Some(key) =
        [BINDING_KEY, SUMMARY_KEY, APPROVALS_KEY].into_iter().find(|key| object.get(key).is_some())
    {
        return Err(MintError::RequestReservedKey(key));
    }
    let digest = Digest::of(b"");
    let matter = Matter::of(request, digest, digest).map_err(MintError::Undecidable)?;
    // JSON escapes a character with six at most, and an export those again with one more.
    let summary = 7 * MAX_REASON_LEN;
    check_text(request, &request.canonical(), MAX_APPROVALS * longest_decision(&matter) + summary + BINDING)
}

/// Checks that `text`, the canonical text of a request that is about to be committed, is read back as the same value.
pub(crate) fn check_committed(request: &Json, text: &str) -> Result<(), MintError> {
    check_text(request, text, 0)
}

fn check_text(request: &Json, text: &str, room: usize) -> Result<(), MintError> {
    let (len, most) = (exported_len(text).saturating_add(room), MAX_LEN - EXPORT_ROOM);
    if len > most {
        return Err(MintError::TooLong { len, most });
    }
    match Json::parse(text).map_err(MintError::Unreadable)? {
        read if read == *request => Ok(()),
        _ => Err(MintError::NotReadBack),
    }
}

/// The greatest length of a text as a string in an export. An export may escape every character that a terminal could
/// render differently.
fn exported_len(text: &str) -> usize {
    let len = |c: char| match c {
        '"' | '\\' => 2,
        '!'..='~' => 1,
        other => 6 * other.len_utf16(),
    };
    text.chars().map(len).sum()
}

/// The greatest length, in an export, of a decision about this matter inside a request.
///
/// Counted, not written: each control character of a reason becomes six bytes, and the payload is base64.
fn longest_decision(matter: &Matter) -> usize {
    let text = decision(matter, String::new()).canonical().len() + 6 * MAX_REASON_LEN;
    let key_id = "\u{1}".repeat(MAX_KEY_ID_LEN);
    let signature = EnvelopeSignature { key_id, signature: longest_signature() };
    let envelope = Envelope::new(PAYLOAD_TYPE, b"", alloc::vec![signature]);
    let beside = envelope.map_or(MAX_ENVELOPE_LEN, |envelope| exported_len(&envelope.to_json().canonical()));
    // With the comma before the next member.
    beside + 4 * text.div_ceil(3) + 1
}

fn decision(matter: &Matter, reason: String) -> DecisionStatement {
    let at = Timestamp::from_millis(0);
    DecisionStatement {
        matter: matter.clone(),
        decision: Decision::Approved,
        reason: Some(reason),
        decider: PersonId::longest(),
        role: Role::longest(),
        decided_at: at,
        expires_at: at,
        nonce: Nonce::from_bytes([0; 16]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length that [`longest_decision`] counts, measured on a decision that is written out.
    fn written(matter: &Matter) -> usize {
        let text: String = decision(matter, "\u{1}".repeat(MAX_REASON_LEN)).canonical();
        let key_id = "\u{1}".repeat(MAX_KEY_ID_LEN);
        let signature = EnvelopeSignature { key_id, signature: longest_signature() };
        let envelope = Envelope::new(PAYLOAD_TYPE, text.as_bytes(), alloc::vec![signature]).unwrap();
        exported_len(&envelope.to_json().canonical()) + 1
    }

    #[test]
    fn what_is_counted_is_what_would_be_written() {
        let digest = Digest::of(b"");
        for resource in ["r", "re", "res", "a longer resource", "\u{e9}\u{1}\"quoted\""] {
            let matter = Matter {
                request: digest,
                request_id: "apr_1".into(),
                tenant: "acme".into(),
                instance: "wf_1".into(),
                component: digest,
                capability: "a.b".into(),
                resource: resource.into(),
                artifact: Some(digest),
                view: digest,
                policy: digest,
            };
            assert_eq!(longest_decision(&matter), written(&matter), "{resource}");
        }
    }
}
