//! A host whose clock only moves when the test sets it, and the parties outside it: deciders, senders of events,
//! waiting callers.

use crate::support;
use engine::{Builder, Host, Status};
use receipt::Decision;
use serde_json::{Value, json};
use std::path::Path;
use store::InstanceKey;
use tempfile::TempDir;
use workflow::{Entry, Pending, Wait};

pub use super::clock::{BEGINNING, ManualClock};

/// A host, its folder and its clock.
pub struct Harness {
    pub folder: TempDir,
    pub host: Host,
    pub clock: ManualClock,
}

impl Harness {
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub fn with(settings: impl FnOnce(Builder) -> Builder) -> Self {
        let (folder, clock) = (TempDir::new().unwrap(), ManualClock::at(BEGINNING));
        let host = open(folder.path(), &clock, settings);
        Self { folder, host, clock }
    }

    /// The same folder after the host has gone and come back.
    pub fn reopened(self) -> Self {
        self.reopened_with(|builder| builder)
    }

    /// The same with other settings.
    pub fn reopened_with(self, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let Self { folder, host, clock } = self;
        drop(host);
        let host = open(folder.path(), &clock, settings);
        Self { folder, host, clock }
    }

    /// Starts one of the examples.
    pub fn does(&self, example: &str) -> InstanceKey {
        support::start(&self.host, "durable", &json!({ "does": example }).to_string())
    }

    /// Starts a program.
    pub fn program(&self, ops: &Value) -> InstanceKey {
        support::start(&self.host, "durable", &json!({ "program": ops }).to_string())
    }

    pub fn drive(&self, key: &InstanceKey) -> Status {
        support::block_on(self.host.drive(key)).unwrap()
    }

    /// Drives it, and returns its wait.
    pub fn waits(&self, key: &InstanceKey) -> Wait {
        match self.drive(key) {
            Status::Waiting(wait) => wait,
            other => panic!("it does not wait: {other:?}"),
        }
    }

    /// Drives it to its end, and returns its result.
    pub fn result(&self, key: &InstanceKey) -> Value {
        support::result(&self.drive(key))
    }

    /// Moves the clock until its wait is due. Returns the time since the beginning, in milliseconds.
    pub fn until_due(&self, key: &InstanceKey) -> i64 {
        let due = self.waits(key).due().unwrap();
        self.clock.set(due.as_millis());
        due.as_millis() - BEGINNING
    }

    pub fn send(&self, key: &InstanceKey, event_type: &str, payload: &Value) {
        self.host.send_event(key, &event_type.parse().unwrap(), &payload.to_string()).unwrap();
    }

    pub fn entries(&self, key: &InstanceKey) -> Vec<Entry> {
        support::entries(&self.host, key)
    }

    pub fn count(&self, key: &InstanceKey, kind: &str) -> usize {
        support::count(&self.entries(key), kind)
    }

    /// The guest's printed lines, without the host's.
    pub fn printed(&self, key: &InstanceKey) -> Vec<String> {
        let output = self.host.store().output(key).wait().unwrap();
        output.lines().filter(|line| !line.starts_with('[')).map(ToOwned::to_owned).collect()
    }

    /// Drives it to its end. Every wait is answered in the same way: a request is decided at once, each type of event
    /// that is waited for is sent as often as `sent` says, and only then time passes.
    pub fn finish(&self, key: &InstanceKey, decision: Decision, sent: &[(&str, usize)]) -> Status {
        loop {
            match self.drive(key) {
                Status::Waiting(wait) => self.answer(key, &wait, decision, sent),
                end => return end,
            }
        }
    }

    fn answer(&self, key: &InstanceKey, wait: &Wait, decision: Decision, sent: &[(&str, usize)]) {
        if let Some(request) = wait.request() {
            self.host.decide(request, &support::judgement(decision)).unwrap();
            return;
        }
        let entries = self.entries(key);
        let came = |name: &str| {
            let is = |entry: &&Entry| matches!(entry, Entry::EventReceived { event_type, .. } if event_type.as_str() == name);
            entries.iter().filter(is).count()
        };
        let awaited = wait.event_types().find_map(|event_type| {
            let (name, times) = sent.iter().find(|(name, _)| *name == event_type.as_str())?;
            (came(name) < *times).then(|| (*name, came(name)))
        });
        match awaited {
            Some((name, number)) => self.send(key, name, &json!(number)),
            None => self.clock.set(wait.due().unwrap().as_millis()),
        }
    }
}

/// A host on that folder, by that clock.
pub fn open(folder: &Path, clock: &ManualClock, settings: impl FnOnce(Builder) -> Builder) -> Host {
    settings(crate::support::storage::builder(folder).clock(clock.clone())).open().unwrap()
}

/// The attempt that it waits for, where it waits for one.
pub fn attempt(wait: &Wait) -> Option<u32> {
    wait.on.iter().find_map(|pending| match pending {
        Pending::Retry { attempt, .. } => Some(*attempt),
        _ => None,
    })
}
