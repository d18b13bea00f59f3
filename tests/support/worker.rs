//! A process that works in a data folder, and people who decide there.

use super::cli::{Ran, command, lines, run};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, ExitStatus, Stdio};

/// `pp-host work` in a folder. Killed when it is dropped.
pub struct Worker {
    child: Option<Child>,
    stderr: BufReader<ChildStderr>,
}

impl Worker {
    /// Begins, and comes back when it listens.
    pub fn begin(data: &Path) -> Self {
        Self::begin_with(data, &[])
    }

    pub fn begin_with(data: &Path, arguments: &[&str]) -> Self {
        Self::spawn(data, arguments, Stdio::piped())
    }

    /// The same with another standard output.
    pub fn begin_onto(data: &Path, stdout: impl Into<Stdio>) -> Self {
        Self::spawn(data, &[], stdout.into())
    }

    fn spawn(data: &Path, arguments: &[&str], stdout: Stdio) -> Self {
        let mut work = command(data, &[&["work"], arguments].concat());
        let mut child = work.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("working in") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "the worker ended before it began");
        }
        Self { child: Some(child), stderr }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), signal).unwrap();
    }

    /// Stops it, and waits until it has ended.
    pub fn stop(self) -> Ran {
        self.signal(Signal::TERM);
        self.ended().0
    }

    /// Waits for its end.
    pub fn ended(mut self) -> (Ran, ExitStatus) {
        let child = self.child.take().unwrap();
        let output = child.wait_with_output().unwrap();
        let status = output.status;
        let mut ran = Ran::from(output);
        std::io::Read::read_to_string(&mut self.stderr, &mut ran.stderr).unwrap();
        (ran, status)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Runs a command that has to succeed, and returns its output.
pub fn succeeds(data: &Path, arguments: &[&str]) -> String {
    let ran = run(data, arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// Runs a command that has to fail with that code, and returns its error output.
pub fn fails(data: &Path, arguments: &[&str], code: i32) -> String {
    let ran = run(data, arguments);
    assert_eq!(ran.code, Some(code), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
    ran.stderr
}

/// Adds a decider with a key in a file, and returns the file.
pub fn decider(data: &Path, name: &str) -> String {
    let key = data.join(format!("{name}.pem")).display().to_string();
    succeeds(data, &["deciders", "new-key", &key]);
    succeeds(data, &["deciders", "add", name, "--role", "release", "--key", &format!("{key}.pub")]);
    key
}

/// Submits a guest, and gives back the instance's id.
pub fn submit(data: &Path, guest: &str, arguments: &[&str]) -> String {
    let path = format!("tests/guests/{guest}.wasm");
    let submitted = succeeds(data, &[&["submit", path.as_str(), "--json"], arguments].concat());
    lines(&submitted)[0]["instance"].as_str().unwrap().to_owned()
}

/// An instance of tenant `local`, as `instances show` prints it.
pub fn shown(data: &Path, instance: &str) -> Value {
    lines(&succeeds(data, &["instances", "show", instance, "--json"])).remove(0)
}

/// Comes back when an instance of tenant `local` has that state, as `watch` reports it.
pub fn until(data: &Path, instance: &str, fact: &str) -> Value {
    let mut watch = command(data, &["watch", instance, "--json"]);
    let mut child = watch.stdout(Stdio::piped()).spawn().unwrap();
    let mut found = Value::Null;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["fact"] == fact {
            found = line;
            break;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    assert_ne!(found, Value::Null, "{instance} ended without {fact}");
    found
}
