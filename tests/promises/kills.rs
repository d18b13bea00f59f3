//! The program itself, killed again and again at instants drawn from a seed, and resumed.

use crate::drive::crash_after_entry::completed;
use crate::support;
use crate::support::cli;
use engine::Host;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;
use store::InstanceKey;
use tempfile::TempDir;
use workflow::Entry;

/// The number of the program's plain steps.
const STEPS: usize = 20;

/// The most kills of a run before it may end.
const KILLS: usize = 6;

/// Steps, some of which fail first, and two deployments.
pub fn program() -> String {
    let step = |number: usize| match number % 4 {
        3 => json!({ "try": { "name": format!("step {number}"), "fails": 1, "retries": 2 } }),
        _ => json!({ "once": { "name": format!("step {number}") } }),
    };
    let mut ops: Vec<Value> = (0..STEPS).map(step).collect();
    ops.insert(STEPS / 3, json!({ "deploy": "first" }));
    ops.push(json!({ "deploy": "second" }));
    json!({ "program": ops }).to_string()
}

/// The end of a run.
#[derive(Debug, PartialEq)]
pub struct End {
    /// The workflow's result.
    pub result: Value,
    /// The number of completions of each step, by its name.
    pub completed: BTreeMap<String, usize>,
    /// The deployments, in the order of the receipts.
    pub deployed: Vec<String>,
}

/// Runs the program without a break.
pub fn straight() -> End {
    let data = TempDir::new().unwrap();
    let ran = cli::run(data.path(), &["run", GUEST, "--params", &program()]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
    end(data.path())
}

const GUEST: &str = "tests/guests/durable.wasm";

/// A run that is killed and resumed, and its progress when it was last inspected.
struct Run {
    data: TempDir,
    /// The steps that had completed.
    done: BTreeSet<String>,
    /// The number of lines that the guest had printed.
    printed: usize,
}

/// Runs the program, kills it at instants drawn from the seed, and resumes it each time. Returns its end, and the
/// number of kills between its beginning and its end.
pub fn killed(seed: u64) -> (End, usize) {
    let (mut run, mut random) = (Run::new(), Random(seed));
    let mut hits = 0;
    for _ in 0..KILLS {
        kill_at_random(run.go_on(), &mut random);
        match run.look() {
            State::None => {}
            State::UnderWay => hits += 1,
            State::Ended => return (end(run.data.path()), hits),
        }
    }
    let last = run.go_on().wait_with_output().unwrap();
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));
    assert_eq!(run.look(), State::Ended);
    (end(run.data.path()), hits)
}

/// The progress of a run.
#[derive(Debug, PartialEq, Eq)]
enum State {
    None,
    UnderWay,
    Ended,
}

impl Run {
    fn new() -> Self {
        Self { data: TempDir::new().unwrap(), done: BTreeSet::new(), printed: 0 }
    }

    /// The program's next process: it begins where there is nothing to resume.
    fn go_on(&self) -> Child {
        let program = program();
        let instance = instance(&open(self.data.path())).map(|key| key.instance.to_string());
        let arguments = match &instance {
            None => vec!["run", GUEST, "--json", "--params", &program],
            Some(instance) => vec!["drive", instance, "--json", "--approve"],
        };
        let mut command = cli::command(self.data.path(), &arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Inspects the folder. A step that had completed at the last inspection has not run since: its body prints its
    /// name.
    fn look(&mut self) -> State {
        let host = open(self.data.path());
        let Some(key) = instance(&host) else { return State::None };
        let output = host.store().output(&key).wait().unwrap();
        let printed: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("ran ")).collect();
        for line in &printed[self.printed..] {
            let (name, _attempt) = line.rsplit_once(' ').unwrap();
            assert!(!self.done.contains(name), "{name} had completed, and ran again");
        }
        let entries = support::entries(&host, &key);
        (self.done, self.printed) = (completed(&entries), printed.len());
        if matches!(entries.last(), Some(Entry::Completed { .. })) { State::Ended } else { State::UnderWay }
    }
}

/// Lets a process record a random number of facts, then run for a few random milliseconds more, and kills it.
fn kill_at_random(mut process: Child, random: &mut Random) {
    let mut facts = BufReader::new(process.stdout.take().unwrap()).lines();
    (0..random.below(12)).all(|_| facts.next().is_some());
    std::thread::sleep(Duration::from_micros(random.below(8_000)));
    process.kill().unwrap();
    process.wait().unwrap();
}

fn open(data: &Path) -> Host {
    crate::support::storage::builder(data).open().unwrap()
}

fn instance(host: &Host) -> Option<InstanceKey> {
    host.store().instances().wait().unwrap().pop()
}

fn end(data: &Path) -> End {
    let host = open(data);
    let entries = support::entries(&host, &instance(&host).unwrap());
    let (mut names, mut completed, mut result) = (BTreeMap::new(), BTreeMap::new(), Value::Null);
    for entry in entries {
        match entry {
            Entry::StepStarted { call, name, .. } => drop(names.insert(call, name)),
            Entry::StepCompleted { call, .. } => *completed.entry(names[&call].clone()).or_default() += 1,
            Entry::Completed { output } => result = serde_json::from_str(&output).unwrap(),
            _ => {}
        }
    }
    let deployed = support::deployments(data).into_iter().map(|deployment| deployment.resource).collect();
    End { result, completed, deployed }
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
