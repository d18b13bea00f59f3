//! Short constructors for the tests' data.

pub(crate) mod place;
pub(crate) mod program;
pub(crate) mod shell;

use receipt::{Decision, Digest, Timestamp};
use workflow::{
    Action, Artifact, Call, CallMode, Command, Divergence, Effect, Entry, Failure, Finding, Invocation,
    Limits, ReceiptId, RecordedCommand, Replay, RequestId, StepConfig, Turn,
};

/// Asks with a command that is prepared for this one time.
pub(crate) trait Ask {
    fn ask(&mut self, command: &Command, now: Timestamp) -> Result<Turn, Divergence>;
}

impl Ask for Replay {
    fn ask(&mut self, command: &Command, now: Timestamp) -> Result<Turn, Divergence> {
        self.next(&command.clone().into(), now)
    }
}

/// `ms` milliseconds after noon of the first day of 2026.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_767_268_800_000 + ms)
}

pub(crate) fn request_id(call: Call) -> RequestId {
    format!("request_{call}").parse().unwrap()
}

pub(crate) fn receipt_id(call: Call) -> ReceiptId {
    format!("receipt_{call}").parse().unwrap()
}

pub(crate) fn failure(name: &str, message: &str) -> Failure {
    Failure { name: name.to_owned(), message: message.to_owned() }
}

pub(crate) fn artifact() -> Artifact {
    Artifact::new("app.wasm".to_owned(), b"\0asm".to_vec())
}

/// An action that the test world approves, lets through the gate and performs.
pub(crate) fn action() -> Action {
    Action {
        capability: "test.world.act".to_owned(),
        resource: "world:approve/spend/succeed".to_owned(),
        reason: "to see it done".to_owned(),
        evidence: r#"{"tests":128}"#.to_owned(),
        artifact: Some(artifact()),
    }
}

/// The call that performs `action` on the receipt that `call` was answered with.
pub(crate) fn invocation(action: &Action, receipt: ReceiptId) -> Invocation {
    Invocation {
        capability: action.capability.clone(),
        resource: action.resource.clone(),
        artifact: action.artifact.clone().unwrap_or_else(artifact),
        receipt,
    }
}

pub(crate) fn begin(name: &str) -> Command {
    Command::BeginStep { name: name.to_owned() }
}

/// The first entries of every journal.
pub(crate) fn origin() -> Vec<Entry> {
    let loaded =
        Entry::Loaded { component: Digest::of(b"component"), bytes: 9, imports: vec!["pp".to_owned()] };
    let started = Entry::Started {
        tenant: "acme".parse().unwrap(),
        actor: "agent:builder".parse().unwrap(),
        workflow: "release".to_owned(),
        params: "{}".to_owned(),
        seed: Digest::of(b"seed"),
        operator: None,
        submitter: None,
    };
    vec![loaded, started]
}

pub(crate) fn fold(journal: &[Entry]) -> Replay {
    Replay::fold(journal, Limits::default()).unwrap()
}

/// The state of a host that has applied all of `journal`, which no stored journal ends with: a decision whose receipt
/// is yet to be applied.
pub(crate) fn between(journal: &[Entry]) -> Replay {
    let (last, before) = journal.split_last().unwrap();
    let mut replay = fold(before);
    replay.apply(last).unwrap();
    replay
}

/// Entries about one call each, with the ids that belong to its number.
pub(crate) mod about {
    use super::*;

    pub(crate) fn step_started(call: Call) -> Entry {
        step_named(call, "build")
    }

    pub(crate) fn step_named(call: Call, name: &str) -> Entry {
        Entry::StepStarted { call, name: name.to_owned(), config: None, mode: CallMode::Blocking }
    }

    /// A started step.
    pub(crate) fn started_step(call: Call) -> Entry {
        step_with(call, StepConfig::default())
    }

    /// A started step with that retry configuration.
    pub(crate) fn step_with(call: Call, config: StepConfig) -> Entry {
        let (name, config) = ("build".to_owned(), Some(config));
        Entry::StepStarted { call, name, config, mode: CallMode::Started }
    }

    pub(crate) fn attempt_failed(call: Call, attempt: u32) -> Entry {
        Entry::AttemptFailed { call, attempt, failure: failure("broken", "it broke"), retry_at: at(500) }
    }

    pub(crate) fn sleep_started(call: Call, mode: CallMode) -> Entry {
        Entry::SleepStarted { call, name: "nap".to_owned(), until: at(500), mode }
    }

    pub(crate) fn wait_started(call: Call, mode: CallMode) -> Entry {
        let (name, event_type) = ("wait for payment".to_owned(), "paid".parse().unwrap());
        Entry::WaitStarted { call, name, event_type, until: at(500), mode }
    }

    pub(crate) fn event(event_type: &str, ms: i64) -> Entry {
        let event_type = event_type.parse().unwrap();
        Entry::EventReceived { event_type, payload: format!("{ms}"), at: at(ms) }
    }

    pub(crate) fn paused() -> Entry {
        Entry::Paused { by: "ann".to_owned() }
    }

    pub(crate) fn resumed() -> Entry {
        Entry::Resumed { by: "ann".to_owned() }
    }

    pub(crate) fn diverged() -> Entry {
        Entry::Diverged { call: 0, message: "it took another path".to_owned() }
    }

    pub(crate) fn terminated() -> Entry {
        Entry::Terminated { by: "ann".to_owned(), reason: Some("not needed".to_owned()) }
    }

    pub(crate) fn restarted(from: Call) -> Entry {
        Entry::Restarted { from, by: "ann".to_owned() }
    }

    pub(crate) fn resolved(call: Call) -> Entry {
        let (by, reason) = ("ann".to_owned(), Some("it is there".to_owned()));
        Entry::Resolved { call, finding: Finding::Succeeded, by, reason }
    }

    pub(crate) fn step_completed(call: Call) -> Entry {
        Entry::StepCompleted { call, output: r#""built""#.to_owned() }
    }

    pub(crate) fn step_failed(call: Call) -> Entry {
        Entry::StepFailed { call, failure: failure("broken", "it broke") }
    }

    pub(crate) fn rejected(call: Call) -> Entry {
        Entry::Rejected {
            call,
            asked: RecordedCommand::Step { name: String::new() },
            message: "no name".to_owned(),
        }
    }

    pub(crate) fn requested(call: Call) -> Entry {
        Entry::Requested {
            call,
            request: request_id(call),
            asked: RecordedCommand::from(&action()),
            artifact: Some(artifact().facts().clone()),
            input_hash: Digest::of(b"request").tagged(),
            expires_at: at(1000),
            mode: CallMode::Blocking,
        }
    }

    pub(crate) fn signed(request: RequestId, decision: Decision) -> Entry {
        let (decider, key_id, envelope) =
            ("ann".to_owned(), "ab12".to_owned(), r#"{"envelope":1}"#.to_owned());
        Entry::Signed { request, decision, decider, key_id, envelope }
    }

    pub(crate) fn withdrawn(request: RequestId) -> Entry {
        Entry::Withdrawn { request, by: "ann".to_owned(), reason: Some("not now".to_owned()) }
    }

    pub(crate) fn decided(request: RequestId, decision: Decision) -> Entry {
        Entry::Decided { request, decision, decider: "human:ann".to_owned(), reason: Some("seen".to_owned()) }
    }

    pub(crate) fn issued(request: RequestId, receipt: ReceiptId, decision: Decision) -> Entry {
        let (key_id, document) = ("key-1".to_owned(), r#"{"receipt":1}"#.to_owned());
        Entry::Issued { request, receipt, decision, key_id, expires_at: at(2000), document }
    }

    pub(crate) fn redeemed(call: Call, receipt: ReceiptId) -> Entry {
        let asked = RecordedCommand::from(&invocation(&action(), receipt.clone()));
        let idempotency_key = Digest::of(receipt.as_str().as_bytes());
        Entry::Redeemed { call, asked, receipt, idempotency_key }
    }

    pub(crate) fn refused(call: Call, receipt: ReceiptId) -> Entry {
        let asked = RecordedCommand::from(&invocation(&action(), receipt));
        Entry::Refused { call, asked, check: workflow::Check::Expiry, message: "too late".to_owned() }
    }

    pub(crate) fn performed(call: Call, receipt: ReceiptId) -> Entry {
        let effect =
            Effect::Succeeded { output: r#""done""#.to_owned(), started_at: at(0), finished_at: at(1) };
        Entry::Performed { call, receipt, effect }
    }

    pub(crate) fn attested(call: Call, receipt: ReceiptId) -> Entry {
        Entry::Attested { call, receipt, key_id: "key-1".to_owned(), document: r#"{"outcome":1}"#.to_owned() }
    }

    pub(crate) fn completed() -> Entry {
        Entry::Completed { output: "null".to_owned() }
    }

    pub(crate) fn failed() -> Entry {
        Entry::Failed { failure: failure("stopped", "it was ended") }
    }
}
