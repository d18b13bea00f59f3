//! The OpenAPI document: generated, served and committed.

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
