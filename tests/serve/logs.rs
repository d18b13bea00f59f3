//! The log of `pp-host serve`: what it names, and what it never contains.

use crate::support::{cli, guest};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// Words of the guest's input, with a character that reverses the direction of text.
const WORDS: &str = "words of the guest \u{202e} and more";

/// A server whose standard error is collected.
struct Logged {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    port: u16,
    lines: Vec<String>,
}

impl Logged {
    fn begin(data: &TempDir, arguments: &[&str]) -> Self {
        let mut command =
            cli::command(data.path(), &[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut logged =
            Self { stderr: BufReader::new(child.stderr.take().unwrap()), child, port: 0, lines: Vec::new() };
        let serving = logged.until(&["serving http://localhost:"]);
        let (_, port) = serving.split_once("serving http://localhost:").unwrap();
        let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
        logged.port = digits.parse().unwrap();
        logged
    }

    fn until(&mut self, words: &[&str]) -> String {
        loop {
            let mut line = String::new();
            assert!(self.stderr.read_line(&mut line).unwrap() > 0, "no {words:?}: {:#?}", self.lines);
            self.lines.push(line.trim_end().to_owned());
            if words.iter().all(|word| line.contains(word)) {
                return line;
            }
        }
    }

    fn send(&self, method: &str, path: &str, token: &str, kind: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Runs a workflow until it makes a request, and sends a request with an invalid token.
    fn use_it(&mut self, token: &str) {
        let uploaded =
            self.send("POST", "/v1/workflows", token, "application/wasm", &guest("tenant-workflow"));
        let (_, body) = uploaded.split_once("\r\n\r\n").unwrap();
        let workflow: Value = serde_json::from_str(body).unwrap();
        let new =
            json!({"workflow": workflow["workflow"], "id": "one", "params": {"actor": WORDS}}).to_string();
        assert!(
            self.send("POST", "/v1/instances", token, "application/json", new.as_bytes()).contains(" 201 ")
        );
        let strange = "pp_acme_0123456789ab_".to_owned() + &"5".repeat(64);
        assert!(
            self.send("GET", "/v1/usage?token=in-the-query", &strange, "text/plain", b"").contains(" 401 ")
        );
        // The drive of this instance, not of the previous one.
        self.until(&["driven", "instance", "one"]);
    }

    /// Stops the server, and returns everything that it logged.
    fn end(mut self) -> Vec<String> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        self.lines.extend(rest.lines().map(str::to_owned));
        std::mem::take(&mut self.lines)
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn token(data: &TempDir) -> String {
    let scopes = "instances:read,instances:write";
    let made = cli::run(data.path(), &["tokens", "create", "--tenant", "acme", "--scope", scopes]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    made.stdout.trim().to_owned()
}

fn folder() -> TempDir {
    let data = TempDir::new().unwrap();
    assert_eq!(cli::run(data.path(), &["submit", cli::GUEST, "--id", "before"]).code, Some(0));
    data
}

fn assert_no_secret(lines: &[String], token: &str) {
    let (_, secret) = token.rsplit_once('_').unwrap();
    for line in lines {
        for hidden in [secret, &"5".repeat(64), "words of the guest", "in-the-query", "/register#"] {
            assert!(!line.contains(hidden), "{line}");
        }
        assert!(line.chars().all(|character| matches!(character, ' '..='~')), "{line:?}");
    }
}

#[test]
fn a_log_in_json_is_an_object_a_line_with_instances_and_without_secrets() {
    let data = folder();
    let token = token(&data);
    let mut logged = Logged::begin(&data, &["--log", "trace", "--log-format", "json"]);
    logged.use_it(&token);
    let lines = logged.end();
    let objects: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let of = |target: &str, message: &str| -> Vec<&Value> {
        let target = |object: &&Value| object["target"].as_str().unwrap().starts_with(target);
        objects.iter().filter(target).filter(|object| object["message"] == message).collect()
    };
    let driven = of("engine", "driven");
    let one = driven.iter().find(|object| object["spans"][0]["instance"] == "one").unwrap();
    assert_eq!((&one["spans"][0]["name"], &one["spans"][0]["tenant"]), (&json!("drive"), &json!("acme")));
    assert_eq!(one["state"], "waiting");
    assert!(of("engine", "fact").iter().any(|object| object["kind"] == "requested"), "{objects:#?}");
    let answered = of("server", "answered");
    let created = answered
        .iter()
        .find(|object| object["status"] == 201 && object["spans"][0]["route"] == "/v1/instances");
    assert_eq!(created.unwrap()["spans"][0]["tenant"], "acme");
    assert!(of("host", "stopped").iter().all(|object| object["level"] == "INFO"));
    let invite = "deciders invite NAME --role release --url http://localhost:";
    assert!(lines.iter().any(|line| line.contains(invite)), "{lines:#?}");
    assert_no_secret(&lines, &token);
}

#[test]
fn a_log_in_text_says_the_same_and_nothing_below_its_level() {
    let data = folder();
    let token = token(&data);
    let mut logged = Logged::begin(&data, &["--log", "info,engine=debug"]);
    logged.use_it(&token);
    let mut lines = logged.end();
    assert!(
        lines.iter().any(|line| line.contains("drive{tenant=acme instance=one}: engine::")),
        "{lines:#?}"
    );
    assert!(!lines.iter().any(|line| line.contains("answered")), "{lines:#?}");
    // The only line with the secret link, for the operator.
    lines.retain(|line| !line.contains("register the first decider, once and within a day: "));
    assert_no_secret(&lines, &token);
}

#[test]
fn a_level_that_is_none_is_refused_with_those_that_are() {
    let data = TempDir::new().unwrap();
    for (level, expected) in [
        ("loud", "loud is not a level: off, error, warn, info, debug or trace"),
        ("info,guest=debug", "the targets that log are engine, server, host"),
    ] {
        let refused = cli::run(data.path(), &["serve", "--log", level]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    }
}
