//! Client data: the browser's statement of which page asked, and for what.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;

use super::PasskeyError;
use crate::digest::Digest;
use crate::encoding;
use crate::json::{Json, clipped};

/// The longest client data that are read, in bytes. Browsers write some 250.
pub const MAX_CLIENT_DATA_LEN: usize = 2048;

/// The two ceremonies.
#[derive(Clone, Copy)]
pub(super) enum Ceremony {
    Registration,
    Assertion,
}

impl Ceremony {
    fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "webauthn.create",
            Self::Assertion => "webauthn.get",
        }
    }
}

/// Checks client data, and returns the origin that they name.
///
/// This is the only text that this crate reads with unknown members allowed, because WebAuthn requires it. A repeated
/// key is still refused, so that no two readers see two documents.
pub(super) fn check(
    bytes: &[u8],
    ceremony: Ceremony,
    challenge: &Digest,
    origins: &BTreeSet<String>,
) -> Result<String, PasskeyError> {
    if bytes.len() > MAX_CLIENT_DATA_LEN {
        let (what, len, most) = ("client data", bytes.len(), MAX_CLIENT_DATA_LEN);
        return Err(PasskeyError::TooLong { what, len, most });
    }
    let refused = |problem: String| PasskeyError::ClientData(problem);
    let text = core::str::from_utf8(bytes).map_err(|_| refused("not UTF-8".to_owned()))?;
    let json = Json::parse(text).map_err(|error| refused(format!("{error}")))?;
    let member = |name: &'static str| {
        let text = json.get(name).and_then(Json::as_str);
        text.ok_or_else(|| refused(format!("`{name}` is missing, or not a string")))
    };
    if member("type")? != ceremony.as_str() {
        return Err(PasskeyError::Type(ceremony.as_str()));
    }
    if member("challenge")? != encoding::base64url(challenge.as_bytes()) {
        return Err(PasskeyError::Challenge);
    }
    let origin = member("origin")?;
    if !origins.contains(origin) {
        return Err(PasskeyError::Origin(clipped(origin)));
    }
    // A page that is embedded in another is not the page that the person sees.
    match (json.get("crossOrigin"), json.get("topOrigin")) {
        (None | Some(Json::Bool(false)), None) => Ok(origin.to_owned()),
        _ => Err(PasskeyError::Embedded),
    }
}
