//! A passkey's record as text, without its public key.

use alloc::collections::BTreeSet;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::Aaguid;
use crate::json::Json;
use crate::json::members::{Members, ShapeError};

/// The record of a passkey apart from its public key: everything that an assertion is compared with, and the key's
/// origin.
///
/// [`Passkey::read`](super::Passkey::read) checks it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyRecord {
    /// The credential's id, in base64url without padding.
    pub credential_id: String,
    /// The host name that the credential belongs to: `example.com`.
    pub rp_id: String,
    /// The origins of pages that may ask for a signature: `https://approvals.example.com`.
    pub origins: BTreeSet<String>,
    /// The authenticator's model, as the authenticator states it; all zeros if it does not.
    pub aaguid: Aaguid,
    /// Whether the key may be copied to other devices.
    pub backup_eligible: bool,
    /// Whether a copy existed at registration.
    pub backed_up: bool,
}

impl PasskeyRecord {
    pub(crate) fn from_json(json: &Json) -> Result<Self, ShapeError> {
        let required = ["aaguid", "backedUp", "backupEligible", "credentialId", "origins", "rpId"];
        let members = Members::of("passkey", json, &required, &[])?;
        let flag =
            |name| members.get(name).as_bool().ok_or_else(|| ShapeError::new(name, "is not true or false"));
        let origin = |json: &Json| {
            json.as_str()
                .map(String::from)
                .ok_or_else(|| ShapeError::new("origins", "holds something else than strings"))
        };
        let listed = members.array("origins")?;
        let origins = listed.iter().map(origin).collect::<Result<BTreeSet<_>, _>>()?;
        if origins.len() != listed.len() {
            return Err(ShapeError::new("origins", "names an origin twice"));
        }
        Ok(Self {
            credential_id: members.str("credentialId")?.into(),
            rp_id: members.str("rpId")?.into(),
            origins,
            aaguid: members.read("aaguid", "is not 32 hexadecimal digits in groups of 8-4-4-4-12")?,
            backup_eligible: flag("backupEligible")?,
            backed_up: flag("backedUp")?,
        })
    }

    pub(crate) fn to_json(&self) -> Json {
        Json::object([
            ("aaguid", Json::from(alloc::format!("{}", self.aaguid))),
            ("backedUp", self.backed_up.into()),
            ("backupEligible", self.backup_eligible.into()),
            ("credentialId", self.credential_id.as_str().into()),
            ("origins", Json::array(self.origins.iter().map(String::as_str))),
            ("rpId", self.rp_id.as_str().into()),
        ])
    }
}
