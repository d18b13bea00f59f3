//! Keys that have ended, hosts that lie to their authority, and authorities that are not the host's own.

use crate::fixture::{Fixture, Setup, ahead_of_the_machine};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use engine::issuer::{IssuerServer, own_account};
use engine::trust::{Act, RecordedTrustAct, Trust};
use engine::{Clock as _, Error, Host, SystemClock};
use receipt::{
    Decision, DecisionStatement, Ed25519StatementSigner, Envelope, PersonId, StatementSigner as _, Timestamp,
};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use store::DataFolder;
use store::{ActStore as _, WriteStore as _};
use store_sqlite::Sqlite;
use tempfile::TempDir;
use workflow::RequestId;

/// Decides as `release`, with a key that ends in ten minutes.
const ENDING: (&str, u8) = ("erin", 1);
/// Decides as `release`.
const LASTING: (&str, u8) = ("alice", 2);
/// Decides alone.
const ALONE: (&str, u8) = ("dora", 3);

pub(crate) fn attacks() -> Vec<Attack> {
    [ended(), lying(), impostors()].concat()
}

fn ended() -> Vec<Attack> {
    let ended = "the key was valid until";
    vec![
        attack("ended-key", "Signs with a key that has ended, and writes an earlier time.", ended, || {
            let fixture = with_people()?;
            let (_, request) = fixture.victim()?;
            let backdated = signed(&statement(fixture.host(), &request, ENDING)?, ENDING)?;
            fixture.move_clock(11);
            Ok(Ending::of(fixture.host().sign(&request, &backdated).map(|kept| format!("{kept:?}"))))
        }),
        attack(
            "ended-key-reviews",
            "Reviews with a key that has ended, and writes an earlier time.",
            ended,
            || {
                let fixture = with_people()?;
                let (_, request) = fixture.victim()?;
                break_glass(fixture.host(), &request)?;
                let (by, agrees) = (ENDING.0.parse()?, Decision::Approved);
                let looked = fixture.host().review_statement(&request, &by, agrees, "looked")?;
                fixture.move_clock(11);
                let reviewed = fixture.host().review(&request, &signed(&looked, ENDING)?);
                Ok(Ending::of(reviewed.map(|()| "reviewed")))
            },
        ),
        attack(
            "ended-key-past-the-host",
            "Sends such a statement to the authority's own socket.",
            ended,
            || {
                let (elsewhere, fixture) = apart()?;
                let (_, request) = fixture.victim()?;
                let backdated = signed(&statement(fixture.host(), &request, ENDING)?, ENDING)?;
                fixture.move_clock(11);
                elsewhere.issue(&fixture, &request, &[&backdated], &json!({}))
            },
        ),
    ]
}

fn lying() -> Vec<Attack> {
    vec![
        attack(
            "chosen-receipt-name",
            "A host tells its authority which id the receipt should have.",
            "unknown field `id`",
            || {
                let (elsewhere, fixture) = apart()?;
                let (_, request) = fixture.victim()?;
                let envelope = signed(&statement(fixture.host(), &request, LASTING)?, LASTING)?;
                elsewhere.issue(&fixture, &request, &[&envelope], &json!({ "id": "rcpt_chosen" }))
            },
        ),
        attack(
            "hidden-denial",
            "A host sends its authority the approval, but not the earlier denial.",
            "DENIED",
            || {
                let (elsewhere, fixture) = apart()?;
                let (_, request) = fixture.victim()?;
                let approval = statement(fixture.host(), &request, LASTING)?;
                let denial = DecisionStatement { decision: Decision::Denied, ..approval };
                elsewhere.send(&fixture, &request, &signed(&denial, LASTING)?)?;
                let approval = signed(&statement(fixture.host(), &request, ENDING)?, ENDING)?;
                elsewhere.issue(&fixture, &request, &[&approval], &json!({}))
            },
        ),
        attack(
            "invented-outcome",
            "A host has its authority attest the outcome of a receipt that the authority did not sign.",
            "was signed here",
            || {
                let (elsewhere, _ground) = apart()?;
                let effect = json!({ "outcome": "unknown", "message": "" });
                elsewhere.ask(&json!({ "ask": "attest", "receipt": "rcpt_invented", "effect": effect }))
            },
        ),
    ]
}

fn impostors() -> Vec<Attack> {
    vec![
        attack(
            "stranger-on-the-socket",
            "Another account's process listens where the authority should.",
            "nothing was sent to it",
            || {
                let elsewhere = RemoteAuthority::new(&Arc::default())?;
                let folder = TempDir::with_prefix("pp-host-drill-")?;
                let host = Host::builder(folder.path().join("data")).authority(elsewhere.socket());
                // This account's process, where another account's is expected.
                let host = host.authority_account(own_account() ^ 1).open();
                Ok(Ending::of(host.map(|_| "the host took it for the authority")))
            },
        ),
        attack(
            "another-authority",
            "Another authority listens on the socket, with deciders of its own.",
            "nothing was copied",
            || {
                let (_elsewhere, fixture) = apart()?;
                let impostor = RemoteAuthority::new(&Arc::default())?;
                impostor.add("mallory", "release", 66, None)?;
                let data = fixture.data();
                Ok(Ending::of(
                    fixture.reopened_at(&impostor.socket(), &data)?.map(|()| "the host opened again"),
                ))
            },
        ),
    ]
}

fn attack(
    name: &'static str,
    tries: &'static str,
    words: &'static str,
    method: fn() -> Result<Ending, SetupError>,
) -> Attack {
    Attack {
        name,
        tries,
        attacker: Attacker::Approval,
        refusal: Refusal::Words(words),
        method: Method::Apart(method),
    }
}

/// A host where people decide.
fn with_people() -> Result<Fixture, SetupError> {
    let fixture = Fixture::new(Setup::tight())?;
    let ends = fixture.now().as_millis().saturating_add(600_000);
    for (person, role, ends) in people(ends) {
        for act in added(person, role, ends)? {
            fixture.host().record_act("drill", act)?;
        }
    }
    Ok(fixture)
}

/// A host whose authority is elsewhere, where the same people decide.
fn apart() -> Result<(RemoteAuthority, Fixture), SetupError> {
    let setup = Setup::tight();
    let elsewhere = RemoteAuthority::new(&setup.ahead)?;
    let ends = SystemClock.now().as_millis().saturating_add(600_000);
    for ((name, seed), role, ends) in people(ends) {
        elsewhere.add(name, role, seed, ends)?;
    }
    let fixture = Fixture::new(Setup { authority: Some(elsewhere.socket()), ..setup })?;
    Ok((elsewhere, fixture))
}

type Person = (&'static str, u8);

fn people(ends: i64) -> [(Person, &'static str, Option<Timestamp>); 3] {
    let ends = Some(Timestamp::from_millis(ends));
    [(ENDING, "release", ends), (LASTING, "release", None), (ALONE, "break-glass", None)]
}

/// The operator's act that adds a decider.
fn added(
    (name, seed): (&str, u8),
    role: &str,
    valid_until: Option<Timestamp>,
) -> Result<[Act; 2], SetupError> {
    let (decider, key) = (name.parse::<PersonId>()?, decider_key(seed)?.public_key());
    let (roles, tenants) = ([role.parse()?].into(), [].into());
    let (kind, public_key) = (key.scheme().as_str().to_owned(), key.to_base64());
    Ok([
        Act::DeciderAdded { decider: decider.clone(), roles, tenants },
        Act::KeyAdded { decider, kind, public_key, valid_until, passkey: None },
    ])
}

fn decider_key(seed: u8) -> Result<Ed25519StatementSigner, SetupError> {
    Ok(Ed25519StatementSigner::from_seed(&[seed; 32])?)
}

fn statement(host: &Host, id: &RequestId, (name, _): Person) -> Result<DecisionStatement, SetupError> {
    Ok(host.statement(id, &name.parse()?, None, Decision::Approved, None)?)
}

fn signed(statement: &DecisionStatement, (_, seed): Person) -> Result<Envelope, SetupError> {
    Ok(receipt::sign_decision(statement, &decider_key(seed)?)?)
}

fn break_glass(host: &Host, id: &RequestId) -> Result<(), SetupError> {
    let (by, role) = (ALONE.0.parse()?, "break-glass".parse()?);
    let alone = host.statement(id, &by, Some(&role), Decision::Approved, Some("it burns"))?;
    host.sign(id, &signed(&alone, ALONE)?)?;
    Ok(())
}

/// An authority on a thread of its own, until it is dropped.
struct RemoteAuthority {
    folder: TempDir,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl RemoteAuthority {
    /// An authority whose clock is this number of milliseconds ahead.
    fn new(ahead: &Arc<AtomicI64>) -> Result<Self, SetupError> {
        let folder = TempDir::with_prefix("pp-host-drill-")?;
        let ahead = Arc::clone(ahead);
        let clock = move || ahead_of_the_machine(&ahead);
        let (data, policy) = (folder.path().join("data"), Box::new(policy::ask_one()));
        let office = IssuerServer::open(&data, policy, Box::new(clock))?;
        let listener = UnixListener::bind(folder.path().join("socket"))?;
        let closing = Arc::new(AtomicBool::new(false));
        let closed = Arc::clone(&closing);
        let serve = move || office.serve_on(&listener, &[own_account()], &closed);
        let thread = Some(std::thread::Builder::new().spawn(serve)?);
        Ok(Self { folder, closing, thread })
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn add(&self, name: &str, role: &str, seed: u8, ends: Option<Timestamp>) -> Result<(), SetupError> {
        let folder = DataFolder::own(&self.folder.path().join("data"))?;
        let store = Sqlite::open(&folder)?;
        for act in added((name, seed), role, ends)? {
            let mut trust = Trust::default();
            trust.extend(&store.acts(0).wait()?)?;
            let body = serde_json::to_string(&RecordedTrustAct { by: "drill".to_owned(), act })?;
            store.act(trust.seq(), SystemClock.now(), body)?;
        }
        Ok(())
    }

    /// The authority's answer to any question. Lets an attack send what a host would not.
    fn answer(&self, question: &Value) -> Result<Value, SetupError> {
        let mut stream = UnixStream::connect(self.socket())?;
        stream.write_all(format!("{question}\n").as_bytes())?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }

    fn ask(&self, question: &Value) -> Result<Ending, SetupError> {
        let answer = self.answer(question)?;
        let status = &answer["receipt"]["artifact"]["status"];
        Ok(match (answer["answer"].as_str(), status.as_str()) {
            (Some("refused"), _) => Ending::Refused(answer["message"].to_string()),
            (_, Some("DENIED")) => Ending::Refused("DENIED".to_owned()),
            _ => Ending::Through(answer.to_string()),
        })
    }

    /// Has a request decided on these statements, with more in the question than belongs there.
    fn issue(
        &self,
        fixture: &Fixture,
        id: &RequestId,
        envelopes: &[&Envelope],
        more: &Value,
    ) -> Result<Ending, SetupError> {
        let envelopes: Vec<_> = envelopes.iter().map(|envelope| envelope.to_json().canonical()).collect();
        let request = fixture.host().request(id)?;
        let mut question = json!({ "ask": "issue", "request": request, "envelopes": envelopes });
        for (member, value) in more.as_object().into_iter().flatten() {
            question[member] = value.clone();
        }
        self.ask(&question)
    }

    /// Shows it a statement that is not enough by itself.
    fn send(&self, fixture: &Fixture, id: &RequestId, envelope: &Envelope) -> Result<(), SetupError> {
        let (request, envelope) = (fixture.host().request(id)?, envelope.to_json().canonical());
        let answer = self.answer(&json!({ "ask": "admit", "request": request, "envelope": envelope }))?;
        if answer["answer"] == "done" { Ok(()) } else { Err(answer.to_string().into()) }
    }
}

impl Drop for RemoteAuthority {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        // A connection wakes the other side. If it fails, that side has gone.
        let knocked = UnixStream::connect(self.socket());
        if let (Ok(_), Some(thread)) = (knocked, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl Fixture {
    /// Closes the host, and opens its folder with another authority.
    fn reopened_at(self, socket: &Path, data: &Path) -> Result<Result<(), Error>, SetupError> {
        let folder = self.closed();
        let opened = Host::builder(data).authority(socket.to_owned()).open().map(drop);
        drop(folder);
        Ok(opened)
    }
}
