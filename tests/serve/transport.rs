//! Hostile HTTP: too much, too slow, or meant for another server.

use crate::support::http::{Served, parse};
use engine::limits::HttpLimits;
use std::io::{Read as _, Write as _};
use std::time::Duration;
use tempfile::TempDir;

fn tight() -> Served {
    let limits = HttpLimits {
        connections: 8,
        head_time: Duration::from_millis(300),
        time: Duration::from_millis(300),
        body_bytes: 1_000,
        head_bytes: 8 << 10,
        ..HttpLimits::default()
    };
    Served::begin_with(TempDir::new().unwrap(), |builder| builder, limits, None)
}

#[test]
fn every_answer_tells_a_browser_to_load_run_and_keep_nothing_foreign() {
    let served = Served::begin();
    for path in ["/healthz", "/no/such/page", "/metrics"] {
        let answer = served.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

#[test]
fn a_request_for_another_server_is_not_answered() {
    let served = Served::begin();
    for host in ["attacker.example", "localhost", "localhost:1", "127.0.0.1.attacker.example"] {
        let answer = served.send(
            "GET",
            "/.well-known/permission-protocol/keys.json",
            &[("Host", host), ("X-Forwarded-Host", &served.authority())],
            b"",
        );
        assert_eq!((answer.status, answer.code().as_str()), (421, "misdirected"), "{host}");
    }
}

#[test]
fn a_form_from_another_site_changes_nothing() {
    let served = Served::begin();
    let own = format!("http://{}", served.authority());
    for (headers, refused) in [
        (vec![("Origin", "https://attacker.example")], true),
        (vec![("Origin", "null")], true),
        (vec![("Sec-Fetch-Site", "cross-site"), ("Origin", own.as_str())], true),
        (vec![("Sec-Fetch-Site", "same-site")], true),
        (vec![("Sec-Fetch-Site", "same-origin"), ("Origin", own.as_str())], false),
        (vec![("Origin", own.as_str())], false),
        (vec![], false),
    ] {
        let all = [headers.clone(), vec![("Content-Type", "application/json")]].concat();
        let answer = served.send("POST", "/api/v1/receipts/verify", &all, b"{}");
        let expected = if refused { (403, "cross-site") } else { (400, "invalid-request") };
        assert_eq!((answer.status, answer.code().as_str()), expected, "{headers:?}");
    }
}

#[test]
fn heads_and_bodies_beyond_their_bounds_are_refused() {
    let served = tight();
    let long = "x".repeat(16 << 10);
    assert_eq!(parse(&served.raw(format!("GET / HTTP/1.1\r\nX: {long}\r\n\r\n").as_bytes())).status, 431);
    let many = "A: b\r\n".repeat(200);
    assert_eq!(parse(&served.raw(format!("GET / HTTP/1.1\r\n{many}\r\n").as_bytes())).status, 431);
    let kind = [("Content-Type", "application/json")];
    let answer = served.send("POST", "/api/v1/receipts/verify", &kind, "x".repeat(1_001).as_bytes());
    assert_eq!((answer.status, answer.code().as_str()), (413, "limit"));
    assert!(answer.body.contains("limit http-body-bytes reached: at most 1000 bytes"), "{answer:?}");
    let head = format!(
        "POST /api/v1/receipts/verify HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n",
        served.authority()
    );
    let endless =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", "400\r\n".to_owned() + &"x".repeat(1_024));
    assert!(served.raw(endless.as_bytes()).starts_with("HTTP/1.1 413 "));
    let ambiguous = format!(
        "{head}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n"
    );
    let answers = served.raw(ambiguous.as_bytes());
    assert_eq!(
        answers.matches("HTTP/1.1 ").count(),
        1,
        "what follows an ambiguous length is no request: {answers}"
    );
    let twice = format!("{head}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
    assert!(served.raw(twice.as_bytes()).starts_with("HTTP/1.1 400 "));
}

#[test]
fn callers_who_send_too_slowly_are_told_or_cut_and_others_are_answered() {
    let served = tight();
    let mut idle: Vec<_> = (0..6).map(|_| served.connect()).collect();
    let mut half = served.connect();
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n").unwrap();
    assert_eq!(served.get("/healthz").status, 200, "there is a place left");
    let mut end = Vec::new();
    half.read_to_end(&mut end).unwrap();
    assert!(end.is_empty() || end.starts_with(b"HTTP/1.1 408 "), "{end:?}");
    for stream in &mut idle {
        let mut end = Vec::new();
        stream.read_to_end(&mut end).unwrap();
    }
    let mut slow = served.connect();
    let head = format!(
        "POST /api/v1/receipts/verify HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{{",
        served.authority()
    );
    slow.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    let answer = parse(&answer);
    assert_eq!((answer.status, answer.code().as_str()), (408, "limit"));
    assert!(answer.body.contains("limit http-seconds"), "{answer:?}");
}

#[test]
fn connections_beyond_the_bound_are_closed_at_once() {
    let served = tight();
    let held: Vec<_> = (0..8).map(|_| served.connect()).collect();
    // The refusal of the ninth, which closes it long before the idle timeout would, shows that all of the others were
    // accepted.
    let mut ninth = served.connect();
    let mut end = Vec::new();
    let _ = ninth.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    let _ = ninth.read_to_end(&mut end);
    assert!(end.is_empty(), "{}", String::from_utf8_lossy(&end));
    drop(held);
    // Places come back.
    while parse_or_none(&served).is_none() {
        std::thread::yield_now();
    }
}

fn parse_or_none(served: &Served) -> Option<u16> {
    let answer = served.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    (!answer.is_empty()).then(|| parse(&answer).status)
}

#[test]
fn odd_paths_reach_nothing() {
    let served = Served::begin();
    for path in [
        "/healthz/",
        "//healthz",
        "/./healthz",
        "/x/../healthz",
        "/%68ealthz%00",
        "/healthz%2f",
        "/HEALTHZ",
        "/.well-known/permission-protocol/../permission-protocol/keys.json",
    ] {
        let answer = served.get(path);
        assert!(answer.status == 404, "{path}: {answer:?}");
    }
    assert_eq!(served.send("DELETE", "/healthz", &[], b"").code(), "method");
    assert_eq!(served.send("OPTIONS", "/healthz", &[], b"").status, 405);
}
