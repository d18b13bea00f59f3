//! The routes without credentials.

use crate::serve::api;
use crate::support;
use crate::support::cli;
use crate::support::http::Served;
use crate::support::people;
use serde_json::{Value, json};
use std::fs;

fn verify(served: &Served, body: &Value) -> Value {
    let answer = served.send(
        "POST",
        "/api/v1/receipts/verify",
        &[("Content-Type", "application/json")],
        body.to_string().as_bytes(),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[test]
fn health_readiness_and_metrics_need_no_token() {
    let served = Served::begin();
    for (path, body) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = served.send("GET", path, &[("Host", "10.0.0.7:8787")], b"");
        assert_eq!((answer.status, answer.body.as_str()), (200, body));
    }
    served.get("/no/such/page");
    let mut metrics = served.get("/metrics");
    support::until("the connections of the earlier requests are closed", || {
        metrics = served.get("/metrics");
        metrics.body.lines().any(|line| line == "pp_host_http_connections 1")
    });
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "pp_host_http_requests_total{method=\"GET\",route=\"/healthz\",status=\"200\"} 1",
        "pp_host_http_request_duration_seconds_count{method=\"GET\",route=\"/readyz\"} 1",
        "pp_host_requests_waiting 0",
    ] {
        assert!(metrics.body.lines().any(|found| found == line), "{line} is not in {}", metrics.body);
    }
    assert!(!metrics.body.contains("/no/such/page"), "a caller makes no label");
}

#[test]
fn a_receipt_is_verified_in_the_shape_that_the_protocol_s_clients_read() {
    let folder = cli::folder();
    let exported = |status: &str| -> Value {
        let id = cli::receipt_id(folder.path(), status);
        serde_json::from_str(&cli::run(folder.path(), &["receipts", "export", &id]).stdout).unwrap()
    };
    let (approved, denied) = (exported("APPROVED"), exported("DENIED"));
    let served = Served::begin_with(folder, |builder| builder, Default::default(), None);
    let verdict = verify(&served, &approved);
    assert_eq!(verdict["valid"], true, "{verdict}");
    assert_eq!(verdict["receiptId"], approved["artifact"]["receipt_id"]);
    assert_eq!(verdict["receipt"]["status"], "APPROVED");
    let verdict = verify(&served, &denied);
    assert_eq!((&verdict["valid"], &verdict["errorCode"]), (&json!(false), &json!("RECEIPT_DENIED")));
    let mut forged = approved;
    forged["artifact"]["signature_b64"] = denied["artifact"]["signature_b64"].clone();
    let verdict = verify(&served, &forged);
    assert_eq!((&verdict["valid"], &verdict["errorCode"]), (&json!(false), &json!("SIGNATURE_INVALID")));
    let keys = served.get("/.well-known/permission-protocol/keys.json").json();
    let printed: Value = serde_json::from_str(&cli::run(served.path(), &["keys", "export"]).stdout).unwrap();
    assert_eq!(keys, printed);
}

/// By the time that the host judges by, which no clock that is set back makes earlier.
#[test]
fn a_receipt_expires_by_the_host_s_own_time() {
    let folder = cli::folder();
    let id = cli::receipt_id(folder.path(), "APPROVED");
    let exported = cli::run(folder.path(), &["receipts", "export", &id]).stdout;
    let approved: Value = serde_json::from_str(&exported).unwrap();
    let expires_at: receipt::Timestamp =
        approved["artifact"]["expires_at"].as_str().unwrap().parse().unwrap();
    let clock = people::ManualClock::at(expires_at.as_millis() + 1);
    let served = Served::begin_with(folder, |builder| builder.clock(clock.clone()), Default::default(), None);
    assert_eq!(verify(&served, &approved)["errorCode"], "RECEIPT_EXPIRED");
}

#[test]
fn what_is_no_receipt_is_a_problem_with_a_code() {
    let served = Served::begin();
    let post = |kind: &str, body: &str| {
        served.send("POST", "/api/v1/receipts/verify", &[("Content-Type", kind)], body.as_bytes())
    };
    for body in ["", "{", "[]", "{}", "{\"artifact\":1,\"artifact\":2}", "\u{0}"] {
        let answer = post("application/json", body);
        assert!(answer.status == 400 || answer.json()["valid"] == false, "{body:?}: {answer:?}");
    }
    assert_eq!(post("text/plain", "{}").code(), "media-type");
    assert_eq!(post("application/json", "{}").code(), "invalid-request");
}

/// What the three routes say about a receipt: the posted document, its id, and the stored receipt alone.
fn verdicts(served: &Served, token: &str, document: &Value) -> [(bool, Value); 3] {
    let id = document["artifact"]["receipt_id"].as_str().unwrap();
    let posted = verify(served, document);
    let named = served.post_as(token, "/api/v1/receipts/verify", &json!({ "receiptId": id })).json();
    let stored = served.get_as(token, &format!("/api/v1/receipts/{id}"));
    assert_eq!(stored.status, 200, "{stored:?}");
    let code = |answer: &Value| (answer["valid"].as_bool().unwrap(), answer["errorCode"].clone());
    [code(&posted), code(&named), code(&stored.json())]
}

/// A host with an approval that is not spent. Before it is served, that happens to the approval.
fn served_after(happens: impl FnOnce(&engine::Host, &workflow::ReceiptId)) -> (Served, Value) {
    let (folder, host) = support::new_host();
    let key = support::start(&host, "tenant-workflow", "{}");
    let status = support::block_on(host.drive(&key)).unwrap();
    let receipt =
        host.decide(status.request().unwrap(), &support::judgement(receipt::Decision::Approved)).unwrap();
    happens(&host, &receipt.id);
    drop(host);
    let exported = cli::run(folder.path(), &["receipts", "export", receipt.id.as_str()]).stdout;
    let served = Served::begin_with(folder, |builder| builder, Default::default(), None);
    (served, serde_json::from_str(&exported).unwrap())
}

#[test]
fn a_revoked_receipt_is_not_valid_however_it_is_asked_about() {
    let (served, exported) = served_after(|host, id| drop(host.revoke(id, "operator", None).unwrap()));
    assert!(exported["revocation_artifact"].is_object(), "{exported}");
    let token = api::token(&served, "acme", api::ALL);
    let revoked = || (false, json!("RECEIPT_REVOKED"));
    assert_eq!(verdicts(&served, &token, &exported), [revoked(), revoked(), revoked()]);
    // Without the revocation, the host looks it up.
    let alone = json!({ "artifact": exported["artifact"] });
    assert_eq!(verify(&served, &alone)["errorCode"], "RECEIPT_REVOKED");
    // A host with the same keys that has not stored the receipt goes by the revocation in the document.
    let (folder, host) = support::new_host();
    drop(host);
    for file in support::files(&served.path().join("keys")) {
        fs::copy(&file, folder.path().join("keys").join(file.file_name().unwrap())).unwrap();
    }
    let other = Served::begin_with(folder, |builder| builder, Default::default(), None);
    assert_eq!(verify(&other, &alone)["valid"], true);
    assert_eq!(verify(&other, &exported)["errorCode"], "RECEIPT_REVOKED");
    let mut changed = exported.clone();
    changed["revocation_artifact"] = exported["artifact"].clone();
    assert_eq!(verify(&other, &changed)["valid"], false, "a member that is no revocation of it");
}

#[test]
fn a_demo_receipt_is_not_valid_once_people_decide() {
    let (served, exported) = served_after(|_, _| ());
    let token = api::token(&served, "acme", api::ALL);
    let valid = || (true, Value::Null);
    assert_eq!(verdicts(&served, &token, &exported), [valid(), valid(), valid()]);
    people::add_alice(&served.host);
    let other = || (false, json!("SCOPE_MISMATCH"));
    assert_eq!(verdicts(&served, &token, &exported), [other(), other(), other()]);
    let forged = cli::claiming_production(served.path(), &exported);
    let verdict = verify(&served, &forged);
    assert_eq!((&verdict["scope"], &verdict["errorCode"]), (&json!("production"), &other().1));
}

#[test]
fn a_receipt_whose_key_was_revoked_is_not_valid() {
    let (served, exported) = served_after(|_, _| ());
    let token = api::token(&served, "acme", api::ALL);
    served.cli(&["keys", "revoke", exported["artifact"]["key_id"].as_str().unwrap()]);
    let refused = || (false, json!("SIGNATURE_INVALID"));
    assert_eq!(verdicts(&served, &token, &exported), [refused(), refused(), refused()]);
}
