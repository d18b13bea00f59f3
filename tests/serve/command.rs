//! `pp-host serve` as a command.

use crate::support;
use crate::support::cli;
use crate::support::serving::Serving;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Kills a child that a failed test leaves behind.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn it_works_serves_and_stops() {
    let data = TempDir::new().unwrap();
    let mut serve = cli::command(data.path(), &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = Killed(serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url =
        lines.find_map(|line| Some(line.split_once("serving http://localhost:")?.1.to_owned())).unwrap();
    let port: u16 = url.parse().unwrap();
    let submitted = cli::run(data.path(), &["submit", cli::GUEST, "--id", "one"]);
    assert_eq!(submitted.code, Some(0), "{}", submitted.stderr);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("ready\n"), "{answer}");
    let pid = rustix::process::Pid::from_child(&child.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(lines.any(|line| line.ends_with("stopped")));
    assert!(child.0.wait().unwrap().success());
}

/// The lines of the README, as a shell runs them against the program.
#[test]
fn the_lines_of_the_readme_run_as_they_stand() {
    if !support::installed(&["bash", "curl"]) {
        return;
    }
    let readme = std::fs::read_to_string(support::root().join("README.md")).unwrap();
    let block = readme.split("```\n").find(|block| block.starts_with("TOKEN=$(")).unwrap();
    let data = TempDir::new().unwrap();
    let serving = Serving::begin(data.path(), &[]);
    let lines = block.replace("pp-host", env!("CARGO_BIN_EXE_pp-host"));
    let lines = lines.replace("localhost:8787", &format!("localhost:{}", serving.port));
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &lines]).current_dir(support::root());
    let ran = shell.env("PP_HOST_DATA", data.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && out.contains("\"created\":true"), "{out}\n{err}");
    // The last line has created an instance, which this server drives.
    support::until("it asks", || cli::run(data.path(), &["approvals"]).stdout.contains("nightly-1"));
    serving.stop();
}

#[test]
fn bodies_have_room_for_the_largest_component() {
    let data = TempDir::new().unwrap();
    let limits = ["--limit", "http-body-memory-bytes=1000000", "--limit", "component-bytes=1000001"];
    let refused = cli::run(data.path(), &[&["serve", "--listen", "127.0.0.1:0"][..], &limits].concat());
    assert_eq!(refused.code, Some(1));
    let said = "limit http-body-memory-bytes is 1000000 bytes, less than component-bytes, 1000001 bytes";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("set --limit http-body-memory-bytes=1000001 or more"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_network_is_served_only_where_there_are_tokens() {
    let data = TempDir::new().unwrap();
    let refused = cli::run(data.path(), &["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("there is no token yet: make one first (pp-host --data ")
            && refused.stderr.contains(" tokens create --tenant"),
        "{}",
        refused.stderr
    );
}

#[test]
fn open_shows_the_page_in_a_browser_and_no_secret() {
    let data = TempDir::new().unwrap();
    let shown = data.path().join("shown");
    let browser =
        cli::write(data.path(), "browser.sh", &format!("#!/bin/sh\necho \"$@\" > {}\n", shown.display()));
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut serve = cli::command(data.path(), &["serve", "--listen", "127.0.0.1:0", "--open"]);
    let serve = serve.env("BROWSER", &browser).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = Killed(serve.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let url = lines.find_map(|line| Some(line.split_once("serving ")?.1.to_owned())).unwrap();
    let text = || std::fs::read_to_string(&shown).ok().filter(|text| text.ends_with('\n'));
    assert_eq!(support::awaited("the browser begins", text).trim(), url);
    let mut serve = cli::command(data.path(), &["serve", "--listen", "127.0.0.1:0", "--open"]);
    drop(child);
    let serve = serve.env("BROWSER", "/no/such/browser").stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = Killed(serve.spawn().unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said = lines.find(|line| line.contains("cannot open a browser with /no/such/browser")).unwrap();
    assert!(said.contains("the page is at http://localhost:"), "{said}");
}
