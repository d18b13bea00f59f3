//! A software authenticator and its browser. Their signed bytes are built here, byte by byte, without the crate's code.

use ed25519_dalek::{Signer as _, SigningKey as EdKey};
use p256::ecdsa::{DerSignature, SigningKey as EsKey};
use receipt::{
    AssertionResponse, Digest, Passkey, PublicKey, RawSignature, RegistrationResponse, RelyingParty,
    SignError, StatementSigner,
};

pub(crate) const RP_ID: &str = "approvals.example";
pub(crate) const ORIGIN: &str = "https://approvals.example";

pub(crate) const PRESENT: u8 = 1;
pub(crate) const VERIFIED: u8 = 4;
pub(crate) const ELIGIBLE: u8 = 8;
pub(crate) const BACKED_UP: u8 = 16;
const ATTESTED: u8 = 64;

/// The key of an authenticator.
#[derive(Clone)]
pub(crate) enum Secret {
    Es256(EsKey),
    EdDsa(Box<EdKey>),
    #[cfg(feature = "rs256")]
    Rs256(Box<rsa::PrivateKey>),
}

/// A person at a browser with an authenticator. Each part of the output can be changed.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) secret: Secret,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) rp_id: String,
    pub(crate) origin: String,
    pub(crate) flags: u8,
    /// Text after the client data's usual members.
    pub(crate) more: String,
}

impl Browser {
    pub(crate) fn es256(seed: u8) -> Self {
        Self::with(Secret::Es256(EsKey::from_slice(&[seed; 32]).unwrap()), seed)
    }

    pub(crate) fn eddsa(seed: u8) -> Self {
        Self::with(Secret::EdDsa(Box::new(EdKey::from_bytes(&[seed; 32]))), seed)
    }

    /// A TPM's key, which is the same for each seed.
    #[cfg(feature = "rs256")]
    pub(crate) fn rs256(seed: u8) -> Self {
        use rsa::pkcs8::DecodePrivateKey as _;
        let key = rsa::PrivateKey::from_pkcs8_pem(include_str!("rs256.pem")).unwrap();
        Self::with(Secret::Rs256(Box::new(key)), seed)
    }

    fn with(secret: Secret, seed: u8) -> Self {
        Self {
            secret,
            credential_id: vec![seed; 16],
            rp_id: RP_ID.to_owned(),
            origin: ORIGIN.to_owned(),
            flags: PRESENT | VERIFIED,
            more: r#","crossOrigin":false,"other_keys_can_be_added_here":"do not compare clientDataJSON against a template""#
                .to_owned(),
        }
    }

    pub(crate) fn client_data(&self, kind: &str, challenge: &[u8]) -> Vec<u8> {
        let challenge = base64url(challenge);
        let (origin, more) = (&self.origin, &self.more);
        format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}"{more}}}"#).into_bytes()
    }

    pub(crate) fn authenticator_data(&self, flags: u8) -> Vec<u8> {
        let hash = Digest::of(self.rp_id.as_bytes());
        [hash.as_bytes().as_slice(), &[flags], &7_u32.to_be_bytes()].concat()
    }

    /// Signs these parts, valid or not.
    pub(crate) fn seal(&self, authenticator_data: Vec<u8>, client_data_json: Vec<u8>) -> AssertionResponse {
        let message = [&authenticator_data, Digest::of(&client_data_json).as_bytes().as_slice()].concat();
        let signature = match &self.secret {
            Secret::Es256(key) => {
                let signature: DerSignature = p256::ecdsa::signature::Signer::sign(key, &message);
                signature.as_bytes().to_vec()
            }
            Secret::EdDsa(key) => key.sign(&message).to_vec(),
            #[cfg(feature = "rs256")]
            Secret::Rs256(key) => {
                use rsa::signature::{SignatureEncoding as _, Signer as _};
                let key = rsa::pkcs1v15::SigningKey::<rsa::sha2::Sha256>::new((**key).clone());
                key.sign(&message).to_vec()
            }
        };
        AssertionResponse { authenticator_data, client_data_json, signature }
    }

    pub(crate) fn get(&self, challenge: &Digest) -> AssertionResponse {
        let client_data = self.client_data("webauthn.get", challenge.as_bytes());
        self.seal(self.authenticator_data(self.flags), client_data)
    }

    pub(crate) fn create(&self, challenge: &Digest) -> RegistrationResponse {
        let mut data = self.authenticator_data(self.flags | ATTESTED);
        data.extend_from_slice(&[0xAA; 16]);
        data.extend_from_slice(&u16::try_from(self.credential_id.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.credential_id);
        data.extend_from_slice(&self.cose());
        RegistrationResponse {
            public_key: self.spki(),
            authenticator_data: data,
            client_data_json: self.client_data("webauthn.create", challenge.as_bytes()),
        }
    }

    pub(crate) fn passkey(&self) -> Passkey {
        let challenge = Digest::of(b"registration");
        Passkey::register(&self.create(&challenge), &relying_party(), &challenge).unwrap()
    }

    fn spki(&self) -> Vec<u8> {
        let prefix: &[u8] = match &self.secret {
            Secret::Es256(_) => b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
            Secret::EdDsa(_) => b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
            // An algorithm without parameters, and 270 bytes of a modulus of 257 and an exponent of 3.
            #[cfg(feature = "rs256")]
            Secret::Rs256(_) => {
                b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00"
            }
        };
        #[cfg(feature = "rs256")]
        if let Secret::Rs256(_) = &self.secret {
            return [prefix, &self.point(), b"\x02\x03\x01\x00\x01"].concat();
        }
        [prefix, &self.point()].concat()
    }

    fn cose(&self) -> Vec<u8> {
        let point = self.point();
        match &self.secret {
            Secret::Es256(_) => {
                let (x, y) = point[1..].split_at(32);
                [b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20", x, b"\x22\x58\x20", y].concat()
            }
            Secret::EdDsa(_) => [b"\xa4\x01\x01\x03\x27\x20\x06\x21\x58\x20", point.as_slice()].concat(),
            #[cfg(feature = "rs256")]
            Secret::Rs256(_) => {
                let (head, end) = (b"\xa4\x01\x03\x03\x39\x01\x00\x20\x59\x01\x00", b"\x21\x43\x01\x00\x01");
                [head, point.as_slice(), end].concat()
            }
        }
    }

    fn point(&self) -> Vec<u8> {
        match &self.secret {
            Secret::Es256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Secret::EdDsa(key) => key.verifying_key().as_bytes().to_vec(),
            #[cfg(feature = "rs256")]
            Secret::Rs256(key) => rsa::traits::PublicKeyParts::n_bytes(&**key).to_vec(),
        }
    }
}

impl StatementSigner for Browser {
    fn public_key(&self) -> PublicKey {
        PublicKey::passkey(self.passkey())
    }

    fn sign(&self, message: &[u8]) -> Result<RawSignature, SignError> {
        Ok(self.get(&Digest::of(message)).into())
    }
}

pub(crate) fn relying_party() -> RelyingParty {
    RelyingParty::of_origin(ORIGIN).unwrap()
}

pub(crate) fn base64url(bytes: &[u8]) -> String {
    super::base64(bytes).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}
