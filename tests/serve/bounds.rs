//! The bounds that callers share: turns and memory. One caller cannot have all of them.

use crate::serve::api;
use crate::support::faulty::{Faulty, Gate};
use crate::support::http::{Served, parse};
use crate::support::until;
use engine::Builder;
use engine::limits::HttpLimits;
use rustix::net::sockopt::set_socket_recv_buffer_size;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use store::{InstanceKey, Write};
use tempfile::TempDir;

fn served(limits: HttpLimits) -> Served {
    Served::begin_with(TempDir::new().unwrap(), |builder| builder, limits, None)
}

/// A server whose creations of instances wait at a gate.
fn gated(limits: HttpLimits) -> (Served, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let gated = Arc::clone(&gate);
    let pass = move |write: &Write<'_>| {
        if matches!(write, Write::Create(_)) {
            gated.pass();
        }
    };
    let build = |builder: Builder| builder.wrap_store(|inner| Box::new(Faulty::observed(inner, pass)));
    (Served::begin_with(TempDir::new().unwrap(), build, limits, None), gate)
}

/// Creates that many instances of `acme`, which all wait at the gate, and checks what is answered meanwhile.
fn while_creations_wait(
    served: &Served,
    gate: &Gate,
    token: &str,
    waiting: usize,
    check: impl FnOnce(&Value),
) {
    let workflow = api::upload(served, token, "tenant-workflow").json()["workflow"].clone();
    gate.close();
    thread::scope(|scope| {
        let creating: Vec<_> = (0..waiting)
            .map(|id| {
                let new = json!({ "workflow": workflow, "id": format!("i{id}") });
                scope.spawn(move || served.post_as(token, "/v1/instances", &new).status)
            })
            .collect();
        let meanwhile = catch_unwind(AssertUnwindSafe(|| {
            until("all creations wait", || gate.waiting() == waiting);
            check(&workflow);
        }));
        gate.open();
        meanwhile.unwrap_or_else(|failed| resume_unwind(failed));
        for created in creating {
            assert_eq!(created.join().unwrap(), 201);
        }
    });
}

/// The server has two threads for connections. More requests than that wait for the disk, and others are answered.
#[test]
fn requests_that_wait_for_a_disk_delay_no_others() {
    const WAITING: usize = 6;
    let (served, gate) = gated(HttpLimits::default());
    let token = api::token(&served, "acme", api::ALL);
    while_creations_wait(&served, &gate, &token, WAITING, |_| {
        assert_eq!(served.get_as(&token, "/v1/instances/none").status, 404);
        assert_eq!(served.get("/healthz").status, 200);
        assert_eq!(gate.waiting(), WAITING);
    });
}

#[test]
fn a_token_has_some_of_the_turns_and_others_have_the_rest() {
    let (served, gate) = gated(HttpLimits { requests: 4, token_concurrency: 2, ..HttpLimits::default() });
    let [busy, other] = ["acme", "globex"].map(|tenant| api::token(&served, tenant, api::ALL));
    while_creations_wait(&served, &gate, &busy, 2, |workflow| {
        let new = json!({ "workflow": workflow, "id": "one-more" });
        for refused in [served.get_as(&busy, "/v1/usage"), served.post_as(&busy, "/v1/instances", &new)] {
            assert_eq!((refused.status, refused.code().as_str()), (429, "limit"));
            assert!(refused.body.contains("limit http-token-concurrency reached: at most 2 "), "{refused:?}");
            assert_eq!(refused.header("retry-after"), Some("1"));
        }
        assert_eq!(served.get_as(&other, "/v1/usage").status, 200);
    });
    assert_eq!(served.get_as(&busy, "/v1/usage").status, 200);
}

#[test]
fn monitoring_is_answered_while_no_turn_is_left() {
    let (served, gate) = gated(HttpLimits { requests: 1, ..HttpLimits::default() });
    let token = api::token(&served, "acme", api::ALL);
    while_creations_wait(&served, &gate, &token, 1, |_| {
        let refused = served.get_as(&token, "/v1/usage");
        assert_eq!((refused.status, refused.code().as_str()), (503, "limit"));
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert_eq!(served.get(path).status, 200, "{path}");
        }
    });
}

#[test]
fn an_answer_takes_memory_until_it_is_read() {
    const EVENTS: usize = 6;
    // A page of the audit is some 5 MB here, more than the system's buffers take of it. There is memory for two.
    let served = served(HttpLimits { body_memory_bytes: 12 << 20, ..HttpLimits::default() });
    let token = api::token(&served, "acme", api::ALL);
    let workflow = api::upload(&served, &token, "tenant-workflow").json()["workflow"].clone();
    let new = json!({ "workflow": workflow, "id": "one" });
    assert_eq!(served.post_as(&token, "/v1/instances", &new).status, 201);
    let payload = format!("\"{}\"", "x".repeat(1_000_000));
    let key = InstanceKey { tenant: "acme".parse().unwrap(), instance: "one".parse().unwrap() };
    for _ in 0..EVENTS {
        served.host.send_event(&key, &"note".parse().unwrap(), &payload).unwrap();
    }
    let path = "/v1/audit?instance=one";
    let ask = || {
        let mut stream = served.connect();
        set_socket_recv_buffer_size(&stream, 16 << 10).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
            served.authority()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut begun = [0; 12];
        stream.read_exact(&mut begun).unwrap();
        assert_eq!(&begun, b"HTTP/1.1 200");
        stream
    };
    let mut unread = vec![ask(), ask()];
    let refused = served.get_as(&token, path);
    assert_eq!((refused.status, refused.code().as_str()), (503, "limit"));
    assert!(refused.body.contains("limit http-body-memory-bytes reached"), "{refused:?}");
    assert_eq!(served.get_as(&token, "/v1/usage").status, 200, "a small answer needs none of it");
    let mut whole = Vec::new();
    unread.pop().unwrap().read_to_end(&mut whole).unwrap();
    assert!(whole.len() > 4_000_000);
    until("the memory of the one that was read is free", || served.get_as(&token, path).status == 200);
    drop(unread);
}

/// Begins to send a body of the bytes and one more.
fn begin_body(served: &Served, path: &str, authorization: &str, bytes: usize) -> TcpStream {
    let mut stream = served.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{authorization}Connection: close\r\n\r\n",
        served.authority(),
        bytes + 1
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(" ".repeat(bytes).as_bytes()).unwrap();
    stream
}

/// Bodies under way hold no permit for requests; a bound on their bytes limits all of them together.
#[test]
fn slow_bodies_take_memory_and_no_turns() {
    const PATH: &str = "/api/v1/receipts/verify";
    let served = served(HttpLimits { requests: 2, body_memory_bytes: 100_000, ..HttpLimits::default() });
    let token = api::token(&served, "acme", api::ALL);
    let authorization = format!("Authorization: Bearer {token}\r\n");
    let begin = |bytes: usize| begin_body(&served, PATH, &authorization, bytes);
    let refused = |mut stream: TcpStream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let answer = parse(&answer);
        assert_eq!((answer.status, answer.code().as_str()), (503, "limit"));
        assert!(
            answer.body.contains("limit http-body-memory-bytes reached: at most 100000 bytes"),
            "{answer:?}"
        );
    };
    let small: Vec<_> = (0..50).map(|_| begin(4_000)).collect();
    refused(begin(200_000));
    let mut large = begin(90_000);
    assert_eq!(served.get("/healthz").status, 200, "those take no turn");
    let bearer = format!("Bearer {token}");
    let kind = [("Content-Type", "application/json"), ("Authorization", bearer.as_str())];
    let small_one = served.send("POST", PATH, &kind, b"{}");
    assert_eq!(small_one.code(), "invalid-request", "and no memory that others need");
    let medium = || served.send("POST", PATH, &kind, " ".repeat(50_000).as_bytes()).code();
    until("the large body takes its memory", || medium() == "limit");
    // Its memory counts no longer when it is answered.
    large.write_all(b"{").unwrap();
    let mut answer = String::new();
    large.read_to_string(&mut answer).unwrap();
    assert_eq!(parse(&answer).code(), "invalid-request");
    assert_eq!(medium(), "invalid-request");
    drop(small);
}

#[test]
fn bodies_of_anonymous_callers_take_no_memory_of_others() {
    const PATH: &str = "/api/v1/receipts/verify";
    let served = served(HttpLimits { body_memory_bytes: 800_000, ..HttpLimits::default() });
    let token = api::token(&served, "acme", api::ALL);
    let kind = ("Content-Type", "application/json");
    let body = " ".repeat(90_000);
    let anonymous = || served.send("POST", PATH, &[kind], body.as_bytes()).code();
    assert_eq!(anonymous(), "invalid-request");
    // The first of them has most of their memory.
    let slow: Vec<_> = (0..9).map(|_| begin_body(&served, PATH, "", 90_000)).collect();
    until("their memory is used up", || anonymous() == "limit");
    let bearer = format!("Bearer {token}");
    let known =
        served.send("POST", PATH, &[kind, ("Authorization", &bearer)], " ".repeat(700_000).as_bytes());
    assert_eq!(known.code(), "invalid-request", "the memory of others is free");
    // A route that needs no token ignores a wrong one, however long the body is.
    let wrong = [kind, ("Authorization", "Bearer pp_acme_0123")];
    let known_by_none = |bytes: usize| served.send("POST", PATH, &wrong, " ".repeat(bytes).as_bytes()).code();
    assert_eq!([known_by_none(100), known_by_none(5_000)], ["invalid-request"; 2]);
    let large = " ".repeat(5_000);
    for (authorization, code) in [("Bearer pp_acme_0123", "token"), ("Basic eDp5", "token")] {
        let refused =
            served.send("POST", "/v1/workflows", &[("Authorization", authorization)], large.as_bytes());
        assert_eq!((refused.status, refused.code().as_str()), (401, code), "{authorization}");
    }
    drop(slow);
}
