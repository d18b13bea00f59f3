//! The command line as people and programs meet it: transcripts, exit codes, bad input.

use crate::support;
use crate::support::child;
use crate::support::cli::*;
use receipt::Digest;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// Replaces everything that differs between runs: digests, identifiers, times, the data folder.
fn settled(text: &str, data: &str) -> String {
    let text = text.replace(data, ".pp-host");
    let mut settled = String::new();
    let mut word = String::new();
    for character in text.chars().chain(['\n']) {
        if character.is_ascii_alphanumeric() {
            word.push(character);
            continue;
        }
        let hex = word.len() >= 16 && word.chars().all(|c| c.is_ascii_hexdigit());
        settled.push_str(if hex { "HEX" } else { &word });
        word.clear();
        settled.push(character);
    }
    settled.lines().map(settle_times).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn settle_times(line: &str) -> String {
    let shape = "dddd-dd-ddTdd:dd:dd.dddZ";
    let is_time = |text: &str| {
        text.len() == shape.len()
            && text
                .chars()
                .zip(shape.chars())
                .all(|(c, s)| if s == 'd' { c.is_ascii_digit() } else { c == s })
    };
    let words = line.split(' ').map(|word| if is_time(word.trim_end_matches(',')) { "TIME" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_readme_shows_what_happens() {
    let readme = fs::read_to_string(support::root().join("README.md")).unwrap();
    let blocks: Vec<&str> =
        readme.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert_eq!(blocks.len(), 2, "the approved run and the denied one");
    for block in blocks {
        let (command, shown) = block.split_once('\n').unwrap();
        let arguments = command.strip_prefix("$ pp-host ").unwrap();
        let arguments: Vec<&str> = arguments.split(' ').map(|word| word.trim_matches('\'')).collect();
        let data = TempDir::new().unwrap();
        support::compiled::put_engine(data.path());
        let ran = run(data.path(), &arguments);
        let folder = data.path().display().to_string();
        let (told, shown) = match shown.strip_prefix("…\n") {
            Some(end) => (from_decision(&ran.stdout), end),
            None => (ran.stdout.as_str(), shown),
        };
        assert_eq!(
            settled(told, &folder),
            settled(shown, &folder),
            "{command}: the transcript in the README is out of date"
        );
    }
    let digest = Digest::of(&support::guest("tenant-workflow")).to_string();
    assert!(readme.contains(&digest), "the README shows another component than {GUEST}: {digest}");
}

/// A run's output from its decision on.
fn from_decision(told: &str) -> &str {
    let start = told.find("\ndecision ").unwrap() + 1;
    &told[start..]
}

#[test]
fn an_approved_run_tells_its_story_in_order() {
    let data = TempDir::new().unwrap();
    let ran = run(
        data.path(),
        &["run", GUEST, "--tenant", "acme", "--actor", "agent:bob", "--workflow-name", "nightly"],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut rest = ran.stdout.as_str();
    for words in [
        "workflow    \"nightly\"",
        "sha256",
        "permission-protocol:tenant/pp@0.2.0",
        "no WASI",
        "tenant acme, actor agent:bob",
        "\"build generated worker\"",
        "waits for a decision",
        "cloudflare.dynamic-worker.deploy",
        "212 bytes",
        "written by the workflow",
        "\"worker-bundle.js\"",
        "AI-generated tenant workflow",
        "diffSummary",
        "APPROVED by demo:automatic",
        "scope     demo",
        "rcpt_",
        "pp_demo_",
        "expires",
        "verified",
        "\"deploy dynamic worker\"",
        "dep_",
        "where",
        "attested",
        "\"status\":\"deployed\"",
        "kept in",
    ] {
        let (_, after) =
            rest.split_once(words).unwrap_or_else(|| panic!("{words} does not follow in\n{}", ran.stdout));
        rest = after;
    }
    assert!(!ran.stdout.contains('\u{1b}'), "no colours where there is no terminal");
}

#[test]
fn a_denied_run_deploys_nothing() {
    let data = TempDir::new().unwrap();
    let ran = run(data.path(), &["run", GUEST, "--deny"]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    assert!(ran.stdout.contains(r#""status":"blocked""#));
    assert_eq!(run(data.path(), &["deployments"]).stdout, "");
    let receipts = lines(&run(data.path(), &["receipts", "list", "--json"]).stdout);
    assert_eq!(receipts.len(), 1);
    assert_eq!(receipts[0]["status"], "DENIED");
}

#[test]
fn a_guest_with_a_standard_library_runs_too() {
    let data = TempDir::new().unwrap();
    let ran = run(data.path(), &["run", "tests/guests/tenant-workflow-std.wasm"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("interfaces, all inert"), "{}", ran.stdout);
}

#[test]
fn json_is_for_programs_and_the_rest_for_people() {
    let data = TempDir::new().unwrap();
    let ran = run(data.path(), &["run", GUEST, "--json"]);
    let facts: Vec<_> =
        lines(&ran.stdout).iter().map(|fact| fact["fact"].as_str().unwrap().to_owned()).collect();
    let expected = [
        "loaded",
        "started",
        "step-started",
        "step-completed",
        "requested",
        "decided",
        "issued",
        "step-started",
        "redeemed",
        "performed",
        "attested",
        "step-completed",
        "completed",
    ];
    assert_eq!(facts, expected);
    assert!(ran.stderr.contains("waits for a decision"));
    let audited: Vec<_> = lines(&run(data.path(), &["audit", "--json"]).stdout);
    assert_eq!(audited, lines(&ran.stdout), "the audit says what the run said");
    let people = run(data.path(), &["audit"]).stdout;
    assert_eq!(people.lines().count(), expected.len());
}

#[test]
fn a_parked_run_goes_on_where_it_was() {
    let data = TempDir::new().unwrap();
    let parked = run(data.path(), &["run", GUEST, "--wait"]);
    assert_eq!(parked.code, Some(3), "{}", parked.stderr);
    let resume =
        parked.stdout.lines().find_map(|line| line.trim().strip_prefix("go on     pp-host ")).unwrap();
    let words: Vec<&str> = resume.split(' ').collect();
    assert_eq!(run(data.path(), &words).code, Some(3), "it still waits");
    let resumed = run(data.path(), &[words.as_slice(), &["--approve"]].concat());
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(!resumed.stdout.contains("build generated worker"), "a completed step does not run again");
    assert!(resumed.stdout.contains(r#""status":"deployed""#));
    assert_eq!(run(data.path(), &words).code, Some(0), "an ended instance stays as it ended");
}

#[test]
fn a_denial_that_the_workflow_reports_as_its_failure_is_a_denial() {
    let data = TempDir::new().unwrap();
    let ran = run(
        data.path(),
        &["run", "tests/guests/hostile.wasm", "--params", r#"{"attack":"plain"}"#, "--deny"],
    );
    assert_eq!(ran.code, Some(4), "{}", ran.stdout);
}

#[test]
fn a_limit_does_not_end_an_instance_that_only_waits() {
    let data = TempDir::new().unwrap();
    assert_eq!(run(data.path(), &["run", GUEST, "--wait"]).code, Some(3));
    let instance =
        lines(&run(data.path(), &["audit", "--json"]).stdout)[0]["instance"].as_str().unwrap().to_owned();
    assert_eq!(run(data.path(), &["drive", &instance, "--limit", "fuel=10"]).code, Some(3));
    assert_eq!(run(data.path(), &["drive", &instance, "--approve"]).code, Some(0));
    let again = run(data.path(), &["drive", &instance]);
    assert!(again.stdout.contains(r#""status":"deployed""#), "an ended instance says how: {}", again.stdout);
}

#[test]
fn json_on_a_terminal_hides_nothing() {
    let data = TempDir::new().unwrap();
    let ran = run(
        data.path(),
        &[
            "run",
            "tests/guests/hostile.wasm",
            "--params",
            r#"{"attack":"loud"}"#,
            "--workflow-name",
            "a\u{202e}b",
            "--json",
        ],
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for text in [&ran.stdout, &ran.stderr, &run(data.path(), &["audit", "--json"]).stdout] {
        assert!(text.contains("202e") && !text.contains('\u{202e}'), "{text}");
    }
    assert_eq!(lines(&ran.stdout)[1]["workflow"], "a\u{202e}b", "and says the same");
}

#[test]
fn what_is_kept_is_its_owner_s() {
    let data = folder();
    for file in ["journal.sqlite", "journal.sqlite-wal"] {
        if let Ok(metadata) = fs::metadata(data.path().join(file)) {
            assert_eq!(metadata.permissions().mode() & 0o077, 0, "{file}");
        }
    }
}

#[test]
fn what_a_guest_printed_is_kept_drive_by_drive() {
    let data = TempDir::new().unwrap();
    run(data.path(), &["run", "tests/guests/hostile.wasm", "--params", r#"{"attack":"print"}"#]);
    let instance =
        lines(&run(data.path(), &["audit", "--json"]).stdout)[0]["instance"].as_str().unwrap().to_owned();
    let logs = run(data.path(), &["logs", &instance]).stdout;
    assert!(logs.starts_with("[drive of "), "{}", &logs[..80]);
    assert!(logs.contains("more bytes not kept"));
}

#[test]
fn parameters_come_from_the_command_line_or_a_file() {
    let data = TempDir::new().unwrap();
    let file = write(data.path(), "params.json", r#"{"resource":"cloudflare://workers/acme/other"}"#);
    let ran = run(data.path(), &["run", GUEST, "--params", &format!("@{file}")]);
    assert!(ran.stdout.contains("cloudflare://workers/acme/other"), "{}", ran.stderr);
    let ran = run(data.path(), &["run", GUEST, "--params", r#"{"resource":7}"#]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("invalid-params"), "{}", ran.stdout);
}

/// A command that fails, and words that its message must have.
fn fails(data: &Path, arguments: &[&str], code: i32, words: &[&str]) {
    let ran = run(data, arguments);
    assert_eq!(ran.code, Some(code), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{arguments:?} does not say {word:?}: {}", ran.stderr);
    }
}

#[test]
fn bad_components_are_refused_with_a_hint() {
    let data = TempDir::new().unwrap();
    let at = |name: &str, bytes: &[u8]| {
        let path = data.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let good = support::guest("tenant-workflow");
    let component = |text: &str| wat::parse_str(text).unwrap();
    let cases = [
        (at("text.wasm", b"hello"), vec!["not a WebAssembly file", "cargo component build"]),
        (at("empty.wasm", b""), vec!["not a WebAssembly file"]),
        (at("module.wasm", &component("(module)")), vec!["core WebAssembly module", "cargo component build"]),
        (at("short.wasm", &good[..good.len() / 2]), vec!["not a valid component", "truncated in transfer"]),
        (at("header.wasm", &good[..8]), vec!["not a workflow", "exports nothing"]),
        (
            at("world.wasm", &component(r#"(component (import "wasi:sockets/types@0.3.0" (instance)))"#)),
            vec!["\"wasi:sockets/types@0.3.0\""],
        ),
        (
            at("other.wasm", &component("(component)")),
            vec!["not a workflow", "entrypoint@0.2.0", "wit/tenant.wit"],
        ),
        (data.path().join("missing.wasm").display().to_string(), vec!["cannot read", "No such file"]),
    ];
    for (path, words) in cases {
        fails(data.path(), &["run", &path], 1, &words);
    }
    fails(
        data.path(),
        &["run", GUEST, "--limit", "component-bytes=1000"],
        1,
        &["--limit component-bytes=N", "1000"],
    );
}

#[test]
fn bad_arguments_are_refused_with_a_hint() {
    let data = TempDir::new().unwrap();
    fails(data.path(), &["run", GUEST, "--params", "{"], 1, &["the parameters cannot be used", "not JSON"]);
    let said = "the parameters cannot be used: not JSON at byte 0: expected a value";
    for guest in [GUEST, "/nowhere.wasm"] {
        // Before the workflow is read, and compiled.
        fails(data.path(), &["run", guest, "--params", "nojson"], 1, &[said]);
        fails(data.path(), &["submit", guest, "--params", "nojson"], 1, &[said]);
    }
    fails(data.path(), &["policy", "explain"], 2, &["--request <REQUEST>|--capability <CAPABILITY>"]);
    fails(data.path(), &["run", GUEST, "--params", "@/nowhere"], 1, &["cannot read the parameters"]);
    fails(data.path(), &["run", GUEST, "--ask"], 1, &["needs a terminal", "--wait"]);
    fails(data.path(), &["run", GUEST, "--ask", "--deny"], 2, &["cannot be used with"]);
    fails(data.path(), &["run", GUEST, "--tenant", "a b"], 2, &["not a tenant id", "A-Z"]);
    fails(data.path(), &["run", GUEST, "--limit", "fule=1"], 2, &["no limit \"fule\""]);
    fails(data.path(), &["run"], 2, &["Usage"]);
    assert_eq!(run(data.path(), &["submit", GUEST]).code, Some(0));
    fails(data.path(), &["drive", "wf_nowhere"], 1, &["wf_nowhere"]);
    fails(&data.path().join("none"), &["audit"], 1, &["there is no data", "--data"]);
}

#[test]
fn a_bad_data_folder_is_refused_with_a_hint() {
    let data = folder();
    let database = rusqlite::Connection::open(data.path().join("journal.sqlite")).unwrap();
    let format: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    fails(data.path(), &["run", GUEST], 1, &["newer pp-host", "99"]);
    fails(data.path(), &["audit"], 1, &["newer pp-host"]);
    database.pragma_update(None, "user_version", format).unwrap();
    drop(database);
    assert_eq!(run(data.path(), &["audit"]).code, Some(0), "nothing was lost");

    let foreign = TempDir::new().unwrap();
    fs::write(
        foreign.path().join("journal.sqlite"),
        "something else altogether, and long enough to be read as a header".repeat(20),
    )
    .unwrap();
    fails(foreign.path(), &["run", GUEST], 1, &["not a database of pp-host", "--data"]);
    let file = write(foreign.path(), "file", "");
    fails(Path::new(&file), &["run", GUEST], 1, &["cannot use the data folder", "--data"]);
}

#[test]
fn a_folder_that_another_process_owns_can_be_read_and_not_written() {
    let data = folder();
    let _owner = store::DataFolder::own(data.path()).unwrap();
    fails(data.path(), &["run", GUEST], 1, &["in use by another pp-host", "--data"]);
    assert_eq!(run(data.path(), &["audit"]).code, Some(0));
}

/// The private key that signs the decisions on this page.
fn private_key(data: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(data.join("keys")).unwrap().map(|file| file.unwrap().path());
    // Of the two keys, the one for demo decisions.
    let demo =
        |path: &std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("pp_demo_");
    let keys: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|e| e == "pem") && demo(path)).collect();
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys[0].clone()
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let data = folder();
    let key = private_key(data.path());
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600, "made for its owner only");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    fails(data.path(), &["run", GUEST], 1, &[".pem", "0644", "chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "not a key").unwrap();
    fails(data.path(), &["run", GUEST], 1, &["not an Ed25519 private key"]);
    fs::remove_file(&key).unwrap();
    fails(data.path(), &["run", GUEST], 1, &["is missing", "restore"]);
}

#[test]
fn keys_are_rotated_and_revoked() {
    let data = folder();
    let here = data.path();
    let old = private_key(here).file_stem().unwrap().to_string_lossy().into_owned();
    let file =
        write(here, "old.json", &run(here, &["receipts", "export", &receipt_id(here, "APPROVED")]).stdout);
    let verifies = || {
        let keys = write(here, "keys.json", &run(here, &["keys", "export"]).stdout);
        run(here, &["verify", &file, "--keys", &keys]).code
    };
    assert_eq!(run(here, &["keys", "rotate"]).code, Some(0));
    let new = private_key(here).file_stem().unwrap().to_string_lossy().into_owned();
    assert_ne!(old, new);
    assert_eq!(verifies(), Some(0), "what a rotated key signed stays good");
    let ran = run(here, &["run", GUEST]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains(&new) && !ran.stdout.contains(&old));
    assert_eq!(run(here, &["keys", "revoke", &old]).code, Some(0));
    assert_eq!(verifies(), Some(2), "what a revoked key signed is not");
    let listed = lines(&run(here, &["keys", "list", "--json"]).stdout);
    let demo = |key: &&serde_json::Value| key["key_id"].as_str().unwrap().starts_with("pp_demo_");
    let statuses: Vec<_> = listed.iter().filter(demo).map(|key| key["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["revoked", "active"]);
    fails(here, &["keys", "revoke", "pp_demo_none"], 1, &["pp_demo_none"]);
    assert_eq!(run(here, &["keys", "revoke", &new]).code, Some(0));
    fails(here, &["run", GUEST], 1, &["no active key for demo receipts", "keys rotate"]);
    assert_eq!(run(here, &["keys", "rotate"]).code, Some(0));
    assert_eq!(run(here, &["run", GUEST]).code, Some(0));
}

/// A bound on the size of files is as near to a full disk as an ordinary user gets.
#[test]
fn a_full_disk_is_said_and_nothing_is_lost() {
    let data = TempDir::new().unwrap();
    let parked = run(data.path(), &["run", GUEST, "--wait"]);
    assert_eq!(parked.code, Some(3), "{}", parked.stderr);
    let instance =
        lines(&run(data.path(), &["audit", "--json"]).stdout)[0]["instance"].as_str().unwrap().to_owned();
    // In KiB: too little to begin, too little to commit, too little to end.
    for bound in [1, 33, 40] {
        let drive = [env!("CARGO_BIN_EXE_pp-host"), "drive", &instance, "--approve"];
        let mut bounded = child::with_file_size(bound * 1024, &drive);
        bounded.env("PP_HOST_DATA", data.path()).stdin(Stdio::null());
        let full = Ran::from(bounded.output().unwrap());
        assert_eq!(full.code, Some(1), "{bound}: {}{}", full.stdout, full.stderr);
        assert!(
            full.stderr.contains("the disk is full or a size limit is reached"),
            "{bound}: {}",
            full.stderr
        );
    }
    let resumed = run(data.path(), &["drive", &instance, "--approve"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert_eq!(run(data.path(), &["deployments", "--json"]).stdout.lines().count(), 1);
}

/// An account that can write to the policy could decide what is allowed.
#[test]
fn a_policy_that_others_can_write_is_refused() {
    for (name, text) in [("policy.toml", ""), ("pp-host.toml", "[limits]\ninstances = 5\n")] {
        let data = TempDir::new().unwrap();
        fs::write(data.path().join(name), text).unwrap();
        for (mode, trusted) in [(0o644, true), (0o664, false), (0o646, false)] {
            fs::set_permissions(data.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
            let ran = run(data.path(), &["run", GUEST, "--wait"]);
            assert_eq!(ran.code == Some(3), trusted, "{name} {mode:o}: {}", ran.stderr);
            assert_eq!(ran.stderr.contains("chmod go-w"), !trusted, "{name} {mode:o}: {}", ran.stderr);
        }
    }
}

/// A command line may be put together by a script, from untrusted text.
#[test]
fn a_usage_error_shows_what_was_typed_and_no_terminal_obeys_it() {
    let data = TempDir::new().unwrap();
    let hostile = "\u{1b}[2J\u{202e}\u{200b}x'\nerror: all is well             sha256";
    let typed: [&[&str]; 5] = [
        &[hostile],
        &["run", GUEST, &format!("--{hostile}")],
        &["approve", hostile],
        &["submit", GUEST, "--tenant", hostile],
        &["run", GUEST, "--limit", &format!("{hostile}=1")],
    ];
    for arguments in typed {
        let ran = run(data.path(), arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.chars().all(|c| c == '\n' || workflow::is_visible(c)), "{:?}", ran.stderr);
        assert!(ran.stderr.contains(r"\u{1b}[2J\u{202e}\u{200b}x"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("\nerror: all is well"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("well  "), "{}", ran.stderr);
    }
}
