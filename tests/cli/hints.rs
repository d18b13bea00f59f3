//! Commands that are printed, pasted into a shell in the situation in which they are printed.

use crate::support;
use crate::support::cli::*;
use crate::support::worker::Worker;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A working folder, whose data folder has a name with characters that a shell interprets.
struct Place(TempDir);

const DATA: &str = "sp ace/it's $1";

impl Place {
    fn new() -> Self {
        let place = Self(TempDir::new().unwrap());
        std::fs::create_dir(place.0.path().join("sp ace")).unwrap();
        place
    }

    /// Without the variable that names the folder: a hint has to.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = command(Path::new("unused"), words);
        command.env_remove("PP_HOST_DATA").current_dir(self.0.path());
        command
    }

    fn paste(&self, hint: &[String]) -> Ran {
        let words: Vec<_> = hint.iter().map(String::as_str).collect();
        self.command(&words).output().unwrap().into()
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.command(&[&["--data", DATA], words].concat()).output().unwrap().into()
    }

    fn guest(&self) -> String {
        support::guest_path("tenant-workflow").display().to_string()
    }

    fn key(&self, name: &str) -> String {
        let file = self.0.path().join(format!("{name}.pem")).display().to_string();
        assert_eq!(self.run(&["deciders", "new-key", &file]).code, Some(0));
        let public = format!("{file}.pub");
        assert_eq!(self.run(&["deciders", "add", name, "--role", "release", "--key", &public]).code, Some(0));
        file
    }
}

/// The commands in a text: each is at the end of its line. Split as a shell splits them, with their words in capitals
/// filled in.
fn hints(text: &str, filled: &[(&str, &str)]) -> Vec<Vec<String>> {
    let commands = text.lines().filter_map(|line| line.split_once("pp-host ").map(|(_, command)| command));
    let fill = |word: String| {
        let found = filled.iter().find(|(name, _)| *name == word);
        found.map_or(word, |(_, value)| (*value).to_owned())
    };
    commands.map(|command| shell_words(command).into_iter().map(fill).collect()).collect()
}

/// The one hint that contains that word.
fn hint(text: &str, word: &str, filled: &[(&str, &str)]) -> Vec<String> {
    let found: Vec<_> =
        hints(text, filled).into_iter().filter(|hint| hint.iter().any(|w| w == word)).collect();
    assert_eq!(found.len(), 1, "{word}: {text}");
    found.into_iter().next().unwrap()
}

/// A command line as a POSIX shell takes it apart.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), None::<String>, false, false);
    for character in line.chars() {
        match character {
            _ if escaped => {
                word.get_or_insert_default().push(character);
                escaped = false;
            }
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if !quoted => escaped = true,
            ' ' if !quoted => words.extend(word.take()),
            character => word.get_or_insert_default().push(character),
        }
    }
    assert!(!quoted && !escaped, "not a command: {line}");
    words.extend(word);
    words
}

#[test]
fn in_a_demonstration_a_request_is_decided_as_its_hint_says() {
    let place = Place::new();
    for (decision, code, other) in [("--approve", 0, "--deny"), ("--deny", 4, "--approve")] {
        let parked = place.run(&["run", &place.guest(), "--wait"]);
        assert_eq!(parked.code, Some(3), "{}", parked.stderr);
        let go_on: Vec<_> = hints(&parked.stdout, &[])
            .into_iter()
            .filter(|hint| !hint.contains(&decision.to_owned()) && !hint.contains(&other.to_owned()))
            .collect();
        assert_eq!(go_on.len(), 1, "{}", parked.stdout);
        let again = place.paste(&go_on[0]);
        assert_eq!(again.code, Some(3), "it still waits: {}", again.stderr);
        // Also under the request in the list.
        let listed = place.run(&["approvals"]).stdout;
        assert_eq!(hint(&listed, decision, &[]), hint(&again.stdout, decision, &[]));
        let decided = place.paste(&hint(&listed, decision, &[]));
        assert_eq!(decided.code, Some(code), "{}{}", decided.stdout, decided.stderr);
    }
}

#[test]
fn where_people_decide_a_request_is_decided_as_its_hint_says() {
    let place = Place::new();
    let file = place.key("alice");
    let filled = [("NAME", "alice"), ("FILE", file.as_str())];
    let parked = place.run(&["run", &place.guest(), "--tenant", "acme"]);
    assert_eq!(parked.code, Some(3), "{}", parked.stderr);
    let approved = place.paste(&hint(&parked.stdout, "approve", &filled));
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    assert!(approved.stdout.contains("no worker is running"), "{}", approved.stdout);
    // Decided, and the instance is not driven: the list says so.
    let listed = place.run(&["instances", "list"]);
    assert!(listed.stdout.contains("workflow \"tenant-workflow\""), "{}", listed.stdout);
    assert!(listed.stderr.contains("no worker is running"), "{}", listed.stderr);
    assert_eq!(hint(&listed.stderr, "drive", &[]), hint(&approved.stdout, "drive", &[]));
    let resumed = place.paste(&hint(&listed.stderr, "drive", &[]));
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(!place.run(&["instances", "list"]).stderr.contains("ready to run"));

    let parked = place.run(&["run", &place.guest()]);
    let denied = place.paste(&hint(&parked.stdout, "deny", &filled));
    assert_eq!(denied.code, Some(0), "{}", denied.stderr);
    assert_eq!(place.paste(&hint(&denied.stdout, "drive", &[])).code, Some(4));
    let listed = place.run(&["instances", "list"]).stdout;
    assert_eq!(listed.matches("an action was denied").count(), 1, "{listed}");
}

#[test]
fn a_paused_instance_goes_on_as_its_hint_says() {
    let place = Place::new();
    assert_eq!(place.run(&["submit", &place.guest(), "--id", "n", "--tenant", "acme"]).code, Some(0));
    for source in ["show", "drive"] {
        assert_eq!(place.run(&["instances", "pause", "acme/n"]).code, Some(0));
        let shown = match source {
            "show" => place.run(&["instances", "show", "acme/n"]).stdout,
            _ => place.run(&["drive", "acme/n"]).stderr,
        };
        let resumed = place.paste(&hint(&shown, "instances", &[]));
        assert_eq!(resumed.code, Some(0), "{shown}: {}", resumed.stderr);
    }
}

#[test]
fn a_long_sleep_says_that_it_may_be_left_and_how_it_goes_on() {
    let place = Place::new();
    let guest = support::guest_path("durable").display().to_string();
    let words =
        ["--data", DATA, "run", &guest, "--params", r#"{"does":"sleep"}"#, "--limit", "fuel=900000000"];
    let mut go_on = None;
    // First as it began, then as the hint says: the same wait, the same hint.
    for _ in 0..2 {
        let words = go_on.unwrap_or_else(|| words.map(ToOwned::to_owned).to_vec());
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let mut child = place.command(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut said = said.skip_while(|line| !line.starts_with("waits"));
        let waits = said.next().expect("it waits");
        assert!(
            waits.contains("the end of sleep") && waits.contains('Z'),
            "what for and until when: {waits}"
        );
        assert!(said.next().unwrap().contains("^C is safe"));
        let hint = hints(&said.next().unwrap(), &[]).remove(0);
        assert!(hint.contains(&"fuel=900000000".to_owned()), "{hint:?}");
        go_on = Some(hint);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// The commands of "Run a server" in the README, in a folder where no person decides.
#[test]
fn the_readme_s_work_comes_to_its_end() {
    let readme = std::fs::read_to_string(support::root().join("README.md")).unwrap();
    let section = readme.split("## Run a server").nth(1).unwrap().split("\n## ").next().unwrap();
    let block = section.split("```\n").nth(1).unwrap();
    let typed: Vec<Vec<String>> =
        block.lines().map(|line| shell_words(line.strip_prefix("pp-host ").unwrap())).collect();
    let data = TempDir::new().unwrap();
    let type_in =
        |words: &[String]| command(data.path(), &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(typed[0], ["work"]);
    let _worker = Worker::begin(data.path());
    let watch = typed.iter().position(|words| words[0] == "watch").unwrap();
    for words in &typed[1..watch] {
        assert_eq!(type_in(words).output().unwrap().status.code(), Some(0), "{words:?}");
    }
    let watching = type_in(&typed[watch]).stdout(Stdio::piped()).spawn().unwrap();
    while run(data.path(), &["approvals"]).stdout.is_empty() {}
    for words in &typed[watch + 1..] {
        let ran = Ran::from(type_in(words).output().unwrap());
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
    }
    let watched = Ran::from(watching.wait_with_output().unwrap());
    assert_eq!(watched.code, Some(0), "{}", watched.stdout);
    assert!(watched.stdout.contains("completed"), "{}", watched.stdout);
}

#[test]
fn a_new_workflow_runs_as_its_hint_says() {
    let place = Place::new();
    support::compiled::put_engine(&place.0.path().join(DATA));
    let made = place.run(&["new", "sp ace/first-flow"]);
    let ran = place.paste(&hints(&made.stdout, &[]).pop().unwrap());
    assert_eq!(ran.code, Some(0), "{}{}{}", made.stdout, ran.stdout, ran.stderr);
    let has_data = |folder: &str| place.0.path().join(folder).join("journal.sqlite").exists();
    assert!(has_data(DATA) && !has_data("sp ace/first-flow"), "{}", made.stdout);
}

#[test]
fn commands_in_answers_reach_the_same_folder() {
    let place = Place::new();
    assert_eq!(place.run(&["submit", &place.guest(), "--id", "n", "--tenant", "acme"]).code, Some(0));
    let answered = |words: &[&str]| {
        let ran = place.run(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {}", ran.stderr);
        let hint = hints(&ran.stdout, &[("WORDS", "over")]).pop().unwrap();
        (place.paste(&hint), ran.stdout)
    };
    for whom in [&["--tenant", "acme"][..], &[]] {
        let (thawed, _) = answered(&[&["freeze", "--reason", "drill"], whom].concat());
        assert_eq!(thawed.code, Some(0), "{}", thawed.stderr);
        assert_eq!(place.run(&["deciders", "list"]).stderr, "", "no freeze is left");
    }
    let (published, rotated) = answered(&["keys", "rotate"]);
    let key = rotated.split_whitespace().next().unwrap();
    assert!(published.stdout.contains(key), "{}", published.stdout);
    let (published, _) = answered(&["keys", "revoke", key]);
    assert!(published.stdout.contains("revoked"), "{}", published.stdout);
}

#[test]
fn commands_in_errors_reach_the_same_folder() {
    let place = Place::new();
    assert_eq!(place.run(&["submit", &place.guest(), "--id", "n"]).code, Some(0));
    let quoted = r"pp-host --data 'sp ace/it'\''s $1' ";
    for (words, hint) in [
        (vec!["instances", "show", "nothing"], "instances list"),
        (vec!["receipts", "show", "rcpt_nothing"], "receipts list"),
        (vec!["approvals", "show", "apr_nothing"], "approvals log"),
        (vec!["keys", "revoke", "nothing"], "keys list"),
        (vec!["instances", "delete", "n"], "instances terminate local/n"),
    ] {
        let error = place.run(&words).stderr;
        assert!(error.contains(&format!("{quoted}{hint}")), "{words:?}: {error}");
    }
}
