//! The OpenAPI document, from the table of routes and the types of bodies.

use crate::problem::ProblemDocument;
use crate::request::route::{Audience, BodyKind, ResponseKind, Route};
use crate::request::shape::{Shape, shape};
use serde_json::{Map, Value, json};

/// The document of the routes that programs use. Those that `is_for_tenants` names need a token.
pub(crate) fn document(
    routes: impl Iterator<Item = &'static Route>,
    is_for_tenants: impl Fn(&Route) -> bool,
) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    let mut keep = |shape: Shape| {
        let reference = json!({ "$ref": format!("#/components/schemas/{}", shape.name) });
        schemas.extend(shape.parts);
        schemas.insert(shape.name, shape.schema);
        reference
    };
    keep(shape::<ProblemDocument>());
    for route in routes.filter(|route| route.audience == Audience::Programs) {
        let operation = operation(route, is_for_tenants(route), &mut keep);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "pp-host",
            "version": "1",
            "summary": "Run tenant workflows durably; approve what they ask for; verify what was approved.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "pp-host tokens create" },
            },
        },
    })
}

fn operation(route: &Route, is_tenants: bool, keep: &mut impl FnMut(Shape) -> Value) -> Value {
    let parts = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<_> = parts
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    for name in queries(route) {
        parameters
            .push(json!({ "name": name, "in": "query", "required": false, "schema": query_schema(name) }));
    }
    let given = match route.gives {
        ResponseKind::Shape(gives) => keep(gives()),
        ResponseKind::Document | ResponseKind::Nothing => json!({ "type": "object" }),
    };
    let kind = match route.path {
        "/healthz" | "/readyz" | "/metrics" => "text/plain",
        "/v1/audit" => "application/jsonl",
        path if path.ends_with("/events") && route.takes.is_none() => "text/event-stream",
        _ => "application/json",
    };
    let given = if kind == "application/json" { given } else { json!({ "type": "string" }) };
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let done = match route.gives {
        ResponseKind::Nothing => ("204", json!({ "description": "done" })),
        _ => ("2XX", json!({ "description": "done", "content": { kind: { "schema": given } } })),
    };
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.about,
        "parameters": parameters,
        "responses": {
            done.0: done.1,
            "default": { "description": "not done", "content": { "application/problem+json": { "schema": problem } } },
        },
    });
    if is_tenants {
        operation["security"] = json!([{ "token": [] }]);
    }
    if let Some(body) = body(route, keep) {
        operation["requestBody"] = body;
    }
    operation
}

fn body(route: &Route, keep: &mut impl FnMut(Shape) -> Value) -> Option<Value> {
    let (kind, schema) = match (route.body, route.takes) {
        (BodyKind::Json, Some(takes)) => ("application/json", keep(takes())),
        (BodyKind::Json, None) => ("application/json", json!({ "type": "object" })),
        (BodyKind::Component, _) => {
            ("application/octet-stream", json!({ "type": "string", "format": "binary" }))
        }
        (BodyKind::None | BodyKind::Form, _) => return None,
    };
    Some(json!({ "required": true, "content": { kind: { "schema": schema } } }))
}

/// The parameters of the query.
fn queries(route: &Route) -> Vec<&'static str> {
    let own: &[&str] = match (route.method.as_str(), route.path) {
        ("GET", "/v1/instances") => &["status", "after", "limit"],
        ("GET", "/v1/approvals" | "/v1/receipts" | "/v1/deployments") => &["after", "limit"],
        ("GET", "/v1/instances/{instance}/events") => &["from"],
        ("GET", "/v1/receipts/{receipt}/export") => &["extent"],
        ("GET", "/v1/audit") => &["instance", "after", "limit"],
        _ => &[],
    };
    let tenant = route.path.starts_with("/v1/").then_some("tenant");
    own.iter().copied().chain(tenant).collect()
}

fn query_schema(name: &str) -> Value {
    match name {
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX }),
        "from" => json!({ "type": "integer", "minimum": 0 }),
        "extent" => json!({ "type": "string", "enum": ["owner", "public"] }),
        _ => json!({ "type": "string" }),
    }
}

/// The method and the words of the path.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '.', '-']).map(|part| part.trim_matches(['{', '}']));
    let words: Vec<_> = words.filter(|part| !part.is_empty()).collect();
    format!("{}_{}", route.method.as_str().to_lowercase(), words.join("_"))
}
