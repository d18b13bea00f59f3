//! A passkey authenticator in software, and the browser in front of it, for attacks and tests. Each part of their
//! output can be changed.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use receipt::{
    AssertionResponse, Digest, Passkey, PublicKey, RawSignature, RegistrationResponse, RelyingParty,
    SignError, StatementSigner,
};

const PRESENT: u8 = 1;
const VERIFIED: u8 = 1 << 2;
const BACKUP_ELIGIBLE: u8 = 1 << 3;
const ATTESTED: u8 = 1 << 6;

/// The bytes before a P-256 point in a SubjectPublicKeyInfo.
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86,
    0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The bytes before the two coordinates of a P-256 point in a COSE key.
const COSE_X: [u8; 10] = [0xA5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20];
const COSE_Y: [u8; 3] = [0x22, 0x58, 0x20];

/// An authenticator with one credential, and the page that asks it.
#[derive(Clone)]
pub struct SoftwareAuthenticator {
    key: SigningKey,
    credential_id: Vec<u8>,
    relying_party: RelyingParty,
    /// The relying party for which it signs.
    pub rp_id: String,
    /// The page that asks.
    pub origin: String,
    /// Whether it verifies its user.
    pub verifies_user: bool,
    /// Whether its key is copied to other devices.
    pub is_synced: bool,
}

impl SoftwareAuthenticator {
    /// An authenticator whose key follows from the seed, for the page of that origin.
    ///
    /// # Errors
    /// When the seed is no key, or the origin no page that can have passkeys.
    pub fn new(seed: &[u8; 32], origin: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let relying_party = RelyingParty::of_origin(origin)?;
        Ok(Self {
            key: SigningKey::from_slice(seed)?,
            credential_id: Digest::of(seed).as_bytes().to_vec(),
            rp_id: relying_party.rp_id().to_owned(),
            relying_party,
            origin: origin.to_owned(),
            verifies_user: true,
            is_synced: false,
        })
    }

    /// The credential's id.
    #[must_use]
    pub fn credential_id(&self) -> &[u8] {
        &self.credential_id
    }

    /// Registers its credential: `navigator.credentials.create`.
    #[must_use]
    pub fn create(&self, challenge: &Digest) -> RegistrationResponse {
        let point = self.key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        let (x, y) = point[1..].split_at(32);
        let id_len = u16::try_from(self.credential_id.len()).unwrap_or(u16::MAX).to_be_bytes();
        let credential = [&[0; 16], id_len.as_slice(), &self.credential_id, &COSE_X, x, &COSE_Y, y].concat();
        RegistrationResponse {
            public_key: [SPKI.as_slice(), &point].concat(),
            authenticator_data: [self.authenticator_data(ATTESTED), credential].concat(),
            client_data_json: self.client_data("webauthn.create", challenge),
        }
    }

    /// Signs a challenge: `navigator.credentials.get`.
    #[must_use]
    pub fn get(&self, challenge: &Digest) -> AssertionResponse {
        let authenticator_data = self.authenticator_data(0);
        let client_data_json = self.client_data("webauthn.get", challenge);
        let message = [&authenticator_data, Digest::of(&client_data_json).as_bytes().as_slice()].concat();
        let signature: DerSignature = self.key.sign(&message);
        AssertionResponse { authenticator_data, client_data_json, signature: signature.as_bytes().to_vec() }
    }

    /// The passkey as it is registered.
    ///
    /// # Errors
    /// When a field has a value that no registration may have.
    pub fn passkey(&self) -> Result<Passkey, receipt::PasskeyError> {
        let challenge = Digest::of(b"registration");
        let honest = Self {
            rp_id: self.relying_party.rp_id().to_owned(),
            origin: self.relying_party.origins().iter().next().cloned().unwrap_or_default(),
            verifies_user: true,
            ..self.clone()
        };
        Passkey::register(&honest.create(&challenge), &self.relying_party, &challenge)
    }

    fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let verified = if self.verifies_user { VERIFIED } else { 0 };
        let synced = if self.is_synced { BACKUP_ELIGIBLE } else { 0 };
        let flags = flags | PRESENT | verified | synced;
        [Digest::of(self.rp_id.as_bytes()).as_bytes().as_slice(), &[flags], &[0; 4]].concat()
    }

    fn client_data(&self, kind: &str, challenge: &Digest) -> Vec<u8> {
        let challenge = base64url(challenge.as_bytes());
        let origin = &self.origin;
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false}}"#)
            .into_bytes()
    }
}

impl std::fmt::Debug for SoftwareAuthenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SoftwareAuthenticator").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// As a key that signs statements.
pub struct PasskeySigner {
    authenticator: SoftwareAuthenticator,
    key: PublicKey,
}

impl PasskeySigner {
    /// Signs with the authenticator as it is, under the key as it was registered.
    ///
    /// # Errors
    /// As for [`SoftwareAuthenticator::passkey`].
    pub fn new(authenticator: SoftwareAuthenticator) -> Result<Self, receipt::PasskeyError> {
        Ok(Self { key: PublicKey::passkey(authenticator.passkey()?), authenticator })
    }
}

impl StatementSigner for PasskeySigner {
    fn public_key(&self) -> PublicKey {
        self.key.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<RawSignature, SignError> {
        Ok(self.authenticator.get(&Digest::of(message)).into())
    }
}

/// Without padding, as browsers write it.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(word >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}
