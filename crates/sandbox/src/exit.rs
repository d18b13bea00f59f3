//! How a drive ended, in words that help.

use crate::bindings::exports::permission_protocol::tenant::entrypoint;
use crate::limits::{Refused, names};
use crate::output::Output;
use crate::{Halt, SandboxLimits};
use tokio::time::error::Elapsed;
use wasmtime::Trap;
use wasmtime_wasi::I32Exit;
use workflow::Failure;

/// The end of a drive.
#[derive(Debug)]
pub enum End {
    /// The workflow returned: its result as JSON text, or its own failure.
    Returned(Result<String, Failure>),
    /// The handler halted the drive, with this.
    Halted(Halt),
    /// The guest was ended: it trapped, or hit a limit.
    Broke(Failure),
}

type Ran = Result<wasmtime::Result<Result<String, entrypoint::Failure>>, Elapsed>;

/// Sorts the ends of a call.
pub(crate) fn classify(ran: Ran, limits: &SandboxLimits, refused: Option<Refused>, output: &Output) -> End {
    let error = match ran {
        Err(Elapsed { .. }) => {
            return End::Broke(over(
                names::WALL_CLOCK_SECONDS,
                limits.wall_clock.as_secs(),
                "seconds on the wall",
            ));
        }
        Ok(Ok(result)) => return End::Returned(result.map_err(Into::into)),
        Ok(Err(error)) => error,
    };
    let error = match error.downcast::<Marked>() {
        Ok(Marked(halt)) => return End::Halted(halt),
        Err(error) => error,
    };
    End::Broke(match (error.downcast_ref::<Trap>(), refused) {
        (Some(Trap::OutOfFuel), _) => {
            over(names::FUEL, limits.fuel, "units of fuel, about one an instruction,")
        }
        (_, Some(Refused::Memory)) => over(names::MEMORY_BYTES, limits.memory_bytes, "bytes of memory"),
        (_, Some(Refused::Table)) => {
            over(names::TABLE_ELEMENTS, limits.table_elements, "elements in a table")
        }
        (Some(trap), None) => trapped(*trap, limits, output),
        (None, None) => at_boundary(&error, limits),
    })
}

fn trapped(trap: Trap, limits: &SandboxLimits, output: &Output) -> Failure {
    match trap {
        Trap::StackOverflow => {
            let what = "bytes of call stack, which usually an endless recursion fills,";
            Failure {
                name: "stack-overflow".to_owned(),
                ..over(names::STACK_BYTES, limits.stack_bytes, what)
            }
        }
        Trap::MemoryOutOfBounds => failure(
            "trapped",
            "the workflow reached outside its memory: a bug in its code, or a recursion that left its stack",
        ),
        Trap::UnreachableCodeReached => {
            let output = output.text();
            let words = output
                .rfind("panicked at")
                .map(|start| format!("; its last words: {}", workflow::Quoted(output[start..].trim_end())));
            failure("panicked", format!("the workflow panicked or aborted{}", words.unwrap_or_default()))
        }
        other => failure("trapped", format!("the workflow's code trapped: {other}")),
    }
}

/// Neither a trap nor the handler's error: the runtime refuses what the guest did at the boundary.
fn at_boundary(error: &wasmtime::Error, limits: &SandboxLimits) -> Failure {
    if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        return failure(
            "exited",
            format!("the workflow called exit({code}); a workflow ends by returning from run"),
        );
    }
    let cause = error.root_cause().to_string();
    // The runtime has no types for these. Its version is pinned, and a hostile guest for each is in the tests.
    if cause.contains("handle limit exceeded") || cause.contains("resource table has no free keys") {
        return over(names::HANDLES, limits.handles, "handles at once");
    }
    if cause.contains("fuel allocated for hostcalls") {
        return over(names::CALL_BYTES, limits.call_bytes, "bytes in one call to the host");
    }
    // Where there is no pool, which would have refused to load it.
    if cause.contains("count too high") {
        return over(names::PARTS, limits.parts, "core instances, memories or tables");
    }
    failure("boundary", format!("the workflow broke the rules of the component model: {cause}"))
}

/// A handler's error on its way through the guest's stack.
#[derive(Debug, thiserror::Error)]
#[error("the drive was halted: {0}")]
pub(crate) struct Marked(pub(crate) Halt);

fn over(name: &str, limit: impl std::fmt::Display, what: &str) -> Failure {
    let message = format!(
        "limit {name} reached: at most {limit} {what} a drive; an operator raises it with --limit {name}=N, or for good in pp-host.toml"
    );
    failure("limit-exceeded", message)
}

fn failure(name: &str, message: impl Into<String>) -> Failure {
    Failure { name: name.to_owned(), message: message.into() }
}
