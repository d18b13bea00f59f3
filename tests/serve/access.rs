//! Every route, for every kind of caller, with the expected answer. A route that is missing here fails the test.

use crate::serve::api::{ALL, token, upload};
use crate::support;
use crate::support::http::{Answer, Served};
use engine::trust::{Act, NewToken};
use receipt::{Decision, Timestamp};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;

/// The right that a route needs.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    /// None: every caller has it.
    Nothing,
    /// A token with that scope, of the tenant that the route is about.
    Scope(&'static str),
    /// A scope; a token of another tenant is answered with its own tenant's data.
    Own(&'static str),
    /// A page for people: their session, or none. `pages` checks the answers.
    Page,
}

use Takes::{Nothing, Own, Page, Scope};

/// A route, its right, a body, and the answer to a caller with the right.
type Row = (&'static str, &'static str, Takes, &'static str, u16);

const ROWS: &[Row] = &[
    ("GET", "/healthz", Nothing, "", 200),
    ("GET", "/readyz", Nothing, "", 200),
    ("GET", "/metrics", Nothing, "", 200),
    ("GET", "/openapi.json", Nothing, "", 200),
    ("GET", "/.well-known/permission-protocol/keys.json", Nothing, "", 200),
    ("POST", "/api/v1/receipts/verify", Nothing, r#"{"artifact":{}}"#, 200),
    ("GET", "/api/v1/receipts/{receipt}", Scope("receipts:read"), "", 200),
    ("POST", "/v1/workflows", Own("instances:write"), "", 422),
    ("GET", "/v1/workflows", Own("instances:read"), "", 200),
    ("GET", "/v1/workflows/{workflow}", Scope("instances:write"), "", 200),
    ("POST", "/v1/instances", Scope("instances:write"), r#"{"workflow":"WORKFLOW","id":"one"}"#, 409),
    ("GET", "/v1/instances", Own("instances:read"), "", 200),
    ("GET", "/v1/instances/{instance}", Scope("instances:read"), "", 200),
    ("GET", "/v1/instances/{instance}/output", Scope("instances:read"), "", 200),
    ("GET", "/v1/instances/{instance}/events", Scope("instances:read"), "", 400),
    ("POST", "/v1/instances/{instance}/events", Scope("events:send"), r#"{"type":"note"}"#, 200),
    ("POST", "/v1/instances/{instance}/pause", Scope("instances:write"), "", 200),
    ("POST", "/v1/instances/{instance}/resume", Scope("instances:write"), "", 200),
    (
        "POST",
        "/v1/instances/{instance}/resolve",
        Scope("operate"),
        r#"{"receipt":"RECEIPT","happened":true,"reason":"r"}"#,
        409,
    ),
    ("GET", "/v1/approvals", Own("approvals:read"), "", 200),
    ("GET", "/v1/approvals/{request}", Scope("approvals:read"), "", 200),
    ("GET", "/v1/approvals/{request}/explanation", Scope("approvals:read"), "", 200),
    (
        "POST",
        "/v1/approvals/{request}/statement",
        Scope("approvals:write"),
        r#"{"as":"alice","decision":"APPROVED"}"#,
        403,
    ),
    ("POST", "/v1/approvals/{request}/signatures", Scope("approvals:write"), r#"{"envelope":{}}"#, 422),
    ("GET", "/v1/receipts", Own("receipts:read"), "", 200),
    ("GET", "/v1/receipts/{receipt}", Scope("receipts:read"), "", 200),
    ("GET", "/v1/receipts/{receipt}/export", Scope("receipts:read"), "", 200),
    ("POST", "/v1/receipts/{receipt}/revoke", Scope("operate"), "{}", 409),
    ("GET", "/v1/deployments", Own("instances:read"), "", 200),
    ("GET", "/v1/usage", Own("instances:read"), "", 200),
    ("GET", "/v1/limits", Own("instances:read"), "", 200),
    ("GET", "/v1/audit", Own("instances:read"), "", 200),
    ("POST", "/v1/instances/{instance}/terminate", Scope("instances:write"), "{}", 200),
    ("POST", "/v1/approvals/{request}/withdraw", Scope("approvals:write"), "{}", 409),
    ("POST", "/v1/instances/{instance}/restart", Scope("instances:write"), "{}", 200),
    ("DELETE", "/v1/instances/{instance}", Scope("instances:write"), "", 409),
    ("DELETE", "/v1/workflows/{workflow}", Scope("instances:write"), "", 204),
];

/// One instance that waits for a decision, and one that was decided.
struct Fixture {
    served: Served,
    now: Arc<AtomicI64>,
    names: [(&'static str, String); 6],
}

impl Fixture {
    fn set() -> Self {
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = Arc::clone(&now);
        let served = Served::begin_with(
            TempDir::new().unwrap(),
            |builder| builder.clock(move || Timestamp::from_millis(clock.load(Ordering::Relaxed))),
            Default::default(),
            None,
        );
        let fixture = Self { served, now, names: Default::default() };
        let token = fixture.token("acme", ALL, 1_000_000).0;
        let workflow = upload(&fixture.served, &token, "tenant-workflow").json()["workflow"].clone();
        let workflow = workflow.as_str().unwrap().to_owned();
        let (mut requests, mut receipt) = (Vec::new(), String::new());
        for id in ["two", "one"] {
            fixture.served.post_as(
                &token,
                "/v1/instances",
                &json!({"workflow": workflow, "id": id, "params": {"other": 1}}),
            );
            let request = support::awaited("it asks", || {
                let waiting = fixture.served.get_as(&token, "/v1/approvals").json();
                waiting["requests"][0]["request"].as_str().map(str::to_owned)
            });
            if id == "two" {
                let judgement = support::judgement(Decision::Denied);
                receipt =
                    fixture.served.host.decide(&request.parse().unwrap(), &judgement).unwrap().id.to_string();
            }
            requests.push(request);
        }
        let names = [
            ("{instance}", "one".to_owned()),
            ("{request}", requests.pop().unwrap()),
            ("{receipt}", receipt.clone()),
            ("{workflow}", workflow.clone()),
            ("WORKFLOW", workflow),
            ("RECEIPT", receipt),
        ];
        Self { names, ..fixture }
    }

    fn token(&self, tenant: &str, scopes: &str, millis: i64) -> (String, engine::trust::TokenId) {
        let tenant = tenant.parse().unwrap();
        let token = NewToken::of(&tenant, &engine::random_bytes().unwrap(), &engine::random_bytes().unwrap());
        let act = Act::TokenCreated {
            token: token.id.clone(),
            tenant,
            scopes: scopes.split(',').map(|scope| scope.parse().unwrap()).collect(),
            sha256: token.sha256(),
            expires_at: Timestamp::from_millis(self.now.load(Ordering::Relaxed) + millis),
        };
        self.served.host.record_act("operator", act).unwrap();
        (token.text().to_owned(), token.id)
    }

    fn ask(&self, (method, path, _, body, _): &Row, token: Option<&str>) -> Answer {
        let named = |text: &str| {
            self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
        };
        let bearer = token.map(|token| format!("Bearer {token}")).unwrap_or_default();
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.retain(|_| token.is_some());
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        if path.ends_with("/events") {
            // A stream that is refused once the caller is known to be allowed.
            headers.push(("Last-Event-ID", "none"));
        }
        self.served.send(method, &named(path), &headers, named(body).as_bytes())
    }
}

fn all_but(scope: &str) -> String {
    ALL.split(',').filter(|other| *other != scope).collect::<Vec<_>>().join(",")
}

#[test]
fn every_route_stands_in_the_table() {
    let listed: BTreeSet<_> = ROWS.iter().map(|(method, path, ..)| (*method, *path)).collect();
    let pages: BTreeSet<_> = crate::serve::page::ROUTES.iter().copied().collect();
    let served: BTreeSet<_> = server::routes().collect();
    let known: BTreeSet<_> = listed.union(&pages).copied().collect();
    assert_eq!(
        served.difference(&known).collect::<Vec<_>>(),
        Vec::<&(&str, &str)>::new(),
        "not in the table"
    );
    assert_eq!(known.difference(&served).collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "not served");
}

#[test]
fn every_caller_is_answered_as_the_table_says() {
    let fixture = Fixture::set();
    let expired = fixture.token("acme", ALL, 1).0;
    fixture.now.fetch_add(2, Ordering::Relaxed);
    let (revoked, id) = fixture.token("acme", ALL, 1_000_000);
    fixture
        .served
        .host
        .record_act("operator", Act::TokenRevoked { token: id, reason: "test".to_owned() })
        .unwrap();
    let other = fixture.token("globex", ALL, 1_000_000).0;
    for row in ROWS {
        let (method, path, takes, _, right) = row;
        let (Scope(scope) | Own(scope)) = *takes else {
            assert!(*takes == Page || fixture.ask(row, None).status == *right, "{method} {path}");
            continue;
        };
        let is = |who: &str, token: Option<&str>, status: u16, code: &str| {
            let answer = fixture.ask(row, token);
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{who}: {method} {path}");
        };
        is("nobody", None, 401, "unauthenticated");
        is("expired", Some(&expired), 401, "token");
        is("revoked", Some(&revoked), 401, "token");
        let small = fixture.token("acme", &all_but(scope), 1_000_000).0;
        is("too small a scope", Some(&small), 403, "missing-scope");
        let foreign = fixture.ask(row, Some(&other));
        match takes {
            Own(_) => assert_eq!(foreign.status, *right, "other tenant: {method} {path}: {foreign:?}"),
            _ => assert_eq!(foreign.status, 404, "other tenant: {method} {path}: {foreign:?}"),
        }
        for (_, name) in &fixture.names[..3] {
            let own = format!("\"{name}\"");
            assert!(!foreign.body.contains(&own), "another tenant's is told: {method} {path}: {foreign:?}");
        }
        let answer = fixture.ask(row, Some(&fixture.token("acme", scope, 1_000_000).0));
        assert_eq!(answer.status, *right, "right: {method} {path}: {answer:?}");
    }
}

#[test]
fn a_token_reaches_no_tenant_but_its_own() {
    let fixture = Fixture::set();
    let token = token(&fixture.served, "globex", ALL);
    for path in [
        "/v1/instances",
        "/v1/approvals",
        "/v1/receipts",
        "/v1/usage",
        "/v1/audit",
        "/v1/deployments",
        "/v1/workflows",
    ] {
        let answer = fixture.served.get_as(&token, &format!("{path}?tenant=acme"));
        assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"), "{path}");
    }
    assert_eq!(
        fixture.served.get_as(&token, "/v1/instances?tenant=acme&tenant=globex").code(),
        "invalid-request"
    );
}
