//! The program's descriptions of itself and its output for other programs: data as JSON, what-if, templates,
//! completions, the manual page.

use crate::support;
use crate::support::cli::*;
use crate::support::commands;
use receipt::Digest;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Commands without `--json`, and why.
const WITHOUT: [(&str, &[&str]); 4] = [
    ("prints JSON by itself", &["deciders export", "keys export", "receipts export", "pack"]),
    (
        "does something and says so in a line",
        &[
            "approve",
            "deny",
            "review",
            "withdraw",
            "revoke",
            "freeze",
            "thaw",
            "deciders add",
            "deciders remove",
            "deciders revoke-key",
            "deciders new-key",
            "deciders invite",
            "deciders confirm",
            "keys rotate",
            "keys revoke",
            "tokens create",
            "tokens revoke",
            "new",
        ],
    ),
    ("serves until it is stopped", &["authority"]),
    ("prints a text that has a form of its own", &["wit", "completions", "man"]),
];

#[test]
fn every_command_that_prints_data_prints_json() {
    let nowhere = Path::new("unused");
    for name in commands::every() {
        let words: Vec<_> = name.split(' ').chain(["--help"]).collect();
        let has = run(nowhere, &words).stdout.contains("--json");
        let exempt = WITHOUT.iter().any(|(_, names)| names.contains(&name.as_str()));
        assert!(has != exempt, "{name}: --json {has}, and exempt {exempt}");
    }
}

#[test]
fn the_table_in_the_readme_has_every_command() {
    let readme = fs::read_to_string(support::root().join("README.md")).unwrap();
    let (_, table) = readme.split_once("\n| | |\n").unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let named: Vec<&str> = rows.filter_map(|row| row.split(" | ").next()).collect();
    for command in commands::every() {
        let (first, last) = (command.split(' ').next().unwrap(), command.split(' ').next_back().unwrap());
        let begins = |row: &&&str| row.contains(&format!("`{first}`")) || row.contains(&format!("`{first} "));
        let row = named.iter().find(begins);
        assert!(row.is_some(), "{command} is not in the README's table of commands");
        let is_there = named.iter().any(|row| row.contains(&format!("{last}`")));
        assert!(first != "instances" || is_there, "{command} is not in the README's table of commands");
    }
}

#[test]
fn the_options_of_every_command_stand_apart_from_its_own() {
    for command in commands::every() {
        let words: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let help = run(Path::new("unused"), &words).stdout;
        let (own, shared) = help.split_once("\nData and store:\n").unwrap();
        for option in ["--data <", "--store <", "--authority <"] {
            assert!(shared.contains(option) && !own.contains(option), "{command}: {help}");
        }
    }
}

#[test]
fn an_action_that_was_not_requested_is_explained() {
    let data = TempDir::new().unwrap();
    let explain = |more: &[&str]| {
        let words =
            ["policy", "explain", "--capability", "cloudflare.dynamic-worker.deploy", "--resource", "x://y"];
        run(data.path(), &[&words, more].concat())
    };
    assert!(explain(&[]).stdout.starts_with("ask 1 of anyone by default"), "{}", explain(&[]).stdout);
    let policy = "[[rule]]\nid = \"known\"\ntenant = \"acme\"\ncomponent = \"known\"\nthen = \"allow\"\n\n[[rule]]\nid = \"robots\"\nactor = \"agent:robot\"\nthen = \"deny\"\n";
    fs::write(data.path().join("policy.toml"), policy).unwrap();
    assert!(explain(&["--actor", "agent:robot"]).stdout.starts_with("deny by robots"));
    assert!(explain(&["--tenant", "acme", "--component", "known"]).stdout.starts_with("allow by known"));
    assert!(explain(&["--tenant", "acme"]).stdout.starts_with("ask"));
    let json = lines(&explain(&["--by", "agent:robot", "--json"]).stdout);
    assert_eq!((json[0]["answer"].as_str(), json[0]["rules"][0].as_str()), (Some("deny"), Some("robots")));
    assert_eq!(run(data.path(), &["policy", "explain"]).code, Some(2));
    assert_eq!(run(data.path(), &["policy", "explain", "--capability", "a.b"]).code, Some(2));
    let shown = run(data.path(), &["policy", "show"]).stdout;
    assert!(shown.contains("policy.toml") && shown.contains("id = \"robots\""), "{shown}");
    let shown = lines(&run(data.path(), &["policy", "show", "--json"]).stdout);
    assert_eq!(shown[0]["text"], policy);
    let checked = lines(&run(data.path(), &["policy", "check", "--json"]).stdout);
    assert_eq!(checked[0]["sha256"], shown[0]["sha256"]);
}

#[test]
fn a_new_workflow_runs_as_it_stands() {
    let (here, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let at = |name: &str| here.path().join(name).display().to_string();
    support::compiled::put_engine(data.path());
    let made = run(data.path(), &["new", &at("first-flow")]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let ran = run(data.path(), &["run", &at("first-flow"), "--params", r#"{"app":"app"}"#]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("deployed"), "{}", ran.stdout);
    let again = run(data.path(), &["new", &at("first-flow")]);
    assert!(again.code == Some(1) && again.stderr.contains("already exists"), "{}", again.stderr);
    for wrong in ["First", "1st", "a b", ".."] {
        assert_eq!(run(data.path(), &["new", &at(wrong)]).code, Some(1), "{wrong}");
    }
}

/// Every file that the library and the types have is in the template.
#[test]
fn a_new_workflow_has_all_that_it_is_built_from() {
    let (here, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for (lang, own, theirs) in
        [("rust", "sdk/src", "guests/sdk-rust/src"), ("ts", "src", "guests/sdk-js/template/src")]
    {
        let path = here.path().join(lang);
        assert_eq!(run(data.path(), &["new", &path.display().to_string(), "--lang", lang]).code, Some(0));
        let names = |folder: &Path| {
            let mut all: Vec<_> =
                support::files(folder).iter().map(|file| file.file_name().unwrap().to_owned()).collect();
            all.sort();
            all
        };
        assert_eq!(names(&path.join(own)), names(&support::root().join(theirs)), "{lang}");
    }
    let wit = fs::read_to_string(here.path().join("rust/wit/tenant.wit")).unwrap();
    assert_eq!(wit, run(data.path(), &["wit"]).stdout);
}

#[test]
#[ignore = "builds a crate with dependencies from the registry"]
fn a_new_crate_builds_and_runs_as_it_stands() {
    let (here, data) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = here.path().join("my-flow");
    assert_eq!(run(data.path(), &["new", &path.display().to_string(), "--lang", "rust"]).code, Some(0));
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(&path).args([
        "build",
        "--release",
        "--target",
        "wasm32-wasip2",
        "--target-dir",
        "target",
    ]);
    assert!(build.status().unwrap().success());
    let guest = path.join("target/wasm32-wasip2/release/my_flow.wasm").display().to_string();
    let ran = run(data.path(), &["run", &guest, "--params", r#"{"app":"app"}"#]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn shells_and_the_manual_know_every_command() {
    let nowhere = Path::new("unused");
    let man = run(nowhere, &["man"]).stdout;
    let bash = run(nowhere, &["completions", "bash"]).stdout;
    for name in commands::every() {
        let words: Vec<_> = name.split(' ').collect();
        let last = words.last().unwrap();
        assert!(bash.contains(last), "{name} is not completed");
        assert!(
            man.replace('\\', "").contains(&format!("pp-host-{}", words[0])),
            "{name} is not in the manual"
        );
        let page = run(nowhere, &[&["man"], &words[..]].concat());
        assert_eq!(page.code, Some(0), "{name}: {}", page.stderr);
        assert!(page.stdout.replace('\\', "").contains(&format!("pp-host-{}", words.join("-"))), "{name}");
        let title = page.stdout.lines().find(|line| line.starts_with(".TH")).unwrap();
        assert!(title.contains(&format!("\"pp-host {}", env!("CARGO_PKG_VERSION"))), "{title}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert_ne!(run(nowhere, &["completions", shell]).stdout, "", "{shell}");
    }
    for typo in ["compile", "compile-for-paren", "completion"] {
        let said = run(nowhere, &[typo]).stderr;
        assert!(!said.contains("compile-for-parent"), "{said}");
    }
}

/// `docs/embedding.md` is compiled with the crate's documentation, where it could also name the crate's own
/// dependencies.
#[test]
fn an_embedding_program_depends_on_one_crate() {
    let page = fs::read_to_string(support::root().join("docs/embedding.md")).unwrap();
    let program = page.split("```rust,no_run\n").nth(1).unwrap().split("```").next().unwrap();
    let paths = program.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | ':'));
    let crates: Vec<_> = paths.filter_map(|path| path.split_once("::").map(|(first, _)| first)).collect();
    let lower = |name: &&str| name.starts_with(|c: char| c.is_lowercase());
    assert!(program.contains("fn main()") && crates.len() > 5, "{program}");
    for name in crates.into_iter().filter(lower) {
        assert!(["engine", "std"].contains(&name), "{name}");
    }
}

#[test]
fn the_bundle_that_pack_prints_is_the_code_that_a_run_names() {
    let data = TempDir::new().unwrap();
    let text = fs::read_to_string(support::root().join("examples/tenant-workflow.ts")).unwrap();
    let bundle = support::script::bundle(&[("tenant-workflow.ts", &text)]).bytes();
    let packed = run(data.path(), &["pack", "examples/tenant-workflow.ts"]);
    assert_eq!((packed.code, packed.stdout.as_bytes()), (Some(0), bundle.as_slice()), "{}", packed.stderr);
    let readme = fs::read_to_string(support::root().join("README.md")).unwrap();
    assert!(readme.contains(&Digest::of(&bundle).to_string()), "the README names other code");
    let engine = ::sandbox::script::current_engine().engine.to_string();
    assert!(readme.contains(&format!("on engine sha256 {engine}")), "the README names another engine");
    let component = run(data.path(), &["pack", GUEST]);
    assert!(
        component.code == Some(1) && component.stderr.contains("is not source text"),
        "{}",
        component.stderr
    );
}
