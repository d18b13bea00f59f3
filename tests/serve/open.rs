//! The routes without credentials.

use crate::support;
use crate::support::cli;
use crate::support::http::Served;
use serde_json::{Value, json};

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
        "pp_host_http_request_seconds_count{method=\"GET\",route=\"/readyz\"} 1",
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
