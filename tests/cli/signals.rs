//! Signals that end a process.

use crate::support;
use crate::support::cli::{Ran, command, run};
use crate::support::worker::{Worker, submit, until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use tempfile::TempDir;

/// Whether the tests were started by `nohup`, whose processes ignore SIGHUP, and so do theirs. It says so.
fn hangup_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    let is_ignored = mask.is_some_and(|mask| u64::from_str_radix(mask, 16).unwrap() & 1 != 0);
    if is_ignored {
        eprintln!("NOT RUN: what SIGHUP does, because the tests were started to ignore it");
    }
    is_ignored
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let data = TempDir::new().unwrap();
    let guest = support::guest_path("durable").display().to_string();
    let words = ["run", &guest, "--params", r#"{"does":"sleep"}"#, "--limit", "fuel=900000000"];
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        if signal == Signal::HUP && hangup_is_ignored() {
            continue;
        }
        let mut run_on = command(data.path(), &words);
        let mut child = run_on.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        said.find(|line| line.starts_with("waits")).expect("it waits");
        kill_process(Pid::from_child(&child), signal).unwrap();
        let (status, mut stderr) = (child.wait().unwrap(), String::new());
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(status.code(), Some(128 + signal.as_raw()), "{signal:?}: {stderr}");
        let (interrupted, go_on) = stderr.trim_end().rsplit_once("continue with pp-host ").unwrap();
        assert!(interrupted.contains("was interrupted"), "{stderr}");
        assert!(go_on.ends_with("--limit fuel=900000000"), "{stderr}");
        let instance = go_on.split(' ').nth_back(2).unwrap();
        let shown = run(data.path(), &["instances", "show", instance]);
        assert!(shown.stdout.contains("waiting"), "{}{}", shown.stdout, shown.stderr);
    }
}

#[test]
fn a_hangup_stops_the_work_like_any_other_signal() {
    if hangup_is_ignored() {
        return;
    }
    let data = TempDir::new().unwrap();
    let worker = Worker::begin(data.path());
    worker.signal(Signal::HUP);
    let (ran, status) = worker.ended();
    assert_eq!(status.code(), Some(0), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("pp-host: stopped\n"), "{}", ran.stderr);
}

/// As `nohup` starts it: a shell is there on every machine that has a terminal to hang up.
#[test]
fn a_hangup_that_is_ignored_stops_nothing() {
    let data = TempDir::new().unwrap();
    let program = command(data.path(), &[]).get_program().to_owned();
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" --data \"$1\" work"]).arg(program).arg(data.path());
    let mut child = shell.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    said.find(|line| line.contains("working in")).expect("it works");
    kill_process(Pid::from_child(&child), Signal::HUP).unwrap();
    submit(data.path(), "paces", &["--id", "after"]);
    until(data.path(), "after", "completed");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0));
}
