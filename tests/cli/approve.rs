//! Deciding on the command line: the transcript in the manual, and a real ssh-agent.

use crate::support;
use crate::support::cli::*;
use crate::support::worker::decider;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A folder with the demo guest as `guest.wasm`, to run commands in.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    fs::copy(support::guest_path("tenant-workflow"), folder.path().join("guest.wasm")).unwrap();
    folder
}

/// Runs a command there, on the data folder there.
fn at(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(Path::new(".pp-host"), arguments);
    command.current_dir(folder).env("USER", "operator").output().unwrap().into()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let ran = at(folder, arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// The one waiting request.
fn waiting(folder: &Path) -> (String, String) {
    let listed = lines(&succeeds(folder, &["approvals", "--json"]));
    let text = |name: &str| listed[0][name].as_str().unwrap().to_owned();
    (text("request"), text("instance"))
}

/// Whether a word differs on every run: names, digests, keys, times.
fn is_unique(word: &str) -> bool {
    let named = ["apr_", "wf_", "rcpt_", "dep_", "pp_"].iter().any(|prefix| word.starts_with(prefix));
    let digest = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let time = word.len() == 24 && word.ends_with('Z') && word.starts_with("20");
    (named && word.len() > 12) || digest || time
}

/// A text as words and the separators between them.
fn words(text: &str) -> Vec<&str> {
    text.split_inclusive(|c: char| !c.is_alphanumeric() && !"_-:.".contains(c))
        .flat_map(|piece| {
            let word = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
            [word, &piece[word.len()..]]
        })
        .collect()
}

/// The text with everything unique left out, and what that was.
fn settled(text: &str) -> (String, Vec<String>) {
    let mut unique = Vec::new();
    // The duration differs on every run, too.
    let text: String = text
        .lines()
        .filter(|line| !line.starts_with("time to decide"))
        .map(|line| format!("{line}\n"))
        .collect();
    let kept: String = words(&text)
        .into_iter()
        .map(|word| {
            if is_unique(word) {
                unique.push(word.to_owned());
                "…"
            } else {
                word
            }
        })
        .collect();
    (kept, unique)
}

#[test]
fn the_manual_shows_what_happens() {
    let manual = fs::read_to_string(support::root().join("docs/approvals.md")).unwrap();
    let folder = folder();
    let policy = manual.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    fs::create_dir(folder.path().join(".pp-host")).unwrap();
    fs::write(folder.path().join(".pp-host/policy.toml"), policy).unwrap();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut commands = 0;
    for block in manual.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        for step in block.split("$ pp-host ").skip(1) {
            let (line, shown) = step.split_once('\n').unwrap();
            let arguments = shlex(line, &names);
            let ran = at(folder.path(), &arguments.iter().map(String::as_str).collect::<Vec<_>>());
            let ((is, found), (was, written)) = (settled(&ran.stdout), settled(shown));
            assert_eq!(is, was, "{line}: the transcript is out of date\n{}", ran.stderr);
            names.extend(written.into_iter().zip(found));
            commands += 1;
        }
    }
    assert!(commands > 8, "{commands} commands");
}

/// A command line's words; `"…"` is one. Names from the transcript become those of this run.
fn shlex(line: &str, names: &BTreeMap<String, String>) -> Vec<String> {
    let mut arguments = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        match index % 2 {
            0 => arguments.extend(part.split_whitespace().map(ToOwned::to_owned)),
            _ => arguments.push(part.to_owned()),
        }
    }
    arguments.into_iter().map(|word| names.get(&word).cloned().unwrap_or(word)).collect()
}

/// An agent that ends with the test.
struct Agent {
    socket: String,
    process: std::process::Child,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `ssh-agent -D` prints its socket before it does anything else.
fn agent(folder: &Path) -> Agent {
    let socket = folder.join("agent.sock").display().to_string();
    let mut process =
        Command::new("ssh-agent").args(["-D", "-a", &socket]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(process.stdout.as_mut().unwrap()), &mut line)
        .unwrap();
    Agent { socket, process }
}

#[test]
fn a_key_in_ssh_agent_decides() {
    if !support::installed(&["ssh-agent", "ssh-keygen", "ssh-add"]) {
        return;
    }
    let folder = folder();
    let here = folder.path();
    let tool = |program: &str, arguments: &[&str], socket: &str| {
        let mut command = Command::new(program);
        command.current_dir(here).args(arguments).env("SSH_AUTH_SOCK", socket);
        assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success(), "{program}");
    };
    tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "id_alice", "-C", "alice@example"], "");
    succeeds(here, &["deciders", "add", "alice", "--role", "release", "--key", "id_alice.pub"]);
    assert_eq!(at(here, &["run", "guest.wasm", "--wait"]).code, Some(3));
    let (request, instance) = waiting(here);
    let agent = agent(here);
    let approve = |decider: &str| {
        let mut command = command(
            &here.join(".pp-host"),
            &["approve", &request, "--as", decider, "--ssh-agent", "--reason", "green"],
        );
        Ran::from(command.current_dir(here).env("SSH_AUTH_SOCK", &agent.socket).output().unwrap())
    };
    let empty = approve("alice");
    assert_eq!(empty.code, Some(1), "the agent does not have it: {}", empty.stdout);
    tool("ssh-add", &["-q", "id_alice"], &agent.socket);
    assert_eq!(approve("bob").code, Some(1), "bob is nobody here");
    let approved = approve("alice");
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    assert!(approved.stdout.contains("APPROVED"), "{}", approved.stdout);
    let resumed = succeeds(here, &["drive", &instance]);
    assert!(resumed.contains("deployed"), "{resumed}");
    // And an auditor sees who it was, from files alone.
    let receipt = receipt_id(&here.join(".pp-host"), "APPROVED");
    let files = [
        ("receipt.json", vec!["receipts", "export", &receipt]),
        ("keys.json", vec!["keys", "export"]),
        ("deciders.json", vec!["deciders", "export"]),
    ];
    for (name, arguments) in files {
        write(here, name, &succeeds(here, &arguments));
    }
    let verified =
        succeeds(here, &["verify", "receipt.json", "--keys", "keys.json", "--deciders", "deciders.json"]);
    assert!(verified.contains("signed by    alice as release"), "{verified}");
    write(here, "nobody.json", r#"{"deciders":[],"version":1}"#);
    let others = at(here, &["verify", "receipt.json", "--keys", "keys.json", "--deciders", "nobody.json"]);
    assert_eq!(others.code, Some(9), "{}", others.stdout);
}

/// Drawn up here, signed there: the host never sees the key.
#[test]
fn a_statement_is_signed_elsewhere() {
    let folder = folder();
    let here = folder.path();
    succeeds(here, &["deciders", "new-key", "alice.pem"]);
    succeeds(here, &["deciders", "add", "alice", "--role", "release", "--key", "alice.pem.pub"]);
    assert_eq!(at(here, &["run", "guest.wasm"]).code, Some(3), "nobody decides here for show");
    let (request, instance) = waiting(here);
    let statement = succeeds(here, &["approve", &request, "--as", "alice", "--statement"]);
    let statement = receipt::DecisionStatement::parse(statement.trim_end()).unwrap();
    let key = signer::KeyFile::open(&here.join("alice.pem"), |_| panic!("it has no passphrase")).unwrap();
    let message = receipt::pae(receipt::PAYLOAD_TYPE, statement.canonical().as_bytes());
    let signature =
        receipt::EnvelopeSignature { key_id: String::new(), signature: key.sign(&message).into() };
    let envelope =
        receipt::Envelope::new(receipt::PAYLOAD_TYPE, statement.canonical().as_bytes(), vec![signature]);
    let file = write(here, "decision.json", &envelope.unwrap().to_json().canonical());
    succeeds(here, &["approve", &request, "--envelope", &file]);
    assert!(succeeds(here, &["drive", &instance]).contains("deployed"));
    assert!(succeeds(here, &["approvals", "stats"]).contains("user:alice: 1"));
}

#[test]
fn what_cannot_be_is_said_and_changes_nothing() {
    let folder = folder();
    let here = folder.path();
    let fails = |arguments: &[&str], words: &[&str]| {
        let ran = at(here, arguments);
        assert_ne!(ran.code, Some(0), "{arguments:?}: {}", ran.stdout);
        for word in words {
            assert!(ran.stderr.contains(word), "{word} is not in {}", ran.stderr);
        }
    };
    succeeds(here, &["deciders", "new-key", "alice.pem"]);
    succeeds(here, &["deciders", "new-key", "bob.pem"]);
    fails(&["deciders", "new-key", "alice.pem"], &["alice.pem"]);
    fails(&["deciders", "add", "alice", "--role", "release"], &["needs a key"]);
    succeeds(here, &["deciders", "add", "alice", "--role", "release", "--key", "alice.pem.pub"]);
    fails(
        &["deciders", "add", "bob", "--role", "release", "--key", "alice.pem.pub"],
        &["already belongs to alice"],
    );
    fails(&["deciders", "add", "Bob", "--role", "release", "--key", "bob.pem.pub"], &["a-z"]);
    fails(&["deciders", "remove", "bob", "--reason", "x"], &["no decider bob"]);
    fails(&["run", "guest.wasm", "--deny"], &["signed by people"]);
    assert_eq!(at(here, &["run", "guest.wasm"]).code, Some(3));
    let (request, instance) = waiting(here);
    fails(&["drive", &instance, "--approve"], &["signed by people"]);
    fails(&["approve", &request, "--as", "alice"], &["--key FILE or --ssh-agent"]);
    fails(&["approve", &request, "--as", "alice", "--key", "bob.pem"], &["is not alice's"]);
    fails(
        &["approve", &request, "--as", "alice", "--key", "alice.pem", "--role", "admin"],
        &["the role admin"],
    );
    fails(&["approve", &request, "--as", "alice", "--key", "alice.pem", "--break-glass"], &["--reason"]);
    fails(&["approve", "apr_nothing", "--as", "alice", "--key", "alice.pem"], &["no request apr_nothing"]);
    fails(&["thaw", "--reason", "x"], &["not frozen"]);
    fs::write(here.join(".pp-host/policy.toml"), "[[rule]]\nid = \"x\"\nthen = \"alow\"\n").unwrap();
    fails(&["run", "guest.wasm"], &["policy.toml", "line 3", "allow"]);
    fails(&["policy", "check"], &["line 3"]);
    fs::remove_file(here.join(".pp-host/policy.toml")).unwrap();
    succeeds(here, &["deny", &request, "--as", "alice", "--key", "alice.pem", "--reason", "wrong branch"]);
    // The same question twice is one, asked again.
    assert_eq!(at(here, &["run", "guest.wasm"]).code, Some(3));
    assert_eq!(at(here, &["run", "guest.wasm"]).code, Some(3));
    let listed = succeeds(here, &["approvals"]);
    assert_eq!(listed.matches("the same, asked again").count(), 1, "{listed}");
    let (request, _) = waiting(here);
    assert!(succeeds(here, &["policy", "explain", "--request", &request]).contains("ask 1 of anyone"));
    assert!(succeeds(here, &["audit"]).contains("decider     alice may decide as release for every tenant"));
}

/// The operator's half of a passkey, in the terminal: the invitation, the listing meanwhile, and the confirmation by
/// the key's id.
#[test]
fn an_operator_invites_and_confirms_a_passkey() {
    const ORIGIN: &str = "http://localhost:8787";
    let folder = folder();
    let here = folder.path();
    let fails = |arguments: &[&str], words: &str| {
        let ran = at(here, arguments);
        assert!(ran.code == Some(1) && ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    };
    fails(&["deciders", "invite", "dora"], "needs a role");
    fails(
        &["deciders", "invite", "dora", "--role", "release", "--url", "http://127.0.0.1:8787"],
        "no passkey",
    );
    fails(&["deciders", "invite", "dora", "--role", "release", "--expires", "2d"], "at most a day");
    let invited = succeeds(here, &["deciders", "invite", "dora", "--role", "release"]);
    let link = invited.lines().next().unwrap();
    let code = link.strip_prefix("http://localhost:8787/register#").unwrap();
    assert!(succeeds(here, &["deciders", "list"]).contains("dora  is invited"));
    let key = "0".repeat(64);
    fails(&["deciders", "confirm", "dora", &key], "has not used it");
    fails(&["deciders", "confirm", "erin", &key], "has no invitation");
    // Without the code itself: the recorded data cannot be used to register.
    let acts = succeeds(here, &["audit"]);
    assert!(!acts.contains(&code["pp_invite_".len()..]), "{acts}");
    let dora = drill::authenticator::SoftwareAuthenticator::new(&[9; 32], ORIGIN).unwrap();
    let id = {
        let host = engine::Host::builder(here.join(".pp-host")).open().unwrap();
        let code = code.parse::<engine::trust::InvitationCode>().unwrap();
        host.register_passkey(&code, &dora.create(&code.challenge())).unwrap().key_id().to_string()
    };
    assert!(succeeds(here, &["deciders", "list"]).contains("does not count yet"));
    fails(&["deciders", "confirm", "dora", &key], "another person used the invitation");
    assert!(succeeds(here, &["deciders", "confirm", "dora", &id]).contains("from now on people decide here"));
    let listed = succeeds(here, &["deciders", "list"]);
    assert!(
        listed.contains(&id) && listed.contains("passkey on http://localhost:8787 (device-bound"),
        "{listed}"
    );
    let json = succeeds(here, &["deciders", "list", "--json"]);
    assert!(json.contains(r#""kind":"webauthn-es256""#) && json.contains(r#""rp_id":"localhost""#), "{json}");
    let exported = succeeds(here, &["deciders", "export"]);
    assert!(exported.contains(r#""origins":["http://localhost:8787"]"#), "{exported}");
    fails(&["deciders", "confirm", "dora", &id], "has no invitation");
    fails(&["approve", "apr_x", "--as", "dora", "--ssh-agent"], "");
}

#[test]
fn a_key_that_is_not_the_decider_s_is_named_as_what_it_is() {
    let data = TempDir::new().unwrap();
    let here = data.path();
    let keys = ["alice", "bob", "carol"].map(|name| decider(here, name));
    let [alice, bob, carol] = keys.each_ref().map(String::as_str);
    run(here, &["run", GUEST]);
    let asks = lines(&run(here, &["approvals", "--json"]).stdout)[0]["request"].as_str().unwrap().to_owned();
    run(here, &["deciders", "remove", "carol", "--reason", "left"]);
    let stranger = here.join("stranger").display().to_string();
    run(here, &["deciders", "new-key", &stranger]);
    let public = format!("{alice}.pub");
    for (name, key, words) in [
        ("alice", public.as_str(), "it is a public key, and signing takes the private half"),
        ("alice", bob, "is bob's, not alice's"),
        ("alice", carol, "belongs to carol, who was removed at"),
        ("carol", carol, "carol was removed"),
        ("alice", &stranger, "is not alice's, and no other decider's on this host"),
    ] {
        let refused = run(here, &["approve", &asks, "--as", name, "--key", key]);
        assert_eq!(refused.code, Some(1), "{}", refused.stdout);
        assert!(refused.stderr.contains(words), "{name} {key}: {}", refused.stderr);
    }
    let first = lines(&run(here, &["deciders", "list", "--json"]).stdout)[0]["keys"][0]["key_id"].clone();
    run(here, &["deciders", "add", "alice", "--role", "release", "--key", &format!("{stranger}.pub")]);
    run(here, &["deciders", "revoke-key", first.as_str().unwrap(), "--reason", "lost"]);
    let refused = run(here, &["approve", &asks, "--as", "alice", "--key", alice]);
    assert!(refused.stderr.contains("was revoked at"), "{}", refused.stderr);
    // As editors leave them.
    let saved = std::fs::read_to_string(&stranger).unwrap().replace('\n', "\r\n");
    write(here, "stranger", &format!("\u{feff}{saved}\r\n"));
    let approved = run(here, &["approve", &asks, "--as", "alice", "--key", &stranger]);
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
}
