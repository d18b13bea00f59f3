//! The meaning of options and variables.

use crate::support::cli::{GUEST, command, run};
use crate::support::{guest_path, root};
use tempfile::TempDir;

#[test]
fn an_empty_variable_is_as_if_it_were_not_set() {
    let here = TempDir::new().unwrap();
    let guest = guest_path("tenant-workflow").display().to_string();
    let mut empty = command(here.path(), &["run", &guest, "--deny"]);
    empty.current_dir(here.path());
    for name in
        ["PP_HOST_DATA", "PP_HOST_AUTHORITY", "PP_HOST_AUTHORITY_ACCOUNT", "PP_HOST_CONFIG", "PP_HOST_URL"]
    {
        empty.env(name, "");
    }
    let ran = empty.output().unwrap();
    assert_eq!(ran.status.code(), Some(4), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(here.path().join(".pp-host/journal.sqlite").is_file());
}

/// Every variable that the command line knows is among those above, or is tried elsewhere.
#[test]
fn every_variable_has_the_prefix_that_makes_an_empty_one_unset() {
    for file in crate::support::files(&root().join("host/src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        for named in text.split("env = \"").skip(1) {
            let name = named.split('"').next().unwrap();
            assert!(name.starts_with("PP_HOST_"), "{}: {name}", file.display());
        }
    }
}

#[test]
fn until_when_a_key_counts_is_a_time_or_a_day() {
    let here = TempDir::new().unwrap();
    let file = here.path().join("alice.pem").display().to_string();
    assert_eq!(run(here.path(), &["deciders", "new-key", &file]).code, Some(0));
    let public = format!("{file}.pub");
    let until = |until: &str| {
        let data = TempDir::new().unwrap();
        let add = ["deciders", "add", "alice", "--role", "release", "--key", &public, "--until", until];
        let added = run(data.path(), &add);
        (added, run(data.path(), &["deciders", "list"]).stdout)
    };
    for (typed, meant) in [
        ("2099-12-31", "2099-12-31T00:00:00.000Z"),
        ("2099-12-31T10:00:00+02:00", "2099-12-31T08:00:00.000Z"),
        ("2099-12-31T10:00:00.5Z", "2099-12-31T10:00:00.500Z"),
    ] {
        let (added, listed) = until(typed);
        assert_eq!(added.code, Some(0), "{typed}: {}", added.stderr);
        assert!(listed.contains(&format!("until {meant}")), "{typed}: {listed}");
    }
    let (refused, _) = until("tomorrow");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("2026-11-24T03:08:55Z"), "what is expected: {}", refused.stderr);
}

#[test]
fn a_freeze_is_told_wherever_it_has_an_effect() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    assert_eq!(run(data, &["run", GUEST, "--wait"]).code, Some(3));
    let says = |words: &[&str]| {
        let ran = run(data, words);
        format!("{}{}", ran.stdout, ran.stderr)
    };
    let instance = says(&["instances", "list"]).split_whitespace().nth(1).unwrap().to_owned();
    let request = says(&["approvals"]).split_whitespace().next().unwrap().to_owned();
    let places: [&[&str]; 8] = [
        &["run", GUEST],
        &["submit", GUEST],
        &["drive", &instance],
        &["instances", "list"],
        &["instances", "show", &instance],
        &["approvals"],
        &["approvals", "show", &request],
        &["deciders", "list"],
    ];
    let told = |words: &[&str]| says(words).contains("approvals are frozen for every tenant since");
    assert!(!told(places[3]) && !told(places[5]));
    assert_eq!(run(data, &["freeze", "--reason", "incident"]).code, Some(0));
    for words in places {
        assert!(told(words), "{words:?}: {}", says(words));
        assert!(says(words).contains(" thaw --reason WORDS"), "{words:?}");
    }
    let json = says(&["approvals", "--json"]);
    assert!(json.contains("approvals are frozen"), "{json}");
}

#[test]
fn a_new_key_replaces_no_file() {
    let here = TempDir::new().unwrap();
    let (file, public) = (here.path().join("alice.pem"), here.path().join("alice.pem.pub"));
    let new_key = || run(here.path(), &["deciders", "new-key", file.to_str().unwrap()]);
    let elsewhere = here.path().join("elsewhere");
    let in_the_way: [&dyn Fn(); 3] = [
        &|| std::fs::write(&public, "another key").unwrap(),
        &|| std::os::unix::fs::symlink(&elsewhere, &public).unwrap(),
        &|| std::fs::create_dir(&public).unwrap(),
    ];
    for put in in_the_way {
        put();
        let refused = new_key();
        assert_eq!(refused.code, Some(1), "{}", refused.stdout);
        assert!(refused.stderr.contains("nothing is overwritten"), "{}", refused.stderr);
        assert!(!file.exists() && !elsewhere.exists(), "no half of a key is left behind");
        if public.is_dir() && !public.is_symlink() {
            std::fs::remove_dir(&public).unwrap();
        } else {
            assert!(public.is_symlink() || std::fs::read_to_string(&public).unwrap() == "another key");
            std::fs::remove_file(&public).unwrap();
        }
    }
    assert_eq!(new_key().code, Some(0));
    let halves = || (std::fs::read(&file).unwrap(), std::fs::read(&public).unwrap());
    let before = halves();
    assert_eq!(new_key().code, Some(1));
    assert_eq!(halves(), before);
}

#[test]
fn names_of_earlier_versions_are_understood_and_not_listed() {
    let here = TempDir::new().unwrap();
    let refused = run(here.path(), &["work", "--at-once", "0"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("'--max-drives <N>'"), "{}", refused.stderr);
    let help = run(here.path(), &["work", "--help"]).stdout;
    assert!(help.contains("--max-drives") && !help.contains("--at-once"), "{help}");
    let refused = run(here.path(), &["instances", "restart", "one", "--here"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--component <GUEST>"), "{}", refused.stderr);
    assert!(!run(here.path(), &["instances", "restart", "--help"]).stdout.contains("--here"));
    let refused = run(here.path(), &["resume"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("pp-host drive "), "{}", refused.stderr);
    let help = run(here.path(), &["--help"]).stdout;
    assert!(help.contains("\n  drive ") && !help.contains("\n  resume "), "{help}");
}
