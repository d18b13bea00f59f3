//! Authenticator data: the authenticator's signed statement about itself.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Passkey, PasskeyError};
use crate::digest::{Digest, ParseDigestError};
use crate::encoding;

/// The greatest length of an assertion's authenticator data, in bytes. They take 37 bytes plus extensions, and the host
/// requests none.
pub const MAX_AUTHENTICATOR_DATA_LEN: usize = 512;

/// The greatest length at a registration, if the data also contain the credential's id and its public key.
const MAX_REGISTRATION_LEN: usize = 2048;

const USER_PRESENT: u8 = 1 << 0;
const USER_VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const BACKED_UP: u8 = 1 << 4;
const ATTESTED: u8 = 1 << 6;
const EXTENDED: u8 = 1 << 7;

/// Authenticator data, read. Nothing in them is known to be true before the signature is checked.
#[derive(Clone, Copy)]
pub(super) struct AuthenticatorData<'a> {
    rp_id_hash: &'a [u8],
    flags: u8,
    pub(super) sign_count: u32,
    rest: &'a [u8],
}

impl<'a> AuthenticatorData<'a> {
    /// Reads an assertion's data: no credential inside, and extension bytes at the end only if the flags say so.
    pub(super) fn of_assertion(bytes: &'a [u8]) -> Result<Self, PasskeyError> {
        let data = Self::read(bytes, MAX_AUTHENTICATOR_DATA_LEN)?;
        if data.has(ATTESTED) {
            return Err(PasskeyError::AuthenticatorData("an assertion's hold no credential"));
        }
        if data.has(EXTENDED) == data.rest.is_empty() {
            return Err(PasskeyError::AuthenticatorData("their length is not the one that their flags say"));
        }
        Ok(data)
    }

    /// Reads a registration's data.
    pub(super) fn of_registration(bytes: &'a [u8]) -> Result<Self, PasskeyError> {
        let data = Self::read(bytes, MAX_REGISTRATION_LEN)?;
        if !data.has(ATTESTED) {
            return Err(PasskeyError::AuthenticatorData("a registration's hold a credential"));
        }
        Ok(data)
    }

    fn read(bytes: &'a [u8], most: usize) -> Result<Self, PasskeyError> {
        if bytes.len() > most {
            return Err(PasskeyError::TooLong { what: "authenticator data", len: bytes.len(), most });
        }
        let short = PasskeyError::AuthenticatorData("they are shorter than 37 bytes");
        let (rp_id_hash, rest) = bytes.split_at_checked(32).ok_or(short.clone())?;
        let ([flags, count @ ..], rest) = rest.split_first_chunk::<5>().ok_or(short)?;
        Ok(Self { rp_id_hash, flags: *flags, sign_count: u32::from_be_bytes(*count), rest })
    }

    /// Checks the rules of every ceremony: the relying party, user presence, and user verification.
    pub(super) fn check(&self, rp_id: &str) -> Result<(), PasskeyError> {
        if self.rp_id_hash != Digest::of(rp_id.as_bytes()).as_bytes() {
            return Err(PasskeyError::RelyingParty(rp_id.into()));
        }
        if !self.has(USER_PRESENT) {
            return Err(PasskeyError::Presence);
        }
        if !self.has(USER_VERIFIED) {
            return Err(PasskeyError::Verification);
        }
        if self.is_backed_up() && !self.is_backup_eligible() {
            return Err(PasskeyError::AuthenticatorData("they say backed up and not eligible for it"));
        }
        Ok(())
    }

    /// Checks that the data agree with the registration.
    pub(super) fn check_same(&self, passkey: &Passkey) -> Result<(), PasskeyError> {
        match self.is_backup_eligible() == passkey.backup_eligible {
            true => Ok(()),
            false => Err(PasskeyError::BackupEligibility),
        }
    }

    pub(super) fn is_backup_eligible(&self) -> bool {
        self.has(BACKUP_ELIGIBLE)
    }

    pub(super) fn is_backed_up(&self) -> bool {
        self.has(BACKED_UP)
    }

    /// The credential of a registration: the authenticator's model and the credential's id. `cose` is the public key
    /// that must follow. After it come extensions if the flags say so, and otherwise no bytes.
    pub(super) fn credential(&self, cose: &[u8]) -> Result<(Aaguid, &'a [u8]), PasskeyError> {
        let short = PasskeyError::AuthenticatorData("the credential in them is cut short");
        let (aaguid, rest) = self.rest.split_first_chunk::<16>().ok_or(short.clone())?;
        let (len, rest) = rest.split_first_chunk::<2>().ok_or(short.clone())?;
        let (id, rest) = rest.split_at_checked(u16::from_be_bytes(*len).into()).ok_or(short)?;
        let other =
            PasskeyError::Registration("the public key is not the one that the authenticator reports");
        let rest = rest.strip_prefix(cose).ok_or(other)?;
        if self.has(EXTENDED) == rest.is_empty() {
            return Err(PasskeyError::AuthenticatorData("their length is not the one that their flags say"));
        }
        Ok((Aaguid(*aaguid), id))
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// The model of an authenticator, as the authenticator states it. Prints and parses as a UUID.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aaguid([u8; 16]);

impl Aaguid {
    /// A model from its 16 bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Aaguid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let part = |shift: u32, mask: u128| (number >> shift) & mask;
        let (first, last) = (part(96, 0xFFFF_FFFF), part(0, 0xFFFF_FFFF_FFFF));
        write!(
            f,
            "{first:08x}-{:04x}-{:04x}-{:04x}-{last:012x}",
            part(80, 0xFFFF),
            part(64, 0xFFFF),
            part(48, 0xFFFF)
        )
    }
}

impl FromStr for Aaguid {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        let aaguid = encoding::from_hex(&digits).map(Self).ok_or(ParseDigestError)?;
        // Only one text form is accepted.
        if format!("{aaguid}") == text { Ok(aaguid) } else { Err(ParseDigestError) }
    }
}

impl Serialize for Aaguid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Aaguid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("not the model of an authenticator: a UUID in lowercase"))
    }
}
