//! The cost of a receipt. Run with `cargo bench -p receipt`.
//!
//! The first lines compare `verify` with the minimum for any verifier, one strict signature check and one SHA-256 of
//! the payload, in turns in the same run.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark of something broken is none")]

#[path = "../tests/common/mod.rs"]
#[expect(dead_code, reason = "every test binary uses its own part of this")]
mod common;

use std::hint::black_box;
use std::time::{Duration, Instant};

use divan::Bencher;
use ed25519_dalek::{Signature, VerifyingKey};
use receipt::{Artifact, Digest, Json, KeySet, Minted, Signer, mint, verify};
use sha2::{Digest as _, Sha256};

fn main() {
    compare("minted on the execute lane", &common::minted().artifact, &common::keys());
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/receipt-spec/test-vectors");
    for name in ["approve-human-execute-lane-refund", "approve-human-deploy-gate-public-repo"] {
        let artifact = std::fs::read_to_string(format!("{vectors}/v3/{name}.json"));
        let keys = std::fs::read_to_string(format!("{vectors}/keys.json"));
        if let (Ok(artifact), Ok(keys)) = (artifact, keys) {
            compare(name, &Artifact::parse(&artifact).unwrap(), &KeySet::parse(&keys).unwrap());
        }
    }
    divan::main();
}

/// Prints the cost of `verify` and of the bare minimum, and their ratio. The cost is the tenth percentile: on a shared
/// machine the median depends on the other programs.
fn compare(name: &str, artifact: &Artifact, keys: &KeySet) {
    let bare = Bare::of(artifact, keys);
    let (mut bare_times, mut verify_times) = (Vec::new(), Vec::new());
    for round in 0..8_000 {
        bare_times.push(at_depth(round % 16, &|| time(|| bare.check())));
        verify_times
            .push(at_depth(round % 16, &|| time(|| verify(black_box(artifact), black_box(keys)).is_ok())));
    }
    let (bare, verify) = (undisturbed(bare_times), undisturbed(verify_times));
    let ratio = verify.as_secs_f64() / bare.as_secs_f64();
    println!("{name}: bare {bare:.1?}, verify {verify:.1?}, ratio {ratio:.2} (target: at most 1.50)");
}

/// Runs `work` further down the stack. The vector code is up to a fifth slower where its tables lie across cache lines,
/// which is luck; going through many places takes luck out of the comparison.
fn at_depth(depth: usize, work: &dyn Fn() -> Duration) -> Duration {
    if depth == 0 {
        return work();
    }
    let padding = black_box([0_u8; 16]);
    let time = at_depth(depth - 1, work);
    black_box(padding);
    time
}

fn time(work: impl Fn() -> bool) -> Duration {
    let start = Instant::now();
    assert!(black_box(work()));
    start.elapsed()
}

fn undisturbed(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 10]
}

/// One strict signature check and one SHA-256, on decoded values.
struct Bare {
    key: VerifyingKey,
    signature: Signature,
    payload: Vec<u8>,
}

impl Bare {
    fn of(artifact: &Artifact, keys: &KeySet) -> Self {
        let receipt = verify(artifact, keys).unwrap();
        let signature: [u8; 64] = decode(&artifact.signature_b64).try_into().unwrap();
        Self {
            key: VerifyingKey::from_bytes(&keys.get(&artifact.key_id).unwrap().public_key).unwrap(),
            signature: Signature::from_bytes(&signature),
            payload: receipt.payload_json().as_bytes().to_vec(),
        }
    }

    fn check(&self) -> bool {
        let digest = Sha256::digest(black_box(&self.payload));
        self.key.verify_strict(&digest, black_box(&self.signature)).is_ok()
    }
}

fn decode(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()
}

#[divan::bench]
fn bare_signature_and_hash(bencher: Bencher<'_, '_>) {
    let bare = Bare::of(&common::minted().artifact, &common::keys());
    bencher.bench(|| bare.check());
}

#[divan::bench]
fn verify_without_opening(bencher: Bencher<'_, '_>) {
    let (artifact, keys) = (common::minted().artifact, common::keys());
    bencher.bench(|| verify(black_box(&artifact), &keys));
}

#[divan::bench]
fn verify_with_opening(bencher: Bencher<'_, '_>) {
    let (Minted { artifact, opening }, keys) = (common::minted(), common::keys());
    bencher.bench(|| verify(black_box(&artifact), &keys)?.open(&opening));
}

#[divan::bench]
fn parse_envelope(bencher: Bencher<'_, '_>) {
    let text = common::minted().artifact.to_json();
    bencher.bench(|| Artifact::parse(black_box(&text)));
}

#[divan::bench]
fn sign_a_digest(bencher: Bencher<'_, '_>) {
    let (signer, digest) = (common::signer(), Digest::of(b""));
    bencher.bench(|| signer.sign(black_box(&digest)));
}

#[divan::bench]
fn mint_with_self_check(bencher: Bencher<'_, '_>) {
    let (draft, signer) = (common::draft(), common::signer());
    bencher.bench(|| mint(black_box(&draft), &signer));
}

#[divan::bench]
fn canonicalize(bencher: Bencher<'_, '_>) {
    let request = common::request();
    bencher.bench(|| black_box(&request).canonical());
}

#[divan::bench]
fn parse_json(bencher: Bencher<'_, '_>) {
    let text = common::request().canonical();
    bencher.bench(|| Json::parse(black_box(&text)));
}
