//! The build rule a second time, written in the other direction: path by path, as the specification describes it.
//!
//! The tables are a second transcription of the specification's. Both must project random requests along their paths in
//! the same way, and every projection must pass the check.

use std::collections::BTreeMap;

use proptest::prelude::*;
use receipt::{Digest, Json, Opening, Salt, check_stored, verify};

use crate::common::{json, keys, payload, seal, signer, with};

/// Path, slot (`v`alue, `i`dentifier, or the words), mark.
const SCOPE: &str = "scope.env i|scope.capability i|scope.commitSha i|scope.artifact_digest i|scope.visibility public,private|\
    scope.repo i †|scope.ref i †|scope.workflow i †";
const REVERSIBILITY: &str = "REVERSIBLE,PARTIALLY_REVERSIBLE,IRREVERSIBLE";

fn table(tag: &str) -> Vec<(Vec<String>, String, char)> {
    let text = match tag {
        "execute/v1" => format!(
            "intent.name i|intent.category i|action.tool i|action.operation i|\
             context.environment development,staging,production|context.reversibility {REVERSIBILITY}"
        ),
        "revocation/v1" => {
            format!("intent.name v|metadata.revokedReceiptId v|metadata.deployGateRequestId v|{SCOPE}")
        }
        _ => format!(
            "intent.name v|intent.category v|action.tool v|action.operation v|context.environment i|\
             context.reversibility {REVERSIBILITY}|{SCOPE}|policy.expiresAt v|policy.decision.outcome v|\
             policy.decision.ruleId v ‡|policy.decision.ruleVersion v ‡|policy.decision.matchedInputs.changeClass v|\
             policy.decision.matchedInputs.analysisComplete v|policy.decision.matchedInputs.targetBranch v †|\
             policy.decision.matchedInputs.defaultBranch v †|policy.decision.matchedInputs.changedPaths v †|\
             policy.authorizationBinding.version v|policy.authorizationBinding.path v|\
             policy.authorizationBinding.commitSha v|policy.authorizationBinding.rulesHash v|\
             policy.authorizationBinding.repository v †|policy.authorizationBinding.branch v †|\
             policy.authorizationBinding.prNumber v †|policyAuthorization.version v|policyAuthorization.evaluatorVersion v|\
             policyAuthorization.policyBlob v|policyAuthorization.headSha v|policyAuthorization.branch v †|\
             policyAuthorization.recordedDecisions[].displayName v|policyAuthorization.recordedDecisions[].at v|\
             metadata.deployGateRequestId v|metadata.denial.category v|metadata.denial.decisionClass v|\
             metadata.denial.ruleId v ‡|metadata.denial.final v|metadata.denial.requireNewRequest v|\
             metadata.denial.decidedAt v|metadata.override.overriddenReceiptId v|\
             metadata.override.overriddenDecisionClass v|metadata.override.ruleId v ‡|metadata.override.ruleVersion v ‡|\
             metadata.override.deniedAt v|metadata.override.grantsAuthorization v|metadata.override.nextState v|\
             metadata.pullRequest v †|metadata.demo v|metadata.demoScope v|metadata.approverDisplayName v|\
             deploymentRenewal.purpose v|deploymentRenewal.previousReceiptId v|deploymentRenewal.mergeCommitSha v|\
             deploymentRenewal.rulesHash v|deploymentRenewal.recordedDecisions[].displayName v|\
             deploymentRenewal.recordedDecisions[].at v"
        ),
    };
    let row = |row: &str| {
        let mut parts = row.split_whitespace();
        let path = parts.next().unwrap().split('.').map(str::to_owned).collect();
        (
            path,
            parts.next().unwrap().to_owned(),
            parts.next().map_or(' ', |mark| mark.chars().next().unwrap()),
        )
    };
    text.split('|').map(row).collect()
}

/// The tree under construction: its inner nodes record that they were created.
enum Node {
    Leaf(Json),
    Object(BTreeMap<String, Node>),
    Array(Vec<Node>),
}

fn naive_build(tag: &str, request: &Json) -> String {
    let public = request.pointer(["scope", "visibility"]).and_then(Json::as_str) == Some("public");
    let mut root = Node::Object(BTreeMap::new());
    for (path, slot, mark) in table(tag) {
        let hidden = mark == '†' || (mark == '‡' && tag == "deploy_gate/v2");
        if public || !hidden {
            copy(request, &mut root, &path, &slot);
        }
    }
    let facts = prune(root).unwrap_or_else(|| json("{}"));
    with(&facts, "projection", Some(tag.into())).canonical()
}

fn copy(source: &Json, target: &mut Node, path: &[String], slot: &str) {
    let (Node::Object(target), Some(segment)) = (target, path.first()) else { return };
    let key = segment.trim_end_matches("[]");
    let Some(value) = source.get(key) else { return };
    if path.len() == 1 {
        if fits(value, slot) {
            target.insert(key.to_owned(), Node::Leaf(value.clone()));
        }
    } else if segment.ends_with("[]") {
        let Some(elements) = value.as_array() else { return };
        let places = || Node::Array(elements.iter().map(|_| Node::Object(BTreeMap::new())).collect());
        let Node::Array(places) = target.entry(key.to_owned()).or_insert_with(places) else { return };
        for (element, place) in elements.iter().zip(places) {
            copy(element, place, &path[1..], slot);
        }
    } else if value.as_object().is_some() {
        copy(
            value,
            target.entry(key.to_owned()).or_insert_with(|| Node::Object(BTreeMap::new())),
            &path[1..],
            slot,
        );
    }
}

fn fits(value: &Json, slot: &str) -> bool {
    match slot {
        "v" => value.is_scalar() || value.as_array().is_some_and(|all| all.iter().all(Json::is_scalar)),
        "i" => value.as_str().is_some_and(|text| {
            !text.is_empty()
                && text.len() <= 128
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "._:/-".contains(c))
        }),
        words => value.as_str().is_some_and(|text| words.split(',').any(|word| word == text)),
    }
}

/// Removes created nodes without content; elements of an array keep their places while one of them has content.
fn prune(node: Node) -> Option<Json> {
    match node {
        Node::Leaf(json) => Some(json),
        Node::Object(members) => {
            let members: Vec<_> =
                members.into_iter().filter_map(|(key, node)| Some((key, prune(node)?))).collect();
            (!members.is_empty()).then(|| Json::object(members))
        }
        Node::Array(places) => {
            let elements: Vec<_> = places.into_iter().map(prune).collect();
            let any = elements.iter().any(Option::is_some);
            any.then(|| {
                elements
                    .into_iter()
                    .map(|element| element.unwrap_or_else(|| json("{}")))
                    .collect::<Vec<_>>()
                    .into()
            })
        }
    }
}

/// The code of opening `request` under the signed projection `projection`.
fn opened(request: &Json, projection: &str) -> &'static str {
    let binding = json(r#"{"companyId":null,"idemKey":null,"inputHash":null}"#);
    let request = with(request, "receiptBinding", Some(binding)).canonical();
    let salt = Salt::from_bytes([4; 32]);
    let commitment = Digest::of(&[&salt.as_bytes()[..], request.as_bytes()].concat()).tagged();
    let payload =
        Json::object([("requestCommitment", commitment.into()), ("publicProjectionJson", projection.into())]);
    check_stored(&payload.canonical(), &Opening::new(request, salt))
        .err()
        .map_or("opened", |error| error.code())
}

fn is_allowed(projection: &str) -> bool {
    let payload = with(&payload(), "publicProjectionJson", Some(projection.into()));
    verify(&seal(&payload.canonical(), &signer()), &keys()).is_ok()
}

#[test]
fn arrays_keep_places_and_empty_containers_go() {
    for (request, projection) in [
        (
            r#"{"deploymentRenewal":{"recordedDecisions":[{"at":"x","userId":"u"},1,{},{"displayName":"d"}]}}"#,
            r#"{"deploymentRenewal":{"recordedDecisions":[{"at":"x"},{},{},{"displayName":"d"}]},"projection":"deploy_gate/v1"}"#,
        ),
        (
            r#"{"deploymentRenewal":{"recordedDecisions":[{"userId":"u"},1]}}"#,
            r#"{"projection":"deploy_gate/v1"}"#,
        ),
        (r#"{"deploymentRenewal":{"recordedDecisions":{"at":"x"}}}"#, r#"{"projection":"deploy_gate/v1"}"#),
        (
            r#"{"deploymentRenewal":{"recordedDecisions":[]},"policy":{"decision":{}}}"#,
            r#"{"projection":"deploy_gate/v1"}"#,
        ),
        (
            r#"{"metadata":{"demo":[],"denial":{"final":[1,{}]}}}"#,
            r#"{"metadata":{"demo":[]},"projection":"deploy_gate/v1"}"#,
        ),
    ] {
        assert_eq!(naive_build("deploy_gate/v1", &json(request)), projection);
        assert_eq!(opened(&json(request), projection), "opened", "{request}");
        assert!(is_allowed(projection), "{projection}");
    }
}

/// A value for a path: one that fits, one that does not, or something else altogether.
fn value() -> impl Strategy<Value = Json> {
    let texts = [
        "\"public\"",
        "\"private\"",
        "\"production\"",
        "\"IRREVERSIBLE\"",
        "\"main\"",
        "\"free text\"",
        "\"\"",
        "null",
        "7",
        "true",
        "[]",
        "[1,\"a\"]",
        "[{}]",
        "{}",
        "{\"x\":1}",
        "[[]]",
    ];
    prop::sample::select(texts.to_vec()).prop_map(json)
}

/// A request that has some of the paths of `tag`, and some of their containers replaced by something else.
fn request(tag: &'static str) -> impl Strategy<Value = Json> {
    let rows = table(tag);
    let choices = prop::collection::vec((0..rows.len(), value(), 0..9_usize), 0..14);
    (choices, prop::sample::select(vec!["public", "private", "other", ""])).prop_map(
        move |(choices, visibility)| {
            let mut request = json("{}");
            for (row, value, spoil) in choices {
                let path = &rows[row].0;
                // Now and then the path ends early, at a container.
                let depth = if spoil == 0 { path.len().min(2) } else { path.len() };
                request = set(&request, &path[..depth], value);
            }
            if visibility.is_empty() {
                request
            } else {
                set(&request, &["scope".into(), "visibility".into()], visibility.into())
            }
        },
    )
}

fn set(target: &Json, path: &[String], value: Json) -> Json {
    let Some(segment) = path.first() else { return value };
    let key = segment.trim_end_matches("[]");
    let inner = target.get(key).cloned().unwrap_or_else(|| json("{}"));
    let inner = if segment.ends_with("[]") && path.len() > 1 {
        // Three places: one that is filled, one that is not an object, one that stays empty.
        let first = inner.as_array().and_then(|all| all.first().cloned()).unwrap_or_else(|| json("{}"));
        Json::Array(vec![set(&first, &path[1..], value), 1_u32.into(), json("{}")])
    } else {
        set(&inner, &path[1..], value)
    };
    if target.as_object().is_some() { with(target, key, Some(inner)) } else { Json::object([(key, inner)]) }
}

fn agrees(tag: &str, request: &Json) -> Result<(), TestCaseError> {
    let projection = naive_build(tag, request);
    prop_assert_eq!(opened(request, &projection), "opened", "{} {}", request.canonical(), projection);
    prop_assert!(is_allowed(&projection), "{}", projection);
    Ok(())
}

proptest! {
    #[test]
    fn both_build_the_same_under_deploy_gate_v1(request in request("deploy_gate/v1")) {
        agrees("deploy_gate/v1", &request)?;
    }

    #[test]
    fn both_build_the_same_under_deploy_gate_v2(request in request("deploy_gate/v2")) {
        agrees("deploy_gate/v2", &request)?;
    }

    #[test]
    fn both_build_the_same_under_execute_v1(request in request("execute/v1")) {
        agrees("execute/v1", &request)?;
    }

    #[test]
    fn both_build_the_same_under_revocation_v1(request in request("revocation/v1")) {
        agrees("revocation/v1", &request)?;
    }
}
