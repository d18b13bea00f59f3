//! A program that runs twice, with a record of its calls.

use super::fixture;
use super::fixture::block_on;
use receipt::{Digest, Timestamp};
use sandbox::{End, Event, Halt, Program, Sandbox};
use std::sync::{Arc, LazyLock, Mutex};
use workflow::{Approval, Begun, Command, Outcome, Performance, Ready, Start};

/// A runtime with little of everything.
pub static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| Sandbox::new(fixture::sandbox_limits()).unwrap());

/// Runs a program twice: it ends within bounds, and both runs make the same calls, print the same and use the same
/// fuel.
pub fn watch(program: &Program) {
    let (first, again) = (run(program), run(program));
    // The wall clock ends a run at a different place each time.
    if !first.end.contains("wall-clock") && !again.end.contains("wall-clock") {
        assert_eq!(first, again);
    }
    assert!(first.fuel <= fixture::sandbox_limits().fuel);
    assert!(first.output.len() <= fixture::sandbox_limits().output_bytes + 200);
}

/// The observable results of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    end: String,
    output: String,
    fuel: u64,
    commands: Vec<Command>,
}

fn run(program: &Program) -> Seen {
    let commands = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&commands);
    let answer = move |command: Command| {
        let mut commands = seen.lock().unwrap();
        let outcome = outcome(&command, commands.len());
        commands.push(command);
        outcome
    };
    let event = Event {
        payload: "{}".to_owned(),
        started_at: Timestamp::from_millis(1_800_000_000_000),
        seed: Digest::of(b"seed"),
        instance: "wf_fuzz".to_owned(),
        workflow: "fuzz".to_owned(),
        tenant: "acme".to_owned(),
    };
    let drive = block_on(SANDBOX.run(program, event, &fixture::sandbox_limits(), Box::new(answer)));
    let end = match drive.end {
        End::Returned(result) => format!("{result:?}"),
        End::Broke(failure) => {
            assert!(failure.message.len() < 10_000, "{failure}");
            format!("{failure:?}")
        }
        End::Halted(halt) => halt.to_string(),
    };
    let commands = std::mem::take(&mut *commands.lock().unwrap());
    Seen { end, output: drive.output, fuel: drive.fuel, commands }
}

/// Some answer that fits. After a hundred the drive is halted.
fn outcome(command: &Command, number: usize) -> Result<Outcome, Halt> {
    let deployment = r#"{"id":"dep_1","location":"nowhere","artifact_sha256":"","receipt_id":"rcpt_1"}"#;
    Ok(match command {
        _ if number >= 100 => return Err("enough".into()),
        Command::BeginStep { .. } if number % 3 == 2 => Outcome::Begun(Begun::Done("[1]".to_owned())),
        Command::BeginStep { .. } => Outcome::Begun(Begun::Run(number as u32)),
        Command::EndStep { .. } => Outcome::Ended(Ok(())),
        Command::FailStep { failure, .. } => Outcome::Ended(Err(failure.clone())),
        Command::Sleep(_) => Outcome::Woken { call: number as u32, ready: Ready::Slept },
        Command::WaitForEvent(_) => {
            let until = Timestamp::from_millis(1_800_000_000_000);
            Outcome::Woken { call: number as u32, ready: Ready::TimedOut { until } }
        }
        Command::Start(Start::Step { .. }) if number.is_multiple_of(2) => {
            Outcome::Begun(Begun::Run(number as u32))
        }
        Command::Start(_) => Outcome::Started(number as u32),
        Command::Await { calls } => match (calls.first(), number % 3) {
            (Some(call), 0) => Outcome::Woken { call: *call, ready: Ready::Run { attempt: 2 } },
            (Some(call), 1) => Outcome::Woken { call: *call, ready: Ready::Approval(granted()?) },
            (Some(call), _) => Outcome::Woken { call: *call, ready: Ready::Step(Ok("[1]".to_owned())) },
            (None, _) => return Err("nothing to wait for".into()),
        },
        Command::RequireApproval(_) => Outcome::Approval(granted()?),
        Command::Perform(_) => Outcome::Performed(Performance::Done(deployment.to_owned())),
    })
}

fn granted() -> Result<Approval, Halt> {
    Ok(Approval::Granted { receipt: "rcpt_1".parse()?, document: "{}".to_owned() })
}
