//! The API for tenants' programs: the answer to each call, and that it equals the command line's.

use crate::support;
use crate::support::http::{Answer, Served};
use crate::support::{cli, guest};
use engine::limits::HttpLimits;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A token of a tenant with these scopes.
pub fn token(served: &Served, tenant: &str, scopes: &str) -> String {
    let made = served.cli(&["tokens", "create", "--tenant", tenant, "--scope", scopes]);
    made.stdout.trim().to_owned()
}

pub const ALL: &str =
    "instances:read,instances:write,events:send,approvals:read,approvals:write,receipts:read,operate";

pub fn upload(served: &Served, token: &str, guest_name: &str) -> Answer {
    let headers = [("Authorization", &*format!("Bearer {token}"))];
    served.send("POST", "/v1/workflows", &headers, &guest(guest_name))
}

/// Reads events until one is of that kind, and returns the id of the last.
fn until(stream: &mut impl std::io::BufRead, kind: &str) -> (u64, Vec<String>) {
    let (mut kinds, mut id, mut line) = (Vec::new(), 0, String::new());
    loop {
        line.clear();
        assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended before {kind}: {kinds:?}");
        if let Some(found) = line.strip_prefix("id: ") {
            id = found.trim().parse().unwrap();
        }
        if let Some(data) = line.strip_prefix("data: ") {
            let fact: Value = serde_json::from_str(data).unwrap();
            assert_eq!(fact.get("seq"), None, "what others do is not in it: {fact}");
            kinds.push(fact["fact"].as_str().unwrap().to_owned());
            if fact["fact"] == kind {
                return (id, kinds);
            }
        }
    }
}

fn follow(served: &Served, token: &str, path: &str, more: &str) -> BufReader<std::net::TcpStream> {
    let mut stream = served.connect();
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{more}\r\n",
        served.authority()
    );
    stream.write_all(head.as_bytes()).unwrap();
    BufReader::new(stream)
}

#[test]
fn a_workflow_is_uploaded_run_followed_and_its_receipt_verified() {
    let served = Served::begin();
    let token = token(&served, "acme", ALL);
    let uploaded = upload(&served, &token, "tenant-workflow");
    assert_eq!(uploaded.status, 201, "{uploaded:?}");
    let workflow = uploaded.json()["workflow"].as_str().unwrap().to_owned();
    assert_eq!(uploaded.json()["capabilities"], json!(["cloudflare.dynamic-worker.deploy"]));
    let new = json!({"workflow": workflow, "id": "nightly-1", "params": {"a": 1}});
    let created = served.post_as(&token, "/v1/instances", &new);
    assert_eq!((created.status, &created.json()["created"]), (201, &json!(true)), "{created:?}");
    let again = served.post_as(&token, "/v1/instances", &new);
    assert_eq!((again.status, &again.json()["created"]), (200, &json!(false)));
    let other = json!({"workflow": workflow, "id": "nightly-1", "params": {"a": 2}});
    assert_eq!(served.post_as(&token, "/v1/instances", &other).code(), "other-input");

    let mut events = follow(&served, &token, "/v1/instances/nightly-1/events", "");
    let (id, kinds) = until(&mut events, "requested");
    assert_eq!(kinds.first().map(String::as_str), Some("loaded"));
    let waiting = served.get_as(&token, "/v1/approvals").json();
    let request = waiting["requests"][0]["request"].as_str().unwrap().to_owned();
    let shown = served.get_as(&token, &format!("/v1/approvals/{request}")).json();
    let on_terminal = served.cli(&["approvals", "show", &request]).stdout;
    for line in shown["text"].as_str().unwrap().lines() {
        assert!(on_terminal.contains(line), "{line}");
    }
    assert!(on_terminal.contains(shown["text_sha256"].as_str().unwrap()));
    assert!(on_terminal.contains(shown["request_sha256"].as_str().unwrap()));

    // The API makes no decisions: an operator makes the demo decision on the machine.
    served
        .host
        .decide(&request.parse().unwrap(), &crate::support::judgement(receipt::Decision::Approved))
        .unwrap();
    let (_, kinds) = until(&mut events, "completed");
    let mut resumed =
        follow(&served, &token, "/v1/instances/nightly-1/events", &format!("Last-Event-ID: {id}\r\n"));
    assert_eq!(
        until(&mut resumed, "completed").1,
        kinds,
        "a follower misses nothing and hears nothing twice"
    );

    let instance = served.get_as(&token, "/v1/instances/nightly-1").json();
    let printed = served.cli(&["instances", "show", "nightly-1", "--tenant", "acme", "--json"]).stdout;
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&instance["status"], &printed["status"]), (&json!("complete"), &json!("complete")));
    let receipts = served.get_as(&token, "/v1/receipts").json();
    let receipt = receipts["receipts"][0]["receipt_id"].as_str().unwrap();
    let exported = served.get_as(&token, &format!("/v1/receipts/{receipt}/export"));
    let printed = served.cli(&["receipts", "export", receipt]).stdout;
    assert_eq!(exported.json(), serde_json::from_str::<Value>(&printed).unwrap());
    let named = served.post_as(&token, "/api/v1/receipts/verify", &json!({"receiptId": receipt})).json();
    assert_eq!((&named["valid"], &named["receiptId"]), (&json!(true), &json!(receipt)));
    let deployments = served.get_as(&token, "/v1/deployments").json();
    assert_eq!(deployments["deployments"][0]["receipt_id"], receipt);
    assert_eq!(deployments["deployments"][0]["current"], true);
    let audit = served.get_as(&token, "/v1/audit?instance=nightly-1");
    assert_eq!(cli::lines(&audit.body).last().unwrap()["fact"], "completed");
    assert_eq!(served.get_as(&token, "/v1/usage").json()["instances"], 0);
}

/// More facts than a follower reads at once, with more bytes than it holds.
#[test]
fn a_follower_gets_a_long_journal_in_order_and_each_fact_once() {
    const EVENTS: u64 = 250;
    let served = Served::begin();
    let token = token(&served, "acme", ALL);
    let workflow = upload(&served, &token, "tenant-workflow").json()["workflow"].clone();
    served.post_as(&token, "/v1/instances", &json!({"workflow": workflow, "id": "one"}));
    let key = store::InstanceKey { tenant: "acme".parse().unwrap(), instance: "one".parse().unwrap() };
    for number in 0..EVENTS {
        let payload = format!("\"{}\"", "x".repeat(if number % 50 < 3 { 100_000 } else { 10 }));
        served.host.send_event(&key, &"note".parse().unwrap(), &payload).unwrap();
    }
    for from in [0, 7] {
        let path = format!("/v1/instances/one/events?from={from}");
        // The comments of an idle stream would be read for ever.
        let end = Instant::now() + Duration::from_secs(60);
        let lines = follow(&served, &token, &path, "").lines().take_while(|_| Instant::now() < end);
        let mut events = lines.map(Result::unwrap);
        let ids = events.by_ref().filter_map(|line| line.strip_prefix("id: ")?.parse::<u64>().ok());
        let ids: Vec<_> = ids.take_while(|id| *id < EVENTS).collect();
        assert_eq!(ids, (from..EVENTS).collect::<Vec<_>>());
    }
}

#[test]
fn an_instance_is_paused_resumed_told_restarted_terminated_and_deleted() {
    let served = Served::begin();
    let token = token(&served, "acme", ALL);
    let workflow = upload(&served, &token, "tenant-workflow").json()["workflow"].clone();
    served.post_as(&token, "/v1/instances", &json!({"workflow": workflow, "id": "one"}));
    let mut events = follow(&served, &token, "/v1/instances/one/events", "");
    until(&mut events, "requested");
    let post = |path: &str, body: &Value| served.post_as(&token, &format!("/v1/instances/one/{path}"), body);
    let plain = |path: &str| {
        let bearer = format!("Bearer {token}");
        served.send("POST", &format!("/v1/instances/one/{path}"), &[("Authorization", bearer.as_str())], b"")
    };
    assert_eq!(plain("pause").json()["status"], "paused");
    assert_eq!(plain("pause").code(), "wrong-state");
    assert_eq!(plain("resume").status, 200);
    assert_eq!(post("events", &json!({"type": "note", "payload": {"x": 1}})).status, 200);
    assert_eq!(post("events", &json!({"type": "note", "unknown": 1})).code(), "invalid-request");
    assert_eq!(post("terminate", &json!({"reason": "enough"})).json()["status"], "terminated");
    assert_eq!(post("restart", &json!({})).status, 200);
    assert_eq!(post("terminate", &json!({})).status, 200);
    let bearer = format!("Bearer {token}");
    let delete = || served.send("DELETE", "/v1/instances/one", &[("Authorization", bearer.as_str())], b"");
    // A drive that was under way at the termination may have to end before.
    let mut deleted = delete();
    support::until("the drive ends", || {
        let is_busy = deleted.status == 409 && deleted.code() == "busy";
        if is_busy {
            deleted = delete();
        }
        !is_busy
    });
    assert_eq!(deleted.status, 200, "{deleted:?}");
    assert_eq!(delete().code(), "no-instance");
}

#[test]
fn tokens_are_made_shown_once_and_revoked_by_acts_that_the_audit_shows() {
    let served = Served::begin();
    let token = token(&served, "acme", "instances:read");
    let id = token.rsplit('_').nth(1).unwrap();
    assert!(token.starts_with("pp_acme_"), "{token}");
    assert_eq!(served.get_as(&token, "/v1/instances").status, 200);
    let with_key = served.send("GET", "/v1/instances", &[("X-PP-API-Key", token.as_str())], b"");
    assert_eq!(with_key.status, 200, "as the protocol's own clients send it");
    let folder = walk(served.path());
    let secret = token.rsplit('_').next().unwrap().as_bytes();
    assert!(folder.iter().all(|file| !file.windows(64).any(|part| part == secret)), "it is kept nowhere");
    served.cli(&["tokens", "revoke", id, "--reason", "leaked"]);
    let refused = served.get_as(&token, "/v1/instances");
    assert_eq!((refused.status, refused.code().as_str()), (401, "token"));
    assert!(refused.body.contains("the token was revoked"), "{refused:?}");
    let audit = served.cli(&["audit"]).stdout;
    assert!(audit.contains(&format!("token       {id} may instances:read in tenant acme until")), "{audit}");
    assert!(audit.contains(&format!("token       {id} is revoked, \"leaked\"")), "{audit}");
    let listed = cli::lines(&served.cli(&["tokens", "list", "--json"]).stdout);
    assert_eq!((&listed[0]["token"], &listed[0]["state"]), (&json!(id), &json!("revoked")));
    for wrong in ["", "pp_acme", "pp_acme_0123456789ab_x", &token[..token.len() - 1], &token.to_uppercase()] {
        assert_eq!(served.get_as(wrong, "/v1/instances").code(), "token", "{wrong}");
    }
    let elsewhere = token.replace("pp_acme_", "pp_globex_");
    assert_eq!(served.get_as(&elsewhere, "/v1/instances").code(), "token");
    let basic = served.send("GET", "/v1/instances", &[("Authorization", "Basic eDp5")], b"");
    assert_eq!((basic.status, basic.header("www-authenticate")), (401, Some("Bearer")));
}

fn walk(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(walk(&path)),
            false => files.extend(std::fs::read(&path)),
        }
    }
    files
}

#[test]
fn an_upload_is_a_workflow_and_counts() {
    let served = Served::begin();
    let token = token(&served, "acme", ALL);
    let bearer = format!("Bearer {token}");
    let send =
        |bytes: &[u8]| served.send("POST", "/v1/workflows", &[("Authorization", bearer.as_str())], bytes);
    assert_eq!(send(b"no component").code(), "not-a-workflow");
    assert_eq!(send(&[0; (16 << 20) + 1]).code(), "limit");
    let digest = upload(&served, &token, "tenant-workflow").json()["workflow"].clone();
    assert_eq!(upload(&served, &token, "tenant-workflow").json()["workflow"], digest, "once is enough");
    let listed = served.get_as(&token, "/v1/workflows").json();
    assert_eq!(listed["workflows"][0]["workflow"], digest);
    let other = self::token(&served, "globex", ALL);
    let path = format!("/v1/workflows/{}", digest.as_str().unwrap());
    assert_eq!(served.get_as(&other, &path).code(), "no-workflow", "another tenant's is not there");
    assert_eq!(served.get_as(&token, &path).json()["asks_for_approval"], true);
    let create = json!({"workflow": digest});
    assert_eq!(served.post_as(&other, "/v1/instances", &create).code(), "no-workflow");
    let deleted = served.send("DELETE", &path, &[("Authorization", bearer.as_str())], b"");
    assert_eq!((deleted.status, served.get_as(&token, &path).status), (204, 404));
}

/// The request of the GitHub action `deploy-gate` 2.2.0. It names a commit and no receipt, and reads these members of the answer.
#[test]
fn the_deploy_gate_action_is_told_that_there_is_no_receipt() {
    let served = Served::begin();
    let token = token(&served, "acme", ALL);
    let body = json!({
        "scope": {
            "repo": "acme/app", "prNumber": 7, "headSha": "0123456789abcdef0123456789abcdef01234567", "env": "production",
            "capability": "deploy:production",
        },
        "redeem": true, "failOnMissing": true, "protectedPathsChanged": true, "changedFiles": ["deploy/app.yml"],
    });
    let headers = [
        ("Content-Type", "application/json"),
        ("X-PP-API-Key", token.as_str()),
        ("X-PP-Request-Source", "github-actions"),
        ("X-GitHub-Run-Id", "1"),
    ];
    let answer = served.send("POST", "/api/v1/receipts/verify", &headers, body.to_string().as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    assert_eq!((&answer["valid"], &answer["errorCode"]), (&json!(false), &json!("RECEIPT_NOT_FOUND")));
    assert!(answer["errorMessage"].is_string() && answer["receiptId"].is_null(), "{answer}");
}

/// The lines of the documentation, as a shell runs them.
#[test]
fn the_documented_lines_run_as_they_stand() {
    if !support::installed(&["bash", "curl", "jq"]) {
        return;
    }
    let page = std::fs::read_to_string(support::root().join("docs/api.md")).unwrap();
    let lines = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let served = Served::begin();
    let token = token(&served, "acme", ALL);
    let ran = std::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", lines])
        .current_dir(support::root())
        .env("URL", format!("http://{}", served.authority()))
        .env("TOKEN", &token)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    for words in ["\"created\":true", "\"view\":\"requests\"", "\"fact\":\"loaded\"", "\"keys\"", "ok"] {
        assert!(out.contains(words), "{words}: {out}");
    }
}

#[test]
fn a_token_has_so_many_requests_a_minute_and_is_told_when_to_try_again() {
    let limits = HttpLimits { token_requests: 3, ..HttpLimits::default() };
    let served = Served::begin_with(TempDir::new().unwrap(), |builder| builder, limits, None);
    let [busy, other] = [token(&served, "acme", ALL), token(&served, "acme", ALL)];
    for _ in 0..3 {
        assert_eq!(served.get_as(&busy, "/v1/usage").status, 200);
    }
    let refused = served.get_as(&busy, "/v1/usage");
    assert_eq!((refused.status, refused.code().as_str()), (429, "limit"));
    assert!(refused.body.contains("limit http-token-requests reached: at most 3 a minute"), "{refused:?}");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{refused:?}");
    assert_eq!(served.get_as(&other, "/v1/usage").status, 200, "another token is not held up");
    assert_eq!(served.get_as("pp_acme_0123", "/v1/usage").status, 401, "no token is counted that is none");
    assert_eq!(served.get("/healthz").status, 200);
}

#[test]
fn lists_come_in_pages() {
    let served = Served::begin();
    let token = token(&served, "acme", ALL);
    let workflow = upload(&served, &token, "tenant-workflow").json()["workflow"].clone();
    for id in ["a", "b", "c"] {
        let new = json!({"workflow": workflow, "id": id});
        assert_eq!(served.post_as(&token, "/v1/instances", &new).status, 201);
        let mut events = follow(&served, &token, &format!("/v1/instances/{id}/events"), "");
        until(&mut events, "requested");
        served.cli(&["drive", &format!("acme/{id}"), "--approve"]);
        until(&mut events, "completed");
    }
    for (path, list, name) in [
        ("/v1/instances", "instances", "instance"),
        ("/v1/receipts", "receipts", "receipt_id"),
        ("/v1/deployments", "deployments", "receipt_id"),
    ] {
        let whole = served.get_as(&token, path).json();
        let names = |answer: &Value| -> Vec<String> {
            let rows = answer[list].as_array().unwrap().iter();
            rows.map(|row| row[name].as_str().unwrap().to_owned()).collect()
        };
        let all = names(&whole);
        assert_eq!((all.len(), &whole["more"]), (3, &json!(false)), "{whole}");
        let first = served.get_as(&token, &format!("{path}?limit=2")).json();
        assert_eq!((names(&first), &first["more"]), (all[..2].to_vec(), &json!(true)));
        let rest = served.get_as(&token, &format!("{path}?limit=2&after={}", all[1])).json();
        assert_eq!((names(&rest), &rest["more"]), (all[2..].to_vec(), &json!(false)));
        assert_eq!(served.get_as(&token, &format!("{path}?after=nothing")).status, 404);
        assert_eq!(served.get_as(&token, &format!("{path}?limit=-1")).code(), "invalid-request");
    }
}

/// The path and the query to which the header `Link` leads.
fn next(answer: &Answer) -> Option<String> {
    let link = answer.header("link")?.strip_suffix(">; rel=\"next\"").unwrap();
    Some(link.strip_prefix('<').unwrap().to_owned())
}

#[test]
fn requests_and_the_audit_come_in_pages() {
    let served = Served::begin();
    let token = token(&served, "acme", ALL);
    let workflow = upload(&served, &token, "tenant-workflow").json()["workflow"].clone();
    for id in ["one", "two", "three"] {
        let new = json!({"workflow": workflow, "id": id, "params": {"of": id}});
        assert_eq!(served.post_as(&token, "/v1/instances", &new).status, 201);
    }
    let requests = |query: &str| served.get_as(&token, &format!("/v1/approvals{query}")).json();
    support::until("all ask", || requests("")["requests"].as_array().unwrap().len() == 3);
    let names = |page: &Value| -> Vec<String> {
        let rows = page["requests"].as_array().unwrap().iter();
        rows.map(|row| row["request"].as_str().unwrap().to_owned()).collect()
    };
    let in_order = requests("");
    let (all, first) = (names(&in_order), requests("?limit=2"));
    assert_eq!(
        (&in_order["more"], &first["more"], names(&first)),
        (&json!(false), &json!(true), all[..2].to_vec())
    );
    let rest = requests(&format!("?limit=2&after={}", all[1]));
    assert_eq!((names(&rest), &rest["more"]), (all[2..].to_vec(), &json!(false)));
    assert_eq!(served.get_as(&token, "/v1/approvals?after=nothing").status, 404);

    for query in ["", "instance=two&"] {
        let whole = served.get_as(&token, &format!("/v1/audit?{query}limit=1000"));
        assert_eq!(next(&whole), None);
        let (mut lines, mut pages) = (String::new(), 0);
        let mut path = Some(format!("/v1/audit?{query}limit=3"));
        while let Some(wanted) = path {
            let page = served.get_as(&token, &wanted);
            assert_eq!(
                (page.status, page.header("content-type")),
                (200, Some("application/jsonl")),
                "{page:?}"
            );
            assert!(page.body.lines().count() <= 3);
            lines += &page.body;
            pages += 1;
            path = next(&page);
        }
        assert_eq!(lines, whole.body);
        assert!(pages > 1 && pages == whole.body.lines().count().div_ceil(3), "{pages}");
    }
    assert_eq!(served.get_as(&token, "/v1/audit?after=yesterday").code(), "invalid-request");
    // The last row of a page is decided before the next page is asked for.
    let instance = in_order["requests"][1]["instance"].as_str().unwrap();
    served.cli(&["drive", &format!("acme/{instance}"), "--approve"]);
    support::until("it is decided", || !names(&requests("")).contains(&all[1]));
    let rest = requests(&format!("?limit=2&after={}", all[1]));
    assert_eq!((names(&rest), &rest["more"]), (all[2..].to_vec(), &json!(false)));
}
