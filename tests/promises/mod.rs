//! The five promises of the README, each tested end to end. The other tests check their parts.

mod drill;
mod effects;
mod kills;
mod outside;
mod suite;
mod threat_model;
mod threats;

use crate::support;
use crate::support::cli;
use crate::support::cli::Ran;
use effects::{Moment, Target};
use receipt::Decision;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Imports outside the world are named, and none of that component runs; the attempts that need no import are refused.
#[test]
fn narrow() {
    let data = TempDir::new().unwrap();
    let mut tried = 0;
    for file in fs::read_dir(support::root().join("guests/hostile/load")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if !name.starts_with("import-") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let component = data.path().join("component.wasm");
        fs::write(&component, wat::parse_str(&text).unwrap()).unwrap();
        let ran = cli::run(data.path(), &["run", component.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{name}: {}", ran.stderr);
        let wanted = text.split_once("(import \"").unwrap().1.split_once('"').unwrap().0;
        assert!(ran.stderr.contains(wanted), "{name}: {}", ran.stderr);
        tried += 1;
    }
    assert_eq!(tried, 15, "components that import too much");
    assert_eq!(cli::run(data.path(), &["audit"]).stdout, "", "nothing has begun");
    let seen = cli::run(data.path(), &["inspect", cli::GUEST, "--json"]);
    let world = ["deploy", "pp", "workflow"].map(|name| format!("permission-protocol:tenant/{name}@0.2.0"));
    assert_eq!(
        cli::lines(&seen.stdout)[0]["imports"],
        serde_json::json!(world),
        "the world and nothing else"
    );
    suite::held(&["files", "environment", "wasi-descriptor", "outside"]);
}

/// By the target's own record of effects: after every attack, it contains only approved actions, exactly as they were
/// approved.
#[test]
fn no_receipt_no_action() {
    for attack in
        ["forged-receipt", "attempt-as-receipt", "other-artifact", "other-resource", "other-capability"]
    {
        let done = support::attack(attack).deployments;
        assert!(done.is_empty(), "{attack}: {done:?}");
    }
    assert_eq!(support::attack("plain").deployments.len(), 1, "what was approved is recorded");
    for (attack, verdict) in suite::verdicts() {
        assert!(verdict.unapproved().is_empty(), "{attack}: {:?}", verdict.unapproved());
    }
}

/// By the target's own record of effects: each happens at most once, at any moment of a kill, with targets that
/// recognise a repetition and with those that do not.
#[test]
fn at_most_once() {
    let twice = support::attack("spent-twice");
    assert_eq!(twice.deployments.len(), 1, "{:?}", twice.deployments);
    for (target, moment, effects) in [
        (Target::KnowsTheKey, Moment::BeforeActing, 1),
        (Target::KnowsTheKey, Moment::AfterActing, 1),
        (Target::IgnoresTheKey, Moment::BeforeActing, 0),
        (Target::IgnoresTheKey, Moment::AfterActing, 1),
    ] {
        let killed = effects::killed(target, moment);
        let (host, key) = killed.reopened();
        assert_eq!(support::count(&support::entries(&host, &key), "redeemed"), 1, "spent before the effect");
        let status = support::finish(&host, &key, Decision::Approved);
        match target {
            Target::KnowsTheKey => assert_eq!(support::result(&status)["status"], "deployed", "{moment:?}"),
            Target::IgnoresTheKey => {
                let (_, message) = support::failure(&status);
                assert!(message.starts_with("unknown whether deployed"), "{moment:?}: {message}");
            }
        }
        assert_eq!(killed.effects(), effects, "{target:?}, killed {moment:?}");
        drop(host);
        let (host, key) = killed.reopened();
        assert_eq!(support::block_on(host.drive(&key)).unwrap(), status, "it has ended");
        assert_eq!(killed.effects(), effects, "{target:?}, killed {moment:?}, looked at again");
    }
}

/// The program is killed at random instants, again and again, and reaches the same end as without kills.
#[test]
fn durable() {
    let straight = kills::straight();
    assert!(straight.completed.values().all(|times| *times == 1), "{straight:?}");
    assert_eq!(straight.deployed.len(), 2, "{straight:?}");
    let mut hits = 0;
    for seed in [0x9E37_79B9_7F4A_7C15, 0xD1B5_4A32_D192_ED03, 0x2545_F491_4F6C_DD1D] {
        let (end, hit) = kills::killed(seed);
        assert_eq!(end, straight, "seed {seed:#x}");
        hits += hit;
    }
    assert!(hits > 0, "no kill came while the workflow was under way");
}

/// From exported files and public keys alone, by verifiers that share no code with this project: every decision and
/// every outcome in the audit trail is signed, and an altered one does not verify.
#[test]
fn provable() {
    let data = cli::folder();
    let export = |arguments: &[&str]| -> Value {
        serde_json::from_str(&cli::run(data.path(), arguments).stdout).unwrap()
    };
    let keys = export(&["keys", "export"]);
    let mut verdicts = Vec::new();
    for receipt in cli::lines(&cli::run(data.path(), &["receipts", "list", "--json"]).stdout) {
        let exported = export(&["receipts", "export", receipt["receipt_id"].as_str().unwrap()]);
        let said = outside::verify(&exported, &keys).unwrap();
        assert!(said[0].contains(receipt["status"].as_str().unwrap()), "{said:?}");
        assert!(said[1].starts_with("OPENED cloudflare.dynamic-worker.deploy on"), "{said:?}");
        agrees_with_node(data.path(), &exported, &keys, Some(&said));
        for altered in altered(&exported) {
            assert!(outside::verify(&altered, &keys).is_err(), "{altered}");
            agrees_with_node(data.path(), &altered, &keys, None);
        }
        verdicts.push((receipt["status"].as_str().unwrap().to_owned(), said.get(2).cloned()));
    }
    verdicts.sort();
    let succeeded = Some("ATTESTED succeeded".to_owned());
    assert_eq!(verdicts, [("APPROVED".to_owned(), succeeded), ("DENIED".to_owned(), None)]);
    every_decision_and_outcome_is_signed(data.path(), &keys);
}

/// The same with one thing changed in each: a signed byte, a signature, the request, the outcome.
fn altered(exported: &Value) -> Vec<Value> {
    let with = |pointer: &str, change: fn(&str) -> String| {
        let mut altered = exported.clone();
        let place = altered.pointer_mut(pointer)?;
        *place = change(place.as_str()?).into();
        (altered != *exported).then_some(altered)
    };
    let first_e = |text: &str| text.replacen('e', "f", 1);
    let changes = [
        with("/artifact/payload_bytes_b64", first_e),
        with("/artifact/signature_b64", |text| format!("AAAA{}", &text[4..])),
        with("/artifact/key_id", |_| "pp_demo_0000000000000000".to_owned()),
        with("/artifact/request_json", |text| text.replacen("tenant-acme", "tenant-bank", 1)),
        with("/attestation_artifact/payload_bytes_b64", first_e),
    ];
    changes.into_iter().flatten().collect()
}

/// `verify.mjs`, where Node is installed, prints the same; or refuses, where there is nothing to print.
fn agrees_with_node(folder: &Path, exported: &Value, keys: &Value, said: Option<&[String]>) {
    if !support::installed(&["node"]) {
        return;
    }
    let receipt = cli::write(folder, "receipt.json", &exported.to_string());
    let keys = cli::write(folder, "keys.json", &keys.to_string());
    let mut node = Command::new("node");
    node.arg(support::root().join("tests/verify.mjs")).args([&receipt, &keys]);
    let ran = Ran::from(node.output().unwrap());
    assert_eq!(ran.code == Some(0), said.is_some(), "{}{}", ran.stdout, ran.stderr);
    if let Some(said) = said {
        assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), said);
    }
}

fn every_decision_and_outcome_is_signed(data: &Path, keys: &Value) {
    let audit = cli::lines(&cli::run(data, &["audit", "--json"]).stdout);
    let of = |kind: &str| -> Vec<&Value> { audit.iter().filter(|fact| fact["fact"] == kind).collect() };
    let signed = |fact: &Value, envelope: &str| {
        let document: Value = serde_json::from_str(fact["document"].as_str().unwrap()).unwrap();
        outside::payload(&document[envelope], keys).unwrap()
    };
    let (decided, issued) = (of("decided"), of("issued"));
    assert_eq!((decided.len(), issued.len()), (2, 2));
    for (decided, issued) in decided.iter().zip(issued) {
        assert_eq!(decided["request"], issued["request"]);
        assert_eq!(signed(issued, "artifact")["status"], decided["decision"]);
    }
    let (performed, attested) = (of("performed"), of("attested"));
    assert_eq!((performed.len(), attested.len()), (1, 1));
    assert_eq!(signed(attested[0], "attestation_artifact")["outcome"], performed[0]["effect"]["outcome"]);
}
