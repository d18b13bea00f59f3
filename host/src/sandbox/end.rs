//! How a drive ended, in words that help.

use crate::sandbox::Halt;
use crate::sandbox::SandboxLimits;
use crate::sandbox::bindings::exports::permission_protocol::tenant::entrypoint;
use crate::sandbox::limits::Refused;
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
pub(crate) fn classify(ran: Ran, limits: &SandboxLimits, refused: Option<Refused>, output: &str) -> End {
    let error = match ran {
        Err(Elapsed { .. }) => return End::Broke(over("wall-clock-seconds", limits.wall_clock.as_secs(), "seconds on the wall")),
        Ok(Ok(result)) => return End::Returned(result.map_err(Into::into)),
        Ok(Err(error)) => error,
    };
    let failure = if let Some(Trap::OutOfFuel) = error.downcast_ref::<Trap>() {
        over("fuel", limits.fuel, "units of fuel, about one an instruction")
    } else if let Some(refused) = refused {
        match refused {
            Refused::Memory => over("memory-bytes", limits.memory_bytes, "bytes of memory"),
            Refused::Table => over("table-elements", limits.table_elements, "elements in a table"),
        }
    } else if let Some(I32Exit(code)) = error.downcast_ref::<I32Exit>() {
        failure("exited", format!("the workflow called exit({code}); a workflow ends by returning from run"))
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        trapped(*trap, output)
    } else {
        return halted(error);
    };
    End::Broke(failure)
}

fn trapped(trap: Trap, output: &str) -> Failure {
    match trap {
        Trap::StackOverflow => failure("stack-overflow", "the workflow's call stack is full: 512 KiB, usually an endless recursion"),
        Trap::UnreachableCodeReached => {
            let words = output.trim_end().lines().last().map(|line| format!("; its last words: {}", workflow::Quoted(line)));
            failure("panicked", format!("the workflow panicked or aborted{}", words.unwrap_or_default()))
        }
        other => failure("trapped", format!("the workflow's code trapped: {other}")),
    }
}

/// Neither a trap nor a limit: the handler's own error, or the runtime's refusal of what the guest did at the boundary, such as using
/// a handle that it does not have.
fn halted(error: wasmtime::Error) -> End {
    match error.downcast::<Marked>() {
        Ok(Marked(halt)) => End::Halted(halt),
        Err(error) => End::Broke(failure("boundary", format!("the workflow broke the rules of the component model: {}", error.root_cause()))),
    }
}

/// A handler's error on its way through the guest's stack.
#[derive(Debug, thiserror::Error)]
#[error("the drive was halted: {0}")]
pub(crate) struct Marked(pub(crate) Halt);

fn over(name: &str, limit: impl std::fmt::Display, what: &str) -> Failure {
    let message = format!("limit {name} reached: at most {limit} {what} a drive; an operator raises it with --limit {name}=N");
    failure("limit-exceeded", message)
}

fn failure(name: &str, message: impl Into<String>) -> Failure {
    Failure { name: name.to_owned(), message: message.into() }
}
