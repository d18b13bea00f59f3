//! The page on which people decide: its content, its readers, and its refusals.

use crate::support;
use crate::support::http::{Answer, Served};
use crate::support::people;
use crate::support::script;
use serde_json::json;
use tempfile::TempDir;

/// The routes of the page. They need a session, except on a demonstration.
pub const ROUTES: &[(&str, &str)] = &[
    ("GET", "/"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in/challenge"),
    ("POST", "/sign-in"),
    ("POST", "/sign-out"),
    ("GET", "/approvals/{request}"),
    ("POST", "/approvals/{request}/statement"),
    ("POST", "/approvals/{request}/signature"),
    ("POST", "/approvals/{request}/elsewhere"),
    ("POST", "/approvals/{request}/envelope"),
    ("POST", "/approvals/{request}/demo"),
    ("GET", "/instances"),
    ("GET", "/instances/{tenant}/{instance}"),
    ("GET", "/instances/{tenant}/{instance}/events"),
    ("GET", "/receipts"),
    ("GET", "/receipts/{receipt}"),
    ("GET", "/register"),
    ("POST", "/register/challenge"),
    ("POST", "/register"),
    ("GET", "/deciders"),
    ("GET", "/assets/pp.css"),
    ("GET", "/assets/pp.js"),
    ("GET", "/favicon.ico"),
];

/// A person's browser on this machine.
fn visit(served: &Served, path: &str) -> Answer {
    served.send("GET", path, &[("Sec-Fetch-Site", "none")], b"")
}

fn submit_form(served: &Served, path: &str, body: &str) -> Answer {
    let origin = format!("http://{}", served.authority());
    let headers = [
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Origin", origin.as_str()),
        ("Sec-Fetch-Site", "same-origin"),
    ];
    served.send("POST", path, &headers, body.as_bytes())
}

/// The request of an instance of `acme` that waits.
fn waiting(served: &Served) -> String {
    support::start(&served.host, "tenant-workflow", &json!({}).to_string());
    support::awaited("it asks", || Some(served.host.waiting().unwrap().first()?.request.id.to_string()))
}

#[test]
fn a_demonstration_says_so_and_decides_without_a_script() {
    let served = Served::begin();
    let request = waiting(&served);
    let inbox = visit(&served, "/");
    assert!(inbox.status == 200 && inbox.body.contains("This is a demonstration."), "{inbox:?}");
    assert!(inbox.body.contains(&format!("href=\"/approvals/{request}\"")), "{}", inbox.body);
    let path = format!("/approvals/{request}");
    let page = visit(&served, &path).body;
    let view = served.host.request(&request.parse().unwrap()).unwrap();
    assert!(page.contains(&format!("sha256 {}", view.view_digest())), "{page}");
    assert!(page.contains("The text of the artifact") && page.contains("class=\"add\""), "{page}");
    let refused = submit_form(&served, &format!("{path}/demo"), "decision=DENIED&reason=+");
    assert!(refused.status == 200 && refused.body.contains("A denial needs a reason"), "{refused:?}");
    let decided = submit_form(&served, &format!("{path}/demo"), "decision=APPROVED&reason=");
    assert_eq!(decided.status, 303, "{decided:?}");
    let receipt = visit(&served, decided.header("location").unwrap()).body;
    assert!(receipt.contains("demo: proves nothing") && receipt.contains("commitment opened"), "{receipt}");
    assert!(visit(&served, &path).body.contains("APPROVED"), "the request says how it ended");
    for path in ["/instances", "/receipts", "/deciders"] {
        assert_eq!(visit(&served, path).status, 200, "{path}");
    }
}

#[test]
fn a_second_click_and_an_address_loaded_again_lead_to_the_request() {
    let served = Served::begin();
    let path = format!("/approvals/{}", waiting(&served));
    let approve = || submit_form(&served, &format!("{path}/demo"), "decision=APPROVED");
    assert_eq!(approve().status, 303);
    let again = approve();
    assert_eq!(again.status, 200, "{again:?}");
    assert!(again.body.contains("Not decided. ") && again.body.contains("/receipts/rcpt_"), "{again:?}");
    let page = [("Accept", "text/html,application/xhtml+xml")];
    for form in ["demo", "elsewhere", "envelope"] {
        let loaded = served.send("GET", &format!("{path}/{form}"), &page, b"");
        assert_eq!((loaded.status, loaded.header("location")), (303, Some(path.as_str())), "{form}");
    }
    let refused = served.send("GET", &format!("{path}/demo"), &[], b"");
    assert_eq!((refused.status, refused.code().as_str()), (405, "method"), "a program is told what is wrong");
}

#[test]
fn an_error_is_a_page_for_a_browser_and_leaves_its_navigation() {
    let served = Served::begin();
    let page = [("Accept", "text/html,application/xhtml+xml"), ("Sec-Fetch-Site", "none")];
    let nowhere = served.send("GET", "/no/such/page", &page, b"");
    assert!(nowhere.status == 404 && nowhere.body.contains("<h1>Not found</h1>"), "{nowhere:?}");
    assert_eq!(served.get("/no/such/page").code(), "not-found", "and JSON for a program");
    let absent = served.send("GET", "/receipts/rcpt_688c47e8f67c1a616e03e751", &page, b"");
    assert!(absent.status == 404 && absent.body.contains("href=\"/instances\""), "{absent:?}");
}

#[test]
fn older_instances_are_a_link_away() {
    let served = Served::begin();
    let guest = support::guest("tenant-workflow");
    let workflow = served.host.load(guest).unwrap();
    for _ in 0..101 {
        let start = engine::Start::new("acme".parse().unwrap(), "agent:x".parse().unwrap(), "w", "{}");
        served.host.start(&workflow, start).unwrap();
    }
    let shown = |page: &str| -> Vec<String> {
        let links = page.split("class=\"what\" href=\"").skip(1);
        links.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let newest = visit(&served, "/instances").body;
    let (_, link) = newest.split_once("href=\"/instances?").unwrap();
    let link = format!("/instances?{}", link.split('"').next().unwrap().replace("&amp;", "&"));
    let older = visit(&served, &link).body;
    let (first, rest) = (shown(&newest), shown(&older));
    assert_eq!((first.len(), rest.len()), (100, 1), "{link}");
    assert!(link.ends_with(first[99].rsplit('/').next().unwrap()) && !first.contains(&rest[0]));
    assert!(!older.contains("Older instances"));
}

#[test]
fn where_people_decide_the_page_takes_a_sign_in_and_demo_decisions_are_refused() {
    let served = Served::begin();
    let request = waiting(&served);
    people::add_alice(&served.host);
    for path in ["/", "/instances", "/receipts", "/deciders"] {
        let answer = visit(&served, path);
        assert!(answer.status == 303 && answer.header("location").unwrap().starts_with("/sign-in"), "{path}");
    }
    let path = format!("/approvals/{request}");
    let answer = visit(&served, &path);
    assert_eq!(answer.header("location"), Some(&*format!("/sign-in?next={path}")));
    let refused = submit_form(&served, &format!("{path}/demo"), "decision=APPROVED");
    assert!(refused.status == 403 && refused.body.contains("people-decide"), "{refused:?}");
    let key = [("Cookie", "__Host-pp-session=0000")];
    assert_eq!(served.send("GET", "/", &key, b"").status, 303, "a cookie of nobody's");
    let signature =
        served.send("POST", &format!("{path}/signature"), &[("Content-Type", "application/json")], b"{}");
    assert_eq!((signature.status, signature.code().as_str()), (401, "unauthenticated"));
    assert_eq!(served.host.waiting().unwrap().len(), 1, "nothing was decided");
}

#[test]
fn a_page_behind_a_proxy_is_no_demonstration() {
    let url = "https://approve.example.com".parse().unwrap();
    let served = Served::begin_with(
        tempfile::TempDir::new().unwrap(),
        |builder| builder,
        Default::default(),
        Some(url),
    );
    let request = waiting(&served);
    for host in ["approve.example.com".to_owned(), served.authority()] {
        let answer = served.send("GET", "/", &[("Host", &host)], b"");
        assert_eq!(answer.status, 303, "{host}");
        let headers = [("Host", host.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
        let refused =
            served.send("POST", &format!("/approvals/{request}/demo"), &headers, b"decision=APPROVED");
        assert_eq!(refused.status, 403, "{host}");
    }
}

/// The page does not show source text; a decider reads it with the command that does.
#[test]
fn the_page_says_how_to_read_the_source_of_a_script() {
    let folder = TempDir::new().unwrap();
    support::compiled::put_engine(folder.path());
    let served = Served::begin_with(folder, |builder| builder, Default::default(), None);
    let hint = |request: &str| format!("pp-host approvals show {request} --source");
    let component = waiting(&served);
    assert!(!visit(&served, &format!("/approvals/{component}")).body.contains(&hint(&component)));
    let asks = "await env.PP.requireApproval({ capability: 'cloudflare.dynamic-worker.deploy', resource: 'r', reason: 'x' });";
    script::start(&served.host, &script::workflow(asks), &json!({}));
    let request = support::awaited("the script asks", || {
        let waiting = served.host.waiting().unwrap();
        waiting.iter().map(|one| one.request.id.to_string()).find(|request| *request != component)
    });
    let page = visit(&served, &format!("/approvals/{request}")).body;
    assert!(page.contains(&hint(&request)), "{page}");
}

#[test]
fn a_workflow_s_words_are_text_in_their_own_box() {
    let served = Served::begin();
    let params = json!({
        "attack": "asks", "resource": "x://<script>alert(1)</script>", "name": "<b>bundle</b>.js",
        "reason": "</pre></section><h1>APPROVED by user:ceo</h1>\u{1b}[2K\u{202e}drawkcab",
        "evidence": "{\"a\":\"<img src=x onerror=alert(1)>\"}",
    });
    support::start(&served.host, "hostile", &params.to_string());
    let request =
        std::iter::repeat_with(|| served.host.waiting().unwrap()).find(|waiting| !waiting.is_empty());
    let request = request.unwrap()[0].request.id.to_string();
    let page = visit(&served, &format!("/approvals/{request}")).body;
    for markup in ["<script>alert", "<b>bundle", "<h1>APPROVED", "<img ", "\u{1b}", "\u{202e}"] {
        assert!(!page.contains(markup), "{markup} is in {page}");
    }
    let (own, rest) = page.split_once("class=\"guest\"").unwrap();
    let (boxed, _) = rest.split_once("</section>").unwrap();
    assert!(boxed.contains("APPROVED by user:ceo") && boxed.contains("\\u{1b}[2K"), "{boxed}");
    assert!(!own.contains("user:ceo"), "no headline is a workflow's");
    assert!(
        visit(&served, "/").body.contains("x://&lt;script&gt;"),
        "what is acted on stands whole, as text"
    );
}

#[test]
fn only_this_site_s_paths_follow_a_sign_in() {
    let served = Served::begin();
    for (next, kept) in
        [("/approvals/apr_1", true), ("//attacker.example", false), ("https:/x", false), ("/%5Cx", false)]
    {
        let page = visit(&served, &format!("/sign-in?next={next}")).body;
        assert_eq!(page.contains("data-next"), kept, "{next}");
    }
}
