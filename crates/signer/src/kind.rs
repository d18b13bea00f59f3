//! Kinds of keys: the kind that can sign, and the kinds that errors name.

use std::fmt;

use pkcs8::ObjectIdentifier;

use crate::encoding::printable::printable;

/// The kind of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The kind that signs here.
    Ed25519,
    /// Ed25519 in a FIDO security key. It signs more than the message, so it needs a verifier of its own.
    Ed25519Fido,
    /// ECDSA in a FIDO security key.
    EcdsaFido,
    /// ECDSA on any curve.
    Ecdsa,
    /// RSA.
    Rsa,
    /// DSA.
    Dsa,
    /// Ed448.
    Ed448,
    /// X25519, which agrees on keys and signs nothing.
    X25519,
    /// An OpenSSH certificate of a key.
    Certificate,
    /// Another kind, by the name in the key.
    Other(String),
}

/// A key of a kind that does not sign here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is {kind}, {}", self.advice())]
pub struct Unsupported {
    /// The kind.
    pub kind: Kind,
}

impl Kind {
    /// The kind that OpenSSH calls so.
    pub(crate) fn from_ssh_name(name: &[u8]) -> Self {
        match name {
            b"ssh-ed25519" => Self::Ed25519,
            b"sk-ssh-ed25519@openssh.com" => Self::Ed25519Fido,
            b"sk-ecdsa-sha2-nistp256@openssh.com" => Self::EcdsaFido,
            b"ssh-rsa" => Self::Rsa,
            b"ssh-dss" => Self::Dsa,
            _ if name.starts_with(b"ecdsa-sha2-nistp") && !name.contains(&b'@') => Self::Ecdsa,
            _ if name.ends_with(b"-cert-v01@openssh.com") => Self::Certificate,
            _ => Self::Other(printable(name)),
        }
    }

    /// The kind of an algorithm in PKCS#8 and SPKI.
    pub(crate) fn from_oid(oid: ObjectIdentifier) -> Self {
        match oid.to_string().as_str() {
            "1.3.101.112" => Self::Ed25519,
            "1.3.101.113" => Self::Ed448,
            "1.3.101.110" => Self::X25519,
            "1.2.840.10045.2.1" => Self::Ecdsa,
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => Self::Rsa,
            "1.2.840.10040.4.1" => Self::Dsa,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Itself refused, unless it is the kind that signs here.
    pub(crate) fn supported(self) -> Result<(), Unsupported> {
        match self {
            Self::Ed25519 => Ok(()),
            kind => Err(Unsupported { kind }),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519",
            Self::Ed25519Fido => "Ed25519 in a FIDO security key (sk-ssh-ed25519)",
            Self::EcdsaFido => "ECDSA in a FIDO security key (sk-ecdsa-sha2-nistp256)",
            Self::Ecdsa => "ECDSA",
            Self::Rsa => "RSA",
            Self::Dsa => "DSA",
            Self::Ed448 => "Ed448",
            Self::X25519 => "X25519",
            Self::Certificate => "an OpenSSH certificate",
            Self::Other(name) => return write!(f, "of kind `{name}`"),
        })
    }
}

impl Unsupported {
    fn advice(&self) -> &'static str {
        match self.kind {
            Kind::Ed25519Fido | Kind::EcdsaFido => {
                "and security keys are not supported yet: make a plain one with ssh-keygen -t ed25519"
            }
            Kind::Certificate => "and a certificate is no key: use the Ed25519 key that it was issued for",
            _ => "and only Ed25519 keys sign here: make one with ssh-keygen -t ed25519",
        }
    }
}
