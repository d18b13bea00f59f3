//! The signed request is exactly the one that was asked: a request that no receipt can commit to is refused when it is
//! made, and one that is accepted can be decided either way.

use crate::support;
use crate::support::people::{ApprovalFixture, issued};
use engine::issuer::Request;
use engine::{Host, SignOutcome, Status};
use policy::{Answer, Ask, Explanation, Need, Policy, Question, Quorum, Role, Ruling, Toml, Warning};
use proptest::prelude::*;
use receipt::{Decision, Digest, Json};
use serde_json::json;
use std::collections::BTreeSet;
use tempfile::TempDir;
use unicode_width::UnicodeWidthChar as _;
use workflow::{Entry, Limits};

const ALLOW: &str = "[[rule]]\nid = \"all\"\nthen = \"allow\"";
const DENY: &str = "[[rule]]\nid = \"none\"\nthen = \"deny\"";

/// The workflow's answer to a request that was not made.
fn refused(host: &Host, params: &serde_json::Value) -> String {
    let key = support::start(host, "hostile", &params.to_string());
    let status = support::block_on(host.drive(&key)).unwrap();
    let made =
        host.audit(Some(&key)).unwrap().iter().any(|fact| matches!(fact.entry, Entry::Requested { .. }));
    assert!(!made, "{status:?}");
    let Status::Completed(output) = status else { panic!("{status:?}") };
    let output: serde_json::Value = serde_json::from_str(&output).unwrap();
    output["invalid"].as_str().unwrap_or_else(|| panic!("{output}")).to_owned()
}

fn nested(levels: usize) -> serde_json::Value {
    json!({ "attack": "asks", "levels": levels })
}

#[test]
fn evidence_too_deep_for_a_receipt_is_refused_whatever_the_policy_says() {
    for policy in [None, Some(ALLOW), Some(DENY)] {
        let fixture = ApprovalFixture::new(policy);
        for levels in 126..=128 {
            let told = refused(&fixture.host, &nested(levels));
            assert_eq!(
                told,
                "the evidence is nested deeper than the 125 levels that a receipt can have: make it flatter"
            );
        }
    }
}

#[test]
fn the_deepest_evidence_is_decided_either_way_and_by_one_alone() {
    let fixture = ApprovalFixture::new(None);
    fixture.add("dora", &["break-glass"], 4);
    let ask = || {
        let key = support::start(&fixture.host, "hostile", &nested(125).to_string());
        fixture.waits(&key)
    };
    issued(fixture.approve(&ask(), ("alice", 1)));
    issued(fixture.deny(&ask(), ("alice", 1)));
    issued(fixture.break_glass(&ask(), ("dora", 4)));
    for (policy, decision) in [(ALLOW, "granted"), (DENY, "denied")] {
        let fixture = ApprovalFixture::new(Some(policy));
        let key = support::start(&fixture.host, "hostile", &nested(125).to_string());
        let Status::Completed(output) = fixture.ends(&key) else { panic!("it has not ended") };
        assert!(output.contains(decision), "{output}");
    }
}

#[test]
fn a_number_is_shown_as_it_is_signed_or_refused() {
    let fixture = ApprovalFixture::new(None);
    let asking = |evidence: &str| json!({ "attack": "asks", "evidence": evidence });
    for (number, kept) in [
        ("9007199254740993", "9007199254740992"),
        ("1e400", "null"),
        ("-1e-400", "0"),
        ("0.1000000000000000055", "0.1"),
    ] {
        let told = refused(&fixture.host, &asking(&format!(r#"{{"amount":{number}}}"#)));
        let expected = format!("the number {number} at byte 10 comes back as {kept}; write it as a string");
        assert!(told.starts_with("the evidence cannot be signed as it is written: "), "{told}");
        assert!(told.contains(&expected), "{told}");
    }
    let key = support::start(&fixture.host, "hostile", &asking(r#"{ "b" : 1.0, "a":1E+2 }"#).to_string());
    let request = fixture.host.request(&fixture.waits(&key)).unwrap();
    let signed = request.document().unwrap();
    let signed = signed.pointer(["action", "parameters", "evidence"]).unwrap().canonical();
    assert_eq!(signed, r#"{"a":100,"b":1}"#);
    assert!(request.to_string().ends_with(&format!("  evidence   {signed}")), "{request}");
}

#[test]
fn what_a_raised_limit_lets_in_is_still_measured_as_a_whole() {
    let folder = TempDir::new().unwrap();
    let limits = Limits { evidence_bytes: 8 << 20, resource_bytes: 1 << 20, ..Limits::default() };
    let sandbox = sandbox::SandboxLimits { text_bytes: 64 << 20, ..Default::default() };
    let host =
        crate::support::storage::builder(folder.path()).limits(limits).sandbox(sandbox).open().unwrap();
    // A number of five bytes that is written with twenty-one.
    let growing = format!("[{}1]", "1e20,".repeat(200_000));
    let told = refused(&host, &json!({ "attack": "asks", "evidence": growing }));
    assert!(told.contains("could not parse the evidence in a receipt: 4400"), "{told}");
    let quotes = json!({ "attack": "asks", "evidence": "\"", "times": 1 << 20 });
    let told = refused(&host, &quotes);
    assert!(told.contains("the request takes ") && told.contains("make the evidence"), "{told}");
    let told = refused(&host, &json!({ "attack": "asks", "evidence": "x", "times": 5 << 20 }));
    assert!(told.contains("bytes of JSON, more than the 4194304 that are read"), "{told}");
    let told = refused(&host, &json!({ "attack": "asks", "resource": "r".repeat(20 << 10) }));
    assert!(
        told.contains("`action.parameters.resource`") && told.contains("longer than it may be"),
        "{told}"
    );
    // A request of an acceptable size is decided.
    let fits = json!({ "attack": "asks", "evidence": "x", "times": 1 << 20 }).to_string();
    let key = support::start(&host, "hostile", &fits);
    assert!(matches!(support::finish(&host, &key, Decision::Approved), Status::Completed(_)));
}

/// An unchecked policy of an embedding program.
struct AsksFor(u32);

impl Policy for AsksFor {
    fn demands(&self) -> Vec<policy::Demand> {
        Vec::new()
    }

    fn rule(&self, _: &Question<'_>) -> Ruling {
        let quorums = vec![Quorum { needs: vec![Need { role: None, approvals: self.0 }] }];
        let ask = Ask { quorums, ..Ask::one() };
        Ruling { answer: Answer::Ask(ask), rules: vec!["many".parse().unwrap()], message: None }
    }

    fn explain(&self, question: &Question<'_>) -> Explanation {
        Explanation { ruling: self.rule(question), rules: Vec::new() }
    }

    fn digest(&self) -> Digest {
        Digest::of(b"many")
    }

    fn version(&self) -> String {
        "many:1".to_owned()
    }

    fn roles(&self) -> BTreeSet<Role> {
        BTreeSet::new()
    }

    fn warnings(&self) -> &[Warning] {
        &[]
    }
}

#[test]
fn no_person_is_asked_where_more_people_have_to_agree_than_a_receipt_commits_to() {
    let folder = TempDir::new().unwrap();
    let host = crate::support::storage::builder(folder.path()).policy(Box::new(AsksFor(33))).open().unwrap();
    let told = refused(&host, &json!({ "attack": "asks" }));
    assert!(told.contains("asks for 33 people") && told.contains("32 at most"), "{told}");
    let text = "[default]\nthen = \"ask\"\napprovals = 33";
    assert!(Toml::parse(text).unwrap_err().to_string().contains("a whole number from 1 to 32"));
}

/// Adds people who release, with the keys of those seeds.
fn crowd(fixture: &ApprovalFixture, size: u8) -> Vec<(String, u8)> {
    let people: Vec<_> = (0..size).map(|number| (format!("person-{number}"), 100 + number)).collect();
    for (name, seed) in &people {
        fixture.add(name, &["release"], *seed);
    }
    people
}

#[test]
fn as_many_as_a_policy_may_ask_for_make_a_receipt() {
    let policy = "[default]\nthen = \"ask\"\nrole = \"release\"\napprovals = 32";
    let fixture = ApprovalFixture::new(Some(policy));
    let (_, request) = fixture.asked();
    let people = crowd(&fixture, 32);
    let (last, before) = people.split_last().unwrap();
    for (name, seed) in before {
        assert!(matches!(fixture.approve(&request, (name, *seed)).unwrap(), SignOutcome::Waiting(_)));
    }
    let receipt = issued(fixture.approve(&request, (&last.0, last.1)));
    let opened = Json::parse(&receipt.request_json).unwrap();
    assert_eq!(opened.get("approvals").and_then(Json::as_array).map(<[Json]>::len), Some(32));
}

#[test]
fn people_who_change_their_minds_keep_no_other_person_from_deciding() {
    let policy = "[default]\nthen = \"ask\"\nrole = \"release\"\napprovals = 32\ndenials = 32";
    let fixture = ApprovalFixture::new(Some(policy));
    let (_, request) = fixture.asked();
    let people = crowd(&fixture, 34);
    let (changed, steady) = people.split_at(31);
    for (name, seed) in changed {
        fixture.approve(&request, (name, *seed)).unwrap();
        fixture.deny(&request, (name, *seed)).unwrap();
    }
    for (name, seed) in &steady[..2] {
        fixture.approve(&request, (name, *seed)).unwrap();
    }
    let receipt = issued(fixture.deny(&request, (&steady[2].0, steady[2].1)));
    assert_eq!(receipt.artifact.status.as_deref(), Some("DENIED"));
}

/// Every line that a screen of that width makes of one line, and whether it is the first.
fn wrapped(line: &str, width: usize) -> Vec<String> {
    let (mut rows, mut taken) = (vec![String::new()], 0);
    for character in line.chars() {
        let columns = character.width().unwrap_or(0);
        if taken + columns > width {
            rows.push(String::new());
            taken = 0;
        }
        rows.last_mut().unwrap().push(character);
        taken += columns;
    }
    rows
}

/// Whether a row could be mistaken for the beginning of a line of the host's: a label or a margin, and two consecutive
/// blanks.
fn looks_like_the_hosts(row: &str) -> bool {
    row.chars().take(14).collect::<String>().contains("  ")
}

/// Words of invisible characters, and of fragments of the host's own lines.
fn words() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<char>().prop_map(String::from),
        (1..120_usize).prop_map(|count| " ".repeat(count)),
        "[a-zA-Z\" \\\\]{0,40}",
        Just("\n             sha256 ".to_owned()),
        Just("capability   ".to_owned()),
        Just(", approved before".to_owned()),
        Just("\u{3000}\u{a0}\u{301}".to_owned()),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_wrapped_line_of_a_request_looks_like_one_of_the_hosts() {
    let fixture = ApprovalFixture::new(None);
    let (_, id) = fixture.asked();
    let request = fixture.host.request(&id).unwrap();
    proptest!(ProptestConfig::with_cases(200), |(name in words(), reason in words(), evidence in words(), resource in words())| {
        let mut artifact = request.artifact.clone().unwrap();
        artifact.name = name;
        let evidence = Json::object([("note", Json::from(evidence))]).canonical();
        let asked = Request { artifact: Some(artifact), reason, evidence, resource, ..request.clone() };
        let view = asked.to_string();
        prop_assert!(view.chars().all(|c| c == '\n' || workflow::is_visible(c)), "{view:?}");
        let mut labels = Vec::new();
        for line in view.lines() {
            labels.push(line.chars().take(13).collect::<String>());
            for width in 40..=200 {
                for row in &wrapped(line, width)[1..] {
                    prop_assert!(!looks_like_the_hosts(row), "{width}: {row:?}\n{view}");
                }
            }
        }
        // The lines are the same for any words.
        let mut expected: Vec<_> = request.to_string().lines().map(|line| line.chars().take(13).collect::<String>()).collect();
        labels.retain(|label| !label.starts_with("WARNING"));
        expected.retain(|label| !label.starts_with("WARNING"));
        prop_assert_eq!(labels, expected);
    });
}

#[test]
fn the_hosts_own_lines_are_told_from_any_others() {
    let fixture = ApprovalFixture::new(None);
    let (_, id) = fixture.asked();
    for line in fixture.host.request(&id).unwrap().to_string().lines() {
        let heading = line == "written by the workflow, not checked by anybody:";
        assert!(heading || looks_like_the_hosts(line), "{line}");
    }
}

#[test]
fn a_reason_that_is_too_long_is_refused_when_it_is_given() {
    let fixture = ApprovalFixture::new(None);
    let (_, id) = fixture.asked();
    let receipt = issued(fixture.approve(&id, ("alice", 1)));
    let long = "x".repeat(receipt::MAX_REASON_LEN + 1);
    let error = fixture.host.revoke(&receipt.id, "operator", Some(&long)).unwrap_err().to_string();
    assert!(error.contains("the reason has 4097 bytes, and at most 4096"), "{error}");
    fixture.host.revoke(&receipt.id, "operator", Some(&long[1..])).unwrap();
}
