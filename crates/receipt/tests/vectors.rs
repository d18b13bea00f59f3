//! The published vectors, read from `../shared/receipt-spec` next to the workspace when they are there.
//!
//! A clone without them runs the tests on this crate's own vectors instead, and reports it.

use std::path::{Path, PathBuf};

use receipt::{
    Artifact, AttestationArtifact, Digest, Fixture, Json, KeySet, Opening, Stated, StatedBinding,
    VerifiedReceipt, VerifyError, check_stored, verify, verify_attestation, verify_fixture,
};

/// The folder of the vectors, or `None` and a loud line.
fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/receipt-spec");
    if folder.is_dir() {
        return Some(folder);
    }
    crate::common::not_run(&format!("the published vectors are not at {}", folder.display()));
    None
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn keys(folder: &Path, vector: &str) -> KeySet {
    let file = if vector.starts_with("live-") { "live-keys.json" } else { "keys.json" };
    KeySet::parse(&read(&folder.join("test-vectors").join(file))).unwrap()
}

fn verify_file(folder: &Path, file: &Path) -> Result<VerifiedReceipt, VerifyError> {
    verify(&Artifact::parse(&read(file))?, &keys(folder, name(file)))
}

/// The verdict that section 12 of the specification states for each vector that does not verify.
fn expected_code(vector: &str) -> &'static str {
    match vector {
        _ if vector.starts_with("tampered-") => "SIGNATURE_INVALID",
        _ if vector.starts_with("outside-allowlist-") || vector.starts_with("published-rule-") => {
            "PROJECTION_NOT_ALLOWED"
        }
        _ if vector.starts_with("decider-proof-mismatch-") => "DECIDER_PROOF_MISMATCH",
        _ if vector.starts_with("non-canonical-proof-") => "DECIDER_PROOF_INVALID",
        _ => "verified",
    }
}

#[test]
fn every_receipt_gives_its_stated_verdict() {
    let Some(folder) = vectors() else { return };
    let mut count = 0;
    for file in ["test-vectors", "test-vectors/v3"].iter().flat_map(|sub| json_files(&folder.join(sub))) {
        if name(&file).ends_with("keys.json") {
            continue;
        }
        let verdict = verify_file(&folder, &file);
        let code = verdict.as_ref().map_or_else(VerifyError::code, |_| "verified");
        assert_eq!(code, expected_code(name(&file)), "{}", name(&file));
        if let Ok(receipt) = verdict {
            let artifact = Artifact::parse(&read(&file)).unwrap();
            assert_eq!(artifact.disagreements(&receipt), Vec::<&str>::new(), "{}", name(&file));
        }
        count += 1;
    }
    assert_eq!(count, 20);
}

#[test]
fn the_published_rule_is_named_in_the_specifications_words() {
    let Some(folder) = vectors() else { return };
    let file = "test-vectors/v3/published-rule-approve-human-deploy-gate-v2-private-repo.json";
    let error = verify_file(&folder, &folder.join(file)).unwrap_err();
    let words = "policy.decision.ruleId is policy rule identity and scope.visibility is not \"public\"";
    assert!(error.to_string().contains(words), "{error}");
}

fn stated(value: Option<&Json>) -> Stated {
    match value {
        None => Stated::Nothing,
        Some(Json::Null) => Stated::Absent,
        Some(value) => Stated::Value(value.as_str().unwrap().to_owned()),
    }
}

fn read_opening(folder: &Path, case: &Json) -> Opening {
    let text = |name: &str| case.get(name).and_then(Json::as_str).unwrap();
    Opening {
        request_json: read(&folder.join("test-vectors/v3/openings").join(text("request_file"))),
        salt: text("salt_hex").parse().unwrap(),
        summary: stated(case.get("summary")),
        binding: StatedBinding {
            company_id: stated(case.pointer(["binding", "companyId"])),
            idem_key: stated(case.pointer(["binding", "idemKey"])),
            input_hash: stated(case.pointer(["binding", "inputHash"])),
        },
    }
}

/// The stated verdict of a case is that of the opening step alone. A receipt whose projection is not allowed is refused
/// before it can be opened, so for those two the whole procedure has an earlier verdict.
#[test]
fn every_opening_gives_its_stated_verdict() {
    let Some(folder) = vectors() else { return };
    let openings = Json::parse(&read(&folder.join("test-vectors/v3/openings/openings.json"))).unwrap();
    let cases = openings.get("cases").and_then(Json::as_array).unwrap();
    assert_eq!(cases.len(), 17);
    for case in cases {
        let vector = case.get("receipt_vector").and_then(Json::as_str).unwrap();
        let expected = case.get("expected").and_then(Json::as_str).unwrap();
        let opening = read_opening(&folder, case);
        let file = folder.join("test-vectors/v3").join(vector);

        let payload = Json::parse(&read(&file)).unwrap().get("receipt").unwrap().canonical();
        let alone = check_stored(&payload, &opening).err().map_or("opened", |error| error.code());
        assert_eq!(alone, expected, "{}", case.canonical());

        let whole = verify_file(&folder, &file).and_then(|receipt| receipt.open(&opening));
        let whole = whole.err().map_or("opened", |error| error.code());
        let verdict = expected_code(vector);
        assert_eq!(whole, if verdict == "verified" { expected } else { verdict }, "{}", case.canonical());
    }
}

#[test]
fn every_attestation_gives_its_stated_verdict() {
    let Some(folder) = vectors() else { return };
    let files = json_files(&folder.join("test-vectors/attestations"));
    assert_eq!(files.len(), 4);
    for file in files {
        let text = read(&file);
        let vector = Json::parse(&text).unwrap();
        let receipt =
            folder.join("test-vectors").join(vector.get("receipt_vector").and_then(Json::as_str).unwrap());
        let receipt = verify_file(&folder, &receipt).unwrap();
        let attestation = AttestationArtifact::parse(&text).unwrap();
        let verdict = verify_attestation(&attestation, &receipt, &keys(&folder, name(&file)));
        let code = verdict.as_ref().map_or_else(VerifyError::code, |_| "verified");
        assert_eq!(code, expected_code(name(&file)), "{}", name(&file));
        if let Ok(verified) = verdict {
            let outcome = vector.pointer(["attestation", "outcome"]).and_then(Json::as_str).unwrap();
            assert_eq!(verified.outcome().as_str(), outcome);
        }
    }
}

#[test]
fn canonical_digests_reproduce() {
    let Some(folder) = vectors() else { return };
    let expected = read(&folder.join("conformance/expected-canonical-bytes.txt"));
    let mut count = 0;
    for (file, digest) in expected.lines().filter_map(|line| line.split_once(' ')) {
        let text = if let Some(vector) = file.strip_prefix("test-vectors/") {
            // The vector's `receipt` is the payload as an object; writing it out canonically gives the signed bytes.
            let vector = Json::parse(&read(&folder.join("test-vectors").join(vector))).unwrap();
            vector.get("receipt").unwrap().canonical()
        } else {
            Fixture::parse(&read(&folder.join("fixtures").join(file))).unwrap().canonical().to_owned()
        };
        assert_eq!(Digest::of(text.as_bytes()).to_string(), digest, "{file}");
        count += 1;
    }
    assert_eq!(count, 18);
}

#[test]
fn fixtures_are_recognised_for_what_they_are() {
    let Some(folder) = vectors() else { return };
    let keys = keys(&folder, "");
    for file in json_files(&folder.join("fixtures")) {
        let text = read(&file);
        let error = Artifact::parse(&text).unwrap_err();
        assert!(error.to_string().contains("frozen fixture"), "{error}");
        let verdict = verify_fixture(&Fixture::parse(&text).unwrap(), &keys);
        assert_eq!(verdict.is_ok(), name(&file) != "tampered.json", "{}", name(&file));
    }
}
