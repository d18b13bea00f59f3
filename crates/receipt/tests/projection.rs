//! The build rule and the check, from outside: signed projections, refusals, and their messages.

use crate::common;
use crate::common::{by_policy, draft, json, keys, payload, seal, signer, with};
use receipt::{Draft, Json, Rule, VerifyError, mint, verify};

/// The reason for refusing `projection`, or `None` when it is allowed.
fn refusal(projection: &str) -> Option<String> {
    let payload = with(&payload(), "publicProjectionJson", Some(projection.into()));
    match verify(&seal(&payload.canonical(), &signer()), &keys()) {
        Ok(_) => None,
        Err(VerifyError::ProjectionNotAllowed(reason)) => Some(reason.into_owned()),
        Err(other) => Some(other.code().to_owned()),
    }
}

fn allowed(tag: &str, facts: &str) -> Option<String> {
    refusal(&with(&json(facts), "projection", Some(tag.into())).canonical())
}

const TAGS: [&str; 4] = ["deploy_gate/v1", "deploy_gate/v2", "execute/v1", "revocation/v1"];

#[test]
fn a_projection_may_hold_nothing_but_its_tag() {
    for tag in TAGS {
        assert_eq!(allowed(tag, "{}"), None);
    }
}

#[test]
fn only_listed_paths_are_allowed() {
    for tag in TAGS {
        for facts in [
            r#"{"tenantId":"acme"}"#,
            r#"{"receiptSummary":"free text"}"#,
            r#"{"receiptBinding":{"companyId":"acme"}}"#,
            r#"{"intent":{"summary":"free text"}}"#,
            r#"{"__proto__":{}}"#,
            r#"{"":{}}"#,
            r#"{"inten":{"name":"x"}}"#,
            r#"{"intent":{"nam":"x"}}"#,
            r#"{"intents":{"name":"x"}}"#,
            r#"{"action":{"parameters":{}}}"#,
        ] {
            assert!(allowed(tag, facts).unwrap().ends_with("is not in the allowlist"), "{tag} {facts}");
        }
    }
    assert_eq!(
        allowed("execute/v1", r#"{"metadata":{"demo":true}}"#).unwrap(),
        "metadata is not in the allowlist"
    );
    assert_eq!(
        allowed(
            "deploy_gate/v1",
            r#"{"policyAuthorization":{"recordedDecisions":[{"at":"x"},{"authMethod":"y"}]}}"#
        )
        .unwrap(),
        "policyAuthorization.recordedDecisions[1].authMethod is not in the allowlist"
    );
}

#[test]
fn slots_hold_what_they_are_for() {
    let long = format!(r#"{{"intent":{{"name":"{}"}}}}"#, "a".repeat(128));
    assert_eq!(allowed("execute/v1", &long), None);
    for bad in
        [format!(r#"{{"intent":{{"name":"{}"}}}}"#, "a".repeat(129)), r#"{"intent":{"name":""}}"#.to_owned()]
    {
        assert_eq!(allowed("execute/v1", &bad).unwrap(), "intent.name is not an identifier");
    }
    for value in ["1", "null", "true", "[]", "{}", r#""a b""#, r#""é""#, r#""a\n""#, r#"["a"]"#] {
        let facts = format!(r#"{{"action":{{"tool":{value}}}}}"#);
        assert_eq!(allowed("execute/v1", &facts).unwrap(), "action.tool is not an identifier", "{value}");
    }
    assert_eq!(allowed("execute/v1", r#"{"action":{"tool":"Aa0._:/-"}}"#), None);
    for value in [r#""test""#, "1", r#"["production"]"#, r#""Production""#] {
        let facts = format!(r#"{{"context":{{"environment":{value}}}}}"#);
        let reason = allowed("execute/v1", &facts).unwrap();
        assert_eq!(reason, "context.environment is not one of development, staging, production");
    }
    for value in ["1", "null", "true", "[]", r#""free text""#, r#"["a",1,null,false]"#] {
        assert_eq!(
            allowed("deploy_gate/v1", &format!(r#"{{"action":{{"tool":{value}}}}}"#)),
            None,
            "{value}"
        );
    }
    for value in ["{}", r#"[[]]"#, r#"[{}]"#, r#"{"a":1}"#] {
        let reason = allowed("deploy_gate/v1", &format!(r#"{{"action":{{"tool":{value}}}}}"#)).unwrap();
        assert_eq!(reason, "action.tool is neither a scalar nor an array of scalars", "{value}");
    }
}

#[test]
fn repository_identity_needs_a_public_repository() {
    for (tag, facts) in [
        ("deploy_gate/v1", r#""policy":{"decision":{"matchedInputs":{"changedPaths":["a"]}}}"#),
        ("deploy_gate/v2", r#""metadata":{"pullRequest":7}"#),
        ("deploy_gate/v2", r#""policyAuthorization":{"branch":"main"}"#),
    ] {
        for (visibility, shown) in [
            ("", false),
            (r#""scope":{"visibility":"private"},"#, false),
            (r#""scope":{"visibility":"public"},"#, true),
        ] {
            let reason = allowed(tag, &format!("{{{visibility}{facts}}}"));
            assert_eq!(reason.is_none(), shown, "{tag} {facts} {visibility}");
            assert!(
                shown
                    || reason
                        .unwrap()
                        .ends_with(r#"is repository identity and scope.visibility is not "public""#)
            );
        }
    }
    for tag in ["deploy_gate/v1", "deploy_gate/v2", "revocation/v1"] {
        for key in ["repo", "ref", "workflow"] {
            assert!(allowed(tag, &format!(r#"{{"scope":{{"{key}":"x"}}}}"#)).is_some());
            assert_eq!(allowed(tag, &format!(r#"{{"scope":{{"{key}":"x","visibility":"public"}}}}"#)), None);
        }
    }
}

#[test]
fn rule_identity_needs_a_public_repository_under_v2_only() {
    for facts in [
        r#""policy":{"decision":{"ruleId":"r"}}"#,
        r#""policy":{"decision":{"ruleVersion":"r"}}"#,
        r#""metadata":{"denial":{"ruleId":"r"}}"#,
        r#""metadata":{"override":{"ruleId":"r"}}"#,
        r#""metadata":{"override":{"ruleVersion":"r"}}"#,
    ] {
        assert_eq!(allowed("deploy_gate/v1", &format!("{{{facts}}}")), None);
        let reason = allowed("deploy_gate/v2", &format!("{{{facts}}}")).unwrap();
        assert!(
            reason.ends_with(r#"is policy rule identity and scope.visibility is not "public""#),
            "{reason}"
        );
        assert_eq!(
            allowed("deploy_gate/v2", &format!(r#"{{{facts},"scope":{{"visibility":"public"}}}}"#)),
            None
        );
    }
}

#[test]
fn containers_are_never_empty_except_as_places() {
    assert_eq!(allowed("deploy_gate/v1", r#"{"intent":{}}"#).unwrap(), "intent is empty");
    assert_eq!(
        allowed("deploy_gate/v1", r#"{"policy":{"decision":{}}}"#).unwrap(),
        "policy.decision is empty"
    );
    for value in ["[]", "[1]", r#""x""#, "{}", "null"] {
        assert!(allowed("deploy_gate/v1", &format!(r#"{{"intent":{value}}}"#)).is_some(), "{value}");
    }
    let decisions = |value: &str| {
        allowed("deploy_gate/v1", &format!(r#"{{"deploymentRenewal":{{"recordedDecisions":{value}}}}}"#))
    };
    assert_eq!(decisions(r#"[{},{"at":"x"},{}]"#), None);
    let reason =
        "deploymentRenewal.recordedDecisions must be an array with at least one element that is not empty";
    for value in ["[]", "[{}]", "[{},{}]", "{}", r#"{"at":"x"}"#, "1"] {
        assert_eq!(decisions(value).unwrap(), reason, "{value}");
    }
    assert_eq!(
        decisions(r#"[{"at":"x"},1]"#).unwrap(),
        "deploymentRenewal.recordedDecisions[1] must be an object"
    );
}

#[test]
fn the_text_is_canonical() {
    assert_eq!(refusal(r#"{"projection":"execute/v1"}"#), None);
    for text in [
        r#" {"projection":"execute/v1"}"#,
        r#"{"projection" :"execute/v1"}"#,
        r#"{"projection":"execute\/v1"}"#,
        r#"{"projection":"execute/v1","intent":{"name":"a"}}"#,
    ] {
        assert_eq!(refusal(text).unwrap(), "publicProjectionJson is not canonical", "{text}");
    }
    assert_eq!(refusal(r#"{"projection":"execute/v1","projection":"execute/v1"}"#).unwrap(), "MALFORMED");
}

/// The projection that minting makes of a request.
fn projected(request: &str) -> Json {
    let draft = common::by_policy(receipt::Draft { request: json(request), ..common::draft() });
    let minted = receipt::mint(&draft, &signer()).unwrap();
    let projection = verify(&minted.artifact, &keys()).unwrap().projection().unwrap().clone();
    with(&projection, "projection", None)
}

#[test]
fn building_copies_what_fits_and_omits_the_rest() {
    assert_eq!(projected("{}"), json("{}"));
    assert_eq!(
        projected(r#"{"intent":"x","action":{"tool":"a b","operation":"deploy","parameters":{"secret":1}}}"#),
        json(r#"{"action":{"operation":"deploy"}}"#)
    );
    assert_eq!(
        projected(r#"{"context":{"environment":"elsewhere","metadata":{"a":1}},"intent":{"name":null}}"#),
        json("{}")
    );
    assert_eq!(
        projected(r#"{"intent":{"name":"x","summary":"free"},"scope":{"repo":"a/b","visibility":"public"}}"#),
        json(r#"{"intent":{"name":"x"}}"#)
    );
}

#[test]
fn a_withheld_rule_is_reported_as_withheld() {
    let rule = |tag: &str, facts: &str| {
        let projection = with(&json(facts), "projection", Some(tag.into())).canonical();
        let payload = with(&payload(), "publicProjectionJson", Some(projection.into()));
        verify(&seal(&payload.canonical(), &signer()), &keys()).unwrap().rule()
    };
    let private = r#"{"scope":{"visibility":"private"}}"#;
    assert_eq!(rule("deploy_gate/v2", private), Rule::Withheld { visibility_recorded: true });
    assert_eq!(rule("deploy_gate/v2", "{}"), Rule::Withheld { visibility_recorded: false });
    assert_eq!(rule("deploy_gate/v2", r#"{"scope":{"visibility":"public"}}"#), Rule::NotRecorded);
    for tag in ["deploy_gate/v1", "execute/v1", "revocation/v1"] {
        assert_eq!(rule(tag, "{}"), Rule::NotRecorded);
    }
    let decided =
        r#"{"policy":{"decision":{"ruleId":"a","ruleVersion":"1"}},"metadata":{"override":{"ruleId":"b"}}}"#;
    assert_eq!(rule("deploy_gate/v1", decided), Rule::Named("a@1".to_owned()));
    // A rule has a version; and an override or a denial names the rule of another decision.
    for facts in [
        r#"{"policy":{"decision":{"ruleId":"a"}}}"#,
        r#"{"metadata":{"denial":{"ruleId":"c"},"override":{"ruleId":"b","ruleVersion":"2"}}}"#,
        r#"{"metadata":{"denial":{"ruleId":"c"}}}"#,
    ] {
        assert_eq!(rule("deploy_gate/v1", facts), Rule::NotRecorded, "{facts}");
    }
}

#[test]
fn an_opened_request_records_the_decision_s_rule_or_the_override_s_or_the_denial_s() {
    for (facts, name) in [
        (r#"{"policy":{"decision":{"ruleId":"a","ruleVersion":"1"}}}"#, Some("a@1")),
        (r#"{"policy":{"decision":{"ruleId":"a"}},"metadata":{"override":{"ruleId":"b"}}}"#, Some("b")),
        (
            r#"{"metadata":{"denial":{"ruleId":"c"},"override":{"ruleId":"b","ruleVersion":"2"}}}"#,
            Some("b@2"),
        ),
        (r#"{"metadata":{"denial":{"ruleId":"c"}}}"#, Some("c")),
        ("{}", None),
    ] {
        let minted = mint(&by_policy(Draft { request: json(facts), ..draft() }), &signer()).unwrap();
        let receipt = verify(&minted.artifact, &keys()).unwrap();
        assert_eq!(receipt.open(&minted.opening).unwrap().rule().as_deref(), name, "{facts}");
    }
}
