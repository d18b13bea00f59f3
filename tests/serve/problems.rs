//! The status and code of refusals: each tells the caller what to do, and nothing about this machine.

use crate::serve::api::{ALL, token, upload};
use crate::support;
use crate::support::guest;
use crate::support::http::{Answer, Served, parse};
use crate::support::people::{add_alice, decider_key};
use crate::support::serving::Serving;
use engine::trust::Act;
use receipt::Decision;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use tempfile::TempDir;
use workflow::RequestId;

/// A request of `acme` that waits.
fn waiting(served: &Served) -> RequestId {
    support::start(&served.host, "tenant-workflow", "{}");
    support::awaited("it asks", || Some(served.host.waiting().unwrap().first()?.request.id.clone()))
}

#[test]
fn an_approval_with_a_key_that_cannot_count_is_refused_as_such() {
    const PASSKEYS: &str = "[[rule]]\nid = \"r\"\nthen = \"ask\"\nrole = \"release\"\nkeys = \"passkey\"\n";
    let served = Served::begin_with(
        TempDir::new().unwrap(),
        |builder| builder.policy(Box::new(policy::Toml::parse(PASSKEYS).unwrap())),
        Default::default(),
        None,
    );
    add_alice(&served.host);
    let (token, request) = (token(&served, "acme", ALL), waiting(&served));
    let by = "alice".parse().unwrap();
    let statement = served.host.statement(&request, &by, None, Decision::Approved, Some("seen")).unwrap();
    let envelope = receipt::sign_decision(&statement, &decider_key(1)).unwrap().to_json().canonical();
    let envelope: Value = serde_json::from_str(&envelope).unwrap();
    let path = format!("/v1/approvals/{request}/signatures");
    let answer = served.post_as(&token, &path, &json!({ "envelope": envelope }));
    assert_eq!((answer.status, answer.code().as_str()), (422, "cannot-count"), "{answer:?}");
    assert!(
        answer.json()["detail"].as_str().unwrap().contains("sign with a key of that class"),
        "{answer:?}"
    );
}

#[test]
fn a_person_who_was_removed_is_no_decider() {
    let served = Served::begin();
    add_alice(&served.host);
    let (token, request) = (token(&served, "acme", ALL), waiting(&served));
    let act = Act::DeciderRemoved { decider: "alice".parse().unwrap(), reason: "left".to_owned() };
    served.host.record_act("operator", act).unwrap();
    let path = format!("/v1/approvals/{request}/statement");
    let answer = served.post_as(&token, &path, &json!({ "as": "alice", "decision": "APPROVED" }));
    assert_eq!((answer.status, answer.code().as_str()), (403, "not-a-decider"), "{answer:?}");
}

#[test]
fn an_upload_that_the_disk_has_no_room_for_is_refused_as_such() {
    let data = TempDir::new().unwrap();
    let serving = Serving::begin(data.path(), &[]);
    let made =
        crate::support::cli::run(data.path(), &["tokens", "create", "--tenant", "acme", "--scope", ALL]);
    let (token, port) = (made.stdout.trim(), serving.port);
    let upload = || -> Answer {
        let body = guest("tenant-workflow");
        let head = format!(
            "POST /v1/workflows HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        parse(&answer)
    };
    serving.bound_files(Some(64 << 10));
    let answer = upload();
    assert_eq!((answer.status, answer.code().as_str()), (507, "full"), "{answer:?}");
    assert!(!answer.body.contains(data.path().to_str().unwrap()), "{answer:?}");
    serving.bound_files(None);
    assert_eq!(upload().status, 201);
}

/// A damaged journal is its instance's alone: the other tenants' lists, and those of the whole host, have the rest.
#[test]
fn one_damaged_journal_breaks_no_list() {
    let served = Served::begin();
    let [acme, globex] = ["acme", "globex"].map(|tenant| {
        let key = support::start_for(&served.host, tenant, "tenant-workflow", "{}");
        support::until("it asks", || served.host.waiting().unwrap().iter().any(|found| found.key == key));
        (key, token(&served, tenant, ALL))
    });
    let listed = |(key, token): &(store::InstanceKey, String)| -> (Value, Value) {
        let instances = served.get_as(token, "/v1/instances");
        let requests = served.get_as(token, "/v1/approvals");
        assert_eq!((instances.status, requests.status), (200, 200), "{key}: {instances:?} {requests:?}");
        (instances.json()["instances"][0].clone(), requests.json()["requests"].clone())
    };
    assert_eq!(listed(&acme).1.as_array().unwrap().len(), 1);
    let journal = rusqlite::Connection::open(served.path().join("journal.sqlite")).unwrap();
    let damage =
        "UPDATE entries SET at = at - 1 WHERE instance = (SELECT id FROM instances WHERE tenant = 'acme')";
    assert!(journal.execute(damage, []).unwrap() > 0);
    let (instance, requests) = listed(&globex);
    assert_eq!(instance["workflow"], "tenant-workflow");
    assert_eq!(requests.as_array().unwrap().len(), 1, "{requests}");
    let (instance, requests) = listed(&acme);
    assert_eq!(instance["instance"], acme.0.instance.as_str());
    assert_eq!((&instance["workflow"], &instance["status"]), (&Value::Null, &json!("waiting")));
    assert_eq!(requests, json!([]), "its request cannot be read");
    let page = served.send("GET", "/", &[("Sec-Fetch-Site", "none")], b"");
    let shown =
        |key: &store::InstanceKey| page.body.contains(&format!("<span class=\"pill\">{}</span>", key.tenant));
    assert!(page.status == 200 && shown(&globex.0) && !shown(&acme.0), "{page:?}");
    let metrics = served.get("/metrics");
    assert!(metrics.body.contains("\npp_host_requests_waiting 2\n"), "{metrics:?}");
}

/// A command with an upload's digest is one request of its token, as every other.
#[test]
fn a_restart_with_other_code_counts_as_one_request() {
    let limits = engine::limits::HttpLimits { token_requests: 1, ..Default::default() };
    let served = Served::begin_with(TempDir::new().unwrap(), |builder| builder, limits, None);
    let new_token = || token(&served, "acme", ALL);
    let workflow = upload(&served, &new_token(), "tenant-workflow").json()["workflow"].clone();
    let new = json!({ "workflow": workflow, "id": "one" });
    assert_eq!(served.post_as(&new_token(), "/v1/instances", &new).status, 201);
    support::until("it asks", || !served.host.waiting().unwrap().is_empty());
    for body in [json!({}), json!({ "workflow": workflow })] {
        let answer = served.post_as(&new_token(), "/v1/instances/one/restart", &body);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

/// The numbers of the statuses that problems have.
const STATUSES: [(&str, u16); 17] = [
    ("BAD_REQUEST", 400),
    ("UNAUTHORIZED", 401),
    ("FORBIDDEN", 403),
    ("NOT_FOUND", 404),
    ("METHOD_NOT_ALLOWED", 405),
    ("REQUEST_TIMEOUT", 408),
    ("CONFLICT", 409),
    ("PAYLOAD_TOO_LARGE", 413),
    ("UNSUPPORTED_MEDIA_TYPE", 415),
    ("MISDIRECTED_REQUEST", 421),
    ("UNPROCESSABLE_ENTITY", 422),
    ("TOO_MANY_REQUESTS", 429),
    ("INTERNAL_SERVER_ERROR", 500),
    ("SERVICE_UNAVAILABLE", 503),
    ("GATEWAY_TIMEOUT", 504),
    ("INSUFFICIENT_STORAGE", 507),
    ("OK", 200),
];

/// Each status that the sources of the server name with a code: `StatusCode::CONFLICT, "busy"`, or of a limit.
fn in_the_sources() -> BTreeSet<(u16, String)> {
    let mut found = BTreeSet::new();
    for file in support::files(&support::root().join("crates/server/src")) {
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let statuses = text.match_indices("StatusCode::").chain(text.match_indices("S::"));
        for (at, mark) in statuses {
            let (before, rest) = (text[..at].trim_end(), &text[at + mark.len()..]);
            let Some((name, after)) = rest.split_once(',') else { continue };
            let Some((_, status)) = STATUSES.iter().find(|(known, _)| *known == name) else { continue };
            let code = after.strip_prefix(" \"").and_then(|code| code.split('"').next());
            match (before.ends_with("Problem::limit("), code) {
                (true, _) => found.insert((*status, "limit".to_owned())),
                (false, Some(code)) => found.insert((*status, code.to_owned())),
                (false, None) => continue,
            };
        }
    }
    found
}

#[test]
fn the_table_of_codes_in_the_documentation_has_every_code() {
    let page = fs::read_to_string(support::root().join("docs/api.md")).unwrap();
    let (_, table) = page.split_once("| status | codes |").unwrap();
    let mut listed = BTreeSet::new();
    for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let (status, codes) = row.trim_start_matches("| ").split_once(" | ").unwrap();
        let codes = codes.split('`').skip(1).step_by(2);
        listed.extend(codes.map(|code| (status.parse::<u16>().unwrap(), code.to_owned())));
    }
    assert!(listed.len() > 40, "{listed:?}");
    assert_eq!(listed, in_the_sources());
}
