//! Every command that the built program has, as its help lists them.

use super::cli::{Ran, command};
use std::path::Path;
use std::process::{Child, Output};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// Every command: `run`, `deciders add`. From the help, so that a new one is among them.
pub fn every() -> Vec<String> {
    let mut all = Vec::new();
    for name in listed(&[]) {
        match listed(&[&name]).as_slice() {
            [] => all.push(name),
            below => all.extend(below.iter().map(|below| format!("{name} {below}"))),
        }
    }
    assert!(all.len() > 40, "the help is not read right: {all:?}");
    all
}

fn listed(words: &[&str]) -> Vec<String> {
    let help = command(Path::new("unused"), &[words, &["--help"]].concat()).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let Some((_, commands)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let lines = commands.lines().take_while(|line| !line.is_empty());
    // A line that continues the one above has a deeper indentation.
    let names =
        lines.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(ToOwned::to_owned).collect()
}

/// Runs a command to its end; one that does not end by itself is stopped after a while.
pub fn stopped(data: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(data, arguments);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let child: Child = command.spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&child);
    let (sender, ended) = channel::<Output>();
    let waits = thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    let output = ended.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        ended.recv().unwrap()
    });
    waits.join().unwrap().unwrap();
    output.into()
}
