//! Hostile HTTP: too much, too slow, or meant for another server.

use crate::serve::api;
use crate::support::http::{Served, parse};
use crate::support::serving::Serving;
use crate::support::until;
use engine::limits::HttpLimits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use store::InstanceKey;
use tempfile::TempDir;

fn tight() -> Served {
    let limits = HttpLimits {
        connections: 8,
        head_timeout: Duration::from_millis(300),
        timeout: Duration::from_millis(300),
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
    assert!(answer.body.contains("limit http-timeout-seconds"), "{answer:?}");
}

#[test]
fn a_follower_that_never_reads_is_cut_off_and_holds_nothing() {
    const EVENTS: usize = 24;
    let limits = HttpLimits { timeout: Duration::from_secs(3), ..HttpLimits::default() };
    let served = Served::begin_with(TempDir::new().unwrap(), |builder| builder, limits, None);
    let token = api::token(&served, "acme", api::ALL);
    let workflow = api::upload(&served, &token, "tenant-workflow").json()["workflow"].clone();
    let new = serde_json::json!({ "workflow": workflow, "id": "one" });
    assert_eq!(served.post_as(&token, "/v1/instances", &new).status, 201);
    // More than the system's buffers hold for a connection whose peer does not read.
    let payload = format!("\"{}\"", "x".repeat(1_000_000));
    let key = InstanceKey { tenant: "acme".parse().unwrap(), instance: "one".parse().unwrap() };
    for _ in 0..EVENTS {
        served.host.send_event(&key, &"note".parse().unwrap(), &payload).unwrap();
    }
    let mut follower = served.connect();
    let head = format!(
        "GET /v1/instances/one/events HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
        served.authority()
    );
    follower.write_all(head.as_bytes()).unwrap();
    let mut begun = [0; 12];
    follower.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    until("it is cut off", || served.get("/metrics").body.contains("pp_host_http_followers 0\n"));
    let mut rest = Vec::new();
    let _ = follower.read_to_end(&mut rest);
    assert!(rest.len() < EVENTS * payload.len(), "it was sent all of it");
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
    // Closed connections make room.
    until("there is room", || parse_or_none(&served).is_some());
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

/// Lengths and ends that two parsers may read differently: each request is refused, or read as one request with a body. The rest is never a
/// request of its own.
#[test]
fn what_a_proxy_may_read_differently_is_one_request_at_most() {
    let served = Served::begin();
    let host = format!("Host: {}\r\n", served.authority());
    let hidden = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
    for lengths in [
        "Content-Length: 0\r\nContent-Length: 39\r\n",
        "Content-Length: +0\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0, 39\r\n",
        "Content-Length: 0x0\r\n",
        "Content-Length : 0\r\n",
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked, x\r\n",
        "Transfer-Encoding : chunked\r\n",
        " Transfer-Encoding: chunked\r\n",
        "X: a\r\n Transfer-Encoding: chunked\r\n",
        "X: a\0b\r\n",
        "X: a\rTransfer-Encoding: chunked\r\n",
    ] {
        let sent = format!(
            "POST /api/v1/receipts/verify HTTP/1.1\r\n{host}Content-Type: application/json\r\nConnection: close\r\n{lengths}\r\n0\r\n\r\n{hidden}"
        );
        let answers = served.raw(sent.as_bytes());
        assert!(answers.matches("HTTP/1.1 ").count() <= 1, "{lengths:?}: {answers}");
        assert!(!answers.contains("ready"), "{lengths:?}: {answers}");
        assert!(
            !answers.starts_with("HTTP/1.1 2") && !answers.starts_with("HTTP/1.1 5"),
            "{lengths:?}: {answers}"
        );
    }
    // HTTP/1.0 has no chunked encoding.
    let old = format!(
        "POST /api/v1/receipts/verify HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
    );
    assert!(!served.raw(old.as_bytes()).contains("ready"));
}

#[test]
fn a_request_names_one_host() {
    let served = Served::begin();
    let own = served.authority();
    for head in [
        format!("GET /openapi.json HTTP/1.1\r\nHost: {own}\r\nHost: attacker.example\r\n"),
        format!("GET /openapi.json HTTP/1.1\r\nHost: {own}\r\nHost: {own}\r\n"),
        format!("GET http://attacker.example/openapi.json HTTP/1.1\r\nHost: {own}\r\n"),
        format!("GET http://{own}/openapi.json HTTP/1.1\r\nHost: attacker.example\r\n"),
    ] {
        let answer = parse(&served.raw(format!("{head}Connection: close\r\n\r\n").as_bytes()));
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid-request"), "{head}");
    }
    let same = format!("GET http://{own}/openapi.json HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\n\r\n");
    assert_eq!(parse(&served.raw(same.as_bytes())).status, 200);
}

#[test]
#[ignore = "opens ten thousand connections"]
fn ten_thousand_idle_connections_cost_little_and_others_are_answered() {
    const CONNECTIONS: usize = 10_000;
    /// The most bytes of the server's memory for a connection.
    const EACH: u64 = 32 << 10;
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    if most < CONNECTIONS as u64 + 500 {
        eprintln!("NOT RUN: this process may have {most} files open");
        return;
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let data = TempDir::new().unwrap();
    let serving = Serving::begin(data.path(), &["--limit", "http-head-timeout-seconds=600"]);
    let get = || {
        let mut stream = TcpStream::connect(("127.0.0.1", serving.port)).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        parse(&answer).body
    };
    let open = |metrics: &str| -> usize {
        let count = metrics.lines().find_map(|line| line.strip_prefix("pp_host_http_connections "));
        count.unwrap().parse().unwrap()
    };
    get();
    let before = serving.memory();
    let idle: Vec<_> =
        (0..CONNECTIONS).map(|_| TcpStream::connect(("127.0.0.1", serving.port)).unwrap()).collect();
    until("all are open", || open(&get()) >= CONNECTIONS);
    let grown = serving.memory().saturating_sub(before);
    assert!(grown <= EACH * CONNECTIONS as u64, "{} bytes a connection", grown / CONNECTIONS as u64);
    drop(idle);
    until("all are closed", || open(&get()) == 1);
    serving.stop();
}
