//! Requests to an agent, and the parsing of its answers.

use super::Identity;
use super::error::AgentError;
use crate::encoding::printable::printable;
use crate::encoding::wire::{Reader, put_string};
use crate::kind::Kind;
use crate::public::{PublicKey, SSH_ED25519, fingerprint};

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// A request for the list of keys.
pub(super) fn list() -> Vec<u8> {
    vec![REQUEST_IDENTITIES]
}

/// A request for a signature. The flags are for RSA; Ed25519 has none.
pub(super) fn sign(key: &PublicKey, message: &[u8]) -> Vec<u8> {
    let mut request = vec![SIGN_REQUEST];
    put_string(&mut request, &key.to_blob());
    put_string(&mut request, message);
    request.extend(0_u32.to_be_bytes());
    request
}

/// The keys that an answer lists.
pub(super) fn identities(answer: &[u8]) -> Result<Vec<Identity>, AgentError> {
    let mut reader = expect(answer, IDENTITIES_ANSWER)?;
    let mut identities = || {
        let count = reader.number()?;
        // Collected one by one: a count that exceeds the bytes reserves no memory.
        (0..count).map(|_| identity(&mut reader)).collect::<Option<Vec<_>>>()
    };
    let identities = identities().ok_or(AgentError::Malformed("a list of keys that is cut"))?;
    reader.end().ok_or(AgentError::Malformed("a list of keys with something behind it"))?;
    Ok(identities)
}

fn identity(reader: &mut Reader<'_>) -> Option<Identity> {
    let (blob, comment) = (reader.string()?, reader.string()?);
    let kind = Kind::from_ssh_name(Reader::new(blob).string()?);
    let key = PublicKey::from_blob(blob).ok();
    Some(Identity { kind, key, fingerprint: fingerprint(blob), comment: printable(comment) })
}

/// The signature in an answer. It has not been verified.
pub(super) fn signature(answer: &[u8]) -> Result<[u8; 64], AgentError> {
    let mut reader = expect(answer, SIGN_RESPONSE)?;
    let signature = reader.string().ok_or(AgentError::Malformed("a signature that is cut"))?;
    reader.end().ok_or(AgentError::Malformed("a signature with something behind it"))?;
    let mut reader = Reader::new(signature);
    if reader.string() != Some(SSH_ED25519) {
        return Err(AgentError::Malformed("a signature of another algorithm than ssh-ed25519"));
    }
    let bytes = reader.array().ok_or(AgentError::Malformed("a signature that does not have 64 bytes"))?;
    reader.end().ok_or(AgentError::Malformed("a signature with something behind it"))?;
    Ok(*bytes)
}

fn expect(answer: &[u8], wanted: u8) -> Result<Reader<'_>, AgentError> {
    let mut reader = Reader::new(answer);
    match reader.byte() {
        Some(kind) if kind == wanted => Ok(reader),
        Some(FAILURE) => Err(AgentError::Refused),
        Some(_) => Err(AgentError::Malformed("a message of another type than was asked for")),
        None => Err(AgentError::Malformed("an empty message")),
    }
}
