//! A data folder that is missing or incomplete: the commands that make one, and those that refuse.

use crate::support;
use crate::support::cli::*;
use crate::support::commands::{every, stopped};
use crate::support::worker::{Worker, decider, fails, succeeds};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;

/// Valid arguments of each command, so that only the folder is at fault.
fn arguments(name: &str) -> Vec<&str> {
    let instance = "wf_0000000000";
    match name {
        "run" | "submit" | "inspect" => vec![GUEST],
        "drive"
        | "logs"
        | "instances show"
        | "instances pause"
        | "instances resume"
        | "instances terminate"
        | "instances restart"
        | "instances delete" => vec![instance],
        "instances send-event" => vec![instance, "go"],
        "instances resolve" => {
            vec![instance, "--receipt", "rcpt_0", "--finding", "happened", "--reason", "seen"]
        }
        "approve" | "deny" => vec!["apr_0", "--as", "alice", "--key", "Cargo.toml"],
        "review" => vec!["apr_0", "--as", "alice", "--key", "Cargo.toml", "--reason", "seen"],
        "approvals show" | "withdraw" => vec!["apr_0"],
        "policy explain" => vec!["--request", "apr_0"],
        "revoke" | "receipts show" | "receipts export" => vec!["rcpt_0"],
        "freeze" | "thaw" => vec!["--reason", "drill"],
        "deciders invite" => vec!["alice", "--role", "release"],
        "tokens create" => vec!["--tenant", "acme", "--scope", "instances:read"],
        "authority" => vec!["--socket", "unused.sock"],
        "deciders remove" => vec!["alice", "--reason", "left"],
        "deciders revoke-key" => vec!["dk_0", "--reason", "lost"],
        "keys revoke" => vec!["pp_0"],
        // They work in folders of their own, for minutes.
        "bench" | "drill" => vec!["--help"],
        _ => vec![],
    }
}

#[test]
fn only_these_commands_make_a_folder_and_they_say_so() {
    let parent = TempDir::new().unwrap();
    let key = parent.path().join("key").display().to_string();
    assert_eq!(run(parent.path(), &["deciders", "new-key", &key]).code, Some(0));
    let public = format!("{key}.pub");
    for name in every() {
        let data = parent.path().join("absent");
        let words: Vec<&str> = name.split(' ').collect();
        let given = match name.as_str() {
            "deciders add" => vec!["alice", "--role", "release", "--key", public.as_str()],
            // A server makes one too, and keeps running. A new key goes to a folder of its own.
            "serve" | "deciders new-key" => continue,
            "backup" => vec!["/nonexistent/copy"],
            name => arguments(name),
        };
        let all = [words, given].concat();
        let (made, said) = match name.as_str() {
            "work" => (true, work(&data)),
            _ => {
                let ran = stopped(&data, &all);
                (
                    matches!(
                        name.as_str(),
                        "run" | "submit" | "deciders add" | "deciders invite" | "tokens create"
                    ),
                    ran.stderr,
                )
            }
        };
        assert_eq!(data.exists(), made, "{name}: {said}");
        if made {
            assert!(said.contains("made a new data folder"), "{name}: {said}");
            fs::remove_dir_all(&data).unwrap();
        }
    }
}

fn work(data: &Path) -> String {
    Worker::begin(data).stop();
    // The first process has printed its note by then: the folder is not new to a second one.
    let again = Worker::begin(data).stop();
    assert!(!again.stderr.contains("made a new"), "{}", again.stderr);
    "made a new data folder".to_owned()
}

#[test]
fn an_operator_s_word_in_a_mistyped_folder_is_an_error_and_makes_nothing() {
    let parent = TempDir::new().unwrap();
    let (real, mistyped) = (parent.path().join("real"), parent.path().join("rael"));
    assert_eq!(run(&real, &["run", GUEST]).code, Some(0));
    let said = fails(&mistyped, &["freeze", "--reason", "incident"], 1);
    assert!(said.contains("there is no data in") && said.contains("--data"), "{said}");
    assert!(!mistyped.exists());
}

#[test]
fn a_freeze_says_whom_it_is_for_and_a_tenant_that_is_not_there_is_an_error() {
    let data = folder();
    let said = fails(data.path(), &["freeze", "--tenant", "lokal", "--reason", "incident"], 1);
    assert!(said.contains("no tenant lokal"), "{said}");
    let freeze = |more: &[&str]| {
        let frozen = succeeds(data.path(), &[&["freeze", "--reason", "drill"], more].concat());
        (frozen, succeeds(data.path(), &[&["thaw", "--reason", "over"], more].concat()))
    };
    let (frozen, thawed) = freeze(&["--tenant", "local"]);
    assert!(frozen.contains("frozen for tenant local") && thawed.contains("thawed for tenant local"));
    let (frozen, thawed) = freeze(&[]);
    assert!(frozen.contains("frozen for every tenant") && thawed.contains("thawed for every tenant"));
    // A tenant that a setting, a rule or a decider names exists before its first instance.
    write(data.path(), "pp-host.toml", "[tenants.later.limits]\nfuel = 1000000\n");
    freeze(&["--tenant", "later"]);
    decider(data.path(), "alice");
    succeeds(data.path(), &["deciders", "add", "alice", "--role", "release", "--tenant", "planned"]);
    freeze(&["--tenant", "planned"]);
}

#[test]
fn a_folder_that_is_read_only_can_be_read_and_says_once_why_it_is_not_written() {
    let here = TempDir::new().unwrap();
    let (data, guest) = (here.path().join("data"), support::guest_path("tenant-workflow"));
    let (folder, guest) = (data.display().to_string(), guest.display().to_string());
    let ordinary = |words: &[&str]| -> Ran {
        let program = [&[env!("CARGO_BIN_EXE_pp-host"), "--data", &folder], words].concat();
        support::child::as_ordinary_account(&program).output().unwrap().into()
    };
    assert_eq!(ordinary(&["run", &guest]).code, Some(0));
    fs::set_permissions(&data, Permissions::from_mode(0o555)).unwrap();
    for words in [&["run", &guest][..], &["work"], &["freeze", "--reason", "r"]] {
        let refused = ordinary(words);
        assert_eq!(refused.code, Some(1), "{words:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{}", refused.stderr);
        assert!(refused.stderr.contains("chmod u+w"), "{}", refused.stderr);
    }
    for words in [&["instances", "list"][..], &["audit"], &["receipts", "list"], &["deployments"]] {
        let read = ordinary(words);
        assert!(read.code == Some(0) && !read.stdout.is_empty(), "{words:?}: {}", read.stderr);
    }
    fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(here.path(), Permissions::from_mode(0o555)).unwrap();
    let elsewhere = here.path().join("new").display().to_string();
    let program = [env!("CARGO_BIN_EXE_pp-host"), "--data", &elsewhere, "run", &guest];
    let refused: Ran = support::child::as_ordinary_account(&program).output().unwrap().into();
    fs::set_permissions(here.path(), Permissions::from_mode(0o700)).unwrap();
    assert!(
        refused.code == Some(1) && refused.stderr.contains("name another with --data"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_folder_of_which_a_part_is_missing_is_refused_and_nothing_is_made_in_its_place() {
    type Harm = fn(&Path);
    let cases: [(&str, &str, Harm); 6] = [
        ("journal.sqlite is missing", "journal.sqlite", |data| {
            fs::remove_file(data.join("journal.sqlite")).unwrap();
        }),
        ("journal.sqlite is empty", "", |data| fs::write(data.join("journal.sqlite"), "").unwrap()),
        ("keys/keys.json is missing", "keys", |data| fs::remove_dir_all(data.join("keys")).unwrap()),
        ("keys/keys.json is empty", "", |data| fs::write(data.join("keys/keys.json"), "").unwrap()),
        ("is missing, and the key set names it", "", |data| pems(data, |pem| fs::remove_file(pem).unwrap())),
        ("is empty, and the key set names it", "", |data| pems(data, |pem| fs::write(pem, "").unwrap())),
    ];
    for (problem, gone, harm) in cases {
        let data = folder();
        harm(data.path());
        for command in [&["run", GUEST][..], &["freeze", "--reason", "incident"], &["work"]] {
            let said = fails(data.path(), command, 1);
            assert!(said.contains(problem) && said.contains("restore"), "{command:?}: {said}");
        }
        let made = !gone.is_empty() && data.path().join(gone).exists();
        assert!(!made, "{gone} was made anew");
    }
}

fn pems(data: &Path, each: impl Fn(&Path)) {
    for file in fs::read_dir(data.join("keys")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            each(&path);
        }
    }
}

#[test]
fn a_folder_whose_maker_was_killed_is_made_to_the_end() {
    let data = TempDir::new().unwrap();
    // As it is when the process ends between the journal and the keys.
    drop(crate::support::bare_store::open(data.path()));
    assert!(data.path().join("journal.sqlite").exists() && !data.path().join("keys").exists());
    assert_eq!(run(data.path(), &["run", GUEST]).code, Some(0));
    fs::remove_dir_all(data.path().join("keys")).unwrap();
    fails(data.path(), &["run", GUEST], 1);
}

/// The acts say who may decide: without one that removed a person, that person would count again.
#[test]
fn an_act_that_is_gone_from_the_record_is_damage_for_every_command() {
    let data = TempDir::new().unwrap();
    let here = data.path();
    for name in ["alice", "bob"] {
        let key = here.join(format!("{name}.pem"));
        assert_eq!(run(here, &["deciders", "new-key", key.to_str().unwrap()]).code, Some(0));
        let public = format!("{}.pub", key.display());
        assert_eq!(
            run(here, &["deciders", "add", name, "--role", "release", "--key", &public]).code,
            Some(0)
        );
    }
    assert_eq!(run(here, &["deciders", "remove", "alice", "--reason", "left"]).code, Some(0));
    assert_eq!(run(here, &["freeze", "--reason", "audit"]).code, Some(0));
    let journal = rusqlite::Connection::open(here.join("journal.sqlite")).unwrap();
    assert_eq!(journal.execute("DELETE FROM acts WHERE seq = 5", []).unwrap(), 1, "the removal");
    for arguments in [&["run", GUEST][..], &["deciders", "list"], &["thaw", "--reason", "done"], &["audit"]] {
        let refused = run(here, arguments);
        assert_eq!(refused.code, Some(1), "{arguments:?}: {}", refused.stdout);
        let words = "act 6 of the operators: it follows act 4, so acts are missing";
        assert!(refused.stderr.contains(words), "{arguments:?}: {}", refused.stderr);
    }
}
