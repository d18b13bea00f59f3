//! The secrets that sign webhooks, by the Standard Webhooks scheme: `v1,` and the base64 of an HMAC-SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::path::Path;
use store::ownership;

/// The prefix of a secret.
const PREFIX: &str = "whsec_";

/// The lengths of a secret in bytes that the scheme allows.
const LENGTHS: std::ops::RangeInclusive<usize> = 24..=64;

/// The most secrets of a file: the new one and those that receivers still use.
const MOST: usize = 4;

/// Secrets. Each notice is signed with all of them, so that a receiver may change from one to the next.
pub(crate) struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Reads a file of secrets, one a line.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = ownership::read_secret(file).map_err(|error| error.to_string())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
        let secrets: Vec<_> = lines
            .map(|(number, line)| {
                let bytes = line.strip_prefix(PREFIX).and_then(|secret| STANDARD.decode(secret).ok());
                bytes.filter(|bytes| LENGTHS.contains(&bytes.len())).ok_or_else(|| {
                    format!(
                        "line {} is no secret: {PREFIX} and the base64 of {} to {} random bytes are expected",
                        number + 1,
                        LENGTHS.start(),
                        LENGTHS.end()
                    )
                })
            })
            .collect::<Result<_, _>>()?;
        match secrets.len() {
            0 => Err(format!("it is empty: write {PREFIX} and the base64 of 32 random bytes to it")),
            1..=MOST => Ok(Self(secrets)),
            more => Err(format!("it has {more} secrets, and {MOST} are the most")),
        }
    }

    /// The header's value: a signature with each secret.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let signatures = self.0.iter().filter_map(|secret| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vector of the scheme's own libraries.
    #[test]
    fn a_signature_is_the_one_that_the_scheme_gives() {
        let secrets = Secrets::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let body = br#"{"test": 2432232314}"#;
        assert_eq!(
            secrets.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        let two = format!("whsec_{}\n\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", STANDARD.encode([7; 32]));
        let signed = Secrets::parse(&two).unwrap().sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        let (_, second) = signed.split_once(' ').unwrap();
        assert_eq!(second, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused_with_its_line() {
        for (text, expected) in [
            ("", "it is empty"),
            ("\n \n", "it is empty"),
            ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "line 1 is no secret"),
            ("whsec_c2hvcnQ=", "line 1 is no secret"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_%", "line 2 is no secret"),
        ] {
            let error = Secrets::parse(text).map(drop).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
        let many = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n".repeat(5);
        assert!(Secrets::parse(&many).map(drop).unwrap_err().starts_with("it has 5 secrets"));
    }
}
