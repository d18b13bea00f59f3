//! What a decision by passkey costs the gate.

use crate::Outcome;
use drill::authenticator::SoftwareAuthenticator;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{DerSignature, VerifyingKey};
use receipt::{Digest, Passkey, RelyingParty};
use std::hint::black_box;
use std::time::Instant;

const ORIGIN: &str = "https://approvals.example";

/// A passkey's assertion beside one bare verification of the signature in it, in turns.
pub(crate) fn print(times: usize) -> Outcome<()> {
    let authenticator = SoftwareAuthenticator::new(&[7; 32], ORIGIN)?;
    let (registration, decision) = (Digest::of(b"registration"), Digest::of(b"decision"));
    let created = authenticator.create(&registration);
    let passkey = Passkey::register(&created, &RelyingParty::of_origin(ORIGIN)?, &registration)?;
    let response = authenticator.get(&decision);
    let point = created.public_key.get(created.public_key.len() - 65..).ok_or("no key")?;
    let key = VerifyingKey::from_sec1_bytes(point)?;
    let client = Digest::of(&response.client_data_json);
    let message = [&response.authenticator_data[..], client.as_bytes()].concat();
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..times.min(2_000) {
        let since = Instant::now();
        black_box(passkey.verify(&decision, &response))?;
        whole.push(since.elapsed());
        let since = Instant::now();
        black_box(key.verify(&message, &DerSignature::from_bytes(&response.signature)?))?;
        bare.push(since.elapsed());
    }
    whole.sort_unstable();
    bare.sort_unstable();
    let (whole, bare) = (whole[whole.len() / 2], bare[bare.len() / 2]);
    let ratio = whole.as_secs_f64() / bare.as_secs_f64();
    println!(
        "a passkey's assertion: {whole:?}, {ratio:.2} × one bare P-256 verification of {bare:?} (at most 1.3)"
    );
    Ok(())
}
