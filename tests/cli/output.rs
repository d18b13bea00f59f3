//! Standard output that cannot be written, and a reader that is gone: one rule for every command.

use crate::support;
use crate::support::cli::*;
use crate::support::commands;
use crate::support::worker::Worker;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// Commands of the help that the tests here do not run, and why.
const ELSEWHERE: [(&str, &str); 7] = [
    ("hosts", "takes a database that several hosts share"),
    ("migrate", "takes a database that several hosts share"),
    ("bench", "takes minutes where the program is not optimised"),
    ("deciders confirm", "takes a passkey that somebody registered in a browser"),
    ("serve", "prints what work prints, through the same function"),
    ("authority", "prints one line when it begins, and serves until it is stopped"),
    (
        "instances resolve",
        "takes an action whose outcome is unknown; prints through the function of the others",
    ),
];

/// The names of the commands that were tried, as in the help.
#[derive(Default)]
struct Tried(BTreeSet<String>);

impl Tried {
    fn note(&mut self, arguments: &[&str]) {
        let words: Vec<_> = arguments.iter().take_while(|word| !word.starts_with('-')).copied().collect();
        self.0.extend((1..=words.len().min(2)).map(|count| words[..count].join(" ")));
    }

    /// Onto a full device: an error that says so. The command's effect takes place nevertheless.
    fn full(&mut self, data: &Path, arguments: &[&str]) -> Ran {
        self.note(arguments);
        let ran = onto_full(data, arguments);
        assert_ne!(ran.code, Some(0), "{arguments:?} does not say that its output is lost: {}", ran.stderr);
        let said = ran.stderr.matches("cannot write to standard output: No space left").count();
        assert_eq!(said, 1, "{arguments:?}: {}", ran.stderr);
        ran
    }

    /// The same on a full device, and as if nothing were amiss where the reader is gone.
    fn both(&mut self, data: &Path, arguments: &[&str]) {
        let plain = run(data, arguments);
        assert_ne!(plain.stdout, "", "{arguments:?} prints nothing: {}", plain.stderr);
        let full = self.full(data, arguments);
        if plain.code != Some(0) {
            assert_eq!(full.code, plain.code, "{arguments:?}: a verdict stays what it is");
        }
        let closed = onto_a_closed_pipe(data, arguments);
        assert_eq!((closed.code, &closed.stderr), (plain.code, &plain.stderr), "{arguments:?}");
    }
}

fn onto_full(data: &Path, arguments: &[&str]) -> Ran {
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    command(data, arguments).stdout(full).stderr(Stdio::piped()).output().unwrap().into()
}

fn onto_a_closed_pipe(data: &Path, arguments: &[&str]) -> Ran {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    command(data, arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap().into()
}

fn asked(data: &Path) -> (String, String) {
    assert_eq!(run(data, &["run", GUEST, "--wait"]).code, Some(3));
    let listed = lines(&run(data, &["approvals", "--json"]).stdout);
    let newest = listed.last().unwrap();
    let text = |name: &str| newest[name].as_str().unwrap().to_owned();
    (text("request"), text("instance"))
}

#[test]
fn lost_output_is_an_error_and_a_closed_reader_is_not() {
    let mut tried = Tried::default();
    those_that_look(&mut tried);
    those_that_change(&mut tried);
    for (name, why) in ELSEWHERE {
        assert!(tried.0.insert(name.to_owned()), "{name} is tried, although it {why}");
    }
    tried.0.insert("work".to_owned());
    let missing: Vec<_> = commands::every().into_iter().filter(|name| !tried.0.contains(name)).collect();
    assert!(missing.is_empty(), "not tried on a full device: {missing:?}");
}

fn those_that_look(tried: &mut Tried) {
    let folder = folder();
    let data = folder.path();
    let (request, instance) = asked(data);
    let (approved, denied) = (receipt_id(data, "APPROVED"), receipt_id(data, "DENIED"));
    let receipt = write(data, "r.json", &run(data, &["receipts", "export", &denied]).stdout);
    let keys = write(data, "k.json", &run(data, &["keys", "export"]).stdout);
    let ended = lines(&run(data, &["instances", "list", "--status", "complete", "--json"]).stdout);
    let ended = ended[0]["instance"].as_str().unwrap().to_owned();
    write(data, "loud.json", r#"{"attack":"print"}"#);
    let loud = format!("@{}", data.join("loud.json").display());
    run(data, &["run", "tests/guests/hostile.wasm", "--params", &loud]);
    let printed = lines(&run(data, &["instances", "list", "--limit", "1", "--json"]).stdout);
    let printed = printed[0]["instance"].as_str().unwrap().to_owned();
    let text = data.join("notes.txt");
    fs::write(&text, "no workflow").unwrap();
    let not = text.display().to_string();
    let looks: &[&[&str]] = &[
        &["--help"],
        &["verify", "--help"],
        &["instances", "list"],
        &["instances", "show", &instance],
        &["watch", &ended],
        &["inspect", GUEST],
        &["inspect", &not],
        &["approvals"],
        &["approvals", "list"],
        &["approvals", "log"],
        &["approvals", "show", &request],
        &["approvals", "stats"],
        &["policy", "check"],
        &["policy", "explain", "--request", &request],
        &["policy", "show"],
        &["wit"],
        &["pack", "examples/tenant-workflow.ts"],
        &["completions", "bash"],
        &["man"],
        &["audit"],
        &["audit", "--json"],
        &["logs", &printed],
        &["receipts", "list"],
        &["receipts", "show", &approved],
        &["receipts", "export", &approved],
        &["deployments"],
        &["limits"],
        &["keys", "export"],
        &["keys", "list"],
        &["deciders", "export"],
        &["drill", "--table"],
        &["verify", &receipt, "--keys", &keys],
        &["verify", &receipt, "--keys", &keys, "--require", "approved"],
        &["drive", &instance],
        &["run", GUEST, "--deny"],
    ];
    for arguments in looks {
        match arguments[0] {
            // Another on every run: names, times.
            "run" | "inspect" => {
                let plain = run(data, arguments).code;
                assert_eq!(onto_a_closed_pipe(data, arguments).code, plain, "{arguments:?}");
                tried.full(data, arguments);
            }
            _ => tried.both(data, arguments),
        }
    }
}

fn those_that_change(tried: &mut Tried) {
    let folder = TempDir::new().unwrap();
    let data = folder.path();
    let at = |name: &str| data.join(name).display().to_string();
    let (alice, bob) = (at("alice.pem"), at("bob.pem"));
    for (name, key) in [("alice", &alice), ("bob", &bob)] {
        tried.full(data, &["deciders", "new-key", key]);
        let public = format!("{key}.pub");
        let roles = ["--role", "release", "--role", "break-glass"];
        tried.full(data, &[&["deciders", "add", name, "--key", &public], &roles[..]].concat());
    }
    tried.both(data, &["deciders", "list"]);
    let by_alice = ["--as", "alice", "--key", &alice];
    let (request, instance) = asked(data);
    tried.full(data, &[&["approve", &request], &by_alice[..]].concat());
    tried.full(data, &["drive", &instance]);
    assert_eq!(lines(&run(data, &["deployments", "--json"]).stdout).len(), 1, "it is done nevertheless");
    let (request, _) = asked(data);
    tried.full(data, &[&["deny", &request], &by_alice[..]].concat());
    let (request, _) = asked(data);
    tried.full(data, &["withdraw", &request]);
    let (request, _) = asked(data);
    assert_eq!(run(data, &[&["approve", &request], &by_alice[..]].concat()).code, Some(0));
    let receipts = lines(&run(data, &["receipts", "list", "--json"]).stdout);
    let unspent = receipts.last().unwrap()["receipt_id"].as_str().unwrap();
    tried.full(data, &["revoke", unspent]);
    let (request, _) = asked(data);
    let alone = ["--break-glass", "--reason", "it burns"];
    assert_eq!(run(data, &[&["approve", &request], &by_alice[..], &alone[..]].concat()).code, Some(0));
    tried.full(data, &["review", &request, "--as", "bob", "--key", &bob, "--reason", "right"]);
    tried.full(data, &["freeze", "--reason", "x"]);
    tried.full(data, &["thaw", "--reason", "x"]);
    tried.full(data, &["submit", GUEST, "--id", "i1"]);
    tried.full(data, &["instances", "pause", "i1"]);
    tried.full(data, &["instances", "resume", "i1"]);
    tried.full(data, &["instances", "send-event", "i1", "ready"]);
    tried.full(data, &["instances", "restart", "i1"]);
    tried.full(data, &["instances", "terminate", "i1"]);
    tried.full(data, &["instances", "delete", "i1"]);
    let deciders = lines(&run(data, &["deciders", "list", "--json"]).stdout);
    let key_id = deciders[0]["keys"][0]["key_id"].as_str().unwrap();
    tried.full(data, &["deciders", "revoke-key", key_id, "--reason", "x"]);
    tried.full(data, &["deciders", "invite", "carol", "--role", "release"]);
    tried.full(data, &["deciders", "remove", "bob", "--reason", "x"]);
    tried.full(data, &["tokens", "create", "--tenant", "acme", "--scope", "instances:read"]);
    tried.both(data, &["tokens", "list"]);
    let tokens = lines(&run(data, &["tokens", "list", "--json"]).stdout);
    tried.full(data, &["tokens", "revoke", tokens[0]["token"].as_str().unwrap(), "--reason", "x"]);
    tried.full(data, &["keys", "rotate"]);
    let keys = lines(&run(data, &["keys", "list", "--json"]).stdout);
    let old = keys.iter().find(|key| key["status"] == "retired").unwrap_or(&keys[0]);
    tried.full(data, &["keys", "revoke", old["key_id"].as_str().unwrap()]);
    let elsewhere = TempDir::new().unwrap();
    let copy = elsewhere.path().join("copy").display().to_string();
    tried.full(data, &["backup", &copy]);
    tried.full(data, &["new", &at("flow")]);
}

#[test]
fn work_goes_on_when_its_output_is_closed_and_says_so_at_its_end() {
    let data = TempDir::new().unwrap();
    let worker = Worker::begin_onto(data.path(), fs::File::options().write(true).open("/dev/full").unwrap());
    assert_eq!(run(data.path(), &["submit", GUEST, "--id", "n"]).code, Some(0));
    while run(data.path(), &["approvals"]).stdout.is_empty() {}
    let stopped = worker.stop();
    assert_eq!(stopped.code, Some(1), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("cannot write to standard output"), "{}", stopped.stderr);
}

/// No other module writes to standard output: it would need a rule of its own.
#[test]
fn commands_write_through_one_module() {
    for file in support::files(&support::root().join("host/src")) {
        let text = fs::read_to_string(&file).unwrap();
        let own = ["anstream::stdout", "io::stdout", "println!("];
        let found: Vec<_> = own.into_iter().filter(|name| text.contains(name)).collect();
        assert!(found.is_empty() || file.ends_with("output/mod.rs"), "{}: {found:?}", file.display());
    }
}
