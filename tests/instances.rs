//! `pp-host instances`: what an operator sees of an instance and does to it, with and without a process that works.

mod support;

use support::cli::*;
use support::worker::*;
use tempfile::TempDir;

#[test]
fn the_newest_are_listed_first_and_each_by_what_is_asked_for() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    for name in ["a", "b", "c"] {
        submit(data, "paces", &["--id", name]);
    }
    submit(data, "paces", &["--id", "a", "--tenant", "acme"]);
    let names = |arguments: &[&str]| {
        let listed = lines(&succeeds(data, &[&["instances", "list", "--json"], arguments].concat()));
        let name =
            |line: &serde_json::Value| format!("{}/{}", line["tenant"], line["instance"]).replace('"', "");
        listed.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["acme/a", "local/c", "local/b", "local/a"]);
    assert_eq!(names(&["--tenant", "local"]), ["local/c", "local/b", "local/a"]);
    assert_eq!(names(&["--tenant", "nobody"]), [""; 0]);
    assert_eq!(names(&["--limit", "1"]), ["acme/a"]);
    succeeds(data, &["resume", "b"]);
    assert_eq!(names(&["--status", "complete"]), ["local/b"]);
    assert_eq!(names(&["--status", "queued", "--tenant", "acme"]), ["acme/a"]);
    let more = run(data, &["instances", "list", "--limit", "2"]);
    assert!(more.stderr.contains("there are more"), "{}", more.stderr);
    let words = succeeds(data, &["instances", "list"]);
    assert!(words.contains("complete    local/b  since 20"), "{words}");
    fails(data, &["instances", "list", "--status", "happy"], 2);
}

#[test]
fn an_instance_is_found_in_its_tenant_and_in_no_other() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    submit(data, "paces", &["--id", "a", "--tenant", "acme"]);
    for command in [&["instances", "show"][..], &["audit"], &["logs"], &["resume"], &["watch"]] {
        let other = fails(data, &[command, &["a"]].concat(), 1);
        assert!(other.contains("there is no instance local/a"), "{other}");
    }
    let shown = succeeds(data, &["instances", "show", "a", "--tenant", "acme"]);
    assert!(shown.starts_with("acme/a\n  status     queued since"), "{shown}");
}

#[test]
fn what_a_guest_says_is_only_words() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let loud = r#"{"attack":"loud"}"#;
    submit(data, "hostile", &["--id", "a", "--params", loud, "--name", "\u{1b}[31mred\u{202e}"]);
    run(data, &["resume", "a"]);
    submit(data, "hostile", &["--id", "b", "--params", r#"{"attack":"panic"}"#]);
    run(data, &["resume", "b"]);
    for show in [&["instances", "show", "a"][..], &["instances", "show", "b"], &["instances", "list"]] {
        for arguments in [show.to_vec(), [show, &["--json"]].concat()] {
            let printed = succeeds(data, &arguments);
            let visible = |c: char| c == '\n' || workflow::is_visible(c);
            assert!(printed.chars().all(visible), "{arguments:?}: {printed:?}");
        }
    }
}
