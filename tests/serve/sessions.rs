//! Sessions of people with passkeys: how they begin, and that an open stream of events ends with their rights.

use crate::support;
use crate::support::http::{Answer, Served};
use crate::support::people;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use drill::authenticator::SoftwareAuthenticator;
use engine::Invite;
use engine::trust::Act;
use receipt::{Digest, KeyId, RelyingParty, Timestamp};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::time::Duration;
use store::InstanceKey;
use tempfile::TempDir;

/// Gives a person a passkey that counts, for pages of that relying party.
fn register(
    served: &Served,
    name: &str,
    relying_party: RelyingParty,
    authenticator: &SoftwareAuthenticator,
) -> KeyId {
    let known = served.host.trust().unwrap().deciders().person(&name.parse().unwrap()).is_some();
    let roles = if known { [].into() } else { ["release".parse().unwrap()].into() };
    let lifetime = Duration::from_secs(900);
    let invite =
        Invite { decider: name.parse().unwrap(), roles, tenants: [].into(), relying_party, lifetime };
    let code = served.host.invite("operator", invite).unwrap();
    let key = served.host.register_passkey(&code, &authenticator.create(&code.challenge())).unwrap();
    let trust = served.host.trust().unwrap();
    let own = trust.invitations().find(|invitation| invitation.decider.as_str() == name).unwrap();
    for act in own.confirmation().unwrap() {
        served.host.record_act("operator", act).unwrap();
    }
    key.key_id()
}

/// Sends what the page's script sends.
fn post(served: &Served, host: &str, path: &str, cookie: &str, body: &Value) -> Answer {
    let headers = [("Host", host), ("Content-Type", "application/json"), ("Cookie", cookie)];
    served.send("POST", path, &headers, body.to_string().as_bytes())
}

/// The authenticator's signature over a challenge, as the page's script sends it.
fn assertion(authenticator: &SoftwareAuthenticator, challenge: &Value) -> Value {
    let challenge = URL_SAFE_NO_PAD.decode(challenge.as_str().unwrap()).unwrap();
    let response = authenticator.get(&Digest::from_bytes(challenge.try_into().unwrap()));
    json!({
        "credential": URL_SAFE_NO_PAD.encode(authenticator.credential_id()),
        "authenticator_data": URL_SAFE_NO_PAD.encode(response.authenticator_data),
        "client_data_json": URL_SAFE_NO_PAD.encode(response.client_data_json),
        "signature": URL_SAFE_NO_PAD.encode(response.signature),
    })
}

/// Signs in, and returns the session's cookie.
fn sign_in(served: &Served, host: &str, authenticator: &SoftwareAuthenticator) -> String {
    let begun = post(served, host, "/sign-in/challenge", "", &json!({})).json();
    let mut signed = assertion(authenticator, &begun["challenge"]);
    signed["nonce"] = begun["nonce"].clone();
    let answer = post(served, host, "/sign-in", "", &signed);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn a_challenge_signs_in_once_and_callers_who_only_ask_for_challenges_use_up_none() {
    let served = Served::begin();
    let host = served.authority();
    let origin = format!("http://{host}");
    let dora = SoftwareAuthenticator::new(&[9; 32], &origin).unwrap();
    register(&served, "dora", RelyingParty::of_origin(&origin).unwrap(), &dora);
    let challenge = || post(&served, &host, "/sign-in/challenge", "", &json!({})).json();
    let begun = challenge();
    for _ in 0..100 {
        challenge();
    }
    let mut signed = assertion(&dora, &begun["challenge"]);
    signed["nonce"] = begun["nonce"].clone();
    let sign_in = |signed: &Value| post(&served, &host, "/sign-in", "", signed);
    let mut foreign = signed.clone();
    foreign["nonce"] = challenge()["nonce"].clone();
    let refused = sign_in(&foreign);
    assert_eq!((refused.status, refused.code().as_str()), (422, "passkey-refused"), "over another challenge");
    foreign["nonce"] = json!(URL_SAFE_NO_PAD.encode([1; 64]));
    let refused = sign_in(&foreign);
    assert_eq!((refused.status, refused.code().as_str()), (403, "challenge"), "a nonce that no server made");
    assert_eq!(sign_in(&signed).status, 200);
    let again = sign_in(&signed);
    assert_eq!((again.status, again.code().as_str(), again.header("set-cookie")), (403, "challenge", None));
}

/// An instance of `acme` that waits for a decision.
fn waiting(served: &Served) -> InstanceKey {
    let key = support::start(&served.host, "tenant-workflow", "{}");
    support::until("it asks", || served.host.waiting().unwrap().iter().any(|waiting| waiting.key == key));
    key
}

/// The page's stream of an instance's events.
struct Stream(BufReader<std::net::TcpStream>);

impl Stream {
    fn open(served: &Served, key: &InstanceKey, cookie: &str) -> Self {
        let mut stream = served.connect();
        let head = format!(
            "GET /instances/{}/{}/events HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n",
            key.tenant,
            key.instance,
            served.authority()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut stream = Self(BufReader::new(stream));
        assert!(stream.reaches("/approvals/apr_"), "the stream ended before the request");
        stream
    }

    /// Reads on until a line has these words; false where the stream ends first.
    fn reaches(&mut self, words: &str) -> bool {
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return false;
            }
            if line.contains(words) {
                return true;
            }
        }
    }
}

/// Sends an event to the instance, and returns whether the stream tells of it.
fn tells_of_more(served: &Served, key: &InstanceKey, stream: &mut Stream) -> bool {
    served.host.send_event(key, &"secret-type".parse().unwrap(), "1").unwrap();
    stream.reaches("secret-type")
}

#[test]
fn an_open_stream_ends_with_the_rights_of_its_session() {
    type End = fn(&Served, &KeyId, &str);
    let ends: [(&str, End); 4] = [
        ("the session goes on", |_, _, _| {}),
        ("the key is compromised", |served, key, _| {
            let compromised_at = Some(Timestamp::from_millis(1_700_000_000_000));
            let act = Act::KeyRevoked { key_id: key.to_string(), compromised_at, reason: "lost".to_owned() };
            served.host.record_act("operator", act).unwrap();
        }),
        ("the person decides for another tenant", |served, _, _| {
            let act = Act::DeciderAdded {
                decider: "dora".parse().unwrap(),
                roles: ["release".parse().unwrap()].into(),
                tenants: ["globex".parse().unwrap()].into(),
            };
            served.host.record_act("operator", act).unwrap();
        }),
        ("the person signs out", |served, _, cookie| {
            let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Cookie", cookie)];
            assert_eq!(served.send("POST", "/sign-out", &headers, b"").status, 303);
        }),
    ];
    for (case, end) in ends {
        let served = Served::begin();
        let origin = format!("http://{}", served.authority());
        let dora = SoftwareAuthenticator::new(&[9; 32], &origin).unwrap();
        let key = register(&served, "dora", RelyingParty::of_origin(&origin).unwrap(), &dora);
        let instance = waiting(&served);
        let cookie = sign_in(&served, &served.authority(), &dora);
        let mut stream = Stream::open(&served, &instance, &cookie);
        end(&served, &key, &cookie);
        assert_eq!(tells_of_more(&served, &instance, &mut stream), case == "the session goes on", "{case}");
    }
}

#[test]
fn the_stream_of_a_demonstration_ends_with_it() {
    let served = Served::begin();
    let instance = waiting(&served);
    let mut stream = Stream::open(&served, &instance, "none=0");
    assert!(tells_of_more(&served, &instance, &mut stream));
    people::add_alice(&served.host);
    assert!(!tells_of_more(&served, &instance, &mut stream), "people decide now");
}

/// A site whose passkeys belong to the parent domain, as `deciders invite --rp-id` makes them.
#[test]
fn a_passkey_of_the_parent_domain_signs_in_and_decides() {
    const HOST: &str = "approve.example.com";
    let (origin, url) = (format!("https://{HOST}"), format!("https://{HOST}").parse().unwrap());
    let served =
        Served::begin_with(TempDir::new().unwrap(), |builder| builder, Default::default(), Some(url));
    let challenge = || post(&served, HOST, "/sign-in/challenge", "", &json!({})).json()["rp_ids"].clone();
    assert_eq!(challenge(), json!([HOST]), "before there is a passkey");
    let mut dora = SoftwareAuthenticator::new(&[9; 32], &origin).unwrap();
    dora.rp_id = "example.com".to_owned();
    let parent = || RelyingParty::new("example.com", [origin.clone()]).unwrap();
    register(&served, "dora", parent(), &dora);
    assert_eq!(challenge(), json!(["example.com"]));
    let cookie = sign_in(&served, HOST, &dora);
    // A second one, of the site's own name: each is asked for with its own.
    let own = SoftwareAuthenticator::new(&[10; 32], &origin).unwrap();
    register(&served, "dora", RelyingParty::of_origin(&origin).unwrap(), &own);
    let mut erin = SoftwareAuthenticator::new(&[11; 32], &origin).unwrap();
    erin.rp_id = "example.com".to_owned();
    register(&served, "erin", parent(), &erin);
    assert_eq!(challenge(), json!(["example.com", HOST]), "the one of most passkeys first");
    let with_own = sign_in(&served, HOST, &own);
    waiting(&served);
    let request = served.host.waiting().unwrap()[0].request.id.clone();
    let path = format!("/approvals/{request}");
    let draft = json!({ "decision": "APPROVED" });
    let ceremony = post(&served, HOST, &format!("{path}/statement"), &cookie, &draft).json();
    let credential = |of: &SoftwareAuthenticator| URL_SAFE_NO_PAD.encode(of.credential_id());
    assert_eq!(ceremony["rp_id"], "example.com", "{ceremony}");
    assert_eq!(ceremony["credentials"], json!([credential(&dora)]), "{ceremony}");
    let other = post(&served, HOST, &format!("{path}/statement"), &with_own, &draft).json();
    assert_eq!(
        (&other["rp_id"], &other["credentials"]),
        (&json!(HOST), &json!([credential(&own)])),
        "{other}"
    );
    let mut signed = assertion(&dora, &ceremony["challenge"]);
    signed["statement"] = ceremony["statement"].clone();
    let decided = post(&served, HOST, &format!("{path}/signature"), &cookie, &signed);
    assert_eq!((decided.status, &decided.json()["status"]), (200, &json!("APPROVED")), "{decided:?}");
}
