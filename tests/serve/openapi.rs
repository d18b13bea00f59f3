//! The OpenAPI document: generated, served and committed.

use crate::serve::api;
use crate::support;
use crate::support::http::Served;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let served = Served::begin().get("/openapi.json");
    assert_eq!(served.json(), server::openapi());
    let path = support::root().join("docs/openapi.json");
    let generated = serde_json::to_string_pretty(&server::openapi()).unwrap() + "\n";
    if std::env::var_os("PP_HOST_WRITE_OPENAPI").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == generated,
        "docs/openapi.json is another document: run this test with PP_HOST_WRITE_OPENAPI=1 and look at what changes"
    );
}

#[test]
fn every_reference_in_the_document_leads_somewhere_and_ids_are_unique() {
    let document = server::openapi();
    let mut ids = BTreeSet::new();
    for operations in document["paths"].as_object().unwrap().values() {
        for operation in operations.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
        }
    }
    let mut stack = vec![&document];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                stack.extend(members.values());
            }
            Value::Array(members) => stack.extend(members),
            _ => {}
        }
    }
}

/// Exactly the operations that refuse a caller without a token name the token.
#[test]
fn the_document_says_which_operations_need_a_token() {
    let served = Served::begin();
    for (path, operations) in server::openapi()["paths"].as_object().unwrap() {
        let Some(operation) = operations.get("get").filter(|_| !path.ends_with("/events")) else { continue };
        let answer = served.get(&path.replace("{receipt}", "rcpt_none").replace(['{', '}'], ""));
        let refuses = answer.status == 401;
        assert_eq!(operation.get("security").is_some(), refuses, "{path}: {answer:?}");
    }
}

/// The schema of an operation's successful answer, without additional members.
fn answer_schema(path: &str, method: &str) -> Value {
    let document = server::openapi();
    let mut schema =
        document["paths"][path][method]["responses"]["2XX"]["content"]["application/json"]["schema"].clone();
    assert!(schema.is_object(), "{method} {path}");
    let mut components = document["components"].clone();
    for component in components["schemas"].as_object_mut().unwrap().values_mut() {
        if component.get("properties").is_some() {
            component["additionalProperties"] = false.into();
        }
    }
    schema["components"] = components;
    schema
}

#[test]
fn answers_have_the_shapes_that_the_document_says() {
    let served = Served::begin();
    let token = api::token(&served, "acme", api::ALL);
    let workflow = api::upload(&served, &token, "tenant-workflow").json()["workflow"].clone();
    for id in ["done", "waits", "ended"] {
        let new = serde_json::json!({ "workflow": workflow, "id": id });
        assert_eq!(served.post_as(&token, "/v1/instances", &new).status, 201);
        let stands = |status: &str| {
            let path = format!("/v1/instances/{id}");
            support::until(status, || served.get_as(&token, &path).json()["status"] == status);
        };
        stands("waiting");
        if id == "done" {
            served.cli(&["drive", "acme/done", "--approve"]);
            stands("complete");
        }
    }
    let why = serde_json::json!({ "reason": "r" });
    assert_eq!(served.post_as(&token, "/v1/instances/ended/terminate", &why).status, 200);
    let request = served.get_as(&token, "/v1/approvals").json()["requests"][0]["request"].clone();
    let receipt = served.get_as(&token, "/v1/receipts").json()["receipts"][0]["receipt_id"].clone();
    let mut seen = 0;
    for (method, path) in server::routes().filter(|(method, _)| *method == "GET") {
        let streams = path.ends_with("/events") || path == "/v1/audit";
        if !path.starts_with("/v1/") || streams {
            continue;
        }
        for instance in ["done", "waits", "ended"] {
            let filled = path
                .replace("{workflow}", workflow.as_str().unwrap())
                .replace("{instance}", instance)
                .replace("{request}", request.as_str().unwrap())
                .replace("{receipt}", receipt.as_str().unwrap());
            let answer = served.get_as(&token, &filled);
            assert_eq!(answer.status, 200, "{filled}: {answer:?}");
            let schema = answer_schema(path, "get");
            let validator = jsonschema::validator_for(&schema).unwrap();
            let errors: Vec<_> =
                validator.iter_errors(&answer.json()).map(|error| error.to_string()).collect();
            assert!(errors.is_empty(), "{method} {filled}: {errors:#?} in {}", answer.body);
            seen += 1;
        }
    }
    assert!(seen >= 36, "{seen}");
    let verify = |body: &Value| served.post_as(&token, "/api/v1/receipts/verify", body).json();
    let schema = answer_schema("/api/v1/receipts/verify", "post");
    let validator = jsonschema::validator_for(&schema).unwrap();
    for body in [
        serde_json::json!({ "receiptId": receipt }),
        serde_json::json!({ "receiptId": "rcpt_none" }),
        serde_json::json!({ "artifact": {} }),
    ] {
        let answer = verify(&body);
        let errors: Vec<_> = validator.iter_errors(&answer).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:#?} in {answer}");
    }
}
